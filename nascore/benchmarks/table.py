"""A benchmark table on disk: what is known about many archs, opened in milliseconds, never a pickle.

A folder `<home>/tables/<name>/` of
  table.json      name, space, choices, columns with their protocols, source, licence, what was skipped
  archs.parquet   one row an arch: key, text, one small integer column a choice (`choice.<name>`), metrics;
                  `trained_row` where equal networks share trainings
  runs.parquet    one row a training: row (number in archs.parquet), key, data, seed, epochs, values
  curves.parquet  row, key, data, seed, epochs, metric, values (a list, one an epoch)
The last two are there where the source has them. A folder is written aside and renamed.

`row` is ascending in runs and curves as far as the source allows, so that reading a few archs skips the rest.
The space stands in table.json as JSON and, so that nothing else is needed to look an arch up, as its choices.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nascore.errors import AppError, BadInput, NoSpace, NotFound
from nascore.graph import Graph
from nascore.kinds import EvaluationProtocol
from nascore.space import Arch, Archs, Choice, Space, from_choices

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from nascore.task import Shape

PROJECT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
VERSION = 1
DENSE = 10_000_000  # a space up to this many codes is looked up by one array access
PREFIX = "choice."
TRAINED_ROW = (
    "trained_row"  # column of archs: the row of the equal network whose trainings and curves these are
)
Direction = Literal["min", "max", ""]
NOTHING = EvaluationProtocol("", "", 0, "", "")


@dataclass(frozen=True)
class Column:
    """A metric of a table.

    Attributes:
        name: the column in archs.parquet.
        title: what a person reads.
        unit: of the numbers, empty for none.
        direction: which way is better; empty where it is not known.
        protocol: what the numbers stand for.
    """

    name: str
    title: str
    unit: str = ""
    direction: Direction = ""
    protocol: EvaluationProtocol = NOTHING


@dataclass(frozen=True)
class Choices(Space):
    """A space of which only the choices are known."""

    known: tuple[Choice, ...]

    def choices(self) -> tuple[Choice, ...]:
        """As they stand in the table."""
        return self.known

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """Nothing to draw."""
        return Graph((), ())


class Table:
    """One table, opened lazily: `table.json` at once, columns when they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about: dict[str, Any] = _about(folder)
        self.name: str = self.about["name"]
        self.space: dict[str, Any] | None = self.about["space"]
        self.rows: int = self.about["rows"]
        self.columns: dict[str, Column] = {c["name"]: _column(c) for c in self.about["columns"]}
        self.choices: tuple[Choice, ...] = tuple(_choice(c) for c in self.about["choices"] or ())

    @cached_property
    def frame(self) -> pd.DataFrame:
        """archs.parquet: (rows, key + text + choices + metrics)."""
        return self._read().to_pandas()

    def _read(self, names: Sequence[str] | None = None) -> pa.Table:
        """Some columns of archs.parquet, by default all; needs no pandas, and a millisecond a column."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.folder / "archs.parquet") as file:
            return file.read(names)

    @cached_property
    def _names(self) -> pa.Table:
        """Key and text of each arch."""
        return self._read(["key", "text"])

    @cached_property
    def archs(self) -> Archs:
        """(rows, choices) option indices; BadInput where the space is not known."""
        self._need_space()
        columns = self._read([PREFIX + c.name for c in self.choices])
        return np.stack([_numbers(columns[PREFIX + c.name], "int64") for c in self.choices], 1)

    @property
    def metrics(self) -> list[str]:
        """Names of the metric columns."""
        return list(self.columns)

    @property
    def size_bytes(self) -> int:
        """Bytes on the disk."""
        return sum(f.stat().st_size for f in self.folder.iterdir())

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

    def lookup(self, archs: Sequence[Sequence[int]] | Archs) -> NDArray[np.int64]:
        """(n,) row numbers of archs (n, choices); -1 for those that the table does not know."""
        rows = np.asarray(archs, dtype=np.int64).reshape(-1, len(self.choices))
        self._need_space()
        low, high = rows.min(1, initial=0) < -1, (rows >= self._radix - 1).any(1)
        if (low | high).any():
            rows = np.where((low | high)[:, None], -1, rows)
        found = self._places(rows)
        return np.where(low | high, -1, found)

    def value(self, metric: str, archs: Sequence[Sequence[int]] | Archs) -> NDArray[np.float64]:
        """(n,) values of archs (n, choices); NaN where there is none."""
        values = self.values(metric)
        rows = self.lookup(archs)
        return np.where(rows >= 0, values[rows] if len(values) else np.nan, np.nan)

    def values(self, metric: str) -> NDArray[np.float64]:
        """(rows,) a metric of all archs; NaN where there is none."""
        name = self.column(metric).name
        if "frame" in self.__dict__:  # all columns are in memory already
            return self.frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return _numbers(self._read([name])[name])

    @cached_property
    def _radix(self) -> NDArray[np.int64]:
        return np.array([len(c.options) + 1 for c in self.choices], dtype=np.int64)

    @cached_property
    def _codes(self) -> dict[bytes, int] | NDArray[np.int64]:
        """Code -> row: an array for a small space, a dict for a large one."""
        if np.prod(self._radix, dtype=object) > DENSE:
            return {a.tobytes(): i for i, a in enumerate(self.archs)}
        dense = np.full(int(np.prod(self._radix)), -1, np.int64)
        dense[self._code(self.archs)] = np.arange(len(self.archs))
        return dense

    def _code(self, archs: Archs) -> NDArray[np.int64]:
        """(n,) one number an arch: options in mixed radix, with room for the inactive -1."""
        weights = np.cumprod(np.concatenate([[1], self._radix[:-1]]))
        return (archs + 1) @ weights

    def _places(self, archs: Archs) -> NDArray[np.int64]:
        codes = self._codes
        if isinstance(codes, dict):
            return np.array([codes.get(a.tobytes(), -1) for a in archs], dtype=np.int64)
        return codes[self._code(archs)]

    def _need_space(self) -> None:
        if not self.choices:
            raise BadInput(f"{self.name}: the space of its architectures is not known; they are names only")

    def find(self, text: str) -> int:
        """Row of an arch that a person wrote: a key, the official string, or JSON of its choices.

        Raises:
            BadInput: JSON that is no arch of the table's space.
            NotFound: the table does not know it.
        """
        text, row = text.strip(), -1
        if text.startswith("{") and self.choices:
            try:
                values = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise BadInput(f"architecture: not JSON ({error})") from error
            arch = from_choices(Choices(self.choices), values.get("choices", values))
            row = int(self.lookup([arch])[0])
        for name in ("key", "text"):
            if row < 0:
                row = _place(self._names[name], text)
        if row < 0 and (arch := self._reading(text)) is not None:
            row = int(self.lookup([arch])[0])
        if row < 0:
            raise NotFound(f"{self.name} has no architecture {text[:80]!r}")
        return row

    def _reading(self, text: str) -> Arch | None:
        """The arch that the table's space reads in a text: another spelling than its own."""
        from nascore.spaces import SPACES

        said = self.space or {}
        if said.get("name") not in SPACES:
            return None
        knobs = {n: _tuples(v) for n, v in said.get("knobs", {}).items()}
        try:
            space: Space = SPACES[said["name"]](**knobs)
            fits = [c.name for c in space.choices()] == [c.name for c in self.choices]
            return space.read(text) if fits else None
        except (AppError, TypeError, ValueError):
            return None

    def arch(self, row: int) -> Arch | None:
        """Option indices of a row; None where the space is not known."""
        return tuple(int(i) for i in self.archs[row]) if self.choices else None

    def described(self, row: int) -> dict[str, Any] | None:
        """Choice name -> value taken of a row; None where the space is not known."""
        arch = self.arch(row)
        if arch is None:
            return None
        return {c.name: c.options[i] for c, i in zip(self.choices, arch, strict=True) if i >= 0}

    def order(self, by: str) -> NDArray[np.int64]:
        """Row numbers, best first, equals by official index or text; rows without a value are left out.

        A metric without direction counts as one to be large.
        """
        values = self.values(by)
        known = np.flatnonzero(~np.isnan(values))
        sign = 1 if self.column(by).direction == "min" else -1
        return known[np.lexsort((self._tie[known], sign * values[known]))]

    @cached_property
    def _tie(self) -> NDArray[np.int64]:
        """(rows,) place of each arch among equals: of its official index, or its text."""
        import pyarrow.compute as pc

        found = self._read(["index"])  # without a column where there is none
        column = found["index"] if found.num_columns else self._names["text"]
        places = np.empty(self.rows, np.int64)
        places[np.from_dlpack(pc.sort_indices(column))] = np.arange(self.rows)  # pyright: ignore
        return places

    def top(self, n: int, by: str) -> pd.DataFrame:
        """The n best rows."""
        return self.frame.iloc[self.order(by)[:n]]

    def rank(self, key: str, metric: str) -> tuple[int, int]:
        """(1-based rank, number of ranked archs); equals share the better rank. Rank 0: it has no value."""
        values, at = self.values(metric), self.find(key)
        known = values[~np.isnan(values)]
        better = known < values[at] if self.column(metric).direction == "min" else known > values[at]
        return (0 if np.isnan(values[at]) else int(better.sum()) + 1), len(known)

    def runs(self, keys: str | Iterable[str]) -> pd.DataFrame:
        """Every training of these archs: row, key, data, seed, epochs, values."""
        return self._some("runs", [keys] if isinstance(keys, str) else list(keys))

    def curves(self, keys: str | Iterable[str]) -> pd.DataFrame:
        """Every curve of these archs: row, key, data, seed, epochs, metric, values (a list, one an epoch)."""
        return self._some("curves", [keys] if isinstance(keys, str) else list(keys))

    def has(self, part: Literal["runs", "curves"]) -> bool:
        """Whether the table knows single trainings, or curves."""
        return (self.folder / f"{part}.parquet").is_file()

    def whole(self, part: Literal["runs", "curves"]) -> pd.DataFrame:
        """Every training, or every curve, of all archs; empty where there are none."""
        import pandas as pd
        import pyarrow.parquet as pq

        if not self.has(part):
            return pd.DataFrame()
        return pq.read_table(self.folder / f"{part}.parquet").to_pandas()

    def _some(self, part: Literal["runs", "curves"], keys: list[str]) -> pd.DataFrame:
        import pandas as pd
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        if not self.has(part):
            return pd.DataFrame()
        asked = pc.is_in(self._names["key"], value_set=pa.array(keys, pa.string()))  # pyright: ignore
        rows = np.flatnonzero(asked.to_numpy())
        trained = self._read([TRAINED_ROW])  # without a column where there is none
        if trained.num_columns:
            rows = np.unique(_numbers(trained[TRAINED_ROW], "int64")[rows])
        return pq.read_table(
            self.folder / f"{part}.parquet", filters=[("row", "in", rows.tolist() or [-1])]
        ).to_pandas()


