"""What every strategy promises, over every entry of the table."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import pytest

from nascore.errors import BadInput
from nascore.events import Chosen, Event, Tried
from nascore.kinds import check_knobs, knobs, summary
from nascore.problem import Budget, Constraint, Memo, search
from nascore.proxies.flops import Flops
from nascore.proxies.params import Params
from nascore.strategies import STRATEGIES
from tests import toys


def on_tables(name: str) -> bool:
    """Whether it asks for nothing but answers; those that train a supernet have a suite of their own."""
    try:
        STRATEGIES[name]().check(toys.problem())
    except BadInput as error:
        return "holds all others" not in str(error)
    return True


NAMES = sorted(n for n in STRATEGIES if on_tables(n))
WITHOUT_NETWORKS: dict[str, dict[str, Any]] = {  # the toy space has none that a score could look at
    "robot": {"metrics": (Params(), Flops()), "trials": 6, "restarts": 0, "draws": 50, "climbs": 1},
    "proxy_assisted": {"proxy": Params(), "proposals": 3},
}
BAD = (2, 1, 0, 1, 0, 0)  # the best of the table: every strategy would like it


@pytest.fixture(params=NAMES)
def strategy(request: pytest.FixtureRequest) -> Any:
    return STRATEGIES[request.param](**WITHOUT_NETWORKS.get(request.param, {}))


def words(events: list[Event]) -> list[tuple[Any, ...]]:
    return [e.identity() for e in events]


@cache
def ended(strategy: Any, evaluations: int, objectives: tuple[str, ...]) -> list[Event]:
    """What a whole search says, once for all cuts of it."""
    return list(search(strategy, toys.problem(evaluations, objectives=objectives)))


def test_the_first_event_comes_within_two_seconds(strategy: Any) -> None:
    events = strategy.search(toys.problem())
    start = time.monotonic()
    next(events)
    assert time.monotonic() - start < 2
    events.close()


def test_it_can_be_closed_after_any_event(strategy: Any) -> None:
    for n in (1, 2, 30, 60):
        events = strategy.search(toys.problem())
        for _ in range(n):
            next(events)
        events.close()
        assert list(events) == []


def test_the_same_seed_gives_the_same_events(strategy: Any) -> None:
    assert list(search(strategy, toys.problem(seed=3))) == list(search(strategy, toys.problem(seed=3)))


def test_another_seed_gives_other_architectures(strategy: Any) -> None:
    one, two = (toys.tried(list(search(strategy, toys.problem(seed=s)))) for s in (1, 2))
    assert {t.arch for t in one} != {t.arch for t in two}


def test_it_ends_with_a_choice_of_what_it_judged(strategy: Any) -> None:
    problem = toys.problem()
    events = list(search(strategy, problem))
    assert isinstance(events[-1], Chosen)
    good = [t for t in toys.tried(events) if t.how == "lookup"]
    assert events[-1].arch == min(good, key=problem.order).arch


def test_it_spends_no_more_than_its_budget(strategy: Any) -> None:
    for evaluations in (1, 5, 64):
        events = list(search(strategy, toys.problem(evaluations)))
        assert 0 < len(toys.tried(events)) <= evaluations
        assert isinstance(events[-1], Chosen)


def test_it_spends_no_more_epochs_than_a_batch_beyond_its_budget(strategy: Any) -> None:
    problem = toys.problem(budget=Budget(0, epochs=900))
    assert isinstance(list(search(strategy, problem))[-1], Chosen)
    assert problem.memo.spent["epochs"] <= 900 + 24 * 9


def test_one_architecture_that_breaks_does_not_end_it(strategy: Any) -> None:
    starts = {e.arch for e in list(search(strategy, toys.problem())) if isinstance(e, Tried)}
    fail = frozenset({BAD, *sorted(starts)[:3]})
    events = list(search(strategy, toys.problem(evaluator=toys.Lookup(fail=fail))))
    failed = [t for t in toys.tried(events) if t.failed]
    assert {t.arch for t in failed} <= fail
    assert failed
    assert isinstance(events[-1], Chosen)
    assert events[-1].arch not in fail


def test_metrics_that_are_no_numbers_are_never_chosen(strategy: Any) -> None:
    starts = toys.tried(list(search(strategy, toys.problem())))
    nan = frozenset(t.arch for t in starts[::2])
    events = list(search(strategy, toys.problem(evaluator=toys.Lookup(nan=nan))))
    assert any(t.failed for t in toys.tried(events))
    assert isinstance(events[-1], Chosen)
    assert events[-1].arch not in nan


def test_where_everything_fails_it_ends_without_a_choice(strategy: Any) -> None:
    judge = toys.Lookup(nan=frozenset(toys.table()))
    events = list(search(strategy, toys.problem(60, evaluator=judge)))
    assert not any(isinstance(e, Chosen) for e in events)
    assert toys.tried(events)


def test_what_breaks_a_free_constraint_is_never_proposed(strategy: Any) -> None:
    judge = toys.Lookup()
    problem = toys.problem(evaluator=judge, constraints=(Constraint("params", "<=", 500),))
    list(search(strategy, problem))
    assert judge.asked
    assert max(sum(a) for a in judge.asked) <= 4


def test_invalid_architectures_are_never_proposed(strategy: Any) -> None:
    problem = toys.problem(space=toys.ToySpace(forbidden=1))
    assert not [t for t in toys.tried(list(search(strategy, problem))) if t.failed]


def test_measured_constraints_decide_what_is_chosen(strategy: Any) -> None:
    problem = toys.problem(constraints=(Constraint("width", "<=", 5),))
    chosen = list(search(strategy, problem))[-1]
    assert isinstance(chosen, Chosen)
    assert sum(chosen.arch) <= 5


def test_a_small_space_is_exhausted_and_then_it_ends(strategy: Any) -> None:
    problem = toys.problem(0, space=toys.ToySpace(2))
    events = list(search(strategy, problem))
    assert isinstance(events[-1], Chosen)
    assert len({t.arch for t in toys.tried(events)}) == 64


def test_a_space_of_one_architecture_gives_that_one(strategy: Any) -> None:
    events = list(search(strategy, toys.problem(0, space=toys.ToySpace(1))))
    assert events[-1] == Chosen((0,) * 6, getattr(events[-1], "why"))  # noqa: B009 -- any reason will do


def test_no_architecture_is_judged_twice_by_one_judge(strategy: Any) -> None:
    found = words(toys.tried(list(search(strategy, toys.problem(300)))))  # type: ignore[arg-type] # a list of Tried
    assert len(found) == len(set(found))


@pytest.mark.parametrize("objectives", [("error",), ("error", "params")])
@pytest.mark.parametrize("cut", [3, 17, 41, 70])
def test_a_second_life_says_the_same_from_where_the_first_was_cut(
    strategy: Any, cut: int, objectives: tuple[str, ...]
) -> None:
    whole = ended(strategy, 90, objectives)
    memo, judge, first, said = Memo(), toys.Lookup(), [], 0
    for event in search(strategy, toys.problem(90, objectives=objectives, memo=memo)):
        first.append(event)
        said += isinstance(event, Tried)
        if said == cut:
            break
    known = Memo()  # what the journal gives back
    for event in toys.tried(first):
        known.record(toys.ToySpace(), event)
    second = list(search(strategy, toys.problem(90, objectives=objectives, memo=known, evaluator=judge)))
    merged = dict.fromkeys([*words(first), *words(second)])
    assert list(merged) == list(dict.fromkeys(words(whole)))
    assert not {t.arch for t in toys.tried(first) if t.how == "lookup"} & {
        a for a, t in ((t.arch, t) for t in toys.tried(second)) if t.how == "lookup"
    }


@pytest.mark.parametrize("name", NAMES)
def test_its_knobs_have_help_and_ranges_and_good_defaults(name: str) -> None:
    cls = STRATEGIES[name]
    check_knobs(cls())
    assert summary(cls)
    for f in knobs(cls):
        assert f.metadata["help"]
        if type(f.default) in (int, float):
            assert f.metadata["low"] is not None
            assert f.metadata["high"] is not None


@pytest.mark.parametrize("name", NAMES)
def test_it_goes_through_json_and_back(name: str) -> None:
    from nascore import codec

    strategy = STRATEGIES[name]()
    assert codec.from_json("strategy", codec.to_json(strategy)) == strategy
