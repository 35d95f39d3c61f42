from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nascore.proxies.zen import STEP, zen


def test_a_convolution_with_batch_norm_scores_as_computed_by_hand() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    like = torch.zeros(8, 1, 3, 3)
    draws = torch.Generator().manual_seed(0)
    w = torch.randn(2, 1, 1, 1, generator=draws)
    x, nudge = (torch.randn(like.shape, generator=draws) for _ in range(2))

    def through(z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = z * w.view(1, 2, 1, 1)
        mean = y.mean((0, 2, 3), keepdim=True)
        var = y.var((0, 2, 3), unbiased=False, keepdim=True)
        return (y - mean) / (var + 1e-5).sqrt(), y.var((0, 2, 3), unbiased=True)

    (at, var), (moved, _) = through(x), through(x + STEP * nudge)
    by_hand = math.log((moved - at).abs().flatten(1).sum(1).mean()) + 0.5 * math.log(var.mean())
    assert float(zen(net, like, 1)) == pytest.approx(by_hand, rel=1e-4)


def test_the_scale_of_a_weight_does_not_count_for_it_is_drawn_anew() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Flatten())
    before = float(zen(net, torch.zeros(4, 1, 3, 3), 2))
    with torch.no_grad():
        net[0].weight.mul_(100)
    assert float(zen(net, torch.zeros(4, 1, 3, 3), 2)) == before
