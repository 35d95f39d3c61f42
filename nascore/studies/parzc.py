"""ParZC (Dong et al., 2025): are the layers' shares of training-free scores worth more than their sums?

Cells of the shipped table are learned from by validation accuracy and ranked by test accuracy, split after
split. The Bayesian mixer on the vector of shares stands beside the sums themselves, the number of parameters,
simpler learners on the same vector, and learners without any score, all with the same known accuracies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.kinds import knob
from nascore.space import array, encode
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

Floats = NDArray[np.float64]
OWN, SIZE = "ParZC", "number of parameters"
PROXIES = ("GradNorm", "Snip", "Synflow")
VARIANTS: dict[str, dict[str, Any]] = {  # knobs that differ from ParZC's own
    "ParZC, squared error": {"loss": "mse"},
    "ParZC, DiffKendall of slope 5": {"slope": 5.0},
    "ParZC, packed columns": {"columns": "packed"},
    "ParZC, mixing channels as released": {"mixing": "channels"},
    "mixer without Bayesian weights": {"network": "mixer"},
    "Bayesian perceptron": {"network": "bayesian"},
}
PLAIN = "perceptron"
SUMS, VECTOR, TREES = "line on the sums", "line on the vector", "trees on the vector"
MASK, ONE_HOT = "line on which layers there are", "line on the operations"
SMALLER = (
    "One NAS-Bench-201 cell of 8 channels on 8x8 digits, at most 8 layers; a network of 64 channels, 200 "
    "updates. The released predictor also reads the cell as a graph, ours does not."
)


def _above(key: str, text: str, scale: str = SMALLER) -> Claim:
    return Claim(key, f"{text}: Kendall's tau on unseen cells, difference", "above 0", scale=scale)


@dataclass(frozen=True)
class Parzc(Study):
    """The mixer against sums, parameters, a line, another loss and a plain network; how uneven layers are."""

    key: ClassVar[str] = "parzc"
    claims: ClassVar[tuple[Claim, ...]] = (
        _above("few", "ParZC ranks better than the best of the scores that it is made of, at fewest labels"),
        _above("many", "ParZC ranks better than the best of the scores that it is made of, at most labels"),
        _above("params", "ParZC ranks better than the number of parameters, at fewest labels"),
        _above("linear", "ParZC ranks better than a line on the sums of the scores, over all label counts"),
        _above("loss", "DiffKendall ranks better than squared error in the same network, at fewest labels"),
        _above("network", "The Bayesian mixer ranks better than a perceptron on the same vector"),
        Claim(
            "uneven",
            "Layers do not count alike: share of the gain of boosted trees that falls to the most useful "
            "quarter of the vector, minus the same with shuffled accuracies",
            "above 0",
            scale="Chance makes some columns look useful too, which the shuffled accuracies show.",
        ),
    )
    left: ClassVar[str] = (
        "Not tried: the graph transformer beside the mixer, NAS-Bench-101, NDS and vision transformers, and "
        "whether deeper layers weigh more."
    )

    seeds: int = knob(12, 2, 1000, "splits into cells to learn from and cells to rank")
    cells: int = knob(320, 60, 5044, "random cells")
    sizes: tuple[int, ...] = knob((40, 80, 160), 4, 5000, "label counts, ascending")
    steps: int = knob(200, 1, 100_000, "updates of each network")

    def measure(self, kept: Kept) -> Measuring:
        """Values of each layer, then fits of every kind, split after split."""
        table = cells.digits()
        rows = cells.some(table, self.cells)
        archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
        known, truth = table.values("val_accuracy")[rows], table.values("test_accuracy")[rows]
        problem, total = cells.problem_of(table), self.seeds + 2
        yield Progress(0, total, f"scores of the layers of {len(archs):,} networks")
        sums = {n: np.array(v) for n, v in kept.once("sums", lambda: summed(problem, archs)).items()}
        sums[SIZE] = table.values("params")[rows]
        found: list[dict[str, float]] = []
        for seed in range(self.seeds):
            yield Progress(seed + 1, total, f"split {seed + 1} of {self.seeds}")
            found.append(
                kept.once(f"split {seed}", lambda s=seed: self.split(problem, archs, known, truth, sums, s))
            )
        yield Progress(total - 1, total, "comparing")
        return self.judge({n: np.array([one[n] for one in found]) for n in found[0]})

    def split(
        self,
        problem: Problem,
        archs: Sequence[Arch],
        known: Floats,
        truth: Floats,
        sums: Mapping[str, Floats],
        seed: int,
    ) -> dict[str, float]:
        """Kendall's tau on cells that no fit of this split has seen, as `name @ labels`; and `uneven`.

        Args:
            problem: builds networks.
            archs: n cells.
            known: (n,) what is learned from.
            truth: (n,) what the ranking is judged by.
            sums: score -> (n,).
            seed: of the split; smaller sets are parts of larger ones.
        """
        order = np.random.default_rng(seed).permutation(len(archs))
        test = order[self.sizes[-1] :]
        out: dict[str, float] = {}
        for size in self.sizes:
            train = order[:size]
            said = {
                **learned(problem, archs, known, sums, train),
                **self._networks(problem, archs, known, train),
            }
            for name, scores in {**said, **sums}.items():
                out[f"{name} @ {size}"] = stats.kendall(scores[test], truth[test])
        train = order[: self.sizes[-1]]
        out["uneven"] = uneven(problem, [archs[i] for i in train], known[train], seed)
        return out

    def _networks(
        self, problem: Problem, archs: Sequence[Arch], known: Floats, train: NDArray[np.int64]
    ) -> dict[str, Floats]:
        """Name -> (n,) of ParZC and the perceptron; of the variants where labels are fewest."""
        from dataclasses import replace

        from nascore.predictors.parzc import Parzc as Predictor

        asked = {OWN: {}, PLAIN: {"network": "mlp"}, **(VARIANTS if len(train) == self.sizes[0] else {})}
        seeded = replace(problem, seed=int(train[0]))
        some = [archs[i] for i in train]
        return {
            name: Predictor(steps=self.steps, **knobs).fit(seeded, some, known[train]).predict(archs)[0]
            for name, knobs in asked.items()
        }

    def judge(self, taus: Mapping[str, Floats]) -> Results:
        """Of Kendall's tau (splits,) by `name @ labels`, and of the splits' unevenness."""
        few, many = self.sizes[0], self.sizes[-1]

        def best(size: int) -> Floats:
            return np.max([taus[f"{p} @ {size}"] for p in PROXIES], 0)

        def over(other: str) -> Floats:
            return np.mean([taus[f"{OWN} @ {s}"] - taus[f"{other} @ {s}"] for s in self.sizes], 0)

        own = taus[f"{OWN} @ {few}"]
        found: dict[str, Measured] = {
            "few": stats.mean(own - best(few)),
            "many": stats.mean(taus[f"{OWN} @ {many}"] - best(many)),
            "params": stats.mean(own - taus[f"{SIZE} @ {few}"]),
            "linear": stats.mean(over(SUMS)),
            "loss": stats.mean(own - taus[f"ParZC, squared error @ {few}"]),
            "network": stats.mean(over(PLAIN)),
            "uneven": stats.mean(taus["uneven"]),
        }
        means = {n.split(" @ ")[0]: stats.mean(v) for n, v in taus.items() if n.endswith(f"@ {few}")}
        beside: dict[str, Measured] = {f"Tau at {few} labels: {n}": m for n, m in means.items()}
        for size in self.sizes[1:]:
            for name in (OWN, PLAIN, TREES, ONE_HOT, SIZE):
                beside[f"Tau at {size} labels: {name}"] = stats.mean(taus[f"{name} @ {size}"])
        return Results(found, beside, _picture(means, few))


def summed(problem: Problem, archs: Sequence[Arch]) -> dict[str, list[float]]:
    """Score -> its sum over the layers, (n,)."""
    columns = _columns(problem, archs, raw=True)
    values = columns.rows(archs)
    return {p: values[:, [n.split()[0] == p for n in columns.names]].sum(1).tolist() for p in PROXIES}


def learned(
    problem: Problem,
    archs: Sequence[Arch],
    known: Floats,
    sums: Mapping[str, Floats],
    train: NDArray[np.int64],
) -> dict[str, Floats]:
    """Name -> (n,) of lines and trees that learn from the archs at `train`."""
    from sklearn.linear_model import BayesianRidge

    vector = _columns(problem, [archs[i] for i in train]).rows(archs)
    there = _columns(problem, archs, raw=True).rows(archs) != 0
    inputs = {
        SUMS: np.log1p(np.stack([sums[p] for p in PROXIES], 1)),
        VECTOR: vector,
        MASK: there.astype(float),
        ONE_HOT: encode(problem.space, array(archs, problem.space)),
    }
    out: dict[str, Floats] = {TREES: _trees(vector[train], known[train]).predict(vector)}
    for name, x in inputs.items():
        out[name] = np.asarray(BayesianRidge().fit(x[train], known[train]).predict(x))
    return out


def uneven(problem: Problem, archs: Sequence[Arch], known: Floats, seed: int) -> float:
    """Share of the trees' gain in the most useful quarter of columns, minus that of shuffled accuracies."""
    vector = _columns(problem, archs).rows(archs)
    shuffled = np.random.default_rng(seed).permutation(known)
    return _quarter(_trees(vector, known)) - _quarter(_trees(vector, shuffled))


