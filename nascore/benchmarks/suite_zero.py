"""NAS-Bench-Suite-Zero (Krishnakumar et al., 2022): zero-cost scores as JSON, in each of its three forms.

Data set -> printed arch -> scores; the same below one more level, the benchmark's name, with bare numbers; or
the list of one job (`benchmark--<benchmark>--<data>--<start>.json`). -1e8 means "not defined" and becomes a
missing value, as do NaN and infinities. NAS-Bench-201 tuples become official strings.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from nascore.benchmarks.piece import TOPOLOGY, Held, Piece, Source, metric, number, pieces, slug, topology
from nascore.benchmarks.table import Column
from nascore.spaces.darts import Darts

FORMAT = "suite_zero"
ORIGIN = "NAS-Bench-Suite-Zero, Krishnakumar et al. (Apache-2.0 licence)"
PROXIES = (
    "epe_nas", "fisher", "flops", "grad_norm", "grasp", "jacov", "l2_norm", "nwot", "params", "plain", "snip",
    "synflow", "zen",
)  # fmt: skip
UNDEFINED = -1e8
TO_OFFICIAL = (1, 0, 3, 2, 4)  # NASLib's operation -> the official one
POSITIONS = (0, 1, 3, 2, 4, 5)  # where NASLib's tuple has the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
Entry = tuple[str, str, dict[str, Any]]  # data, printed arch, values


def sniff(held: Held) -> bool:
    """Entries with the scores of at least one known proxy."""
    return bool(found := held.json) and any(_is_entry(e) for _, _, e in entries(found, held.name)[:5])


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and bool(set(PROXIES) & set(entry))


def entries(found: Any, name: str) -> list[Entry]:
    """All entries of any of the three forms."""
    if isinstance(found, list):
        parts = name.removesuffix(".json").split("--")
        data = parts[2] if len(parts) > 2 else "unknown"
        return [(data, str(e["arch"]), e) for e in found if isinstance(e, dict) and "arch" in e]
    if not isinstance(found, dict):
        return []
    out: list[Entry] = []
    for data, archs in found.items():
        if not isinstance(archs, dict) or not archs:
            continue
        inner = next(iter(archs.values()))
        if _is_entry(inner):
            out += [(data, arch, e) for arch, e in archs.items()]
        elif isinstance(inner, dict) and inner and _is_entry(next(iter(inner.values()))):
            out += [(d, arch, e) for d, some in archs.items() for arch, e in some.items()]
    return out


def source(held: Held) -> Source:
    """The file."""
    items = entries(held.json, held.name)
    texts = [arch for _, arch, _ in items[:200]]
    is_topology = all(official(t) for t in texts) and not re.search("(trans|micro|macro|301|101)", held.name)
    darts = Darts()
    space = TOPOLOGY if is_topology else darts if all(darts.read(t) for t in texts) else None

    def read(start: int) -> Iterator[Piece]:
        return pieces(items, start, partial(_add, is_topology=is_topology), 2048)

    return Source(
        FORMAT,
        "NAS-Bench-Suite-Zero",
        ORIGIN,
        space,
        read,
        column,
        notes="FLOPs and parameters are the proxies' own counts, with batch norm, ReLU and pooling",
    )


def official(text: str) -> str | None:
    """The official string of NASLib's six digits for NAS-Bench-201, or None for anything else."""
    if not re.fullmatch(r"\(\s*[0-4](\s*,\s*[0-4]){5}\s*\)", text):
        return None
    digits = ast.literal_eval(text)
    return topology(TO_OFFICIAL[digits[p]] for p in POSITIONS)


def column(data: str, name: str, epochs: int) -> Column | None:
    """`cifar10_nwot`, `cifar10_nwot_seconds`, `cifar10_validation_accuracy`."""
    words, unit, split = name.replace("_", " "), "", ""
    direction: Any = "max"
    if name == "validation_accuracy":
        unit, split = "%", "validation"
    elif name.endswith("_seconds"):
        words, unit, direction = f"{words.removesuffix(' seconds')} computing time", "s", "min"
    elif name in ("params", "flops"):
        unit, direction = "M", "min"
    return metric(
        f"{slug(data)}_{name}", f"{data} {words}", unit, direction, data=data, split=split, source=ORIGIN
    )


def _add(piece: Piece, item: Entry, *, is_topology: bool) -> None:
    data, printed, values = item
    arch = official(printed) if is_topology else printed
    if not isinstance(values, dict) or arch is None:
        piece.skip(f"{data}: an entry without a readable architecture or scores")
        return
    row: dict[str, Any] = {"validation_accuracy": number(values.get("val_accuracy"))}
    for proxy in PROXIES:
        if (found := values.get(proxy)) is None:
            continue
        score = number(found.get("score") if isinstance(found, dict) else found)
        row[proxy] = None if score == UNDEFINED else score
        if isinstance(found, dict):
            row[f"{proxy}_seconds"] = number(found.get("time"))
    piece.archs.append({"arch": arch, "data": data, **row})
