"""Active learning for text classification (survey, 2020): do ways to ask beat asking at random?

Labels of real paragraphs are bought in rounds by every way to ask, from the same first labels, and each
learning curve is told by its mean test accuracy over the rounds. The same question is then put to cells of
the shipped table: a predictor learns from cells that are chosen to teach it, or chosen to be good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.engines.acquire import expected_improvement, ranked
from nascore.kinds import knob
from nascore.query import QUERIES, Pool, core_set
from nascore.space import array, encode
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

Floats = NDArray[np.float64]
LEARNED = "random, words learned from labels alone"
WAYS = ("random", "core_set", "uncertainty", "improvement")  # to choose cells
NETWORK = {"width": 32, "encoder": "mean", "hidden": 32, "dropout": 0.25}
SMALLER = (
    "1,500 paragraphs of documentation in 5 classes, 25 to 150 labels; averaged word vectors and one hidden "
    "layer. The interval is corrected for eight ways to ask."
)
CELLS = "1,000 cells of NAS-Bench-201 on digits, a Gaussian process, 20 to 84 labels."


def _beats(way: str, text: str, scale: str = SMALLER) -> Claim:
    return Claim(
        way,
        f"{text}: mean test accuracy over the learning curve, minus that of random labels",
        "above 0",
        unit="points",
        scale=scale,
    )


@dataclass(frozen=True)
class ActiveLearning(Study):
    """Ways to ask against random, doubt with and without dropout, given vectors, and the same for cells."""

    key: ClassVar[str] = "active_learning"
    claims: ClassVar[tuple[Claim, ...]] = (
        _beats("margin", "Asking where two classes are closest beats random (prediction-based)"),
        _beats("entropy", "Asking where probabilities are most even beats random (prediction-based)"),
        _beats("gradient_length", "Asking for the longest expected gradient beats random (model-based)"),
        _beats("core_set", "Asking so that the data are covered beats random (data-based)"),
        Claim(
            "doubt",
            "A network's own probabilities are a poor measure of its doubt: BALD on dropout minus entropy, "
            "mean test accuracy over the learning curve",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "vectors",
            "With few labels, word vectors learned without labels matter more than how one asks: gain by "
            "vectors, minus the gain of the best way over random",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "covered",
            "Cells that cover the space teach a predictor more than random ones: Spearman's rho over all "
            "cells, difference",
            "above 0",
            scale=CELLS,
        ),
        Claim(
            "goals",
            "Learning and searching are different goals: cells chosen for their uncertainty teach more than "
            "cells expected to improve; Spearman's rho over all cells, difference",
            "above 0",
            scale=CELLS,
        ),
        Claim(
            "regret",
            "And cells expected to improve find better ones than cells chosen for their uncertainty: "
            "validation accuracy of the best, difference",
            "above 0",
            unit="points",
            scale=CELLS,
        ),
    )
    left: ClassVar[str] = (
        "Not tried: convolutions and transformers as readers, calibration error a round against the gain, "
        "committees, combined ways to ask, stopping rules."
    )

    seeds: int = knob(10, 2, 1000, "first labels and first weights")
    updates: int = knob(60, 1, 100_000, "steps of a training in each round")
    budget: int = knob(150, 30, 1500, "labels in the end")
    rounds: int = knob(8, 1, 100, "rounds of 8 cells after the first 20")

    def measure(self, kept: Kept) -> Measuring:
        """Learning curves of every way and seed, then the same for cells."""
        curves: dict[str, list[list[float]]] = {}
        total, done = self.seeds * (len(QUERIES) + 1 + len(WAYS)) + 1, 0
        for name in (*QUERIES, LEARNED):
            for seed in range(self.seeds):
                yield Progress(done, total, f"{name.replace('_', ' ')}, seed {seed + 1} of {self.seeds}")
                done += 1
                piece = kept.once(f"{name} {seed}", lambda n=name, s=seed: self.curve(n, s))
                curves.setdefault(name, []).append(piece)
        found: dict[str, list[list[float]]] = {}
        for way in WAYS:
            for seed in range(self.seeds):
                yield Progress(done, total, f"cells by {way}, seed {seed + 1} of {self.seeds}")
                done += 1
                found.setdefault(way, []).append(
                    kept.once(f"cells {way} {seed}", lambda w=way, s=seed: self.chosen(w, s))
                )
        yield Progress(total - 1, total, "comparing")
        return self.judge(
            {n: np.array(v) for n, v in curves.items()}, {n: np.array(v) for n, v in found.items()}
        )

    def problem(self, name: str, seed: int) -> Problem:
        """The pool of paragraphs, whose labels are bought in this way."""
        from nascore.runs.spec import from_document

        way, given = ("random", "words") if name == LEARNED else (name, "vectors")
        part = {"query": way, "budget": self.budget, "updates": self.updates}
        parts = [{"name": "active_learning", "knobs": part}]
        recipe = {"name": "tunable", "knobs": {"method": "adam", "lr": 0.01, "batch": 32, "parts": parts}}
        document = {"v": 1, "space": "reader", "recipe": recipe, "seed": seed, "budget": {"evaluations": 1}}
        return from_document({**document, "task": {"name": "text", "knobs": {"given": given}}}).problem()

    def curve(self, name: str, seed: int) -> list[float]:
        """Test accuracy in percent after each round."""
        from nascore.chunk import fresh
        from nascore.recipe import train
        from nascore.space import from_choices

        problem = self.problem(name, seed)
        net = fresh(problem, from_choices(problem.space, NETWORK))
        return [
            100 * (1 - problem.task.metrics(net.eval(), "test")["error"])
            for _ in train(problem, net, problem.recipe, "study")
        ]

    def chosen(self, way: str, seed: int) -> list[float]:
        """Spearman's rho of the predictor over the pool, and the best validation accuracy that was chosen."""
        table = cells.digits()
        rows = cells.some(table, 1000)
        archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
        return self.learned(cells.problem_of(table, seed), archs, table.values("val_accuracy")[rows], way)

    def learned(self, problem: Problem, archs: Sequence[Arch], truth: Floats, way: str) -> list[float]:
        """As `chosen`, of these architectures and their worth (n,)."""
        from nascore.predictors.gp import Gp

        points = encode(problem.space, array(archs, problem.space))
        have = problem.rng("first").permutation(len(archs))[:20]
        mean, std = Gp().fit(problem, [archs[j] for j in have], truth[have]).predict(archs)
        for i in range(self.rounds):
            left, rng = np.setdiff1d(np.arange(len(archs)), have), problem.rng("ask", i)
            if way == "core_set":
                asked = core_set(Pool(points[left], points[have], rng), 8)
            else:
                worth = {
                    "random": rng.random(len(left)),
                    "uncertainty": std[left],
                    "improvement": expected_improvement(mean[left], std[left], truth[have].max(), rng),
                }[way]
                asked = ranked(worth, rng)[:8]
            have = np.concatenate([have, left[asked]])
            mean, std = Gp().fit(problem, [archs[j] for j in have], truth[have]).predict(archs)
        return [stats.spearman(mean, truth), float(truth[have].max())]

    def judge(self, curves: Mapping[str, Floats], found: Mapping[str, Floats]) -> Results:
        """What the numbers say.

        Args:
            curves: way -> (seeds, rounds) test accuracy in percent.
            found: way to choose cells -> (seeds, 2) Spearman's rho, best validation accuracy.
        """
        area = {n: c.mean(1) for n, c in curves.items()}
        ways = [n for n in QUERIES if n != "random"]
        corrected = 1 - 0.05 / len(ways)
        best = max(ways, key=lambda n: area[n].mean())
        gain = area[best] - area["random"]
        measured: dict[str, Measured] = {
            n: stats.mean(area[n] - area["random"], corrected)
            for n in ("margin", "entropy", "gradient_length", "core_set")
        }
        measured |= {
            "doubt": stats.mean(area["bald"] - area["entropy"]),
            "vectors": stats.mean(area["random"] - area[LEARNED] - gain),
            "covered": stats.mean(found["core_set"][:, 0] - found["random"][:, 0]),
            "goals": stats.mean(found["uncertainty"][:, 0] - found["improvement"][:, 0]),
            "regret": stats.mean(found["improvement"][:, 1] - found["uncertainty"][:, 1]),
        }
        beside: dict[str, Measured] = {}
        for name, curve in curves.items():
            beside[f"Mean accuracy over the curve, {_said(name)} (%)"] = stats.mean(area[name])
            beside[f"Accuracy in the end, {_said(name)} (%)"] = stats.mean(curve[:, -1])
        for name in ways:
            if name not in measured:
                text = f"{_said(name)} minus random, mean over the curve (points)"
                beside[text] = stats.mean(area[name] - area["random"], corrected)
        for name, pairs in found.items():
            beside[f"Spearman of a predictor taught by {_said(name)}"] = stats.mean(pairs[:, 0])
            beside[f"Best validation accuracy among cells chosen by {_said(name)}"] = stats.mean(pairs[:, 1])
        return Results(measured, beside, _picture(curves))


def _said(name: str) -> str:
    return name.replace("_", " ")


def _picture(curves: Mapping[str, Floats]) -> dict[str, Any]:
    series = []
    for name in ("random", "margin", "core_set", "bald", "gradient_length", LEARNED):
        each = [stats.mean(v) for v in curves[name].T]
        series.append(
            {
                "name": _said(name.split(",")[0]) if name != LEARNED else "words learned",
                "x": [25 * (i + 1) for i in range(len(each))],
                "y": [m.value for m in each],
                "low": [m.low for m in each],
                "high": [m.high for m in each],
            }
        )
    return {
        "kind": "lines",
        "title": "What labels teach",
        "how": "Test accuracy against labels bought, mean over seeds with its 95 % interval. All ways begin "
        "with the same labels; words learned asks at random and gets no vectors.",
        "x": "Labels",
        "y": "Test accuracy (%)",
        "metric": "accuracy",
        "series": series,
    }
