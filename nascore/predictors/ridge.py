"""Bayesian ridge regression (MacKay, 1992; Tipping, 2001): the line that every predictor has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.kinds import Fitted, Predictor
from nascore.predictors.features import Encoder, Floats, encoding, pairs, with_costs

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch


@dataclass(frozen=True)
class Ridge(Predictor):
    """A linear function of the encoding; the data themselves say how much it is held back.

    Penalty and noise maximize the evidence of the pairs (scikit-learn's BayesianRidge, Tipping 2001,
    appendix A), so there is nothing to tune; the deviation includes the noise.
    """

    encoding: str = encoding()
    costs: bool = with_costs()

    def fit(self, problem: Problem, archs: Sequence[Arch], y: Sequence[float] | Floats) -> Fitted:
        """The line of n pairs.

        Raises:
            BadInput: fewer than two pairs, or a number that is not finite.
        """
        from sklearn.linear_model import BayesianRidge

        rows, target = pairs(archs, y)
        encoder = Encoder(problem, self.encoding, self.costs, rows)
        center, spread = target.mean(), target.std() or 1.0
        model = BayesianRidge().fit(encoder.rows(rows), (target - center) / spread)
        return _Line(encoder, model, float(center), float(spread))


class _Line(Fitted):
    def __init__(self, encoder: Encoder, model: Any, center: float, spread: float) -> None:
        self.encoder, self.model, self.center, self.spread = encoder, model, center, spread

    def predict(self, archs: Sequence[Arch]) -> tuple[Floats, Floats]:
        """Mean and deviation, (n,) each."""
        if not len(archs):
            return np.zeros(0), np.zeros(0)
        mean, std = self.model.predict(self.encoder.rows(archs), return_std=True)
        return self.center + self.spread * mean, self.spread * std