def _numbers(column: pa.ChunkedArray, kind: Literal["float64", "int64"] = "float64") -> NDArray[Any]:
    """(n,) a column; NaN where there is none. `to_numpy` would load pandas, which takes 0.4 s."""
    found: Any = column.cast(kind).combine_chunks()
    if not len(found):
        return np.empty(0, kind)
    values = np.frombuffer(found.buffers()[1], kind)[found.offset :][: len(found)].copy()
    if found.null_count:
        values[np.from_dlpack(found.is_null().cast("uint8")).astype(bool)] = math.nan
    return values


def _tuples(value: Any) -> Any:
    """Lists of JSON as the tuples that knobs are."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _place(column: pa.ChunkedArray, text: str) -> int:
    """Where a text stands first, -1 for nowhere; made of bytes, since `pa.scalar` would load pandas."""
    import pyarrow as pa
    import pyarrow.compute as pc

    data = text.encode(errors="replace")
    ends = pa.py_buffer(np.array([0, len(data)], np.int32))
    sought = pa.StringArray.from_buffers(1, ends, pa.py_buffer(data))[0]
    return int(pc.index(column, sought.cast(column.type)).as_py())  # pyright: ignore


def _about(folder: Path) -> dict[str, Any]:
    try:
        about = json.loads((folder / "table.json").read_text("utf-8"))
    except FileNotFoundError:
        raise NotFound(f"there is no table called {folder.name!r}") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"table {folder.name}: table.json cannot be read ({error})") from error
    if not isinstance(about, dict) or about.get("v") != VERSION:
        raise BadInput(
            f"table {folder.name}: table.json is of no version known here; the newest is {VERSION}"
        )
    return {"space": None, "choices": None, "rows": 0, "columns": [], **about, "name": folder.name}


def _column(data: Mapping[str, Any]) -> Column:
    protocol = EvaluationProtocol(**data["protocol"])
    return Column(data["name"], data["title"], data["unit"], data["direction"], protocol)


def _choice(data: Mapping[str, Any]) -> Choice:
    when = data.get("when")
    return Choice(data["name"], tuple(data["options"]), (when[0], tuple(when[1])) if when else None)


def choices_json(space: Space) -> list[dict[str, Any]]:
    """A space's choices as they stand in table.json."""
    return [{"name": c.name, "options": list(c.options), "when": c.when} for c in space.choices()]