def _quarter(trees: Any) -> float:
    gain = np.sort(trees.booster_.feature_importance("gain"))[::-1]
    return float(gain[: -(-len(gain) // 4)].sum() / (gain.sum() or 1.0))


def _trees(x: Floats, y: Floats) -> Any:
    """100 small boosted trees, as GBDT-NAS's but for leaves of two, since there are few cells."""
    from lightgbm import LGBMRegressor

    return LGBMRegressor(
        n_estimators=100, learning_rate=0.05, min_child_samples=2, n_jobs=1, random_state=0, verbose=-1
    ).fit(x, y)


def _columns(problem: Problem, archs: Sequence[Arch], *, raw: bool = False) -> Any:
    from nascore.predictors.nodewise import Nodewise
    from nascore.predictors.parzc import RELEASED

    return Nodewise(problem, RELEASED, aligned=True, raw=raw, batch=64, archs=archs)


def _picture(means: Mapping[str, stats.Interval], labels: int) -> dict[str, Any]:
    rows = sorted(means.items(), key=lambda item: item[1].value)
    return {
        "kind": "whiskers",
        "title": f"Who ranks best after {labels} trainings",
        "how": "Each dot is the mean of Kendall's tau on unseen cells over splits, with its 95 % interval. "
        "Scores and the number of parameters need no training at all.",
        "x": "Kendall's tau",
        "names": [n for n, _ in rows],
        "values": [m.value for _, m in rows],
        "low": [m.low for _, m in rows],
        "high": [m.high for _, m in rows],
        "marked": OWN,
    }
