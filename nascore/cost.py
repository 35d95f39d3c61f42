"""Parameters and multiply-adds of the shared layers, counted without building them.

The count is that of NAS-Bench-201's records: a convolution has no bias and costs one multiply-add a weight
and output position, a linear layer costs in * out + out, and batch norm, pooling, additions and ReLU cost
nothing. Batch norm has two parameters a channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Size = tuple[int, int, int]  # channels, height, width


@dataclass(frozen=True)
class Cost:
    """Trainable numbers, and multiply-adds of one forward pass of one example."""

    params: int = 0
    flops: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.flops + other.flops)

    def __mul__(self, times: int) -> Cost:
        return Cost(self.params * times, self.flops * times)


@dataclass(frozen=True)
class Op:
    """What an operation on an edge does, as far as counting and comparing need to know.

    Attributes:
        kind: zero (gives nothing), identity, linear (a fixed linear map), fixed (another map without weights)
            or layer (with weights of its own).
        kernel: side of the convolution or pool.
        form: of a layer. conv: ReLU, convolution, norm. separable: ReLU, depthwise and 1x1 convolution, norm,
            all of it twice. dilated: the same once, its kernel stretched by two. sharp: as separable, with
            channels of their own in the middle. row: ReLU, a 1 x k and a k x 1 convolution, norm. after:
            convolution, norm, ReLU.
        dilation: by how much the first kernel of a sharp one is stretched.
        wider: channels in the middle of a sharp one, as a multiple of its own.
        middle: the number of those channels instead, whatever its own are.
    """

    kind: Literal["zero", "identity", "linear", "fixed", "layer"]
    kernel: int = 0
    form: Literal["conv", "separable", "dilated", "sharp", "row", "after"] = "conv"
    dilation: int = 1
    wider: int = 1
    middle: int = 0

    def between(self, channels: int) -> int:
        """The channels between the two halves of a sharp one that has `channels` at its ends."""
        return self.middle or self.wider * channels


OPS: dict[str, Op] = {
    "none": Op("zero"),
    "skip_connect": Op("identity"),
    "nor_conv_1x1": Op("layer", 1),
    "nor_conv_3x3": Op("layer", 3),
    "avg_pool_3x3": Op("linear", 3),
    "max_pool_3x3": Op("fixed", 3),
    "max_pool_5x5": Op("fixed", 5),
    "max_pool_7x7": Op("fixed", 7),
    "sep_conv_3x3": Op("layer", 3, "separable"),
    "sep_conv_5x5": Op("layer", 5, "separable"),
    "sep_conv_7x7": Op("layer", 7, "separable"),
    "dil_conv_3x3": Op("layer", 3, "dilated"),
    "dil_conv_5x5": Op("layer", 5, "dilated"),
    # SharpSepConv (sharpDARTS; Hundt et al., 2019): undilated and no wider it is the separable one above
    "dil_sep_conv_3x3": Op("layer", 3, "sharp", 2),
    "dil_sep_conv_5x5": Op("layer", 5, "sharp", 2),
    "flood_conv_3x3": Op("layer", 3, "sharp", 1, 4),
    "dil_flood_conv_3x3": Op("layer", 3, "sharp", 2, 4),
    "choke_conv_3x3": Op("layer", 3, "sharp", 1, 1, 32),
    "dil_choke_conv_3x3": Op("layer", 3, "sharp", 2, 1, 32),
    "conv_1x3_3x1": Op("layer", 3, "row"),
    "conv_1x7_7x1": Op("layer", 7, "row"),
    "conv3x3-bn-relu": Op("layer", 3, "after"),
    "conv1x1-bn-relu": Op("layer", 1, "after"),
    "maxpool3x3": Op("fixed", 3),
}


def convolution(inputs: int, out: Size, kernel: int) -> Cost:
    """A convolution from `inputs` channels to an output of size `out`, without bias."""
    weights = inputs * out[0] * kernel**2
    return Cost(weights, weights * out[1] * out[2])


def norm(channels: int) -> Cost:
    """A batch norm with scale and shift."""
    return Cost(2 * channels)


def linear(inputs: int, outputs: int) -> Cost:
    """A linear layer with bias."""
    both = inputs * outputs + outputs
    return Cost(both, both)


def depthwise(out: Size, kernel: int) -> Cost:
    """A convolution with one filter a channel, without bias, to an output of size `out`."""
    weights = out[0] * kernel**2
    return Cost(weights, weights * out[1] * out[2])


def squeeze_excite(channels: int, reduced: int) -> Cost:
    """Two 1x1 convolutions with bias on the mean of each channel, down to `reduced` and back."""
    weights = 2 * channels * reduced
    return Cost(weights + channels + reduced, weights)


def attention(channels: int, tokens: int) -> Cost:
    """Query, key, value and output without bias; the two products of all pairs of tokens count too."""
    weights = 4 * channels * channels
    return Cost(weights, weights * tokens + 2 * channels * tokens * tokens)


def operation(name: str, size: Size, stride: int = 1) -> Cost:
    """One of `OPS` to a map of this size from one of as many channels, at stride 1 or 2.

    At stride 2 an identity is two 1x1 convolutions on every second pixel, and a norm (ops.FactorizedReduce).
    """
    op, channels = OPS[name], size[0]
    if op.kind == "identity" and stride > 1:
        return convolution(channels, size, 1) + norm(channels)
    if op.kind != "layer":
        return Cost()
    match op.form:
        case "separable":
            return (convolution(1, size, op.kernel) + convolution(channels, size, 1) + norm(channels)) * 2
        case "dilated":
            return convolution(1, size, op.kernel) + convolution(channels, size, 1) + norm(channels)
        case "sharp":
            middle = (op.between(channels), *size[1:])
            first = depthwise(size, op.kernel) + convolution(channels, middle, 1) + norm(middle[0])
            last = depthwise(middle, op.kernel) + convolution(middle[0], size, 1) + norm(channels)
            return first + last
        case "row":
            weights = 2 * channels * channels * op.kernel
            return Cost(weights, weights * size[1] * size[2]) + norm(channels)
        case _:
            return convolution(channels, size, op.kernel) + norm(channels)


def strided(size: Size, channels: int, stride: int) -> Size:
    """The output of a padded 3x3 convolution (or of 2x2 pooling that keeps the rest) at this stride."""
    return channels, -(-size[1] // stride), -(-size[2] // stride)
