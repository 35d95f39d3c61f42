"""Judges by a predictor that has learned from a part of a benchmark table: an answer for any architecture.

It learns once a process, from pairs drawn by name, so every question gets the same predictor; what it says of
those pairs themselves is a prediction too.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from nascore.benchmarks.table import open_table
from nascore.errors import BadInput, NotSupported
from nascore.evaluators.tabular import Tabular
from nascore.events import Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator, Fitted, Predictor, knob
from nascore.predictors.ridge import Ridge
from nascore.problem import FREE
from nascore.space import Arch, Space, tuples

if TYPE_CHECKING:
    from nascore.problem import Problem

DEFAULT = Ridge()


@dataclass(frozen=True)
class Predicted(Evaluator):
    """Predicts the error by what a predictor has learned from some architectures of a table.

    `std` is how unsure it is. A search by it finds what the predictor likes, which need not be good: train or
    look up what it has chosen.
    """

    predictor: Predictor = knob(DEFAULT, help="what learns")  # noqa: RUF009 -- a field
    table: str = knob("nasbench_digits", help="name of the table that it learns from", of="table")
    metric: str = knob("", help="accuracy that it learns; empty for the first on validation data")
    pairs: int = knob(100, 2, 10_000, "random architectures of the table that it learns from")
    draw: int = knob(0, 0, 1_000_000, "which random ones")

    @property
    def key(self) -> str:
        """Predictor with its knobs, table, metric and pairs."""
        metric = f"/{self.metric}" if self.metric else ""
        return f"predicted:{self.table}{metric}:{self.pairs}-{self.draw}:{self.predictor}"

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """That of the table's metric; the source says how many pairs were learned from."""
        said = self._teacher().protocol(problem)
        return replace(said, source=f"predicted from {self.pairs} architectures of {said.source}")

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """Error, its deviation, and the free costs.

        Raises:
            BadInput: there is no such table or metric, or its architectures are of another space.
        """
        self._teacher().metrics(problem)
        return ("error", "std", *FREE)

    def at(self, epochs: int) -> Predicted:
        """There is nothing to shorten.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("a predictor does not train what it judges, so it has no other fidelity")

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """One `Tried` an arch."""
        if not archs:
            return
        start, rows = time.monotonic(), tuples(archs)
        mean, std = learned(self, replace(problem, seed=0, memo=type(problem.memo)())).predict(rows)
        free = problem.costs(rows)
        each = (time.monotonic() - start) / len(rows)
        for i, arch in enumerate(rows):
            own = {m: float(v[i]) for m, v in free.items()}
            found = {"error": -float(mean[i]), "std": float(std[i])}
            yield Tried(arch, {**own, **found}, self.key, {"seconds": each, "epochs": 0.0})

    def _teacher(self) -> Tabular:
        return Tabular(self.table, self.metric)


def learned(by: Predicted, problem: Problem) -> Fitted:
    """The predictor after its pairs; kept, since every question asks the same one.

    Raises:
        BadInput: the table knows the errors of fewer architectures than are to be learned from.
    """
    folder = open_table(by.table).folder
    known = _kept(by, problem.space, folder, (folder / "table.json").stat().st_mtime_ns)
    if not known:
        table, answers = by._teacher().answers(problem)
        errors = answers.get("error", np.full(table.rows, math.nan))
        rows = np.flatnonzero(np.isfinite(errors))
        if len(rows) < by.pairs:
            raise BadInput(
                f"evaluator.knobs.pairs: {by.table} knows the error of {len(rows):,} architectures; "
                f"take at most so many instead of {by.pairs:,}"
            )
        drawn = rows[problem.rng("predicted", by.draw).permutation(len(rows))[: by.pairs]]
        known.append(by.predictor.fit(problem, tuples(table.archs[drawn]), -errors[drawn]))
    return known[0]


@lru_cache(maxsize=4)
def _kept(by: Predicted, space: Space, folder: Path, changed: int) -> list[Fitted]:
    """Empty until it has learned; `changed` tells when the table is another one."""
    return []
