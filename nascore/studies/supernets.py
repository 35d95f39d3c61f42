"""What studies of differentiable search share: a search on the shipped cells, told in numbers.

The space is that of `nasbench_digits`, where the true accuracy of every cell is known from eight trainings;
supernets train on the same images. Nothing that is searched with has seen the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.events import Chosen, Step
from nascore.studies import cells

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

Floats = NDArray[np.float64]
Told = dict[str, Any]  # of a search, as JSON
SKIP, NONE = "skip_connect", "none"


def problem(seed: int, images: int) -> Problem:
    """A search of cells, whose answer is looked up.

    Args:
        seed: of everything that is drawn.
        images: that supernets train on.
    """
    table = cells.digits()
    task = {"name": "digits", "knobs": {"train_images": images}}
    judge = {"name": "tabular", "knobs": {"table": table.name}}
    return replace(cells.problem_of(table, seed, evaluator=judge, task=task), sampled=0)


def searched(strategy: Any, own: Problem, phase: str = "search") -> Told:
    """Runs a search.

    Returns:
        `chosen`, the arch; `largest`, after each epoch of a phase the arch of the largest shares; `values`,
        what else is told after each, by name.
    """
    from nascore.problem import search

    chosen: Arch = ()
    largest: list[list[int]] = []
    values: dict[str, list[float]] = {}
    for event in search(strategy, own):
        if isinstance(event, Chosen):
            chosen = event.arch
        if isinstance(event, Step) and event.phase == phase:
            largest.append(leading(event.values, own))
            for name, v in event.values.items():
                if not name.startswith("gate/"):
                    values.setdefault(name, []).append(v)
    return {"chosen": list(chosen), "largest": largest, "values": values}


def leading(values: dict[str, float], own: Problem) -> list[int]:
    """The option of the largest share of each choice, from the values of a step."""
    return [int(np.argmax([values[f"gate/{c.name}/{o}"] for o in c.options])) for c in own.space.choices()]


def truth(archs: Sequence[Sequence[int]]) -> Floats:
    """(n,) test accuracies in percent, means of eight trainings."""
    return cells.digits().value("test_accuracy", archs)


def share(archs: Sequence[Sequence[int]], option: str) -> Floats:
    """(n,) the share of edges with this operation."""
    return (np.asarray(archs) == cells.digits().choices[0].options.index(option)).mean(1)


def rank(archs: Sequence[Sequence[int]]) -> Floats:
    """(n,) the share of all cells of the table that are better, in percent: 0 is the best."""
    every = cells.digits().values("test_accuracy")
    every = every[np.isfinite(every)]
    return np.array([100 * float((every > t).mean()) for t in truth(archs)])


def of_random(draws: int = 100_000) -> Floats:
    """(draws,) test accuracies of uniformly drawn cells: what a search that learns nothing gives."""
    every = cells.digits().values("test_accuracy")
    return np.random.default_rng(0).choice(every[np.isfinite(every)], draws)
