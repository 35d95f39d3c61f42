"""Accuracy Prediction with Non-neural Model for NAS (GBDT-NAS and GBDT-NAS-3S, Luo et al., 2020).

Boosted trees learn what options are worth; the best architectures that they predict are judged and learned
from. SHAP values say which options make things worse, and those are never drawn again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nascore.engines.acquire import ranked
from nascore.engines.draw import choose, fresh
from nascore.engines.surrogate import Learned, candidates, surrogate
from nascore.errors import BadInput, NotSupported, OutOfBudget
from nascore.events import Event, Note, Tried
from nascore.kinds import Strategy, knob
from nascore.predictors.gbdt import Gbdt, Trees
from nascore.predictors.shapley import interactions
from nascore.problem import Problem
from nascore.space import Arch, Space, restrict

Floats = NDArray[np.float64]
Option = tuple[int, int]  # choice, option
Pair = tuple[float, list[Option]]  # worth, options that go


@dataclass(frozen=True)
class GbdtNas(Strategy):
    """Boosted trees predict the whole space; the best unseen are judged, and bad options may be pruned.

    Source: Luo et al. 2020, algorithm 1, and section 3.3 for pruning by first- and second-order SHAP values
    (GBDT-NAS-3S). The paper begins with 1,000 of NAS-Bench-101 and judges 1,000 in one round; our defaults
    are for some hundred. It leaves out what is below 85 % accuracy; `drop` is that as a share of the judged.
    Every choice keeps an option, only options with a negative mean are pruned (the released code differs in
    both), and equal predictions are taken in random order.
    """

    first: int = knob(50, 2, 100_000, "random architectures to begin with; 1,000 in the paper")
    top: int = knob(10, 1, 10_000, "best unseen architectures judged in a round; 1,000 in the paper")
    rounds: int = knob(0, 0, 10_000, "rounds; 0 until the budget ends")
    candidates: int = knob(5000, 1, 100_000, "random architectures predicted where a space cannot be listed")
    min_leaf: int = knob(0, 0, 1000, "pairs in a leaf at least; 0 for n / 50 between 2 and 20, released: 20")
    trees: int = knob(100, 1, 5000, "trees one after the other")
    drop: float = knob(0.0, 0, 0.9, "share of the judged, the worst, that is not learned from")
    prune: str = knob(
        "none", help="by SHAP values of options or of pairs of options", options=("none", "first", "second")
    )
    pruned: int = knob(20, 1, 1000, "options (or pairs) pruned in a round at most")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Rounds until the budget ends or the space is exhausted."""
        predictor = Gbdt(min_leaf=self.min_leaf, trees=self.trees, members=1)
        cut: set[Option] = set()
        start = fresh(problem, self.first, (), "gbdt_nas", "first")

        def propose(learned: Learned, i: int) -> list[Arch]:
            inner = problem
            if self.prune != "none" and isinstance(learned.fitted, Trees):
                cut.update(self._worse(problem, learned.fitted, self._kept(problem, learned.known), cut))
                inner = problem.within(without(problem.space, cut))
            return self._best(inner, learned, i) or self._best(problem, learned, i)

        pairs = (lambda known: self._kept(problem, known)) if self.drop else None
        try:
            yield from surrogate(
                problem, predictor, propose, self.rounds, "gbdt_nas", first=start, pairs=pairs
            )
        except OutOfBudget:
            yield Note("budget spent")
        if cut:
            yield Note(f"pruned: {', '.join(said(problem.space, cut))}")
        yield from choose(problem, problem.tried(), "best of all that were judged")

    def _best(self, problem: Problem, learned: Learned, i: int) -> list[Arch]:
        """The unseen archs with the highest prediction; random ones before there is one."""
        archs = candidates(problem, self.candidates, learned.seen, "gbdt_nas", i)
        rng = problem.rng("gbdt_nas", "ties", i)
        worth = np.zeros(len(archs)) if learned.fitted is None else learned.fitted.predict(archs)[0]
        return [archs[j] for j in ranked(worth, rng)[: self.top]]

    def _kept(self, problem: Problem, known: list[Tried]) -> list[Tried]:
        """Without the worst share."""
        return sorted(known, key=problem.order)[: max(len(known) - int(self.drop * len(known)), 2)]

    def _worse(self, problem: Problem, trees: Trees, known: list[Tried], cut: set[Option]) -> list[Option]:
        """Options to prune now, the worst first; none after which a choice or the space is empty."""
        archs, space = [t.arch for t in known], problem.space
        x = trees.encoder.rows(archs)
        if self.prune == "first":
            ranking = first_order(x, trees.shap(archs)[:, :-1], columns(space))
        else:
            joint = np.mean([interactions(b, x) for b in trees.boosters], 0)
            ranking = second_order(x, joint, columns(space))
        gone: list[Option] = []
        count = 0
        for worth, options in ranking:
            if worth >= 0 or count == self.pruned:
                break
            new = [o for o in options if o not in cut and o not in gone]
            if len(new) == len(options) and _possible(problem, {*cut, *gone, *new}):
                gone += new
                count += 1
        return gone


