"""What a table says beyond its rows: marginal means, seed noise, a map of its archs, ranks, neighbors.

Plain numpy on whole tables, so that a page can ask again after each filter.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import Table
from nascore.pareto import front
from nascore.space import Archs

Values = NDArray[np.float64]
Rows = NDArray[np.int64]
TIED = 1e-6  # shares of variance closer than this count as equal
RUN_KEYS = ("row", "key", "data", "split", "seed", "epochs")


@dataclass(frozen=True)
class Effects:
    """Marginal means: choices down, options across; NaN where nothing stands.

    Attributes:
        choices, options: names of rows and columns.
        difference: mean of the archs with this option, minus the mean of all.
        low, high: 95 % interval of the difference.
        mean: of the archs with this option.
        count: how many they are.
        all_mean: of all archs asked for.
    """

    choices: tuple[str, ...]
    options: tuple[str, ...]
    difference: Values
    low: Values
    high: Values
    mean: Values
    count: Rows
    all_mean: float


def effects(table: Table, values: Values, chosen: NDArray[np.bool_]) -> Effects:
    """What an option does: the mean of the chosen archs that have it, against the mean of all chosen.

    Args:
        table: its choices give rows and columns.
        values: (rows,) a metric; archs without a value are left out.
        chosen: (rows,) which archs count.

    The interval is that of two samples with unequal variances (Welch), normal; those with the option are part
    of all, so it is narrowed by the share of the others. A whole space is no sample: there it says how far a
    sample of this size would scatter.
    """
    names = tuple(dict.fromkeys(str(o) for c in table.choices for o in c.options))
    use = chosen & np.isfinite(values)
    y, archs = values[use], table.archs[use]
    shape = (len(table.choices), len(names))
    mean, half, count = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.int64)
    total, square = float(y.sum()), float((y**2).sum())
    for i, choice in enumerate(table.choices):
        known = archs[:, i] >= 0
        n = np.bincount(archs[known, i], minlength=len(choice.options))
        s = np.bincount(archs[known, i], y[known], minlength=len(choice.options))
        q = np.bincount(archs[known, i], y[known] ** 2, minlength=len(choice.options))
        at = [names.index(str(o)) for o in choice.options]
        with np.errstate(divide="ignore", invalid="ignore"):
            here, there = _spread(n, s, q), _spread(len(y) - n, total - s, square - q)
            mean[i, at] = np.where(n > 0, s / n, np.nan)
            half[i, at] = 1.96 * (1 - n / len(y)) * np.sqrt(here + np.nan_to_num(there))
        count[i, at] = n
    all_mean = float(y.mean()) if len(y) else float("nan")
    gap = mean - all_mean
    return Effects(
        tuple(c.name for c in table.choices), names, gap, gap - half, gap + half, mean, count, all_mean
    )


def _spread(n: NDArray[Any], total: NDArray[Any], square: NDArray[Any]) -> Values:
    """Squared standard errors of means from counts, sums and sums of squares; NaN below two values."""
    variance = np.maximum(square - total**2 / n, 0) / (n - 1)
    return np.where(n > 1, variance / n, np.nan)


def one_hot(archs: Archs, sizes: list[int]) -> Values:
    """(n, sum of sizes) one column an option. Squared distances are twice the number of differing choices."""
    return np.concatenate([archs[:, [i]] == np.arange(n) for i, n in enumerate(sizes)], 1).astype(np.float32)


@dataclass(frozen=True)
class Map:
    """Places of all archs in a plane.

    Attributes:
        places: (rows, 2).
        share: of the squared distances that the plane keeps, 0 to 1.
        tied: how many directions would have kept as much as those shown; 2 where there was no choice.
    """

    places: Values
    share: float
    tied: int


def plane(code: Values, toward: Values) -> Map:
    """Classical scaling of codes (rows, features) to two dimensions, which are their principal components.

    A whole space is symmetric, so many directions keep equally much. Among those, the first is turned
    toward `toward` (rows,), a metric, and the second toward its square: that costs no distance and makes the
    map readable.
    """
    centered = code - code.mean(0, dtype=np.float64)
    value, vector = np.linalg.eigh(centered.T @ centered / max(len(code), 1))
    value, vector = value[::-1], vector[:, ::-1]
    total = float(value.sum()) or 1.0
    scores = (
        centered @ vector[:, : max(2, int((value >= value[min(1, len(value) - 1)] - TIED * total).sum()))]
    )
    if scores.shape[1] < 2:
        scores = np.column_stack([scores, np.zeros(len(scores))])
    tied, share = scores.shape[1], float(value[:2].sum()) / total
    if tied > 2:
        scores = _turned(scores, value[:tied], toward, TIED * total)
    return Map(np.asarray(scores[:, :2], np.float64), share, tied)


def _turned(scores: Values, value: Values, toward: Values, near: float) -> Values:
    """Two directions out of equally good ones; a first one that is better than the others stays."""
    fixed = 1 if value[0] - value[1] > near else 0
    kept, free = scores[:, :fixed], scores[:, fixed:].astype(np.float64)
    y = np.nan_to_num(toward, nan=float(np.nanmean(toward)) if np.isfinite(toward).any() else 0.0)
    y = (y - y.mean()) / (y.std() or 1.0)
    first = _direction(free, y, np.zeros(free.shape[1]))
    if fixed:
        return np.column_stack([kept, free @ first])
    second = _direction(free, y**2 - (y**2).mean(), first)
    return np.column_stack([free @ first, free @ second])


def _direction(scores: Values, y: Values, other: Values) -> Values:
    """Unit vector across `other` along which scores follow y most; an axis where they do not follow."""
    found = _across(scores.T @ y, other)
    if np.linalg.norm(found) < 1e-9 * len(y):
        axes = np.eye(len(other))
        found = _across(axes[int(np.abs(other).argmin())], other)
    return found / np.linalg.norm(found)


def _across(vector: Values, other: Values) -> Values:
    """The part of a vector at a right angle to a unit vector, or to zero."""
    return vector - other * (other @ vector)


def seed_noise(table: Table, metric: str, data: str, epochs: int) -> Any:
    """A frame of row, mean, sd, low, high and n: how a metric differs between the trainings of each arch."""
    import pandas as pd
    import pyarrow.parquet as pq

    if not table.has("runs"):
        return pd.DataFrame({n: [] for n in ("row", "mean", "sd", "low", "high", "n")})
    filters = [("data", "=", data), ("epochs", "=", epochs)]
    found = pq.read_table(table.folder / "runs.parquet", columns=["row", metric], filters=filters).to_pandas()
    groups = found.dropna().groupby("row")[metric]
    out = groups.agg(["mean", "std", "min", "max", "count"]).reset_index()
    return out.set_axis(["row", "mean", "sd", "low", "high", "n"], axis=1)


def trainings(table: Table) -> tuple[list[str], list[tuple[str, int]]]:
    """(metrics, (data, epochs) pairs) of the single trainings of a table; empty without any."""
    import pyarrow.parquet as pq
    import pyarrow.types as kinds

    if not table.has("runs"):
        return [], []
    file = table.folder / "runs.parquet"
    schema = pq.read_schema(file)
    numeric = [
        f.name
        for f in schema
        if f.name not in RUN_KEYS and (kinds.is_floating(f.type) or kinds.is_integer(f.type))
    ]
    some = pq.read_table(file, columns=["data", "epochs"])
    pairs = some.group_by(["data", "epochs"]).aggregate([]).to_pylist()
    return numeric, sorted((str(p["data"]), int(p["epochs"])) for p in pairs)


def pareto(table: Table, x: str, y: str, chosen: NDArray[np.bool_] | None = None) -> Rows:
    """Rows on the front of two metrics, by their directions; one without direction is to be small."""
    signs = [-1.0 if table.columns[m].direction == "max" else 1.0 for m in (x, y)]
    points = np.stack([table.values(m) * s for m, s in zip((x, y), signs, strict=True)], 1)
    if chosen is not None:
        points = np.where(chosen[:, None], points, np.nan)
    found = front(points)
    # Of equal points one is enough to draw a line.
    return found[np.unique(points[found], axis=0, return_index=True)[1]]


def ranks(table: Table, row: int) -> list[tuple[str, float, int, int, float]]:
    """(metric, value, rank, of, percentile) of an arch on each metric that has a direction and knows it.

    Equals share the better rank. The percentile is the share of the other archs that are worse or equal.
    """
    out = []
    for name, column in table.columns.items():
        values = table.values(name)
        here = values[row]
        if not np.isfinite(here):
            continue
        known = values[np.isfinite(values)]
        if not column.direction:
            out.append((name, float(here), 0, len(known), float("nan")))
            continue
        better = int((known < here).sum() if column.direction == "min" else (known > here).sum())
        share = 100 * (1 - better / max(len(known) - 1, 1)) if len(known) > 1 else 100.0
        out.append((name, float(here), better + 1, len(known), share))
    return out


@dataclass(frozen=True)
class Density:
    """How many archs stand where in a visible part of a plane.

    Attributes:
        count: (cells across, cells up).
        x, y: middles of the cells across and up.
        inside: how many archs are visible.
    """

    count: Values
    x: Values
    y: Values
    inside: int


def visible(x: Values, y: Values, part: Sequence[float] | None) -> NDArray[np.bool_]:
    """(n,) which places lie in a part of the plane: least x, largest x, least y, largest y; None for all."""
    fine = np.isfinite(x) & np.isfinite(y)
    if part is None:
        return fine
    x0, x1, y0, y1 = part
    return fine & (x >= x0) & (x <= x1) & (y >= y0) & (y <= y1)


def density(
    x: Values, y: Values, part: Sequence[float] | None = None, *, cells: tuple[int, int] = (120, 80)
) -> Density:
    """A histogram of the visible part, as finely divided however small that is.

    Args:
        x: (n,) places across; those that are not finite stand nowhere.
        y: (n,) places up.
        part: see `visible`.
        cells: across and up.
    """
    seen = visible(x, y, part)
    limits = None if part is None else [part[:2], part[2:]]
    if not seen.any() and limits is None:
        limits = [(0.0, 1.0), (0.0, 1.0)]
    count, xs, ys = np.histogram2d(x[seen], y[seen], bins=cells, range=limits)
    return Density(count, (xs[1:] + xs[:-1]) / 2, (ys[1:] + ys[:-1]) / 2, int(seen.sum()))
