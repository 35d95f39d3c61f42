"""Studies run again in the background, as measurements in processes of their own (`runs.jobs`).

A rerun is a folder `<home>/reruns/<study>/`; beside what every such folder holds, `kept/` has the pieces of a
rerun that has not ended, and `result.json` stays the latest result until another one is there.

    python -m nascore.studies.jobs FOLDER
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nascore.errors import AppError, BadInput
from nascore.runs import jobs
from nascore.studies import STUDIES
from nascore.studies.claim import Document
from nascore.studies.paper import paper
from nascore.studies.results import rerun_folder
from nascore.studies.study import Kept, Progress, Study, label, trial

COMMAND = [sys.executable, "-m", "nascore.studies.jobs"]
MOST_SEEDS = 1000


class Stopped(AppError):
    """A study was asked to stop; what it has measured is kept."""


def study(key: str, seeds: int | None = None) -> Study:
    """The study of a paper, with its own number of seeds or another.

    Raises:
        BadInput: no such paper, no study of it yet, or no possible number of seeds.
    """
    if paper(key).key not in STUDIES:
        raise BadInput(f"study: {key} has no study yet; there are {', '.join(STUDIES)}")
    made: Any = STUDIES[key]()
    if seeds is None:
        return made
    if not 1 <= seeds <= MOST_SEEDS:
        raise BadInput(f"--seeds: {seeds} is not between 1 and {MOST_SEEDS:,}")
    return replace(made, seeds=seeds)


def here(key: str, seeds: int | None = None, tell: Callable[[Progress], None] | None = None) -> Document:
    """Runs a study in this process, going on with what an earlier run has kept; writes the user's result.

    Raises:
        BadInput: no such study.
        Busy: it is running already.
        Stopped: it was asked to stop.
        NoSpace: the data folder cannot be written.
    """
    made, place = study(key, seeds), rerun_folder(key)
    if (now := standing(key)) is None or not now.live:
        (place / "stop").unlink(missing_ok=True)  # of an earlier life
    found = jobs.here(place, _work(made, place), lambda at: tell(Progress(*at)) if tell else None)
    if found is None:
        raise Stopped(f"the study {key} was stopped; what it has measured is kept")
    shutil.rmtree(place / "kept", ignore_errors=True)
    return found


def _work(made: Study, place: Path) -> jobs.Work:
    """The trial, told as every measurement is, and when it ended."""
    steps = trial(made, Kept(place / "kept", label(made)))
    while True:
        try:
            at = next(steps)
        except StopIteration as end:
            return {**end.value, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime())}
        yield at.done, at.total, at.what


def start(key: str, seeds: int | None = None) -> None:
    """Starts a study in a process of its own.

    Raises:
        BadInput: no such study.
        Busy: it is running already.
        NoSpace: the data folder cannot be written.
    """
    study(key, seeds)
    jobs.start(rerun_folder(key), {"study": key, "seeds": seeds}, COMMAND)


def cancel(key: str) -> None:
    """Asks a study to stop after its piece; what it has measured is kept."""
    jobs.cancel(rerun_folder(key))


def standing(key: str) -> jobs.Standing | None:
    """How a rerun stands; None where there was none."""
    return jobs.standing(rerun_folder(key))


def main(place: Path) -> int:
    """The process of one rerun; returns its exit status."""
    os.nice(5)
    asked = jobs.read(place / "asked.json")
    try:
        here(str(asked.get("study", "")), asked.get("seeds"))
    except Stopped:
        return 0
    except AppError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
