"""The shared layers of networks, and the one way in which weights start."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from nascore.cost import OPS, Op
from nascore.walk import walk


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


class Separable(nn.Module):
    """ReLU, a depthwise and a 1x1 convolution, batch norm, `times` in a row.

    Twice and undilated is the separable convolution of NASNet and DARTS, once and dilated their dilated one.
    Twice, dilated or with `middle` channels is SharpSepConv (sharpDARTS; Hundt et al., 2019).

    Args:
        channels: that come in and go out.
        kernel: of the depthwise convolutions.
        stride: of the first one.
        dilation: of the first one.
        times: rounds.
        middle: channels between two rounds; 0 for as many as at the ends.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        times: int = 2,
        *,
        middle: int = 0,
    ) -> None:
        super().__init__()
        widths = (channels, *[middle or channels] * (times - 1), channels)
        firsts = ((stride, dilation), *[(1, 1)] * (times - 1))
        self.rounds = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, a, kernel, s, d * (kernel // 2), d, groups=a, bias=False),
                nn.Conv2d(a, b, 1, bias=False),
                nn.BatchNorm2d(b),
            )
            for (s, d), (a, b) in zip(firsts, itertools.pairwise(widths), strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, ceil(h / stride), ceil(w / stride))."""
        for layers in self.rounds:
            x = layers(x.relu())
        return x


class RowConv(nn.Module):
    """ReLU, a 1 x k and a k x 1 convolution, batch norm; the first one has the stride."""

    def __init__(self, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        pad = kernel // 2
        self.row = nn.Conv2d(channels, channels, (1, kernel), stride, (0, pad), bias=False)
        self.column = nn.Conv2d(channels, channels, (kernel, 1), 1, (pad, 0), bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, ceil(h / stride), ceil(w / stride))."""
        return self.bn(self.column(self.row(x.relu())))


class ConvBnRelu(nn.Module):
    """A convolution without bias that keeps the map (at stride 1), batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        return self.bn(self.conv(x)).relu()


class Shrink(nn.Module):
    """Two 1x1 convolutions on pixels half a stride apart, each for half of the channels.

    A map is padded by zeros on the right and below, so that both halves have the same size.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inputs, outputs // 2, 1, stride, bias=False)
        self.second = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        half = self.stride // 2
        moved = nn.functional.pad(x, (0, half, 0, half))[:, :, half:, half:]
        return torch.cat([self.first(x), self.second(moved)], 1)


class FactorizedReduce(nn.Module):
    """ReLU, `Shrink`, batch norm: what an identity becomes where the map is halved."""

    def __init__(self, inputs: int, outputs: int, stride: int = 2) -> None:
        super().__init__()
        self.shrink = Shrink(inputs, outputs, stride)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        return self.bn(self.shrink(x.relu()))


class ScheduledDropPath(nn.Module):
    """Drops a path of a cell for single examples, more often deeper and later; what stays is scaled up.

    The chance that a path is kept is 1 - progress * depth * (1 - keep), with progress from 0 to 1 over
    `over` training batches. A path that may be dropped in every example gives zeros; identities should not
    have this layer. Judging drops nothing.

    Args:
        keep: chance that a path of the last cell is kept at the end of the schedule, above 0.
        depth: (index of the cell + 1) / number of cells.
        over: training batches until the schedule ends; counted here, kept in the state dict.

    Source: NASNet (Zoph et al., 2018), section 4 and appendix; the formula is that of its released code.
    """

    def __init__(self, keep: float, depth: float, over: int) -> None:
        super().__init__()
        self.least, self.over = 1 - depth * (1 - keep), over
        self.seen: Tensor
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    @property
    def kept(self) -> float:
        """The chance with which a path is kept now."""
        return 1 - min(1.0, int(self.seen) / self.over) * (1 - self.least)

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) -> the same shape, whole examples at zero."""
        if not self.training:
            return x
        kept = self.kept
        self.seen += 1
        if kept >= 1:
            return x
        mask = torch.rand(len(x), *[1] * (x.dim() - 1), device=x.device) < kept
        return x * mask / kept


def operation(name: str, channels: int, stride: int = 1) -> nn.Module:
    """One of `cost.OPS` on maps of `channels` channels; at stride 1 the map keeps its size."""
    op = OPS[name]
    match op.kind:
        case "zero":
            return Zero() if stride == 1 else nn.Sequential(nn.AvgPool2d(1, stride), Zero())
        case "identity":
            return nn.Identity() if stride == 1 else FactorizedReduce(channels, channels, stride)
        case "linear":
            return nn.AvgPool2d(op.kernel, stride, op.kernel // 2, count_include_pad=False)
        case "fixed":
            return nn.MaxPool2d(op.kernel, stride, op.kernel // 2)
        case _:
            return _layer(op, channels, stride)


def _layer(op: Op, channels: int, stride: int) -> nn.Module:
    match op.form:
        case "separable":
            return Separable(channels, op.kernel, stride)
        case "dilated":
            return Separable(channels, op.kernel, stride, dilation=2, times=1)
        case "sharp":
            return Separable(channels, op.kernel, stride, op.dilation, middle=op.between(channels))
        case "row":
            return RowConv(channels, op.kernel, stride)
        case "after":
            return ConvBnRelu(channels, channels, op.kernel, stride)
        case _:
            return ReluConvBn(channels, channels, op.kernel, stride)


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
    for _, module in walk(net):
        if isinstance(module, nn.Conv2d | nn.Linear):
            gain = 2.0 if isinstance(module, nn.Conv2d) else 1.0
            drawn = torch.randn(module.weight.shape, generator=generator)
            module.weight.copy_(drawn * math.sqrt(gain / module.weight[0].numel()))
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    return net


def draw_again(net: nn.Module) -> nn.Module:
    """The network as if its modules were made anew and then met `init_weights`, by torch's global generator.

    A new convolution or linear layer draws weights by itself, in vain: as many numbers are passed over.
    """
    vain = 0
    for _, module in walk(net):
        module.__dict__["training"] = True  # past torch's slow way to set attributes
        if isinstance(module, nn.Conv2d | nn.Linear):
            vain += module.weight.numel() + (0 if module.bias is None else module.bias.numel())
    torch.empty(vain, dtype=torch.uint8).random_()  # one step of the generator each, as a float takes
    return init_weights(net)
