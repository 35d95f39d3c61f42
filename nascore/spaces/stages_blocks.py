"""The blocks of a stages space in torch: plain layers alone, nested ones inside an entangled supernet.

A block is called without `Sizes` as a plain module, and with them as the block of all sizes that take part.
Names of layers are the same in both, so weights move by name and take the leading block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import Attention, Axis, Conv, Linear, Norm, add, joint, same
from nascore.spaces.stages_layer import HEAD, Layer, hidden, reduced

ACTS = {"relu": nn.ReLU, "hardswish": nn.Hardswish, "": nn.Identity}


@dataclass(frozen=True)
class Sizes:
    """What takes part in a block now; `squeeze` is the weight of squeeze and excite."""

    inputs: Axis
    outputs: Axis
    kernel: Axis
    expansion: Axis
    squeeze: Tensor | float
    stride: int

    def hidden(self, kind: str) -> Axis:
        """The channels inside a block of this kind."""
        if kind in ("mbconv", "separable"):
            return joint(self.inputs, self.expansion, lambda c, e: hidden(kind, c, c, e))
        return joint(self.outputs, self.expansion, lambda c, e: hidden(kind, c, c, e))


class ConvNorm(nn.Module):
    """A convolution without bias, batch norm, an activation."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        act: str = "relu",
        nested: bool = False,
    ) -> None:
        super().__init__()
        conv: Any = Conv if nested else nn.Conv2d
        self.conv = conv(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn: nn.Module = Norm(outputs) if nested else nn.BatchNorm2d(outputs)
        self.act = ACTS[act]()

    def forward(
        self, x: Tensor, outputs: Axis | None = None, kernel: Axis | None = None, stride: int = 0
    ) -> Tensor:
        """(n, c, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if outputs is None:
            return self.act(self.bn(self.conv(x)))
        # the norm covers the channels; it would take back what the convolution scaled
        return self.act(self.bn(self.conv(x, outputs.plain, None, kernel, stride), outputs))


class Bridge(nn.Module):
    """The input carried past a block: itself where stride and width allow, else a 1x1 convolution."""

    def __init__(self, layer: Layer, nested: bool) -> None:
        super().__init__()
        self.way = ConvNorm(layer.inputs, layer.outputs, 1, layer.stride, act="", nested=nested)

    def forward(self, x: Tensor, sizes: Sizes | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if sizes is None:
            return self.way(x)
        share = same(sizes.inputs, sizes.outputs) if sizes.stride == 1 else 0.0
        if isinstance(share, float) and share == 1:
            return x
        carried = self.way(x, sizes.outputs, None, sizes.stride)
        return carried if isinstance(share, float) and not share else _blend(x, carried, share)


def _blend(x: Tensor, other: Tensor, share: Tensor | float) -> Tensor:
    """`share` of x, cut to the channels of `other`, and the rest of `other`."""
    return add(x[:, : other.shape[1]] * share, other * (1 - share))


class Excite(nn.Module):
    """Squeeze and excite with a hard sigmoid, on the mean of each channel."""

    def __init__(self, channels: int, nested: bool) -> None:
        super().__init__()
        make: Any = Linear if nested else nn.Linear
        self.down, self.up = make(channels, reduced(channels)), make(reduced(channels), channels)

    def forward(self, x: Tensor, channels: Axis | None = None, share: Tensor | float = 1.0) -> Tensor:
        """(n, c, h, w) -> the same shape; only `share` of it takes part."""
        mean = x.mean((2, 3))
        if channels is None:
            scale = F.hardsigmoid(self.up(self.down(mean).relu()))
        else:
            inside = self.down(mean, channels.map(reduced)).relu()
            scale = 1 - share + share * F.hardsigmoid(self.up(inside, channels.plain))
        return x * scale[:, :, None, None]


class Simple(nn.Module):
    """conv, or separable where a depthwise convolution comes first."""

    def __init__(self, layer: Layer, act: str, nested: bool) -> None:
        super().__init__()
        self.apart = layer.block == "separable"
        c, k, s = layer.inputs, layer.kernel, layer.stride
        if self.apart:
            self.depthwise = ConvNorm(c, c, k, s, groups=c, act=act, nested=nested)
            self.point = ConvNorm(c, layer.outputs, act=act, nested=nested)
        else:
            self.point = ConvNorm(c, layer.outputs, k, s, act=act, nested=nested)

    def forward(self, x: Tensor, sizes: Sizes | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if sizes is None:
            return self.point(self.depthwise(x)) if self.apart else self.point(x)
        if not self.apart:
            return self.point(x, sizes.outputs, sizes.kernel, sizes.stride)
        x = self.depthwise(x, sizes.inputs, sizes.kernel, sizes.stride)
        return self.point(x, sizes.outputs)


class MBConv(nn.Module):
    """The inverted residual: wide inside, narrow outside (Sandler et al., 2018; SE as in MobileNetV3)."""

    def __init__(self, layer: Layer, act: str, nested: bool) -> None:
        super().__init__()
        inside, k, s = layer.hidden, layer.kernel, layer.stride
        self.expand = (
            ConvNorm(layer.inputs, inside, act=act, nested=nested) if layer.expands else nn.Identity()
        )
        self.depthwise = ConvNorm(inside, inside, k, s, groups=inside, act=act, nested=nested)
        self.excite = Excite(inside, nested) if layer.squeeze else nn.Identity()
        self.project = ConvNorm(inside, layer.outputs, act="", nested=nested)
        self.expands, self.residual = layer.expands, not layer.bridged

    def forward(self, x: Tensor, sizes: Sizes | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if sizes is None:
            y = self.project(self.excite(self.depthwise(self.expand(x))))
            return x + y if self.residual else y
        inside = sizes.hidden("mbconv")
        y = self.expand(x, inside) if self.expands else x
        y = self.depthwise(y, inside, sizes.kernel, sizes.stride)
        if isinstance(self.excite, Excite) and not (isinstance(sizes.squeeze, float) and not sizes.squeeze):
            y = self.excite(y, inside, sizes.squeeze)
        y = self.project(y, sizes.outputs)
        share = same(sizes.inputs, sizes.outputs) if sizes.stride == 1 else 0.0
        return y if isinstance(share, float) and not share else add(y, x[:, : y.shape[1]] * share)


class Residual(nn.Module):
    """basic and bottleneck: convolutions around a shortcut."""

    def __init__(self, layer: Layer, act: str, nested: bool) -> None:
        super().__init__()
        c, k, s, inside = layer.outputs, layer.kernel, layer.stride, layer.hidden
        self.kind, self.act = layer.block, ACTS[act]()
        if layer.block == "basic":
            self.first = ConvNorm(layer.inputs, c, k, s, act=act, nested=nested)
            self.last = ConvNorm(c, c, k, act="", nested=nested)
        else:
            self.first = ConvNorm(layer.inputs, inside, act=act, nested=nested)
            self.middle = ConvNorm(inside, inside, k, s, act=act, nested=nested)
            self.last = ConvNorm(inside, c, act="", nested=nested)
        self.bridge = Bridge(layer, nested) if layer.bridged else nn.Identity()

    def forward(self, x: Tensor, sizes: Sizes | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if sizes is None:
            y = self.first(x) if self.kind == "basic" else self.middle(self.first(x))
            return self.act(self.bridge(x) + self.last(y))
        inside = sizes.hidden(self.kind)
        if self.kind == "basic":
            y = self.last(self.first(x, inside, sizes.kernel, sizes.stride), sizes.outputs, sizes.kernel)
        else:
            y = self.middle(self.first(x, inside), inside, sizes.kernel, sizes.stride)
            y = self.last(y, sizes.outputs)
        return self.act(add(self.bridge(x, sizes) if isinstance(self.bridge, Bridge) else x, y))


class Attend(nn.Module):
    """Self-attention and a perceptron over the positions of a map, each after batch norm and added."""

    def __init__(self, layer: Layer, act: str, nested: bool) -> None:
        super().__init__()
        c, inside = layer.outputs, layer.hidden
        norm: Any = Norm if nested else nn.BatchNorm2d
        make: Any = Linear if nested else nn.Linear
        self.bridge = Bridge(layer, nested) if layer.bridged else nn.Identity()
        self.before, self.between = norm(c), norm(c)
        self.attention = Attention(c, HEAD, nested=nested)
        self.up, self.down = make(c, inside, bias=False), make(inside, c, bias=False)
        self.act = ACTS[act]()

    def forward(self, x: Tensor, sizes: Sizes | None = None) -> Tensor:
        """(n, inputs, h, w) -> (n, outputs, ceil(h / stride), ceil(w / stride))."""
        if sizes is None:
            x = self.bridge(x)
            x = x + _map(self.attention(_tokens(self.before(x))), x)
            return x + _map(self.down(self.act(self.up(_tokens(self.between(x))))), x)
        c, inside = sizes.outputs, sizes.hidden("attention")
        x = self.bridge(x, sizes) if isinstance(self.bridge, Bridge) else x
        x = x + _map(self.attention(_tokens(self.before(x, c)), c), x)
        wide = self.act(self.up(_tokens(self.between(x, c)), inside))
        return x + _map(self.down(wide, c), x)


def _tokens(x: Tensor) -> Tensor:
    """(n, c, h, w) -> (n, h * w, c)."""
    return x.flatten(2).transpose(1, 2)


def _map(tokens: Tensor, like: Tensor) -> Tensor:
    """(n, h * w, c) -> (n, c, h, w)."""
    return tokens.transpose(1, 2).unflatten(2, like.shape[2:])


def block(layer: Layer, act: str, *, nested: bool = False) -> nn.Module:
    """The block of a layer; where `nested`, its sizes are the largest, and a bridge is there if it may be."""
    kinds: dict[str, Any] = {
        "mbconv": MBConv,
        "basic": Residual,
        "bottleneck": Residual,
        "attention": Attend,
    }
    return kinds.get(layer.block, Simple)(layer, act, nested)