def check_name(name: str) -> str:
    """The name, if a table may be called so.

    Raises:
        BadInput: anything but 1 to 64 small letters, digits, - and _, the first a letter or digit.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadInput(
            f"{str(name)[:80]!r} cannot name a table; use up to 64 of a-z, 0-9, - and _, the first no sign"
        )
    return name


def default_home() -> Path:
    """Where tables lie when nothing is said: NASCOPE_HOME, by default the project's `data/`."""
    return Path(os.environ.get("NASCOPE_HOME") or PROJECT / "data").absolute()


def places(home: Path | None = None) -> list[Path]:
    """Folders that hold tables: the home's, then the shipped one."""
    own = (home or default_home()) / "tables"
    return [own] if own == PROJECT / "data" / "tables" else [own, PROJECT / "data" / "tables"]


def open_table(name: str, home: Path | None = None) -> Table:
    """A table by its name; one of the home hides a shipped one.

    Raises:
        BadInput: no possible name, or the table cannot be read.
        NotFound: there is no such table.
    """
    for place in places(home):
        folder = place / check_name(name)
        if folder.is_dir() and not folder.is_symlink():
            return Table(folder)
    known = ", ".join(t.name for t in list_tables(home)) or "none yet"
    raise NotFound(f"there is no table called {name!r}; there are: {known}")


