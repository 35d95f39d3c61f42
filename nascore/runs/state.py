"""What a run's state is and what it found: pure functions of the lock, the control file and the journal.

Time decides nothing here: a worker that holds its lock is alive however quiet it is, one that does not is
gone.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from nascore.codec import dumps, to_json
from nascore.errors import BadInput, NotFound
from nascore.events import LIVES, Chosen, Life, Tried
from nascore.locks import holder, queue
from nascore.pareto import front
from nascore.problem import Problem
from nascore.runs import launch
from nascore.runs.journal import NAME, Reader, event_of
from nascore.runs.spec import RunSpec
from nascore.space import Arch, describe, key

STATES = ("queued", "running", "paused", "finished", "stopped", "interrupted", "failed", "unreadable")
LIVE = ("queued", "running")
GONE = "its worker is gone: killed, perhaps out of memory, or the machine was restarted"
ENDS = {"Paused": "paused", "Stopped": "stopped", "Finished": "finished", "Failed": "failed"}


def derive(held: bool, last: Life | None, control: str) -> tuple[str, str]:
    """State and reason.

    Args:
        held: whether a worker holds the run's lock. Ask this before the journal is read.
        last: the last thing that a worker said of itself.
        control: the word in the control file.
    """
    what = last.what if last else ""
    if what in ENDS:
        mark = last.about.get("error") if last else None
        text = last.text if last else ""
        return ENDS[what], f"{text} (error {mark})" if mark else text
    if held:
        asked = {"cancel": "stopping", "pause": "pausing"}.get(control, "")
        return ("running" if what == "Started" else "queued"), asked
    if control == "cancel":
        return "stopped", "stopped (forced)"
    return "interrupted", GONE if what else "its worker never came up"


@dataclass(frozen=True)
class Clock:
    """When a run was active, in monotonic seconds: whole lives so far, and since when the last one runs."""

    past_seconds: float = 0.0
    life_start: float | None = None
    said: float = 0.0

    def active(self, live: bool) -> float:
        """Seconds over all lives; a life that runs counts up to now, one cut short up to its last word."""
        if self.life_start is None:
            return self.past_seconds
        return self.past_seconds + max((time.monotonic() if live else self.said) - self.life_start, 0.0)


@dataclass
class Row:
    """One architecture of a run: its place among the tried, the last that was said of it, whether again."""

    index: int
    seq: int
    t: float
    key: str
    tried: Tried
    again: bool = False


@dataclass
class Tally:
    """What a journal comes to, event by event."""

    spec: RunSpec | None
    rows: dict[tuple[str, Arch], Row] = field(default_factory=dict)
    chosen: list[Chosen] = field(default_factory=list)
    last: Life | None = None
    about: dict[str, str | float] = field(default_factory=dict)
    started: float | None = None
    said: float | None = None
    seq: int = -1
    clock: Clock = Clock()
    names: dict[Arch, tuple[str, str]] = field(default_factory=dict)

    def add(self, record: dict[str, Any]) -> Row | None:
        """Takes one record in.

        Returns:
            The row that it made or changed, if it was a `Tried`.
        """
        if record["seq"] <= self.seq:
            return None
        t, m = _real(record.get("t")), _real(record.get("m"))
        self.seq, self.said = record["seq"], t
        self.started = t if self.started is None else self.started
        if record.get("kind") in LIVES:
            self._turn(record, m)
        self.clock = replace(self.clock, said=m)
        event = event_of(record) if record.get("kind") in ("Tried", "Chosen") else None
        if isinstance(event, Chosen):
            self.chosen.append(event)
        return self._row(event, t) if isinstance(event, Tried) else None

    def _turn(self, record: dict[str, Any], m: float) -> None:
        life = event_of(record)
        if not isinstance(life, Life):
            return
        self.last = life
        clock = self.clock
        if life.what == "Started":
            self.clock, self.about = replace(clock, life_start=m), life.about
        elif clock.life_start is not None:  # an end; or a new life after one that ended without a word
            end = m if life.what in ENDS else clock.said
            lived = max(end - clock.life_start, 0.0)
            self.clock = Clock(clock.past_seconds + lived, None, m)

    def _row(self, tried: Tried, t: float) -> Row:
        mark = (tried.how, tried.arch)
        old = self.rows.get(mark)
        index = old.index if old else len(self.rows) + 1
        row = Row(index, self.seq, t, self.key(tried.arch), tried, again=old is not None)
        self.rows[mark] = row
        return row

    def key(self, arch: Arch) -> str:
        """The arch's key."""
        return self.name(arch)[0]

    def name(self, arch: Arch) -> tuple[str, str]:
        """The arch's key, and its choices as JSON; "" where the spec does not know it. Remembered."""
        if arch not in self.names:
            try:
                space = self.spec.space if self.spec else None
                self.names[arch] = (key(space, arch), dumps(describe(space, arch))) if space else ("", "{}")
            except (ValueError, IndexError):
                self.names[arch] = ("", "{}")
        return self.names[arch]

    def judged(self) -> list[Row]:
        """Rows of the spec's own judge; where it has not spoken yet, of the one that trained longest."""
        rows = [r for r in self.rows.values() if not r.tried.failed]
        if self.spec is None or not rows:
            return []
        own = [r for r in rows if r.tried.how == self.spec.evaluator.key]
        if own:
            return own
        longest = max(rows, key=lambda r: r.tried.spent.get("epochs", 0.0)).tried.how
        return [r for r in rows if r.tried.how == longest]


