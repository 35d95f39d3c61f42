"""What several studies ask of the shipped tables of cells: the problem they belong to, and random cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import TRAINED_ROW, Table, open_table
from nascore.problem import Problem
from nascore.runs.spec import from_document

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


def problem_of(table: Table, seed: int = 0, **changes: Any) -> Problem:
    """The problem whose answers a table holds, with other parts where `changes` gives them as JSON."""
    document = {"v": 1, "space": table.space, "task": data_of(table), "seed": seed, **changes}
    if recipe := table.about.get("recipe"):
        document.setdefault("recipe", recipe)
    return from_document(document).problem()


def data_of(table: Table) -> str:
    """The data that the table's networks were trained on."""
    return next(c.protocol.data for c in table.columns.values() if c.protocol.split)


def own_rows(table: Table) -> Rows:
    """Rows trained themselves: equal networks share a training and would count many times."""
    if TRAINED_ROW not in table.frame:
        return np.arange(table.rows)
    return np.flatnonzero(table.frame[TRAINED_ROW].to_numpy() == np.arange(table.rows))


def some(table: Table, n: int, seed: int = 0) -> Rows:
    """Up to n random rows that were trained, ascending."""
    rows = own_rows(table)
    rng = np.random.default_rng(seed)
    return np.sort(rng.choice(rows, min(n, len(rows)), replace=False))


def digits() -> Table:
    """The shipped table of all 15,625 cells trained on digits."""
    return open_table("nasbench_digits")


def scored(table: Table, rows: Rows, proxies: Mapping[str, Any], seed: int) -> dict[str, list[float]]:
    """Scores of rows by each proxy's name, of networks whose first weights belong to the seed."""
    from nascore.chunk import fresh, one_batch
    from nascore.evaluators.zero_cost import BATCH
    from nascore.proxies.look import scores

    problem = problem_of(table, seed)
    batch = one_batch(problem, BATCH)
    archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
    build = problem.space.builder(problem.task.shape)
    nets = (fresh(problem, arch, build) for arch in archs)
    return {name: v.tolist() for name, v in scores(dict(proxies), nets, batch, problem).items()}
