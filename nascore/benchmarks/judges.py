"""Who may judge the archs of a table, or of anything with metrics, against a truth: scores by name.

`METRIC` is a column; `METRIC@EPOCH` its learning curve after so many epochs, mean over seeds (of the long
training, whose learning rate falls over all of it: no short training of its own); `TABLE:METRIC` and
`TABLE:METRIC@EPOCH` another table's, for the archs that both know. Directions are those that are declared;
params and multiply-adds judge as the proxies that they are there: more is better.
Equal networks share a training and would count many times, so of a class only the trained one is judged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import TRAINED_ROW, Column, Direction, Table, open_table
from nascore.errors import BadInput
from nascore.kinds import EvaluationProtocol
from nascore.space import Archs, Choice

Floats = NDArray[np.float64]
Opened = Callable[[str], Table]
SIZE = re.compile(r"(.*_)?(params|flops)(_m)?")
TRUTHS = ("test_accuracy", "val_accuracy")  # what is asked for when nothing is said, if it is there
CURVES: dict[str, Direction] = {"accuracy": "max", "score": "max", "error": "min", "loss": "min"}
MOST_BYTES = 300_000_000  # of curves; more would take too long for a page


@dataclass(frozen=True)
class Scores:
    """What one evaluator says of the archs of a court.

    Attributes:
        name: as it is asked for.
        values: (n,) in the column's unit; NaN where it says nothing.
        column: title, unit and protocol; its direction is that of the evaluator.
        seconds: what one arch cost it, mean over archs; None where nobody has measured that.
        clock: where the seconds come from, for people.
        shares: it comes from the very trainings of the truth, and so knows their noise.
    """

    name: str
    values: Floats
    column: Column
    seconds: float | None = None
    clock: str = ""
    shares: bool = False

    @property
    def turned(self) -> Floats:
        """(n,) with higher as better."""
        return self.values if self.column.direction == "max" else -self.values


@dataclass(frozen=True)
class Court:
    """Archs with metrics, of which one is the truth.

    Attributes:
        name: of the table or run.
        keys: (n,) of the archs.
        columns: metric -> what it is.
        read: metric -> (n,) values.
        choices: of the space, empty where it is not known.
        archs: (n, choices) option indices, or None.
        curve: (metric, its column if it has one) -> (n, epochs) means, raising BadInput where there is none.
        table: the table whose trainings these are, or None.
        rows: (n,) rows there.
    """

    name: str
    keys: NDArray[Any]
    columns: Mapping[str, Column]
    read: Callable[[str], Floats]
    choices: tuple[Choice, ...] = ()
    archs: Archs | None = None
    curve: Callable[[str, Column | None], Floats] | None = None
    table: Table | None = None
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    def truth(self, metric: str) -> Scores:
        """A metric as the truth.

        Raises:
            BadInput: there is none of this name, or it has no direction.
        """
        return Scores(metric, self.read(metric), _directed(self.name, self.column(metric)))

    def column(self, metric: str) -> Column:
        """A metric's column.

        Raises:
            BadInput: there is none of this name.
        """
        if metric not in self.columns:
            raise BadInput(
                f"{metric[:80]!r} is no metric of {self.name}; there are {', '.join(self.columns)}"
            )
        return self.columns[metric]


def of_table(table: Table) -> Court:
    """A table's trained archs."""
    rows = trained(table)

    def curve(metric: str, column: Column | None) -> Floats:
        return _curve(table, metric, column)[rows]

    archs = table.archs[rows] if table.choices else None
    keys = table.frame["key"].to_numpy()[rows]
    return Court(
        table.name,
        keys,
        table.columns,
        lambda metric: table.values(metric)[rows],
        table.choices,
        archs,
        curve if table.has("curves") else None,
        table,
        rows,
    )


