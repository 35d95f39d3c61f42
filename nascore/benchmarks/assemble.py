"""From the parts of an import to its table: archs get rows and keys, trainings become means over seeds.

Each arch has the row of its first mention. Metrics of runs are averaged for each data set and budget;
curves pass from parts to table one part at a time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.benchmarks import flat
from nascore.benchmarks.piece import Source
from nascore.benchmarks.table import PREFIX, Column, Draft, Table, choices_json, write_table
from nascore.errors import BadInput
from nascore.kinds import knobs
from nascore.space import Arch, Space, key

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Any  # a pandas frame or column; pandas' own annotations do not follow what columns hold
MAX_COLUMNS = 2_000
UNREADABLE = "not an architecture of the space"


def parts_of(folder: Path) -> list[Path]:
    """The finished parts of an import, in order."""
    return sorted(f for f in folder.glob("part-*") if (f / "done.json").is_file())


@dataclass
class _Archs:
    """Rows of the archs in the order in which they come; unreadable texts have row -1."""

    space: Space | None
    row_of: dict[str, int] = field(default_factory=dict)
    row_of_arch: dict[Arch, int] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    archs: list[Arch] = field(default_factory=list)

    def rows(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """(n,) rows of texts; new ones are added."""
        known = self.row_of
        return np.array([known[t] if t in known else self._add(t) for t in texts], dtype=np.int32)

    def _add(self, text: str) -> int:
        row = len(self.texts)
        if self.space is not None:
            arch = self.space.read(text)
            if arch is None or self.space.invalid(arch):
                self.row_of[text] = -1
                return -1
            row = self.row_of_arch.setdefault(arch, row)
            if row == len(self.texts):
                self.archs.append(arch)
                self.texts.append(self.space.text(arch))
        else:
            self.texts.append(text)
        self.row_of[text] = row
        return row

    def keys(self) -> list[str]:
        """(n,) keys: of the choices, or of the text where no space is known."""
        if self.space is not None:
            return [key(self.space, a) for a in self.archs]
        return [text_key(t) for t in self.texts]

    def frame(self, names: Sequence[str]) -> Frame:
        """key, text and choices."""
        import pandas as pd

        out: dict[str, Any] = {"key": names, "text": self.texts}
        if self.space is not None:
            numbers = np.array(self.archs, dtype=np.int16).reshape(len(self.archs), -1)
            out |= {PREFIX + c.name: numbers[:, j] for j, c in enumerate(self.space.choices())}
        return pd.DataFrame(out)


def text_key(text: str) -> str:
    """16 hex digits that name an arch of which only the text is known."""
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:16]


def space_json(space: Space) -> dict[str, Any]:
    """A space as the codec writes it; drawn spaces' knobs are plain values and tuples of them."""
    from nascore.spaces import READING, SPACES

    names = {cls: name for name, cls in (*SPACES.items(), *READING.items())}
    if type(space) not in names:
        raise BadInput(f"{type(space).__name__} is no space that a table can name; give the whole space")
    values = {f.name: getattr(space, f.name) for f in knobs(type(space))}
    return {"name": names[type(space)], "knobs": json.loads(json.dumps(values))}


