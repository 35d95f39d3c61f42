"""Choices that only count under a condition: counted, listed and told without going through all products.

A choice waits for one other that stands before it, so the choices are a forest: below each option of a choice
hang the choices that wait for it. Counts are exact integers of any size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nascore.space import Choice

SHORT = 10**15  # a count below this is written out


class Condition(NamedTuple):
    """When a choice counts.

    Attributes:
        column: of the choice.
        parent: column of the choice that it waits for.
        active: (options of the parent + 1,) whether it counts at index - 1 of the parent; -1 is inactive.
        first: its first open option.
    """

    column: int
    parent: int
    active: NDArray[np.bool_]
    first: int


def table(choices: Sequence[Choice]) -> tuple[Condition, ...]:
    """The conditions of all choices that have one, in the choices' order."""
    column = {c.name: j for j, c in enumerate(choices)}
    out = []
    for j, c in enumerate(choices):
        if c.when is not None:
            parent = column[c.when[0]]
            options = choices[parent].options
            active = np.array([False, *(o in c.when[1] for o in options)])
            out.append(Condition(j, parent, active, c.open[0]))
    return tuple(out)


def count(choices: Sequence[Choice]) -> int:
    """How many archs there are; one pass from the last choice to the first."""
    total, options = 1, {c.name: c.options for c in choices}
    below = {c.name: [1] * len(c.options) for c in choices}
    for c in reversed(choices):
        ways = sum(below[c.name][i] for i in c.open)
        if c.when is None:
            total *= ways
            continue
        name, values = c.when
        below[name] = [
            n * ways if o in values else n for n, o in zip(below[name], options[name], strict=True)
        ]
    return total


def rows(choices: Sequence[Choice], conditions: Sequence[Condition]) -> NDArray[np.int64]:
    """(count, choices): every arch, in lexicographic order; never more rows on the way than in the end."""
    waits = {c.column: c for c in conditions}
    out: NDArray[np.int64] = np.zeros((1, 0), dtype=np.int64)
    for j, choice in enumerate(choices):
        options = np.array(sorted(choice.open), dtype=np.int64)
        on = waits[j].active[out[:, waits[j].parent] + 1] if j in waits else np.ones(len(out), dtype=bool)
        times = np.where(on, len(options), 1)
        first = np.cumsum(times) - times
        taken = options[(np.arange(times.sum()) - np.repeat(first, times)) % len(options)]
        taken[first[~on]] = -1
        out = np.column_stack([np.repeat(out, times, axis=0), taken])
    return out


def drawn(choices: Sequence[Choice], *, ruled: bool, folds: bool) -> str:
    """What drawing each choice by itself is uniform over, in one or two sentences.

    Args:
        choices: of the space.
        ruled: whether archs may be invalid; those are drawn again.
        folds: whether several archs may make one network.
    """
    again = " and what is invalid is drawn again" if ruled else ""
    one = "valid architecture" if ruled else "architecture"
    text = f"Each choice is drawn uniformly from its open options{again}, so every {one} is equally likely."
    if any(c.when for c in choices):
        text = (
            f"Each choice that counts is drawn uniformly from its open options{again}: the more choices "
            f"count for {'a' if ruled else 'an'} {one}, the rarer it is, in proportion to one over the "
            "product of their numbers of open options."
        )
    if folds:
        text += " Architectures that make equal networks are drawn apart."
    return text


def big(n: int) -> str:
    """A count as people read it: written out, or as a power of ten."""
    if n < SHORT:
        return f"{n:,}"
    digits = math.floor(math.log10(n))
    return f"{math.floor(10 ** (math.log10(n) - digits) * 100 + 1e-6) / 100:.2f}e{digits}"
