from __future__ import annotations

import pytest

from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Tried
from nascore.problem import Budget, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.strategies.exhaustive import Exhaustive, judges
from nascore.tasks.images import Digits
from tests import toys

SPACE = Nasbench201(1, 8, 1, 2)


def problem(by=None, space=SPACE, **budget: float) -> Problem:
    return Problem(
        space,
        Digits(train_images=64),
        SgdCosine(epochs=1, batch=64),
        by or Trained(),
        budget=Budget(**{"evaluations": 0, **budget}),  # type: ignore[arg-type]
    )


def test_every_class_of_equal_networks_is_judged_once() -> None:
    archs = Exhaustive().archs(problem())
    assert len(archs) == 5044  # the number of functions in the space
    assert len({SPACE.canonical(a) for a in archs}) == 5044


def test_the_whole_of_a_small_space_is_judged() -> None:
    p = toys.problem(budget=Budget(evaluations=10_000))
    told = [e.arch for e in search(Exhaustive(), p) if isinstance(e, Tried)]
    assert sorted(told) == sorted(toys.table())


def test_a_sample_is_part_of_the_order_of_the_whole() -> None:
    p = problem()
    assert Exhaustive(sample=30).archs(p) == Exhaustive().archs(p)[:30]


def test_all_seeds_of_a_batch_come_before_the_next_batch() -> None:
    strategy = Exhaustive(sample=6, seeds=2, batch=3)
    told = [e for e in search(strategy, problem()) if isinstance(e, Tried)]
    assert [t.how for t in told] == (["trained"] * 3 + ["trained/draw1"] * 3) * 2
    assert [t.arch for t in told[:3]] == [t.arch for t in told[3:6]]
    assert any(a.metrics["loss"] != b.metrics["loss"] for a, b in zip(told[:3], told[3:6], strict=True))


def test_a_training_counts_as_one_evaluation() -> None:
    told = [
        e
        for e in search(Exhaustive(sample=6, seeds=2, batch=3), problem(evaluations=7))
        if isinstance(e, Tried)
    ]
    assert len(told) == 7


def test_a_space_too_large_to_be_listed_is_sampled() -> None:
    space = Nasbench201(1, 8, 1, 2)
    large = NatsSize()
    assert len(Exhaustive(sample=5).archs(problem(space=large))) == 5
    Exhaustive().check(problem(space=space))


def test_more_seeds_than_a_judge_can_give_are_refused_before_the_start() -> None:
    with pytest.raises(BadInput, match="one answer only"):
        Exhaustive(seeds=3).check(toys.problem())
    assert [j.key for j in judges(Trained(draw=4), 2)] == ["trained/draw4", "trained/draw5"]
