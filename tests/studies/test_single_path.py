"""Single-Path NAS: its study judges made-up networks, runs at toy size, and sees what breaks its claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.studies.claim import judged
from nascore.studies.single_path import (
    FOUND,
    RANDOM,
    UNIFORM,
    SinglePath,
    alike,
    checks,
    flops,
    judge,
    near,
    problem,
    searched,
    times,
)
from nascore.studies.study import run

torch.set_num_threads(1)
SMALL = SinglePath(seeds=2, epochs=2, images=32, length=1, weights=(0.0, 10.0))
TIMES = {"supernet": [1.0, 1.02, 1.01], "mixture": [2.5, 2.6, 2.7]}
GOOD = {"size": 1.0, "cost": 1e-8, "gradient": 0.1, "time": TIMES}


def row(costs: list[float], found: float, other: float, seed: int) -> dict[str, Any]:
    same = {"cost": costs, "on": [1.0, 0.5, 0.1], FOUND: [found + seed / 10] * 3}
    return {**same, RANDOM: [other] * 3, UNIFORM: [other] * 3}


def verdicts(exact: dict[str, float], costs: list[float], found: float, other: float) -> dict[str, str]:
    told = judge(exact, [row(costs, found, other, s) for s in range(4)], (0.0, 1.0, 10.0)).found
    return {c.key: judged(c, told[c.key])["verdict"] for c in SinglePath.claims}


def test_cheaper_and_better_networks_reproduce_the_paper() -> None:
    assert set(verdicts(GOOD, [3e6, 2e6, 1e6], 95, 93).values()) == {"reproduced"}


def test_dearer_and_worse_ones_do_not() -> None:
    slow = {**TIMES, "supernet": [1.9, 2.0, 2.1]}
    bad = {"size": 4.0, "cost": 0.1, "gradient": 0.0, "time": slow}
    assert set(verdicts(bad, [1e6, 2e6, 3e6], 90, 93).values()) == {"not reproduced"}


def test_costs_that_stay_are_no_steering() -> None:
    assert verdicts(GOOD, [1e6, 1e6, 1e6], 95, 93)["steering"] != "reproduced"


def test_the_exact_claims_hold_and_decisions_without_slope_would_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import nascore.thresholds as module

    found, by = checks(), {c.key: c for c in SinglePath.claims}
    for key, value in found.items():
        assert judged(by[key], value)["verdict"] == "reproduced"
    monkeypatch.setattr(module, "decided", lambda x: (x >= 0).to(x) + 0 * x)
    broken = checks()["gradient"]
    assert judged(by["gradient"], broken)["verdict"] == "not reproduced"


@pytest.mark.slow
def test_without_gradients_of_thresholds_no_network_is_cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    import nascore.thresholds as module

    study = SinglePath(seeds=2, epochs=4, images=64, length=1, weights=(0.0, 10.0), threshold_lr=0.03)
    own = searched(study, 0)["cost"]
    monkeypatch.setattr(module, "decided", lambda x: (x >= 0).to(x) + 0 * x)
    broken = searched(study, 0)
    assert own[1] < own[0]
    told = judge(GOOD, [broken] * 4, study.weights).found
    steering = next(c for c in SinglePath.claims if c.key == "steering")
    assert judged(steering, told["steering"])["verdict"] != "reproduced"


def test_a_step_of_the_supernet_is_shorter_than_one_of_a_mixture() -> None:
    told = times(2)
    assert np.median(told["supernet"]) < np.median(told["mixture"])


def test_what_stands_beside_has_the_nearest_cost() -> None:
    own = problem(0, 32)
    rows = alike(own)
    assert len(rows) == 8
    arch = rows[3]
    taken = near(own, arch, rows)
    away = [abs(f - flops(own, [arch])[0]) for f in flops(own, [r for r in rows if r != arch])]
    assert taken != arch
    assert abs(flops(own, [taken])[0] - flops(own, [arch])[0]) == min(away)


@pytest.mark.slow
def test_the_study_runs_at_toy_size() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in SinglePath.claims]
    assert {c["n"] for c in found["claims"]} == {"exact", 2, SMALL.pairs}
    assert FOUND in found["picture"]["names"]
