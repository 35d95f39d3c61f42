"""Independent trainings of one network: `Trained(draw=...)`."""

from __future__ import annotations

import pytest
import torch

from nascore.evaluators.trained import Trained
from nascore.events import Step, Tried
from nascore.problem import Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.runs.worker import judge_of
from nascore.space import tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.exhaustive import Exhaustive
from nascore.tasks.images import Digits

torch.set_num_threads(1)


def problem(by: Trained, epochs: int = 2) -> Problem:
    return Problem(Nasbench201(1, 8, 1, 2), Digits(train_images=64), SgdCosine(epochs=epochs, batch=32), by)


def losses(by: Trained, archs, p: Problem | None = None) -> list[float]:
    p = p or problem(by)
    return [e.metrics["loss"] for e in by.evaluate(archs, p) if isinstance(e, Tried)]


@pytest.fixture
def archs():
    return tuples(problem(Trained()).sample(4, "draws"))


def test_draws_differ_and_each_repeats_itself(archs) -> None:
    first, second = losses(Trained(), archs), losses(Trained(draw=1), archs)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert losses(Trained(draw=1), archs) == second
    assert losses(Trained(draw=2), archs) != second


def test_a_draw_does_not_depend_on_company(archs) -> None:
    assert losses(Trained(draw=1), archs)[2:3] == losses(Trained(draw=1), archs[2:3])


def test_shortened_trainings_of_two_draws_are_kept_apart(archs) -> None:
    p = problem(Trained(), epochs=3)
    for by in (Trained(), Trained(draw=1)):
        losses(by.at(1), archs, p)
    gone_on = [losses(by, archs, p) for by in (Trained(), Trained(draw=1))]
    fresh = [losses(by, archs, problem(Trained(), epochs=3)) for by in (Trained(), Trained(draw=1))]
    assert gone_on == fresh


def test_steps_of_two_draws_are_told_apart() -> None:
    p = problem(Trained())
    events = list(search(Exhaustive(sample=3, seeds=2), p))
    steps = [e.identity() for e in events if isinstance(e, Step)]
    assert len(steps) == len(set(steps)) == 2 * 2 + 1


def test_what_failed_is_judged_again_by_the_draw_that_failed() -> None:
    class Spec:
        evaluator = Trained()

    assert judge_of(Spec(), "trained/draw3") == Trained(draw=3)  # type: ignore[arg-type]
    assert judge_of(Spec(), "trained@2/draw3") == Trained(epochs=2, draw=3)  # type: ignore[arg-type]
    assert judge_of(Spec(), "trained") == Trained()  # type: ignore[arg-type]
    assert judge_of(Spec(), "zero_cost/draw1") is None  # type: ignore[arg-type]
