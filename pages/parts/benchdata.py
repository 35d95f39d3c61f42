"""What pages read of benchmark tables, kept by (folder, time of its last change) for all sessions.

Frames are shared: nobody changes one.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore import tables
from nascore.benchmarks import explore, table
from nascore.benchmarks.table import Column, Table
from nascore.codec import build
from nascore.errors import AppError
from nascore.space import Arch, Space, tuples
from nascore.space import key as key_of
from nascore.task import CIFAR, Shape
from nascore.view import axes
from nascore.view.axes import Axis

FIRST = "nasbench_digits"
COSTS = ("params", "flops", "latency")
TITLES = {"nasbench_digits": "NAS-Bench-digits", "nasbench_mnist5k": "NAS-Bench-MNIST-5k"}


def every() -> list[Table]:
    """All tables; the embedded ones first. Only `table.json` is read."""
    found = table.list_tables()
    return sorted(found, key=lambda t: (t.name != FIRST, not is_shipped(t), t.name))


def is_shipped(found: Table) -> bool:
    """Whether a table came with the program."""
    return found.folder.parent != table.places()[0] or bool(found.about.get("shipped"))


def title(found: Table) -> str:
    """What a table is called in lists."""
    return TITLES.get(found.name, found.name)


def opened(name: str) -> Table:
    """A table, its columns kept.

    Raises:
        BadInput: no possible name, or it cannot be read.
        NotFound: there is none.
    """
    return kept(table.open_table(name))


def kept(found: Table) -> Table:
    """The table of this folder that is already in memory, if it has not changed."""
    return _opened(*stamp(found))


def stamp(found: Table) -> tuple[str, int]:
    """What a table's answers are kept under."""
    return str(found.folder), (found.folder / "table.json").stat().st_mtime_ns


@st.cache_resource(max_entries=8, show_spinner=False)
def _opened(folder: str, changed: int) -> Table:
    found = Table(Path(folder))
    _ = found.frame  # now, not in the middle of a figure
    return found


def embedded() -> Table | None:
    """The table that Home shows: the first of those that came with the program."""
    return next((kept(t) for t in every() if is_shipped(t) and t.metrics and t.rows), None)


def axis(found: Table, metric: str) -> Axis:
    """A metric as it lies on an axis."""
    return _axis(*stamp(found), metric)


@st.cache_resource(max_entries=64, show_spinner=False)
def _axis(folder: str, changed: int, metric: str) -> Axis:
    found = _opened(folder, changed)
    return axes.axis(found.column(metric), found.values(metric))


def numbers(found: Table) -> NDArray[np.int64]:
    """(rows,) what people call an arch of this table: its official index, else its row."""
    frame = found.frame
    if "index" in frame and frame["index"].notna().all():
        return frame["index"].to_numpy(dtype=np.int64)
    return np.arange(found.rows)


def quality(found: Table) -> str:
    """The metric that says how good an arch is: the test accuracy where there is one."""
    columns = list(found.columns.values())
    better = [c for c in columns if c.direction == "max"]
    test = [c for c in better if c.protocol.split == "test"]
    return next((c.name for c in [*test, *better, *columns]), "")


def cost(found: Table) -> str:
    """A metric to draw quality against: multiply-adds, parameters, a latency, or any other."""
    names = list(found.columns)
    for word in ("flops", "params", "latency", "seconds", "time"):
        if hit := next((n for n in names if word in n.lower() and found.columns[n].direction == "min"), ""):
            return hit
    return next((n for n in names if n != quality(found)), quality(found))


@st.cache_resource(max_entries=32, show_spinner=False)
def _front(folder: str, changed: int, x: str, y: str) -> NDArray[np.int64]:
    return explore.pareto(_opened(folder, changed), x, y)


def front(found: Table, x: str, y: str) -> NDArray[np.int64]:
    """Rows on the front of the whole table."""
    return _front(*stamp(found), x, y)


@st.cache_resource(max_entries=16, show_spinner=False)
def _order(folder: str, changed: int, metric: str) -> NDArray[np.int64]:
    return _opened(folder, changed).order(metric)


def order(found: Table, metric: str) -> NDArray[np.int64]:
    """Rows of the whole table, best first, without those that have no value."""
    return _order(*stamp(found), metric)


@st.cache_resource(max_entries=16, show_spinner="Comparing seeds...")
def _noise(folder: str, changed: int, metric: str, data: str, epochs: int) -> pd.DataFrame:
    return explore.seed_noise(_opened(folder, changed), metric, data, epochs)


