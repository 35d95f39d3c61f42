"""Robustness and sharpness of one network: asked for here, trained and measured in a process of its own.

The app holds no torch. What is asked for is a document; its digest names a folder `<home>/robust/<digest>/`
with `asked.json`, `state.json` (how far), `result.json`, `stop` (a wish), `lock` (held by the process for as
long as it lives) and `log.txt`. A result stays, so nothing is trained twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nascore.codec import arch_from_json, arch_to_json, dumps, from_json, to_json
from nascore.errors import AppError, Busy, NoSpace
from nascore.locks import hold, holder
from nascore.problem import Problem
from nascore.runs import launch
from nascore.runs.spec import from_document
from nascore.space import Arch, Space

Document = dict[str, Any]
Progress = tuple[int, int, str]  # done, total, what comes next
Work = Generator[Progress, None, Document]
MADE = 1  # counts up when what is measured changes, so that old results are not taken for new ones
COMMAND = (sys.executable, "-m", "nascore.verbs.robust")
ENDED = ("finished", "failed", "stopped", "interrupted")
TELL_SECONDS, START_SECONDS, WAIT_SECONDS = 0.3, 30.0, 0.5
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Asked:
    """Which network, trained how.

    Attributes:
        spec: space, task, recipe and seed, as in a run's spec.
        arch: as JSON.
        table: whose networks are trained like this; empty for none.
    """

    spec: Document
    arch: Document
    table: str = ""

    @property
    def folder(self) -> Path:
        """Where everything about it lies."""
        said = dumps({"made": MADE, "spec": self.spec, "arch": self.arch, "table": self.table})
        return launch.home() / "robust" / hashlib.sha256(said.encode()).hexdigest()[:24]

    def problem(self) -> Problem:
        """With the space, the task and the recipe of the document.

        Raises:
            BadInput: they do not go together.
        """
        return from_document(self.spec).problem()

    def which(self) -> tuple[Space, Arch]:
        """The network."""
        return arch_from_json(self.arch)


@dataclass(frozen=True)
class Standing:
    """How far a measurement is.

    Attributes:
        state: waiting, running, stopping, finished, failed, stopped or interrupted.
        done, total: pieces.
        what: the piece at work.
        error: one sentence.
    """

    state: str
    done: int = 0
    total: int = 0
    what: str = ""
    error: str = ""

    @property
    def live(self) -> bool:
        """Whether its process works."""
        return self.state not in ENDED


def ask(space: Space, arch: Arch, task: Any, *, recipe: Any = None, seed: int = 0, table: str = "") -> Asked:
    """The document of a network; equal networks are one.

    Args:
        space: with its knobs.
        arch: option indices.
        task: its JSON, or its name.
        recipe: its JSON; the usual one without.
        seed: of weights and minibatches.
        table: whose protocol this is.
    """
    spec: Document = {"v": 1, "space": to_json(space), "task": task, "seed": seed}
    if recipe:
        spec["recipe"] = recipe
    return Asked(spec, arch_to_json(space, space.canonical(arch)), table)


class Trained(Protocol):
    """What is read of a benchmark table: its name, what `table.json` says, and its columns."""

    name: str

    @property
    def about(self) -> Mapping[str, Any]:
        """With `space` and `recipe`."""
        ...

    @property
    def columns(self) -> Mapping[str, Any]:
        """Each with a `protocol` that has `data` and `split`."""
        ...


def data_of(table: Trained) -> str:
    """The data that a table's networks were trained on; empty where it does not say."""
    return next((str(c.protocol.data) for c in table.columns.values() if c.protocol.split), "")


def can_train(table: Trained) -> bool:
    """Whether a table says how its networks were trained, in a space and on data that are here."""
    if not table.about.get("space") or not table.about.get("recipe"):
        return False
    try:
        from_json("space", table.about["space"])
        from_json("task", data_of(table))
    except AppError:
        return False
    return True


def of_table(table: Trained, arch: Arch, seed: int = 0) -> Asked:
    """A network of a table that `can_train`, trained as the table's own."""
    space, recipe = from_json("space", table.about["space"]), table.about["recipe"]
    return ask(space, arch, data_of(table), recipe=recipe, seed=seed, table=table.name)


