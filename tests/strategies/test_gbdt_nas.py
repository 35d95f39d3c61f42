"""Trees find more than chance does, and what they prune is bad and stays pruned."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.events import Chosen, Note
from nascore.problem import search
from nascore.strategies.gbdt_nas import GbdtNas, columns, first_order, second_order, without
from nascore.strategies.random_search import RandomSearch
from tests import toys

QUICK = GbdtNas(first=20, top=5, trees=40)


def found(strategy, seed: int, evaluations: int = 60) -> float:
    events = list(search(strategy, toys.problem(evaluations, seed)))
    assert isinstance(events[-1], Chosen)
    return toys.table()[events[-1].arch]


def test_it_finds_better_architectures_than_chance_with_as_many_judgments() -> None:
    trees = [found(QUICK, s) for s in range(5)]
    chance = [found(RandomSearch(), s) for s in range(5)]
    best = min(toys.table().values())
    assert sum(t == best for t in trees) >= 4
    assert sum(c == best for c in chance) <= 1


def test_a_leaf_larger_than_half_of_the_pairs_makes_it_chance() -> None:
    released = [found(GbdtNas(first=30, top=5, trees=20, min_leaf=20), s, 35) for s in range(3)]
    ours = [found(GbdtNas(first=30, top=5, trees=20), s, 35) for s in range(3)]
    assert np.mean(ours) < np.mean(released)


@pytest.mark.parametrize("prune", ["first", "second"])
def test_pruned_options_are_not_drawn_again_and_single_ones_are_bad_on_average(prune: str) -> None:
    strategy = GbdtNas(first=60, top=5, trees=40, prune=prune, pruned=3, rounds=2)
    problem = toys.problem(70, 1)
    events = list(search(strategy, problem))
    told = next(e.text for e in events if isinstance(e, Note) and e.text.startswith("pruned: "))
    cut = [(int(word[1]), int(word[4])) for word in told.removeprefix("pruned: ").split(", ")]
    assert 1 <= len(cut) <= 12
    assert all(len({j for i, j in cut if i == c}) < 3 for c in range(6))
    table = toys.table()
    kept = [e for a, e in table.items() if not any(a[i] == j for i, j in cut)]
    better = np.mean(kept) < np.mean(list(table.values()))
    assert better or prune == "second"  # pairs go by what they do beyond their parts, good parts or not
    last = [t.arch for t in toys.tried(events)][-5:]
    assert not [a for a in last if any(a[i] == j for i, j in cut)]


def test_what_was_pruned_is_told_where_the_budget_ends_it_too() -> None:
    strategy = GbdtNas(first=40, top=5, trees=20, prune="first")
    events = list(search(strategy, toys.problem(52, 2)))
    assert any(isinstance(e, Note) and e.text.startswith("pruned: ") for e in events)
    assert isinstance(events[-1], Chosen)
    assert events[-1].why == "best of all that were judged"


def test_an_option_is_worth_the_mean_of_its_values_where_it_is_taken() -> None:
    x = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    shap = np.array([[-1.0, 5.0, 0.0], [-2.0, 5.0, 0.0], [9.0, 0.5, -7.0]])
    assert first_order(x, shap, [(0, 0), (0, 1), (0, 2)]) == [(-1.5, [(0, 0)]), (0.5, [(0, 1)])]


def test_a_pair_goes_by_its_worst_cell() -> None:
    x = np.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    joint = np.zeros((5, 2, 2))
    joint[:, 0, 1] = joint[:, 1, 0] = [-1.0, -2.0, 0.5, -0.25, -9.0]
    assert second_order(x, joint, [(0, 1), (1, 0)]) == [(-1.5, [(0, 1), (1, 0)])]
    joint[:, 0, 1] = [1.0, 1.0, -0.5, -0.25, -9.0]
    assert second_order(x, joint, [(0, 1), (1, 0)]) == [(-0.5, [(0, 1)])]
    assert second_order(x, joint, [(0, 0), (0, 1)]) == []


def test_the_smaller_space_is_an_ordinary_one_with_the_same_architectures() -> None:
    space = toys.ToySpace()
    small = without(space, {(0, 2), (3, 0), (3, 1)})
    assert [c.open for c in small.choices()] == [(0, 1), (0, 1, 2), (0, 1, 2), (2,), (0, 1, 2), (0, 1, 2)]
    assert len(columns(small)) == 18
    assert without(space, set()) is space


def test_the_worst_share_is_not_learned_from() -> None:
    problem = toys.problem(20)
    events = list(search(RandomSearch(), problem))
    known = toys.tried(events)
    kept = GbdtNas(drop=0.25)._kept(problem, known)
    assert len(kept) == 15
    assert max(t.metrics["error"] for t in kept) <= sorted(t.metrics["error"] for t in known)[14]
