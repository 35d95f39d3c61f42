"""The shared layers of networks, and the one way in which weights start."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from nascore.cost import OPS


class Zero(nn.Module):
    """Gives zeros of its input's shape."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> zeros of the same shape."""
        return torch.zeros_like(x)


class ReluConvBn(nn.Module):
    """ReLU, a convolution without bias that keeps the map (at stride 1), batch norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        return self.bn(self.conv(x.relu()))


class Reduction(nn.Module):
    """NAS-Bench-201's residual block of stride 2; its shortcut pools and has a 1x1 convolution without norm.

    Maps of odd size are pooled with their rest, so that both ways agree.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = ReluConvBn(inputs, outputs, 3, 2)
        self.second = ReluConvBn(outputs, outputs, 3)
        self.pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / 2), ceil(w / 2))."""
        return self.shortcut(self.pool(x)) + self.second(self.first(x))


class Stem(nn.Module):
    """A 3x3 convolution without bias, and batch norm."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        return self.bn(self.conv(x))


class Head(nn.Module):
    """Batch norm, ReLU, the mean over the map, a linear layer."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.linear = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes)."""
        return self.linear(self.bn(x).relu().mean((2, 3)))


def operation(name: str, channels: int) -> nn.Module:
    """One of `cost.OPS` on maps of `channels` channels; the map keeps its size."""
    match OPS[name].kind:
        case "zero":
            return Zero()
        case "identity":
            return nn.Identity()
        case "linear":
            return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        case _:
            return ReluConvBn(channels, channels, OPS[name].kernel)


@torch.no_grad()
def init_weights(net: nn.Module, generator: torch.Generator | None = None) -> nn.Module:
    """Sets every weight of a network, in the order of its modules, and returns it.

    Convolutions are normal with variance 2 / fan-in (He et al., 2015), linear layers normal with variance 1 /
    fan-in, biases zero, batch norms at one and zero with cleared statistics. Numbers are drawn on the CPU in
    float32, so that a network starts alike on every device.

    Args:
        net: changed in place.
        generator: a CPU generator; None draws from torch's global one.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            gain = 2.0 if isinstance(module, nn.Conv2d) else 1.0
            drawn = torch.randn(module.weight.shape, generator=generator)
            module.weight.copy_(drawn * math.sqrt(gain / module.weight[0].numel()))
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return net
