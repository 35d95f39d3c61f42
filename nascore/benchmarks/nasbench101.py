"""NAS-Bench-101 (Ying et al., 2019): the TFRecord file, read without TensorFlow.

Each record is a JSON list of module hash, epochs, adjacency, operations, and a base64 protobuf of metrics;
three records for each cell and number of epochs, which are numbered 0, 1, 2 in the file's order. An arch's
text is `adjacency:operations`, as `0110001000010000:input,conv3x3-bn-relu,maxpool3x3,output`, the matrix row
by row. Accuracies are shares of one.
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from nascore.benchmarks.piece import Held, Piece, Source, masked_crc, metric
from nascore.benchmarks.table import Column
from nascore.errors import BadInput
from nascore.spaces.nasbench101 import Nasbench101

FORMAT = "nasbench101"
ORIGIN = "NAS-Bench-101, Ying et al. (Apache-2.0 licence)"
MAX_RECORD = 1 << 20
EACH_RECORD = 3000
STATIC = frozenset({"params"})
NAMES = {2: "seconds", 3: "train_accuracy", 4: "validation_accuracy", 5: "test_accuracy"}
TITLES: dict[str, tuple[str, str, Any]] = {
    "train_accuracy": ("Train accuracy", "share", "max"),
    "validation_accuracy": ("Validation accuracy", "share", "max"),
    "test_accuracy": ("Test accuracy", "share", "max"),
    "train_seconds": ("Training time", "s", "min"),
    "params": ("Parameters", "", "min"),
}


def sniff(held: Held) -> bool:
    """Framing with a valid checksum."""
    return held.kind == "tfrecord"


def source(held: Held) -> Source:
    """The file."""
    return Source(
        FORMAT,
        "NAS-Bench-101 records",
        ORIGIN,
        Nasbench101(),
        partial(_read, held.path),
        column,
        STATIC,
        "accuracies are shares of one; figures are means over the repeats at the end of the training",
    )


def column(data: str, name: str, epochs: int) -> Column | None:
    """`test_accuracy_108`, and `params`."""
    title, unit, direction = TITLES[name]
    if name in STATIC:
        return metric(name, title, unit, direction, data=data, source=ORIGIN)
    split = name.split("_")[0] if name.endswith("accuracy") else ""
    return metric(
        f"{name}_{epochs}",
        f"{title}, {epochs} epochs",
        unit,
        direction,
        data=data,
        split=split,
        epochs=epochs,
        source=ORIGIN,
    )


def records(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """(byte behind it, payload) of each record from byte `start` on.

    Raises:
        BadInput: with the byte at which the file is cut off or a checksum fails.
    """
    with path.open("rb") as file:
        file.seek(start)
        at = start
        while head := file.read(12):
            if len(head) < 12 or masked_crc(head[:8]) != struct.unpack("<I", head[8:])[0]:
                raise BadInput(f"{path.name}: cut off or damaged at byte {at:,}")
            (length,) = struct.unpack("<Q", head[:8])
            if length > MAX_RECORD:
                raise BadInput(
                    f"{path.name}: a record of {length:,} bytes at byte {at:,}; this is no such file"
                )
            body = file.read(length + 4)
            if len(body) < length + 4 or masked_crc(body[:-4]) != struct.unpack("<I", body[-4:])[0]:
                raise BadInput(
                    f"{path.name}: cut off or damaged at byte {at:,}, in a record of {length:,} bytes"
                )
            at += length + 16
            yield at, body[:-4]


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """(number, value) of each field of a protobuf message: int, float, or bytes by wire type.

    Raises:
        ValueError: the message is damaged.
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        field, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            if at + width > len(data):
                raise ValueError("a number beyond the end")
            (value,) = struct.unpack_from("<d" if wire == 1 else "<f", data, at)
            at += width
        elif wire == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field beyond the end")
            value, at = data[at : at + length], at + length
        else:
            raise ValueError(f"wire type {wire}")
        yield field, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise ValueError("a number beyond the end")


def metrics(message: bytes) -> tuple[list[dict[str, float]], int, float]:
    """(evaluations in their order, params, total seconds) of a ModelMetrics message."""
    evaluations: list[dict[str, float]] = []
    params, seconds = 0, 0.0
    for field, value in fields(message):
        if field == 1 and isinstance(value, bytes):
            inside = list(fields(value))
            one = {"epoch": float(next((v for f, v in inside if f == 1 and not isinstance(v, bytes)), 0.0))}
            evaluations.append(one | {NAMES[f]: float(v) for f, v in inside if f in NAMES})
        elif field == 2 and isinstance(value, int):
            params = value
        elif field == 3 and isinstance(value, float):
            seconds = value
    return evaluations, params, seconds


def _read(path: Path, start: int) -> Iterator[Piece]:
    total = path.stat().st_size
    piece = Piece(start, start, total)
    for count, (at, payload) in enumerate(records(path, start), 1):
        _add(piece, payload)
        piece.at = piece.done = at
        if count % EACH_RECORD == 0:
            yield piece
            piece = Piece(at, at, total)
    yield piece


def _add(piece: Piece, payload: bytes) -> None:
    try:
        module, epochs, adjacency, operations, raw = json.loads(payload)
        evaluations, params, seconds = metrics(base64.b64decode(raw, validate=True))
        epochs = int(epochs)
        arch = f"{adjacency}:{operations}"
        if len(adjacency) != len(operations.split(",")) ** 2 or not evaluations:
            raise ValueError("a graph without shape or results")
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error, RecursionError):
        piece.skip("a record that is no list of hash, epochs, adjacency, operations and metrics")
        return
    last = evaluations[-1]
    values = {n: last.get(n) for n in NAMES.values() if n != "seconds"}
    where = {"arch": arch, "data": "cifar10", "seed": None, "epochs": epochs}
    if not piece.archs or piece.archs[-1]["arch"] != arch:
        piece.archs.append({"arch": arch, "module_hash": str(module)})
    piece.runs.append({**where, **values, "train_seconds": seconds or last.get("seconds"), "params": params})
    for name in values:
        curve = [e.get(name, float("nan")) for e in evaluations]
        piece.curves.append(
            {**where, "metric": name, "values": curve, "at": [e["epoch"] for e in evaluations]}
        )
