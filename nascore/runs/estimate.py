"""How long a search will take on this machine: measured, not guessed.

A process of its own trains a few architectures for one epoch and then for a second, so that start-up, the
fixed cost and the cost of an epoch fall apart. A search with shared weights begins for real instead, and ends
after a few epochs of its supernet. What finished runs of the same settings took is better
evidence and replaces it. Answers lie in `<home>/measured/`, named after everything that matters: all of the
spec but title, seed and budget.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascore.codec import dumps
from nascore.errors import AppError, NotSupported
from nascore.events import Step, Tried
from nascore.runs.launch import PROJECT, home
from nascore.runs.spec import RunSpec, read
from nascore.runs.worker import cpu_model

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

PROBES, LIMIT_SECONDS, GRACE_SECONDS, ENOUGH = 16, 120.0, 10, 5
ROUNDS, ROUND_SECONDS = 3, 30.0  # epochs of a supernet, and after how long fewer must do
CLOCK = "simulated_seconds"
MEASURED, EARLIER = "measured on this machine", "from an earlier run"


@dataclass(frozen=True)
class Estimate:
    """What a search costs here; `error` says why it could not be measured.

    Attributes:
        seconds_per_evaluation: of one architecture.
        startup_seconds: before the first one.
        total_seconds: until the budget is spent, or the strategy ends.
        source: what this was taken from.
        error: one sentence, or "".
        seconds_per_epoch: of the supernet; 0 for a search without shared weights.
    """

    seconds_per_evaluation: float
    startup_seconds: float
    total_seconds: float
    source: str
    error: str = ""
    seconds_per_epoch: float = 0.0


@dataclass
class Probe:
    """The one measurement that may be under way."""

    mark: str
    process: subprocess.Popen[bytes]
    since: float


_guard = threading.Lock()
_probe: list[Probe] = []
_errors: dict[str, str] = {}


def mark_of(spec: RunSpec) -> str:
    """16 hex digits of what decides about the speed."""
    told = {k: v for k, v in spec.to_json().items() if k not in ("title", "seed", "budget")}
    text = dumps({**told, "cpu": cpu_model(), "cores": os.cpu_count()})
    return hashlib.sha256(json.dumps(json.loads(text), sort_keys=True).encode()).hexdigest()[:16]


def _file(mark: str) -> Path:
    return home() / "measured" / f"{mark}.json"


def _known(mark: str) -> dict[str, Any] | None:
    try:
        found = json.loads(_file(mark).read_text())
        return {**found, "seconds_per_evaluation": float(found["seconds_per_evaluation"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def request(spec: RunSpec) -> None:
    """Starts the measurement, if it is not known or under way; never waits. The last wish counts."""
    mark = mark_of(spec)
    with _guard:
        _collect()
        if mark in _errors or _known(mark) or (_probe and _probe[0].mark == mark):
            return
        for old in _probe:
            _end(old)
        _probe.clear()
        _probe.append(Probe(mark, _start(spec), time.monotonic()))


def _start(spec: RunSpec) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, "-m", "nascore.runs.estimate"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NASCOPE_HOME": str(home())},
    )
    with contextlib.suppress(BrokenPipeError):
        assert process.stdin is not None  # noqa: S101 -- it was asked for
        process.stdin.write(dumps(spec.to_json()).encode())
        process.stdin.close()
    return process


def _end(probe: Probe) -> None:
    """Kills a measurement, if it lives, and closes what it could have said."""
    probe.process.kill()
    probe.process.wait()
    if probe.process.stderr is not None:
        probe.process.stderr.close()


def _collect() -> None:
    """Takes note of a measurement that has ended, or has taken too long."""
    for probe in list(_probe):
        code = probe.process.poll()
        if code is None and time.monotonic() - probe.since > LIMIT_SECONDS:
            _end(probe)
            _errors[probe.mark] = f"measuring took longer than {LIMIT_SECONDS:g} s"
            _probe.remove(probe)
        elif code is not None:
            if code:
                assert probe.process.stderr is not None  # noqa: S101 -- it was asked for
                lines = probe.process.stderr.read().decode(errors="replace").strip().splitlines()
                _errors[probe.mark] = lines[-1][:200] if code == 2 and lines else "measuring failed"
            _end(probe)
            _probe.remove(probe)


def ready(spec: RunSpec) -> Estimate | None:
    """The estimate, or None while nothing is known yet."""
    mark = mark_of(spec)
    with _guard:
        _collect()
        error = _errors.get(mark)
    if error:
        return Estimate(0.0, 0.0, 0.0, "", error)
    if (found := _known(mark)) is None:
        return None
    each, startup = found["seconds_per_evaluation"], float(found.get("startup_seconds", 0.0))
    total, source = startup + _spent(spec, each, found), str(found.get("source", MEASURED))
    return Estimate(each, startup, total, source, seconds_per_epoch=float(found.get("seconds_per_epoch", 0)))


def _spent(spec: RunSpec, each: float, found: dict[str, Any]) -> float:
    """Seconds until the first limit of the budget is reached."""
    budget, epochs = spec.budget, float(found.get("epochs_per_evaluation") or 0.0)
    ends = [budget.seconds] if budget.seconds else []
    if rounds := shared_epochs(spec):  # judges what it found at the end, and ends
        whole = rounds * float(found.get("seconds_per_epoch") or 0.0)
        return min([*ends, whole + min(_judged(spec), budget.evaluations or ENOUGH) * each])
    if budget.evaluations:
        ends.append(budget.evaluations * each)
    if budget.epochs and epochs:
        ends.append(budget.epochs / epochs * each)
    if budget.simulated_seconds and (simulated := float(found.get("simulated_per_evaluation") or 0.0)):
        ends.append(budget.simulated_seconds / simulated * each)
    return min(ends, default=0.0)


def shared_epochs(spec: RunSpec) -> int:
    """Epochs of the supernet of a search; 0 where no weights are shared."""
    return spec.strategy.shared_epochs(len(spec.space.choices()))


def _judged(spec: RunSpec) -> int:
    """Networks that a search with shared weights judges by themselves at its end."""
    return int(getattr(spec.strategy, "finalists", 1))


def wait(spec: RunSpec) -> Estimate:
    """The estimate, measured now where it is not known; waits for it."""
    while (found := ready(spec)) is None:
        request(spec)
        time.sleep(0.05)
    return found


def remember(spec: RunSpec, seconds: float, startup: float, tried: list[Tried]) -> None:
    """Keeps what a whole run took: seconds between its start and its end, and those before its start."""
    if len(tried) >= ENOUGH and not shared_epochs(spec):
        epochs = sum(t.spent.get("epochs", 0.0) for t in tried) / len(tried)
        simulated = sum(t.spent.get(CLOCK, 0.0) for t in tried) / len(tried)
        _keep(mark_of(spec), seconds / len(tried), startup, EARLIER, epochs, simulated)


def _keep(
    mark: str,
    each: float,
    startup: float,
    source: str,
    epochs: float,
    simulated: float = 0.0,
    *,
    round_: float = 0.0,
) -> None:
    file = _file(mark)
    file.parent.mkdir(parents=True, exist_ok=True)
    aside = file.with_suffix(f".{os.getpid()}.tmp")
    found = {
        "seconds_per_evaluation": each,
        "startup_seconds": startup,
        "source": source,
        "epochs_per_evaluation": epochs,
        "simulated_per_evaluation": simulated,
        "seconds_per_epoch": round_,
    }
    aside.write_text(json.dumps(found))
    aside.replace(file)


def measure(spec: RunSpec, since: float) -> None:
    """Measures in this process and keeps the answer.

    Args:
        spec: the search.
        since: monotonic time at which this process began.
    """
    import torch

    from nascore.device import resolve
    from nascore.problem import Budget

    torch.set_num_threads(1)
    endless = replace(spec, budget=Budget(evaluations=0))  # a small budget must not end the measurement
    problem = endless.problem(device=resolve(spec.device))
    shared = bool(shared_epochs(spec))
    n = _judged(spec) if shared else min(PROBES, spec.budget.evaluations or PROBES)
    archs = [tuple(int(i) for i in a) for a in problem.sample(n, "estimate")]
    startup = time.monotonic() - since
    each, epochs = _per_arch(problem, archs)
    simulated = _simulated(problem, archs)
    begun = time.monotonic()
    first, round_ = _per_epoch(spec, problem, begun) if shared else (0.0, 0.0)
    _keep(mark_of(spec), each, startup + first, MEASURED, epochs, simulated, round_=round_)


def _per_epoch(spec: RunSpec, problem: Problem, begun: float) -> tuple[float, float]:
    """Seconds of a supernet before its first epoch, and of one epoch, all of the first where it is slow."""
    from nascore.problem import search

    ends: list[float] = []
    for event in search(spec.strategy, problem):
        if isinstance(event, Step):
            ends.append(time.monotonic())
        if len(ends) >= ROUNDS or (ends and ends[-1] - begun > ROUND_SECONDS):
            break
    if len(ends) < 2:
        return 0.0, time.monotonic() - begun
    each = (ends[-1] - ends[0]) / (len(ends) - 1)
    return max(ends[0] - begun - each, 0.0), each


def _per_arch(problem: Problem, archs: list[Arch]) -> tuple[float, float]:
    """Seconds and epochs of one evaluation of the problem's judge."""
    judge = problem.evaluator
    epochs = judge.protocol(problem).epochs
    try:
        short, longer = judge.at(1), judge.at(2)
    except NotSupported:
        return _timed(problem, judge, archs) / len(archs), float(epochs)
    first = _timed(problem, short, archs)
    if epochs < 2:
        return first / len(archs), float(epochs)
    second = _timed(problem, longer, archs)
    # a judge that keeps its trainings needs one more epoch for the second answer, one that does not needs two
    step = second if second < 1.5 * first else second - first
    return (first + (epochs - 1) * step) / len(archs), float(epochs)


def _simulated(problem: Problem, archs: list[Arch]) -> float:
    """Simulated seconds of one evaluation; 0 where the judge has no such clock."""
    if not getattr(problem.evaluator, "simulates", False):
        return 0.0
    tried = [t for t in problem.evaluator.evaluate(archs, problem) if isinstance(t, Tried)]
    return sum(t.spent.get(CLOCK, 0.0) for t in tried) / max(len(tried), 1)


def _timed(problem: Problem, judge: Any, archs: list[Arch]) -> float:
    start = time.monotonic()
    for _ in judge.evaluate(archs, problem):
        pass
    return time.monotonic() - start


def main() -> int:
    """Reads a spec from standard input and measures it; a refusal is one sentence and status 2."""
    from nascore.runs.worker import limit

    since = time.monotonic()
    limit()
    signal.alarm(round(LIMIT_SECONDS) + GRACE_SECONDS)  # where the app is gone, nobody else ends this
    try:
        measure(read(sys.stdin.buffer.read()), since)
    except AppError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


def document(spec: RunSpec) -> dict[str, Any]:
    """The estimate as the command line prints it, measured now where it is not known."""
    return asdict(wait(spec))


if __name__ == "__main__":
    sys.exit(main())
