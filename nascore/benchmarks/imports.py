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
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
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
    nasbench301,
    nasbench_graph,
    nasbench_macro,
    nats,
    suite_zero,
    transnas,
)
from nascore.benchmarks.assemble import finish, parts_of, space_json
from nascore.benchmarks.mapping import settle
from nascore.benchmarks.piece import Held, Piece, Source
from nascore.benchmarks.table import (
    check_name,
    places,
)
from nascore.errors import AppError, BadInput, Busy, NoSpace, NotFound
from nascore.space import Space

if TYPE_CHECKING:
    import pyarrow as pa

Frame = Any  # a pandas frame or column; pandas' own annotations do not follow what columns hold
READERS: tuple[ModuleType, ...] = (
    nats,
    nasbench201,
    nasbench101,
    nasbench301,
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
    if text.replace("_", "-") == PACKAGE:
        if (found := nasbench_graph.installed()) is None:
            raise NotFound(
                f"the package {PACKAGE} is not installed (`pip install --no-deps {PACKAGE}`); give the "
                "path of a .bench file"
            )
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
        allowed = ", ".join(str(r) for r in roots if r.name != "uploads")
        folder = outside[0] if outside[0].is_dir() else outside[0].parent
        raise BadInput(
            f"{outside[0]}: lies outside of the folders that are read from here ({allowed}); upload it, or "
            f"start the app with NASCOPE_IMPORT_ROOTS={folder} to allow that folder"
        )


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
    if held.kind == "folder":
        inside = sorted(f.name for f in path.iterdir() if f.is_file())[:4]
        there = f"in it are {', '.join(inside)}; name one of them" if inside else "no file stands in it"
        raise BadInput(f"{path.name}: no folder of a benchmark that is known here; {there}")
    names = ", ".join(sorted(r.FORMAT for r in READERS if r is not flat))
    raise BadInput(
        f"{path.name}: of no format that is known here; there are {names}, and any CSV or Parquet file"
    )


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
        found = settle(first, held, mapping or {}, None)
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
            table, reasons = finish(source, folder, name, home)
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
    return len(parts_of(folder))


def _last(folder: Path) -> int:
    """Where the last part ended; 0 where a reader can only begin anew."""
    parts = parts_of(folder)
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


def _pieces(source: Source, start: int, name: str) -> Generator[Piece]:
    """The source's pieces, guarded."""
    found = source.read(start)
    try:
        while True:
            with _guarded(name):
                piece = next(found, None)
            if piece is None:
                return
            yield piece
    finally:  # a reader that was left may have helpers
        if isinstance(found, Generator):
            found.close()


def _read_parts(
    source: Source,
    folder: Path,
    name: str,
    tell: Callable[[Progress], None] | None,
    should_stop: Callable[[], bool] | None,
) -> None:
    parts = parts_of(folder)
    if parts and json.loads((parts[-1] / "done.json").read_text("utf-8"))["whole"]:
        return
    start, begun, flushed = _last(folder), time.monotonic(), time.monotonic()
    waiting: list[Piece] = []
    with closing(_pieces(source, start, name)) as pieces:
        for piece in pieces:
            waiting.append(piece)
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
                raise Stopped(
                    f"stopped at {piece.done:,} of {piece.total:,}; the same import goes on from there"
                )
    _write_part(folder, waiting, whole=True)


def _write_part(folder: Path, waiting: list[Piece], *, whole: bool) -> None:
    """One part, written aside and renamed."""
    import pyarrow.parquet as pq

    number = len(parts_of(folder))
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
