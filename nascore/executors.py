"""Where batches of archs are evaluated: in this process, or in a pool of processes with one thread each.

Two processes with one thread beat one process with two threads by far on small networks.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from nascore.kinds import knob

if TYPE_CHECKING:
    from nascore.events import Step, Tried
    from nascore.kinds import Evaluator
    from nascore.problem import Problem
    from nascore.space import Arch


class Executor(Protocol):
    """Runs an evaluator over archs; answers do not depend on which executor it is."""

    def run(self, by: Evaluator, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """The evaluator's events."""
        ...


@dataclass(frozen=True)
class Inline(Executor):
    """In the worker's own process."""

    def run(self, by: Evaluator, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """The evaluator's events, as they come."""
        yield from by.evaluate(archs, problem)


@dataclass(frozen=True)
class Pool(Executor):
    """In several processes of one thread each; worth it above a minute of training."""

    processes: int = knob(2, 1, 64, "processes; as many as there are free cores")

    def run(self, by: Evaluator, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """The evaluator's events, part by part in the order of `archs`; a part's come when it is done."""
        n = -(-len(archs) // self.processes)
        parts = [list(archs[i : i + n]) for i in range(0, len(archs), n)]
        bare = replace(problem, executor=Inline(), memo=problem.memo.bare())
        for done in _pool(self.processes).map(_part, [by] * len(parts), parts, [bare] * len(parts)):
            yield from done


_pools: dict[int, ProcessPoolExecutor] = {}


def _pool(processes: int) -> ProcessPoolExecutor:
    """One pool a size for the life of the process: starting torch costs three seconds."""
    if processes not in _pools:
        context = multiprocessing.get_context("spawn")
        _pools[processes] = ProcessPoolExecutor(processes, mp_context=context, initializer=_one_thread)
    return _pools[processes]


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def _part(by: Evaluator, archs: Sequence[Arch], problem: Problem) -> list[Step | Tried]:
    return list(by.evaluate(archs, problem))
