"""Any CSV or Parquet table (or a torch list of records): which column is the arch, which are metrics.

The mapping says so, and what it leaves out is guessed from the columns:
  arch     column, or a list of columns that together make an arch
  format   official (the space's text) | key | choices (JSON) | columns (options or their numbers, one a
           choice) | nats_index (official index of NAS-Bench-201) | text (a name and nothing more)
  space    name of a space whose defaults are meant
  data     column(s) that part the rows: data set, device, task; each value gets metrics of its own
  seed, epochs, index   columns; with seed or epochs a row is one training and metrics are means
  epoch    column; a row is one epoch, metrics become curves and their last value
  metrics  list of columns, or column -> {name, title, direction, unit, data, split, epochs}
  source   who measured it

A missing number (empty, NaN, infinite) stays missing and is counted; a word where a number is due is refused
with its row and column. Of rows with the same arch and data the first stays, the others are counted.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from nascore.benchmarks.mapping import FORMATS as FORMATS
from nascore.benchmarks.mapping import Reading, numbers, settle, word
from nascore.benchmarks.piece import Held, Piece, Source, guess, metric, official_order, slug, split_of, words
from nascore.benchmarks.table import Column
from nascore.errors import AppError, BadInput
from nascore.space import Space, from_choices, keys, parse

Frame = Any  # a pandas frame or column; pandas' own annotations do not follow what columns hold
FORMAT = "flat"
ROWS = 20_000
MAX_FIELD = 1 << 20


def sniff(held: Held) -> bool:
    """Parquet, text with a header, or a list of records in a torch file."""
    if held.kind in ("parquet", "text"):
        return True
    found = held.object
    return isinstance(found, list) and bool(found) and all(isinstance(r, dict) for r in found[:50])


def source(held: Held, space: Space | None = None) -> Source:
    """The file under its mapping or, where that says nothing, a guess."""
    first = next(frames(held, 0), None)
    if first is None:
        raise BadInput(f"{held.name}: there is a header but no row")
    mapping = settle(first[2], held, held.mapping or {}, space)
    origin = mapping.source or held.name
    about = f"read as: {', '.join(mapping.arch)} is the architecture ({mapping.format})"
    return Source(
        FORMAT,
        f"Table {held.name}",
        origin,
        mapping.space,
        partial(_read, held, mapping),
        partial(column, mapping, _largest(first[2], mapping), origin),
        notes=about
        + (f"; rows parted by {', '.join(mapping.data)}" if mapping.data else "")
        + _open_end(held),
    )


def _open_end(held: Held) -> str:
    """A remark where the last line of a text has no end: it may be whole, or the file cut off in it."""
    if held.kind != "text":
        return ""
    with held.path.open("rb") as file:
        file.seek(-1, 2)
        return "" if file.read(1) in b"\r\n" else "; the last line has no end: the file may be cut off there"


def _largest(frame: Frame, mapping: Reading) -> dict[str, float]:
    """Largest absolute value of each metric in the first rows: tells shares from percent."""
    found = {m: numbers(frame[m], m, 0)[0] for m in mapping.metrics}
    return {m: float(np.nanmax(np.abs(v))) if np.isfinite(v).any() else 0.0 for m, v in found.items()}


def column(
    mapping: Reading, largest: Mapping[str, float], origin: str, data: str, name: str, epochs: int
) -> Column | None:
    """The name in the file, data set in front and epochs behind where the rows are parted by them."""
    about = mapping.metrics.get(name)
    if about is None:
        return None
    direction, unit = guess(name)
    if direction == "max" and unit == "" and re.search("acc|top1", name, re.IGNORECASE):
        unit = "%" if largest.get(name, 0) > 1.5 else "share"
    shown = str(about.get("name") or name)
    full = "_".join(p for p in (slug(data), shown, str(epochs) if epochs else "") if p)
    title = " ".join(p for p in (data, str(about.get("title") or words(shown))) if p)
    return metric(
        full,
        title + (f", {epochs} epochs" if epochs else ""),
        str(about.get("unit", unit)),
        about.get("direction", direction),
        data=str(about.get("data", data)),
        split=str(about.get("split", split_of(name))),
        epochs=int(about.get("epochs", epochs or _epochs(name)) or 0),
        source=str(about.get("source", origin)),
    )


def _epochs(name: str) -> int:
    """The number of epochs that a name like `test_acc_200` gives; 0 for none."""
    found = re.search(r"(?:acc|accuracy|loss|error|time)_?(\d{1,4})(?:_|$|epochs)", name, re.IGNORECASE)
    return int(found[1]) if found and int(found[1]) > 3 else 0


def frames(held: Held, start: int) -> Iterator[tuple[int, int, Frame]]:
    """(rows before, rows in all, frame) of the file from row `start` on; of a text, all is an estimate.

    Raises:
        BadInput: with the row at which the file is damaged.
    """
    match held.kind:
        case "parquet":
            yield from _parquet(held, start)
        case "text":
            yield from _text(held, start)
        case _:
            yield from _records(held.object, start)


def _records(found: list[dict[str, Any]], start: int) -> Iterator[tuple[int, int, Frame]]:
    import pandas as pd

    def flat(value: Any) -> Any:
        return json.dumps(value) if isinstance(value, dict | list | tuple) else value

    for at in range(start, len(found), ROWS):
        rows = [{str(k): flat(v) for k, v in r.items()} for r in found[at : at + ROWS]]
        yield at, len(found), pd.DataFrame(rows)


def _parquet(held: Held, start: int) -> Iterator[tuple[int, int, Frame]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(held.path, page_checksum_verification=True) as file:
            at = 0
            for batch in file.iter_batches(ROWS):
                if at >= start and batch.num_rows:
                    yield at, file.metadata.num_rows, batch.to_pandas()
                at += batch.num_rows
    except (pa.ArrowException, OSError) as error:
        size = held.path.stat().st_size
        raise BadInput(
            f"{held.name}: a damaged or cut off Parquet file of {size:,} bytes ({str(error)[:120]})"
        ) from error


def _text(held: Held, start: int) -> Iterator[tuple[int, int, Frame]]:
    import pandas as pd

    rows: list[list[str]] = []
    at = 0
    csv.field_size_limit(MAX_FIELD)
    try:
        with held.path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline(MAX_FIELD)
            reader = csv.reader(file, delimiter=_delimiter(head))
            names = [n.strip() for n in next(csv.reader(io.StringIO(head), delimiter=_delimiter(head)), [])]
            _check_header(names, held.name)
            for number, row in enumerate((r for r in reader if r), 1):
                if len(row) != len(names):
                    raise BadInput(
                        f"{held.name}: row {number} has {len(row)} fields, the header {len(names)}; "
                        "the file is cut off or damaged there"
                    )
                rows.append(row)
                if len(rows) == ROWS:
                    if at >= start:
                        yield at, _all(number, file.buffer, held), pd.DataFrame(rows, columns=names)
                    at, rows = number, []
    except UnicodeDecodeError as error:
        raise BadInput(f"{held.name}: no text in UTF-8 and no format that is known here") from error
    except csv.Error as error:
        raise BadInput(f"{held.name}: row {at + len(rows) + 1} cannot be read ({error})") from error
    if rows and at >= start:
        yield at, at + len(rows), pd.DataFrame(rows, columns=names)


def _all(rows: int, file: Any, held: Held) -> int:
    """About how many rows a text has, by the bytes that the first ones took; three digits are honest."""
    found = rows * held.path.stat().st_size / max(file.tell(), 1)
    digits = 2 - math.floor(math.log10(found))
    return max(rows, int(round(found, digits)))


def _delimiter(head: str) -> str:
    return max(",;\t", key=head.count)


def _check_header(names: list[str], file: str) -> None:
    if len(names) < 2 or not all(names) or any("\x00" in n for n in names):
        raise BadInput(f"{file}: no format that is known here, and no table with a header line either")
    if twice := [n for n in names if names.count(n) > 1]:
        raise BadInput(f"{file}: the header names {twice[0][:80]!r} twice")


def _read(held: Held, mapping: Reading, start: int) -> Iterator[Piece]:
    if mapping.epoch:
        yield from _curves(held, mapping)
        return
    for before, total, frame in frames(held, start):
        end = before + len(frame)
        piece = Piece(end, end, total)
        rows = _rows(frame, mapping, before, piece)
        if mapping.seed or mapping.epochs:
            piece.runs = rows
        else:
            piece.archs = rows
        yield piece


def _rows(frame: Frame, mapping: Reading, before: int, piece: Piece) -> Frame:
    """arch, data, index, seed, epochs and metrics of a frame, without rows whose arch cannot be read."""
    import pandas as pd

    out: dict[str, Any] = {"arch": archs(frame, mapping, before)}
    if mapping.data:
        parts = [frame[c].astype(str) for c in mapping.data]
        out["data"] = ["_".join(p) for p in zip(*parts, strict=True)]
    for name in ("index", "seed", "epochs", "epoch"):
        if c := getattr(mapping, name):
            out[name] = numbers(frame[c], c, before)[0]
    for name in mapping.metrics:
        out[name], _ = numbers(frame[name], name, before)
    rows = pd.DataFrame(out)
    if mapping.seed or mapping.epochs:
        rows = rows.assign(
            **{n: np.nan for n in ("seed", "epochs") if n not in rows},
            **({} if "data" in rows else {"data": ""}),
        )
    readable = rows["arch"].notna()
    piece.skip("the architecture is missing or cannot be read", int(np.sum(~readable)))
    rows = rows[readable]
    return rows.drop(columns="index", errors="ignore") if mapping.seed or mapping.epochs else rows


def archs(frame: Frame, mapping: Reading, before: int) -> list[str | None]:
    """The text of each row's arch; None where there is none."""
    space = mapping.space
    if mapping.format == "columns" and space is not None:
        return _from_columns(frame, mapping, space)
    if len(mapping.arch) > 1:
        parts = [frame[c].astype(str) for c in mapping.arch]
        return [
            " ".join(f"{n}={v}" for n, v in zip(mapping.arch, row, strict=True))
            for row in zip(*parts, strict=True)
        ]
    name = next(iter(mapping.arch))
    texts = [None if word(v) in ("", "nan", "none", "<na>") else str(v).strip() for v in frame[name]]
    match mapping.format:
        case "nats_index":
            order = official_order()
            found = numbers(frame[name], name, before)[0]
            return [order[int(i)] if 0 <= i < len(order) else None for i in found]
        case "key" if space is not None:
            known = keys(space)
            return [space.text(known[t]) if t in known else None for t in texts]
        case "choices" if space is not None:
            return [_quiet(space, t) for t in texts]
    return texts


