"""Layers whose weights and inputs are rounded to few bits, in the numbers that a device would compute with.

A network is changed in place: its convolutions and linear layers become ones that round, under the same names
and with the same parameters. Each also keeps, as two buffers, what range its inputs have had. A stand-alone
network holds its bits; a supernet holds none, and reads those of the view that is called.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore import entangle
from nascore.errors import NotSupported
from nascore.spaces.quant_source import layer_source

FLOAT = 32  # bits of a number that is not rounded
SMALLEST = 1e-12  # step of a grid
MOMENTUM = 0.1  # share of a batch in the range of inputs, as batch norm's in its statistics

Mix = tuple[tuple[int, Tensor | None], ...]  # bits that take part, and how much; None is wholly


@dataclass(frozen=True)
class Bits:
    """Bits of a layer's weights and of its inputs."""

    weights: Mix
    inputs: Mix


HERE: ContextVar[Sequence[Bits] | None] = ContextVar("bits of each group", default=None)


def rounded(x: Tensor, low: Tensor, high: Tensor, bits: int) -> Tensor:
    """A tensor on the grid of 2^bits values between two ends; asymmetric, one scale for all of it.

    s = (high - low) / (2^bits - 1), z = round(-low / s), and x becomes s (clip(round(x / s) + z) - z), so
    that zero, and with it padding, is exact. The gradient is 1 where x lies within the grid and 0 outside.

    Args:
        x: any shape.
        low: a scalar, not above zero.
        high: a scalar, not below zero.
        bits: from 2 to 8.

    Source: Jacob et al., 2018, section 2.1 and equation 12; the gradient passes straight through (Bengio et
    al., 2013).
    """
    top = 2**bits - 1
    scale = ((high - low) / top).clamp(min=SMALLEST)
    zero = (-low / scale).round().clamp(0, top).int()
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, 0, top)


def rounded_weights(weight: Tensor, bits: int) -> Tensor:
    """Weights on a grid of 2^bits - 1 values around zero, with a scale for each output channel.

    s = max |w| / (2^(bits-1) - 1) of the channel, and w becomes s round(w / s). Nothing is clipped, so the
    gradient is 1 everywhere.

    Args:
        weight: (outputs, ...).
        bits: from 2 to 8.

    Source: Krishnamoorthi, 2018, sections 2.2 and 2.5; Jacob et al., 2018, section 3, leave out the lowest
    value too.
    """
    top = 2 ** (bits - 1) - 1
    scale = (weight.detach().flatten(1).abs().amax(1) / top).clamp(min=SMALLEST)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -top, top)


def mixed(x: Tensor, mix: Mix, by: Callable[[int], Tensor]) -> Tensor:
    """The weighted sum of what `by` gives for each number of bits; x itself for 32."""
    terms = [
        part if weight is None else weight.to(x) * part
        for part, weight in ((x if bits == FLOAT else by(bits), weight) for bits, weight in mix)
    ]
    return reduce(torch.add, terms)


