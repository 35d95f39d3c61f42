"""SD-DARTS's study: its measures on made-up searches, the whole at toy size, and what breaks its claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.studies.claim import judged
from nascore.studies.sd_darts import ARMS, OWN, PLAIN, SdDarts, at_equal_loss, judge
from nascore.studies.study import run

torch.set_num_threads(1)
SMALL = SdDarts(seeds=2, epochs=2, images=64, watch=16)
GOOD, POOR = [3, 3, 3, 3, 2, 3], [1, 1, 1, 1, 1, 3]


def told(sharp: float, seed: int, chosen: list[int], spread: float = 0.01) -> dict[str, Any]:
    """A made-up search of five epochs, as sharp in the end as is said; sharper epochs have larger gaps."""
    noise = 1 + spread * np.random.default_rng(seed).normal()
    curve = sharp * noise * np.linspace(0.2, 1, 5)
    values = {
        "sharpness": curve.tolist(),
        "gap_error": (curve / 5).tolist(),
        "alpha_eigenvalue": (3 * curve).tolist(),
        "watched_loss": np.linspace(2, 0.5, 5).tolist(),
        "supernet_error": [0.5, 0.5, 0.5, 0.5, 0.2 + curve[-1] * (-1) ** seed],
    }
    return {"values": values, "chosen": chosen}


def verdicts(own: float, plain: float, cells: tuple[list[int], list[int]]) -> dict[str, str]:
    rows = []
    for seed in range(4):
        row = {arm: told(plain, seed, cells[1]) for arm in ARMS}
        row |= {OWN: told(own, seed + 9, cells[0])}
        rows.append(row)
    found = judge(rows).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in SdDarts.claims}


def test_flatter_supernets_and_better_cells_reproduce_the_paper() -> None:
    found = verdicts(0.1, 0.3, (GOOD, POOR))
    assert set(found.values()) == {"reproduced"}


def test_sharper_supernets_and_worse_cells_do_not() -> None:
    found = verdicts(0.3, 0.1, (POOR, GOOD))
    assert found.pop("premise") == "reproduced"  # it is about plain searches
    assert set(found.values()) == {"not reproduced"}


def test_equally_far_is_where_each_first_reaches_the_loss_that_both_reach() -> None:
    far = {"watched_loss": [3.0, 1.0, 0.5, 0.2], "sharpness": [1.0, 2.0, 3.0, 4.0]}
    near = {"watched_loss": [3.0, 2.0, 0.6, 0.5], "sharpness": [5.0, 6.0, 7.0, 8.0]}
    assert at_equal_loss({PLAIN: {"values": far}, OWN: {"values": near}}) == (3.0, 8.0)


def test_the_study_runs_at_toy_size() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in SdDarts.claims]
    assert all(c["n"] == 2 for c in found["claims"])
    assert [s["name"] for s in found["picture"]["series"]] == list(ARMS)
    assert all(len(s["y"]) == 2 for s in found["picture"]["series"])


def test_without_gradients_of_alphas_there_is_no_curvature_to_lower(monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore.gates import Gate, Softmax

    plain = Softmax.forward

    def detached(self: Softmax) -> Any:
        return {n: Gate(g.options, g.weights.detach()) for n, g in plain(self).items()}

    monkeypatch.setattr(Softmax, "forward", detached)
    row = {arm: SMALL.searched(arm, 0) for arm in (PLAIN, OWN)}
    assert row[PLAIN]["chosen"] == row[OWN]["chosen"]
    rows = [{**dict.fromkeys(ARMS, row[PLAIN]), **row}] * 4
    found = judge(rows).found
    broken = {c.key: judged(c, found[c.key])["verdict"] for c in SdDarts.claims}
    assert "reproduced" not in {broken["eigenvalue"], broken["accuracy"]}
