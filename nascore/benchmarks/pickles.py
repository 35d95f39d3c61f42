"""Pickles and torch files as plain data: containers, numbers, texts and numpy arrays, nothing else.

A pickle is a program. Ours is read by an unpickler that knows a dozen names, each answered by a function of
our own, and refuses any other by its name before it is looked up. Sizes are bounded on the way in: bytes
after decompression, their ratio to the file, and the memory that one load may take.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import pickle
import resource
import struct
import zipfile
import zlib
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from nascore.errors import BadInput, NoSpace

MAX_BYTES = 16 << 30  # of one decompressed pickle
RATIO = 500  # decompressed to compressed; result files lie between 3 and 60
FREE_BYTES = 64 << 20  # below this much the ratio does not matter
SPARE_MEMORY = 1 << 30  # what a load may take besides its share per byte
MEMORY_PER_BYTE = 12  # Python objects to pickle bytes, measured on the official records: 6 to 9
TORCH_MAGIC = 0x1950A86A20F9469CFC6C
STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class Bounded(io.RawIOBase):
    """A stream of decompressed bytes that stops a bomb.

    Args:
        source: gives decompressed bytes.
        size: bytes of the compressed file.
        name: for the refusal.
    """

    def __init__(self, source: IO[bytes], size: int, name: str, limit: int = MAX_BYTES) -> None:
        self.name = name
        self.read_some: Callable[[int], bytes] = getattr(source, "read1", source.read)  # up to the damage
        self.limit = min(limit, max(FREE_BYTES, size * RATIO))
        self.count = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills the buffer; raises BadInput above the limit or where the file is damaged."""
        try:
            data = self.read_some(len(buffer))
        except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile) as error:
            raise BadInput(
                f"{self.name}: cut off or damaged behind decompressed byte {self.count:,} ({error})"
            ) from error
        self.count += len(data)
        if self.count > self.limit:
            raise BadInput(f"{self.name}: expands to more than {self.limit:,} bytes; this is no result file")
        buffer[: len(data)] = data
        return len(data)


class Refused(pickle.UnpicklingError):
    """A name that is not allowed."""


def _scalar(dtype: np.dtype[Any], data: bytes = b"") -> Any:
    """A numpy scalar as a Python number or text."""
    _check(dtype)
    raw = data.encode("latin-1") if isinstance(data, str) else data
    if dtype.itemsize != len(raw):
        raise pickle.UnpicklingError(f"a number of type {dtype} with {len(raw)} bytes")
    return np.frombuffer(raw, dtype)[0].item()


class _Array:
    """Stands for an array until its state comes; `array` is the real one."""

    array: np.ndarray[Any, Any] | list[Any]

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, fortran, data = state
        if isinstance(data, list):
            # Ragged arrays (HW-NAS-Bench) hold Python objects, which came through the same gate.
            if len(shape) != 1:
                raise Refused("an array of Python objects")
            self.array = data
            return
        _check(dtype)
        raw = data.encode("latin-1") if isinstance(data, str) else data
        size = int(np.prod(shape, dtype=object))
        if size * dtype.itemsize != len(raw):
            raise pickle.UnpicklingError(f"an array of shape {shape} with {len(raw)} bytes")
        self.array = np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C")


def _array(*_: Any) -> _Array:
    return _Array()


def _frombuffer(data: Any, dtype: Any, shape: Any, order: str) -> np.ndarray[Any, Any]:
    """How protocol 5 writes a contiguous array."""
    _check(dtype)
    return np.frombuffer(bytes(data), dtype).reshape(shape, order="F" if order == "F" else "C")


def _dtype(name: object, *_: Any) -> np.dtype[Any]:
    return np.dtype(str(name))


def _check(dtype: object) -> None:
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise Refused("numpy object dtype")


def _encode(text: object, encoding: object = "latin1") -> bytes:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise Refused("_codecs.encode with another encoding than latin-1")
    return text.encode("latin-1")


def _tensor(
    storage: np.ndarray[Any, Any], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> np.ndarray[Any, Any]:
    """A torch tensor as a numpy array."""
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if min((offset, *stride, *shape)) < 0 or (0 not in shape and last >= len(storage)):
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], shape, [s * storage.itemsize for s in stride], writeable=False
    )
    return view.copy()


def _defaultdict(factory: object = None, *_: Any) -> dict[Any, Any]:
    """A defaultdict as one without a factory."""
    return defaultdict(None)


