"""Two ways to select from one supernet that a search has kept: the largest alphas, or what is missed most.

A run's folder gets `selection/`, the folder of a job (`runs.jobs`); its `result.json` holds the answer of
`verbs.selection.selected`. The app holds no torch.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

from nascore.errors import AppError, BadInput, Busy
from nascore.runs import jobs, launch, longer
from nascore.runs.jobs import Document, Standing

COMMAND = (sys.executable, "-m", "nascore.verbs.selection")
STRATEGIES = ("darts", "darts_pt")  # whose gates are the softmax of alphas


def place(run: str) -> Path:
    """Where everything about a run's selections lies."""
    return launch.folder(run) / "selection"


def can(run: str) -> bool:
    """Whether a run has kept a supernet with alphas, and nobody trains it now."""
    with contextlib.suppress(AppError):
        return bool(check(run))
    return False


def check(run: str) -> str:
    """The run, where both selections can be made.

    Raises:
        BadInput: it has kept no supernet, or its gates are not those of DARTS.
        Busy: the run's worker is at work.
    """
    if not longer.phase(run):
        raise BadInput("run: it has kept no network with shared weights; darts and darts_pt keep one")
    if (name := str(launch.read_spec(run).to_json()["strategy"]["name"])) not in STRATEGIES:
        raise BadInput(f"run: {name} has no alphas of its operations; choose a run of darts or darts_pt")
    if not launch.has_left(run):
        raise Busy("the run still trains its shared network; pause or stop it first")
    return run


def start(run: str) -> None:
    """Begins to measure in a process of its own.

    Raises:
        BadInput, Busy: as `check`; or it is at work already.
        NoSpace: the data folder cannot be written.
    """
    jobs.start(place(check(run)), {"run": run}, COMMAND)


def cancel(run: str) -> None:
    """Asks it to stop after its choice."""
    jobs.cancel(place(run))


def standing(run: str) -> Standing | None:
    """How far a measurement is; None where nobody asked."""
    return jobs.standing(place(run))


def result(run: str) -> Document | None:
    """What was measured last; None where there is nothing."""
    found = jobs.read(place(run) / "result.json")
    return found if {"choices", "archs"} <= found.keys() else None