def list_tables(home: Path | None = None) -> list[Table]:
    """All tables by name; a folder that cannot be read is left out."""
    found: dict[str, Table] = {}
    for place in places(home):
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            if folder.name in found or folder.is_symlink() or not NAME.fullmatch(folder.name):
                continue
            try:
                found[folder.name] = Table(folder)
            except (BadInput, NotFound):
                continue
    return [found[name] for name in sorted(found)]


def delete(name: str, home: Path | None = None) -> None:
    """Removes a table of the home.

    Raises:
        NotFound: there is none.
        BadInput: it is shipped with the program.
    """
    table = open_table(name, home)
    if table.about.get("shipped") or table.folder.parent != places(home)[0]:
        raise BadInput(f"{name} comes with the program and cannot be deleted")
    aside = table.folder.with_name(f".{name}-deleted-{os.getpid()}")
    table.folder.rename(aside)
    shutil.rmtree(aside)


def export(name: str, file: Path, format: str, home: Path | None = None) -> int:
    """Writes archs and metrics of a table to a file; returns the number of rows.

    Args:
        name: the table.
        file: where to; written aside and renamed.
        format: csv, parquet or json (a list of objects; missing numbers are null).
        home: where tables lie.

    Raises:
        BadInput: another format, or a file that cannot be written.
    """
    table = open_table(name, home)
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        match format:
            case "csv":
                table.frame.to_csv(aside, index=False)
            case "parquet":
                table.frame.to_parquet(aside, index=False, compression="zstd")
            case "json":
                table.frame.to_json(aside, orient="records", double_precision=15)
            case _:
                raise BadInput(f"{format[:20]!r} is no format; there are csv, parquet and json")
        aside.replace(file)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written ({error.strerror})") from error
    finally:
        aside.unlink(missing_ok=True)
    return table.rows


