"""Latencies of NAS-Bench-201 cells on devices: HW-NAS-Bench, BRP-NAS, HELP.

HW-NAS-Bench (Li et al., 2021) is one pickle of columns by official index; BRP-NAS (Dudziak et al., 2020) a
pickle of operations -> seconds; HELP (Lee et al., 2021) a torch list of milliseconds by official index, or a
folder of such lists. A list of another length than 15,625 belongs to another space: its archs are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nascore.benchmarks import pickles
from nascore.benchmarks.piece import (
    TOPOLOGY,
    Held,
    Piece,
    Source,
    guess,
    metric,
    number,
    official_order,
    pieces,
    slug,
    topology,
    words,
)
from nascore.benchmarks.table import Column
from nascore.errors import BadInput

FORMAT = "hw_latency"
CELLS = 15_625
HW = "HW-NAS-Bench, Li et al. (MIT licence)"
BRP = "BRP-NAS, Dudziak et al. (Apache-2.0 licence)"
HELP = "HELP, Lee et al. (MIT licence)"


def sniff(held: Held) -> bool:
    """One of the three shapes."""
    if held.kind == "folder":
        return bool(_lists(held.path))
    found = held.object
    return _is_hw(found) or _is_brp(found) or _is_list(found)


def _is_hw(found: object) -> bool:
    return isinstance(found, dict) and any(isinstance(found.get(n), dict) for n in ("nasbench201", "fbnet"))


def _is_brp(found: object) -> bool:
    if not isinstance(found, dict) or not found:
        return False
    key, value = next(iter(found.items()))
    return isinstance(key, tuple) and len(key) == 6 and number(value) is not None


def _is_list(found: object) -> bool:
    if isinstance(found, np.ndarray):
        return found.ndim == 1 and found.dtype.kind in "fiu"
    return isinstance(found, list) and bool(found) and all(number(v) is not None for v in found[:50])


def _lists(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*.pt"))
    return [f for f in found if pickles.first_bytes(f, 2) == b"PK" and f.stat().st_size < 64 << 20]


def source(held: Held) -> Source:
    """One of the three."""
    if held.kind == "folder":
        loaded = {f.stem: pickles.load_path(f) for f in _lists(held.path)}
        return _help({name: values for name, values in loaded.items() if _is_list(values)}, held.name)
    found = held.object
    if _is_hw(found):
        return _hw(found["nasbench201"], held.name) if "nasbench201" in found else _blocks(found["fbnet"])
    return _brp(found, held.path.stem) if _is_brp(found) else _help({held.path.stem: found}, held.name)


def _brp(found: dict[tuple[int, ...], Any], device: str) -> Source:
    def add(piece: Piece, item: tuple[Any, Any]) -> None:
        ops, value = item
        if not isinstance(ops, tuple) or len(ops) != 6 or not all(o in range(5) for o in ops):
            piece.skip("a key that is not six operation digits")
            return
        seconds = number(value)
        piece.archs.append({"arch": topology(ops), "latency_ms": None if seconds is None else 1000 * seconds})

    def column(data: str, name: str, epochs: int) -> Column:
        return metric(name, f"Latency on {device}", "ms", "min", data="cifar10", source=BRP)

    def read(start: int) -> Iterator[Piece]:
        return pieces(list(found.items()), start, add, 2048)

    notes = f"measured on {device} after dead edges were removed; published in seconds, here in milliseconds"
    return Source(FORMAT, f"BRP-NAS latencies, {device}", BRP, TOPOLOGY, read, column, notes=notes)


def _help(found: dict[str, Any], name: str) -> Source:
    lengths = {len(v) for v in found.values()}
    if len(lengths) != 1:
        raise BadInput(f"{name}: the lists have different lengths ({', '.join(map(str, sorted(lengths)))})")
    (length,) = lengths
    archs = official_order() if length == CELLS else tuple(f"index {i}" for i in range(length))
    several = len(found) > 1

    def add(piece: Piece, index: int) -> None:
        row = {_latency(d, several=several): number(v[index]) for d, v in found.items()}
        piece.archs.append({"arch": archs[index], "index": index, **row})

    def column(data: str, name: str, epochs: int) -> Column:
        device = next(d for d in found if _latency(d, several=several) == name)
        return metric(name, f"Latency on {device}", "ms", "min", data="cifar10", source=HELP)

    def read(start: int) -> Iterator[Piece]:
        return pieces(list(range(length)), start, add, 2048)

    space = TOPOLOGY if length == CELLS else None
    return Source(
        FORMAT, "HELP latencies", HELP, space, read, column, notes="milliseconds, by official index"
    )


def _latency(device: str, *, several: bool) -> str:
    return f"{slug(device)}_latency_ms" if several else "latency_ms"


def _hw(found: dict[str, Any], name: str) -> Source:
    columns: dict[str, tuple[str, Any]] = {}
    order = official_order()
    for data, entry in found.items():
        _check_order(entry.get("config"), order, f"{name}: {data}")
        for key, values in entry.items():
            if key in ("config", "average_hw_metric") or not re.search("latency|energy|intensity", key):
                continue
            if len(values) != CELLS:
                raise BadInput(f"{name}: {data}.{key} has {len(values):,} values instead of {CELLS:,}")
            unit = {"latency": "_ms", "energy": "_mj"}.get(key.rpartition("_")[2], "")
            columns[f"{slug(data)}_{key}{unit}"] = (data, values)

    def add(piece: Piece, index: int) -> None:
        row = {c: number(values[index]) for c, (_, values) in columns.items()}
        piece.archs.append({"arch": order[index], "index": index, **row})

    def column(data: str, name: str, epochs: int) -> Column:
        unit: Any = {"_ms": "ms", "_mj": "mJ"}.get(name[-3:], "")
        direction: Any = "min" if unit else ""
        data, words = columns[name][0], name.removesuffix("_ms").removesuffix("_mj").replace("_", " ")
        return metric(name, words[0].upper() + words[1:], unit, direction, data=data, source=HW)

    def read(start: int) -> Iterator[Piece]:
        return pieces(list(range(CELLS)), start, add, 2048)

    notes = (
        "the API's average_hw_metric, a product of nine columns, is left out; so are FBNet's look-up tables"
    )
    return Source(FORMAT, "HW-NAS-Bench", HW, TOPOLOGY, read, column, notes=notes)


def _blocks(found: dict[str, Any]) -> Source:
    """FBNet's part alone: metric -> block -> cost, one row a block."""
    tables = {k: v for k, v in found.items() if k != "average_hw_metric" and isinstance(v, dict)}
    blocks = list(dict.fromkeys(b for table in tables.values() for b in table))
    if not blocks:
        raise BadInput("fbnet: no metric with costs by block stands in it")

    def add(piece: Piece, block: str) -> None:
        piece.archs.append({"arch": str(block), **{slug(k): number(t.get(block)) for k, t in tables.items()}})

    def column(data: str, name: str, epochs: int) -> Column:
        direction, unit = guess(name)
        return metric(name, words(name), unit, direction, data="", source=HW)

    def read(start: int) -> Iterator[Piece]:
        return pieces(blocks, start, add, 2048)

    notes = "one row a block, not a network: add the blocks, stem and head of a network to get its cost"
    return Source(FORMAT, "HW-NAS-Bench, FBNet's blocks", HW, None, read, column, notes=notes)


def _check_order(config: Any, order: Sequence[str], where: str) -> None:
    """The file's own strings must be those of the official order."""
    entries = config.items() if isinstance(config, dict) else enumerate(config if config is not None else ())
    for index, entry in entries:
        text = entry.get("arch_str") if isinstance(entry, dict) else None
        if text is not None and (not 0 <= int(index) < CELLS or order[int(index)] != text):
            raise BadInput(f"{where}: index {index} is {text[:100]}, which is not the official order")
