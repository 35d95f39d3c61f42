"""The study of search against the average random cell, on made-up numbers and at toy size."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.measures.relative import Relative
from nascore.studies import cells
from nascore.studies.claim import judged
from nascore.studies.nas_evaluation_hard import NasEvaluationHard, between_seeds, share, single, space_of
from nascore.studies.study import run

RNG = np.random.default_rng(0)


def said(gain: float, noise: float, seeds: int = 8) -> dict[str, str]:
    """Verdicts where searches gain so much, and seeds are so noisy against cells of spread 0.2."""
    sides = RNG.normal([[90 + gain], [90]], 1, (20, 2, seeds))
    trials = {f"method {i}, all cells": Relative(100).measure(*side) for i, side in enumerate(sides)}
    runs = RNG.normal(95, 0.2, (100, 1)) + noise * RNG.normal(size=(100, 4))
    study = NasEvaluationHard(seeds=seeds, resamples=40)
    found = study.judge(trials, runs).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in study.claims}


def test_searches_that_gain_nothing_and_noisy_seeds_reproduce_the_paper() -> None:
    assert said(0.0, 0.3) == {"beats": "reproduced", "seed": "reproduced", "range": "reproduced"}


def test_searches_that_gain_much_and_seeds_that_agree_do_not() -> None:
    found = said(20.0, 0.001)
    assert found["beats"] == "not reproduced"
    assert found["seed"] == "not reproduced"


def test_fewer_than_eight_searches_decide_nothing() -> None:
    assert said(0.0, 0.3, seeds=3)["beats"] == "unclear"


def test_seeds_that_say_the_same_agree_and_shuffled_ones_do_not() -> None:
    truth = RNG.normal(size=(80, 1))
    assert between_seeds(np.repeat(truth, 3, 1)) == pytest.approx(1)
    shuffled = np.stack([RNG.permutation(truth[:, 0]) for _ in range(3)], 1)
    assert abs(between_seeds(shuffled)) < 0.3


def test_a_share_lies_within_wilsons_interval() -> None:
    found = share([True] * 9 + [False] * 30)
    assert found.value == pytest.approx(9 / 39)
    assert (found.low, found.high) == pytest.approx((0.1265, 0.3836), abs=1e-3)


def test_a_narrow_space_holds_only_its_operations() -> None:
    table = cells.digits()
    space = cells.problem_of(table, space=space_of(table, "convolutions and skips")).space
    assert {o for c in space.choices() for o in (c.options[i] for i in c.open)} == {
        "skip_connect", "nor_conv_1x1", "nor_conv_3x3",
    }  # fmt: skip


def test_single_trainings_average_to_the_tables_own_number() -> None:
    table = cells.digits()
    rows = cells.some(table, 5)
    runs = single(table, rows.tolist())
    assert runs.shape == (5, 8)
    assert runs.mean(1) == pytest.approx(table.values("test_accuracy")[rows], abs=0.01)


def test_the_study_runs_at_toy_size() -> None:
    found = run(NasEvaluationHard(seeds=2, evaluations=5, resamples=10))
    assert {c["key"]: c["verdict"] for c in found["claims"]}["beats"] == "unclear"
    assert len(found["picture"]["names"]) == 12
