"""A network lent to a proxy comes back as it was."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nascore.proxies.borrow import borrowed, patched, walk


def shared() -> Any:
    """One layer at two places, a norm, a part that is not there."""
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, nn.Sequential(nn.BatchNorm1d(3), layer), nn.Dropout())
    net[2].register_module("nothing", None)
    return net


def test_the_walk_is_that_of_named_modules() -> None:
    net = shared()
    assert walk(net) == list(net.named_modules())


def test_modes_and_statistics_come_back() -> None:
    net = shared().eval()
    net[2].train()
    with borrowed(net):
        assert all(m.training for m in net.modules())
        net(torch.randn(4, 3))
    assert [m.training for m in net.modules()] == [False, False, False, False, True]
    assert net[1][0].track_running_stats
    assert float(net[1][0].running_mean.abs().sum()) == 0


def test_the_first_kind_that_fits_gives_the_forward_and_takes_it_back() -> None:
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    x = torch.tensor([-2.0, 2.0])
    with patched(net, {nn.ReLU: lambda _: lambda v: v, nn.Module: lambda m: m.forward}):
        assert torch.equal(net(x), x.tanh())
    assert torch.equal(net(x), x.relu().tanh())
    assert "forward" not in vars(net[0])
