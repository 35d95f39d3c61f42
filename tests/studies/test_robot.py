"""RoBoT's study: verdicts of made-up accuracies, ranks and cosines by hand, and scores that are shuffled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nascore.studies.claim import judged
from nascore.studies.robot import OWN, SCORES, TASKS, WAYS, Known, Robot, alike, worse
from nascore.studies.study import run

RNG = np.random.default_rng(0)
TINY = Robot(seeds=2, budget=6, draws=20, resamples=10)
OTHERS = ("RoBoT without the ranking", "random search", "regularized evolution", *SCORES)


def said(own: float, rank: float) -> dict[str, str]:
    """Verdicts where RoBoT has this accuracy and worst rank, and all others 93 % and 3 %."""
    level = {**dict.fromkeys((*WAYS, *OTHERS), 93.0), OWN: own}
    accuracies = {n: RNG.normal(v, 0.1, 8) for n, v in level.items()}
    ranks = {n: RNG.gamma(50, (rank if n == OWN else 3.0) / 50, (4, 8)) for n in (OWN, *SCORES)}
    found = Robot(resamples=100).judge(accuracies, ranks, RNG.normal(size=(4, 8, 5))).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in Robot.claims}


def test_a_better_cell_reproduces_and_a_worse_one_does_not() -> None:
    assert set(said(94.5, 0.5).values()) == {"reproduced"}
    assert set(said(91.5, 9).values()) == {"not reproduced"}


def test_ratios_and_cosines_are_those_worked_by_hand() -> None:
    assert worse(np.array([[1.0, 2.0], [3.0, 2.0]]), np.array([[4.0, 9.0], [8.0, 1.0]])) == 3.0
    weights = np.array([[[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [0.0, 2.0]]])
    assert alike(weights) == (1.0, 0.0)


def test_a_taken_cell_is_chosen_by_what_a_search_sees_and_told_by_the_test() -> None:
    known = Known.of("digits")
    rows = [5, 700, 9000]
    best = max(rows, key=lambda r: known.merit[r])
    assert known.taken(rows) == known.table.values("test_accuracy")[best]
    assert known.rank([int(np.nanargmax(known.merit))]) == 0


def test_scores_without_sense_do_not_help() -> None:
    known = Known.of("digits")
    broken = replace(known, table=known.table)
    study = Robot(seeds=2, budget=10, draws=50)
    shuffled = np.random.default_rng(1).permutation(known.columns(SCORES))
    object.__setattr__(broken, "columns", lambda scores: shuffled)
    true, wrong = (
        np.mean([known.taken(study.robot(k, OWN, s)["rows"]) for s in range(3)]) for k in (known, broken)
    )
    assert true > wrong + 0.5


def test_the_study_runs_at_toy_size() -> None:
    found = run(TINY)
    assert [c["key"] for c in found["claims"]] == [c.key for c in Robot.claims]
    assert {*WAYS, *OTHERS} == set(found["picture"]["names"])
    assert all(50 < v < 100 for v in found["picture"]["values"])


@pytest.mark.parametrize("task", TASKS)
def test_every_task_can_be_searched(task: str) -> None:
    known = Known.of(task)
    one = TINY.robot(known, OWN, 0)
    assert len(set(one["rows"])) == TINY.budget
    assert 1 <= one["learned"] <= TINY.budget
    assert len(one["weights"]) == len(SCORES)
    assert np.isfinite(known.merit[one["rows"]]).all()
