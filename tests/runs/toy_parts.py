"""Toys that a worker can find by name, and a home for runs of them."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from nascore.events import Arch, Chosen, Event, Note, Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator, Strategy, knob
from nascore.problem import Problem
from nascore.space import key
from tests import toys

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class ToyLookup(Evaluator):
    """A table of errors that takes its time, and writes down every arch that it is asked."""

    seconds: float = knob(0.0, 0, 60)
    fail: int = knob(0, 0, 100, "archs whose options sum to a multiple of this fail, until TOY_MENDED exists")
    odd: bool = knob(False, help="gives metrics that are no good numbers")

    @property
    def key(self) -> str:
        return "toy_lookup"

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        return EvaluationProtocol("toy", "validation", 1, "no seed", "table")

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        return ("error", "params")

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        for i, arch in enumerate(archs):
            time.sleep(self.seconds)
            with Path(os.environ["TOY_LOG"]).open("a") as log:
                log.write(json.dumps(arch) + "\n")
            yield Step(f"toy {key(problem.space, arch)}", i, {"at": float(i)})
            yield self._tried(arch, problem)

    def _tried(self, arch: Arch, problem: Problem) -> Tried:
        if self.fail and sum(arch) % self.fail == 0 and not Path(os.environ["TOY_MENDED"]).exists():
            return Tried(arch, {}, self.key, {"seconds": 0.01}, failed="diverged at step 37")
        metrics = {"error": toys.table()[arch], "params": float(problem.costs([arch])["params"][0])}
        if self.odd:
            metrics["error"] = [float("nan"), float("inf"), 1e308, -0.0][arch[0]]
        return Tried(arch, metrics, self.key, {"seconds": 0.01}, {"error": (0.9, metrics["error"])})


@dataclass(frozen=True)
class Rogue(Strategy):
    """A strategy that misbehaves after a few good events."""

    kind: Literal["raise", "hang", "grow", "fork"] = knob("raise", options=("raise", "hang", "grow", "fork"))

    def search(self, problem: Problem) -> Iterator[Event]:
        tried = yield from problem.evaluate(problem.sample(4, "rogue"))
        yield Note(f"now to {self.kind}")
        yield from getattr(self, f"_{self.kind}")()
        yield Chosen(tried[0].arch, "the first")

    def _raise(self) -> Iterator[Event]:
        yield Note("about to break")
        raise LookupError("token hunter2 was not found in /etc/secret/keys.txt")

    def _hang(self) -> Iterator[Event]:
        time.sleep(3600)
        yield Note("awake")

    def _grow(self) -> Iterator[Event]:
        hoard: list[bytearray] = []
        while True:
            hoard.append(bytearray(64 << 20))

    def _fork(self) -> Iterator[Event]:
        if (child := os.fork()) == 0:
            time.sleep(3600)
            os._exit(0)
        Path(os.environ["TOY_LOG"]).with_name("child").write_text(str(child))
        yield Note("forked")
        time.sleep(3600)


def enter(set_item: Callable[[dict[str, Any], str, Any], None] = dict.__setitem__) -> None:
    """Puts the toys into the tables of this process."""
    from nascore.tables import TABLES

    for kind, entries in {
        "space": {"toy": toys.ToySpace},
        "task": {"toy": toys.ToyTask},
        "evaluator": {"toy_lookup": ToyLookup},
        "strategy": {"rogue": Rogue},
    }.items():
        for name, cls in entries.items():
            set_item(TABLES[kind], name, cls)


def document(n: int = 12, **more: Any) -> dict[str, Any]:
    """A spec of toys; `seconds`, `fail`, `odd` go to the judge."""
    knobs = {k: more.pop(k) for k in ("seconds", "fail", "odd") if k in more}
    return {
        "v": 1,
        "title": "toy",
        "space": "toy",
        "task": "toy",
        "evaluator": {"name": "toy_lookup", "knobs": knobs},
        "strategy": {"name": "random_search", "knobs": {"batch": 4}},
        "budget": {"evaluations": n},
        "device": "cpu",
        **more,
    }


def spec(n: int = 12, **more: Any) -> Any:
    """The same as a RunSpec."""
    from nascore.runs.spec import from_document

    return from_document(document(n, **more))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty home whose workers know the toys; at the end none of them is left."""
    from nascore.locks import holder
    from nascore.runs import launch

    place = tmp_path / "home"
    monkeypatch.setenv("NASCOPE_HOME", str(place))
    monkeypatch.setenv("NASCOPE_SLOTS", "1")
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "evaluated"))
    monkeypatch.setenv("TOY_MENDED", str(tmp_path / "mended"))
    monkeypatch.setattr(launch, "COMMAND", (sys.executable, "-m", "tests.runs.toy_worker"))
    enter(monkeypatch.setitem)
    place.mkdir()
    yield place
    for lock in place.glob("runs/*/lock"):
        if (pid := holder(lock)) is not None:
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGKILL)
    for child in launch._children:
        child.wait(10)
    launch.reap()


def until(claim: Callable[[], Any], seconds: float = 20.0) -> Any:
    """The first true answer of `claim`, or a failure after so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := claim():
            return found
        time.sleep(0.01)
    raise AssertionError(f"still not so after {seconds} s")


def records(run: str, kind: str = "Tried") -> list[dict[str, Any]]:
    """What the journal holds of one kind."""
    from nascore.runs import launch
    from nascore.runs.journal import NAME, Reader

    return [r for r in Reader(launch.folder(run) / NAME).read() if r["kind"] == kind]


def told(run: str) -> list[Any]:
    """Arch, metrics and failure of each Tried, in order."""
    return [(r["arch"], r["metrics"], r["failed"], r["parents"]) for r in records(run)]


def evaluated() -> list[Any]:
    """Every arch that a judge of this test was really asked, in order."""
    file = Path(os.environ["TOY_LOG"])
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def finish(run: str, seconds: float = 30.0) -> str:
    """Waits for the worker's end; the state that it leaves."""
    from nascore.runs import launch
    from nascore.runs.state import summary

    assert launch.ended(run, seconds)
    return summary(run).state


def kill(run: str) -> int:
    """Kills the run's worker with -9, once it has one, and waits until the kernel has let its lock go."""
    from nascore.locks import holder
    from nascore.runs import launch

    lock = launch.folder(run) / "lock"
    pid = until(lambda: holder(lock))
    os.kill(pid, signal.SIGKILL)
    until(lambda: holder(lock) is None)
    return pid
