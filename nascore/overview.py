"""What a space holds, at a glance: how many archs, how many valid, how many differ, what they cost.

The size is always exact. What would take too long to count is drawn from or searched for, and then says so.
Nothing is built: costs are counted, and torch is not needed.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nascore.errors import NotSupported
from nascore.product import Product
from nascore.product import whole as inner
from nascore.space import Arch, Archs, Restricted, Space, array, enumerate_archs, sample, settle, size, tuples
from nascore.task import Shape

COUNTED = 20_000  # up to this many archs costs are counted for all, and validity where there is time
DRAWN, BATCH, SECONDS = 400, 50, 0.15
STARTS, SINGLES = 4, 8
Z95 = 1.96


@dataclass(frozen=True)
class Count:
    """A number of archs between `low` and `high`, which are equal where it is exact; `how` in words."""

    low: int
    high: int
    how: str

    @property
    def exact(self) -> bool:
        """Whether it was counted."""
        return self.low == self.high


@dataclass(frozen=True)
class Range:
    """Least and largest of a cost; where not `exact`, of those that a search has found."""

    low: float
    high: float
    exact: bool


@dataclass(frozen=True)
class Shared:
    """What one network for all archs would hold.

    Attributes:
        separate: parameters with weights of its own for each option; None where that is not known.
        largest: parameters of the largest arch: what entangled weights come to.
        why_not: why this space cannot share weights; "" where it can.
    """

    separate: float | None
    largest: float
    why_not: str = ""


@dataclass(frozen=True)
class Overview:
    """All of it, for inputs and outputs of one shape.

    Attributes:
        reasons: why archs are invalid, with how many of the archs looked at, the most frequent first.
        samples: valid archs drawn at random.
    """

    size: int
    valid: Count
    reasons: tuple[tuple[str, int], ...]
    ranges: dict[str, Range]
    shared: Shared
    samples: tuple[Arch, ...]


def overview(space: Space, shape: Shape, *, seed: int = 0, samples: int = 3) -> Overview:
    """Size, validity, costs and samples of a space, in a fraction of a second.

    Raises:
        NotSupported: no valid arch was found.
    """
    if len(parts := parts_of(space)) > 1:
        return _together(overview(parts[0], shape, seed=seed, samples=samples), parts[1:], seed)
    n = size(space)
    rng = np.random.default_rng(seed)
    whole = enumerate_archs(space) if n <= COUNTED else None
    valid, reasons, good = _validity(space, n, whole, rng)
    if not good:
        raise NotSupported(f"not one of {DRAWN} architectures drawn is a network: {reasons[0][0]}")
    ranges = _ranges(space, shape, whole if whole is not None and not reasons else None, good)
    again = whole is not None and any(c.when for c in space.choices())  # listed evenly, not drawn evenly
    drawn = tuple(tuples(sample(space, samples, rng))) if again else _drawn(good, samples, rng)
    shared = _shared(space, shape, ranges["params"].high, drawn)
    return Overview(n, valid, reasons, ranges, shared, drawn)


def parts_of(space: Space) -> tuple[Space, ...]:
    """The network's space and those added to it, each closed as it is in the product; a space alone else.

    Also alone is a product in which what is added has rules or equal archs of its own.
    """
    whole = inner(space)
    if not isinstance(whole, Product) or any(p.ruled() or p.folds() for p in whole.parts[1:]):
        return (space,)
    choices, out = list(space.choices()), []
    for part in whole.parts:
        own, choices = choices[: len(part.choices())], choices[len(part.choices()) :]
        shut = [
            (c.name, tuple(c.options[i] for i in mine.open))
            for c, mine in zip(part.choices(), own, strict=True)
            if mine.open != c.open
        ]
        out.append(Restricted(part, tuple(shut)) if shut else part)
    return tuple(out)


def _together(first: Overview, later: Sequence[Space], seed: int) -> Overview:
    """The overview of a product: what is added changes neither costs nor which networks are valid."""
    times, rng = math.prod(size(p) for p in later), np.random.default_rng((seed, 1))
    rows = [tuples(sample(p, len(first.samples), rng)) for p in later]
    drawn = zip(first.samples, *rows, strict=True)
    return replace(
        first,
        size=first.size * times,
        valid=_times(first.valid, times),
        samples=tuple(tuple(i for part in archs for i in part) for archs in drawn),
    )


def _times(count: Count, times: int) -> Count:
    return Count(count.low * times, count.high * times, count.how)


def distinct(space: Space, valid: Count, *, seed: int = 0) -> Count:
    """How many networks differ: exactly where the space can fold them, else a lower bound from draws.

    The bound is Chao's: D + f1 (f1 - 1) / (2 (f2 + 1)), with D forms seen, f1 of them once and f2 twice. On
    average it does not exceed the number of classes, whatever their sizes (Chao, 1984). Takes a second
    or two.
    """
    if len(parts := parts_of(space)) > 1:
        times = math.prod(size(p) for p in parts[1:])
        alone = Count(valid.low // times, valid.high // times, valid.how)
        return _times(distinct(parts[0], alone, seed=seed), times)
    if not space.folds():
        return Count(valid.low, valid.high, "no rule here makes two of them equal")
    if not isinstance(space, Restricted) and (found := space.classes()) is not None:
        return Count(found, found, "equal networks are folded, exactly")
    if size(space) <= COUNTED:
        good = [a for a in tuples(enumerate_archs(space)) if not space.invalid(a)]
        many = len({space.canonical(a) for a in good})
        return Count(many, many, "equal networks are folded as far as this space can tell")
    rng = np.random.default_rng(seed)
    drawn = [a for a in tuples(_random(space, DRAWN, rng)) if not space.invalid(a)]
    forms = Counter(space.canonical(a) for a in drawn)
    once, twice = (sum(k == times for k in forms.values()) for times in (1, 2))
    least = min(len(forms) + once * (once - 1) // (2 * (twice + 1)), valid.high)
    how = f"of {len(drawn)} drawn, {len(forms)} differ; at least about so many in all (Chao's estimate)"
    return Count(least, valid.high, how)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score."""
    if not n:
        return 0.0, 1.0
    p, z = hits / n, Z95
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _random(space: Space, n: int, rng: np.random.Generator) -> Archs:
    """(n, choices): each choice uniform over its open options, valid or not."""
    choices = space.choices()
    if not choices:
        return np.zeros((n, 0), dtype=np.int64)
    return settle(space, np.stack([rng.choice(c.open, n) for c in choices], 1))


