"""Judging trainings closely: `Trained(closely=True)`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.benchmarks import build, from_run
from nascore.benchmarks.made import SCALARS
from nascore.chunk import fresh
from nascore.evaluators.trained import Trained
from nascore.events import Tried
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.single import Single
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.tasks.images import Digits

torch.set_num_threads(1)
SIZES = [(0, 1, 0, 1, 0), (1, 0, 1, 0, 1)]


def problem(space, by: Trained) -> Problem:
    return Problem(space, Digits(train_images=64), SgdCosine(epochs=1, batch=32), by)


def told(p: Problem, archs) -> list[Tried]:
    return [e for e in p.evaluator.evaluate(archs, p) if isinstance(e, Tried)]


@pytest.mark.parametrize("space", [NatsSize(2), Nasbench201(1, 8, 1, 2)], ids=["alone", "together"])
def test_a_close_look_adds_metrics_and_changes_none(space) -> None:
    archs = SIZES if isinstance(space, NatsSize) else [(3, 0, 0, 1, 0, 0), (3, 1, 2, 3, 1, 4)]
    plain, close = told(problem(space, Trained()), archs), told(problem(space, Trained(closely=True)), archs)
    for a, b in zip(plain, close, strict=True):
        same = {m: v for m, v in a.metrics.items() if m != "train_seconds"}
        assert same.items() <= b.metrics.items()
        assert {"brier", "temperature", "post_ece_15", "val_ece_15", "noise_050_error"} <= b.metrics.keys()


def by_hand(shares, y) -> float:
    """Equation 3 of Guo et al. 2017 with 15 bins."""
    top, gap = shares.max(1), 0.0
    for i in range(15):
        inside = (top > i / 15) & (top <= (i + 1) / 15)
        if inside.any():
            right = (shares.argmax(1) == y)[inside].mean()
            gap += inside.mean() * abs(top[inside].mean() - right)
    return gap


def test_its_calibration_errors_are_those_of_the_definition() -> None:
    p = problem(NatsSize(2), Trained())
    found = build.closely(p, Single(fresh(p, SIZES[0])))
    t, told = float(found["temperature"][0]), build.numbers(found, p)[0]
    assert abs(t - 1) > 0.1
    for name, split, scale in (
        ("val_ece_15", "validation", 1.0),
        ("ece_15", "test", 1.0),
        ("post_ece_15", "test", t),
    ):
        shares = (torch.tensor(found[f"{split}_logits"][0]).double() / scale).softmax(-1).numpy()
        assert told[name] == pytest.approx(by_hand(shares, p.task.whole(split).y.numpy()), abs=1e-9)  # type: ignore[union-attr,arg-type] -- labels


def test_only_what_validation_images_say_may_be_searched_for() -> None:
    p = problem(NatsSize(2), Trained(closely=True))
    assert "val_ece_15" in p.evaluator.metrics(p)
    assert not any("test" in m or m == "ece_15" for m in p.evaluator.metrics(p))


def test_a_table_of_such_a_run_has_the_columns_of_the_shipped_ones(tmp_path) -> None:
    p = problem(NatsSize(2), Trained(closely=True))
    made = from_run.Made(
        p.space,
        {"name": "nats_size", "knobs": {"stem_stride": 2}},
        p.evaluator.protocol(p),
        p.evaluator.key,
        lambda archs: p.space.costs(archs, p.task.shape),
        {"run": "r"},
    )
    table = from_run.table_of(made, told(p, SIZES), "mine", tmp_path)
    assert set(SCALARS) <= set(table.columns)
    for name in ("brier", "post_ece_15", "noise_050_accuracy"):
        assert (table.columns[name].title, table.columns[name].direction) == (
            SCALARS[name][0],
            SCALARS[name][2],
        )
    assert table.columns["val_ece_15"].protocol.split == "validation"
    assert np.isfinite(table.values("noise_100_accuracy")).all()
