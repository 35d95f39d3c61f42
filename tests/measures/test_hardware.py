from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.evaluators.trained import Trained
from nascore.measures.hardware import FEWEST, REFERENCES, Hardware, alike
from nascore.problem import Memo, Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits


def problem(memo: Memo | None = None) -> Problem:
    return Problem(Nasbench201(2, 16, 2, 1), Digits(), SgdCosine(), Trained(), memo=memo or Memo())


def test_params_and_flops_are_the_official_ones() -> None:
    from nascore.task import CIFAR

    class Cifar(Digits):
        shape = CIFAR

    p = Problem(Nasbench201(), Cifar(), SgdCosine(), Trained())
    arch = p.space.read(
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert arch is not None
    assert Hardware().params([arch], p).tolist() == [129306]
    assert Hardware().flops([arch], p).tolist() == [15647370]


def test_a_network_of_many_layers_takes_longer_than_an_empty_one() -> None:
    empty, full = Hardware().latency([(0,) * 6, (3,) * 6], problem())
    assert 0 < empty.latency_ms < full.latency_ms
    assert full.spread_ms >= 0
    assert (full.threads, full.batch) == (1, 8)
    assert FEWEST <= full.rounds <= 36


def test_numbers_are_rescaled_by_the_references_of_the_first_campaign() -> None:
    hardware, p = Hardware(), problem()
    times = np.ones((4, REFERENCES + 2, 2)) * 0.002
    times[:, -1] = 0.004
    first = hardware._read(times, p)
    later = hardware._read(times * 3, p)  # the machine has become three times slower
    assert [f.latency_ms for f in first] == pytest.approx([2.0, 4.0])
    assert [f.latency_ms for f in later] == pytest.approx([2.0, 4.0])
    assert [f.wall_ms for f in later] == pytest.approx([6.0, 12.0])


def test_odd_and_even_rounds_are_compared_by_rank() -> None:
    same = np.tile([1.0, 2.0, 3.0], (6, 1))
    turned = same.copy()
    turned[1::2] = [3.0, 2.0, 1.0]
    assert alike(same) == pytest.approx(1.0)
    assert alike(turned) == pytest.approx(-1.0)
    assert alike(np.ones((4, 3))) == 0.0


def test_the_number_of_threads_is_put_back() -> None:
    before = torch.get_num_threads()
    Hardware(rounds=2).latency([(0,) * 6], problem())
    assert torch.get_num_threads() == before
