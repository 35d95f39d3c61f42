"""Nested sizes in one weight: a small kernel is the center of a large one, few channels the first of many.

An `Axis` is a size that gates decide. `cover` gives the weight of all options that include each index: a
prefix of ones when one option is taken. Multiplying a weight by the covers of its axes superposes all listed
slices, so that one operation does the work of many (TangleNAS; Sukthanker et al., 2024, section 3). What no
listed option needs is cut off and not computed.

A choice that makes channels covers them once, where they are made; what reads them takes them as they come.
That is the exact mixture of a linear chain, where the paper's code multiplies both weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.errors import BadInput
from nascore.gates import Gate
from nascore.supernet import Mixed


@dataclass(frozen=True)
class Axis:
    """The sizes that take part.

    Attributes:
        sizes: (k,) one an option that is listed.
        weights: (k,) the weight of each; None for one size that is taken wholly.
    """

    sizes: tuple[int, ...]
    weights: Tensor | None = None

    @property
    def full(self) -> int:
        """The largest of them: how much is computed."""
        return max(self.sizes)

    @property
    def plain(self) -> Axis:
        """The same extent, all of it with weight one."""
        return self if self.weights is None else Axis((self.full,))

    def cover(self, like: Tensor) -> Tensor | None:
        """(full,) on the device and in the type of `like`; None where it would be all ones."""
        return None if self.weights is None else _cover(self.weights, self.sizes, self.full).to(like)

    def map(self, size: Callable[[int], int]) -> Axis:
        """The sizes that follow from these by a function, with the same weights."""
        return replace(self, sizes=tuple(size(s) for s in self.sizes))


def cover(gate: Gate, sizes: Sequence[int], full: int) -> Tensor:
    """(full,): at each index the weight of all options that include it.

    Args:
        gate: the options that take part.
        sizes: of every option of the choice, taking part or not.
        full: length of the result; at least the largest size that takes part.

    Raises:
        BadInput: a size that takes part is larger than `full`.
    """
    taken = tuple(sizes[o] for o in gate.options)
    if max(taken) > full:
        raise BadInput(f"a size of {max(taken)} does not fit into {full}")
    return _cover(gate.weights, taken, full)


def _cover(weights: Tensor, sizes: tuple[int, ...], full: int) -> Tensor:
    ends = torch.tensor(sizes, device=weights.device)
    return weights @ (torch.arange(full, device=weights.device) < ends[:, None]).to(weights)


def is_hard(gate: Gate) -> bool:
    """Whether one option is taken with weight one, with no gradient to it."""
    if len(gate.options) > 1 or gate.weights.requires_grad:
        return False
    return float(gate.weights) == 1


def axis(gate: Gate, sizes: Sequence[int]) -> Axis:
    """The axis of one choice; `sizes` has one of every option."""
    return Axis(tuple(sizes[o] for o in gate.options), None if is_hard(gate) else gate.weights)


def joint(first: Axis, second: Axis, size: Callable[[int, int], int]) -> Axis:
    """The axis of a size that two choices make together (ratio x width); weights are the products."""
    sizes = tuple(size(a, b) for a in first.sizes for b in second.sizes)
    if first.weights is None and second.weights is None:
        return Axis(sizes)
    a, b = _weights(first, second.weights), _weights(second, first.weights)
    return Axis(sizes, (a[:, None] * b[None, :].to(a)).flatten())


def either(axes: Sequence[Axis], weights: Tensor) -> Axis:
    """The axis of a place that is one of several with these weights (n,), as after a mixture of depths."""
    if all(a is axes[0] for a in axes):
        return axes[0]
    parts = [w * _weights(a, weights) for a, w in zip(axes, weights, strict=True)]
    return Axis(tuple(s for a in axes for s in a.sizes), torch.cat(parts))


def same(first: Axis, second: Axis) -> Tensor | float:
    """How much the two sizes agree: 1 for the same choice, else the weight of all pairs of equal sizes."""
    if first is second:
        return 1.0
    if first.weights is None and second.weights is None:
        return float(first.sizes == second.sizes)
    a, b = _weights(first, second.weights), _weights(second, first.weights)
    equal = torch.tensor(first.sizes)[:, None] == torch.tensor(second.sizes)[None, :]
    return a @ equal.to(a) @ b.to(a)


def _weights(one: Axis, like: Tensor | None) -> Tensor:
    if one.weights is not None:
        return one.weights
    return torch.ones(1) if like is None else torch.ones(1).to(like)


def add(first: Tensor, second: Tensor) -> Tensor:
    """The sum of two maps (n, c, h, w); the one with fewer channels has zeros for the others."""
    if first.shape[1] < second.shape[1]:
        first, second = second, first
    missing = first.shape[1] - second.shape[1]
    return first + (F.pad(second, (0, 0) * (second.dim() - 2) + (0, missing)) if missing else second)


def mixed_depth(maps: Sequence[Tensor], gate: Gate, depths: Sequence[int]) -> Tensor:
    """The weighted sum of what comes out after each listed depth.

    Args:
        maps: after 0, 1, 2, ... layers; as many as the largest listed depth asks for.
        gate: over depths.
        depths: of every option of the choice.
    """
    if is_hard(gate):
        return maps[depths[gate.options[0]]]
    terms = [w * maps[depths[o]] for o, w in zip(gate.options, gate.weights, strict=True)]
    return reduce(add, terms)


class Widths(Mixed):
    """Separate weights where the options of a choice are widths: an own module of each width.

    The opposite of `cover`: nothing is shared between two widths. A narrow output stands in the first
    channels of a wide one.
    """

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- always with a gate, and more inputs
        self, x: Tensor, gate: Gate, *more: Any
    ) -> Tensor:
        """The weighted sum over the options that the gate lists, (n, widest, ...).

        Raises:
            BadInput: an option is listed that this network has no weights for.
        """
        ops = self.taken(gate)
        terms = [w * op(x, *more) for w, op in zip(gate.weights, ops, strict=True)]
        return reduce(add, terms)


class Conv(nn.Conv2d):
    """A convolution whose outputs, inputs and kernel may be narrowed; depthwise where groups = channels."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the same call without sizes
        self,
        input: Tensor,
        outputs: Axis | None = None,
        inputs: Axis | None = None,
        kernel: Axis | None = None,
        stride: int = 0,
    ) -> Tensor:
        """(n, c, h, w) -> (n, outputs.full, ...) with the slices of all listed sizes superposed.

        `c` is what comes in: `inputs` need only be given where its cover has not been applied before. A
        `stride` other than 0 takes the place of the layer's own.
        """
        if outputs is None and inputs is None and kernel is None and not stride:
            return super().forward(input)
        weight, groups = self.weight, self.groups
        count = outputs.full if outputs else self.out_channels
        if groups > 1:  # depthwise: every channel has its own filter
            weight, groups = weight[: input.shape[1]], input.shape[1]
        else:
            weight = weight[:count, : input.shape[1]]
        bias = None if self.bias is None else self.bias[: weight.shape[0]]
        weight, padding, factor = self._crop(weight, kernel)
        if outputs is not None and (c := outputs.cover(weight)) is not None:
            bias = None if bias is None else bias * c
            factor = _times(factor, c[:, None, None, None])
        if inputs is not None and self.groups == 1 and (c := inputs.cover(weight)) is not None:
            factor = _times(factor, c[None, :, None, None])
        if factor is not None:  # all covers at once: one copy of the weight, not one for each
            weight = weight * factor
        return self.convolve(input, weight, bias, stride or self.stride, padding, groups)

    def convolve(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Any,
        padding: tuple[int, int],
        groups: int,
    ) -> Tensor:
        """The convolution by what was taken of the weight."""
        return F.conv2d(input, weight, bias, stride, padding, self.dilation, groups)

    def _crop(self, weight: Tensor, kernel: Axis | None) -> tuple[Tensor, tuple[int, int], Tensor | None]:
        """The central part that the largest listed kernel needs, its padding, and its cover."""
        padding = (int(self.padding[0]), int(self.padding[1]))
        if kernel is None:
            return weight, padding, None
        cut = (weight.shape[-1] - kernel.full) // 2
        side = slice(cut, cut + kernel.full)
        c = kernel.cover(weight)
        covered = None if c is None else c[rings(kernel.full).to(weight.device)][None, None]
        return weight[..., side, side], (padding[0] - cut, padding[1] - cut), covered


