"""A tiny real space, task, recipe and judge for tests: six choices, a known table of errors, no torch.

`problem()` puts them together. `Lookup` counts its calls and fails, gives NaN or stops as it is told.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np

from nascore.errors import NotSupported
from nascore.events import Arch, Event, Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator, knob
from nascore.problem import Budget, Memo, Objective, Problem
from nascore.recipe import Recipe
from nascore.space import Archs, Choice, Space
from nascore.task import Shape, Task

SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))


@dataclass(frozen=True)
class ToySpace(Space):
    """Six choices of a few options; `forbidden` says how many first options at most may be taken."""

    options: int = knob(3, 1, 9, "options a choice")
    forbidden: int = knob(0, 0, 9, "architectures whose first so many choices are all option 0 are invalid")

    def choices(self) -> tuple[Choice, ...]:
        return tuple(Choice(f"c{i}", tuple(f"o{j}" for j in range(self.options))) for i in range(6))

    def invalid(self, arch: Arch) -> str:
        shut = self.forbidden and not any(arch[: self.forbidden])
        return f"the first {self.forbidden} choices are all o0" if shut else ""

    def costs(self, archs: Archs, shape: Shape) -> dict[str, Any]:
        params = 100.0 * (1 + archs.sum(1))
        return {"params": params, "flops": 10 * params}


@dataclass(frozen=True)
class ToyTask(Task):
    """No data at all, only a name and a shape."""

    @property
    def data(self) -> str:
        return "toy"

    @property
    def shape(self) -> Shape:
        return SHAPE


@dataclass(frozen=True)
class ToyRecipe(Recipe):
    """Nine epochs of nothing."""

    epochs: int = 9
    batch: int = 8
    parts: tuple[Any, ...] = ()


@lru_cache
def table(options: int = 3) -> dict[Arch, float]:
    """Arch -> its true error between 0 and 1: each option's own effect, a little of its neighbor's, noise.

    More params help a little, so that error and params conflict.
    """
    rng = np.random.default_rng(7)
    own, joint = rng.random((6, options)), rng.random((6, options, options))
    own += 0.15 * np.arange(options)[::-1]
    archs = list(itertools.product(range(options), repeat=6))
    raw = [
        sum(own[i, a[i]] + 0.4 * joint[i, a[i], a[(i + 1) % 6]] for i in range(6)) + 0.1 * rng.random()
        for a in archs
    ]
    return dict(zip(archs, (np.array(raw) / 9).tolist(), strict=True))


@dataclass(frozen=True)
class Lookup(Evaluator):
    """Looks errors up; fewer epochs see them through noise of their own.

    Attributes:
        epochs: the fidelity; 0 for the recipe's.
        fail: archs that raise RuntimeError, alone or in a batch.
        nan: archs whose error is NaN.
        fidelities: whether `at` is supported.
        calls: every batch that was asked, in order; shared by all fidelities.
    """

    epochs: int = 0
    fail: frozenset[Arch] = frozenset()
    nan: frozenset[Arch] = frozenset()
    fidelities: bool = True
    calls: list[list[Arch]] = field(default_factory=list, compare=False)

    @property
    def key(self) -> str:
        return f"lookup-{self.epochs}" if self.epochs else "lookup"

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        return EvaluationProtocol("toy", "validation", self.epochs, "no seed", "table")

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        return ("error", "params", "flops", "width")

    def at(self, epochs: int) -> Lookup:
        if not self.fidelities:
            raise NotSupported("a table has one fidelity")
        return replace(self, epochs=epochs)

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        self.calls.append(list(archs))
        epochs = self.epochs or problem.recipe.epochs
        for arch in archs:
            if arch in self.fail:
                raise RuntimeError("this architecture breaks")
            yield Tried(arch, self._metrics(arch, epochs, problem), self.key, {"epochs": float(epochs)})

    def _metrics(self, arch: Arch, epochs: int, problem: Problem) -> dict[str, float]:
        options = len(problem.space.choices()[0].options)
        blur = 0.0 if not self.epochs else np.random.default_rng([epochs, *arch]).normal() * 0.1 / epochs
        error = float("nan") if arch in self.nan else table(options)[arch] + blur
        free = {m: float(v[0]) for m, v in problem.costs([arch]).items()}
        return {"error": error, "width": float(sum(arch)), **free}

    @property
    def asked(self) -> list[Arch]:
        """Every arch that was asked, in order."""
        return [a for batch in self.calls for a in batch]


def problem(
    evaluations: int = 100,
    seed: int = 0,
    *,
    space: Space | None = None,
    evaluator: Evaluator | None = None,
    objectives: Sequence[str] = ("error",),
    memo: Memo | None = None,
    **more: Any,
) -> Problem:
    """A whole problem over the toys, with a fresh memo and a fresh judge."""
    return Problem(
        space=space or ToySpace(),
        task=ToyTask(),
        recipe=more.pop("recipe", ToyRecipe()),
        evaluator=evaluator or Lookup(),
        objectives=tuple(Objective(m) for m in objectives),
        budget=more.pop("budget", Budget(evaluations=evaluations)),
        seed=seed,
        memo=memo or Memo(),
        **more,
    )


def tried(events: Sequence[Event]) -> list[Tried]:
    """The judged archs among events."""
    return [e for e in events if isinstance(e, Tried)]


def run(generator: Any) -> tuple[list[Event], Any]:
    """Everything that a generator yields, and what it returns."""
    events: list[Event] = []
    while True:
        try:
            events.append(next(generator))
        except StopIteration as stop:
            return events, stop.value


def untimed(step: Step) -> Step:
    """A step without what a clock says."""
    return replace(step, values={n: v for n, v in step.values.items() if n != "step_ms"})
