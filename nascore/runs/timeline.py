"""When each architecture of a run was judged: by active seconds, and by the simulated clock if it has one.

The store keeps what an evaluation took, not when it came; the journal knows both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nascore.runs import launch
from nascore.runs.journal import NAME, Reader
from nascore.runs.state import ENDS

CLOCK = "simulated_seconds"


@dataclass(frozen=True)
class Times:
    """Of the records that judge an architecture, by their number in the journal.

    Attributes:
        seconds: active since the run's first start; pauses and times without a worker do not count.
        simulated: what its training took when the table was made; empty where no such clock runs along.
    """

    seconds: dict[int, float] = field(default_factory=dict)
    simulated: dict[int, float] = field(default_factory=dict)


def times(records: Iterable[dict[str, Any]]) -> Times:
    """The times of a journal's records, in their order; monotonic clocks are compared within a life only."""
    found = Times()
    past, begin, last = 0.0, 0.0, 0.0
    living = False
    for record in records:
        now, kind = _number(record.get("m")), record.get("kind")
        if kind == "Started" or kind == "Queued" or kind in ENDS:
            if living:
                past += max((now if kind in ENDS else last) - begin, 0.0)
            living, begin = kind == "Started", now
        elif kind == "Tried":
            found.seconds[record["seq"]] = past + (max(now - begin, 0.0) if living else 0.0)
            spent = record.get("spent")
            if isinstance(spent, dict) and CLOCK in spent:
                found.simulated[record["seq"]] = _number(spent[CLOCK])
        last = now
    return found


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def times_of(run: str) -> Times:
    """Those of a run, from its journal.

    Raises:
        NotFound: no such run.
    """
    return times(Reader(launch.folder(run) / NAME).read())