def trained(table: Table) -> NDArray[np.int64]:
    """The rows that were trained themselves."""
    if TRAINED_ROW not in table.frame:
        return np.arange(table.rows)
    own = table.frame[TRAINED_ROW].to_numpy()
    return np.flatnonzero(own == np.arange(table.rows))


def first_truth(court: Court) -> str:
    """The metric that is the truth where nobody says one.

    Raises:
        BadInput: no metric has a direction.
    """
    directed = [n for n, c in court.columns.items() if c.direction]
    if not directed:
        raise BadInput(f"{court.name} has no metric with a direction; none can be the truth")
    best = [n for n in directed if court.columns[n].direction == "max"]
    tested = [n for n in best if court.columns[n].protocol.split == "test"]
    return next((n for n in (*TRUTHS, *tested, *best, *directed) if n in directed), directed[0])


def judge(court: Court, name: str, truth: Column | None = None, opened: Opened = open_table) -> Scores:
    """What an evaluator says, by its name.

    Args:
        court: the archs.
        name: `METRIC`, `METRIC@EPOCH`, or one of them after `TABLE:`.
        truth: its column, to tell whether both come from the same trainings.
        opened: finds another table.

    Raises:
        BadInput: there is no such thing, or nothing says which way is better.
        NotFound: there is no such table.
    """
    if name not in court.columns and ":" in name:
        return _of_other(court, name, opened)
    metric, epoch = split(name) if name not in court.columns else (name, 0)
    if not epoch:
        column = _as_judge(court.name, court.column(metric))
        values, (seconds, clock) = court.read(metric), _seconds(court.table, column, 1.0)
    else:
        values, column, share = _after(court.name, court.curve, court.columns, metric, epoch)
        seconds, clock = _seconds(court.table, column, share)
    return Scores(name, values, column, seconds, clock, truth is not None and _same(column, truth))


def split(name: str) -> tuple[str, int]:
    """`METRIC@EPOCH` as its parts; epoch 0 where there is none.

    Raises:
        BadInput: what follows the last @ is no whole number from 1 on.
    """
    metric, at, epoch = name.rpartition("@")
    if not at:
        return name, 0
    if not epoch.isdecimal() or not 0 < int(epoch) < 1_000_000:
        raise BadInput(f"{name[:80]}: {epoch[:20]!r} is no number of epochs from 1 on")
    return metric, int(epoch)


def _of_other(court: Court, name: str, opened: Opened) -> Scores:
    """Another table's word on the archs of this court."""
    place, _, what = name.partition(":")
    other = opened(place)
    if court.archs is None or not alike(court.choices, other.choices):
        raise BadInput(
            f"{name}: {other.name} is over another space than {court.name}, so no arch can be matched"
        )
    at = other.lookup(court.archs)
    metric, epoch = split(what) if what not in other.columns else (what, 0)
    if epoch:
        curve = (lambda m, c: _curve(other, m, c)) if other.has("curves") else None
        values, column, share = _after(other.name, curve, other.columns, metric, epoch)
    else:
        values, column, share = other.values(metric), _as_judge(other.name, other.column(metric)), 1.0
    if not np.isfinite(values[at[at >= 0]]).any():
        raise BadInput(f"{name}: {other.name} knows none of the {len(at):,} architectures of {court.name}")
    return Scores(name, np.where(at >= 0, values[at], np.nan), column, *_seconds(other, column, share))


def alike(a: tuple[Choice, ...], b: tuple[Choice, ...]) -> bool:
    """Whether two spaces have the same choices, so that their archs can be matched."""
    return bool(a) and [(c.name, c.options) for c in a] == [(c.name, c.options) for c in b]


