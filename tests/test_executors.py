from __future__ import annotations

import pytest
import torch

from nascore.evaluators.trained import Trained
from nascore.events import Tried
from nascore.executors import Inline, Pool
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

ARCHS = [(3, 3, 3, 3, 3, 3), (2, 0, 1, 0, 2, 1), (3, 2, 1, 4, 3, 2), (4, 4, 4, 4, 4, 4)]


def judged(executor: Inline | Pool) -> list[Tried]:
    task = Digits(train_images=64)
    p = Problem(Nasbench201(1, 8, 1, 2), task, SgdCosine(epochs=2, batch=32), Trained(), executor=executor)
    return [e for e in p.evaluate(ARCHS) if isinstance(e, Tried)]


@pytest.mark.slow
def test_a_pool_of_processes_gives_the_same_answers() -> None:
    torch.set_num_threads(1)
    here, there = judged(Inline()), judged(Pool(2))
    assert [t.arch for t in here] == [t.arch for t in there] == ARCHS
    assert [t.curve for t in here] == [t.curve for t in there]
    assert [t.metrics["test_error"] for t in here] == [t.metrics["test_error"] for t in there]
