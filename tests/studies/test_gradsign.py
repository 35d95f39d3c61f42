"""GradSign's study: its measures on made-up scores, and the whole of it at toy size."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.measures.ranking import Floats
from nascore.studies import cells
from nascore.studies.claim import Document, judged
from nascore.studies.gradsign import RIVALS, Gradsign, agreement, assisted, queries
from nascore.studies.study import run

N = 80
RNG = np.random.default_rng(0)
TRUTH = RNG.normal(90, 2, N)


COUNTS = np.array([[100 + i, 300 - i] for i in range(20)])  # with help, and alone


def scores(own_noise: float) -> dict[str, Floats]:
    """(cells, starts) of a score as good as its noise is small, and of rivals of noise 3."""
    made = {"gradsign": TRUTH[:, None] + own_noise * RNG.normal(size=(N, 2))}
    return made | {name: TRUTH[:, None] + 3 * RNG.normal(size=(N, 2)) for name in RIVALS}


def said(own: dict[str, Floats]) -> dict[str, Document]:
    study = Gradsign(resamples=40, draws=200)
    results = study.judge(own, TRUTH, RNG.normal(size=N), COUNTS)
    return {c.key: judged(c, results.found[c.key]) for c in study.claims}


def test_a_score_that_ranks_better_is_said_to() -> None:
    found = said(scores(0.5))
    assert all(found[r]["verdict"] == "reproduced" for r in RIVALS)
    assert found["search"]["verdict"] == "reproduced"
    assert found["evolution"]["verdict"] == "reproduced"
    assert found["evolution"]["measured"] == pytest.approx(181)


def test_shuffled_scores_make_the_claims_fail() -> None:
    broken = scores(0.5)
    broken["gradsign"] = RNG.permutation(broken["gradsign"])
    found = said(broken)
    assert all(found[r]["verdict"] == "not reproduced" for r in RIVALS)
    assert found["search"]["verdict"] != "reproduced"


def test_signs_agree_as_often_as_the_formula_says() -> None:
    found = agreement(2000, seed=3)
    assert found.low < 0.01
    assert found.high > -0.01
    assert found.high - found.low < 0.05


def test_drawing_ten_for_each_evaluation_gains_what_a_simulation_says() -> None:
    rng, score = np.random.default_rng(1), TRUTH + RNG.normal(0, 2, N)
    drawn = rng.integers(0, N, (20_000, 20, 10))
    picked = np.take_along_axis(drawn, score[drawn].argmax(2)[..., None], 2)[..., 0]
    gain = TRUTH[picked].max(1).mean() - TRUTH[drawn[:, :, 0]].max(1).mean()
    assert assisted(TRUTH, score) == pytest.approx(gain, abs=0.02)
    assert assisted(TRUTH, -TRUTH) < 0 < assisted(TRUTH, TRUTH)


def test_help_by_scores_turned_around_costs_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    table = cells.digits()
    plain = table.values
    helped = np.array([queries(table, s, 300) for s in range(2)])
    turned = {"gradsign": -plain("gradsign")}
    monkeypatch.setattr(type(table), "values", lambda _, name: turned.get(name, plain(name)))
    broken = np.array([queries(table, s, 300) for s in range(2)])
    assert helped[:, 0].mean() < helped[:, 1].mean()
    assert broken[:, 0].mean() > helped[:, 0].mean()
    assert (broken[:, 1] == helped[:, 1]).all(), "alone it does not look at scores"


def test_the_study_runs_at_toy_size() -> None:
    found = run(Gradsign(cells=3, seeds=1, draws=50, resamples=20, searches=2, most=60))
    assert [c["key"] for c in found["claims"]] == [*RIVALS, "signs", "search", "evolution"]
    assert found["claims"][-1]["n"] == 2
    assert found["claims"][0]["n"] == 3
    assert found["picture"]["kind"] == "whiskers"
    assert set(found["picture"]["names"]) == {"gradsign", "params", *RIVALS}
