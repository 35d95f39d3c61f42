"""What a reader of a foreign format gives: pieces of archs, runs and curves, and what its columns mean.

A reader is a module with `sniff(held) -> bool` and `source(held) -> Source`. `Held` looks at a file once for
all of them: what kind it is, and what it holds where that fits into memory.
"""

from __future__ import annotations

import json
import re
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nascore.benchmarks import pickles
from nascore.benchmarks.table import Column, Direction
from nascore.errors import BadInput
from nascore.kinds import EvaluationProtocol
from nascore.space import Space
from nascore.spaces.nasbench201 import EDGES, OPTIONS, Nasbench201

Kind = Literal["folder", "pickle", "zip", "json", "tfrecord", "parquet", "text"]
MAX_JSON = 1 << 30
EACH = 256  # archs in one piece of a reader that has them all in memory


@dataclass
class Piece:
    """What was read since the piece before.

    Attributes:
        at: where to go on; `Source.read(at)` starts behind this piece.
        done, total: progress, in units of the reader's own.
        archs: a list (or frame) of {"arch": text, "index": official number, "data": name, metric: value};
            index and data are optional.
        runs: {"arch", "data", "seed", "epochs", metric: value}: one training each.
        curves: {"arch", "data", "seed", "epochs", "metric", "values"}.
        skipped: reason -> how often.
    """

    at: int
    done: int
    total: int
    archs: Any = field(default_factory=list)
    runs: Any = field(default_factory=list)
    curves: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str, times: int = 1) -> None:
        """Counts what was left out."""
        if times:
            self.skipped[reason] = self.skipped.get(reason, 0) + times


@dataclass(frozen=True)
class Source:
    """A file that a reader has understood.

    Attributes:
        format: the reader's name.
        title: what it is, for people.
        origin: who published it, under which licence.
        space: of its archs, or None where they are texts.
        read: from a place (0 at first) on to the end.
        column: (data, metric, epochs) -> the column of means, or None where the metric has none.
        static: metrics that do not depend on the epochs.
        notes: what a person should know of these numbers.
    """

    format: str
    title: str
    origin: str
    space: Space | None
    read: Callable[[int], Iterator[Piece]]
    column: Callable[[str, str, int], Column | None]
    static: frozenset[str] = frozenset()
    notes: str = ""


