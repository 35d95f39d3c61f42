"""DisWOT's study: who wins on made-up accuracies, what a taught batch is, and the whole at toy size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.studies import cells
from nascore.studies.claim import judged
from nascore.studies.diswot import Diswot, Taught, behind
from nascore.studies.study import run
from nascore.task import Batch, Shape

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(90, 2, (40, 1)) + 0.1 * RNG.normal(size=(40, 4))


def said(vanilla: np.ndarray, score: np.ndarray) -> dict[str, str]:
    columns = {"vanilla": vanilla, "distilled": TRUTH, "score": score}
    found = Diswot(resamples=100).judge(columns, np.full(4, 500.0), RNG.normal(size=40)).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in Diswot.claims}


def test_another_winner_and_a_good_score_reproduce_the_paper() -> None:
    other = -TRUTH
    assert said(other, TRUTH + RNG.normal(size=TRUTH.shape)) == {
        "winner": "reproduced", "correlation": "reproduced", "acceleration": "reproduced",
    }  # fmt: skip


def test_the_same_winner_and_shuffled_scores_do_not() -> None:
    found = said(TRUTH, RNG.permutation(TRUTH))
    assert found["winner"] != "reproduced"
    assert found["correlation"] != "reproduced"


def test_a_winner_by_luck_gains_nothing() -> None:
    noise = RNG.normal(size=(300, 2, 40, 4))
    honest = np.mean([behind(alone, taught).mean() for alone, taught in noise])
    means = noise.mean(3)
    lucky = np.mean([t.max() - t[a.argmax()] for a, t in means])
    assert abs(honest) < 0.3
    assert lucky > 0.8  # what a winner's own seeds would say


def test_a_taught_batch_is_half_label_and_half_teacher() -> None:
    recipe = Taught(said=torch.tensor([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0]]))
    batch = Batch(torch.zeros(2, 1), torch.tensor([1, 0]), torch.tensor([1, 2]))
    y = recipe.teach(batch, Shape((), ())).y
    assert isinstance(y, torch.Tensor)
    assert y.tolist() == [[pytest.approx(0.1), pytest.approx(0.9)], [1.0, 0.0]]


def test_the_study_runs_at_toy_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "some", lambda table, n: np.array([100, 9000, 12000]))
    found = run(Diswot(seeds=2, epochs=1, resamples=10))
    claims = {c["key"]: c for c in found["claims"]}
    assert claims["acceleration"]["measured"] > 0
    assert claims["correlation"]["n"] == 3
    assert len(found["picture"]["xs"]) == 3