def _quiet(space: Space, text: str | None) -> str | None:
    try:
        return space.text(parse(space, text or ""))
    except AppError:
        return None


def _from_columns(frame: Frame, mapping: Reading, space: Space) -> list[str | None]:
    choices = space.choices()
    if len(mapping.arch) != len(choices):
        raise BadInput(f"mapping.arch: {len(mapping.arch)} columns for {len(choices)} choices")
    out: list[str | None] = []
    by_text = [{str(o): o for o in c.options} for c in choices]
    is_value = all(
        frame[c].astype(str).isin(list(t)).all() for c, t in zip(mapping.arch, by_text, strict=True)
    )
    for row in zip(*(frame[c].astype(str) for c in mapping.arch), strict=True):
        try:
            if is_value:
                values = {c.name: t[v] for c, t, v in zip(choices, by_text, row, strict=True)}
            else:
                values = {
                    c.name: c.options[int(float(v))]
                    for c, v in zip(choices, row, strict=True)
                    if float(v) >= 0
                }
            out.append(space.text(from_choices(space, values)))
        except (AppError, ValueError, IndexError):
            out.append(None)
    return out


def _curves(held: Held, mapping: Reading) -> Iterator[Piece]:
    """All rows at once, sorted by epoch: one curve for each arch, data and seed, and its last value."""
    import pandas as pd

    parts, piece, total = [], Piece(1, 1, 1), 0
    for before, _, frame in frames(held, 0):
        parts.append(_rows(frame, mapping, before, piece))
        total = before + len(frame)
    rows: Frame = pd.concat(parts, ignore_index=True)
    by = [c for c in ("arch", "data", "seed", "epochs") if c in rows and not rows[c].isna().all()]
    rows = rows.sort_values([*by, "epoch"], kind="stable").reset_index(drop=True)
    groups = rows.groupby(by, sort=False).indices
    done = 0
    for name, at in groups.items():
        where = dict(zip(by, name if isinstance(name, tuple) else (name,), strict=True))
        where = {"arch": "", "data": "", "seed": 0, "epochs": len(at), **where}
        last = rows.iloc[at[-1]]
        piece.runs.append({**where, **{m: last[m] for m in mapping.metrics}})
        for m in mapping.metrics:
            values, at_epochs = rows[m].to_numpy()[at], rows["epoch"].to_numpy()[at]
            piece.curves.append({**where, "metric": m, "values": values, "at": at_epochs.tolist()})
        done += len(at)
        if len(piece.runs) >= 500:
            piece.at, piece.done, piece.total = 0, done, total
            yield piece
            piece = Piece(0, done, total)
    piece.at, piece.done, piece.total = total, total, total
    yield piece
