from __future__ import annotations

import pytest
import torch
from torch import nn

from nascore.proxies.look import look
from nascore.proxies.naswot import Naswot, agreement, log_determinant
from nascore.task import Batch


class Both(nn.Module):
    """Two ReLUs, one a module and one a method."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.relu, self.second = nn.Linear(5, 40), nn.ReLU(), nn.Linear(40, 30)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.relu(self.first(x))).relu()


def test_agreement_is_counted_unit_by_unit() -> None:
    torch.manual_seed(0)
    net, x = Both(), torch.randn(6, 5)
    hidden = net.first(x).relu()
    codes = torch.cat([hidden > 0, net(x) > 0], 1)
    expected = [[sum(int(a == b) for a, b in zip(p, q, strict=True)) for q in codes] for p in codes]
    codes = look(net, Batch(x, x[:, 0], torch.arange(6)), None, ("codes",)).codes  # type: ignore[arg-type]
    assert agreement(codes).tolist() == expected


def test_a_relu_before_any_weight_counts_too() -> None:
    x = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    seen = look(nn.Sequential(nn.ReLU(), nn.Linear(2, 3)), Batch(x, x, x), None, ("codes",))  # type: ignore[arg-type]
    assert [c.tolist() for c in seen.codes] == [[[1.0, 0.0], [0.0, 1.0]]]


def test_the_score_is_the_log_determinant() -> None:
    k = torch.tensor([[4.0, 1.0], [1.0, 3.0]], dtype=torch.float64)
    assert log_determinant(k).item() == pytest.approx(torch.tensor(11.0).log().item())


def test_images_that_cannot_be_told_apart_give_the_lowest_score() -> None:
    batch = Batch(torch.ones(3, 5), torch.zeros(3), torch.arange(3))
    assert Naswot().score([Both()], batch, None).item() <= -30  # type: ignore[arg-type]


def test_the_network_is_unchanged() -> None:
    net = nn.Sequential(nn.BatchNorm1d(5), nn.ReLU()).eval()
    Naswot().score([net], Batch(torch.randn(4, 5), torch.zeros(4), torch.arange(4)), None)  # type: ignore[arg-type]
    assert net[0].running_mean.abs().sum() == 0
    assert not net.training