class Rounding(nn.Module):
    """What a layer gains.

    Attributes:
        group: which bits of a view are its own.
        bits: those that it holds itself; None in a supernet.
        momentum: as in a batch norm; None for the plain mean over batches.
    """

    group: int
    bits: Bits | None
    momentum: float | None
    input_range: Tensor
    input_batches: Tensor

    def reset_running_stats(self) -> None:
        """Forgets the range of inputs, as a batch norm its statistics."""
        self.input_range.zero_()
        self.input_batches.zero_()

    def as_source(self) -> tuple[str, tuple[str, ...], dict[str, tuple[int, int]]]:
        """How an exported network writes this layer: name, texts, further arguments with their defaults.

        Raises:
            NotSupported: a mixture of bits.
        """
        told = [[b for b, _ in mix] for mix in (self.bits.weights, self.bits.inputs)] if self.bits else []
        if [len(t) for t in told] != [1, 1]:
            raise NotSupported("a layer with a mixture of bits cannot be written as plain source")
        more = {"weight_bits": (told[0][0], FLOAT), "input_bits": (told[1][0], FLOAT)}
        return *layer_source("Conv2d" if isinstance(self, nn.Conv2d) else "Linear"), more

    def rounds(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs and weights as this layer computes with them."""
        bits = self.bits
        if bits is None:
            here = HERE.get()
            if here is None:
                return x, weight
            bits = here[self.group]
        if any(b != FLOAT for b, _ in bits.inputs):
            low, high = self._range(x)
            x = mixed(x, bits.inputs, lambda b: rounded(x, low, high, b))
        return x, mixed(weight, bits.weights, lambda b: rounded_weights(weight, b))

    def _range(self, x: Tensor) -> Tensor:
        """(2,) least and largest input, zero between them: of this batch in training, of all when judging.

        A moving mean of both ends is kept (Jacob et al., 2018, section 3.1). In training they take that too;
        we take the batch's own, as a batch norm does, since a short training would otherwise clip most of
        what grows. A network that was never trained has nothing but the batch.
        """
        low, high = torch.aminmax(x.detach())
        now = torch.stack([low.clamp(max=0), high.clamp(min=0)])
        if not self.training:
            return torch.where(self.input_batches > 0, self.input_range, now)
        self.input_batches.add_(1)
        share = 1 / self.input_batches
        share = share if self.momentum is None else share.clamp(min=self.momentum)
        self.input_range.lerp_(now, share)
        return now


class RoundingConv2d(Rounding, nn.Conv2d):
    """A convolution that rounds, depthwise too."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(*self.rounds(input, weight), bias)


class RoundingLinear(Rounding, nn.Linear):
    """A linear layer that rounds."""

    def forward(self, input: Tensor) -> Tensor:
        """(..., inputs) -> (..., outputs)."""
        return F.linear(*self.rounds(input, self.weight), self.bias)


class RoundingNestedConv(Rounding, entangle.Conv):
    """A convolution with nested sizes that rounds what it takes of its weight."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(*self.rounds(input, weight), bias)

    def convolve(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Any,
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        """As `entangle.Conv`."""
        return super().convolve(*self.rounds(input, weight), bias, stride, padding, groups)


class RoundingNestedLinear(Rounding, entangle.Linear):
    """A linear layer with nested sizes that rounds what it takes of its weight."""

    def multiply(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """As `entangle.Linear`."""
        return super().multiply(*self.rounds(input, weight), bias)


ROUNDING: dict[type[nn.Module], type[Rounding]] = {
    nn.Conv2d: RoundingConv2d,
    nn.Linear: RoundingLinear,
    entangle.Conv: RoundingNestedConv,
    entangle.Linear: RoundingNestedLinear,
}
PLAIN = {made: kind for kind, made in ROUNDING.items()}


def make_rounding(net: nn.Module, group: dict[str, int]) -> None:
    """Makes every convolution and linear layer one that rounds; the second time nothing changes.

    Args:
        net: changed in place.
        group: of each layer by its name.

    Raises:
        NotSupported: a layer of a kind that is not known here.
    """
    for name, module in net.named_modules():
        if not isinstance(module, nn.Conv2d | nn.Linear) or isinstance(module, Rounding):
            continue
        if type(module) not in ROUNDING:
            raise NotSupported(f"a layer of class {type(module).__name__} cannot have fewer bits")
        like, layer = module.weight, _as(module, ROUNDING[type(module)])
        layer.group, layer.bits, layer.momentum = group[name], None, MOMENTUM
        layer.register_buffer("input_range", torch.zeros(2, dtype=like.dtype, device=like.device))
        layer.register_buffer("input_batches", torch.zeros((), dtype=torch.long, device=like.device))


def _as(module: nn.Module, kind: type[Any]) -> Any:
    """The same module, in every place where it stands, with the forward of another class."""
    module.__class__ = kind
    return module


def hold_bits(net: nn.Module, bits: Sequence[Bits]) -> nn.Module:
    """Gives each rounding layer the bits of its group; one that rounds nothing is a plain layer again."""
    for module in list(net.modules()):
        if isinstance(module, Rounding):
            module.bits = bits[module.group]
            if all(b == FLOAT for b, _ in (*module.bits.weights, *module.bits.inputs)):
                del module.input_range, module.input_batches, module.group, module.bits, module.momentum
                _as(module, PLAIN[type(module)])
    return net


class Rounded(nn.Module):
    """A view of a supernet with the bits of each group; holds no other state."""

    def __init__(self, net: nn.Module, bits: Sequence[Bits]) -> None:
        super().__init__()
        self.net, self.bits = net, tuple(bits)

    def forward(self, x: Any) -> Any:
        """What the view gives with these bits."""
        before = HERE.set(self.bits)
        try:
            return self.net(x)
        finally:
            HERE.reset(before)
