from __future__ import annotations

import pytest

from nascore.errors import BadInput
from nascore.events import Chosen, Note, Step
from nascore.problem import Budget, search
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.successive_halving import SuccessiveHalving
from tests import toys


def test_rungs_that_nobody_would_fall_from_are_skipped() -> None:
    judge = toys.Lookup()
    list(search(SuccessiveHalving(), toys.problem(39 + 4, evaluator=judge)))
    assert [len(b) for b in judge.calls] == [27, 9, 3, 3, 1]
    assert len(toys.tried(list(search(SuccessiveHalving(), toys.problem(1))))) == 1


@pytest.mark.parametrize(
    ("epochs", "eta", "least", "levels"),
    [(9, 3, 1, [1, 3, 9]), (10, 3, 1, [1, 3, 10]), (10, 2, 2, [2, 5, 10]), (1, 3, 1, [1]), (9, 3, 20, [9])],
)
def test_rungs_differ_by_about_eta_and_end_at_the_recipe(
    epochs: int, eta: int, least: int, levels: list[int]
) -> None:
    assert SuccessiveHalving(eta=eta, min_epochs=least).levels(epochs) == levels


def test_a_bracket_is_27_9_and_3_architectures() -> None:
    judge = toys.Lookup()
    list(search(SuccessiveHalving(), toys.problem(39, evaluator=judge)))
    assert [len(b) for b in judge.calls] == [27, 9, 3]


def test_the_better_third_of_each_rung_goes_on() -> None:
    events = toys.tried(list(search(SuccessiveHalving(), toys.problem(39))))
    low, middle, high = ([t for t in events if t.how == how] for how in ("lookup-1", "lookup-3", "lookup"))
    for rung, above in ((low, middle), (middle, high)):
        ranked = sorted(rung, key=lambda t: t.metrics["error"])
        assert [t.arch for t in above] == [t.arch for t in ranked[: len(above)]]


def test_the_last_bracket_shrinks_to_what_is_left() -> None:
    judge = toys.Lookup()
    list(search(SuccessiveHalving(), toys.problem(39 + 13, evaluator=judge)))
    assert [len(b) for b in judge.calls] == [27, 9, 3, 9, 3, 1]


def test_a_budget_of_epochs_is_kept() -> None:
    problem = toys.problem(budget=Budget(0, epochs=200))
    list(search(SuccessiveHalving(), problem))
    assert 150 < problem.memo.spent["epochs"] <= 200


def test_a_failed_architecture_never_goes_up_a_rung() -> None:
    first = toys.tried(list(search(SuccessiveHalving(), toys.problem(39))))[:26]
    nan = frozenset(t.arch for t in first)
    judge = toys.Lookup(nan=nan)
    events = list(search(SuccessiveHalving(), toys.problem(39, evaluator=judge)))
    assert not nan & {t.arch for t in toys.tried(events) if t.how != "lookup-1"}
    assert isinstance(events[-1], Chosen)


def test_a_judge_without_fidelities_is_refused_with_what_to_do() -> None:
    problem = toys.problem(evaluator=toys.Lookup(fidelities=False))
    with pytest.raises(BadInput, match=r"short trainings.*one fidelity.*choose"):
        list(search(SuccessiveHalving(), problem))


def test_a_recipe_of_one_epoch_says_that_this_is_random_search() -> None:
    problem = toys.problem(40, evaluator=toys.Lookup(fidelities=False), recipe=toys.ToyRecipe(epochs=1))
    notes = [e.text for e in search(SuccessiveHalving(), problem) if isinstance(e, Note)]
    assert any("random search" in n for n in notes)


def test_steps_say_how_many_were_trained_for_how_long() -> None:
    steps = [e for e in search(SuccessiveHalving(), toys.problem(39)) if isinstance(e, Step)]
    assert [(s.values["architectures"], s.values["epochs"]) for s in steps] == [(27, 1), (9, 3), (3, 9)]


def test_it_finds_better_ones_than_random_search_for_the_same_epochs() -> None:
    def found(strategy: SuccessiveHalving | RandomSearch) -> float:
        best = []
        for seed in range(12):
            problem = toys.problem(seed=seed, budget=Budget(0, epochs=250))
            list(search(strategy, problem))
            best.append(min(t.metrics["error"] for t in problem.tried()))
        return sum(best) / len(best)

    assert found(SuccessiveHalving()) < found(RandomSearch(batch=1)) - 0.002
