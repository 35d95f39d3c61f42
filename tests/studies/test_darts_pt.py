"""DARTS-PT's study: its measures on made-up supernets, the whole at toy size, and what breaks its claims."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.studies import supernets
from nascore.studies.claim import judged
from nascore.studies.darts_pt import MAGNITUDE, PERTURBED, DartsPt, correlations, judge
from nascore.studies.study import run

torch.set_num_threads(1)
SMALL = DartsPt(seeds=2, epochs=2, tune=0, settle=0, images=64)
GOOD, SKIPS, START = [3, 3, 3, 3, 2, 3], [1, 1, 1, 1, 1, 3], [3, 1, 3, 2, 2, 3]


def strength(of: str, seed: int) -> dict[str, Any]:
    """Made-up strengths of five options on six edges, that one of both tells and the other not."""
    rng = np.random.default_rng(seed)
    real, noise = rng.random((6, 5)), rng.random((6, 5))
    told = {"alpha": noise, "missed": noise, of: real}
    return {"alone": (1 - real).tolist(), **{k: v.tolist() for k, v in told.items()}}


def row(magnitude: list[int], perturbed: list[int], of: str, seed: int) -> dict[str, Any]:
    own = {"largest": [START, magnitude], "chosen": perturbed, "strength": strength(of, seed)}
    return {"own": own, "blank": {"chosen": perturbed}}


def verdicts(magnitude: list[int], perturbed: list[int], of: str) -> dict[str, str]:
    found = judge([row(magnitude, perturbed, of, s) for s in range(4)]).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in DartsPt.claims}


def test_better_cells_and_what_is_missed_reproduce_the_paper() -> None:
    assert set(verdicts(SKIPS, GOOD, "missed").values()) == {"reproduced"}


def test_the_other_way_round_nothing_is_reproduced() -> None:
    assert set(verdicts(GOOD, SKIPS, "alpha").values()) == {"not reproduced"}


def test_correlations_are_one_where_the_order_is_the_same() -> None:
    told = strength("alpha", 0)
    assert correlations(told)[0] == pytest.approx(1)
    assert abs(correlations(told)[1]) < 0.9
    assert correlations({**told, "alone": (1 - np.array(told["alone"])).tolist()})[0] == pytest.approx(-1)


def test_what_is_said_of_cells_is_what_the_table_knows() -> None:
    best = int(np.nanargmax(supernets.cells.digits().values("test_accuracy")))
    arch = supernets.cells.digits().archs[best]
    assert supernets.rank([arch]) == [0]
    assert supernets.share([SKIPS], "skip_connect") == pytest.approx([5 / 6])
    assert supernets.of_random().mean() == pytest.approx(
        float(np.nanmean(supernets.cells.digits().values("test_accuracy"))), abs=0.3
    )


def test_the_study_runs_at_toy_size() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in DartsPt.claims]
    assert all(c["n"] == 2 for c in found["claims"])
    assert "strength" not in DartsPt(seeds=3, tried=2, epochs=2, tune=0, settle=0, images=64)._own(2)
    assert {MAGNITUDE, PERTURBED} < set(found["picture"]["names"])


def test_without_gradients_of_alphas_nothing_moves_to_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore.gates import Gate, Softmax

    plain = Softmax.forward

    def detached(self: Softmax) -> Any:
        return {n: Gate(g.options, g.weights.detach()) for n, g in plain(self).items()}

    own = SMALL._own(0)
    monkeypatch.setattr(Softmax, "forward", detached)
    broken = SMALL._own(0)
    assert broken["largest"][0] == broken["largest"][-1]
    assert own["values"]["entropy"][0] != own["values"]["entropy"][-1]
    assert broken["values"]["entropy"][0] == broken["values"]["entropy"][-1]
    rows = [{"own": broken, "blank": broken}] * 4
    skips = next(c for c in DartsPt.claims if c.key == "skips")
    assert judged(skips, judge(rows).found["skips"])["verdict"] != "reproduced"
