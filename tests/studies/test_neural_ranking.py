"""Neural ranking's study: verdicts of made-up ranks, documents that are shuffled, the whole at toy size."""

from __future__ import annotations

import numpy as np
import torch

from nascore.studies.claim import judged
from nascore.studies.neural_ranking import BM25, FORMS, LOSSES, WITH, NeuralRanking
from nascore.studies.study import run

torch.set_num_threads(1)
RNG = np.random.default_rng(0)


def said(gain: float) -> dict[str, str]:
    """Verdicts where interaction, hybrids, BM25's score and losses gain so much."""
    level = {"representation": 0.4, "histogram": 0.4 + gain, "kernels": 0.4 + gain}
    level["hybrid"] = max(level.values()) + gain
    level |= {n + WITH: 0.5 + gain for n in FORMS}
    told = {
        n: {
            "mrr": RNG.normal(v, 0.002, 6),
            "ndcg_10": RNG.normal(v, 0.002, 6),
            "validation_mrr": RNG.normal(v, 0.002, 6),
            "seconds": np.full(6, 1.0 + gain * (n == "kernels")) + RNG.normal(0, 0.001, 6),
        }
        for n, v in level.items()
    }
    losses = {n: RNG.normal(0.6 + gain * (n != "mse"), 0.002, 6) for n in LOSSES}
    found = NeuralRanking().judge(told, {"mrr": 0.5, "ndcg_10": 0.6}, losses).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in NeuralRanking.claims}


def test_what_gains_reproduces_and_what_loses_does_not() -> None:
    assert set(said(0.1).values()) == {"reproduced"}
    assert set(said(-0.1).values()) == {"not reproduced"}


def test_documents_that_are_shuffled_teach_no_order() -> None:
    study = NeuralRanking(queries=400, epochs=6)
    true, wrong = (study.trained("histogram", 0, shuffled)["mrr"] for shuffled in (False, True))
    assert true > wrong + 0.02


def test_the_study_runs_at_toy_size() -> None:
    found = run(NeuralRanking(seeds=2, queries=32, epochs=1, pairs=20))
    assert [c["key"] for c in found["claims"]] == [c.key for c in NeuralRanking.claims]
    assert set(found["picture"]["names"]) == {BM25, *FORMS, *(n + WITH for n in FORMS)}
    assert all(0 < v < 1 for v in found["picture"]["values"])