def _after(
    name: str,
    curve: Callable[[str, Column | None], Floats] | None,
    columns: Mapping[str, Column],
    metric: str,
    epoch: int,
) -> tuple[Floats, Column, float]:
    """A learning curve's values after some epochs, their column, and which share of the training that is."""
    known = columns.get(metric)
    if curve is None:
        raise BadInput(f"{metric[:80]}@{epoch}: {name} has no learning curves")
    values = curve(metric, known)
    long = values.shape[1]
    if epoch > long:
        raise BadInput(f"{metric}@{epoch}: the curves of {name} have {long} epochs")
    said = known.protocol if known else EvaluationProtocol("", "", long, "", "learning curve")
    way = known.direction if known else CURVES.get(metric.rpartition("_")[2], "")
    title = f"{known.title if known else metric.replace('_', ' ').capitalize()}, epoch {epoch}"
    unit = known.unit if known else ("%" if metric.endswith("accuracy") else "")
    column = Column(f"{metric}@{epoch}", title, unit, way, said)
    return values[:, epoch - 1], _directed(name, column), epoch / long


def _directed(name: str, column: Column) -> Column:
    if not column.direction:
        raise BadInput(f"{column.name}: {name} does not say whether higher or lower is better")
    return column


def _as_judge(name: str, column: Column) -> Column:
    """The column as an evaluator: of sizes, more is better."""
    if SIZE.fullmatch(column.name):
        return Column(column.name, column.title, column.unit, "max", column.protocol)
    return _directed(name, column)


def _same(a: Column, b: Column) -> bool:
    """Whether two columns of a table come from the same trainings."""
    one, two = a.protocol, b.protocol
    return one.epochs > 0 and (one.data, one.epochs, one.seeds) == (two.data, two.epochs, two.seeds)


def _seconds(table: Table | None, column: Column, share: float) -> tuple[float | None, str]:
    """Measured seconds an arch and their source; None where there is no measurement."""
    if table is None:
        return None, ""
    measured = table.about.get("seconds_per_arch")
    if isinstance(measured, dict) and isinstance(found := measured.get(column.name), int | float):
        return float(found), f"measured on {table.about.get('machine', 'the machine that made the table')}"
    if (clock := table.columns.get(f"{column.name}_seconds")) and clock.unit == "s":
        return _mean(table, clock), _title(clock)
    said = column.protocol
    times = [
        c
        for c in table.columns.values()
        if c.unit == "s"
        and "train" in c.name
        and (c.protocol.data, c.protocol.epochs) == (said.data, said.epochs)
    ]
    many = re.search(r"\d+", said.seeds)
    if not said.epochs or not times or not many:
        return None, ""
    one, seeds = _mean(table, times[0]), int(many[0])
    if one is None:
        return None, ""
    part = "" if share == 1 else f", {100 * share:.0f} % of the epochs"
    return one * seeds * share, f"{seeds} training{'s' * (seeds != 1)}{part}"


def _title(column: Column) -> str:
    """A column of seconds in words."""
    return column.title or column.name.replace("_", " ")


def _mean(table: Table, column: Column) -> float | None:
    """Over the trained archs."""
    values = table.values(column.name)[trained(table)]
    return float(np.nanmean(values)) if np.isfinite(values).any() else None


def _raw(column_name: str, names: list[str]) -> str:
    """The name that a metric has inside a table: `cifar10_val_accuracy` is `val_accuracy` there; or empty."""
    fits = [n for n in names if n == column_name or column_name.endswith(f"_{n}")]
    return max(fits, key=len, default="")


def _curve(table: Table, metric: str, column: Column | None) -> Floats:
    """(rows, epochs) mean over seeds; equal networks have that of the trained one."""
    said = (column.protocol.data, column.protocol.epochs) if column else ("", 0)
    file = table.folder / "curves.parquet"
    means = _read_curve(str(file), file.stat().st_mtime_ns, metric, *said, table.rows)
    if TRAINED_ROW in table.frame:
        means = means[table.frame[TRAINED_ROW].to_numpy()]
    return means


