from __future__ import annotations

from nascore.events import Step
from nascore.problem import search
from nascore.space import key, neighbors
from nascore.strategies.local_search import LocalSearch
from tests import toys


def test_a_climb_judges_all_neighbors_and_goes_to_the_best() -> None:
    judge = toys.Lookup()
    problem = toys.problem(60, evaluator=judge)
    list(search(LocalSearch(starts=1), problem))
    (start,), around, further = judge.calls[:3]
    assert set(around) == {a for _, a in neighbors(problem.space, start)}
    best = min(around, key=lambda a: toys.table()[a])
    assert set(further) <= {a for _, a in neighbors(problem.space, best)}


def test_a_climb_ends_where_no_neighbor_is_better() -> None:
    events = []
    for event in search(LocalSearch(starts=1), problem := toys.problem(400)):
        events.append(event)
        if isinstance(event, Step):
            break
    top = min(toys.tried(events), key=problem.order)
    assert all(toys.table()[a] >= toys.table()[top.arch] for _, a in neighbors(problem.space, top.arch))


def test_neighbors_name_the_architecture_that_they_came_from() -> None:
    problem = toys.problem(13)
    events = toys.tried(list(search(LocalSearch(starts=1), problem)))
    assert {t.parents for t in events[1:]} == {(key(problem.space, events[0].arch),)}


def test_it_starts_again_after_a_local_optimum() -> None:
    steps = [e for e in search(LocalSearch(starts=1), toys.problem(400)) if isinstance(e, Step)]
    assert [s.index for s in steps] == list(range(len(steps)))
    assert len(steps) > 2


def test_it_beats_random_search_on_a_smooth_table() -> None:
    from nascore.strategies.random_search import RandomSearch

    def found(strategy: LocalSearch | RandomSearch) -> float:
        runs = [toys.tried(list(search(strategy, toys.problem(60, seed=s)))) for s in range(8)]
        return sum(min(t.metrics["error"] for t in run) for run in runs) / 8

    assert found(LocalSearch()) < found(RandomSearch()) - 0.005
