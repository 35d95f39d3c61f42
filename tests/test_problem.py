from __future__ import annotations

import math

import numpy as np
import pytest

from nascore.errors import BadInput, OutOfBudget
from nascore.events import Chosen, Note, Tried
from nascore.problem import Budget, Constraint, Memo, Objective, State, epochs, search
from nascore.strategies.random_search import RandomSearch
from tests import toys

ARCHS = [(0, 0, 0, 0, 0, i) for i in range(3)] + [(0, 0, 0, 0, 1, i) for i in range(3)]


def test_answers_come_in_the_order_of_the_question() -> None:
    _, found = toys.run(toys.problem().evaluate([ARCHS[4], ARCHS[1], ARCHS[3]]))
    assert [t.arch for t in found] == [ARCHS[4], ARCHS[1], ARCHS[3]]


def test_what_is_known_is_returned_but_neither_told_nor_judged_again() -> None:
    judge = toys.Lookup()
    problem = toys.problem(evaluator=judge)
    toys.run(problem.evaluate(ARCHS[:2]))
    events, found = toys.run(problem.evaluate(ARCHS[:3]))
    assert judge.calls == [ARCHS[:2], ARCHS[2:3]]
    assert [t.arch for t in toys.tried(events)] == ARCHS[2:3]
    assert len(found) == 3
    assert problem.left() == 97


def test_a_repeated_question_is_judged_once_and_answered_twice() -> None:
    judge = toys.Lookup()
    _, found = toys.run(toys.problem(evaluator=judge).evaluate([ARCHS[0], ARCHS[0]]))
    assert judge.asked == [ARCHS[0]]
    assert [t.arch for t in found] == [ARCHS[0], ARCHS[0]]


def test_answers_of_two_judges_are_not_mixed_up() -> None:
    problem = toys.problem()
    toys.run(problem.evaluate(ARCHS[:1]))
    events, _ = toys.run(problem.evaluate(ARCHS[:1], toys.Lookup(epochs=1)))
    assert [t.how for t in toys.tried(events)] == ["lookup-1"]
    assert len(problem.tried()) == 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_failures_in_a_batch_are_narrowed_down_to_the_archs_that_cause_them(n: int) -> None:
    fail = frozenset(ARCHS[1 : 1 + n])
    _, found = toys.run(toys.problem(evaluator=toys.Lookup(fail=fail)).evaluate(ARCHS))
    assert {t.arch for t in found if t.failed} == fail
    assert [t.arch for t in found] == ARCHS
    assert all("breaks" in t.failed for t in found if t.failed)


def test_a_failed_arch_counts_and_is_not_tried_again() -> None:
    judge = toys.Lookup(fail=frozenset(ARCHS[:1]))
    problem = toys.problem(evaluator=judge)
    toys.run(problem.evaluate(ARCHS[:1]))
    toys.run(problem.evaluate(ARCHS[:1]))
    assert len(judge.calls) == 1
    assert problem.left() == 99


def test_a_metric_that_is_no_number_is_a_failure_that_says_so() -> None:
    judge = toys.Lookup(nan=frozenset(ARCHS[:1]))
    _, (found,) = toys.run(toys.problem(evaluator=judge).evaluate(ARCHS[:1]))
    assert found.failed == "not finite: error"


def test_an_invalid_arch_fails_without_being_judged() -> None:
    judge = toys.Lookup()
    problem = toys.problem(evaluator=judge, space=toys.ToySpace(forbidden=6))
    _, found = toys.run(problem.evaluate(ARCHS[:2]))
    assert judge.asked == [ARCHS[1]]
    assert [bool(t.failed) for t in found] == [True, False]
    assert found[0].failed.startswith("invalid: ")


def test_parents_are_written_into_the_answers() -> None:
    _, found = toys.run(toys.problem().evaluate(ARCHS[:2], parents=[("a",), ("b", "c")]))
    assert [t.parents for t in found] == [("a",), ("b", "c")]


def test_the_last_batch_is_cut_to_the_budget_and_the_next_one_refused() -> None:
    problem = toys.problem(4)
    _, found = toys.run(problem.evaluate(ARCHS))
    assert [t.arch for t in found] == ARCHS[:4]
    with pytest.raises(OutOfBudget):
        toys.run(problem.evaluate(ARCHS[4:]))


def test_after_the_budget_the_known_are_still_answered() -> None:
    problem = toys.problem(2)
    toys.run(problem.evaluate(ARCHS[:2]))
    _, found = toys.run(problem.evaluate(ARCHS[1:]))
    assert [t.arch for t in found] == ARCHS[1:2]


def test_a_budget_of_epochs_ends_a_search() -> None:
    problem = toys.problem(budget=Budget(0, epochs=20))
    list(search(RandomSearch(batch=1), problem))
    assert len(problem.tried()) == 3
    assert problem.left("epochs") <= 0