class Held:
    """A path and what it is, looked at once."""

    def __init__(self, path: Path, mapping: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.name = path.name
        self.mapping = mapping

    @cached_property
    def head(self) -> bytes:
        """The first 512 bytes; none of a folder."""
        if self.path.is_dir():
            return b""
        with self.path.open("rb") as file:
            return file.read(512)

    @cached_property
    def kind(self) -> Kind:
        """By its first bytes, not by its name."""
        if self.path.is_dir():
            return "folder"
        head = self.head
        if not head:
            raise BadInput(f"{self.name} is empty")
        if head[:2] == b"PK":
            return "pickle" if self._is_torch() else "zip"
        if head[:4] == b"PAR1":
            return "parquet"
        if self._is_pickle():
            return "pickle"
        if is_tfrecord(head):
            return "tfrecord"
        return "json" if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "text"

    def _is_pickle(self) -> bool:
        head = self.head
        if head[:3] == b"BZh" or (head[:1] == b"\x80" and head[1] <= 5):
            return True
        return head[:2] == b"\x1f\x8b" or self.path.suffix in (
            ".pickle",
            ".pkl",
            ".pth",
            ".pt",
            ".bench",
            ".pbz2",
        )

    def _is_torch(self) -> bool:
        try:
            with zipfile.ZipFile(self.path) as archive:
                return any(n.endswith("/data.pkl") and n.count("/") == 1 for n in archive.namelist())
        except (zipfile.BadZipFile, NotImplementedError, struct.error) as error:
            raise BadInput(
                f"{self.name}: a damaged or cut off zip of {self.path.stat().st_size:,} bytes ({error})"
            ) from error

    @cached_property
    def object(self) -> Any:
        """What a pickle holds; None for anything else."""
        return pickles.load_path(self.path) if self.kind == "pickle" else None

    @cached_property
    def json(self) -> Any:
        """What a JSON file holds; None for anything else."""
        return read_json(self.path) if self.kind == "json" else None


def read_json(path: Path) -> Any:
    """A publisher's JSON, in which NaN and Infinity stand.

    Raises:
        BadInput: over 1 GiB, not JSON, cut off, not UTF-8, or nested too deep.
    """
    if (size := path.stat().st_size) > MAX_JSON:
        raise BadInput(f"{path.name} has {size:,} bytes; the limit for JSON is {MAX_JSON:,}")
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise BadInput(
            f"{path.name}: not JSON, or cut off: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path.name}: byte {error.start} is no text") from error
    except (RecursionError, ValueError) as error:
        raise BadInput(f"{path.name}: JSON that cannot be read ({str(error)[:80]})") from error


def _crc_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _crc_table()


def masked_crc(data: bytes) -> int:
    """TFRecord's checksum: CRC-32C, rotated right by 15 bits, plus a constant."""
    crc, table = 0xFFFFFFFF, _CRC
    for byte in data:
        crc = table[(crc ^ byte) & 0xFF] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def is_tfrecord(head: bytes) -> bool:
    """Whether the first twelve bytes are a length and its checksum."""
    return len(head) >= 12 and masked_crc(head[:8]) == struct.unpack("<I", head[8:12])[0]


def number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    value = float(value)
    return value if np.isfinite(value) else None


def slug(text: str) -> str:
    """Small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")


def metric(
    name: str,
    title: str,
    unit: str,
    direction: Direction,
    *,
    data: str,
    split: str = "",
    epochs: int = 0,
    source: str,
) -> Column:
    """A column with its protocol; the number of seeds is filled in when they have been counted."""
    return Column(name, title, unit, direction, EvaluationProtocol(data, split, epochs, "", source))


BETTER: tuple[tuple[str, Direction, str], ...] = (
    (r"(^|_)(std|stdev|var|variance|deviation)(_|$)", "", ""),
    (r"time|seconds|runtime|wall|elapsed", "min", "s"),
    (r"energy", "min", "mJ"),
    (r"lat(ency)?(_|$|m)|_ms$", "min", "ms"),
    (r"loss|perplexity|nll|brier", "min", ""),
    (r"error|ece", "min", ""),
    (r"acc|top1|perf|miou|ssim|auc|score|psnr", "max", ""),
    (r"flop|macs|param|size|memory|co2", "min", ""),
)


def guess(name: str) -> tuple[Direction, str]:
    """(direction, unit) that a metric's name suggests."""
    low = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for pattern, direction, unit in BETTER:
        if re.search(pattern, low):
            known = [
                u
                for e, u in (
                    ("_ms", "ms"),
                    ("_s", "s"),
                    ("_mj", "mJ"),
                    ("_m", "M"),
                    ("_kwh", "kWh"),
                    ("_g", "g"),
                )
                if low.endswith(e)
            ]
            return direction, known[0] if known else unit
    return "", ""


def words(name: str) -> str:
    """A column's name as a person reads it."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name).replace("_", " ").strip()
    return split[:1].upper() + split[1:]


def split_of(name: str) -> str:
    """train, validation or test where the name says so."""
    low = name.lower()
    for split, pattern in (
        ("validation", r"valid|(^|_)val(_|$)"),
        ("test", "test"),
        ("train", r"train_(acc|loss)"),
    ):
        if re.search(pattern, low):
            return split
    return ""


TOPOLOGY = Nasbench201()


def topology(ops: Iterable[int]) -> str:
    """The official string of six operation indices in the order of the official strings."""
    names = [OPTIONS[int(o)] for o in ops]
    groups: list[str] = []
    for target in (1, 2, 3):
        inside = "|".join(f"{n}~{s}" for n, (s, t) in zip(names, EDGES, strict=True) if t == target)
        groups.append(f"|{inside}|")
    return "+".join(groups)


@lru_cache(maxsize=1)
def official_order() -> tuple[str, ...]:
    """The 15,625 strings in the official order of NAS-Bench-201 and NATS-Bench.

    `official_order.npy` holds each cell's number in base five. Source: `meta_archs` of NATS-Bench (MIT); the
    order is arbitrary and cannot be computed. Files that give values by position need it.
    """
    codes = np.load(Path(__file__).with_name("official_order.npy"), allow_pickle=False).astype(np.int64)
    digits = codes[:, None] // 5 ** np.arange(6) % 5
    return tuple(topology(row) for row in digits.tolist())


def pieces(
    items: list[Any], start: int, fill: Callable[[Piece, Any], None], each: int = EACH
) -> Iterator[Piece]:
    """Pieces of a list that is in memory whole; `fill` adds one item to a piece."""
    for at in range(start, len(items), each):
        end = min(at + each, len(items))
        piece = Piece(end, end, len(items))
        for item in items[at:end]:
            fill(piece, item)
        yield piece
