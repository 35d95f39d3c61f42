"""Predictors before the court: `ridge@100` has learned from 100 architectures, the others are asked."""

from __future__ import annotations

from nascore import tables
from nascore.benchmarks import judges
from nascore.benchmarks.judges import Court, Scores
from nascore.errors import BadInput
from nascore.evaluators.learned import learned
from nascore.problem import Problem
from pages.parts import benchdata

QUICK = ("ridge", "gbdt")  # those that answer about a table within a second
SIZES = (50, 200)


def is_predictor(name: str) -> bool:
    """Whether a name is `PREDICTOR@SIZE`."""
    key, _, size = name.rpartition("@")
    return size.isdecimal() and key in tables.table("predictor")


def options(court: Court) -> list[str]:
    """Those that are offered; any other can be typed."""
    if court.table is None or benchdata.space_of(court.table) is None:
        return []
    return [f"{n}@{s}" for n in QUICK for s in SIZES if 4 * s < len(court.keys)]


def scores(court: Court, name: str, truth: str) -> Scores:
    """What a predictor says of the architectures that it has not seen.

    Raises:
        BadInput: the space is not known, or the size leaves too few to ask about.
    """
    key, size = judges.split(name)
    space = benchdata.space_of(court.table) if court.table is not None else None
    if court.table is None or space is None:
        raise BadInput(f"{name}: a predictor needs a table whose space is known")
    task = tables.entry("task", benchdata.shape_of(court.table)[1] or "digits")()
    parts = tables.entry("recipe", "sgd_cosine")(), tables.entry("evaluator", "tabular")()
    problem = Problem(space, task, *parts)
    return learned(court, name, size, court.truth(truth), problem, tables.entry("predictor", key)())
