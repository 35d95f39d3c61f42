"""Runs before the court: `RUN:inherited` is what a kept supernet says, `RUN:METRIC` what a run has tried.

A supernet judges the sub-networks that were measured on the run's page, with inherited weights, tuned ones or
new ones; its error on the validation part counts. Of equal networks the mean counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks import judges
from nascore.benchmarks.judges import Court, Scores
from nascore.benchmarks.table import TRAINED_ROW, Column
from nascore.errors import BadInput
from nascore.kinds import EvaluationProtocol
from nascore.runs import subnets
from nascore.runs.spec import RunSpec
from pages.parts import stores

SAID = {
    "inherited": "with its shared weights",
    "tuned": "tuned for some epochs",
    "scratch": "trained from new weights",
}
LEAST, MOST_RUNS = 2, 50  # measured sub-networks; newest runs that are looked at


def named(name: str) -> str:
    """The run in `RUN:WHAT`; empty where it names none."""
    run, colon, _ = name.partition(":")
    return run if colon and stores.run(run) is not None else ""


def stamp() -> str:
    """Changes when a run has measured sub-networks anew."""
    return " ".join(
        f"{run} {file.stat().st_mtime_ns}"
        for run in _recent()
        if (file := subnets.place(run) / "rows.json").is_file()
    )


def options(court: Court) -> list[str]:
    """Supernets over the same space of which something was measured; other runs can be typed."""
    out: list[str] = []
    for run in _recent():
        measured = subnets.rows(run)
        if measured and _fits(court, stores.spec(run)):
            ways = [str(r.get("way")) for r in measured]
            out += [f"{run}:{way}" for way in SAID if ways.count(way) >= LEAST]
    return out


def scores(court: Court, name: str) -> Scores:
    """What a run says of the architectures of a court.

    Raises:
        BadInput: its space is another one, or it knows none of them.
    """
    run, _, what = name.partition(":")
    summary, spec = stores.run(run), stores.spec(run)
    if summary is None or spec is None or not _fits(court, spec):
        raise BadInput(f"{name}: this run is over another space than {court.name}")
    title = stores.called(run, summary.title, summary.strategy, summary.space)
    found, column, seconds = _subnets(run, what, title) if what in SAID else _tried(run, what, title)
    values = _placed(court, found)
    if not np.isfinite(values).any():
        raise BadInput(f"{name}: the run knows none of the {len(values):,} architectures of {court.name}")
    return Scores(name, values, column, seconds, "measured by the run" if seconds else "")


def _recent() -> list[str]:
    frame = stores.runs()
    return [str(r) for r in frame["run"][:MOST_RUNS]] if len(frame) else []


def _fits(court: Court, spec: RunSpec | None) -> bool:
    return spec is not None and judges.alike(court.choices, tuple(spec.space.choices()))


def _subnets(run: str, way: str, title: str) -> tuple[dict[str, float], Column, float | None]:
    """Key -> error in percent, of the latest measurement; its column; mean seconds."""
    rows = [r for r in subnets.rows(run) if r.get("way") == way and isinstance(r.get("error"), int | float)]
    if not rows:
        raise BadInput(f"{run}:{way}: no sub-network of this run was measured {SAID[way]}")
    protocol = EvaluationProtocol(str(rows[-1].get("data", "")), "validation", 0, "", title)
    column = Column(way, f"Supernet of {title}, {SAID[way]}", "%", "min", protocol)
    clock = [float(r["seconds"]) for r in rows if isinstance(r.get("seconds"), int | float)]
    return (
        {str(r["key"]): 100 * float(r["error"]) for r in rows},
        column,
        float(np.mean(clock)) if clock else None,
    )


def _tried(run: str, metric: str, title: str) -> tuple[dict[str, float], Column, None]:
    """Key -> what the run found, each as it was tried last; its column."""
    from pages.parts import rankdata

    own = rankdata.court(f"run:{run}")
    if own is None:
        raise BadInput(f"{run}: the run has tried nothing yet")
    known = judges.judge(own, metric)
    column = Column(
        metric,
        f"{known.column.title} in {title}",
        known.column.unit,
        known.column.direction,
        known.column.protocol,
    )
    return {str(k): float(v) for k, v in zip(own.keys, known.values, strict=True)}, column, None


def _placed(court: Court, found: dict[str, float]) -> NDArray[np.float64]:
    """(n,) values in the court's order; a table's untrained rows speak for the equal network that was."""
    at = {str(k): i for i, k in enumerate(court.keys)}
    table = court.table
    if table is not None and TRAINED_ROW in table.frame:
        keys: Any = table.frame["key"].to_numpy()
        first = dict(zip(court.rows.tolist(), range(len(court.rows)), strict=True))
        rows = np.flatnonzero(np.isin(keys, list(found)))
        own = table.frame[TRAINED_ROW].to_numpy()
        at |= {str(keys[r]): first[int(own[r])] for r in rows if int(own[r]) in first}
    total, count = np.zeros(len(court.keys)), np.zeros(len(court.keys))
    for key, value in found.items():
        if key in at and np.isfinite(value):
            total[at[key]] += value
            count[at[key]] += 1
    return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)
