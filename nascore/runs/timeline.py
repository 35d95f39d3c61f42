"""What a run judged and when: by active seconds, and by the simulated clock if it has one.

One pass over the journal. The store knows what an evaluation took, not when it came, and answers for tables
on the screen; many runs at once are read here.
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
class Moment:
    """One architecture as one judge saw it, as it was last told.

    Attributes:
        how: key of the judge.
        metrics: name -> value; None where it was not finite.
        failed: why there are no numbers, or "".
        seconds: active from the run's first start to the first trial, though a failure may be corrected
            later; pauses and times without a worker do not count.
        epochs: that it was trained.
        simulated: seconds of training that it stands for; None where no such clock runs along.
    """

    how: str
    metrics: dict[str, float | None]
    failed: str
    seconds: float
    epochs: float = 0.0
    simulated: float | None = None


@dataclass
class _Clock:
    """Active seconds; monotonic clocks are compared within a life only."""

    past: float = 0.0
    begin: float = 0.0
    last: float = 0.0
    living: bool = False

    def turn(self, kind: str, now: float) -> None:
        """A life begins or ends; one that was cut short ends with its last word."""
        if self.living:
            self.past += max((now if kind in ENDS else self.last) - self.begin, 0.0)
        self.living, self.begin = kind == "Started", now

    def at(self, now: float) -> float:
        """Seconds until now."""
        return self.past + (max(now - self.begin, 0.0) if self.living else 0.0)


@dataclass
class _Rows:
    """Moments by (judge, arch), in the order of the first trial."""

    found: dict[tuple[str, tuple[int, ...]], Moment] = field(default_factory=dict)

    def add(self, record: dict[str, Any], seconds: float) -> None:
        """Takes a judgement in; one that is told again, to correct a failure, replaces it where it stands."""
        spent = record.get("spent") or {}
        how = str(record.get("how"))
        mark = (how, tuple(record.get("arch") or ()))
        old = self.found.get(mark)
        self.found[mark] = Moment(
            how,
            record.get("metrics") or {},
            str(record.get("failed") or ""),
            old.seconds if old else seconds,
            _number(spent.get("epochs")),
            _number(spent[CLOCK]) if CLOCK in spent else None,
        )


def moments(records: Iterable[dict[str, Any]]) -> list[Moment]:
    """Those of a journal's records, in their order."""
    clock, rows = _Clock(), _Rows()
    for record in records:
        now, kind = _number(record.get("m")), str(record.get("kind"))
        if kind in ("Started", "Queued") or kind in ENDS:
            clock.turn(kind, now)
        elif kind == "Tried":
            rows.add(record, clock.at(now))
        clock.last = now
    return list(rows.found.values())


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def moments_of(run: str) -> list[Moment]:
    """Those of a run, from its journal.

    Raises:
        NotFound: no such run.
    """
    return moments(Reader(launch.folder(run) / NAME).read())