def _validity(
    space: Space, n: int, whole: Archs | None, rng: np.random.Generator
) -> tuple[Count, tuple[tuple[str, int], ...], list[Arch]]:
    """How many are valid, why others are not, and valid ones: all that were looked at, in their order."""
    if not space.ruled() or getattr(inner(space), "simple", False):
        good = tuples(whole if whole is not None else _random(space, DRAWN, rng))
        return Count(n, n, "no rule here makes one invalid"), (), good
    seen, said = _checked(space, tuples(whole)) if whole is not None else ([], [])
    if not seen:
        seen, said = _judged(space, rng)
    good = [a for a, why in zip(seen, said, strict=True) if not why]
    reasons = tuple(Counter(general(w) for w in said if w).most_common())
    if whole is not None and len(seen) == len(whole):
        return Count(len(good), len(good), "each one was checked"), reasons, good
    low, high = wilson(len(good), len(seen))
    how = f"{len(good)} of {len(seen)} drawn at random are valid; 95 % interval"
    return Count(_part(n, low), _part(n, high), how), reasons, good


def _checked(space: Space, archs: list[Arch]) -> tuple[list[Arch], list[str]]:
    """Every arch and why it is invalid; nothing at all where there is no time for that."""
    said: list[str] = []
    until = time.monotonic() + SECONDS
    for arch in archs:
        if time.monotonic() > until:
            return [], []
        said.append(space.invalid(arch))
    return archs, said


def _judged(space: Space, rng: np.random.Generator) -> tuple[list[Arch], list[str]]:
    """Archs drawn for as long as there is time, and why each is invalid."""
    seen: list[Arch] = []
    said: list[str] = []
    until = time.monotonic() + SECONDS
    while len(seen) < DRAWN and (not seen or time.monotonic() < until):
        some = tuples(_random(space, BATCH, rng))
        seen += some
        said += [space.invalid(a) for a in some]
    return seen, said


def general(reason: str) -> str:
    """A reason without its numbers, so that equal rules are counted together."""
    return "".join("N" if ch.isdigit() else ch for ch in reason).replace("NN", "N").replace("NN", "N")


def _part(n: int, share: float) -> int:
    """A share of a count that may be larger than a float."""
    return n * round(share * 10**9) // 10**9


