"""Fit, propose, judge, again; and what an acquisition prefers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from nascore.engines.acquire import ACQUIRE, expected_improvement, ranked, thompson, ucb
from nascore.engines.surrogate import Learned, candidates, merits, surrogate
from nascore.events import Arch, Note, Step
from nascore.kinds import Fitted, Predictor
from nascore.problem import Constraint
from nascore.space import enumerate_archs, tuples
from tests import toys

RNG = np.random.default_rng(0)


@dataclass(frozen=True)
class Mean(Predictor):
    """Says the mean of what it has seen, and keeps what that was."""

    fits: list[list[Arch]] = field(default_factory=list)

    def fit(self, problem, archs, y) -> Fitted:
        self.fits.append(list(archs))
        value = float(np.mean(y))

        class Same(Fitted):
            def predict(self, archs: Sequence[Arch]):
                return np.full(len(archs), value), np.zeros(len(archs))

        return Same()


def test_it_fits_what_was_judged_and_judges_what_is_proposed() -> None:
    problem, mean = toys.problem(), Mean()
    archs = tuples(enumerate_archs(problem.space))

    def propose(learned: Learned, i: int) -> list[Arch]:
        assert learned.seen == set(archs[: 5 + 3 * i])
        assert len(learned.known) == 5 + 3 * i
        return archs[5 + 3 * i : 8 + 3 * i]

    events, (fitted, tried) = toys.run(surrogate(problem, mean, propose, 4, "s", first=archs[:5]))
    assert [len(f) for f in mean.fits] == [5, 8, 11, 14]
    assert [t.arch for t in tried] == archs[:17]
    assert [e.index for e in events if isinstance(e, Step)] == [0, 1, 2, 3, 4]
    assert fitted.predict(archs[:1])[0][0] == pytest.approx(merits(problem, tried[:14]).mean())


def test_what_failed_is_not_learned_from_and_too_few_pairs_are_not_fitted() -> None:
    archs = tuples(enumerate_archs(toys.ToySpace()))
    problem = toys.problem(evaluator=toys.Lookup(nan=frozenset(archs[:4])))
    mean, got = Mean(), []

    def propose(learned: Learned, i: int) -> list[Arch]:
        got.append(learned.fitted)
        return archs[5 + i : 6 + i]

    toys.run(surrogate(problem, mean, propose, 2, first=archs[:5]))
    assert got[0] is None
    assert mean.fits == [[archs[4], archs[5]]]


def test_nothing_proposed_ends_it() -> None:
    events, _ = toys.run(surrogate(toys.problem(), Mean(), lambda *_: [], first=[(0,) * 6]))
    assert events[-1] == Note("every architecture that is allowed has been tried")


def test_candidates_are_all_that_is_allowed_and_new_or_a_sample_of_a_large_space() -> None:
    problem = toys.problem(constraints=(Constraint("params", "<=", 300),))
    seen = {(0,) * 6}
    found = candidates(problem, 5, seen, "c")
    assert len(found) == 6 + 6 + 15  # sums 1 and 2 of six choices of three
    large = toys.problem(space=toys.ToySpace(9))
    assert len(set(candidates(large, 50, seen, "c"))) == 50


def test_expected_improvement_is_the_mean_of_the_excess() -> None:
    mean, std = np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.5, 2.0])
    draws = mean + std * np.random.default_rng(1).standard_normal((400_000, 3))
    want = np.maximum(draws - 0.3, 0).mean(0)
    np.testing.assert_allclose(expected_improvement(mean, std, 0.3, RNG), want, atol=5e-3)
    none = expected_improvement(np.array([1.0, 0.0]), np.zeros(2), 0.4, RNG)
    np.testing.assert_allclose(none, [0.6, 0.0])


def test_bounds_add_deviations_and_draws_have_them() -> None:
    mean, std = np.zeros(50_000), np.full(50_000, 2.0)
    assert ucb(mean, std, 0.0, RNG, 1.5)[0] == 3.0
    assert thompson(mean, std, 0.0, RNG).std() == pytest.approx(2.0, rel=0.02)
    assert set(ACQUIRE) == {"greedy", "expected_improvement", "ucb", "thompson", "uncertainty"}


def test_ties_are_broken_at_random_and_what_is_no_number_comes_last() -> None:
    values = np.array([1.0, 2.0, 2.0, np.nan, 2.0])
    firsts = {int(ranked(values, np.random.default_rng(s))[0]) for s in range(40)}
    assert firsts == {1, 2, 4}
    assert ranked(values, RNG)[-1] == 3
    assert ranked(values, RNG)[-2] == 0