@lru_cache(maxsize=8)
def _read_curve(file: str, changed: int, metric: str, data: str, epochs: int, rows: int) -> Floats:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    if Path(file).stat().st_size > MOST_BYTES:
        raise BadInput(
            f"{metric}: the learning curves take {Path(file).stat().st_size / 1e6:,.0f} MB, too many"
        )
    names = pc.unique(pq.read_table(file, columns=["metric"])["metric"]).to_pylist()  # pyright: ignore
    raw = _raw(metric, names)
    if not raw:
        raise BadInput(f"{metric[:80]!r} has no learning curve; there are {', '.join(sorted(names))}")
    asked = [
        ("metric", "=", raw),
        *([("data", "=", data)] * bool(data)),
        *([("epochs", "=", epochs)] * bool(epochs)),
    ]
    found = pq.read_table(file, columns=["row", "values"], filters=asked)
    lengths = pc.unique(pc.list_value_length(found["values"])).to_pylist()  # pyright: ignore
    if len(lengths) != 1 or not lengths[0]:
        raise BadInput(f"{metric}: its learning curves have {len(lengths)} different lengths")
    flat: Any = found["values"].combine_chunks().flatten()
    values = flat.to_numpy(zero_copy_only=False).reshape(-1, lengths[0]).astype(np.float64)
    return _means(found["row"].to_numpy(), values, rows)


def _means(at: NDArray[Any], values: Floats, rows: int) -> Floats:
    """(rows, epochs) means of the values (m, epochs) of each row; NaN where there are none.

    Rounded to single precision, as tables keep numbers: else the order of summing would break ties.
    """
    many = np.bincount(at, minlength=rows)
    sums = np.stack([np.bincount(at, v, rows) for v in values.T], 1)
    found = np.where(many[:, None] > 0, sums / np.maximum(many, 1)[:, None], np.nan)
    return found.astype(np.float32).astype(np.float64)


def curves_of(table: Table) -> dict[str, int]:
    """Metrics that may be asked for after so many epochs -> how many there are; columns before others."""
    import pyarrow.parquet as pq

    if not table.has("curves"):
        return {}
    found = pq.read_table(table.folder / "curves.parquet", columns=["metric", "epochs"])
    kinds = found.group_by(["metric", "epochs"]).aggregate([]).to_pylist()
    raw = {str(k["metric"]): int(k["epochs"]) for k in kinds}
    out = {
        c.name: c.protocol.epochs
        for c in table.columns.values()
        if c.direction and c.protocol.epochs and _raw(c.name, list(raw))
    }
    return out | {n: e for n, e in raw.items() if n not in out and CURVES.get(n.rpartition("_")[2])}


def trainings(court: Court, truth: Column) -> Floats | None:
    """(n, seeds) the single trainings whose mean the truth is; None where the table does not have them."""
    import pyarrow.parquet as pq

    table, said = court.table, truth.protocol
    if table is None or not table.has("runs") or not said.epochs:
        return None
    file = table.folder / "runs.parquet"
    schema = set(pq.read_schema(file).names)
    raw = _raw(truth.name, sorted(schema))
    if not raw or not {"row", "seed", "epochs", "data"} <= schema:
        return None
    asked = [("epochs", "=", said.epochs), *([("data", "=", said.data)] * bool(said.data))]
    found = pq.read_table(file, columns=["row", "seed", raw], filters=asked)
    seeds, at = np.unique(found["seed"].to_numpy(), return_inverse=True)
    if len(seeds) < 2:
        return None
    out = np.full((table.rows, len(seeds)), np.nan)
    out[found["row"].to_numpy(), at] = found[raw].to_numpy()
    return out[court.rows] if _is_mean(out[court.rows], court.read(truth.name)) else None


def _is_mean(values: Floats, truth: Floats) -> bool:
    """Whether these trainings are those behind the truth: their means are its values."""
    full = np.isfinite(values).all(1) & np.isfinite(truth)
    return bool(full.any()) and np.allclose(values[full].mean(1), truth[full], rtol=1e-4, atol=1e-6)
