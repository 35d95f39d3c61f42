"""Which archs of a table are asked for, as one line of text that fits into an address.

`edge_1_0=skip_connect|nor_conv_3x3;test_accuracy=90..94;~conv_3x3` keeps archs with one of two options on an
edge, with a metric in a range, and with a text in their key or official string. All parts must hold.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import reduce
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import Table

Mask = NDArray[np.bool_]
SAFE = " +~_-.,/()"
LONGEST = 4000


@dataclass(frozen=True)
class Where:
    """Filters.

    Attributes:
        options: choice -> options of which one must stand there.
        ranges: metric -> (least, largest); an end may be infinite.
        text: must be in the key, the official string, or be the official index.
    """

    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.options or self.ranges or self.text)

    def __len__(self) -> int:
        return len(self.options) + len(self.ranges) + bool(self.text)

    def line(self) -> str:
        """As it stands in an address."""
        parts = [f"{_quoted(c)}={'|'.join(map(_quoted, o))}" for c, o in self.options.items()]
        parts += [f"{_quoted(m)}={_number(a)}..{_number(b)}" for m, (a, b) in self.ranges.items()]
        return ";".join([*parts, *([f"~{_quoted(self.text)}"] if self.text else [])])

    def parts(self) -> list[tuple[str, Where]]:
        """Each filter alone, with what it is on."""
        out = [(c, Where({c: o})) for c, o in self.options.items()]
        out += [(m, Where({}, {m: r})) for m, r in self.ranges.items()]
        return [*out, *([("text", Where({}, {}, self.text))] if self.text else [])]


def _quoted(text: str) -> str:
    return quote(text, safe=SAFE).replace("..", "%2E%2E")


def _number(value: float) -> str:
    return f"{value:.7g}" if math.isfinite(value) else ""


def read(line: str, table: Table) -> Where:
    """The filters of an address; what does not fit the table is no filter, since anybody may type there."""
    options: dict[str, tuple[str, ...]] = {}
    ranges: dict[str, tuple[float, float]] = {}
    text = ""
    known = {c.name: [str(o) for o in c.options] for c in table.choices}
    for part in line[:LONGEST].split(";"):
        if part.startswith("~"):
            text = unquote(part[1:])[:200]
            continue
        name, _, value = part.partition("=")
        name = unquote(name)
        if name in known:
            wanted = [unquote(v) for v in value.split("|")]
            if kept := tuple(o for o in known[name] if o in wanted):
                options[name] = kept
        elif name in table.columns and (found := _range(value)):
            ranges[name] = found
    return Where(options, ranges, text)


def _range(value: str) -> tuple[float, float] | None:
    low, dots, high = value.partition("..")
    try:
        found = (float(low) if low else -math.inf, float(high) if high else math.inf)
    except ValueError:
        return None
    return found if dots and not any(map(math.isnan, found)) and found[0] <= found[1] else None


def mask(where: Where, table: Table) -> Mask:
    """(rows,) which archs fit."""
    found = [_has(table, c, options) for c, options in where.options.items()]
    for metric, (low, high) in where.ranges.items():
        values = table.values(metric)
        found.append((values >= low) & (values <= high))
    if where.text:
        found.append(_says(table, where.text))
    return reduce(np.logical_and, found, np.ones(table.rows, bool))


def _has(table: Table, name: str, options: tuple[str, ...]) -> Mask:
    i = [c.name for c in table.choices].index(name)
    said = [str(o) for o in table.choices[i].options]
    return np.isin(table.archs[:, i], [said.index(o) for o in options])


def _says(table: Table, text: str) -> Mask:
    frame = table.frame
    found = frame["key"].str.contains(text, case=False, regex=False) | frame["text"].str.contains(
        text, case=False, regex=False
    )
    if "index" in frame and text.isdecimal() and len(text) < 10:
        found = (frame["index"] == int(text)) | frame["key"].eq(text)
    return found.to_numpy(dtype=bool)


def to_blame(where: Where, table: Table) -> str:
    """The filter without which most would fit again, where all together leave nothing; empty for none."""
    best, name = 0, ""
    for what, one in where.parts():
        others = Where(
            {c: o for c, o in where.options.items() if c not in one.options},
            {m: r for m, r in where.ranges.items() if m not in one.ranges},
            "" if one.text else where.text,
        )
        left = int(mask(others, table).sum())
        if left > best:
            best, name = left, what
    return name