def _ranges(space: Space, shape: Shape, whole: Archs | None, good: list[Arch]) -> dict[str, Range]:
    """Least and largest params and FLOPs: of all archs, or found by changing one choice at a time."""
    quick = type(inner(space)).costs is not Space.costs
    if whole is not None and (quick or len(whole) <= DRAWN // 2):
        costs = space.costs(whole, shape)
        return {m: Range(float(v.min()), float(v.max()), True) for m, v in costs.items()}
    ends = {m: [_end(space, shape, good, m, sign) for sign in (1, -1)] for m in ("params", "flops")}
    adds_up = bool(getattr(inner(space), "simple", False))
    return {m: Range(low, high, adds_up) for m, (low, high) in ends.items()}


def _end(space: Space, shape: Shape, good: list[Arch], metric: str, sign: int) -> float:
    """The least (sign 1) or largest (-1) cost that changes of single choices lead to, from the best drawn.

    All best changes are made at once, or the better half of them, and so on down to one: the best of these is
    kept. Where costs add up over choices, the first round ends at the exact value.
    """
    until = time.monotonic() + SECONDS / 2
    first = [*good[:BATCH], *_corners(space)]
    costs = sign * space.costs(array(first, space), shape)[metric]
    found = float(costs.min())
    for i in np.argsort(costs, kind="stable")[:STARTS]:
        found = min(found, _walk(space, shape, first[i], float(costs[i]), (metric, sign, until)))
    return sign * found


def _corners(space: Space) -> list[Arch]:
    """The archs of all first and of all last open options, where they are valid: often the ends."""
    choices = space.choices()
    rows = array([tuple(c.open[i] for c in choices) for i in (0, -1)], space)
    return [a for a in tuples(settle(space, rows)) if not space.invalid(a)]


def _walk(space: Space, shape: Shape, arch: Arch, best: float, goal: tuple[str, int, float]) -> float:
    """The cost where no step from `arch` on leads lower, or where the time is up."""
    metric, sign, until = goal
    while time.monotonic() < until and (near := _changes(space, arch)):
        costs = sign * space.costs(array([a for _, a in near], space), shape)[metric]
        steps = [a for a in _steps(space, arch, near, costs, best) if not space.invalid(a)]
        if not steps:
            break
        costs = sign * space.costs(array(steps, space), shape)[metric]
        if costs.min() >= best:
            break
        arch, best = steps[int(np.argmin(costs))], float(costs.min())
    return best


def _changes(space: Space, arch: Arch) -> list[tuple[int, Arch]]:
    """Archs that differ in one active choice, valid or not."""
    rows, where = [], []
    for j, c in enumerate(space.choices()):
        for i in c.open if arch[j] >= 0 else ():
            if i != arch[j]:
                rows.append((*arch[:j], i, *arch[j + 1 :]))
                where.append(j)
    return list(zip(where, tuples(settle(space, array(rows, space))), strict=True)) if rows else []


def _steps(
    space: Space, arch: Arch, near: Sequence[tuple[int, Arch]], costs: NDArray[np.float64], now: float
) -> list[Arch]:
    """The best changes, one a choice, together: all, the better half, a quarter and so on; some alone."""
    best: dict[int, tuple[float, int]] = {}
    for (j, other), cost in zip(near, costs, strict=True):
        if cost < best.get(j, (now, 0))[0]:
            best[j] = (float(cost), other[j])
    ranked = sorted(best, key=lambda j: best[j])
    groups = [ranked[: max(1, len(ranked) >> k)] for k in range(len(ranked).bit_length())]
    groups += [[j] for j in ranked[1:SINGLES]]
    rows = [tuple(best[j][1] if j in group else i for j, i in enumerate(arch)) for group in groups]
    return tuples(settle(space, array(rows, space))) if rows else []


def _drawn(good: list[Arch], n: int, rng: np.random.Generator) -> tuple[Arch, ...]:
    places = rng.choice(len(good), min(n, len(good)), replace=False)
    return tuple(good[int(i)] for i in places)


def _shared(space: Space, shape: Shape, largest: float, good: Sequence[Arch]) -> Shared:
    """Parameters of a supernet: what is fixed, and every open option of every choice."""
    rule = inner(space)
    if type(rule).supernet is Space.supernet:
        return Shared(None, largest, "this space cannot share weights between its networks")
    choices = space.choices()
    if any(c.when for c in choices):
        return Shared(None, largest)
    each: dict[str, dict[int, int]] = {c.name: {} for c in choices}
    fixed = 0.0
    for k in range(max((len(c.open) for c in choices), default=1)):
        arch = tuple(c.open[min(k, len(c.open) - 1)] for c in choices)
        graph = space.graph(arch, shape)
        told = {e.choice: e.params for e in graph.edges if e.choice in each}
        for c, i in zip(choices, arch, strict=True):
            if c.name in told:
                each[c.name][i] = told[c.name]
        fixed = graph.params - sum(told.values())
    if any(len(found) < len(c.open) for c, found in zip(choices, each.values(), strict=True)):
        return Shared(None, largest)
    rows = [[each[c.name][i] for c, i in zip(choices, a, strict=True)] for a in good]
    if any(space.graph(a, shape).params != fixed + sum(row) for a, row in zip(good, rows, strict=True)):
        return Shared(None, largest)  # what a choice costs depends on others
    return Shared(fixed + sum(sum(found.values()) for found in each.values()), largest)
