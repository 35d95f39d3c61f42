"""NAS-Bench-Macro (Su et al., 2021): JSON of eight digits -> three test accuracies, params, FLOPs.

A digit is a layer: 0 identity, 1 MBConv with kernel 3 and expansion 3, 2 with kernel 5 and expansion 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from nascore.benchmarks.piece import Held, Piece, Source, metric, number, pieces
from nascore.benchmarks.table import Column

FORMAT = "nasbench_macro"
ORIGIN = "NAS-Bench-Macro, Su et al. (Apache-2.0 licence)"
ARCH = re.compile(r"[012]{8}")
STATIC = frozenset({"params", "flops", "test_accuracy_std"})
TITLES: dict[str, tuple[str, str, Any]] = {
    "test_accuracy": ("Test accuracy", "%", "max"),
    "test_accuracy_std": ("Deviation of the test accuracies", "%", "min"),
    "params": ("Parameters", "", "min"),
    "flops": ("Multiply-adds", "", "min"),
}


def sniff(held: Held) -> bool:
    """An object of eight digits -> {test_acc, ...}."""
    found = held.json
    if not isinstance(found, dict) or not found:
        return False
    key, first = next(iter(found.items()))
    return (
        bool(ARCH.fullmatch(key)) and isinstance(first, dict) and bool({"test_acc", "mean_acc"} & set(first))
    )


def source(held: Held) -> Source:
    """The file."""

    def read(start: int) -> Iterator[Piece]:
        return pieces(list(held.json.items()), start, partial(_add, held.name), 512)

    notes = "the figure is the mean of three trainings; the deviation is that of the population, as published"
    return Source(FORMAT, "NAS-Bench-Macro", ORIGIN, None, read, column, STATIC, notes)


def column(data: str, name: str, epochs: int) -> Column | None:
    """`test_accuracy`, `test_accuracy_std`, `params`, `flops`."""
    title, unit, direction = TITLES[name]
    split = "test" if name.startswith("test") else ""
    return metric(name, title, unit, direction, data="cifar10", split=split, source=ORIGIN)


def _add(file: str, piece: Piece, item: tuple[str, Any]) -> None:
    arch, values = item
    if not ARCH.fullmatch(arch) or not isinstance(values, dict):
        piece.skip("a key that is not eight of the digits 0, 1 and 2")
        return
    accuracies = [number(a) for a in values.get("test_acc") or []] or [number(values.get("mean_acc"))]
    for seed, accuracy in enumerate(accuracies):
        where = {"arch": arch, "data": "cifar10", "seed": seed, "epochs": None}
        piece.runs.append({**where, "test_accuracy": accuracy})
    costs = {n: number(values.get(n)) for n in ("params", "flops")}
    piece.archs.append({"arch": arch, "test_accuracy_std": number(values.get("std")), **costs})
