from __future__ import annotations

import math

import pytest
import torch

from nascore.recipes.sgd_cosine import SgdCosine


def test_the_rate_is_half_a_cosine() -> None:
    recipe = SgdCosine(lr=0.2)
    assert recipe.rate(0, 100) == 0.2
    assert recipe.rate(50, 100) == pytest.approx(0.1)
    assert recipe.rate(25, 100) == pytest.approx(0.1 * (1 + math.sqrt(0.5)))
    assert recipe.rate(100, 100) == pytest.approx(0.0)
    assert recipe.rate(101, 100) == pytest.approx(0.0)


def test_a_step_is_nesterov_momentum_with_decay_by_hand() -> None:
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    optimizer = SgdCosine(lr=0.1, momentum=0.5, nesterov=True, decay=0.1).optimizer([weight])
    for gradient in (1.0, 3.0):
        weight.grad = torch.tensor([gradient])
        optimizer.step()
    g1 = 1.0 + 0.1 * 2.0
    w1 = 2.0 - 0.1 * (g1 + 0.5 * g1)
    g2 = 3.0 + 0.1 * w1
    v2 = 0.5 * g1 + g2
    assert weight.item() == pytest.approx(w1 - 0.1 * (g2 + 0.5 * v2))


def test_without_momentum_nesterov_is_left_out() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    assert not SgdCosine(momentum=0.0).optimizer([weight]).defaults["nesterov"]
