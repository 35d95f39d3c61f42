"""Single-Path NAS: its study judges made-up networks, runs at toy size, and sees what breaks its claims."""

from __future__ import annotations

from typing import Any

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
)
from nascore.studies.study import run

torch.set_num_threads(1)
SMALL = SinglePath(seeds=2, epochs=2, images=32, length=1, weights=(0.0, 10.0))
GOOD = {"size": 1.0, "cost": 1e-8, "gradient": 0.1}


def row(costs: list[float], found: float, other: float, seed: int) -> dict[str, Any]:
    same = {"cost": costs, "on": [1.0, 0.5, 0.1], FOUND: [found + seed / 10] * 3}
    return {**same, RANDOM: [other] * 3, UNIFORM: [other] * 3}


def verdicts(exact: dict[str, float], costs: list[float], found: float, other: float) -> dict[str, str]:
    told = judge(exact, [row(costs, found, other, s) for s in range(4)], (0.0, 1.0, 10.0)).found
    return {c.key: judged(c, told[c.key])["verdict"] for c in SinglePath.claims}


def test_cheaper_and_better_networks_reproduce_the_paper() -> None:
    assert set(verdicts(GOOD, [3e6, 2e6, 1e6], 95, 93).values()) == {"reproduced"}


def test_dearer_and_worse_ones_do_not() -> None:
    bad = {"size": 4.0, "cost": 0.1, "gradient": 0.0}
    assert set(verdicts(bad, [1e6, 2e6, 3e6], 90, 93).values()) == {"not reproduced"}


def test_costs_that_stay_are_no_steering() -> None:
    assert verdicts(GOOD, [1e6, 1e6, 1e6], 95, 93)["steering"] != "reproduced"


def test_the_exact_claims_hold_and_decisions_without_slope_would_be_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import nascore.thresholds as module

    found = checks()
    for claim in SinglePath.claims[:3]:
        assert judged(claim, found[claim.key])["verdict"] == "reproduced"
    monkeypatch.setattr(module, "decided", lambda x: (x >= 0).to(x) + 0 * x)
    broken = checks()["gradient"]
    assert judged(SinglePath.claims[2], broken)["verdict"] == "not reproduced"


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
    assert {c["n"] for c in found["claims"]} == {"exact", 2}
    assert FOUND in found["picture"]["names"]
