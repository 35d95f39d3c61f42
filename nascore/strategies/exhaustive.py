"""Judges a whole space, or a uniform sample of it: no search, but what searches are measured by.

A benchmark is made of it. Architectures come in random order, all seeds of some before the next, so that what
is there at any moment is a sample of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from nascore.engines.draw import choose, progress
from nascore.errors import BadInput
from nascore.events import Arch, Event, Note, Step
from nascore.kinds import Evaluator, Strategy, knob
from nascore.problem import Problem
from nascore.space import ENUMERABLE, enumerate_archs, size, tuples

ROUNDS = 100  # draws of a sample from a space that is too large to be listed


@dataclass(frozen=True)
class Exhaustive(Strategy):
    """Judges every class of equal networks, or a sample of them, with several independent trainings each.

    Each training counts as one evaluation of the budget. From a space that can be listed the sample is
    uniform over classes, from a larger one over architectures.
    """

    sample: int = knob(0, 0, 10_000_000, "how many architectures, drawn uniformly; 0 for all")
    seeds: int = knob(1, 1, 100, "independent trainings of each architecture")
    batch: int = knob(24, 1, 4096, "architectures judged together")

    def check(self, problem: Problem) -> None:
        """The space can be listed or is sampled; the judge can draw again.

        Raises:
            BadInput: it cannot.
        """
        if not self.sample and size(problem.space) > ENUMERABLE:
            raise BadInput(
                f"strategy.knobs.sample: the space has {size(problem.space):,} architectures, which is too "
                f"many to judge all; give how many, up to {ENUMERABLE:,} for a start"
            )
        if self.seeds > 1 and not hasattr(problem.evaluator, "draw"):
            raise BadInput(
                f"strategy.knobs.seeds: this evaluator gives one answer only, not {self.seeds}; take 1"
            )

    def search(self, problem: Problem) -> Iterator[Event]:
        """Batch after batch, in each one seed after the other."""
        archs = self.archs(problem)
        yield Note(f"{len(archs):,} architectures, {self.seeds} trainings each")
        for i, at in enumerate(range(0, len(archs), self.batch)):
            part = archs[at : at + self.batch]
            for judge in judges(problem.evaluator, self.seeds):
                yield from problem.evaluate(part, judge)
            yield Step("exhaustive", i, progress(problem, problem.tried()))
        yield from choose(problem, problem.tried(), "best of all that were judged")

    def archs(self, problem: Problem) -> list[Arch]:
        """Representatives of the classes that are judged, in the order in which they are."""
        found = _listed(problem) if size(problem.space) <= ENUMERABLE else _drawn(problem, self.sample)
        order = problem.rng("exhaustive").permutation(len(found))
        return [found[i] for i in order[: self.sample or None]]


def judges(by: Evaluator, seeds: int) -> list[Evaluator]:
    """The judge of every draw, its own first."""
    own: Any = by
    return [by, *(replace(own, draw=own.draw + d) for d in range(1, seeds))]


def _listed(problem: Problem) -> list[Arch]:
    archs = tuples(enumerate_archs(problem.space))
    kept = [a for a, ok in zip(archs, problem.allowed(archs), strict=True) if ok]
    classes: dict[Arch, Arch] = {}
    for arch in kept:  # the class's own representative where that is allowed, else its first
        one = problem.space.canonical(arch)
        if one not in classes or arch == one:
            classes[one] = arch
    return sorted(classes.values())


def _drawn(problem: Problem, n: int) -> list[Arch]:
    classes: dict[Arch, Arch] = {}
    for i in range(ROUNDS):
        for arch in tuples(problem.sample(n, "exhaustive", i)):
            classes.setdefault(problem.space.canonical(arch), arch)
        if len(classes) >= n:
            break
    return list(classes.values())[:n]
