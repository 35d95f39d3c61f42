"""Importing: a publisher's file or folder becomes a table, once, and the file is never needed again.

The format is told by what the file holds. Pieces are written to parts beside the tables
(`.import-<name>/part-000000/`), so that an import that was stopped goes on where it ended; the table is
written aside and renamed when all parts are there. Curves pass from parts to table one part at a time.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.benchmarks import (
    flat,
    hw_latency,
    logs,
    nasbench101,
    nasbench201,
    nasbench_graph,
    nasbench_macro,
    nats,
    suite_zero,
    transnas,
)
from nascore.benchmarks.piece import Held, Piece, Source
from nascore.benchmarks.table import (
    PREFIX,
    Column,
    Draft,
    Table,
    check_name,
    choices_json,
    places,
    write_table,
)
from nascore.errors import AppError, BadInput, Busy, NoSpace, NotFound
from nascore.kinds import knobs
from nascore.space import Arch, Space, key

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Any  # a pandas frame or column; pandas' own annotations do not follow what columns hold
READERS: tuple[ModuleType, ...] = (
    nats,
    nasbench201,
    nasbench101,
    nasbench_graph,
    nasbench_macro,
    suite_zero,
    transnas,
    hw_latency,
    logs,
    flat,
)
PACKAGE = "nas-bench-graph"  # stands for the files of the installed package
PART_ROWS = 20_000
PART_CURVES = 2_000
PART_SECONDS = 5.0
MAX_COLUMNS = 2_000
UNREADABLE = "not an architecture of the space"


@dataclass(frozen=True)
class Progress:
    """How far an import is.

    Attributes:
        done, total: in the reader's units (files, bytes, rows).
        seconds_left: None until it can be judged.
        step: reading or writing.
    """

    done: int
    total: int
    seconds_left: float | None
    step: str = "reading"


@dataclass(frozen=True)
class Report:
    """What an import did.

    Attributes:
        name: of the table.
        format: which reader read it.
        rows: archs in the table.
        skipped: rows, files or records left out.
        reasons: reason -> how many.
        missing: metric -> archs without a value, where there are any.
        resumed: parts that an earlier attempt had read.
        seconds: of this attempt.
    """

    name: str
    format: str
    rows: int
    skipped: int
    reasons: dict[str, int]
    missing: dict[str, int]
    resumed: int
    seconds: float


class Stopped(AppError):
    """An import was stopped on request; what it had read is kept."""


def import_roots() -> list[Path]:
    """Folders that a page may import from: NASCOPE_IMPORT_ROOTS, or the home and the current folder."""
    given = os.environ.get("NASCOPE_IMPORT_ROOTS")
    found = [Path(p) for p in given.split(os.pathsep) if p] if given else [Path.home(), Path.cwd()]
    return [p.resolve() for p in found]


def check_path(path: str | Path, roots: Sequence[Path] | None = None) -> Path:
    """The real file or folder of a path.

    Args:
        path: as a person wrote it; the name of the package of NAS-Bench-Graph stands for its files.
        roots: folders that it must lie in, links followed, and without `..`; None for a person at the command
            line, who may read what the system lets them read (NASCOPE_IMPORT_ROOTS holds there too).

    Raises:
        BadInput: a path outside, with NUL, or of something that is neither file nor folder.
        NotFound: there is nothing.
    """
    text = str(path)
    if "\x00" in text:
        raise BadInput("path: a NUL character stands in it")
    if text == PACKAGE:
        if (found := nasbench_graph.installed()) is None:
            raise NotFound("the package nas-bench-graph is not installed")
        return found
    if roots is None and os.environ.get("NASCOPE_IMPORT_ROOTS"):
        roots = import_roots()
    if roots is not None and ".." in Path(text).parts:
        raise BadInput(f"{text[:200]}: a path with .. is not read; give the whole path")
    real = _resolved(text)
    if roots is not None:
        _check_inside(real, roots)
    return real


def _resolved(text: str) -> Path:
    """The readable file or folder behind a path, links followed."""
    try:
        real = Path(text).expanduser().resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{text[:200]}: there is no such file or folder") from None
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{text[:200]}: cannot be opened ({error})") from error
    if not (real.is_file() or real.is_dir()):
        raise BadInput(f"{text[:200]}: neither a file nor a folder")
    if not os.access(real, os.R_OK):
        raise BadInput(f"{text[:200]}: may not be read")
    return real


def _check_inside(real: Path, roots: Sequence[Path]) -> None:
    """Refuses what lies outside of all roots, and a folder in which a link leads outside."""
    inside = [real, *(f.resolve() for f in real.iterdir() if f.is_symlink())] if real.is_dir() else [real]
    if outside := [p for p in inside if not any(p.is_relative_to(r) for r in roots)]:
        allowed = ", ".join(map(str, roots))
        raise BadInput(f"{outside[0]}: lies outside of the folders that are read from here ({allowed})")


def detect(path: Path, mapping: Mapping[str, Any] | None = None, space: Space | None = None) -> Source:
    """The reader's view of a file or folder; with a mapping it is read as a table.

    Raises:
        BadInput: no reader knows it, or it is damaged.
    """
    held = Held(path, mapping)
    if mapping:
        return flat.source(held, space)
    for reader in READERS:
        if reader.sniff(held):
            return flat.source(held, space) if reader is flat else reader.source(held)
    names = ", ".join(sorted(r.FORMAT for r in READERS))
    raise BadInput(f"{path.name}: of no format that is known here; there are {names}")


def preview(
    path: str | Path,
    mapping: Mapping[str, Any] | None = None,
    *,
    roots: Sequence[Path] | None = None,
    rows: int = 10,
) -> dict[str, Any]:
    """What an import would read, without writing anything.

    Returns:
        format, title, origin, notes, space (name or None), columns, rows (the first ones), skipped; and for a
        CSV or Parquet file `mapping`, as guessed or given and guessed.
    """
    real = check_path(path, roots)
    with _guarded(real.name):
        source = detect(real, mapping)
    out: dict[str, Any] = {
        "format": source.format,
        "title": source.title,
        "origin": source.origin,
        "notes": source.notes,
        "space": space_json(source.space)["name"] if source.space else None,
    }
    if source.format == flat.FORMAT:
        held = Held(real, mapping)
        first = next(flat.frames(held, 0))[2]
        found = flat.settle(first, held, mapping or {}, None)
        shown = first.head(rows)
        out |= {"mapping": found.to_json(), "skipped": {}}
    else:
        piece = next(_pieces(source, 0, real.name))
        import pandas as pd

        shown = pd.DataFrame(piece.runs[:rows] if len(piece.runs) else piece.archs[:rows])
        out |= {"skipped": piece.skipped}
    records = json.loads(str(shown.to_json(orient="records", double_precision=12)))
    return out | {"columns": [str(c) for c in shown.columns], "rows": records}


def import_path(
    path: str | Path,
    name: str,
    home: Path | None = None,
    mapping: Mapping[str, Any] | None = None,
    *,
    space: Space | None = None,
    roots: Sequence[Path] | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Report:
    """Makes a table of a file or folder; called again after a stop it goes on where it ended.

    Args:
        path: file or folder; its format is told by what it holds.
        name: of the new table.
        home: where tables lie.
        mapping: for CSV and Parquet, see flat.py.
        space: of the archs of a CSV or Parquet file, where it is not one of the named ones.
        roots: folders that the path must lie in (check_path).
        on_progress: called after each piece.
        should_stop: asked after each piece.

    Raises:
        BadInput: with the row or byte of what is wrong; nothing is left in the tables.
        Stopped: should_stop said so.
        Busy: the same import runs already.
    """
    begun = time.monotonic()
    real = check_path(path, roots)
    target = places(home)[0] / check_name(name)
    if target.exists():
        raise BadInput(f"there is a table called {name!r} already; delete it or choose another name")
    folder = target.with_name(f".import-{name}")
    with _held(folder):
        try:
            with _guarded(real.name):
                source = detect(real, mapping, space)
            resumed = _prepare(folder, real, mapping)
            _read_parts(source, folder, real.name, on_progress, should_stop)
            if on_progress:
                on_progress(Progress(1, 1, None, "writing"))
            table, reasons = _finish(source, folder, name, home)
        except OSError as error:
            if error.filename is not None and not Path(str(error.filename)).is_relative_to(folder.parent):
                raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from error
            raise NoSpace(f"{name}: the import cannot be written ({error.strerror or error})") from error
        except BadInput:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)
    missing = table.about["missing"]
    seconds = time.monotonic() - begun
    return Report(name, source.format, table.rows, sum(reasons.values()), reasons, missing, resumed, seconds)


def unfinished(home: Path | None = None) -> list[str]:
    """Names of imports that were stopped and can go on."""
    place = places(home)[0]
    return sorted(f.name.removeprefix(".import-") for f in place.glob(".import-*") if f.is_dir())


def discard(name: str, home: Path | None = None) -> None:
    """Forgets what a stopped import had read."""
    folder = places(home)[0] / f".import-{check_name(name)}"
    if folder.is_dir() and not folder.is_symlink():
        with _held(folder):
            shutil.rmtree(folder)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Only one import at a time has a folder of parts."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.is_symlink():
            raise BadInput(f"{folder}: a link stands where the import would be written")
        handle = (folder.parent / f"{folder.name}.lock").open("w")
    except OSError as error:
        raise NoSpace(f"{folder.parent}: cannot be written ({error.strerror or error})") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(f"the import of {folder.name.removeprefix('.import-')} is running already") from None
        try:
            yield
        finally:
            Path(handle.name).unlink(missing_ok=True)


def _prepare(folder: Path, real: Path, mapping: Mapping[str, Any] | None) -> int:
    """Keeps the parts of an earlier attempt if it read the same; returns how many there are."""
    stat = real.stat()
    plan = json.dumps([str(real), stat.st_size, stat.st_mtime_ns, mapping], sort_keys=True)
    file = folder / "plan.json"
    if not file.is_file() or file.read_text("utf-8") != plan or _last(folder) == 0:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        file.write_text(plan, "utf-8")
    return len(_parts(folder))


def _parts(folder: Path) -> list[Path]:
    return sorted(f for f in folder.glob("part-*") if (f / "done.json").is_file())


def _last(folder: Path) -> int:
    """Where the last part ended; 0 where a reader can only begin anew."""
    parts = _parts(folder)
    return int(json.loads((parts[-1] / "done.json").read_text("utf-8"))["at"]) if parts else 0


@contextmanager
def _guarded(name: str) -> Iterator[None]:
    """Turns what a reader meets in a damaged file into a refusal.

    A reader checks what it can, but a flipped bit may stand anywhere: these are the errors of decoding and of
    values of another type than the format has.
    """
    try:
        yield
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError) as error:
        text = " ".join(str(error).split())[:120]
        raise BadInput(f"{name}: damaged, or not what it seems ({type(error).__name__}: {text})") from error
    except (EOFError, MemoryError, RecursionError, NotImplementedError, zlib.error, struct.error) as error:
        raise BadInput(f"{name}: damaged, cut off or of a kind that is not read here") from error


def _pieces(source: Source, start: int, name: str) -> Iterator[Piece]:
    """The source's pieces, guarded."""
    found = source.read(start)
    while True:
        with _guarded(name):
            piece = next(found, None)
        if piece is None:
            return
        yield piece


