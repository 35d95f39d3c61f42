"""NAS-Bench-Graph (Qin et al., 2022): one `.bench` pickle a data set, a folder of them, or the package's.

An arch is a number: a digit for the link pattern, then four operation digits. Its text here is
`links:operations`, as `0-0-1-2:gat-gcn-fc-skip`; the link of a node is the node it takes its input from.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nascore.benchmarks import pickles
from nascore.benchmarks.piece import Held, Piece, Source, metric, number, pieces, slug
from nascore.benchmarks.table import Column

FORMAT = "nasbench_graph"
ORIGIN = "NAS-Bench-Graph, Qin et al. (Apache-2.0 licence)"
LINKS = ("0000", "0001", "0011", "0012", "0013", "0111", "0112", "0122", "0123")
OPS = ("gat", "gcn", "gin", "cheb", "sage", "arma", "graph", "fc", "skip")
KNOWN = {
    "valid_perf": ("validation_accuracy", "validation performance", "share", "max", "validation"),
    "perf": ("test_accuracy", "test performance", "share", "max", "test"),
    "latency": ("latency_s", "latency", "s", "min", ""),
    "para": ("params_m", "parameters", "M", "min", ""),
}
CURVES = (
    "train_accuracy",
    "validation_accuracy",
    "test_accuracy",
    "train_loss",
    "validation_loss",
    "test_loss",
    "best_accuracy",
)


def installed() -> Path | None:
    """The folder of the installed package's files, or None."""
    found = importlib.util.find_spec("nas_bench_graph")
    places = [Path(p) for p in (found.submodule_search_locations or [])] if found else []
    benches = [f.parent for p in places for f in sorted(p.rglob("*.bench"))]
    return benches[0] if benches else None


def sniff(held: Held) -> bool:
    """A pickle of number -> {valid_perf, perf}, or a folder of `.bench` files."""
    if held.kind == "folder":
        return any(held.path.glob("*.bench"))
    found = held.object
    if not isinstance(found, dict) or not found:
        return False
    code, first = next(iter(found.items()))
    return isinstance(code, int) and isinstance(first, dict) and {"valid_perf", "perf"} <= set(first)


def source(held: Held) -> Source:
    """One file or all of a folder."""
    several = held.kind == "folder"
    files = sorted(held.path.glob("*.bench")) if several else [held.path]
    return Source(
        FORMAT,
        "NAS-Bench-Graph" + ("" if several else f", {held.path.stem}"),
        ORIGIN,
        None,
        partial(_read, files, held),
        partial(column, several=several),
        notes="performances are shares of one; the units of latency (s) and parameters (millions) are judged "
        "by their size, since the publisher names none",
    )


def column(data: str, name: str, epochs: int, *, several: bool) -> Column | None:
    """`test_accuracy`, with the data set in front where there are several."""
    by_name = {k[0]: k[1:] for k in KNOWN.values()}
    title, unit, direction, split = by_name.get(name, (name.replace("_", " "), "", "", ""))
    prefix, words = (f"{slug(data)}_", f"{data} ") if several else ("", "")
    return metric(
        prefix + name, (words + title)[0].upper() + (words + title)[1:], unit, direction,  # type: ignore[arg-type]
        data=data, split=split, source=ORIGIN,
    )  # fmt: skip


def describe(code: int) -> str | None:
    """`links:operations` of an arch's number, or None where it is none."""
    digits = [int(d) for d in f"{code:05d}"]
    if len(digits) != 5 or max(digits) > 8 or code < 0:
        return None
    return f"{'-'.join(LINKS[digits[0]])}:{'-'.join(OPS[d] for d in digits[1:])}"


def _read(files: list[Path], held: Held, start: int) -> Iterator[Piece]:
    before, total = 0, 0
    for file in files:
        found = held.object if held.kind != "folder" else pickles.load_path(file)
        items = list(found.items()) if isinstance(found, dict) else []
        total = max(total, before + len(items))
        for piece in pieces(items, max(start - before, 0), partial(_add, file.stem), 2048):
            done = before + piece.done
            share = (files.index(file) + piece.done / max(len(items), 1)) / len(files)
            yield Piece(done, done, round(done / share), piece.archs, piece.runs, piece.curves, piece.skipped)
        before += len(items)


def _add(data: str, piece: Piece, item: tuple[Any, Any]) -> None:
    code, values = item
    arch = describe(code) if isinstance(code, int) else None
    if arch is None or not isinstance(values, dict):
        piece.skip(f"{data}: {str(code)[:20]} is no architecture number")
        return
    row = {KNOWN[k][0]: number(v) for k, v in values.items() if k in KNOWN}
    piece.archs.append({"arch": arch, "data": data, "index": code, **row})
    epochs = values.get("dur")
    if isinstance(epochs, list) and epochs:
        table = np.asarray(epochs, dtype=float)
        for j, name in enumerate(CURVES[: table.shape[1]]):
            where = {"arch": arch, "data": data, "seed": 0, "epochs": len(table)}
            piece.curves.append({**where, "metric": name, "values": table[:, j]})
