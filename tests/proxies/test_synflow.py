from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nascore.proxies.synflow import Synflow, synflow
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR, Batch


def test_two_linear_layers_by_hand() -> None:
    """With |W2| |W1| 1 = R, each layer's sum of w * dR/dw is R: the score of two layers is 2R."""
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, 0.5]]))
        net[2].weight.copy_(torch.tensor([[-1.0, 2.0]]))
    flow = 1 * (1 + 2) + 2 * (3 + 0.5)
    assert synflow(net, torch.zeros(1, 2)).item() == pytest.approx(2 * flow)
    batch = Batch(torch.zeros(1, 2), torch.zeros(1), torch.zeros(1))
    score = Synflow().score([net], batch, None)  # type: ignore[arg-type]
    assert score.item() == pytest.approx(math.log1p(2 * flow))


def test_batch_norm_does_not_count() -> None:
    conv = nn.Conv2d(1, 2, 1, bias=False)
    bare, normed = nn.Sequential(conv), nn.Sequential(conv, nn.BatchNorm2d(2))
    normed[1].running_var.fill_(100.0)
    x = torch.zeros(1, 1, 3, 3)
    assert synflow(bare, x) == synflow(normed, x)


class Halved(nn.Linear):
    """A layer that does more than its weight says."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Half of what the layer gives."""
        return super().forward(input) / 2


def test_a_layer_that_does_more_is_taken_as_it_computes() -> None:
    net = nn.Sequential(Halved(2, 3, bias=False), nn.Linear(3, 1, bias=False))
    x = torch.zeros(1, 2)
    score = Synflow().score([net], Batch(x, torch.zeros(1), torch.zeros(1)), None)  # type: ignore[arg-type]
    w, v = net[0].weight.detach().abs(), net[1].weight.detach().abs()
    assert score.item() == pytest.approx(math.log1p(2 * float((v @ w).sum()) / 2), rel=1e-6)


def test_the_official_size_stays_finite_and_weights_keep_their_signs() -> None:
    net = Nasbench201().build((3, 3, 3, 3, 3, 3), CIFAR)
    before = {n: t.clone() for n, t in net.state_dict().items()}
    score = Synflow().score([net], Batch(torch.zeros(1, 3, 32, 32), torch.zeros(1), torch.zeros(1)), None)  # type: ignore[arg-type]
    assert score.isfinite().all()
    assert all(torch.equal(before[n], t) for n, t in net.state_dict().items())
