"""ParZC's study: verdicts of made-up taus, sums that are the scores, and labels that teach nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore import stats
from nascore.studies import cells
from nascore.studies.claim import judged
from nascore.studies.parzc import OWN, PLAIN, PROXIES, SIZE, SUMS, TREES, VARIANTS, Parzc, summed
from nascore.studies.study import run

torch.set_num_threads(1)
RNG = np.random.default_rng(0)
TINY = Parzc(seeds=2, cells=60, sizes=(12, 24), steps=10)


def said(own: float) -> dict[str, str]:
    """Verdicts where ParZC has this tau and all others 0.5, over 8 splits."""
    names = (OWN, PLAIN, SIZE, SUMS, TREES, "line on the operations", *PROXIES, *VARIANTS)
    level = {n: own if n == OWN else 0.5 for n in names}
    taus = {f"{n} @ {s}": RNG.normal(level[n], 0.02, 8) for n in names for s in TINY.sizes}
    found = TINY.judge({**taus, "uneven": RNG.normal(own - 0.5, 0.02, 8)}).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in Parzc.claims}


def test_a_better_ranking_reproduces_and_a_worse_one_does_not() -> None:
    assert set(said(0.7).values()) == {"reproduced"}
    assert set(said(0.3).values()) == {"not reproduced"}


def test_the_sums_are_the_scores() -> None:
    from nascore.predictors.parzc import RELEASED

    table = cells.digits()
    rows = cells.some(table, 12)
    archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
    problem = cells.problem_of(table)
    scores = cells.scored(table, rows, {type(p).__name__: p for p in RELEASED}, 0)
    for name, values in summed(problem, archs).items():
        assert stats.spearman(values, scores[name]) == pytest.approx(1, abs=0.02), name


def test_shuffled_accuracies_teach_no_order() -> None:
    table = cells.digits()
    rows = cells.some(table, 60)
    archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
    problem, known = cells.problem_of(table), table.values("val_accuracy")[rows]
    sums = {n: np.array(v) for n, v in summed(problem, archs).items()} | {SIZE: table.values("params")[rows]}
    study = Parzc(seeds=2, cells=60, sizes=(30,), steps=40)
    true, broken = (
        np.mean([study.split(problem, archs, y, known, sums, s)[f"{OWN} @ 30"] for s in range(3)])
        for y in (known, RNG.permutation(known))
    )
    assert true > 0.4
    assert abs(broken) < 0.3


def test_the_study_runs_at_toy_size() -> None:
    found = run(TINY)
    assert [c["key"] for c in found["claims"]] == [c.key for c in Parzc.claims]
    assert {OWN, SIZE, PLAIN, *PROXIES, *VARIANTS} <= set(found["picture"]["names"])
    assert all(-1 <= v <= 1 for v in found["picture"]["values"])
