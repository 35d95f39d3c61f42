"""sharpDARTS's study: exact claims and what breaks them, made-up searches, and the whole at toy size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.gates import Gate, MaxW, Softmax
from nascore.recipes import tunable
from nascore.studies.claim import judged
from nascore.studies.sharp_darts import SharpDarts, judge, off_ends, off_leader, share_lower
from nascore.studies.study import run
from nascore.together import Together

torch.set_num_threads(1)
SMALL = SharpDarts(seeds=2, epochs=2, train=1, images=48, last=8)


def test_rates_keep_their_ends_and_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert off_ends() < 1e-12
    assert share_lower() == 1
    monkeypatch.setattr(tunable, "cosine_power", lambda power, t: 0.9 - 0.8 * t)
    assert off_ends() > 1e-3
    assert share_lower() == 0


def test_the_leaders_weight_is_one_in_max_w_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert off_leader(3) < 1e-6
    monkeypatch.setattr(MaxW, "forward", Softmax.forward)
    assert off_leader(3) > 0.05


def row(seed: int, own: float, plain: float, hand: float, entropy: tuple[float, float]) -> dict[str, Any]:
    noise = 0.1 * np.random.default_rng(seed).normal(size=5)

    def told(accuracy: float, last: float) -> dict[str, Any]:
        values = {"entropy": [1.0, last], "supernet_error": [0.5, 0.1]}
        return {"accuracy": accuracy, "values": values, "entropy": last}

    return {
        "annealed": [90 + noise[0], 91 + noise[1], 90],
        "max_w": told(own + noise[2], entropy[0]),
        "scalar": told(plain + noise[3], entropy[1]),
        "hand": hand + noise[4],
    }


def verdicts(*made: Any) -> dict[str, str]:
    found = judge([row(seed, *made) for seed in range(4)]).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in SharpDarts.claims}


def test_what_is_better_as_the_paper_says_is_reproduced() -> None:
    assert set(verdicts(95, 91, 93, (0.99, 0.9)).values()) == {"reproduced"}


def test_what_is_the_other_way_round_is_not() -> None:
    found = verdicts(91, 95, 93, (0.9, 0.99))
    assert {found[k] for k in ("entropy", "path", "hand", "beats_hand")} == {"not reproduced"}


def test_the_study_runs_at_toy_size() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in SharpDarts.claims]
    assert found["claims"][5]["n"] == 2
    assert [len(s["y"]) for s in found["picture"]["series"]] == [2, 2]


def test_without_gradients_of_alphas_max_w_keeps_nothing_closer(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Together.forward

    def detached(self: Together) -> Any:
        return {n: Gate(g.options, g.weights.detach()) for n, g in plain(self).items()}

    monkeypatch.setattr(Together, "forward", detached)
    both = {way: SMALL.searched(way, 0) for way in ("max_w", "scalar")}
    assert both["max_w"]["chosen"] == both["scalar"]["chosen"]
    rows = [{**row(0, 95, 91, 93, (1, 1)), **both}] * 4
    found = judge(rows).found
    said = {c.key: judged(c, found[c.key])["verdict"] for c in SharpDarts.claims}
    assert "reproduced" not in {said["entropy"], said["path"]}
