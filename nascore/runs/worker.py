"""The worker: one process, one run. `python -m nascore.runs.worker FOLDER`, started by `launch` in its own
session.

It takes the run's lock, waits for a slot with next to nothing imported, and only then becomes a torch
process. What the strategy says goes to the journal. A second life replays the first: answers come from the
journal, in the order in which the strategy asks for them, so it decides what it decided before and pays for
nothing twice.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascore.errors import AppError, BadInput, NoSpace
from nascore.events import Event, Life, Tried
from nascore.locks import Ticket, hold
from nascore.runs.journal import Journal

if TYPE_CHECKING:
    from nascore.problem import Memo, Problem
    from nascore.runs.spec import RunSpec
    from nascore.space import Space

BUSY = 75  # exit status: somebody else holds the run
CONTROL_SECONDS, SLOT_SECONDS = 0.05, 0.1
MEMORY_GIB = 4.0
LOG_BYTES = 5 << 20
PATHS = re.compile(r"""(?:~|\.{1,2})?(?:/[^\s:'",;()<>]+)+|[A-Za-z]:\\[^\s'"]+""")


class GoneError(Exception):
    """The run's folder was deleted: there is nobody left to work for."""


class Control:
    """What people ask of this run: the control file, looked at every 50 ms at most, and SIGTERM."""

    def __init__(self, folder: Path) -> None:
        self.file, self.terminated, self._time, self._word = folder / "control", False, -1.0, "run"
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _terminate(self, *_: object) -> None:
        self.terminated = True

    def word(self) -> str:
        """What is asked for now: run, retry, pause or cancel.

        Raises:
            GoneError: the folder is no longer there.
        """
        if time.monotonic() - self._time >= CONTROL_SECONDS:
            self._time = time.monotonic()
            with contextlib.suppress(FileNotFoundError):
                self._word = self.file.read_text()[:10].strip()
            if not self.file.parent.exists():
                raise GoneError
            _cut_log()
        return "cancel" if self.terminated else self._word

    def farewell(self) -> Life | None:
        """The end of this life, where one was asked for."""
        match self.word():
            case "cancel":
                return Life("Stopped", "stopped by hand")
            case "pause":
                return Life("Paused")
            case _:
                return None


def _cut_log() -> None:
    with contextlib.suppress(OSError):
        if os.fstat(1).st_size > LOG_BYTES:
            os.ftruncate(1, 0)


def main(arguments: Sequence[str]) -> int:
    """Lives one life of the run in the folder given; the exit status is for the launcher's eyes only."""
    folder = Path(arguments[0])
    os.umask(0o077)
    if (lock := hold(folder / "lock")) is None:
        return BUSY
    control = Control(folder)
    journal = Journal(folder)
    try:
        journal.last_words(_life(folder, journal, control))
    except GoneError:
        return 1
    journal.close()
    os.close(lock)  # nothing more is written, and torch takes its time to leave
    return 0


def _life(folder: Path, journal: Journal, control: Control) -> Life:
    """Everything up to the last words, which it returns."""
    try:
        journal.append(Life("Queued"))
        return _wait(folder, control) or _work(folder, journal, control)
    except GoneError:
        raise
    except NoSpace as error:
        return Life("Stopped", str(error))
    except Exception as error:  # a bug or a refusal ends this run alone, and is told
        return _failure(error)


def _wait(folder: Path, control: Control) -> Life | None:
    """Returns when a slot is ours, or the farewell that was asked for before."""
    ticket = Ticket.draw(folder.parents[1], folder.name)
    while not ticket.take():
        if farewell := control.farewell():
            ticket.leave()
            return farewell
        time.sleep(SLOT_SECONDS)
    return control.farewell()


def _work(folder: Path, journal: Journal, control: Control) -> Life:
    slot_time = time.monotonic()
    limit()
    from nascore.device import resolve
    from nascore.problem import Memo
    from nascore.runs.spec import read

    try:
        spec = read((folder / "spec.json").read_bytes())
        device = resolve(spec.device)
    except (OSError, BadInput) as error:
        return _failure(BadInput(f"could not start: {error}"))
    memo = Memo(folder / "memo")
    remember(memo, spec.space, journal.events)
    problem = spec.problem(memo, device)
    journal.append(Life("Started", about=_about(spec, problem)))
    again, done, start_time = control.word() == "retry", _finished(journal), time.monotonic()
    for stretch in (() if done else (_search(spec, problem),)) + (
        (corrections(spec, problem, journal),) * again
    ):
        if farewell := _follow(stretch, journal, control):
            return farewell
    if not any(
        isinstance(e, Tried) for e in journal.events
    ):  # one whole life: it tells how long such a search takes
        from nascore.runs.estimate import remember as remember_speed

        with contextlib.suppress(OSError):
            tried = list(memo.answers.values())
            remember_speed(spec, time.monotonic() - start_time, start_time - slot_time, tried)
    return Life("Finished")


def _search(spec: RunSpec, problem: Problem) -> Iterator[Event]:
    from nascore.problem import search

    yield from search(spec.strategy, problem)


def _follow(events: Iterator[Event], journal: Journal, control: Control) -> Life | None:
    for event in events:
        journal.append(event)
        if farewell := control.farewell():
            events.close()  # type: ignore[attr-defined] -- both stretches are generators
            return farewell
    return None


def _finished(journal: Journal) -> bool:
    return any(isinstance(e, Life) and e.what == "Finished" for e in journal.events)


class Replayed(dict[Any, Any]):
    """Answers of an earlier life, each given out, and counted, at the moment when it is asked for.

    So what a replaying strategy sees of the budget and of the answers so far is what it saw the first time.
    """

    def __init__(self, past: dict[tuple[str, str], Tried], release: Callable[[Tried], None]) -> None:
        super().__init__()
        self.past, self.release = past, release

    def get(self, key: Any, default: Any = None) -> Any:
        """The answer, or the default."""
        if key in self.past:
            self.release(self.past.pop(key))
        return super().get(key, default)


def remember(memo: Memo, space: Space, events: Sequence[Event | Life]) -> None:
    """Lets a memo answer from a journal: with what was said first, since that is what was decided upon."""
    from nascore.space import key

    past: dict[tuple[str, str], Tried] = {}
    for event in events:
        if isinstance(event, Tried):
            past.setdefault((event.how, key(space, event.arch)), event)
    memo.answers = Replayed(past, lambda tried: memo.record(space, tried))


def corrections(spec: RunSpec, problem: Problem, journal: Journal) -> Iterator[Event]:
    """Judges again what failed, outside the budget; what is invalid stays so."""
    from dataclasses import replace

    from nascore.problem import Budget, Memo

    latest = {t.identity(): t for t in journal.events if isinstance(t, Tried)}
    failed = [t for t in latest.values() if t.failed and not t.failed.startswith("invalid")]
    free = replace(problem, memo=Memo(problem.memo.folder), budget=Budget(evaluations=0))
    for how in dict.fromkeys(t.how for t in failed):
        rows = [t for t in failed if t.how == how]
        if judge := judge_of(spec, how):
            yield from free.evaluate([t.arch for t in rows], judge, [t.parents for t in rows])


def judge_of(spec: RunSpec, how: str) -> Any:
    """The spec's evaluator at the fidelity and of the draw that have this key, or None."""
    from dataclasses import replace

    own: Any = spec.evaluator
    if (draw := re.search(r"/draw(\d+)$", how)) and hasattr(own, "draw"):
        own = replace(own, draw=int(draw[1]))
    if own.key == how:
        return own
    with contextlib.suppress(AppError):
        for epochs in range(1, 601):
            if (judge := own.at(epochs)).key == how:
                return judge
    return None


def limit() -> None:
    """Limits this process: memory, threads, and who goes first when the machine runs out."""
    gib = float(os.environ.get("NASCOPE_MEMORY_GB") or MEMORY_GIB)
    resource.setrlimit(resource.RLIMIT_DATA, (int(gib * 2**30), resource.RLIM_INFINITY))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    import torch

    torch.set_num_threads(1)


def _about(spec: RunSpec, problem: Problem) -> dict[str, str | float]:
    """What the numbers of this life stand for, and the machine that made them."""
    from dataclasses import asdict

    import torch

    protocol = asdict(spec.evaluator.protocol(problem))
    return {
        **protocol,
        "device": problem.device,
        "threads": torch.get_num_threads(),
        "cpu": cpu_model(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def cpu_model() -> str:
    """The processor as the kernel names it."""
    with contextlib.suppress(OSError):
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def without_paths(text: str) -> str:
    """A text as one short line that names no place on this machine."""
    return " ".join(PATHS.sub("...", text).split())[:200]


def _failure(error: Exception) -> Life:
    """One sentence and an error id for people; the trace goes to worker.log under the same id."""
    mark = os.urandom(4).hex()
    sys.stderr.write(f"error {mark}\n{traceback.format_exc()}\n")
    sys.stderr.flush()
    text = " ".join(str(error).split())
    full = isinstance(error, MemoryError) or "can't allocate" in text or "out of memory" in text.lower()
    if full and not isinstance(error, AppError):
        soft = resource.getrlimit(resource.RLIMIT_DATA)[0]
        text = f"out of memory (limit {soft / 2**30:.3g} GiB)"
    elif not isinstance(error, AppError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return Life("Failed", without_paths(text), {"error": mark})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
