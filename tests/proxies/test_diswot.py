from __future__ import annotations

import pytest
import torch

from nascore.chunk import fresh, one_batch
from nascore.evaluators.zero_cost import ZeroCost
from nascore.problem import Problem
from nascore.proxies.diswot import Diswot, dearest, relation, semantic
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

PROBLEM = Problem(Nasbench201(1, 8, 1, 2), Digits(), SgdCosine(), ZeroCost())
TEACHER = (3, 3, 3, 3, 3, 3)


def test_the_teacher_is_the_dearest_network_and_the_best_student_of_itself() -> None:
    torch.set_num_threads(1)
    assert dearest(PROBLEM) == TEACHER
    nets = [fresh(PROBLEM, a) for a in (TEACHER, (1, 2, 3, 0, 1, 2), (4, 4, 0, 1, 1, 1))]
    for part in ("both", "semantic", "relation"):
        scores = Diswot(part).score(nets, one_batch(PROBLEM, 16), PROBLEM)
        assert scores[0].item() == pytest.approx(0, abs=1e-12)
        assert (scores[1:] < 0).all()


def test_the_sum_is_the_sum_of_the_parts_and_both_follow_the_definition() -> None:
    batch, student = one_batch(PROBLEM, 16), fresh(PROBLEM, (1, 2, 3, 0, 1, 2))
    master = fresh(PROBLEM, TEACHER)
    both, meaning, related = (
        float(Diswot(part).score([student], batch, PROBLEM)) for part in ("both", "semantic", "relation")
    )
    assert both == pytest.approx(meaning + related)
    assert related == pytest.approx(
        -float((relation(student, batch) - relation(master, batch)).norm() ** 2) / 256
    )
    mine, theirs = (semantic(n, batch, PROBLEM) for n in (student, master))
    total = 0.0
    for a, b in zip(mine, theirs, strict=True):  # class by class, row by row
        for i in range(len(a)):
            row, other = a[i] * a, b[i] * b
            total += float(
                (row / row.norm().clamp(min=1e-12) - other / other.norm().clamp(min=1e-12)).square().sum()
            )
    assert meaning == pytest.approx(-total / mine.numel(), rel=1e-6)
