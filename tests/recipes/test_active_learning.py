"""Labels bought in rounds: how many, which, from equal starts, resumed, and worth their price."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nascore.chunk import fresh
from nascore.codec import from_json, to_json
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Tried
from nascore.kinds import check_knobs, knobs
from nascore.problem import Memo, Problem
from nascore.query import QUERIES
from nascore.recipe import Trainer, train
from nascore.recipes.active_learning import ActiveLearning, Bought, Dropping, looked, points_of
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import from_choices
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.reader import Reader
from nascore.tasks.images import Digits
from nascore.tasks.text import Text

torch.set_num_threads(1)
SHORT = ActiveLearning(first=15, ask=10, budget=40, updates=10, draws=3)
SPACE = Reader()
ARCH = from_choices(SPACE, {"width": 16, "encoder": "mean", "hidden": 32, "dropout": 0.25})


def problem(part: ActiveLearning = SHORT, memo: Memo | None = None, **more: Any) -> Problem:
    task = Text("vectors", train_texts=200)
    recipe = SgdCosine(batch=16, lr=0.05, parts=(part,))
    return Problem(SPACE, task, recipe, Trained(), memo=memo or Memo(), **more)


def steps(p: Problem) -> list[Any]:
    return list(train(p, fresh(p, ARCH), p.recipe, "x"))


@pytest.mark.parametrize("query", QUERIES)
def test_it_buys_as_many_labels_as_it_says(query: str) -> None:
    found = steps(problem(replace(SHORT, query=query)))
    assert [s.values["labels"] for s in found] == [15, 25, 35, 40]
    assert all(np.isfinite(s.values["train_loss"]) for s in found)
    assert 0 < found[-1].values["error"] < 0.9


def test_all_ways_begin_with_the_same_labels_of_all_classes() -> None:
    p = problem()
    first = SHORT.begun(p)
    assert np.array_equal(first, replace(SHORT, query="random").begun(p))
    labels: Any = p.task.whole("train").y
    assert np.bincount(labels[torch.from_numpy(first)]).tolist() == [3] * 5
    errors = [
        steps(problem(replace(SHORT, query=q)))[0].values["error"] for q in ("random", "margin", "bald")
    ]
    assert len(set(errors)) == 1


def test_a_label_is_bought_once_and_asked_for_outside_the_known() -> None:
    p, net = problem(), fresh(problem(), ARCH)
    rows = SHORT.begun(p)
    asked = SHORT.asked(p, net, rows, 20, "x")
    assert len(set(asked.tolist())) == 20
    assert not set(asked.tolist()) & set(rows.tolist())


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_second_life_goes_on_to_the_same_end(cut: int) -> None:
    whole = steps(problem())
    memo = Memo()
    p = problem(memo=memo)
    events = train(p, fresh(p, ARCH), p.recipe, "x")
    first = [next(events) for _ in range(cut)]
    events.close()  # type: ignore[attr-defined] -- a generator
    merged = {s.index: s for s in [*first, *steps(problem(memo=memo))]}
    assert [merged[i].values for i in sorted(merged)] == [s.values for s in whole]


def test_dropout_drops_only_while_it_should() -> None:
    net = SPACE.build(ARCH, Text("vectors").shape)
    x = torch.randn(4, 48, 50)
    with Dropping(net):
        assert not np.allclose(looked(net, x)[0], looked(net, x)[0])
    assert np.allclose(looked(net, x)[0], looked(net, x)[0])
    assert looked(net, x)[1].shape == (4, 32)


def test_only_bought_examples_are_learned_from() -> None:
    task = Text("words", train_texts=100)
    bought = Bought(task, (5, 9, 70, 31))
    assert bought.size("train") == 4
    assert bought.size("test") == task.size("test")
    seen = {int(i) for b in bought.batches("train", 2, np.random.default_rng(0)) for i in b.index}
    assert seen == {5, 9, 70, 31}
    assert bought.whole("train").index.tolist() == [5, 9, 70, 31]


def test_images_can_be_bought_too_and_lie_where_their_pixels_say() -> None:
    p = Problem(
        Nasbench201(1, 8, 1, 2), Digits(train_images=60),
        SgdCosine(batch=16, parts=(ActiveLearning("core_set", 10, 10, 30, 5),)), Trained(),
    )  # fmt: skip
    assert points_of(p.task).shape == (60, 64)
    (told,) = [e for e in p.evaluator.evaluate([(3, 2, 1, 1, 2, 1)], p) if isinstance(e, Tried)]
    assert told.metrics["labels"] == 30
    assert told.curve["labels"] == (10, 20, 30)


def test_what_cannot_be_bought_is_refused() -> None:
    p = problem(replace(SHORT, first=500))
    with pytest.raises(BadInput, match="500 labels are more"):
        steps(p)


def test_it_goes_through_json_and_has_help() -> None:
    recipe = problem().recipe
    assert from_json("recipe", to_json(recipe)) == recipe
    check_knobs(SHORT)
    assert all(f.metadata["help"] for f in knobs(ActiveLearning))
    assert Trainer(problem(), fresh(problem(), ARCH), 1).parts


def test_more_labels_help_and_wrong_ones_do_not() -> None:
    long = ActiveLearning("random", 15, 135, 150, 60)
    found = [s.values["error"] for s in steps(problem(long))]
    assert found[-1] < found[0] - 0.03
