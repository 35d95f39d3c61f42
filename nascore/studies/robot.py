"""RoBoT (He et al., 2024): is a learned sum of training-free scores a better guide than any one of them?

RoBoT runs on shipped tables whose scores are columns already, so that only its own decisions cost time. It
stands beside each score's own ranking, random search and evolution, all with the same number of trainings,
and beside itself without one of its two ideas. Networks are chosen by validation accuracy and told by test
accuracy.

The same search then looks for other things in the same cells, each a task: accuracy on a second data set,
accuracy under noise, a small loss. A score's worst rank over tasks is compared with RoBoT's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.benchmarks.table import Table, open_table
from nascore.codec import from_json
from nascore.engines.acquire import ranked
from nascore.evaluators.tabular import is_accuracy
from nascore.events import Note, Tried
from nascore.kinds import Strategy, knob, knobs
from nascore.problem import Problem, search
from nascore.space import Arch, tuples
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from nascore.strategies.robot import Robot as RobotSearch
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

Floats = NDArray[np.float64]
SCORES = ("synflow", "naswot", "grad_norm", "params", "flops")
OWN, LEARNING, BLIND = "RoBoT", "RoBoT without the ranking", "RoBoT with random weights"
FEWER, BY_RANK = "RoBoT without synflow", "RoBoT on ranks"
RANDOM, EVOLUTION = "random search", "regularized evolution"
WAYS: dict[str, dict[str, Any]] = {
    OWN: {},
    BLIND: {"explore": "random"},
    FEWER: {"metrics": [n for n in SCORES if n != "synflow"]},
    BY_RANK: {"scale": "rank"},
}
TASKS = {  # table and column of what is looked for
    "digits": ("nasbench_digits", "val_accuracy"),
    "MNIST": ("nasbench_mnist5k", "val_accuracy"),
    "noise": ("nasbench_digits", "noise_100_accuracy"),
    "likelihood": ("nasbench_digits", "val_loss"),
}
SMALLER = (
    "15,625 cells of NAS-Bench-201 on 8x8 digits; scores are synflow, NASWOT, gradient norm, parameters and "
    "multiply-adds where the paper has six; the Gaussian process has 2 starts, 5 in the released code."
)


def _gains(key: str, text: str, scale: str = SMALLER) -> Claim:
    return Claim(key, f"{text}: test accuracy, difference", "above 0", unit="points", scale=scale)


@dataclass(frozen=True)
class Robot(Study):
    """RoBoT against its own scores, random search, evolution, and itself without one of its parts."""

    key: ClassVar[str] = "robot"
    claims: ClassVar[tuple[Claim, ...]] = (
        _gains("average", "RoBoT finds a better cell than single scores do on average, with 20 trainings"),
        Claim(
            "best",
            "RoBoT finds a cell no worse than the best single score does: test accuracy, difference",
            "above -0.5; 0.00 on CIFAR-10",
            (-0.5, np.inf),
            unit="points",
            scale=SMALLER,
        ),
        _gains("random", "RoBoT finds a better cell than random search, with 20 trainings"),
        _gains("evolution", "RoBoT finds a better cell than regularized evolution, with 20 trainings"),
        _gains("ranking", "Following the best sum's ranking pays: RoBoT minus its first stage alone"),
        _gains("learning", "Learning the weights pays: RoBoT minus the same with random weights"),
        Claim(
            "worst",
            "RoBoT's worst rank over tasks is better than that of the score that is best on average: how "
            "many times smaller, ranks as a share of all cells",
            "above 1",
            (1.0, np.inf),
            unit="times",
            scale="Four tasks on the same cells: two data sets, accuracy under noise, validation loss.",
        ),
    )
    left: ClassVar[str] = (
        "Not tried: the DARTS space, ImageNet, TransNAS-Bench-101, REINFORCE, BOHB and HNAS."
    )

    seeds: int = knob(20, 2, 1000, "searches of each kind")
    budget: int = knob(20, 4, 1000, "trainings that a search may ask for")
    draws: int = knob(1000, 10, 100_000, "random weights that the acquisition looks at; 10,000 released")
    resamples: int = knob(1000, 10, 100_000, "of the bootstrap over searches")

    def measure(self, kept: Kept) -> Measuring:
        """Searches of every kind on digits, then RoBoT and the scores on every task."""
        main = Known.of("digits")
        total, values = self.seeds * (len(WAYS) + len(TASKS)) + 1, {}
        done = 0
        for name in WAYS:
            for seed in range(self.seeds):
                yield Progress(done, total, f"{name}, search {seed + 1} of {self.seeds}")
                done += 1
                piece = kept.once(f"{name} {seed}", lambda n=name, s=seed: self.robot(main, n, s))
                values.setdefault(name, []).append(piece)
        accuracies = self._compared(main, values)
        ranks: dict[str, list[list[float]]] = {n: [] for n in (OWN, *SCORES)}
        weights: list[list[list[float]]] = []
        for task in TASKS:
            known, own = Known.of(task), []
            for seed in range(self.seeds):
                yield Progress(done, total, f"{task}, search {seed + 1} of {self.seeds}")
                done += 1
                own.append(kept.once(f"{task} {seed}", lambda k=known, s=seed: self.robot(k, OWN, s)))
            weights.append([one["weights"] for one in own])
            ranks[OWN].append([known.rank(one["rows"]) for one in own])
            for score in SCORES:
                tops = [self.top(known, score, seed) for seed in range(self.seeds)]
                ranks[score].append([known.rank(rows) for rows in tops])
        yield Progress(total - 1, total, "comparing")
        return self.judge(accuracies, {n: np.array(v) for n, v in ranks.items()}, np.array(weights))

    def _compared(self, main: Known, values: Mapping[str, Sequence[Any]]) -> dict[str, Floats]:
        """Name -> (searches,) test accuracy of what each way of searching takes in the end."""
        out = {n: np.array([main.taken(one["rows"]) for one in v]) for n, v in values.items()}
        out[LEARNING] = np.array([main.taken(one["rows"][: one["learned"]]) for one in values[OWN]])
        for name in SCORES:
            out[name] = np.array([main.taken(self.top(main, name, s)) for s in range(self.seeds)])
        for name, given in (
            (RANDOM, RandomSearch()),
            (EVOLUTION, RegularizedEvolution(population=8, tournament=4, children=1)),
        ):
            found = [self._searched(main, given, s)[0] for s in range(self.seeds)]
            out[name] = np.array([main.taken(rows) for rows in found])
        return out

    def robot(self, known: Known, name: str, seed: int) -> dict[str, Any]:
        """Rows judged in their order, how many of them while weights were learned, and the weights."""
        scores = WAYS[name].get("metrics", SCORES)
        own: Any = from_json("strategy", {"name": "robot", "knobs": {**WAYS[name], "metrics": list(scores)}})
        settings = {f.name: getattr(own, f.name) for f in knobs(type(own))}
        settings |= {
            "restarts": 1,
            "climbs": 2,
            "draws": self.draws,
            "archs": tuple(tuples(known.table.archs)),
        }
        rows, notes = self._searched(known, Pooled(**settings), seed, known.columns(scores))
        said = next(t for t in notes if "weights:" in t)
        weights = [float(w.rsplit(" ", 1)[1]) for w in said.split("weights: ")[1].split(", ")]
        return {"rows": rows, "learned": int(said.split()[0]), "weights": weights}

    def _searched(
        self, known: Known, strategy: Strategy, seed: int, scores: Floats | None = None
    ) -> tuple[list[int], list[str]]:
        """Rows that a strategy had judged, in their order, and what it noted."""
        problem = known.problem(seed, self.budget)
        if scores is not None:  # where a run keeps the scores that it has computed
            problem.memo.save("robot/scores", scores.tolist())
        events = list(search(strategy, problem))
        rows = [int(known.table.lookup([e.arch])[0]) for e in events if isinstance(e, Tried)]
        return rows, [e.text for e in events if isinstance(e, Note)]

    def top(self, known: Known, score: str, seed: int) -> list[int]:
        """The rows that come first by one score, as many as there are trainings; ties by chance."""
        return ranked(known.table.values(score), np.random.default_rng(seed))[: self.budget].tolist()

    def judge(
        self, accuracies: Mapping[str, Floats], ranks: Mapping[str, Floats], weights: Floats
    ) -> Results:
        """What the numbers say.

        Args:
            accuracies: name -> (searches,) on test data, in percent.
            ranks: name -> (tasks, searches), places in percent of all.
            weights: (tasks, searches, scores) that RoBoT learned.
        """
        own, single = accuracies[OWN], np.array([accuracies[n] for n in SCORES])
        best = int(single.mean(1).argmax())

        def gain(other: Floats) -> stats.Interval:
            return stats.mean(own - other)

        found: dict[str, Measured] = {
            "average": gain(single.mean(0)),
            "best": gain(single[best]),
            "random": gain(accuracies[RANDOM]),
            "evolution": gain(accuracies[EVOLUTION]),
            "ranking": gain(accuracies[LEARNING]),
            "learning": gain(accuracies[BLIND]),
            "worst": stats.bootstrap(
                worse,
                ranks[OWN].T,
                ranks[min(SCORES, key=lambda n: ranks[n].mean())].T,
                resamples=self.resamples,
            ),
        }
        means = {n: stats.mean(v) for n, v in accuracies.items()}
        beside: dict[str, Measured] = {f"Test accuracy of {n} (%)": m for n, m in means.items()}
        for name, rows in ranks.items():
            each = ", ".join(f"{t} {r:.2f}" for t, r in zip(TASKS, rows.mean(1), strict=True))
            beside[f"Worst mean rank over tasks of {name}, % of all ({each})"] = float(rows.mean(1).max())
        within, between = alike(weights)
        beside["Cosine of learned weights, two searches of one task"] = within
        beside["Cosine of learned weights, searches of two tasks"] = between
        return Results(found, beside, _picture(means, self.budget))


@dataclass(frozen=True)
class Pooled(RobotSearch):
    """RoBoT on given architectures: those that a table knows."""

    archs: tuple[Arch, ...] = ()

    def _pool(self, problem: Problem) -> list[Arch]:
        return list(self.archs)


@dataclass(frozen=True)
class Known:
    """A table, what is looked for in it, and what it is worth in the end.

    Attributes:
        table: of cells.
        merit: (n,) what a search sees, higher is better.
        told: (n,) what the cell that it takes is told by.
    """

    table: Table
    merit: Floats
    told: Floats
    column: str

    @classmethod
    def of(cls, task: str) -> Known:
        """One of `TASKS`."""
        name, column = TASKS[task]
        table = open_table(name)
        sign = 1.0 if table.columns[column].direction == "max" else -1.0
        told = table.values(column.replace("val_", "test_"))
        return cls(table, sign * table.values(column), told, column)

    def problem(self, seed: int, budget: int) -> Problem:
        """The table asked for this column."""
        accuracy = is_accuracy(self.table.columns[self.column])
        judge = {"table": self.table.name, "metric": self.column if accuracy else ""}
        return cells.problem_of(
            self.table,
            seed,
            evaluator={"name": "tabular", "knobs": judge},
            objectives=[["error" if accuracy else self.column, "min"]],
            budget={"evaluations": budget},
        )

    def columns(self, scores: Sequence[str]) -> Floats:
        """(n, scores)."""
        return np.stack([self.table.values(s) for s in scores], 1)

    def taken(self, rows: Sequence[int]) -> float:
        """What the best of these rows is told by."""
        return float(self.told[rows[int(np.nanargmax(self.merit[list(rows)]))]])

    def rank(self, rows: Sequence[int]) -> float:
        """Place of the best of these rows among all, in percent: 0 is none above it."""
        return float(100 * (self.merit > np.nanmax(self.merit[list(rows)])).mean())


def worse(own: Floats, other: Floats) -> float:
    """How many times larger the worst mean place over tasks is, both (searches, tasks) in percent."""
    return float(other.mean(0).max() / max(own.mean(0).max(), 0.01))


def alike(weights: Floats) -> tuple[float, float]:
    """Mean cosine of weights (tasks, searches, scores) of two searches of one task, and of two tasks."""
    tasks, searches, _ = weights.shape
    unit = (weights / np.linalg.norm(weights, axis=-1, keepdims=True)).reshape(tasks * searches, -1)
    cosine, of = unit @ unit.T, np.repeat(np.arange(tasks), searches)
    same = of[:, None] == of[None, :]
    return float(cosine[same & ~np.eye(len(of), dtype=bool)].mean()), float(cosine[~same].mean())


def _picture(means: Mapping[str, stats.Interval], budget: int) -> dict[str, Any]:
    rows = sorted(means.items(), key=lambda item: item[1].value)
    return {
        "kind": "whiskers",
        "title": f"What {budget} trainings find",
        "how": "Each dot is the mean test accuracy of the cell taken in the end, over searches, with its "
        "95 % interval. A score alone trains the cells that it ranks first.",
        "x": "Test accuracy (%)",
        "names": [n for n, _ in rows],
        "values": [m.value for _, m in rows],
        "low": [m.low for _, m in rows],
        "high": [m.high for _, m in rows],
        "marked": OWN,
    }