def _times(first: Tensor | None, second: Tensor) -> Tensor:
    return second if first is None else first * second


def rings(side: int) -> Tensor:
    """(side, side): an odd kernel of size s holds the entries below s."""
    away = (torch.arange(side) - side // 2).abs()
    return 2 * torch.maximum(away[:, None], away[None, :])


class Linear(nn.Linear):
    """A linear layer whose inputs and outputs may be narrowed."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the same call without sizes
        self,
        input: Tensor,
        outputs: Axis | None = None,
        inputs: Axis | None = None,
    ) -> Tensor:
        """(..., c) -> (..., outputs.full), as `Conv`."""
        if outputs is None and inputs is None and input.shape[-1] == self.in_features:
            return self.multiply(input, self.weight, self.bias)
        count = outputs.full if outputs else self.out_features
        weight = self.weight[:count, : input.shape[-1]]
        bias = None if self.bias is None else self.bias[:count]
        if outputs is not None and (c := outputs.cover(weight)) is not None:
            weight, bias = weight * c[:, None], None if bias is None else bias * c
        if inputs is not None and (c := inputs.cover(weight)) is not None:
            weight = weight * c
        return self.multiply(input, weight, bias)

    def multiply(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The product with what was taken of the weight."""
        return F.linear(input, weight, bias)


class Norm(nn.BatchNorm2d):
    """A batch norm whose channels may be narrowed.

    Its output is multiplied by the cover, through scale and shift. Running statistics move in proportion to
    the cover: a channel that takes no part keeps its own, so one taken option gives what the sliced layer
    gives, in training as in evaluation.
    """

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the same call without a size
        self,
        input: Tensor,
        channels: Axis | None = None,
    ) -> Tensor:
        """(n, channels.full, h, w) -> the same shape."""
        if channels is None or (channels.weights is None and channels.full == self.num_features):
            return super().forward(input)
        n, c = channels.full, channels.cover(input)
        scale = c if self.weight is None else self.weight[:n] if c is None else self.weight[:n] * c
        shift = None if self.bias is None else self.bias[:n] if c is None else self.bias[:n] * c
        if self.running_mean is None or self.running_var is None:
            return F.batch_norm(input, None, None, scale, shift, True, 0.0, self.eps)
        mean, var = self.running_mean[:n], self.running_var[:n]
        if not self.training:
            return F.batch_norm(input, mean, var, scale, shift, False, 0.0, self.eps)
        momentum = self._momentum()
        if c is None:
            return F.batch_norm(input, mean, var, scale, shift, True, momentum, self.eps)
        now = torch.zeros_like(mean), torch.ones_like(var)
        out = F.batch_norm(input, *now, scale, shift, True, 1.0, self.eps)
        share = (momentum * c.detach()).clamp(0, 1)
        with torch.no_grad():
            mean.lerp_(now[0], share)
            var.lerp_(now[1], share)
        return out

    def _momentum(self) -> float:
        """The share of this batch in the running statistics; counts the batch."""
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        if self.momentum is not None:
            return self.momentum
        return 1.0 / float(self.num_batches_tracked or 1)