def noise(found: Table, metric: str, data: str, epochs: int) -> pd.DataFrame:
    """How a metric differs between the trainings of each arch."""
    return _noise(*stamp(found), metric, data, epochs)


@st.cache_resource(max_entries=16, show_spinner=False)
def _trainings(folder: str, changed: int) -> tuple[list[str], list[tuple[str, int]]]:
    return explore.trainings(_opened(folder, changed))


def trainings(found: Table) -> tuple[list[str], list[tuple[str, int]]]:
    """Metrics of single trainings, and their (data, epochs)."""
    return _trainings(*stamp(found))


def space_of(found: Table) -> Space | None:
    """The space of a table's archs; None where it is not known (any more)."""
    if not found.space:
        return None
    try:
        return build(tables.entry("space", found.space["name"]), found.space.get("knobs", {}), "space")
    except AppError:
        return None


def shape_of(found: Table) -> tuple[Shape, str]:
    """Input that a table's costs are counted for, and the task's name; CIFAR-10 and none where unknown."""
    for column in found.columns.values():
        if column.protocol.data in tables.table("task"):
            name = column.protocol.data
            return build(tables.entry("task", name), {}, "task").shape, name
    return CIFAR, ""


def query(found: Table, row: int) -> dict[str, str]:
    """The address of an arch on its page; empty where there is no such page."""
    if not found.space or space_of(found) is None:
        return {}
    task = shape_of(found)[1]
    said = {k: str(v) for k, v in found.space.get("knobs", {}).items() if isinstance(v, int | float | str)}
    out = {"space": str(found.space["name"]), **said, "arch": str(found.frame["key"].iloc[row])}
    return out | ({"task": task} if task else {})


def knowing(space: str, arch: Arch) -> list[tuple[Table, int]]:
    """Tables that know an arch of a space, with its row there."""
    out = []
    for one in every():
        if not one.space or one.space["name"] != space or len(one.choices) != len(arch):
            continue
        found = kept(one)
        row = int(found.lookup([arch])[0])
        if row >= 0:
            out.append((found, row))
    return out


def asked_rows(found: Table, keys: list[str], space: Space | None) -> dict[str, str]:
    """Key of an arch -> key of its class, under which trainings are kept."""
    if space is None:
        return {k: k for k in keys}
    out = {}
    for name in keys:
        rows = np.flatnonzero((found.frame["key"] == name).to_numpy(dtype=bool))
        arch = tuples(found.archs[rows[:1]])
        out[name] = key_of(space, space.canonical(arch[0])) if arch else name
    return out


def curves(found: Table, keys: list[str]) -> pd.DataFrame:
    """Curves of a few archs: `key` as asked, data, seed, epochs, metric, values; percents as percents."""
    return _of_class(found, keys, "curves")


def runs(found: Table, keys: list[str]) -> pd.DataFrame:
    """Single trainings of a few archs, under the keys that were asked for."""
    return _of_class(found, keys, "runs")


def _of_class(found: Table, keys: list[str], part: str) -> pd.DataFrame:
    """Rows of these archs; for one that has none, those of the equal network that was trained."""
    read: Any = found.curves if part == "curves" else found.runs
    own = read(keys)
    have = set(own["key"]) if len(own) else set()
    lost = [k for k in keys if k not in have]
    if not lost:
        return own
    twin = asked_rows(found, lost, space_of(found))
    others = read([t for k, t in twin.items() if t != k])
    pieces = [own]
    for asked, trained in twin.items():
        if len(others) and trained != asked:
            pieces.append(others[others["key"] == trained].assign(key=asked))
    return pd.concat([p for p in pieces if len(p)], ignore_index=True) if any(map(len, pieces)) else own


def headline(found: Table, most: int = 6) -> list[Column]:
    """The few metrics that say most: quality on each data set, then costs."""
    columns = list(found.columns.values())
    seen: set[str] = set()
    best = []
    for column in [c for c in columns if c.direction == "max" and c.protocol.split == "test"] + [
        c for c in columns if c.direction == "max"
    ]:
        if column.protocol.data not in seen:
            seen.add(column.protocol.data)
            best.append(column)
    costs = [c for c in columns if c.direction == "min" and any(w in c.name.lower() for w in COSTS)]
    rest = [c for c in columns if c not in best and c not in costs]
    return [*best[:3], *costs[:2], *rest][:most]