def _real(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


@dataclass(frozen=True)
class Summary:
    """A run at a glance.

    Attributes:
        place: 1-based place in the queue, 0 where it does not wait.
        best, front, chosen: architectures as {"key", "arch", "choices", "metrics", "index"}; the front is
            feasible and not dominated, sorted by the first objective.
        seconds: active, over all lives.
        left_seconds: by the speed so far; None where it is not known.
        quiet_seconds: since the last event of a live run.
        started, said: wall time of the first and the last event.
        unreadable: damaged lines of the journal.
        about: protocol and machine, as the last life's `Started` told them.
    """

    run: str
    title: str = ""
    state: str = "unreadable"
    reason: str = ""
    place: int = 0
    strategy: str = ""
    space: str = ""
    task: str = ""
    evaluator: str = ""
    seed: int = 0
    objectives: tuple[tuple[str, str], ...] = ()
    budget: dict[str, float] = field(default_factory=dict)
    evaluations: int = 0
    failed: int = 0
    spent: dict[str, float] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    front: tuple[dict[str, Any], ...] = ()
    chosen: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    left_seconds: float | None = None
    quiet_seconds: float = 0.0
    started: float | None = None
    said: float | None = None
    unreadable: int = 0
    about: dict[str, str | float] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether a worker runs it, or waits to."""
        return self.state in LIVE

    def document(self) -> dict[str, Any]:
        """What the command line prints."""
        best = self.best and {k: self.best[k] for k in ("key", "choices", "metrics")}
        return {
            "run": self.run,
            "title": self.title,
            "state": self.state,
            "reason": self.reason,
            "place": self.place,
            "strategy": self.strategy,
            "space": self.space,
            "task": self.task,
            "evaluator": self.evaluator,
            "seed": self.seed,
            "objectives": [list(o) for o in self.objectives],
            "budget": self.budget,
            "evaluations": self.evaluations,
            "failed": self.failed,
            "spent": self.spent,
            "best": best,
            "front": [{k: row[k] for k in ("key", "choices", "metrics")} for row in self.front],
            "chosen": [{k: row[k] for k in ("key", "choices", "why", "label")} for row in self.chosen],
            "seconds": round(self.seconds, 3),
            "left_seconds": self.left_seconds,
            "started": self.started,
            "unreadable": self.unreadable,
            "about": self.about,
        }


def _spent(rows: Sequence[Row]) -> dict[str, float]:
    """Unit -> sum; simulated seconds only where there is such a clock."""
    units = dict.fromkeys(["seconds", "epochs", *(u for r in rows for u in r.tried.spent)])
    return {u: sum(r.tried.spent.get(u, 0.0) for r in rows) for u in units}


def results(tally: Tally) -> dict[str, Any]:
    """The part of a summary that changes only with the journal."""
    rows = list(tally.rows.values())
    out: dict[str, Any] = {
        "evaluations": len(rows),
        "failed": sum(bool(r.tried.failed) for r in rows),
        "spent": _spent(rows),
        "started": tally.started,
        "said": tally.said,
        "about": tally.about,
    }
    if (spec := tally.spec) is None:
        return out
    problem, judged = spec.problem(), tally.judged()
    if judged:
        out["best"] = _shown(spec, min(judged, key=lambda r: problem.order(r.tried)))
        out["front"] = tuple(_shown(spec, r) for r in _front(problem, judged))
    known = {r.tried.arch: r for r in judged}
    out["chosen"] = tuple(
        {
            "key": tally.key(c.arch),
            "arch": c.arch,
            "choices": describe(spec.space, c.arch),
            "why": c.why,
            "label": c.label,
            "index": known[c.arch].index if c.arch in known else 0,
        }
        for c in tally.chosen
    )
    return out


def _front(problem: Problem, rows: list[Row]) -> list[Row]:
    good = [r for r in rows if problem.violation(r.tried) == 0]
    if not good:
        return []
    first: dict[tuple[float, ...], Row] = {}
    for r in good:  # of equal points the first stands for all
        first.setdefault(problem.cost(r.tried), r)
    kept = list(first.values())
    return [kept[i] for i in front(np.array(list(first), dtype=np.float64))]


def _shown(spec: RunSpec, row: Row) -> dict[str, Any]:
    return {
        "key": row.key,
        "arch": row.tried.arch,
        "choices": describe(spec.space, row.tried.arch),
        "metrics": dict(row.tried.metrics),
        "index": row.index,
    }


def plan(spec: RunSpec) -> dict[str, Any]:
    """The part of a summary that the spec alone gives."""
    names = {k: to_json(getattr(spec, k))["name"] for k in ("strategy", "space", "task", "evaluator")}
    budget = spec.budget
    return {
        **names,
        "seed": spec.seed,
        "objectives": tuple((o.metric, o.direction) for o in spec.objectives),
        "budget": {
            "evaluations": float(budget.evaluations),
            "seconds": float(budget.seconds),
            "epochs": float(budget.epochs),
            "simulated_seconds": float(budget.simulated_seconds),
        },
    }


def left(found: dict[str, Any], budget: dict[str, float], active: float) -> float | None:
    """Seconds until the budget is spent, at the speed so far; None where nothing tells."""
    spent = {**found["spent"], "evaluations": float(found["evaluations"])}
    ends = [
        max(limit - spent[unit], 0.0) * active / spent[unit]
        for unit, limit in budget.items()
        if limit and spent.get(unit)
    ]
    return min(ends) if ends else None


@dataclass(frozen=True)
class Found:
    """A run as its files tell it, apart from its lock: what a summary is put together from."""

    run: str
    plan: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    last: Life | None = None
    clock: Clock = Clock()
    unreadable: int = 0
    trouble: str = ""

    def state(self, held: bool) -> tuple[str, str]:
        """State and reason; the lock was asked before the journal was read."""
        if self.trouble and not held and (self.last is None or self.last.what != "Failed"):
            return "unreadable", self.trouble
        return derive(held, self.last, control(launch.home() / "runs" / self.run))

    def summary(self, held: bool) -> Summary:
        """The run at a glance."""
        state, reason = self.state(held)
        live = state in LIVE
        active = self.clock.active(live)
        return Summary(
            run=self.run,
            title=launch.title(self.run),
            state=state,
            reason=reason,
            place=place_of(self.run) if state == "queued" else 0,
            seconds=active,
            left_seconds=left(self.results, self.plan["budget"], active) if live and self.plan else None,
            quiet_seconds=max(time.monotonic() - self.clock.said, 0.0) if live and self.last else 0.0,
            unreadable=self.unreadable,
            **self.plan,
            **self.results,
        )


class Follow:
    """One run, followed through its files; each `read` takes in only what is new."""

    def __init__(self, run: str) -> None:
        self.run, self.place = run, launch.folder(run)
        self.reader, self.trouble = Reader(self.place / NAME), ""
        try:
            self.spec: RunSpec | None = launch.read_spec(run)
        except BadInput as error:
            self.spec, self.trouble = None, str(error)
        self.tally = Tally(self.spec)
        self._plan = plan(self.spec) if self.spec else {}
        self._results = results(self.tally)

    def read(self) -> list[tuple[dict[str, Any], Row | None]]:
        """Takes in what is new in the journal.

        Returns:
            Each new record, with the row that a `Tried` made or changed; of a `Step`, `active_seconds` says
            how long the run had been active.
        """
        if self.reader.replaced():
            self.reader.rewind()
            self.tally = Tally(self.spec)
        new = []
        for record in self.reader.read():
            new.append((record, self.tally.add(record)))
            if record.get("kind") == "Step":
                record["active_seconds"] = self.tally.clock.active(live=False)
        if new:
            self._results = results(self.tally)
        return new

    def found(self) -> Found:
        """What was read so far."""
        return Found(
            self.run,
            self._plan,
            self._results,
            self.tally.last,
            self.tally.clock,
            self.reader.unreadable,
            self.trouble,
        )

    def summary(self) -> Summary:
        """The run as it is now; the lock is asked before the journal.

        Raises:
            NotFound: its folder is gone.
        """
        held = holder(launch.folder(self.run) / "lock") is not None
        self.read()
        return self.found().summary(held)


def control(place: Path) -> str:
    """The word in the control file; "run" where there is none."""
    with contextlib.suppress(OSError):
        return (place / "control").read_text(errors="replace")[:10].strip()
    return "run"


def place_of(run: str) -> int:
    """1-based place in the queue; 0 where it does not wait."""
    waiting = queue(launch.home())
    return waiting.index(run) + 1 if run in waiting else 0


def summary(run: str) -> Summary:
    """A run straight from its files.

    Raises:
        NotFound: no such run.
    """
    return Follow(run).summary()


def summaries() -> list[Summary]:
    """All runs straight from their files, the newest first; one that vanishes meanwhile is left out."""
    out = []
    for run in launch.runs():
        with contextlib.suppress(NotFound):
            out.append(summary(run))
    return out