def result(asked: Asked) -> Document | None:
    """What was measured; None where nothing was, or the file is broken."""
    found = _read(asked.folder / "result.json")
    return found if isinstance(found.get("robustness"), dict) else None


def standing(asked: Asked) -> Standing | None:
    """How far it is; None where nobody asked."""
    for child in [c for c in _children if c.poll() is not None]:
        _children.remove(child)
    place = asked.folder
    said = _read(place / "state.json")
    if not said:
        return None
    state = str(said.get("state", ""))
    young = time.time() - float(said.get("t", 0)) < START_SECONDS
    alive = holder(place / "lock") is not None or (state == "waiting" and young)
    how = int(said.get("done", 0)), int(said.get("total", 0))
    if state not in ENDED and not alive:
        return Standing("interrupted", *how, error="its process ended without a result")
    if alive and (place / "stop").exists():
        state = "stopping"
    return Standing(state, *how, str(said.get("what", "")), str(said.get("error", "")))


def start(asked: Asked) -> None:
    """Begins to train and measure in a process of its own.

    Raises:
        BadInput: what was asked for does not go together.
        Busy: it is at work already.
        NoSpace: the data folder cannot be written.
    """
    asked.problem()
    now, place = standing(asked), asked.folder
    if now is not None and now.live:
        raise Busy("this network is being measured already")
    try:
        place.mkdir(parents=True, exist_ok=True)
        (place / "stop").unlink(missing_ok=True)
        _write(place / "asked.json", {"spec": asked.spec, "arch": asked.arch, "table": asked.table})
        _say(place, "waiting")
        with (place / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                [*COMMAND, str(place)], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True, cwd=Path.cwd(), env=_environment(),
            )  # fmt: skip
    except OSError as error:
        raise NoSpace(f"the measurement cannot be noted ({error.strerror or error})") from error
    _children.append(child)


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(launch.PROJECT), os.environ.get("PYTHONPATH", "")]))
    more = {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NASCOPE_HOME": str(launch.home())}
    return {**os.environ, **more}


def cancel(asked: Asked) -> None:
    """Asks it to stop after its piece."""
    with contextlib.suppress(OSError):
        (asked.folder / "stop").touch()


def read(place: Path) -> Asked:
    """What a folder was made for.

    Raises:
        NoSpace: it cannot be read.
    """
    said = _read(place / "asked.json")
    if not said:
        raise NoSpace(f"{place.name}/asked.json cannot be read")
    return Asked(said["spec"], said["arch"], str(said.get("table", "")))


def here(asked: Asked, work: Callable[[Asked], Work], tell: Callable[[Progress], None]) -> Document | None:
    """Does the work in this process and keeps its result; None where it was asked to stop.

    Args:
        asked: which network.
        work: yields how far it is, returns what it measured.
        tell: hears how far it is.

    Raises:
        Busy: another process is at it.
        NoSpace: the data folder cannot be written.
    """
    place = asked.folder
    try:
        place.mkdir(parents=True, exist_ok=True)
        lock = hold(place / "lock")
    except OSError as error:
        raise NoSpace(f"the measurement cannot be noted ({error.strerror or error})") from error
    if lock is None:
        raise Busy("this network is being measured already")
    try:
        found = _followed(place, work(asked), tell)
        _say(place, "stopped" if found is None else "finished")
        return found
    except BaseException as error:
        said = str(error) if isinstance(error, AppError) else type(error).__name__
        _say(place, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error=said)
        raise
    finally:
        os.close(lock)


def _followed(place: Path, work: Work, tell: Callable[[Progress], None]) -> Document | None:
    told = 0.0
    while True:
        try:
            done, total, what = next(work)
        except StopIteration as end:
            _write(place / "result.json", end.value)
            return end.value
        if time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            _say(place, "running", done=done, total=total, what=what)
        tell((done, total, what))
        if (place / "stop").exists():
            work.close()
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


def _say(place: Path, state: str, **more: Any) -> None:
    _write(place / "state.json", {"state": state, "t": time.time(), **more})


def _write(file: Path, data: Any) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        aside.write_text(json.dumps(data, allow_nan=False) + "\n", "utf-8")
        aside.replace(file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise NoSpace(f"{file.name} cannot be written ({error.strerror or error})") from error


def _read(file: Path) -> Document:
    try:
        found: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