def columns(space: Space) -> list[Option]:
    """(choice, option) of each one-hot column."""
    return [(i, j) for i, c in enumerate(space.choices()) for j in range(len(c.options))]


def first_order(x: Floats, shap: Floats, options: list[Option]) -> list[Pair]:
    """Of each option that occurs: its mean SHAP value over the archs that have it; the worst first.

    Args:
        x: (n, columns) one-hot archs.
        shap: (n, columns) SHAP values.
        options: of the columns.
    """
    count = x.sum(0)
    worth = (x * shap).sum(0) / np.maximum(count, 1)
    return sorted((float(worth[k]), [options[k]]) for k in np.flatnonzero(count))


def second_order(x: Floats, joint: Floats, options: list[Option]) -> list[Pair]:
    """Of each pair of options of different choices: its worst mean interaction, and what is to go for it.

    Means are over archs that have both, only the first, and only the second option: if both have a negative
    one together, both go; if one has it without the other, that one goes. Where several are negative the
    worst decides (the released code asks whether both go first). With neither option there is none to prune.

    Args:
        x: (n, columns) one-hot archs.
        joint: (n, columns, columns) interaction values.
        options: of the columns.
    """
    away, found = 1 - x, []
    for a in range(len(options)):
        for b in range(a + 1, len(options)):
            if options[a][0] == options[b][0]:
                continue
            cells = [
                (x[:, a] * x[:, b], [options[a], options[b]]),
                (x[:, a] * away[:, b], [options[a]]),
                (away[:, a] * x[:, b], [options[b]]),
            ]
            means = [(float(w @ joint[:, a, b] / w.sum()), gone) for w, gone in cells if w.any()]
            if means:
                found.append(min(means))
    return sorted(found)


def without(space: Space, cut: set[Option]) -> Space:
    """The space with these options shut."""
    if not cut:
        return space
    still = {
        c.name: tuple(c.options[o] for o in c.open if (i, o) not in cut)
        for i, c in enumerate(space.choices())
        if any((i, o) in cut for o in c.open)
    }
    return restrict(space, still)


def _possible(problem: Problem, cut: set[Option]) -> bool:
    """Whether every choice keeps an option, and some allowed arch is left."""
    choices = problem.space.choices()
    if any(all((i, o) in cut for o in c.open) for i, c in enumerate(choices)):
        return False
    try:
        problem.within(without(problem.space, cut)).sample(1, "gbdt_nas", "possible")
    except (BadInput, NotSupported):
        return False
    return True


def said(space: Space, cut: set[Option]) -> list[str]:
    """`choice=option` of each."""
    choices = space.choices()
    return [f"{choices[i].name}={choices[i].options[o]}" for i, o in sorted(cut)]
