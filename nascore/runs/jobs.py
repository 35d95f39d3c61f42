"""Measurements that run in a process of their own, each with a folder that says all about it.

The folder holds `asked.json`, `state.json` (how far), `result.json`, `stop` (a wish), `lock` (held by the
process for as long as it lives) and `log.txt`. The app holds no torch; the process does.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nascore.errors import AppError, Busy, NoSpace
from nascore.locks import hold, holder
from nascore.runs import launch

Document = dict[str, Any]
Progress = tuple[int, int, str]  # done, total, what comes next
Work = Generator[Progress, None, Document]
ENDED = ("finished", "failed", "stopped", "interrupted")
TELL_SECONDS, START_SECONDS, WAIT_SECONDS = 0.3, 30.0, 0.5
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Standing:
    """How far a measurement is.

    Attributes:
        state: waiting, running, stopping, finished, failed, stopped or interrupted.
        done, total: pieces.
        what: the piece at work.
        error: one sentence.
        left_seconds: a guess, from how long the pieces so far took; None while nothing tells.
    """

    state: str
    done: int = 0
    total: int = 0
    what: str = ""
    error: str = ""
    left_seconds: float | None = None

    @property
    def live(self) -> bool:
        """Whether its process works."""
        return self.state not in ENDED


def standing(place: Path) -> Standing | None:
    """How far it is; None where nobody asked."""
    for child in [c for c in _children if c.poll() is not None]:
        _children.remove(child)
    said = read(place / "state.json")
    if not said:
        return None
    state = str(said.get("state", ""))
    young = time.time() - float(said.get("t", 0)) < START_SECONDS
    alive = holder(place / "lock") is not None or (state == "waiting" and young)
    how = int(said.get("done", 0)), int(said.get("total", 0))
    if state not in ENDED and not alive:
        return Standing("interrupted", *how, error=f"its process ended without a result{_last(place)}")
    if alive and (place / "stop").exists():
        state = "stopping"
    return Standing(state, *how, str(said.get("what", "")), str(said.get("error", "")), _left(said))


def _last(place: Path) -> str:
    """The last line of the process's log, in brackets; nothing where it said nothing."""
    try:
        lines = (place / "log.txt").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return f" ({lines[-1][:160]})" if lines else ""


def _left(said: Document) -> float | None:
    """What was left when this was noted, less the time since."""
    left = said.get("left_seconds")
    return None if left is None else max(0.0, float(left) - (time.time() - float(said.get("t", 0))))


def start(place: Path, document: Document, command: Sequence[str]) -> None:
    """Begins in a process of its own, which gets the folder's name.

    Args:
        place: the folder.
        document: what is asked for.
        command: of the process.

    Raises:
        Busy: it is at work already.
        NoSpace: the data folder cannot be written.
    """
    now = standing(place)
    if now is not None and now.live:
        raise Busy("this is being measured already")
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "stop").unlink(missing_ok=True)
        write(place / "asked.json", document)
        _say(place, "waiting")
        with (place / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                [*command, str(place)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, cwd=Path.cwd(), env=_environment(),
            )  # fmt: skip
    except OSError as error:
        raise NoSpace(f"the measurement cannot be noted ({error.strerror or error})") from error
    _children.append(child)


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(launch.PROJECT), os.environ.get("PYTHONPATH", "")]))
    more = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NASCOPE_HOME": str(launch.home())}
    return {**os.environ, **more}


def cancel(place: Path) -> None:
    """Asks it to stop after its piece."""
    with contextlib.suppress(OSError):
        (place / "stop").touch()


def here(place: Path, work: Work, tell: Callable[[Progress], None]) -> Document | None:
    """Does the work in this process and keeps its result; None where it was asked to stop.

    Args:
        place: the folder.
        work: yields how far it is, returns what it measured.
        tell: hears how far it is.

    Raises:
        Busy: another process is at it.
        NoSpace: the data folder cannot be written.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = hold(place / "lock")
    except OSError as error:
        raise NoSpace(f"the measurement cannot be noted ({error.strerror or error})") from error
    if lock is None:
        raise Busy("this is being measured already")
    try:
        return _followed(place, work, tell)
    except BaseException as error:
        said = str(error) if isinstance(error, AppError) else type(error).__name__
        _say(place, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=said)
        raise
    finally:
        os.close(lock)


def _followed(place: Path, work: Work, tell: Callable[[Progress], None]) -> Document | None:
    told, begun = 0.0, (time.monotonic(), -1)
    while True:
        try:
            done, total, what = next(work)
        except StopIteration as end:
            write(place / "result.json", end.value)
            _say(place, "finished")
            return end.value
        now = time.monotonic()
        begun = begun if begun[1] >= 0 else (now, done)
        if now - told >= TELL_SECONDS:
            told, new = now, done - begun[1]
            left = (now - begun[0]) / new * (total - done) if new > 0 else None
            _say(place, "running", done=done, total=total, what=what, left_seconds=left)
        tell((done, total, what))
        if (place / "stop").exists():
            work.close()
            _say(place, "stopped", done=done, total=total, error=f"stopped after {done} of {total}")
            return None


def turn(place: Path) -> int | None:
    """Waits until no other measurement is at work; None where it was asked to stop meanwhile."""
    own = hold(place / "lock")
    try:
        while (mine := hold(place.parent / "turn")) is None:
            if (place / "stop").exists():
                return None
            _say(place, "waiting", what="another network is being measured")
            time.sleep(WAIT_SECONDS)
        return mine
    finally:
        if own is not None:
            os.close(own)


def process(place: Path, work: Callable[[], Work], *, in_turn: bool = False) -> int:
    """The whole of a measurement's own process, kinder to others than the app; returns its exit status.

    Args:
        place: the folder.
        work: begins the work; what it raises is told in the log.
        in_turn: whether it first waits until no other measurement of its kind is at work.
    """
    os.nice(5)
    if in_turn and turn(place) is None:
        return 0
    try:
        here(place, work(), lambda _: None)
    except AppError as error:
        print(error)
        return 2
    return 0


def tell(at: Progress) -> None:
    """How far a measurement is, on one line of the terminal; nothing where nobody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{at[0]} of {at[1]} - {at[2]}")
        sys.stderr.flush()


def _say(place: Path, state: str, **more: Any) -> None:
    write(place / "state.json", {"state": state, "t": time.time(), **more})


def write(file: Path, data: Any) -> None:
    """Puts a document into a file, whole or not at all.

    Raises:
        NoSpace: it cannot be written.
    """
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps(data, allow_nan=False) + "\n", "utf-8")
        aside.replace(file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise NoSpace(f"{file.name} cannot be written ({error.strerror or error})") from error


def read(file: Path) -> Document:
    """A JSON object of a file; an empty one where there is none that can be read."""
    try:
        found: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
