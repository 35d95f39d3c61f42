"""How a metric of a benchmark table lies on an axis, and how its values are written.

Accuracies in percent lie as minus log of the error: the crowd near the top gets room and failures stay
in sight; positive values over several sizes lie as log. A figure draws places; its ticks say values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.benchmarks.table import Column
from nascore.view import words

Form = Literal["linear", "log", "error"]
Values = NDArray[np.float64]
ACCURACIES = (
    0,
    10,
    20,
    30,
    40,
    50,
    60,
    70,
    80,
    85,
    90,
    92,
    93,
    94,
    95,
    96,
    97,
    98,
    99,
    99.5,
    99.8,
    99.9,
    100,
)
DIGITS = (1, 2, 3, 5, 7)
TICKS, FEWEST = 7, 3
WIDE = 30.0  # largest over smallest from which positive values lie as log
WHOLE = {"acc": "accuracy", "val": "validation", "valid": "validation", "flops": "multiply-adds"}
NAMES = {
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "imagenet16_120": "ImageNet16-120",
    "mnist5k": "MNIST-5k",
}


@dataclass(frozen=True)
class Axis:
    """A metric of all archs of a table.

    Attributes:
        column: name, unit, direction and protocol.
        values: (rows,) in the column's unit; NaN where there is none.
        form: how places follow from values.
        floor: smallest error in percent that is told apart; only for the form "error".
    """

    column: Column
    values: Values
    form: Form = "linear"
    floor: float = 1e-3

    def at(self, values: ArrayLike) -> Values:
        """Places of values."""
        given = np.asarray(values, dtype=np.float64)
        if self.form == "error":
            return -np.log10(np.maximum(100 - given, self.floor))
        if self.form == "log":
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.where(given > 0, np.log10(given), np.nan)
        return given

    @cached_property
    def places(self) -> Values:
        """(rows,) places of all archs; shared, so nobody changes them."""
        return self.at(self.values)

    @property
    def title(self) -> str:
        """For the axis, with its unit."""
        return label(self.column)

    def ticks(self) -> tuple[list[float], list[str]] | None:
        """Places and texts of the ticks; None where plotly's own are right."""
        if self.form == "linear":
            return None
        known = self.values[np.isfinite(self.places)]
        if not len(known):
            return None
        low, high = float(known.min()), float(known.max())
        inside = [v for v in self._candidates(low, high) if low - 1e-9 <= v <= high + 1e-9]
        kept = _apart(self.at(inside).tolist(), inside)
        if len(kept) < FEWEST:
            digits = 1 - math.floor(math.log10((high - low) or 1.0))
            kept = sorted({round(float(v), digits) for v in np.linspace(low, high, 5)})
        return self.at(kept).tolist(), [tick(v) for v in kept]

    def _candidates(self, low: float, high: float) -> list[float]:
        if self.form == "error":
            return list(ACCURACIES)
        sizes = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        return [d * 10.0**s for s in sizes for d in DIGITS]

    def write(self, value: float | None) -> str:
        """A value with its unit."""
        return amount(self.column, value)


def _apart(places: list[float], values: list[float]) -> list[float]:
    """Values whose places keep a distance, from the top down."""
    if not places:
        return []
    gap = (max(places) - min(places)) / TICKS
    kept: list[int] = []
    for i in reversed(range(len(places))):
        if not kept or places[kept[-1]] - places[i] >= gap:
            kept.append(i)
    return [values[i] for i in reversed(kept)]


def tick(value: float) -> str:
    """A round number as short as it can be said: `50`, `99.5`, `20 k`."""
    for size, letter in words.SIZES:
        if abs(value) >= size:
            return f"{value / size:.10g}{words.GAP}{letter}"
    return f"{value:.10g}"


def axis(column: Column, values: ArrayLike) -> Axis:
    """The axis that suits a metric's values (rows,)."""
    given = np.asarray(values, dtype=np.float64)
    known = given[np.isfinite(given)]
    if not len(known):
        return Axis(column, given)
    low, high = float(known.min()), float(known.max())
    if column.unit == "%" and column.direction == "max" and low >= 0 and 60 < high <= 100 and high - low > 5:
        errors = 100 - known
        return Axis(column, given, "error", max(float(errors[errors > 0].min(initial=100)) / 1.5, 1e-3))
    if column.unit not in ("%", "share") and low > 0 and high > WIDE * low:
        return Axis(column, given, "log")
    return Axis(column, given)


def named(data: str) -> str:
    """A data set as people write it."""
    return NAMES.get(data, data)


def label(column: Column) -> str:
    """What a person reads over a metric: its title with the unit."""
    title = column.title or column.name.replace("_", " ")
    for key in sorted(NAMES, key=len, reverse=True):
        if title == key or title.startswith(f"{key} "):
            title = NAMES[key] + title[len(key) :]
    title = " ".join(WHOLE.get(word.lower(), word) for word in title.split())
    if column.unit == "M":
        title = title.removesuffix(" m")
    title = title[:1].upper() + title[1:]
    unit = "" if column.unit in ("", "share") else column.unit
    return title if not unit or title.endswith(f"({unit})") else f"{title} ({unit})"


def amount(column: Column, value: float | None) -> str:
    """A value with its unit as people write it."""
    if word := words.odd(value):
        return word
    value = float(value or 0)
    match column.unit:
        case "%":
            return words.percent(value)
        case "s":
            return words.duration(value)
        case "":
            return words.compact(value) if abs(value) >= 1000 else f"{value:.4g}"
        case "share":
            return f"{value:.4f}"
    return f"{words.compact(value)}{words.GAP}{column.unit}"


def difference(column: Column, value: float) -> str:
    """The difference of two values: of percents in points."""
    if column.unit == "%":
        return words.points(value)
    sign = "+" if value >= 0 else "-"
    return sign + amount(column, abs(value))


def protocol(column: Column) -> str:
    """The protocol of a metric in the one order; empty where none is known."""
    p = column.protocol
    return words.protocol(named(p.data), p.split, p.epochs or None, p.seeds, p.source)


def differ(columns: list[Column]) -> list[str]:
    """In what the protocols of some metrics differ; what one of them leaves open is no difference."""
    found = []
    for name in ("data", "split", "epochs", "seeds", "source"):
        said = {v for c in columns if (v := getattr(c.protocol, name))}
        if len(said) > 1:
            found.append(name)
    return found
