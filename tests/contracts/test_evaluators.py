"""What every judge promises."""

from __future__ import annotations

import math

import pytest
import torch

from nascore.codec import from_json, to_json
from nascore.errors import NotSupported
from nascore.evaluators import EVALUATORS
from nascore.events import Step, Tried
from nascore.problem import Objective, Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits
from tests.evaluators import tables

torch.set_num_threads(1)


@pytest.fixture(params=EVALUATORS)
def problem(request, tmp_path, monkeypatch) -> Problem:
    if request.param == "tabular":
        monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
        tables.made(tmp_path, curves=False)
    by = EVALUATORS[request.param]()
    task, recipe = Digits(train_images=64), SgdCosine(epochs=2, batch=32)
    metric = "score" if request.param == "zero_cost" else "error"
    return Problem(Nasbench201(1, 8, 1, 2), task, recipe, by, (Objective(metric),))


def told(p: Problem, archs) -> list[Step | Tried]:
    return list(p.evaluator.evaluate(tuples(archs), p))


def test_every_arch_gets_one_answer_with_the_promised_metrics(problem: Problem) -> None:
    archs = tuples(problem.sample(5, "contract"))
    answers = [e for e in told(problem, archs) if isinstance(e, Tried)]
    assert [t.arch for t in answers] == archs
    promised = set(problem.evaluator.metrics(problem)) - {"latency_ms"}
    for t in answers:
        assert promised <= set(t.metrics)
        assert all(math.isfinite(v) for v in t.metrics.values())
        assert t.how == problem.evaluator.key
        assert t.spent["seconds"] >= 0


def test_no_archs_give_no_events(problem: Problem) -> None:
    assert told(problem, []) == []


def test_the_same_question_has_the_same_answer(problem: Problem) -> None:
    archs = tuples(problem.sample(3, "contract"))
    first, second = (
        [
            {m: v for m, v in t.metrics.items() if m != "train_seconds"}
            for t in told(problem, archs)
            if isinstance(t, Tried)
        ]
        for _ in range(2)
    )
    assert first == second


def test_params_and_flops_are_those_of_the_space(problem: Problem) -> None:
    archs = tuples(problem.sample(4, "contract"))
    answers = [e for e in told(problem, archs) if isinstance(e, Tried)]
    for name, values in problem.costs(archs).items():
        assert [t.metrics[name] for t in answers] == values.tolist()


def test_it_survives_json_and_states_its_protocol(problem: Problem) -> None:
    by = problem.evaluator
    assert from_json("evaluator", to_json(by)) == by
    protocol = by.protocol(problem)
    assert protocol.data == "digits"
    assert protocol.split
    assert protocol.source


def test_another_fidelity_has_another_key_or_is_refused(problem: Problem) -> None:
    try:
        other = problem.evaluator.at(1)
    except NotSupported:
        return
    assert other.key != problem.evaluator.key
