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
        kind: zero (gives nothing), identity, linear (a fixed linear map) or layer (with weights of its own).
        kernel: side of the convolution of a layer.
    """

    kind: Literal["zero", "identity", "linear", "layer"]
    kernel: int = 0


OPS: dict[str, Op] = {
    "none": Op("zero"),
    "skip_connect": Op("identity"),
    "nor_conv_1x1": Op("layer", 1),
    "nor_conv_3x3": Op("layer", 3),
    "avg_pool_3x3": Op("linear"),
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


def operation(name: str, size: Size) -> Cost:
    """One of `OPS` between two maps of the same size."""
    op = OPS[name]
    return convolution(size[0], size, op.kernel) + norm(size[0]) if op.kind == "layer" else Cost()


def strided(size: Size, channels: int, stride: int) -> Size:
    """The output of a padded 3x3 convolution (or of 2x2 pooling that keeps the rest) at this stride."""
    return channels, -(-size[1] // stride), -(-size[2] // stride)
