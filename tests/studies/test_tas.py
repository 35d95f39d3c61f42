"""TAS's study: its judgment on made-up shapes, the whole at toy size, and what breaks its claims."""

from __future__ import annotations

import pytest
import torch

from nascore.studies.claim import judged
from nascore.studies.study import run
from nascore.studies.tas import (
    ALONE,
    FOUND,
    RANDOM,
    UNIFORM,
    WHOLE,
    Tas,
    flops,
    judge,
    memory,
    near,
    problem,
    searched,
    uniform,
)

torch.set_num_threads(1)
SMALL = Tas(seeds=2, epochs=1, images=32, length=1)


def verdicts(met: bool, found: float, other: float, ratio: float) -> dict[str, str]:
    rows = [
        {
            "met": [met, met],
            "true": {FOUND: found + s / 10, UNIFORM: other, RANDOM: other, ALONE: other, WHOLE: 99.0},
            "share": {UNIFORM: 1.0, RANDOM: 1.0},
        }
        for s in range(4)
    ]
    told = judge(ratio, rows).found
    return {c.key: judged(c, told[c.key])["verdict"] for c in Tas.claims}


def test_better_shapes_on_target_reproduce_the_paper() -> None:
    assert set(verdicts(True, 95, 93, 2.0).values()) == {"reproduced"}


def test_worse_ones_off_target_do_not() -> None:
    assert set(verdicts(False, 90, 93, 0.9).values()) == {"not reproduced"}


def test_two_widths_need_less_memory_than_all() -> None:
    assert memory() > 1.2


def test_what_stands_beside_has_the_nearest_cost_and_equal_shares() -> None:
    own = problem(0, 32)
    rows = uniform(own)
    cost = flops(own, rows)
    assert len(rows) > 10
    assert max(cost) / min(cost) > 5
    taken = near(own, rows[2], rows)
    away = abs(cost - cost[2])
    assert abs(flops(own, [taken])[0] - cost[2]) == min(
        a for a, r in zip(away, rows, strict=True) if r != rows[2]
    )


@pytest.mark.slow
def test_the_study_runs_at_toy_size() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in Tas.claims]
    assert {c["n"] for c in found["claims"]} == {"exact", 2}


@pytest.mark.slow
def test_without_the_slope_of_the_cost_no_search_meets_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore.expected import Expected

    study = Tas(seeds=2, epochs=2, images=32, length=1, targets=(0.1,), alpha_lr=0.2)

    def moved(told: dict[str, list[list[float]]]) -> float:
        return told["costs"][0][0] - told["costs"][0][-1]

    plain = Expected.__call__
    own = moved(searched(study, 0))
    monkeypatch.setattr(
        Expected, "__call__", lambda self, p: plain(self, {n: v.detach() for n, v in p.items()})
    )
    broken = [searched(study, seed) for seed in range(2)]
    assert own > 0
    assert max(moved(told) for told in broken) < own / 2
    found = judge(1.0, broken).found
    assert judged(Tas.claims[0], found["target"])["verdict"] == "not reproduced"
