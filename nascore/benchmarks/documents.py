"""The JSON documents of the command line about tables, as plain values; non-finite numbers are None."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.benchmarks import imports, table
from nascore.benchmarks.imports import Progress
from nascore.benchmarks.table import Table, open_table
from nascore.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

SPLITS = ("train", "validation", "test")
MOST_ROWS = 10_000


def table_list(home: Path | None = None) -> dict[str, Any]:
    """`{"tables": [{"name", "space", "rows", "metrics", "protocol", "source", ...}]}`.

    `metrics` are names; `protocol` is that of each metric by name.
    """
    return {"tables": [_summary(t) for t in table.list_tables(home)]}


def _summary(found: Table) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.about.get("title", found.name),
        "space": (found.space or {}).get("name"),
        "rows": found.rows,
        "metrics": found.metrics,
        "protocol": protocols(found, found.metrics),
        "source": found.about.get("source", ""),
        "notes": found.about.get("notes", ""),
        "shipped": bool(found.about.get("shipped")),
        "bytes": found.size_bytes,
    }


def protocols(found: Table, metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Metric -> data, split, epochs, seeds, source, and its unit and direction."""
    columns = [found.columns[m] for m in metrics]
    return {c.name: {**asdict(c.protocol), "unit": c.unit, "direction": c.direction} for c in columns}


def table_show(name: str, top: int = 5, by: str = "", home: Path | None = None) -> dict[str, Any]:
    """`{"name", "by", "direction", "rows": [{"key", "text", "choices", "metrics"}], "protocol"}`, best first.

    Args:
        name: of the table.
        top: how many rows, 1 to 10,000.
        by: the metric; empty for the table's first.
        home: where tables lie.

    Raises:
        BadInput: no such metric, or a number of rows out of range.
        NotFound: no such table.
    """
    found = open_table(name, home)
    if not 1 <= top <= MOST_ROWS:
        raise BadInput(f"top: {top} is not between 1 and {MOST_ROWS:,}")
    if not found.metrics:
        raise BadInput(f"{name} has no metrics")
    column = found.column(by or found.metrics[0])
    rows = [row_document(found, int(i)) for i in found.order(column.name)[:top]]
    return {
        "name": name,
        "space": (found.space or {}).get("name"),
        "by": column.name,
        "direction": column.direction or "max",
        "rows": rows,
        "protocol": protocols(found, found.metrics),
    }


def row_document(found: Table, row: int) -> dict[str, Any]:
    """`{"key", "text", "choices", "metrics"}` of one arch; choices are None where the space is not known."""
    values = found.frame.iloc[row]
    out: dict[str, Any] = {"key": values["key"], "text": values["text"], "choices": found.described(row)}
    if "index" in values:
        out["index"] = plain(values["index"])
    # "arch" is what `arch` and `table show --arch` take: the official string where there is one.
    return {**out, "arch": values["text"], "metrics": {m: plain(values[m]) for m in found.metrics}}


def table_show_arch(name: str, arch: str, home: Path | None = None) -> dict[str, Any]:
    """`{"name", "key", "choices", "metrics", "runs": [{"data", "split", "seed", "epochs", ...}], "rank"}`.

    A training gives one entry a split (train, validation, test) with that split's values, and one with the
    split "" for what belongs to none. `rank` is metric -> {"rank", "of"}.

    Raises:
        NotFound: no such table, or the table does not know the arch.
        BadInput: the arch cannot be read.
    """
    found = open_table(name, home)
    row = found.find(arch)
    document = row_document(found, row)
    key = document["key"]
    ranks = {m: dict(zip(("rank", "of"), found.rank(key, m), strict=True)) for m in found.metrics}
    return {
        "name": name,
        **document,
        "runs": _runs(found, key),
        "rank": ranks,
        "protocol": protocols(found, found.metrics),
    }


def _runs(found: Table, key: str) -> list[dict[str, Any]]:
    frame = found.runs(key)
    out = []
    for values in frame.to_dict("records"):
        where = {n: plain(values.get(n)) for n in ("data", "seed", "epochs")}
        by_split: dict[str, dict[str, Any]] = {}
        for name, value in values.items():
            if (
                str(name) in ("row", "key", "data", "split", "seed", "epochs")
                or (value := plain(value)) is None
            ):
                continue
            front, _, rest = str(name).partition("_")
            is_split = front in SPLITS and rest not in ("seconds", "")
            by_split.setdefault(front if is_split else "", {})[rest if is_split else str(name)] = value
        given = values.get("split")
        for split, some in by_split.items():
            out.append(
                {
                    "data": where["data"],
                    "split": given or split,
                    **{n: where[n] for n in ("seed", "epochs")},
                    **some,
                }
            )
    return out


def table_import(
    path: str,
    name: str,
    home: Path | None = None,
    mapping: Mapping[str, Any] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> dict[str, Any]:
    """`{"name", "rows", "skipped", "reasons", "seconds", "format", "missing", "resumed"}`."""
    report = imports.import_path(path, name, home, mapping, on_progress=on_progress, should_stop=should_stop)
    return asdict(report)


def table_export(name: str, file: str, format: str = "", home: Path | None = None) -> dict[str, Any]:
    """`{"name", "exported", "format", "rows"}`; the format is by default the file's ending."""
    target = Path(file).expanduser()
    kind = format or target.suffix.removeprefix(".")
    return {
        "name": name,
        "exported": str(target),
        "format": kind,
        "rows": table.export(name, target, kind, home),
    }


def table_delete(name: str, home: Path | None = None) -> dict[str, Any]:
    """`{"deleted": name}`."""
    table.delete(name, home)
    return {"deleted": name}


def asked(sql: str, home: Path | None = None) -> dict[str, pd.DataFrame]:
    """The tables whose names stand in a query, as `NAME`, `NAME_runs` and `NAME_curves`."""
    words = set(re.findall(r"[a-z0-9_-]+", sql.lower()))
    found: dict[str, pd.DataFrame] = {}
    for one in table.list_tables(home):
        if one.name in words:
            found[one.name] = one.frame
        for part in ("runs", "curves"):
            if f"{one.name}_{part}" in words and one.has(part):
                found[f"{one.name}_{part}"] = one.whole(part)
    return found


def plain(value: Any) -> Any:
    """A cell as JSON has it."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, str | int | float | bool) else str(value)