_NUMPY: dict[str, Callable[..., Any]] = {
    f"numpy.{core}.{name}": made
    for core in ("core", "_core")
    for name, made in (
        ("multiarray.scalar", _scalar),
        ("multiarray._reconstruct", _array),
        ("numeric._frombuffer", _frombuffer),
    )
}
ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": OrderedDict,
    "collections.defaultdict": _defaultdict,
    "numpy.dtype": _dtype,
    "numpy.ndarray": _Array,
    "_codecs.encode": _encode,
    "torch._utils._rebuild_tensor_v2": _tensor,
    **{
        f"{m}.{n}": t
        for m in ("builtins", "__builtin__")
        for n, t in (("set", set), ("frozenset", frozenset))
    },
    **{f"builtins.{t.__name__}": t for t in (dict, list, int, float)},
    **{f"torch.{name}": name for name in STORAGES},
    **_NUMPY,
}


class Plain(pickle.Unpickler):
    """An unpickler of plain data; see `ALLOWED` for the names it knows."""

    def __init__(self, file: Any, storage: Callable[[str, str, int], Any] | None = None) -> None:
        super().__init__(file, encoding="latin1")
        self.file = file
        self.storage = storage
        self.arrays = False

    def find_class(self, module: str, name: str) -> Any:
        """Our stand-in for an allowed name."""
        full = f"{module}.{name}"
        if full not in ALLOWED:
            raise Refused(full[:120])
        self.arrays = self.arrays or ALLOWED[full] is _array
        return ALLOWED[full]

    def persistent_load(self, pid: Any) -> Any:
        """The numbers of a torch storage."""
        if self.storage is None or not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage":
            raise Refused("an object outside the file")
        _, kind, key, _, count = pid
        return self.storage(str(kind), str(key), int(count))


def load(file: IO[bytes] | io.RawIOBase, name: str, size: int) -> Any:
    """The object of one pickle.

    Args:
        file: a stream at the start of the pickle; what follows it stays unread.
        name: the file's name, for refusals.
        size: about how many bytes there are to read, for the bound on memory.

    Raises:
        BadInput: it names something that is not plain data, is cut off, or is no pickle.
        NoSpace: it would take more memory than there is.
    """
    return _load(Plain(file), name, size)


def _load(unpickler: Plain, name: str, size: int) -> Any:
    try:
        with _memory(size, name):
            value = unpickler.load()
            return _settled(value) if unpickler.arrays else value
    except Refused as error:
        raise BadInput(f"{name}: refused, because it asks for {error}, which is not plain data") from error
    except MemoryError as error:
        raise BadInput(f"{name}: asks for more memory than its size explains") from error
    except BadInput:
        raise
    except (pickle.UnpicklingError, EOFError) as error:
        raise BadInput(f"{name}: no readable pickle, or cut off{_near(unpickler)} ({error})") from error
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise BadInput(f"{name}: a damaged pickle ({error})") from error


def _near(unpickler: Plain) -> str:
    """Up to where the file was read, if that can be told."""
    try:
        return f", before byte {unpickler.file.tell():,}"
    except (OSError, ValueError):
        return ""


@contextlib.contextmanager
def _memory(size: int, name: str) -> Iterator[None]:
    """A ceiling on this process's memory while one pickle is read."""
    need = SPARE_MEMORY + MEMORY_PER_BYTE * size
    if size > FREE_BYTES and need > available():
        raise NoSpace(
            f"{name}: reading this in one go takes about {need >> 30} GB of memory and {available() >> 30} "
            "GB are free; import the folder of single files of the same benchmark instead"
        )
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    ceiling = _mapped() + need
    if 0 < soft < ceiling or 0 < hard < ceiling:
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _mapped() -> int:
    """Bytes of address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def available() -> int:
    """Bytes of memory that are free, within the container's limit where there is one."""
    found = [1 << 62]
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) * 1024)
    top, used = Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")
    with contextlib.suppress(OSError, ValueError):
        found.append(int(top.read_text()) - int(used.read_text()))
    return max(min(found), 0)


def _settled(value: Any, depth: int = 0) -> Any:
    """The value with stand-ins for arrays replaced; only looks into containers that can hold one."""
    if isinstance(value, _Array):
        return value.array
    if depth > 64:
        raise BadInput("a pickle nested deeper than 64")
    if isinstance(value, dict):
        for k, v in value.items():
            if isinstance(v, _Array | dict | list | tuple):
                value[k] = _settled(v, depth + 1)
    elif isinstance(value, list):
        if any(isinstance(v, _Array | dict | list | tuple) for v in value):
            value[:] = [_settled(v, depth + 1) for v in value]
    elif isinstance(value, tuple) and any(isinstance(v, _Array | dict | list | tuple) for v in value):
        return tuple(_settled(v, depth + 1) for v in value)
    return value


