"""Judges by looking an architecture up in a benchmark table: minutes of training in microseconds.

A simulated clock runs along: `spent["simulated_seconds"]` is what the training took when the table was made,
so a budget of simulated seconds ends a search where it would have ended in earnest.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import Column, Table, check_name, open_table, places
from nascore.errors import BadInput, NotFound, NotSupported, OutOfBudget
from nascore.events import Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator, knob
from nascore.space import Arch

if TYPE_CHECKING:
    from nascore.problem import Problem

CLOCK = "simulated_seconds"
FREE = ("params", "flops")
UNKNOWN = "the table does not know this architecture"
MOST_CURVES = 64 << 20  # bytes of a file of curves that is read whole


@dataclass(frozen=True)
class Tabular(Evaluator):
    """Looks answers up in a benchmark table; a budget of simulated seconds counts what training took there.

    `error` is made of one accuracy (or error) of the table. Its other metrics of the same data are given
    under their own names; those on test data are given too, but nobody may choose by them, unless the table
    has no other.
    """

    table: str = knob("nasbench_digits", help="name of the table that is asked", of="table")
    metric: str = knob("", help="accuracy that is searched for; empty for the first on validation data")
    epochs: int = knob(0, 0, 100_000, "look up how it stood after so many epochs; 0 for the end")

    @property
    def key(self) -> str:
        """Table, metric and epochs: `tabular:nasbench_digits`, `tabular:nats/cifar10_val@12`."""
        metric, epochs = f"/{self.metric}" if self.metric else "", f"@{self.epochs}" if self.epochs else ""
        return f"tabular:{self.table}{metric}{epochs}"

    @property
    def simulates(self) -> bool:
        """It has a clock of its own, which a budget may limit."""
        return True

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """That of the table's metric."""
        source = self._source()
        said = source.column.protocol if source.column else EvaluationProtocol("", "", 0, "", "")
        return replace(said, epochs=self.epochs or said.epochs, source=f"table {self.table}")

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """What may be searched for.

        Raises:
            BadInput: there is no such table or metric, or its architectures are of another space.
        """
        source = self._source()
        _check_space(source.table, problem)
        if problem.budget.simulated_seconds and source.clock is None:
            raise BadInput(f"budget.simulated_seconds: {self.table} does not say how long training took")
        source.errors_at(self.epochs)
        held = self.withheld()
        own = [c.name for c in source.given if c.name not in held]
        return tuple(dict.fromkeys([*(["error"] if source.column else []), *FREE, *own]))

    def withheld(self) -> tuple[str, ...]:
        """Metrics of the test part: they are given, but nobody may choose by them."""
        source = self._source()
        return tuple(c.name for c in source.given if c.protocol.split == "test" and c != source.column)

    def at(self, epochs: int) -> Tabular:
        """The same judge after fewer epochs, by the table's curves or its other budgets.

        Raises:
            NotSupported: the table does not know that.
        """
        if epochs < 1:
            raise BadInput(f"epochs: {epochs} is below 1")
        other = replace(self, epochs=epochs)
        other._source().errors_at(epochs)
        return other

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """One `Tried` an arch; equals of a class that the table knows by another cell share its accuracy."""
        if not archs:
            return
        start, source = time.monotonic(), self._source()
        rows, exact = source.find(archs, problem)
        trained = source.trained(rows, archs, problem)
        given = source.rows(rows, self.epochs, trained)
        free, left = problem.costs(archs), problem.left(CLOCK)
        each = (time.monotonic() - start) / len(archs)
        for i, arch in enumerate(archs):
            found = {m: float(v[i]) for m, v in free.items()}
            if rows[i] < 0:
                yield Tried(arch, found, self.key, {"seconds": each}, failed=UNKNOWN)
                continue
            told = {m: float(v[i]) for m, v in given.items() if exact[i] or m not in source.own}
            spent = {"seconds": each, "epochs": float(source.length(self.epochs))}
            if source.clock is not None:
                took = source.seconds(rows[i], self.epochs)
                if took > left:
                    raise OutOfBudget("the budget of simulated seconds is spent")
                left -= took
                spent[CLOCK] = took
            known = {m: v for m, v in told.items() if math.isfinite(v)}
            why = "" if source.column is None or "error" in known else "the table has no value for it"
            yield Tried(arch, {**found, **known}, self.key, spent, source.curve(trained[i]), failed=why)

    def answers(self, problem: Problem) -> tuple[Table, dict[str, NDArray[np.float64]]]:
        """The table, and what it would answer of each of its architectures, metric -> (rows,).

        Raises:
            BadInput: there is no such table, or its architectures are of another space.
        """
        source = self._source()
        _check_space(source.table, problem)
        free = problem.costs(source.table.archs)
        return source.table, {**free, **source.rows(np.arange(source.table.rows), self.epochs)}

    def _source(self) -> _Source:
        try:
            for place in places():
                folder = place / check_name(self.table)
                if (file := folder / "table.json").is_file() and not folder.is_symlink():
                    return _source(folder, file.stat().st_mtime_ns, self.metric)
            open_table(self.table)  # says which there are
        except (NotFound, BadInput) as error:
            raise BadInput(f"evaluator.knobs.table: {error}") from error
        raise BadInput(f"evaluator.knobs.table: {self.table} came and went")


