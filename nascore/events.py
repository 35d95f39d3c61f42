"""What a search says while it runs. Every event has an identity: saying it twice writes it once.

That makes resuming a replay: the second life repeats the first one's words, and the journal drops them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from nascore.errors import BadInput

Arch = tuple[int, ...]
Metrics = dict[str, float]


@dataclass(frozen=True)
class Step:
    """A point of a curve: `values` of one epoch (or round) `index` of the named phase."""

    phase: str
    index: int
    values: dict[str, float]

    def identity(self) -> tuple[Any, ...]:
        """Phase and index."""
        return ("Step", self.phase, self.index)


@dataclass(frozen=True)
class Tried:
    """One arch, judged.

    Attributes:
        arch: option indices, one a choice.
        metrics: name (with its unit) -> number.
        how: the key of the evaluator.
        spent: what the budget counts: seconds, epochs.
        curve: metric -> one value an epoch.
        parents: keys of the archs that it was made from.
        failed: "" or why there are no numbers: "diverged at step 37", "invalid: ...", "out of memory".
    """

    arch: Arch
    metrics: Metrics
    how: str
    spent: dict[str, float] = field(default_factory=dict)
    curve: dict[str, tuple[float, ...]] = field(default_factory=dict)
    parents: tuple[str, ...] = ()
    failed: str = ""

    def identity(self) -> tuple[Any, ...]:
        """Judge and arch."""
        return ("Tried", self.how, self.arch)


@dataclass(frozen=True)
class Chosen:
    """What a strategy takes in the end (one a task or stage, labeled)."""

    arch: Arch
    why: str
    label: str = ""

    def identity(self) -> tuple[Any, ...]:
        """Arch and label."""
        return ("Chosen", self.arch, self.label)


@dataclass(frozen=True)
class Note:
    """A sentence for the log."""

    text: str
    level: Literal["info", "warning"] = "info"

    def identity(self) -> tuple[Any, ...]:
        """The text."""
        return ("Note", self.text)


Event = Step | Tried | Chosen | Note


@dataclass(frozen=True)
class Life:
    """The run's own words, said by its worker at the turns of its life; never dropped as repeated.

    Attributes:
        what: Queued | Started | Paused | Stopped | Finished | Failed.
        text: the reason, or "".
        about: small facts: protocol, machine, versions, error id.
    """

    what: Literal["Queued", "Started", "Paused", "Stopped", "Finished", "Failed"]
    text: str = ""
    about: dict[str, str | float] = field(default_factory=dict)


KINDS: dict[str, type[Step | Tried | Chosen | Note]] = {
    "Step": Step,
    "Tried": Tried,
    "Chosen": Chosen,
    "Note": Note,
}
FIELDS = {kind: tuple(f.name for f in fields(cls)) for kind, cls in KINDS.items()}
LIVES = ("Queued", "Started", "Paused", "Stopped", "Finished", "Failed")


def to_record(event: Event | Life) -> dict[str, Any]:
    """The event as plain JSON values; non-finite numbers become None and are named in `nonfinite`."""
    if isinstance(event, Life):
        return {"kind": event.what, "text": event.text, "about": dict(event.about)}
    record: dict[str, Any] = {"kind": type(event).__name__}
    bad: list[str] = []
    for f in fields(event):
        value = getattr(event, f.name)
        if isinstance(value, dict):
            value = {k: _plain(v, k, bad) for k, v in value.items()}
        record[f.name] = list(value) if isinstance(value, tuple) else value
    if bad:
        record["nonfinite"] = sorted(set(bad))
    return record


def _plain(value: Any, name: str, bad: list[str]) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(v, name, bad) for v in value]
    if isinstance(value, float) and not -1e308 <= value <= 1e308:
        bad.append(name)
        return None
    return value


def from_record(record: dict[str, Any]) -> Event | Life:
    """The event that `to_record` wrote; None comes back as NaN.

    Raises:
        BadInput: the record is of no known kind, or lacks a field.
    """
    kind = record.get("kind")
    try:
        if kind in LIVES:
            return Life(kind, record["text"], record["about"])
        cls = KINDS[str(kind)]
        return cls(**{name: _back(name, record[name]) for name in FIELDS[str(kind)]})
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"event: {kind!r} is not one that can be read ({error})") from error


def _back(name: str, value: Any) -> Any:
    match name:
        case "arch" | "parents":
            return tuple(value)
        case "curve":
            return {k: tuple(_number(x) for x in v) for k, v in value.items()}
        case "metrics" | "values" | "spent":
            return {k: _number(v) for k, v in value.items()}
        case _:
            return value


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