def _read_parts(
    source: Source,
    folder: Path,
    name: str,
    tell: Callable[[Progress], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    parts = _parts(folder)
    if parts and json.loads((parts[-1] / "done.json").read_text("utf-8"))["whole"]:
        return
    start, begun, first, flushed = _last(folder), time.monotonic(), None, time.monotonic()
    waiting: list[Piece] = []
    for piece in _pieces(source, start, name):
        waiting.append(piece)
        first = piece.done if first is None else first
        full = sum(len(p.runs) + len(p.archs) for p in waiting) > PART_ROWS
        full = full or sum(len(p.curves) for p in waiting) > PART_CURVES
        if full or time.monotonic() - flushed > PART_SECONDS:
            _write_part(folder, waiting, whole=False)
            waiting, flushed = [], time.monotonic()
        spent, gone = time.monotonic() - begun, piece.done - start
        left = spent / gone * (piece.total - piece.done) if gone > 0 and piece.total else None
        if tell:
            tell(Progress(piece.done, piece.total, left))
        if should_stop and should_stop():
            if waiting:
                _write_part(folder, waiting, whole=False)
            raise Stopped(f"stopped at {piece.done:,} of {piece.total:,}; the same import goes on from there")
    _write_part(folder, waiting, whole=True)


def _write_part(folder: Path, waiting: list[Piece], *, whole: bool) -> None:
    """One part, written aside and renamed."""
    import pyarrow.parquet as pq

    number = len(_parts(folder))
    aside = folder / f".part-{number:06d}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name, rows in (("archs", [p.archs for p in waiting]), ("runs", [p.runs for p in waiting])):
        if (table := _table(rows)) is not None:
            pq.write_table(table, aside / f"{name}.parquet", compression="zstd")
    curves = [c for p in waiting for c in p.curves]
    if curves:
        pq.write_table(_curve_table(curves), aside / "curves.parquet", compression="zstd")
    skipped: dict[str, int] = {}
    for piece in waiting:
        for reason, times in piece.skipped.items():
            skipped[reason] = skipped.get(reason, 0) + times
    done = {"at": waiting[-1].at if waiting else _last(folder), "skipped": skipped, "whole": whole}
    (aside / "done.json").write_text(json.dumps(done), "utf-8")
    aside.rename(folder / f"part-{number:06d}")


def _table(pieces: Sequence[Any]) -> pa.Table | None:
    import pandas as pd
    import pyarrow as pa

    frames = [p if isinstance(p, pd.DataFrame) else pd.DataFrame(p) for p in pieces if len(p)]
    if not frames:
        return None
    tables = [pa.Table.from_pandas(f, preserve_index=False).replace_schema_metadata(None) for f in frames]
    return pa.concat_tables(tables, promote_options="permissive")


def _curve_table(curves: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    lists = pa.list_(pa.float32())
    columns: dict[str, Any] = {
        "arch": pa.array([c["arch"] for c in curves], pa.string()),
        "data": pa.array([c["data"] for c in curves], pa.string()),
        "seed": pa.array([None if c["seed"] is None else int(c["seed"]) for c in curves], pa.int32()),
        "epochs": pa.array([int(c["epochs"]) for c in curves], pa.int32()),
        "metric": pa.array([c["metric"] for c in curves], pa.string()),
        "values": pa.array([np.asarray(c["values"], np.float32) for c in curves], lists),
    }
    if "at" in curves[0]:
        columns["at"] = pa.array([np.asarray(c["at"], np.float32) for c in curves], lists)
    return pa.table(columns)


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
    from nascore.spaces import SPACES

    names = {cls: name for name, cls in SPACES.items()}
    if type(space) not in names:
        raise BadInput(f"{type(space).__name__} is no space that a table can name; give the whole space")
    values = {f.name: getattr(space, f.name) for f in knobs(type(space))}
    return {"name": names[type(space)], "knobs": json.loads(json.dumps(values))}


def _finish(source: Source, folder: Path, name: str, home: Path | None) -> tuple[Table, dict[str, int]]:
    import pandas as pd

    parts, reasons = _parts(folder), {}
    for part in parts:
        for reason, times in json.loads((part / "done.json").read_text("utf-8"))["skipped"].items():
            reasons[reason] = reasons.get(reason, 0) + times
    known = _Archs(source.space)
    given = _placed(parts, "archs", known, reasons)
    # Runs of a source that also lists its archs are counted there.
    runs = _placed(parts, "runs", known, {} if len(given) else reasons)
    if not known.texts:
        raise BadInput(f"{folder.name.removeprefix('.import-')}: no row could be read; {_most(reasons)}")
    names = known.keys()
    frame, columns = known.frame(names), []
    for values, found in (_direct(given, source, reasons), _means(runs, source, reasons)):
        frame = pd.concat([frame, values.reindex(frame.index)], axis=1)
        columns += found
    if len(columns) > MAX_COLUMNS:
        raise BadInput(f"{len(columns):,} metrics; {MAX_COLUMNS:,} is the limit")
    frame, columns = _useful(frame, columns)
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


def _means(runs: Frame, source: Source, reasons: dict[str, int]) -> tuple[Frame, list[Column]]:
    """Means over the seeds for each data set and number of epochs; numbers the repeats in place."""
    import pandas as pd

    if not len(runs):
        return pd.DataFrame(), []
    runs["epochs"] = runs["epochs"].fillna(0).astype(np.int32)
    order = runs.groupby(["row", "data", "epochs"], observed=True).cumcount()
    unnamed = runs["seed"].isna()
    runs["seed"] = runs["seed"].astype(np.float64).where(~unnamed, order).astype(np.int32)
    if (twice := runs.duplicated(["row", "data", "epochs", "seed"])).any():
        reasons["the same training stood there already; the first stays"] = int(twice.sum())
        runs.drop(index=runs.index[twice], inplace=True)
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