class _Source:
    """A table seen through one of its accuracies."""

    def __init__(self, table: Table, metric: str) -> None:
        self.table = table
        self.column = self._chosen(metric)
        self.given = [c for c in table.columns.values() if self._belongs(c)]
        self.own = {c.name for c in self.given if not c.protocol.split and not c.protocol.epochs} - {"error"}
        self.costs = {m: c for m in FREE if (c := self._cost(m))}  # as the table counts them, on its own data
        self.own |= set(self.costs)
        self.test = self._test()
        self.clock = self._clock()

    def _chosen(self, metric: str) -> Column | None:
        if metric:
            if metric not in self.table.columns:
                known = ", ".join(self.table.columns)
                raise BadInput(
                    f"evaluator.knobs.metric: {metric[:60]!r} is no metric of {self.table.name}; {known} are"
                )
            if not is_accuracy(self.table.columns[metric]):
                raise BadInput(
                    f"evaluator.knobs.metric: {metric!r} is no accuracy and no error; leave it empty and "
                    "take it as an objective"
                )
            return self.table.columns[metric]
        accuracies = [c for c in self.table.columns.values() if is_accuracy(c)]
        held = [c for c in accuracies if c.protocol.split == "validation"]
        return next(iter(held or [c for c in accuracies if c.protocol.split != "train"]), None)

    def _belongs(self, column: Column) -> bool:
        """Whether it is of the same data, or of no data set at all: a device, a cost."""
        others = {c.protocol.data for c in self.table.columns.values() if c.protocol.split}
        data = column.protocol.data
        return self.column is None or data not in others or same_data(data, self.column.protocol.data)

    def _test(self) -> Column | None:
        """The test accuracy that belongs to the metric: of the longest training, preferably on its data."""
        if self.column is None:
            return None
        here = self.column.protocol
        found = [c for c in self.given if is_accuracy(c) and c.protocol.split == "test"]

        def fits(c: Column) -> tuple[bool, int, bool]:
            return "noise" not in c.name, c.protocol.epochs, c.protocol.data == here.data

        return max(found, key=fits, default=None)

    def _clock(self) -> Column | None:
        """Training seconds: of the same data and length where there is a choice."""
        here = self.column.protocol if self.column else None
        times = [c for c in self.given if c.unit == "s" and "train" in c.name.lower()]
        if here is None:
            return next(iter(times), None)
        return max(
            times,
            key=lambda c: (c.protocol.data == here.data, c.protocol.epochs == here.epochs),
            default=None,
        )

    def _cost(self, name: str) -> Column | None:
        """The column of parameters or multiply-adds."""
        names = re.compile(rf"(.*_)?{name}(_m)?")
        found = [c for c in self.given if names.fullmatch(c.name)]
        return next((c for c in found if c.unit in ("", "M")), None)

    def find(self, archs: Sequence[Arch], problem: Problem) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(n,) rows, -1 where not known, and whether it is the arch itself and not an equal."""
        rows = self.table.lookup(archs)
        exact = rows >= 0
        if not exact.all():
            twins = self.table.lookup([problem.space.canonical(tuple(a)) for a in archs])
            rows = np.where(exact, rows, twins)
        return rows, exact

    def trained(self, rows: NDArray[np.int64], archs: Sequence[Arch], problem: Problem) -> NDArray[np.int64]:
        """(n,) rows that have the curves: equal networks were trained once, as their representative."""
        if self.curves is None or np.isfinite(self.curves[rows, 0]).all():
            return rows
        twins = self.table.lookup([problem.space.canonical(tuple(a)) for a in archs])
        return np.where(np.isfinite(self.curves[rows, 0]) | (twins < 0), rows, twins)

    def rows(
        self, rows: NDArray[np.int64], epochs: int, trained: NDArray[np.int64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Metrics of rows (n,), (n,) each; shares of one where the name says error or accuracy.

        Of a shorter training the error is that of the row that was trained.
        """
        out = {c.name: self._values(c)[rows] for c in self.given}
        for name, column in self.costs.items():
            out[name] = self._values(column)[rows] * (1e6 if column.unit == "M" else 1.0)
        if self.test is not None:
            out["test_error"] = self._errors(self.test)[rows]
        if self.column is not None:
            errors = self.errors_at(epochs)
            known = np.isfinite(errors[rows]) if trained is not None else np.ones(len(rows), bool)
            out["error"] = np.where(known, errors[rows], errors[rows if trained is None else trained])
        return out

    def _values(self, column: Column) -> NDArray[np.float64]:
        values = self._all.get(column.name)
        if values is None:
            values = self.table.values(column.name)
            if column.unit == "%" and column.name.rpartition("_")[2] in ("error", "accuracy"):
                values = values / 100
            self._all[column.name] = values
        return values

    @cached_property
    def _all(self) -> dict[str, NDArray[np.float64]]:
        return {}

    def _errors(self, column: Column) -> NDArray[np.float64]:
        """(rows,) shares of one."""
        return share(self.table.values(column.name), column)

    def errors_at(self, epochs: int) -> NDArray[np.float64]:
        """(rows,) errors after so many epochs, 0 for the end.

        Raises:
            NotSupported: neither a column nor a curve knows them.
        """
        if self.column is None:
            if epochs:
                raise NotSupported(f"{self.table.name} has no accuracy, so it knows no shorter training")
            return np.full(self.table.rows, math.nan)
        if epochs not in self._at:
            self._at[epochs] = self._after(epochs)
        return self._at[epochs]

    @cached_property
    def _at(self) -> dict[int, NDArray[np.float64]]:
        return {}

    def _after(self, epochs: int) -> NDArray[np.float64]:
        assert self.column is not None  # noqa: S101 -- the caller has looked
        here = self.column.protocol
        if epochs in (0, here.epochs):
            return self._errors(self.column)
        for column in self.given:
            said = column.protocol
            if is_accuracy(column) and (said.split, said.data, said.epochs) == (
                here.split,
                here.data,
                epochs,
            ):
                return self._errors(column)
        if self.curves is not None and epochs <= self.curves.shape[1]:
            return self.curves[:, epochs - 1]
        raise NotSupported(
            f"{self.table.name} does not say how {self.column.name} stood after {epochs} epochs"
        )

    @cached_property
    def curves(self) -> NDArray[np.float64] | None:
        """(rows, epochs) mean error over the seeds; None where there are no curves of the metric."""
        file = self.table.folder / "curves.parquet"
        if self.column is None or not file.is_file() or file.stat().st_size > MOST_CURVES:
            return None
        import pyarrow.parquet as pq

        here, split = self.column.protocol, self.column.protocol.split
        starts = [f"{split}_", *(["val_", ""] * (split == "validation"))]
        names = [f"{s}{m}" for s in starts for m in ("accuracy", "error")]
        asked = [("metric", "in", names), *([("data", "=", here.data)] if here.data else [])]
        asked += [("epochs", "=", here.epochs)] if here.epochs else []
        frame = pq.read_table(file, columns=["row", "metric", "values"], filters=asked).to_pandas()
        frame = frame[frame["metric"] == frame["metric"].iloc[0]] if len(frame) else frame
        lengths = frame["values"].str.len()
        if not len(frame) or lengths.min() != lengths.max():
            return None
        found = np.stack(frame["values"].to_list()).astype(np.float64)
        kind = replace(self.column, direction="max" if "accuracy" in frame["metric"].iloc[0] else "min")
        return _means(frame["row"].to_numpy(), share(found, kind), self.table.rows)

    def curve(self, row: int) -> dict[str, tuple[float, ...]]:
        """The error after each epoch, where it is known."""
        if self.curves is None or not np.isfinite(self.curves[row]).all():
            return {}
        return {"error": tuple(self.curves[row].tolist())}

    def length(self, epochs: int) -> int:
        """Epochs that an answer stands for."""
        return epochs or (self.column.protocol.epochs if self.column else 0)

    def seconds(self, row: int, epochs: int) -> float:
        """What the training took; a part of it for fewer epochs, 0 where that is not known."""
        assert self.clock is not None  # noqa: S101 -- the caller has looked
        took, whole = float(self._values(self.clock)[row]), self.clock.protocol.epochs
        asked = self.length(epochs)
        took = took * asked / whole if whole and asked else took
        return took if math.isfinite(took) else 0.0


