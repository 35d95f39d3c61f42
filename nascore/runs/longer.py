"""A finished search with shared weights goes on for more epochs, as a new run that begins with what it kept.

Weights, alphas, optimizers and random streams go on where they were. What hangs on the length of a search
(learning rate, temperature, warm-up) follows the schedule of the longer search from there: with a cosine the
rate, which had come to its end, rises again to the middle of the longer cosine. So 3 epochs and 3 more are
the same as 6 at once where nothing hangs on the length, such as a constant rate; else they are not.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nascore.errors import AppError, BadInput, Busy
from nascore.events import LIVES, Note
from nascore.problem import Memo
from nascore.runs import launch
from nascore.runs.journal import NAME, Journal, Reader, encode
from nascore.runs.spec import MAX_TITLE, RunSpec, from_document

PHASES = ("search", "oneshot")  # under which a supernet's epochs are kept
BEFORE = ("warm",)
SAYS = (
    "Weights, alphas and optimizers go on where they were. Learning rate and temperature follow the schedule "
    "of the longer search from there: a rate that had fallen to zero rises again. The finished run stays."
)


def phase(run: str) -> str:
    """The phase whose supernet a run has kept; "" where it has none."""
    memo = Memo(launch.folder(run) / "memo")
    return next((p for p in PHASES if memo.file(p).exists()), "")


def trained(run: str) -> int:
    """Epochs that the supernet of a finished run was to learn; 0 where the run cannot go on."""
    with contextlib.suppress(AppError):
        if launch.last_life(run) == "Finished" and phase(run):
            return int(getattr(launch.read_spec(run).strategy, "epochs", 0))
    return 0


def go_on(run: str, epochs: int) -> str:
    """Starts a run that goes on with the supernet of a finished one.

    Args:
        run: finished; it stays as it is.
        epochs: how many more.

    Returns:
        The new run's id.

    Raises:
        NotFound: no such run.
        Busy: it has not finished.
        BadInput: it has no supernet to go on with, or no possible number of epochs.
        NoSpace: the data folder cannot be written.
    """
    if epochs < 1:
        raise BadInput(f"epochs: {epochs} is below 1; a search goes on for at least one epoch")
    spec, place = launch.read_spec(run), launch.folder(run)
    if launch.last_life(run) != "Finished":
        raise Busy("the run has not finished, so resume it first; more epochs come after its last one")
    if not phase(run) or not hasattr(spec.strategy, "epochs"):
        raise BadInput(
            "run: it has kept no network with shared weights to go on with; "
            "searches such as darts, spos or tangle_nas keep one"
        )
    more, before = _longer(spec, epochs), int(getattr(spec.strategy, "epochs", 0))
    note = (
        f"goes on from {run} after {before} epoch{'' if before == 1 else 's'} for {epochs} more; learning "
        f"rate and temperature follow the schedule of {before + epochs} epochs from there"
    )
    ending = spec.strategy.ending(spec.problem())
    return launch.start(more, fill=lambda new: _fill(new, place, ending, note))


def _longer(spec: RunSpec, epochs: int) -> RunSpec:
    """The spec of the whole search, checked.

    Raises:
        BadInput: so many epochs are too many.
    """
    strategy: Any = spec.strategy
    total = strategy.epochs + epochs
    title = f"{spec.title[: MAX_TITLE - 20]} to {total} epochs".strip()
    return from_document(
        replace(spec, strategy=replace(strategy, epochs=total), title=title).to_json(), False
    )


def _fill(new: Path, old: Path, ending: Sequence[str], note: str) -> None:
    """What the new run begins with: states but those of the end, the supernet's epochs, a word on it."""
    shutil.copytree(old / "memo", new / "memo")
    memo = Memo(new / "memo")
    for name in ending:
        memo.file(name).unlink(missing_ok=True)
    told = [_paused(r) for r in Reader(old / NAME).read() if _is_before(r)]
    (new / NAME).write_bytes(b"".join(map(encode, told)))
    journal = Journal(new)
    journal.append(Note(note))
    journal.close()


def _is_before(record: dict[str, Any]) -> bool:
    if record.get("kind") == "Step":
        return record.get("phase") in (*PHASES, *BEFORE)
    return record.get("kind") in LIVES


def _paused(record: dict[str, Any]) -> dict[str, Any]:
    """The end of the finished run is a pause of the longer one; what it has lived so far counts."""
    return {**record, "kind": "Paused"} if record.get("kind") == "Finished" else record