class LayerNorm(nn.LayerNorm):
    """A layer norm over the last dimension; features may be narrowed, statistics weigh by the cover."""

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the same call without a size
        self,
        input: Tensor,
        features: Axis | None = None,
    ) -> Tensor:
        """(..., features.full) -> the same shape."""
        if features is None:
            return super().forward(input)
        n, c = features.full, features.cover(input)
        scale, shift = self.weight[:n], None if self.bias is None else self.bias[:n]
        if c is None:
            return F.layer_norm(input, (n,), scale, shift, self.eps)
        total = c.sum()
        mean = (input * c).sum(-1, keepdim=True) / total
        var = ((input - mean).square() * c).sum(-1, keepdim=True) / total
        out = (input - mean) * torch.rsqrt(var + self.eps) * scale
        return (out if shift is None else out + shift) * c


class Attention(nn.Module):
    """Self-attention over tokens with heads of a fixed width; fewer channels are fewer heads.

    Args:
        channels: of a token; a multiple of `head`.
        head: channels of one head.
        nested: whether the layers take sizes.
    """

    def __init__(self, channels: int, head: int, *, nested: bool = False) -> None:
        super().__init__()
        make: Any = Linear if nested else nn.Linear
        self.head = head
        self.query, self.key, self.value = (make(channels, channels, bias=False) for _ in range(3))
        self.out = make(channels, channels, bias=False)

    def forward(self, x: Tensor, channels: Axis | None = None) -> Tensor:
        """(n, tokens, c) -> the same shape."""
        # values are covered too: what a head without weight has seen must not reach the other channels
        plain, covered = ((), ()) if channels is None else ((channels.plain,), (channels,))
        q, k, v = self.query(x, *plain), self.key(x, *plain), self.value(x, *covered)
        seen = F.scaled_dot_product_attention(self._heads(q), self._heads(k), self._heads(v))
        return self.out(seen.transpose(1, 2).flatten(2), *covered)

    def _heads(self, x: Tensor) -> Tensor:
        """(n, tokens, c) -> (n, c / head, tokens, head)."""
        return x.unflatten(2, (-1, self.head)).transpose(1, 2)
