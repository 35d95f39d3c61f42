"""Predictions from a file: probabilities or logits with labels, read without running anything and checked.

`.npz` with the arrays `probabilities` or `logits` (n, classes) and `labels` (n,), or CSV and Parquet with a
column `label` and one a class (`p0`, `p1`, ... or `logit_0`, ...). Sizes are read before
anything is unpacked.
"""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.calibration_checks import KINDS, Predictions, checked

MAX_BYTES = 1 << 30  # of a file, and of what it holds when unpacked
MAX_TEXT = 1 << 28
MAX_VALUES = 100_000_000
COLUMN = re.compile(r"(p|prob|probability|probabilities|logit|logits)_?(\d{1,6})")
FIELDS = (*KINDS, "labels")
SEPARATORS = (",", ";", "\t")


def read(path: Path | str, *, labeled: bool = True) -> Predictions:
    """Predictions of a file on the disk; the ending of its name says its format.

    Raises:
        BadInput: no such file, no such format, over 1 GiB, or what `checked` refuses.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if file.is_dir():
            raise BadInput(f"{file.name}: a folder; name a .npz, .csv or .parquet file")
        if size > MAX_BYTES:
            raise BadInput(f"{file.name}: {size:,} bytes; the limit is {MAX_BYTES:,}")
        with file.open("rb") as stream:
            return read_stream(stream, file.name, labeled=labeled)
    except OSError as error:
        raise BadInput(f"{file.name}: cannot be read ({error.strerror or 'no such file'})") from error


def read_stream(stream: BinaryIO, name: str, *, labeled: bool = True) -> Predictions:
    """Predictions of an open file, or of an uploaded one.

    Args:
        stream: binary, can be sought in.
        name: its name, for its ending and for messages.
        labeled: whether it must have labels.
    """
    ending = Path(name).suffix.lower()
    readers = {".npz": _npz, ".csv": _csv, ".parquet": _parquet}
    if ending not in readers:
        raise BadInput(
            f"{name[:80]}: the format {ending or 'without an ending'} is not known; "
            "give .npz, .csv or .parquet"
        )
    try:
        arrays = readers[ending](stream, name)
    except BadInput:
        raise
    except (
        ValueError,
        KeyError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        OSError,
        NotImplementedError,
        RuntimeError,
        MemoryError,
    ) as error:
        raise BadInput(f"{name[:80]}: damaged or no {ending} file ({str(error)[:120]})") from error
    return checked(arrays, name, labeled=labeled)


def _npz(stream: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    """The arrays that are asked for; sizes are read from the headers before anything is unpacked."""
    with zipfile.ZipFile(stream) as archive:
        there = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
        wanted = {n: i for n, i in there.items() if n in FIELDS}
        if not wanted:
            raise BadInput(f"{name}: holds {_list(there)}; wanted are probabilities or logits, and labels")
        if (total := sum(i.file_size for i in wanted.values())) > MAX_BYTES:
            raise BadInput(f"{name}: {total:,} bytes unpacked; the limit is {MAX_BYTES:,}")
        out: dict[str, NDArray[Any]] = {}
        for field, info in wanted.items():
            with archive.open(info) as file:
                out[field] = _array(file, info.file_size, f"{name}: {field}")
    return out


def _array(file: Any, size: int, where: str) -> NDArray[Any]:
    """One array, after its header has been believed and compared with the size."""
    head = io.BytesIO(file.read(min(size, 1 << 16)))
    version = np.lib.format.read_magic(head)
    if version not in ((1, 0), (2, 0)):
        raise BadInput(f"{where}: an array of format {version}; 1.0 and 2.0 are known")
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, kind = header(head)
    if kind.hasobject:
        raise BadInput(f"{where}: an array of Python objects, which are never unpacked; save plain numbers")
    count = int(np.prod(shape, dtype=object))
    if count > MAX_VALUES:
        raise BadInput(f"{where}: {count:,} values; the limit is {MAX_VALUES:,}")
    if head.tell() + count * kind.itemsize > size:
        raise BadInput(f"{where}: cut off; its header promises {count:,} values")
    head.seek(0)
    rest = io.BytesIO(head.read() + file.read(size))
    return np.lib.format.read_array(rest, allow_pickle=False)


def _csv(stream: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    import pandas as pd

    data = stream.read(MAX_TEXT + 1)
    if len(data) > MAX_TEXT:
        raise BadInput(f"{name}: over {MAX_TEXT:,} bytes of text; save it as .npz or .parquet")
    first = data.partition(b"\n")[0]
    frame: Any = pd.read_csv(io.BytesIO(data), sep=max(SEPARATORS, key=lambda s: first.count(s.encode())))
    found = {str(c): frame[c].to_numpy() for c in frame.columns}
    return _columns(found, list(found), name)


def _parquet(stream: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(stream) as file:
            about = file.metadata
            size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
            if size > MAX_BYTES or about.num_rows * about.num_columns > MAX_VALUES:
                raise BadInput(f"{name}: {size:,} bytes unpacked; the limit is {MAX_BYTES:,}")
            names = file.schema_arrow.names
            found = file.read([c for c in names if _wanted(c)])
    except pa.ArrowException as error:
        raise BadInput(f"{name}: damaged or no Parquet file ({str(error)[:120]})") from error
    columns: dict[str, NDArray[Any]] = {}
    for c in found.column_names:
        values = found[c].to_numpy()
        columns[c] = np.array(values.tolist()) if values.dtype == object else values
    return _columns(columns, names, name)


def _wanted(column: str) -> bool:
    return column in ("label", *FIELDS) or COLUMN.fullmatch(column) is not None


def _columns(found: Mapping[str, NDArray[Any]], names: Sequence[str], name: str) -> dict[str, NDArray[Any]]:
    """Arrays of columns: `label`, and one a class or one of lists; `names` are all that the file has."""
    out = {f: found[f] for f in FIELDS if f in found}
    if "label" in found:
        out["labels"] = found["label"]
    for kind in KINDS:
        numbered = {
            int(hit[2]): v
            for c, v in found.items()
            if (hit := COLUMN.fullmatch(c)) and hit[1].startswith("logit") == (kind == "logits")
        }
        if numbered and sorted(numbered) != list(range(len(numbered))):
            missing = next(i for i in range(len(numbered) + 1) if i not in numbered)
            raise BadInput(f"{name}: {kind} have no column for class {missing}; they count from 0")
        if numbered:
            out[kind] = np.stack([numbered[i] for i in range(len(numbered))], 1)
    if not any(kind in out for kind in KINDS):
        hint = "; the first line must name the columns" if all(map(_number, names)) else ""
        raise BadInput(
            f"{name}: has the columns {_list(names)}; wanted are label and p0, p1, ... or logit_0, ...{hint}"
        )
    return out


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _list(names: Iterable[str]) -> str:
    every = list(names)
    shown = [n[:40] for n in every[:8]]
    return ", ".join(shown) + (", ..." if len(every) > 8 else "") if shown else "nothing"
