from __future__ import annotations

from nascore import pareto
from nascore.engines.draw import fresh
from nascore.engines.evolve import evolve
from nascore.events import Note, Step, Tried
from nascore.problem import Budget, Constraint
from nascore.space import key
from tests import toys


def first(problem: toys.Problem, n: int = 6) -> list[toys.Arch]:
    return fresh(problem, n, (), "first")


def test_without_select_the_oldest_die_even_if_they_are_best() -> None:
    problem = toys.problem()
    start = sorted(first(problem), key=lambda a: toys.table()[a])
    _, last = toys.run(evolve(problem, start, 1, children=2))
    assert [t.arch for t in last][:4] == start[2:]
    assert len(last) == 6


def test_with_select_the_best_of_parents_and_children_stay() -> None:
    problem = toys.problem()

    def select(members: list[Tried]) -> list[int]:
        return pareto.order([problem.cost(t) for t in members], [0.0] * len(members)).tolist()

    events, last = toys.run(evolve(problem, first(problem), 3, select=select, children=4))
    everyone = sorted(t.metrics["error"] for t in toys.tried(events))
    assert [t.metrics["error"] for t in last] == everyone[:6]


def test_a_child_differs_from_its_parent_in_one_choice() -> None:
    problem = toys.problem()
    events, _ = toys.run(evolve(problem, first(problem), 4, children=3))
    by_key = {key(problem.space, t.arch): t.arch for t in toys.tried(events)}
    children = [t for t in toys.tried(events) if t.parents]
    assert len(children) == 12
    for child in children:
        (parent,) = child.parents
        assert sum(x != y for x, y in zip(child.arch, by_key[parent], strict=True)) == 1


def test_crossed_children_name_both_parents_and_take_from_both_but_for_one_change() -> None:
    problem = toys.problem(1000)
    events, _ = toys.run(evolve(problem, first(problem, 12), 4, children=8, cross=1.0, tournament=1))
    by_key = {key(problem.space, t.arch): t.arch for t in toys.tried(events)}
    pairs = [t for t in toys.tried(events) if len(t.parents) == 2]
    assert pairs
    for child in pairs:
        a, b = (by_key[p] for p in child.parents)
        assert sum(c not in (x, y) for c, x, y in zip(child.arch, a, b, strict=True)) <= 1


def test_children_of_a_cycle_are_judged_in_one_batch() -> None:
    judge = toys.Lookup()
    toys.run(evolve(p := toys.problem(evaluator=judge), first(p), 3, children=5))
    assert [len(batch) for batch in judge.calls] == [6, 5, 5, 5]


def test_no_architecture_is_asked_twice() -> None:
    judge = toys.Lookup()
    problem = toys.problem(400, evaluator=judge)
    toys.run(evolve(problem, first(problem), 40, children=8))
    assert len(judge.asked) == len(set(judge.asked)) > 250


def test_an_exhausted_space_ends_the_loop_with_a_note() -> None:
    judge = toys.Lookup()
    problem = toys.problem(0, space=toys.ToySpace(2), evaluator=judge)
    events, last = toys.run(evolve(problem, first(problem)))
    assert len(set(judge.asked)) == 64
    assert isinstance(events[-1], Note)
    assert "every architecture" in events[-1].text
    assert len(last) == 6


def test_a_space_of_one_architecture_ends_at_once() -> None:
    problem = toys.problem(0, space=toys.ToySpace(1))
    events, last = toys.run(evolve(problem, first(problem)))
    assert len(toys.tried(events)) == len(last) == 1


def test_free_constraints_hold_for_every_child() -> None:
    problem = toys.problem(80, constraints=(Constraint("params", "<=", 600),))
    events, _ = toys.run(evolve(problem, first(problem), 9))
    assert max(t.metrics["params"] for t in toys.tried(events)) == 600


def test_another_judge_may_be_given() -> None:
    problem = toys.problem(budget=Budget(0))
    events, last = toys.run(evolve(problem, first(problem), 2, by=toys.Lookup(epochs=1)))
    assert {t.how for t in toys.tried(events)} == {"lookup-1"}
    assert {t.how for t in last} == {"lookup-1"}


def test_every_cycle_ends_with_a_step_of_its_number() -> None:
    problem = toys.problem()
    events, _ = toys.run(evolve(problem, first(problem), 3, name="here"))
    steps = [e for e in events if isinstance(e, Step)]
    assert [(s.phase, s.index) for s in steps] == [("here", 0), ("here", 1), ("here", 2)]
    assert all(set(s.values) == {"error"} for s in steps)
