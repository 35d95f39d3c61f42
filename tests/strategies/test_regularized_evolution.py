from __future__ import annotations

from nascore.problem import search
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from tests import toys


def test_the_population_comes_first_and_then_children_in_batches() -> None:
    judge = toys.Lookup()
    strategy = RegularizedEvolution(population=10, children=4)
    list(search(strategy, toys.problem(30, evaluator=judge)))
    assert [len(b) for b in judge.calls] == [10, 4, 4, 4, 4, 4]


def test_only_children_have_parents() -> None:
    events = toys.tried(list(search(RegularizedEvolution(population=10), toys.problem(50))))
    assert [bool(t.parents) for t in events] == [False] * 10 + [True] * 40


def test_a_member_that_has_died_has_no_more_children() -> None:
    strategy = RegularizedEvolution(population=8, children=8, tournament=8)
    events = toys.tried(list(search(strategy, toys.problem(80))))
    from nascore.space import key

    generation = {key(toys.ToySpace(), t.arch): i // 8 for i, t in enumerate(events)}
    assert all(generation[t.parents[0]] == i // 8 - 1 for i, t in enumerate(events) if t.parents)


def test_it_beats_random_search_on_a_smooth_table() -> None:
    def found(strategy: RegularizedEvolution | RandomSearch) -> float:
        runs = [toys.tried(list(search(strategy, toys.problem(100, seed=s)))) for s in range(8)]
        return sum(min(t.metrics["error"] for t in run) for run in runs) / 8

    assert found(RegularizedEvolution()) < found(RandomSearch()) - 0.005
