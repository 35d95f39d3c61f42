"""A network lent to a proxy comes back as it was."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from torch import nn

from nascore.proxies.borrow import borrowed, by_pixel, patched, product
from nascore.walk import walk


def shared() -> Any:
    """One layer at two places, a norm, a part that is not there."""
    layer = nn.Linear(3, 3)
    net = nn.Sequential(layer, nn.Sequential(nn.BatchNorm1d(3), layer), nn.Dropout())
    net[2].register_module("nothing", None)
    return net


def test_the_walk_is_that_of_named_modules() -> None:
    net = shared()
    assert walk(net) == list(net.named_modules())


def test_a_walk_keeps_no_network_alive() -> None:
    """Without the collector's help: until it came, every network that was looked at would stay in memory."""
    net = shared()
    watched = weakref.ref(net[0])
    gc.disable()
    try:
        walk(net)
        del net
        assert watched() is None
    finally:
        gc.enable()


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


class Halved(nn.Conv2d):
    """A convolution that does more, at the place where those of a quantized network round."""

    def _conv_forward(
        self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """Half of what the layer gives."""
        return super()._conv_forward(input, weight, bias) / 2


@pytest.mark.parametrize("bias", [False, True])
def test_a_1x1_convolution_is_a_product_of_pixels_and_weight(bias: bool) -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 1, bias=bias))
    x = by_pixel(torch.randn(4, 3, 6, 7)).requires_grad_()
    with patched(net, {nn.Conv2d: product}):
        made = net(x)
    usual = net(x)
    assert made.stride() == usual.stride()
    torch.testing.assert_close(made, usual)
    pull = torch.randn_like(made)
    asked = [x, *net.parameters()]
    torch.testing.assert_close(
        torch.autograd.grad(made, asked, pull), torch.autograd.grad(usual, asked, pull)
    )


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(4, 4, 3),
        nn.Conv2d(4, 4, 1, stride=2),
        nn.Conv2d(4, 4, 1, padding=1),
        nn.Conv2d(4, 4, 1, groups=2),
        Halved(4, 4, 1),
    ],
)
def test_any_other_layer_is_left_as_it_is(layer: nn.Module) -> None:
    assert product(layer) is None
    net = nn.Sequential(layer)
    with patched(net, {nn.Conv2d: product}):
        assert "forward" not in vars(layer)