@dataclass(frozen=True)
class Draft:
    """What a table is written from.

    Attributes:
        archs: key, text, `choice.*`, metrics.
        columns: the metrics of `archs`.
        runs: row, key, data, seed, epochs, values; None where there are none.
        curves: pieces of row, key, data, seed, epochs, metric, values; written as they come.
        space: JSON of the space and its choices (`choices_json`), or None.
        about: more fields of table.json: source, licence, notes, skipped, reasons.
    """

    archs: pd.DataFrame
    columns: Sequence[Column]
    runs: pa.Table | None = None
    curves: Iterable[pa.Table] = ()
    space: tuple[dict[str, Any], list[dict[str, Any]]] | None = None
    about: Mapping[str, Any] | None = None


def write_table(draft: Draft, name: str, home: Path | None = None, *, replace: bool = False) -> Table:
    """Writes a table aside and renames it into place.

    Raises:
        BadInput: no possible name, or there is one of this name and `replace` is not set.
        NoSpace: it cannot be written.
    """
    folder = places(home)[0] / check_name(name)
    if folder.is_symlink() or (folder.exists() and not replace):
        raise BadInput(f"there is a table called {name!r} already; delete it or choose another name")
    aside = folder.with_name(f".{name}-new-{os.getpid()}")
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _write(draft, aside, name)
        if folder.exists():
            old = folder.with_name(f".{name}-old-{os.getpid()}")
            folder.rename(old)
            aside.rename(folder)
            shutil.rmtree(old)
        else:
            aside.rename(folder)
    except OSError as error:
        raise NoSpace(
            f"the table cannot be written to {folder.parent} ({error.strerror or error})"
        ) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Table(folder)


def _write(draft: Draft, folder: Path, name: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    archs = pa.Table.from_pandas(draft.archs, preserve_index=False).replace_schema_metadata(None)
    # A table is opened often: lz4 is read three times as fast as zstd, and plain numbers faster than coded.
    words: Any = [f.name for f in archs.schema if not pa.types.is_floating(f.type)]
    pq.write_table(archs, folder / "archs.parquet", compression="lz4", use_dictionary=words)
    if draft.runs is not None and draft.runs.num_rows:
        pq.write_table(draft.runs, folder / "runs.parquet", compression="zstd", row_group_size=1 << 16)
    writer = None
    for piece in draft.curves:
        writer = writer or pq.ParquetWriter(folder / "curves.parquet", piece.schema, compression="zstd")
        writer.write_table(piece, row_group_size=1 << 13)
    if writer is not None:
        writer.close()
    space, choices = draft.space or (None, None)
    about = {"v": VERSION, "name": name, "space": space, "choices": choices, "rows": len(draft.archs)}
    text = json.dumps(
        {**about, "columns": [asdict(c) for c in draft.columns], **(draft.about or {})}, indent=1
    )
    with (folder / "table.json").open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
