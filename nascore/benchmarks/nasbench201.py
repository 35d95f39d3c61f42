"""NAS-Bench-201 (Dong and Yang, 2020): the one torch file with every result, of either torch container.

`less` is the training of 12 epochs, `full` that of 200; the records are those of NATS-Bench. The official
files are 2 and 5 GB and are one pickle: reading them takes several times as much memory at once, and
`pickles.load` refuses beforehand where there is too little.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from nascore.benchmarks import nats
from nascore.benchmarks.piece import TOPOLOGY, Held, Piece, Source, number, pieces

FORMAT = "nasbench201"
BUDGETS = {"less": 12, "full": 200}
ORIGIN = "NAS-Bench-201, Dong and Yang (MIT licence)"


def sniff(held: Held) -> bool:
    """A torch file with the official strings and the results by index."""
    found = held.object
    if held.head[:3] == b"BZh" or not isinstance(found, dict):
        return False
    return (bool(found.get("meta_archs")) and isinstance(found.get("arch2infos"), dict)) or _is_one(found)


def _is_one(found: Mapping[str, Any]) -> bool:
    """Whether it is the content of one arch: `NNNNNN-FULL.pth` without its weights."""
    return bool(found) and set(found) <= set(BUDGETS) and isinstance(next(iter(found.values())), dict)


def source(held: Held) -> Source:
    """The file."""
    if _is_one(held.object):
        index = next(iter(held.object.values())).get("arch_index")
        infos, there = [(int(number(index) or 0), held.object)], "one architecture"
    else:
        archs = nats.check_meta(held.object, held.name)
        infos = sorted(held.object["arch2infos"].items())
        there = nats.absent(len(infos), len(archs))

    def read(start: int) -> Iterator[Piece]:
        return pieces(infos, start, lambda piece, item: nats.add(piece, item[0], item[1], BUDGETS), 64)

    return Source(
        FORMAT,
        "NAS-Bench-201",
        ORIGIN,
        TOPOLOGY,
        read,
        partial(nats.column, ORIGIN),
        nats.STATIC,
        "conventions as in NATS-Bench: means over the seeds at the last epoch; "
        f"other trainings than NATS-Bench's; {there}",
    )
