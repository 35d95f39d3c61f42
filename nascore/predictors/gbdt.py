"""Gradient-boosted trees as a predictor of accuracy (GBDT-NAS, Luo et al., 2020), by LightGBM.

An architecture is a row of symbols, which is what trees are good at. The numbers of leaves, trees and shares
are the released ones; only the least pairs a leaf follow the number of pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.kinds import Fitted, Predictor, knob
from nascore.predictors.features import Encoder, Floats, encoding, pairs, with_costs
from nascore.predictors.learn import line, scaled

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

RELEASED_LEAF = 20  # LightGBM's default, which the released code leaves as it is
GRADES = 5


@dataclass(frozen=True)
class Gbdt(Predictor):
    """Boosted trees on the encoding; several seeds of them give the deviation.

    Source: Luo et al. 2020 and the released settings: 31 leaves, rate .05, 100 trees, nine tenths of the
    columns a tree, four fifths of the pairs, drawn again every five trees. A leaf of at least 20 pairs is
    part of them and makes the prediction constant below some 50 pairs; by default we take n / 50 between 2
    and 20.
    With `lambdarank` the trees learn the order of five grades (quantiles) of the numbers, as one list.
    """

    encoding: str = encoding()
    costs: bool = with_costs()
    loss: str = knob("mse", help="squared error, or the order by LambdaRank", options=("mse", "lambdarank"))
    min_leaf: int = knob(0, 0, 1000, "pairs in a leaf at least; 0 for n / 50 between 2 and 20, released: 20")
    trees: int = knob(100, 1, 5000, "trees one after the other")
    members: int = knob(4, 1, 50, "seeds; their spread is the deviation, which is 0 with one")

    def fit(self, problem: Problem, archs: Sequence[Arch], y: Sequence[float] | Floats) -> Trees:
        """The trees of n pairs.

        Raises:
            BadInput: fewer than two pairs, or a number that is not finite.
        """
        import lightgbm

        rows, target = pairs(archs, y)
        encoder = Encoder(problem, self.encoding, self.costs, rows)
        x, (known, center, spread) = encoder.rows(rows), scaled(target)
        ranks = self.loss == "lambdarank"
        label = grades(target) if ranks else known
        found = []
        for member in range(self.members):
            settings = self._settings(len(rows), problem.number("gbdt", member) % 2**31)
            data = lightgbm.Dataset(x, label, group=[len(rows)] if ranks else None, params=settings)
            found.append(lightgbm.train(settings, data, self.trees))
        return Trees(encoder, found, center, spread, line(_mean(found, x), known) if ranks else (0.0, 1.0))

    def leaf(self, n: int) -> int:
        """Least pairs in a leaf when there are n."""
        return self.min_leaf or int(np.clip(n // 50, 2, RELEASED_LEAF))

    def _settings(self, n: int, seed: int) -> dict[str, Any]:
        ranks = {"objective": "lambdarank", "lambdarank_truncation_level": n, "label_gain": GAINS}
        return {
            **(ranks if self.loss == "lambdarank" else {"objective": "regression"}),
            "num_leaves": 31,
            "learning_rate": 0.05,
            "feature_fraction": 0.9,
            "bagging_fraction": 0.8,
            "bagging_freq": 5,
            "min_data_in_leaf": self.leaf(n),
            "min_data_in_bin": 1,
            "seed": seed,
            "num_threads": 1,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }


GAINS = [2**g - 1 for g in range(GRADES)]


class Trees(Fitted):
    """Boosted trees of one or more seeds.

    Attributes:
        encoder: the columns.
        boosters: LightGBM's, one a seed; they predict numbers with mean 0 and deviation 1 over the pairs.
    """

    def __init__(
        self, encoder: Encoder, boosters: list[Any], center: float, spread: float, bend: tuple[float, float]
    ) -> None:
        self.encoder, self.boosters, self.center, self.spread, self.bend = (
            encoder,
            boosters,
            center,
            spread,
            bend,
        )

    def predict(self, archs: Sequence[Arch]) -> tuple[Floats, Floats]:
        """Mean and deviation over seeds, (n,) each."""
        if not len(archs):
            return np.zeros(0), np.zeros(0)
        x = self.encoder.rows(archs)
        each = np.stack([np.asarray(b.predict(x)) for b in self.boosters])
        each = self.center + self.spread * (self.bend[0] + self.bend[1] * each)
        return each.mean(0), each.std(0)

    def shap(self, archs: Sequence[Arch]) -> Floats:
        """(n, columns + 1) SHAP values in the boosters' scale, mean over seeds; the last column is the base.

        Path-dependent TreeSHAP (Lundberg et al. 2020); a row sums to what the boosters say.
        """
        x = self.encoder.rows(archs)
        return np.mean([np.asarray(b.predict(x, pred_contrib=True)) for b in self.boosters], 0)


def _mean(boosters: list[Any], x: Floats) -> Floats:
    return np.mean([np.asarray(b.predict(x)) for b in boosters], 0)


def grades(y: Floats) -> Floats:
    """(n,) whole numbers 0 to 4: how many fifths of the pairs lie strictly below; ties have one grade."""
    below = np.searchsorted(np.sort(y), y, side="left")
    return np.floor(GRADES * below / len(y))