def _means(rows: NDArray[np.int64], values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """(n, epochs) means of values (m, epochs) that belong to the same row; NaN where there are none."""
    total, count = np.zeros((n, values.shape[1])), np.zeros((n, 1))
    np.add.at(total, rows, values)
    np.add.at(count, rows, 1.0)
    with np.errstate(invalid="ignore"):
        return total / np.where(count, count, math.nan)


@lru_cache(maxsize=4)
def _source(folder: Path, changed: int, metric: str) -> _Source:
    """One table stays open; `changed` tells when it is another one."""
    return _Source(Table(folder), metric)


def is_accuracy(column: Column) -> bool:
    """Whether an error as a share of one can be made of it."""
    name = column.name.lower()
    return ("acc" in name and column.direction == "max") or ("error" in name and column.direction == "min")


def share(values: NDArray[np.float64], column: Column) -> NDArray[np.float64]:
    """Errors as shares of one, of accuracies or errors in the column's unit."""
    scaled = values / 100 if column.unit == "%" else values
    return 1 - scaled if column.direction == "max" else scaled


def same_data(one: str, other: str) -> bool:
    """Whether two names mean one data set, perhaps cut differently (`cifar10-valid`)."""
    return one.removesuffix("-valid") == other.removesuffix("-valid")


def _check_space(table: Table, problem: Problem) -> None:
    """The table's choices are the space's.

    Raises:
        BadInput: they are not.
    """
    name = (table.space or {}).get("name") or "a space that is not known here"
    own, its = [(c.name, c.options) for c in problem.space.choices()], table.choices
    if own != [(c.name, c.options) for c in its]:
        raise BadInput(f"space: the architectures of {table.name} are of {name}; choose that space")