def load_path(path: Path) -> Any:
    """The object of a pickle file: plain, bz2 or gzip, or a torch file of either container.

    Raises:
        BadInput: it is no such file, is cut off, expands too far, or holds more than plain data.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head[:2] == b"PK":
            return load_torch_zip(path)
        if head[:3] == b"BZh":
            return _compressed(bz2.BZ2File(file), path, size)
        if head[:2] == b"\x1f\x8b":
            return _compressed(gzip.GzipFile(fileobj=file), path, size)
        first = load(file, path.name, size)
        return load_torch_legacy(file, path.name, size) if first == TORCH_MAGIC else first


def _compressed(stream: Any, path: Path, size: int) -> Any:
    """The object of a compressed pickle, which takes some twenty times its bytes on the disk."""
    bounded = io.BufferedReader(Bounded(stream, size, path.name), 1 << 18)
    return load(bounded, path.name, size * 20)


def load_torch_zip(path: Path) -> Any:
    """The object of a torch file as PyTorch 1.6 and later write it: a zip with `<name>/data.pkl`."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {i.filename: i for i in archive.infolist()}
            found = [n for n in members if n.count("/") == 1 and n.endswith("/data.pkl")]
            if len(found) != 1:
                raise BadInput(f"{path.name}: a zip without a data.pkl; this is no torch file")
            root = found[0].removesuffix("data.pkl")

            def storage(kind: str, key: str, count: int) -> np.ndarray[Any, Any]:
                data = read_member(archive, f"{root}data/{key}", path.name)
                if kind not in STORAGES or len(data) != count * np.dtype(STORAGES[kind]).itemsize:
                    raise Refused(f"a tensor storage of kind {kind}")
                return np.frombuffer(data, STORAGES[kind])

            size = members[found[0]].file_size
            check_member(members[found[0]], path.name)
            with archive.open(found[0]) as file:
                bounded = io.BufferedReader(Bounded(file, path.stat().st_size, path.name), 1 << 18)
                return _load(Plain(bounded, storage), path.name, size)
    except (zipfile.BadZipFile, NotImplementedError, KeyError, struct.error) as error:
        raise BadInput(
            f"{path.name}: a damaged or cut off zip of {path.stat().st_size:,} bytes ({error})"
        ) from error


def check_member(member: zipfile.ZipInfo, name: str) -> None:
    """Refuses a member of a zip that says it expands too far."""
    if member.file_size > min(MAX_BYTES, max(FREE_BYTES, member.compress_size * RATIO)):
        raise BadInput(
            f"{name}: {member.filename[:80]} expands from {member.compress_size:,} to {member.file_size:,} "
            "bytes; this is no result file"
        )


def read_member(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    """One member of a zip, bounded.

    Raises:
        BadInput: there is no such member, it is damaged, or it expands too far.
    """
    try:
        info = archive.getinfo(member)
        check_member(info, name)
        with archive.open(info) as file:
            return io.BufferedReader(Bounded(file, info.compress_size, name)).read()
    except (KeyError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BadInput(f"{name}: {member[:80]} is missing or damaged in the zip ({error})") from error


@dataclass
class _Later:
    """A storage of the old container, whose numbers stand behind the object: refused when it is used."""

    name: str

    def __getitem__(self, _: Any) -> Any:
        raise Refused("tensors in the old torch container")

    def __len__(self) -> int:
        raise Refused("tensors in the old torch container")


def load_torch_legacy(file: IO[bytes], name: str, size: int) -> Any:
    """The object of an old torch file, whose magic number has been read already."""
    if load(file, name, size) != 1001:
        raise BadInput(f"{name}: a torch file of an unknown protocol")
    load(file, name, size)
    unpickler = Plain(file, lambda kind, key, count: _Later(key))
    return _load(unpickler, name, size)


def first_bytes(path: Path, count: int = 512) -> bytes:
    """The first bytes, decompressed where the file is bz2 or gzip; empty where it is damaged.

    Enough to recognize a format without reading it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(max(count, 16))
            if head[:3] == b"BZh":
                return bz2.BZ2Decompressor().decompress(head + file.read(1 << 20), count)
            return head[:count]
    except (OSError, EOFError):
        return b""
