"""TangleNAS's study: its judgment on made-up searches, the whole at toy size, and what breaks its claims."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nascore.studies.claim import judged
from nascore.studies.nested import until
from nascore.studies.study import run
from nascore.studies.tangle_nas import (
    LARGEST,
    RANDOM,
    SPOS,
    TANGLED,
    TangleNas,
    checks,
    judge,
    largest,
    likeliest,
    over_time,
    problem,
    searched,
)

torch.set_num_threads(1)
SMALL = TangleNas(seeds=2, epochs=1, images=64, draws=2)


def row(tangled: float, spos: float, seed: int) -> dict[str, Any]:
    return {
        "true": {TANGLED: tangled + seed / 10, SPOS: spos, LARGEST: 96.0, RANDOM: 90.0},
        "curves": {TANGLED: [[1.0, 2.0], [tangled + seed / 10] * 2], SPOS: [[1.0, 3.0], [spos] * 2]},
        "inherited": {TANGLED: tangled + seed / 10, SPOS: spos},
        "rank": {TANGLED: 0.1, SPOS: 0.5},
    }


def verdicts(exact: dict[str, Any], tangled: float, spos: float) -> dict[str, str]:
    found = judge(exact, [row(tangled, spos, s) for s in range(4)]).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in TangleNas.claims}


def test_better_networks_and_exact_slices_reproduce_the_paper() -> None:
    assert set(verdicts({"equal": 1e-6, "memory": 4.0, "largest": 1.0}, 97, 95).values()) == {"reproduced"}


def test_the_other_way_round_nothing_is_reproduced() -> None:
    assert set(verdicts({"equal": 0.1, "memory": 1.0, "largest": 3.0}, 93, 95).values()) == {"not reproduced"}


def test_accuracy_over_time_is_that_of_steps_until_the_sooner_one_ends() -> None:
    curves = {TANGLED: [[1.0, 4.0], [90.0, 98.0]], SPOS: [[2.0, 5.0], [96.0, 99.0]]}
    found = over_time(curves, 50.0)
    assert found[TANGLED] == pytest.approx((50 + 3 * 90) / 4)
    assert found[SPOS] == pytest.approx((2 * 50 + 2 * 96) / 4)


def test_a_kernel_cut_from_a_corner_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    import nascore.entangle as module

    assert checks()["equal"] < 1e-5
    monkeypatch.setattr(module, "rings", lambda side: torch.arange(side)[:, None].maximum(torch.arange(side)))
    assert checks()["equal"] > 1e-3


@pytest.mark.slow
def test_the_study_runs_at_toy_size() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in TangleNas.claims]
    assert {c["n"] for c in found["claims"]} == {"exact", 2}
    assert TANGLED in found["picture"]["names"]


@pytest.mark.slow
def test_without_gradients_of_alphas_shares_stay_even(monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore.gates import Dirichlet, Gate

    plain = Dirichlet.forward

    def detached(self: Dirichlet) -> Any:
        zero = sum(0 * a.sum() for a in self.parameters())
        return {n: Gate(g.options, g.weights.detach() + zero) for n, g in plain(self).items()}

    own = last_entropy()
    monkeypatch.setattr(Dirichlet, "forward", detached)
    assert own < last_entropy()
    told = judge({"equal": 0.0, "memory": 4.0, "largest": 1.0}, [searched(SMALL, 0)] * 4).found
    by = {c.key: c for c in TangleNas.claims}
    assert judged(by["beats_largest"], told["beats_largest"])["verdict"] != "reproduced"


def last_entropy() -> float:
    """Of the shares after two epochs."""
    from nascore.problem import search
    from nascore.strategies.tangle_nas import TangleNas as Strategy

    own = problem(0, 64)
    own.reseed("search")
    return until(search(Strategy(epochs=2, alpha_lr=0.2), own), "search", 2)[-1]["entropy"]


def test_the_likeliest_network_is_one_of_the_table() -> None:
    choices = problem(0, 64).space.choices()
    even = {c.name: [1 / 8] * 8 for c in choices}
    wide = {c.name: [0.01] * 7 + [0.93] for c in choices}
    assert min(likeliest(even)) >= 0
    assert sum(likeliest(wide)) >= sum(largest()) - 2
