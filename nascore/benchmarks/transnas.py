"""TransNAS-Bench-101 (Duan et al., 2021): the torch file of seven tasks, micro and macro space in one.

`data[space][arch][task]` holds `total_epochs`, `model_info` and a list an epoch of each metric. A figure is
the value of the last epoch. Texts are the official ones, `64-41414-a_bc_def` and `64-<digits>-basic`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from nascore.benchmarks.piece import Held, Piece, Source, guess, metric, number, pieces, slug, split_of
from nascore.benchmarks.table import Column

FORMAT = "transnas"
ORIGIN = "TransNAS-Bench-101, Duan et al."


def sniff(held: Held) -> bool:
    """A torch file with the task list and the data by space."""
    found = held.object
    return isinstance(found, dict) and {"data", "task_list"} <= set(found) and isinstance(found["data"], dict)


def source(held: Held) -> Source:
    """The file."""
    items = [
        (space, arch, task, result)
        for space, archs in held.object["data"].items()
        for arch, tasks in archs.items()
        for task, result in tasks.items()
    ]

    def read(start: int) -> Iterator[Piece]:
        return pieces(items, start, _add, 1024)

    info = frozenset(map(str, held.object.get("info_names", ())))
    notes = "figures of the last epoch; losses of room_layout are negative where the publisher says so"
    return Source(FORMAT, "TransNAS-Bench-101", ORIGIN, None, read, partial(column, info), info, notes)


def column(info: frozenset[str], data: str, name: str, epochs: int) -> Column | None:
    """`class_scene_valid_top1` and so on."""
    direction, unit = guess(name)
    split = "" if name in info else split_of(name)
    if "neg_" in name or re.search("miou|top5", name.lower()):
        direction = "max"
    title = f"{data} {name.replace('_', ' ')}"
    return metric(
        f"{slug(data)}_{slug(name)}",
        title,
        unit,
        direction,
        data=data,
        split=split,
        epochs=epochs,
        source=ORIGIN,
    )


def _add(piece: Piece, item: tuple[str, str, str, Any]) -> None:
    _, arch, task, result = item
    if not isinstance(result, dict) or not isinstance(result.get("metrics"), dict):
        piece.skip(f"{task}: a result without metrics")
        return
    epochs = int(number(result.get("total_epochs")) or 0)
    where = {"arch": str(arch), "data": str(task), "seed": 0, "epochs": epochs}
    row: dict[str, Any] = {k: number(v) for k, v in (result.get("model_info") or {}).items()}
    for name, values in result["metrics"].items():
        curve = [float("nan") if (v := number(x)) is None else v for x in values]
        if curve:
            row[name] = number(curve[-1])
        if len(curve) > 1:
            piece.curves.append({**where, "metric": str(name), "values": curve})
    piece.runs.append({**where, **row})