def finish(source: Source, folder: Path, name: str, home: Path | None) -> tuple[Table, dict[str, int]]:
    """The table of all parts, and what was skipped: reason -> how often."""
    import pandas as pd

    parts, reasons = parts_of(folder), {}
    for part in parts:
        for reason, times in json.loads((part / "done.json").read_text("utf-8"))["skipped"].items():
            reasons[reason] = reasons.get(reason, 0) + times
    known = _Archs(source.space)
    given = _placed(parts, "archs", known, reasons)
    # Runs of a source that also lists its archs are counted there.
    runs = _numbered(_placed(parts, "runs", known, {} if len(given) else reasons), reasons)
    if not known.texts:
        raise BadInput(f"{folder.name.removeprefix('.import-')}: no row could be read; {_most(reasons)}")
    names = known.keys()
    frame, columns = known.frame(names), []
    for values, found in (_direct(given, source, reasons), _means(runs, source)):
        frame = pd.concat([frame, values.reindex(frame.index)], axis=1)
        columns += found
    if len(columns) > MAX_COLUMNS:
        raise BadInput(f"{len(columns):,} metrics; {MAX_COLUMNS:,} is the limit")
    frame, columns = _useful(frame, columns)
    if not columns:
        raise BadInput(f"{folder.name.removeprefix('.import-')}: no metric has a number in any row")
    if source.format != flat.FORMAT:
        columns.sort(key=_importance)
        frame = frame[
            [*(c for c in frame.columns if c not in {k.name for k in columns}), *(c.name for c in columns)]
        ]
    missing = {c.name: int(frame[c.name].isna().sum()) for c in columns}
    about = {
        "title": source.title,
        "source": source.origin,
        "format": source.format,
        "notes": source.notes,
        "reasons": reasons,
        "missing": {n: k for n, k in missing.items() if k},
        "imported": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    space = (space_json(source.space), choices_json(source.space)) if source.space is not None else None
    draft = Draft(frame, columns, _run_table(runs, names), _curve_pieces(parts, known, names), space, about)
    return write_table(draft, name, home), reasons


def _importance(column: Column) -> tuple[bool, bool, int, int]:
    """Accuracies before losses and costs, test before validation before training, long trainings first.

    The test figures of networks that were trained on half of cifar10 are not the usual ones, and come last.
    """
    splits = ("test", "validation", "", "train")
    split = column.protocol.split
    half = column.name.startswith("cifar10_valid_")
    return (
        half,
        column.direction != "max",
        splits.index(split) if split in splits else 4,
        -column.protocol.epochs,
    )


def _most(reasons: Mapping[str, int]) -> str:
    return max(reasons, key=lambda r: reasons[r]) if reasons else "it holds none"


def _useful(frame: Frame, columns: list[Column]) -> tuple[Frame, list[Column]]:
    """Without metrics that no arch has, and each name once."""
    frame = frame.loc[:, ~frame.columns.duplicated()]
    once = {c.name: c for c in reversed(columns) if c.name in frame}
    empty = [n for n in once if frame[n].isna().all()]
    return frame.drop(columns=empty), [c for n, c in reversed(once.items()) if n not in empty]


def _placed(parts: list[Path], what: str, known: _Archs, reasons: dict[str, int]) -> Frame:
    """All rows of one kind with `row` for their arch."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for part in parts:
        file = part / f"{what}.parquet"
        if not file.is_file():
            continue
        table = pq.read_table(file)
        rows = known.rows(table["arch"].to_pylist())
        table = table.drop_columns("arch").append_column("row", pa.array(rows))
        if bad := int((rows < 0).sum()):
            reasons[UNREADABLE] = reasons.get(UNREADABLE, 0) + bad
        tables.append(table.filter(pa.array(rows >= 0)) if bad else table)
    if not tables:
        return pd.DataFrame({"row": np.empty(0, np.int32)})
    return pa.concat_tables(tables, promote_options="permissive").to_pandas(strings_to_categorical=True)


def _direct(given: Frame, source: Source, reasons: dict[str, int]) -> tuple[Frame, list[Column]]:
    """Metrics that the source gives an arch, one row an arch; of several rows the first stays."""
    import pandas as pd

    given = given.dropna(axis=1, how="all")
    fixed = [c for c in given.columns if c == "index" or given[c].dtype.kind not in "iuf"]
    fixed = [c for c in fixed if c not in ("row", "data")]
    metrics = [c for c in given.columns if c not in ("row", "data", *fixed)]
    blocks = [given[["row", *fixed]].drop_duplicates("row").set_index("row")] if fixed else []
    blocks = [_typed(b) for b in blocks]
    columns: list[Column] = []
    if metrics:
        by = ["row", "data"] if "data" in given else ["row"]
        if twice := int(given.duplicated(by).sum()):
            reasons["the architecture stood there already; the first row stays"] = twice
            given = given.drop_duplicates(by)
        groups = given.groupby("data", sort=False, observed=True) if "data" in given else [("", given)]
        for data, some in groups:
            found = {m: source.column(str(data), m, 0) for m in metrics}
            kept = {m: c for m, c in found.items() if c is not None}
            block = some.set_index("row")[list(kept)]
            blocks.append(block.rename(columns={m: c.name for m, c in kept.items()}).astype(np.float64))
            columns += kept.values()
    return (pd.concat(blocks, axis=1) if blocks else pd.DataFrame()), columns


def _typed(block: Frame) -> Frame:
    """Texts as texts, and the index as whole numbers where every arch has one."""
    kinds: dict[str, Any] = {c: object for c in block.columns if c != "index"}
    if "index" in block and block["index"].notna().all():
        kinds["index"] = np.int64
    return block.astype(kinds)


def _numbered(runs: Frame, reasons: dict[str, int]) -> Frame:
    """The runs with repeats numbered where no seed is named, and each training once."""
    if not len(runs):
        return runs
    runs["epochs"] = runs["epochs"].fillna(0).astype(np.int32)
    order = runs.groupby(["row", "data", "epochs"], observed=True).cumcount()
    unnamed = runs["seed"].isna()
    runs["seed"] = runs["seed"].astype(np.float64).where(~unnamed, order).astype(np.int32)
    if (twice := runs.duplicated(["row", "data", "epochs", "seed"])).any():
        reasons["the same training stood there already; the first stays"] = int(twice.sum())
        return runs[~twice]
    return runs


def _means(runs: Frame, source: Source) -> tuple[Frame, list[Column]]:
    """Means over the seeds for each data set and number of epochs."""
    import pandas as pd

    if not len(runs):
        return pd.DataFrame(), []
    metrics = [c for c in runs.columns if c not in ("row", "data", "seed", "epochs")]
    moving = [m for m in metrics if m not in source.static]
    still = [m for m in metrics if m in source.static]
    blocks, columns = [], []
    for (data, epochs), some in runs.groupby(["data", "epochs"], observed=True, sort=True):
        _average(some, moving, source, (str(data), int(epochs)), blocks, columns)
    for data, some in runs.groupby("data", observed=True, sort=True) if still else ():
        _average(some, still, source, (str(data), 0), blocks, columns)
    return pd.concat(blocks, axis=1) if blocks else pd.DataFrame(), columns


def _average(
    some: Frame,
    metrics: list[str],
    source: Source,
    where: tuple[str, int],
    blocks: list[Frame],
    columns: list[Column],
) -> None:
    found = {m: source.column(where[0], m, where[1]) for m in metrics}
    kept = {m: c for m, c in found.items() if c is not None}
    if not kept:
        return
    groups = some.groupby("row")[list(kept)]
    blocks.append(groups.mean().rename(columns={m: c.name for m, c in kept.items()}))
    counts = groups.count()
    for m, c in kept.items():
        seen = counts[m][counts[m] > 0]
        seeds = _seeds(int(seen.min()), int(seen.max())) if len(seen) else ""
        columns.append(replace(c, protocol=replace(c.protocol, seeds=seeds)))


def _seeds(fewest: int, most: int) -> str:
    """How many trainings a mean is of, as protocols print it."""
    if most == 1:
        return "1 seed"
    return f"mean of {most} seeds" if fewest == most else f"mean of {fewest}-{most} seeds"


def _run_table(runs: Frame, names: list[str]) -> pa.Table | None:
    """The runs, sorted by row, with keys."""
    import pyarrow as pa

    if not len(runs):
        return None
    runs = runs.sort_values(["row", "data", "epochs", "seed"], kind="stable")
    rows = pa.array(runs["row"].to_numpy(np.int32))
    keys = pa.DictionaryArray.from_arrays(rows, pa.array(names)).cast(pa.string())
    rest = pa.Table.from_pandas(runs.drop(columns="row"), preserve_index=False).replace_schema_metadata(None)
    if pa.types.is_dictionary(rest["data"].type):
        rest = rest.set_column(rest.column_names.index("data"), "data", rest["data"].cast(pa.string()))
    front = [n for n in ("data", "seed", "epochs")]
    rest = rest.select([*front, *(n for n in rest.column_names if n not in front)])
    return rest.add_column(0, "key", keys).add_column(0, "row", rows)


class _Repeats:
    """Numbers for curves whose source names no seed, in a few bytes an arch: there may be millions."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.seen: dict[tuple[Any, ...], np.ndarray[Any, Any]] = {}

    def number(self, rows: list[int], where: list[tuple[Any, ...]], seeds: list[int | None]) -> list[int]:
        """(n,) seeds; where there is none, how often this arch stood there before."""
        out = []
        for row, place, seed in zip(rows, where, seeds, strict=True):
            if seed is None:
                if place not in self.seen:
                    self.seen[place] = np.zeros(self.rows, np.uint16)
                seed = int(self.seen[place][row])
                self.seen[place][row] += 1
            out.append(seed)
        return out


def _curve_pieces(parts: list[Path], known: _Archs, names: list[str]) -> Iterator[pa.Table]:
    """The curves of one part after the other, with rows, keys and numbered repeats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    repeats = _Repeats(len(names))
    every = pa.array(names)
    for part in parts:
        file = part / "curves.parquet"
        if not file.is_file():
            continue
        table = pq.read_table(file)
        rows = known.rows(table["arch"].to_pylist())
        seeds = table["seed"].to_pylist()
        if None in seeds:
            where = zip(*(table[c].to_pylist() for c in ("data", "epochs", "metric")), strict=True)
            seeds = repeats.number(rows.tolist(), list(where), seeds)
        at = table.column_names.index("seed")
        table = table.set_column(at, "seed", pa.array(seeds, pa.int32()))
        table = table.drop_columns("arch").filter(pa.array(rows >= 0))
        rows = rows[rows >= 0]
        table = table.add_column(0, "key", every.take(pa.array(rows))).add_column(0, "row", pa.array(rows))
        yield table.sort_by("row")
