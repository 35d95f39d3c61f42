"""A problem is all that a strategy sees. Its memo is the run's memory: answers, states, streams by name.

torch is imported where it is used: the app imports this module and does without torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import operator
import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nascore.errors import AppError, BadInput, Diverged, OutOfBudget
from nascore.events import Arch, Chosen, Event, Note, Tried
from nascore.executors import Executor, Inline
from nascore.kinds import Evaluator, Strategy, knob
from nascore.space import Archs, Sharing, Space, array, key, sample, tuples

if TYPE_CHECKING:
    from torch import Tensor

    from nascore.recipe import Recipe
    from nascore.supernet import Supernet
    from nascore.task import Batch, Split, Task

SIGNS: dict[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}
UNITS = ("evaluations", "seconds", "epochs", "simulated_seconds")  # what a budget limits
FREE = ("params", "flops")  # known of any arch before it is built


@dataclass(frozen=True)
class Objective:
    """A metric and which way is better."""

    metric: str
    direction: Literal["min", "max"] = "min"


@dataclass(frozen=True)
class Constraint:
    """A metric that must stay on one side of a limit."""

    metric: str
    sign: Literal["<=", ">="]
    limit: float

    def violation(self, value: float) -> float:
        """0 where it is met, else by how much it is not, relative to the limit."""
        if SIGNS[self.sign](value, self.limit):
            return 0.0
        return abs(value - self.limit) / (abs(self.limit) or 1.0) if math.isfinite(value) else math.inf


@dataclass(frozen=True)
class Budget:
    """What a run may spend; 0 is no limit. Seconds are those of evaluations, over all lives of the run."""

    evaluations: int = knob(100, 0, 10_000_000, "architectures to judge; 0 for no limit")
    seconds: float = knob(0.0, 0, 10_000_000, "seconds of evaluation; 0 for no limit")
    epochs: float = knob(0.0, 0, 1e12, "epochs of training over all architectures; 0 for no limit")
    simulated_seconds: float = knob(
        0.0, 0, 1e12, "seconds that training took when a table was made; 0 for no limit"
    )


class Memo:
    """Answers by (evaluator key, arch key); states by name. With a folder, states outlive the process."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self.states: dict[str, Any] = {}
        self.answers: dict[tuple[str, str], Tried] = {}
        self.spent: dict[str, float] = {}

    def bare(self) -> Memo:
        """The same folder and what was spent, without the answers: what a helper process needs."""
        memo = Memo(self.folder)
        memo.spent = dict(self.spent)
        return memo

    def file(self, name: str) -> Path:
        """Where the state of this name lies, or would; of a memo with a folder."""
        assert self.folder is not None  # noqa: S101 -- callers have looked
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.pt"

    def load(self, name: str) -> Any:
        """What was saved under this name, or None; a file that cannot be read is as none."""
        if self.folder is None:
            return self.states.get(name)
        import pickle
        import warnings

        import torch

        file = self.file(name)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of a foreign file; what cannot be read is refused below
                return torch.load(file, weights_only=True) if file.exists() else None
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, LookupError, ValueError, TypeError):
            return None  # torn or not ours: that phase starts again, the journal keeps the answers

    def save(self, name: str, state: Any) -> None:
        """Keeps a state of tensors, numbers and containers; replaces it whole or not at all."""
        if self.folder is None:
            import copy

            self.states[name] = copy.deepcopy(state)
            return
        import torch

        file = self.file(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        aside = file.with_suffix(f".{os.getpid()}.tmp")
        torch.save(state, aside)
        aside.replace(file)

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """The value saved under this name, or computed and saved: a dear decision that is no evaluation."""
        if (known := self.load(name)) is None:
            self.save(name, known := compute())
        return known

    def record(self, space: Space, tried: Tried) -> None:
        """Remembers an answer and counts what it cost."""
        self.answers[tried.how, key(space, tried.arch)] = tried
        for unit, amount in {"evaluations": 1.0, **tried.spent}.items():
            self.spent[unit] = self.spent.get(unit, 0.0) + amount


@dataclass(frozen=True)
class Problem:
    """Space, task, recipe, judge, objectives, constraints, budget and seed in one.

    `sampled` is the number of random archs that a supernet's weights judge after each of its epochs.
    """

    space: Space
    task: Task
    recipe: Recipe
    evaluator: Evaluator
    objectives: tuple[Objective, ...] = (Objective("error"),)
    constraints: tuple[Constraint, ...] = ()
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    device: str = "cpu"
    executor: Executor = field(default_factory=Inline)
    memo: Memo = field(default_factory=Memo)
    sampled: int = 24

    def rng(self, *stream: str | int) -> np.random.Generator:
        """A fresh generator by name: the same name gives the same numbers in every life of a run."""
        return np.random.default_rng(self.number(*stream))

    def number(self, *stream: str | int) -> int:
        """63 bits that belong to this name and the problem's seed."""
        text = json.dumps([self.seed, *stream])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1

    def reseed(self, *stream: str | int) -> None:
        """Sets torch's one global generator by name, wherever a replay may have skipped work."""
        import torch

        torch.manual_seed(self.number("torch", *stream))

    def batches(self, split: Split, *stream: str | int, weights: Tensor | None = None) -> Iterator[Batch]:
        """One epoch of batches drawn by the named stream."""
        return self.task.batches(split, self.recipe.batch, self.rng(*stream), weights, self.device)

    def supernet(self, sharing: Sharing) -> Supernet:
        """A supernet of the space's open options, on the problem's device."""
        return self.space.supernet(self.task.shape, sharing, self.space.choices()).to(self.device)

    def within(self, space: Space) -> Problem:
        """The same problem on a restricted space: same memo, same keys."""
        return replace(self, space=space)

    def wanted(self) -> tuple[str, ...]:
        """Metrics that objectives and constraints name."""
        return tuple(
            dict.fromkeys([o.metric for o in self.objectives] + [c.metric for c in self.constraints])
        )

    def left(self, unit: str = "evaluations") -> float:
        """What is left of the budget; infinite where there is no limit."""
        limit = getattr(self.budget, unit)
        return limit - self.memo.spent.get(unit, 0.0) if limit else math.inf

    def spent_up(self) -> bool:
        """Whether any limit of the budget is reached."""
        return min(self.left(u) for u in UNITS) <= 0

    def costs(self, archs: Sequence[Arch] | Archs) -> dict[str, NDArray[np.float64]]:
        """Exact and free costs, metric -> (n,); those that a part of a product prices too."""
        rows, shape = array(tuples(archs), self.space), self.task.shape
        return {**self.space.costs(rows, shape), **self.space.counted(rows, shape)}

    def allowed(self, archs: Sequence[Arch] | Archs) -> NDArray[np.bool_]:
        """(n,) valid, and within every constraint that is known for free."""
        rows = tuples(archs)
        ok = np.array([not self.space.invalid(a) for a in rows], dtype=bool)
        asked = [c for c in self.constraints if c.metric in (*FREE, *self.space.priced())]
        if asked and ok.any():
            good = array([a for a, k in zip(rows, ok, strict=True) if k], self.space)
            quick = all(c.metric in FREE for c in asked)
            found = self.space.costs(good, self.task.shape) if quick else self.costs(good)
            met = [[c.violation(float(v)) == 0 for v in found[c.metric]] for c in asked]
            ok[ok] = np.all(np.array(met), 0)
        return ok

    def sample(self, n: int, *stream: str | int) -> Archs:
        """(n, choices) random allowed archs.

        Raises:
            BadInput: ten thousand draws and more gave too few that meet the constraints.
        """
        rng, rows = self.rng(*stream), []
        for _ in range(100):
            draw = sample(self.space, max(n, 100), rng)
            rows += tuples(draw[self.allowed(draw)])
            if len(rows) >= n:
                return array(rows[:n], self.space)
        limits = ", ".join(f"{c.metric} {c.sign} {c.limit:g}" for c in self.constraints)
        raise BadInput(
            f"constraints: of {100 * max(n, 100):,} random architectures only {len(rows)} meet {limits}"
        )

    def cost(self, tried: Tried) -> tuple[float, ...]:
        """Objectives, lower is better; infinite where it failed."""
        if tried.failed:
            return (math.inf,) * len(self.objectives)
        return tuple(
            (1 if o.direction == "min" else -1) * tried.metrics.get(o.metric, math.inf)
            for o in self.objectives
        )

    def violation(self, tried: Tried) -> float:
        """How far the constraints are missed in sum, relative to their limits; 0 where all are met."""
        if tried.failed:
            return math.inf
        return sum(c.violation(tried.metrics.get(c.metric, math.nan)) for c in self.constraints)

    def order(self, tried: Tried) -> tuple[float, ...]:
        """Sort key: feasible before infeasible before failed, then violation, then the objectives in turn."""
        return (self.violation(tried), *self.cost(tried))

    def evaluate(
        self,
        archs: Sequence[Arch] | Archs,
        by: Evaluator | None = None,
        parents: Sequence[tuple[str, ...]] = (),
    ) -> Generator[Event, None, list[Tried]]:
        """Judges archs, one `Tried` an arch in their order: `tried = yield from problem.evaluate(archs)`.

        What the memo knows is returned, not told again, and costs nothing. A bad arch comes back
        with `failed` set.
        Where the budget ends, those that are known are returned.

        Args:
            archs: n archs.
            by: the judge; default the problem's.
            parents: (n,) keys of the archs that each was made from.

        Raises:
            OutOfBudget: nothing is left, and nothing of what was asked is known.
        """
        judge, rows = by or self.evaluator, tuples(archs)
        line = dict(zip(rows, parents, strict=True)) if len(parents) else {}
        todo = [a for a in dict.fromkeys(rows) if self.known(a, judge) is None]
        if todo and self.spent_up():
            if len(todo) == len(set(rows)):
                raise OutOfBudget("the budget is spent")
            todo = []
        todo = todo[: int(min(len(todo), self.left()))]
        for arch in [a for a in todo if self.space.invalid(a)]:
            todo.remove(arch)
            why = f"invalid: {self.space.invalid(arch)}"
            yield self._record(Tried(arch, {}, judge.key, parents=line.get(arch, ()), failed=why))
        yield from self._answers(todo, judge, line)
        return [t for a in rows if (t := self.known(a, judge)) is not None]

    def known(self, arch: Arch, by: Evaluator | None = None) -> Tried | None:
        """The memo's answer of a judge, if any."""
        return self.memo.answers.get(((by or self.evaluator).key, key(self.space, arch)))

    def tried(self) -> list[Tried]:
        """Everything that the default judge has said, in the order in which it was said."""
        return [t for t in self.memo.answers.values() if t.how == self.evaluator.key]

    def _answers(self, todo: list[Arch], by: Evaluator, line: dict[Arch, tuple[str, ...]]) -> Iterator[Event]:
        """A failure among many is narrowed down by halves to the arch that causes it."""
        start, waiting = time.monotonic(), list(todo)
        try:
            for event in self.executor.run(by, todo, self) if todo else ():
                if isinstance(event, Tried):
                    waiting.remove(event.arch)
                    event = self._record(_checked(replace(event, parents=line.get(event.arch, ()))))
                yield event
        except OutOfBudget:
            yield Note(
                f"budget spent while {len(waiting)} architectures were in training; they are not counted"
            )
            raise
        except (RuntimeError, FloatingPointError, MemoryError, ValueError, Diverged) as error:
            if len(waiting) > 1:
                half = len(waiting) // 2
                yield from self._answers(waiting[:half], by, line)
                yield from self._answers(waiting[half:], by, line)
            elif waiting:
                spent = {"seconds": time.monotonic() - start}
                yield self._record(
                    Tried(
                        waiting[0], {}, by.key, spent, parents=line.get(waiting[0], ()), failed=reason(error)
                    )
                )

    def _record(self, tried: Tried) -> Tried:
        self.memo.record(self.space, tried)
        return tried


def _checked(tried: Tried) -> Tried:
    bad = [m for m, v in tried.metrics.items() if not math.isfinite(v)]
    return replace(tried, failed=f"not finite: {', '.join(bad)}") if bad and not tried.failed else tried


def reason(error: BaseException) -> str:
    """One short sentence for a row that failed."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or "alloc" in text or "out of memory" in text.lower():
        return "out of memory"
    return text[:120] if isinstance(error, AppError) and text else f"{type(error).__name__}: {text}"[:120]


def epochs(problem: Problem, name: str, n: int, *kept: Any) -> Iterator[int]:
    """Epoch numbers of a named phase from where the memo stands; saves everything `kept` after each.

    Kept things have `state_dict` and `load_state_dict`: networks, gatings, trainers, optimizers, `State`.
    torch's generator is set by (name, epoch), so a resumed epoch draws what the first one drew.
    """
    start = 0
    if state := problem.memo.load(name):
        start = state["epoch"]
        for thing, saved in zip(kept, state["kept"], strict=True):
            thing.load_state_dict(saved)
    for epoch in range(start, n):
        problem.reseed(name, epoch)
        yield epoch
        problem.memo.save(name, {"epoch": epoch + 1, "kept": [k.state_dict() for k in kept]})
    problem.reseed(name, "after")


class State(dict[str, Any]):
    """A dictionary of tensors, numbers and lists that an epoch loop can keep."""

    def state_dict(self) -> dict[str, Any]:
        """Its items."""
        return dict(self)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replaces its items."""
        self.clear()
        self.update(state)


def search(strategy: Strategy, problem: Problem) -> Iterator[Event]:
    """The strategy's events; where the budget ends it, a `Chosen` of the best by the default judge."""
    problem.reseed("search")
    try:
        yield from strategy.search(problem)
    except OutOfBudget:
        yield Note("budget spent")
        if good := [t for t in problem.tried() if not t.failed]:
            yield Chosen(min(good, key=problem.order).arch, "best within the budget")