def test_no_limit_is_infinite() -> None:
    assert toys.problem(0).left() == math.inf
    assert not toys.problem(0).spent_up()


def test_search_turns_a_spent_budget_into_a_choice_of_the_best() -> None:
    problem = toys.problem(20)
    events = list(search(RandomSearch(), problem))
    best = min(problem.tried(), key=lambda t: t.metrics["error"])
    assert events[-2:] == [Note("budget spent"), Chosen(best.arch, "best within the budget")]


def tried(failed: str = "", **metrics: float) -> Tried:
    return Tried(ARCHS[0], metrics, "lookup", failed=failed)


def test_order_puts_feasible_before_infeasible_before_failed() -> None:
    problem = toys.problem(constraints=(Constraint("width", "<=", 10),))
    rows = [
        tried("diverged", error=0.0, width=0),
        tried(error=0.0, width=40),
        tried(error=0.1, width=20),
        tried(error=0.9, width=10),
        tried(error=0.5, width=1),
    ]
    assert sorted(rows, key=problem.order) == rows[::-1]


def test_violation_is_relative_to_the_limit_and_summed() -> None:
    limits = (Constraint("width", "<=", 10), Constraint("error", ">=", 0.5))
    problem = toys.problem(constraints=limits)
    assert problem.violation(tried(width=15, error=0.25)) == pytest.approx(0.5 + 0.5)
    assert problem.violation(tried(width=10, error=0.5)) == 0
    assert problem.violation(tried(width=math.nan, error=0.5)) == math.inf
    assert problem.violation(tried(error=0.5)) == math.inf


def test_objectives_to_maximize_are_negated() -> None:
    problem = toys.replace(toys.problem(), objectives=(Objective("error"), Objective("width", "max")))
    assert problem.cost(tried(error=0.5, width=3)) == (0.5, -3)
    assert problem.cost(tried("broke", error=0.5, width=3)) == (math.inf, math.inf)


def test_allowed_minds_validity_and_free_constraints_but_not_measured_ones() -> None:
    problem = toys.problem(
        space=toys.ToySpace(forbidden=6),
        constraints=(Constraint("params", "<=", 200), Constraint("width", "<=", 0)),
    )
    assert problem.allowed(ARCHS).tolist() == [False, True, False, True, False, False]


def test_samples_meet_the_constraints() -> None:
    problem = toys.problem(constraints=(Constraint("flops", ">=", 8000),))
    drawn = problem.sample(20, "test")
    assert drawn.shape == (20, 6)
    assert drawn.sum(1).min() >= 7


def test_constraints_that_nothing_meets_are_named() -> None:
    problem = toys.problem(constraints=(Constraint("params", "<=", 1),))
    with pytest.raises(BadInput, match="params <= 1"):
        problem.sample(1, "test")


def test_streams_are_named_and_belong_to_the_seed() -> None:
    draw = [
        toys.problem(seed=s).rng(*n).random() for s, n in ((0, ["a"]), (0, ["a"]), (0, ["a", 1]), (1, ["a"]))
    ]
    assert draw[0] == draw[1]
    assert len(set(draw)) == 3


@pytest.mark.parametrize("on_disk", [False, True])
def test_epochs_go_on_where_the_memo_stands(tmp_path: toys.Any, on_disk: bool) -> None:
    folder = tmp_path if on_disk else None
    memo, kept = Memo(folder), State(total=0)
    for epoch in epochs(toys.problem(memo=memo), "phase", 5, kept):
        kept["total"] += epoch
        if epoch == 2:
            break  # epoch 2 was not saved
    again = State(total=100)
    later = Memo(folder) if on_disk else memo
    seen = []
    for epoch in epochs(toys.problem(memo=later), "phase", 5, again):
        seen.append(epoch)
        again["total"] += epoch
    assert seen == [2, 3, 4]
    assert again["total"] == 10


def test_a_saved_state_that_is_torn_anywhere_or_not_ours_is_as_none(tmp_path: toys.Any) -> None:
    memo = Memo(tmp_path)
    memo.save("x", {"a": 1})
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for torn in (b"torn", b"", b"\x80\x02.", *(whole[:n] for n in range(0, len(whole), 37))):
        file.write_bytes(torn)
        assert memo.load("x") is None


def test_once_computes_once(tmp_path: toys.Any) -> None:
    values = iter([1, 2])
    assert [Memo(tmp_path).once("x", lambda: next(values)) for _ in range(2)] == [1, 1]


def test_costs_of_no_archs_are_empty() -> None:
    assert np.asarray(toys.problem().costs([])["params"]).shape == (0,)
    assert toys.problem().allowed([]).shape == (0,)
