from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from nascore.proxies.grad_norm import GradNorm
from nascore.task import Batch
from nascore.tasks.images import Digits

PROBLEM = SimpleNamespace(task=Digits())


def test_one_linear_layer_by_hand() -> None:
    """The gradient of the mean cross entropy of a linear layer is (softmax - onehot)' x / n."""
    torch.manual_seed(0)
    net, x, y = nn.Linear(4, 3), torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0])
    p = net(x).softmax(1).detach()
    expected = ((p - torch.eye(3)[y]).T @ x / 5).norm().item()
    score = GradNorm().score([net], Batch(x, y, torch.arange(5)), PROBLEM)  # type: ignore[arg-type]
    assert score.item() == pytest.approx(expected, rel=1e-5)


def test_norms_of_layers_are_added_not_squared_together() -> None:
    torch.manual_seed(0)
    net, x, y = (
        nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3)),
        torch.randn(5, 4),
        torch.tensor([0, 1, 2, 1, 0]),
    )
    nn.functional.cross_entropy(net(x), y).backward()
    expected = sum(layer.weight.grad.norm().item() for layer in net)
    score = GradNorm().score([net], Batch(x, y, torch.arange(5)), PROBLEM)  # type: ignore[arg-type]
    assert score.item() == pytest.approx(expected, rel=1e-5)


def test_the_network_keeps_gradients_and_statistics() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    GradNorm().score([net], Batch(torch.randn(5, 4), torch.tensor([0, 1, 2, 1, 0]), torch.arange(5)), PROBLEM)  # type: ignore[arg-type]
    assert net[0].weight.grad is None
    assert net[1].running_mean.abs().sum() == 0
