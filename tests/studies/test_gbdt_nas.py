"""GBDT-NAS's study: ratios of made-up queries, the exact mean of random search, and the whole at toy size."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.studies.claim import judged
from nascore.studies.gbdt_nas import EVOLUTION, OWN, RANDOM, RELEASED, GbdtNas, random_queries
from nascore.studies.study import run

RNG = np.random.default_rng(0)


def said(own: float) -> dict[str, str]:
    """Verdicts where the method takes so many queries on average, and evolution takes 400."""
    queries = {
        OWN: RNG.gamma(4, own / 4, 16),
        RELEASED: RNG.gamma(4, own / 4, 16),
        EVOLUTION: RNG.gamma(4, 100, 16),
        RANDOM: np.full(16, 7813.0),
    }
    found = GbdtNas(resamples=200).judge(queries, RNG.normal(0.02, 0.01, 8)).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in GbdtNas.claims}


def test_fewer_queries_reproduce_the_paper_and_as_many_do_not() -> None:
    assert set(said(60).values()) == {"reproduced"}
    found = said(400)
    assert found["evolution"] == "unclear"
    assert found["random"] == "reproduced"
    assert said(2000)["evolution"] == "not reproduced"


def test_random_search_takes_on_average_what_is_said() -> None:
    first = [RNG.choice(50, 3, replace=False).min() + 1 for _ in range(5000)]
    assert random_queries(50, 3) == pytest.approx(np.mean(first), rel=0.03)


def test_the_study_runs_at_toy_size() -> None:
    found = run(GbdtNas(seeds=2, most=60, pairs=20, resamples=10))
    assert [c["key"] for c in found["claims"]] == [c.key for c in GbdtNas.claims]
    assert set(found["picture"]["names"]) == {OWN, RELEASED, EVOLUTION, RANDOM}
    values = dict(zip(found["picture"]["names"], found["picture"]["values"], strict=True))
    assert values[RANDOM] == pytest.approx(15626 / 2)
