"""Studies run again in the background: a process each, with progress, a way to stop, and going on later.

A rerun is a folder `<home>/reruns/<study>/` with `state.json` (how far), `result.json` (the latest result),
`kept/` (pieces of a run that has not ended), `stop` (a wish), `lock` (held by the process for as long as it
lives) and `log.txt`.

    python -m nascore.studies.jobs STUDY [SEEDS]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nascore.benchmarks.table import PROJECT, default_home
from nascore.errors import AppError, BadInput, Busy, NoSpace
from nascore.locks import hold, holder
from nascore.studies import STUDIES
from nascore.studies.claim import Document
from nascore.studies.paper import paper
from nascore.studies.results import rerun_folder
from nascore.studies.study import Kept, Progress, Stopped, Study, label, run, write

ENDED = ("finished", "failed", "stopped", "interrupted")
MODULE = "nascore.studies.jobs"
TELL_SECONDS, START_SECONDS = 0.3, 30.0
MOST_SEEDS = 1000
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Rerun:
    """A rerun as it stands.

    Attributes:
        state: waiting, running, stopping, finished, stopped, interrupted or failed.
        done, total: pieces.
        what: the piece at work.
        left: seconds, None where unknown.
        error: one sentence.
    """

    state: str
    done: int = 0
    total: int = 0
    what: str = ""
    left: float | None = None
    error: str = ""

    @property
    def live(self) -> bool:
        """Whether its process works."""
        return self.state not in ENDED


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
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = hold(place / "lock")
    except OSError as error:
        raise NoSpace(f"the study cannot be noted ({error.strerror or error})") from error
    if lock is None:
        raise Busy(f"the study {key} is running already")
    (place / "stop").unlink(missing_ok=True)
    try:
        found = run(
            made, Kept(place / "kept", label(made)), tell=_teller(place, tell), stop=(place / "stop").exists
        )
        write(place / "result.json", {**found, "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime())})
        shutil.rmtree(place / "kept", ignore_errors=True)
        _say(place, "finished")
        return found
    except Stopped as error:
        _say(place, "stopped", error=str(error))
        raise
    except BaseException as error:
        said = str(error) if isinstance(error, AppError) else type(error).__name__
        _say(place, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=said)
        raise
    finally:
        os.close(lock)


def _teller(place: Path, tell: Callable[[Progress], None] | None) -> Callable[[Progress], None]:
    """Writes how far it is, a few times a second at most."""
    start, first, told = time.monotonic(), -1, 0.0

    def heard(at: Progress) -> None:
        nonlocal first, told
        first = at.done if first < 0 else first
        now = time.monotonic()
        if now - told >= TELL_SECONDS:
            told, fresh = now, at.done - first
            left = (now - start) / fresh * (at.total - at.done) if fresh else None
            _say(place, "running", done=at.done, total=at.total, what=at.what, left=left)
        if tell is not None:
            tell(at)

    return heard


def _say(place: Path, state: str, **more: Any) -> None:
    write(place / "state.json", {"state": state, "t": time.time(), **more})


def start(key: str, seeds: int | None = None) -> None:
    """Starts a study in a process of its own.

    Raises:
        BadInput: no such study.
        Busy: it is running already.
        NoSpace: the data folder cannot be written.
    """
    study(key, seeds)
    place = rerun_folder(key)
    if (now := standing(key)) is not None and now.live:
        raise Busy(f"the study {key} is running already")
    (place / "stop").unlink(missing_ok=True)
    _say(place, "waiting")
    try:
        with (place / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", MODULE, key, *([str(seeds)] if seeds else [])],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=Path.cwd(),
                env=_environment(),
            )
    except OSError as error:
        raise NoSpace(f"the study cannot be started ({error.strerror or error})") from error
    _children.append(child)


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NASCOPE_HOME": str(default_home())}


def cancel(key: str) -> None:
    """Asks a study to stop after its piece; what it has measured is kept."""
    place = rerun_folder(key)
    if place.is_dir():
        (place / "stop").touch()


def standing(key: str) -> Rerun | None:
    """How a rerun stands; None where there was none."""
    import json

    for child in [c for c in _children if c.poll() is not None]:
        _children.remove(child)
    place = rerun_folder(key)
    try:
        said: Any = json.loads((place / "state.json").read_text("utf-8"))
        state = str(said["state"])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    young = time.time() - float(said.get("t", 0)) < START_SECONDS
    alive = holder(place / "lock") is not None or (state == "waiting" and young)
    if state not in ENDED and not alive:
        return Rerun("interrupted", int(said.get("done", 0)), int(said.get("total", 0)), error=_last(place))
    if alive and (place / "stop").exists():
        state = "stopping"
    return Rerun(
        state,
        int(said.get("done", 0)),
        int(said.get("total", 0)),
        str(said.get("what", "")),
        said.get("left"),
        str(said.get("error", "")),
    )


def _last(place: Path) -> str:
    try:
        lines = (place / "log.txt").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return "its process ended without a result" + (f" ({lines[-1][:160]})" if lines else "")


def main(key: str, seeds: int | None) -> int:
    """The process of one rerun; returns its exit status."""
    os.nice(5)
    try:
        here(key, seeds)
    except Stopped:
        return 0
    except AppError as error:
        print(error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if sys.argv[2:] else None))
