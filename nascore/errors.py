"""What a person can cause: each refusal carries one sentence that says what, where and what would be right.

Bugs raise whatever they raise and meet the page's error box; these are for everything else.
"""

from __future__ import annotations


class AppError(Exception):
    """Base of all that a person can cause and can mend; `str(error)` is the sentence to show, on one line."""

    def __init__(self, text: str = "") -> None:
        super().__init__("".join(ch if ch.isprintable() else " " for ch in text))


class BadInput(AppError):
    """A value is wrong: `path: what was given, and what would be right`."""


class NotSupported(AppError):
    """The parts fit together badly: this space cannot share weights, this judge has no fidelities."""


class OutOfBudget(AppError):
    """Nothing is left to spend. `problem.search` turns it into a `Chosen` of the best so far."""


class Diverged(AppError):
    """A training left the finite numbers; the text names the step."""


class NoSpace(AppError):
    """Too little room on the disk, or a folder that cannot be written."""


class NoMemory(AppError):
    """The machine's or the device's memory is used up; the text says what would fit."""


class Busy(AppError):
    """Somebody else holds the thing: a run that is already running, a full queue."""


class NotFound(AppError):
    """No run, table or architecture of this name."""
