"""One block of a stages space: what its sizes are and what it costs. No torch.

Blocks, all without bias and with batch norm after each convolution:
- conv: one convolution and the activation.
- separable: a depthwise convolution and a 1x1 one, each with the activation.
- mbconv: 1x1 to `expansion` times the inputs (left out where the only expansion is 1), depthwise, squeeze and
  excite, 1x1 back; the input is added where stride and width allow.
- basic: two convolutions around a shortcut, which is a 1x1 convolution where stride or width differ.
- bottleneck: 1x1 to a quarter of the width times `expansion`, a convolution, 1x1, and the same shortcut.
- attention: self-attention over the map, then two linear layers with `expansion` times the width between
  them; each has batch norm before it and the input added. A 1x1 convolution comes first where stride or width
  differ.
"""

from __future__ import annotations

from dataclasses import dataclass

from nascore.cost import Cost, Size, attention, convolution, depthwise, norm, squeeze_excite, strided

BLOCKS = ("conv", "separable", "mbconv", "basic", "bottleneck", "attention")
HAS: dict[str, tuple[str, ...]] = {  # which blocks a setting means something to
    "kernel": ("conv", "separable", "mbconv", "basic", "bottleneck"),
    "expansion": ("mbconv", "bottleneck", "attention"),
    "squeeze": ("mbconv",),
}
HEAD = 8  # channels of an attention head; widths of attention are multiples of it
ACTIVATIONS = ("relu", "hardswish")


@dataclass(frozen=True)
class Layer:
    """One block with its sizes.

    `expands` says whether an mbconv has its first 1x1 convolution, `sometimes` that these are the largest of
    several sizes, of which some need a bridge.
    """

    block: str
    inputs: int
    outputs: int
    kernel: int = 3
    expansion: int = 1
    squeeze: bool = False
    stride: int = 1
    expands: bool = True
    sometimes: bool = False

    @property
    def hidden(self) -> int:
        """Channels inside."""
        return hidden(self.block, self.inputs, self.outputs, self.expansion)

    @property
    def bridged(self) -> bool:
        """Whether a 1x1 convolution has to carry the input past or into the block."""
        return self.sometimes or self.stride > 1 or self.inputs != self.outputs

    def text(self) -> str:
        """`mbconv 5x5 x6 se`."""
        parts = [self.block]
        parts += [f"{self.kernel}x{self.kernel}"] if self.block in HAS["kernel"] else []
        parts += [f"x{self.expansion}"] if self.block in HAS["expansion"] else []
        return " ".join([*parts, *(["se"] if self.squeeze and self.block in HAS["squeeze"] else [])])

    def cost(self, side: tuple[int, int]) -> Cost:
        """On a map of this height and width."""
        c, inside = self.outputs, self.hidden
        out = strided((c, *side), c, self.stride)
        middle, k = (inside, *out[1:]), self.kernel
        bridge = convolution(self.inputs, out, 1) + norm(c) if self.bridged else Cost()
        match self.block:
            case "conv":
                return convolution(self.inputs, out, k) + norm(c)
            case "separable":
                return _depthwise(middle, k) + convolution(inside, out, 1) + norm(c)
            case "mbconv":
                return self._expand(side) + _depthwise(middle, k) + self._excite() + _project(inside, out)
            case "basic":
                return convolution(self.inputs, out, k) + convolution(c, out, k) + norm(c) * 2 + bridge
            case "bottleneck":
                first = convolution(self.inputs, (inside, *side), 1) + norm(inside)
                return first + convolution(inside, middle, k) + norm(inside) + _project(inside, out) + bridge
        perceptron = convolution(c, middle, 1) + convolution(inside, out, 1)
        return bridge + norm(c) * 2 + attention(c, out[1] * out[2]) + perceptron

    def _expand(self, side: tuple[int, int]) -> Cost:
        if not self.expands:
            return Cost()
        return convolution(self.inputs, (self.hidden, *side), 1) + norm(self.hidden)

    def _excite(self) -> Cost:
        return squeeze_excite(self.hidden, reduced(self.hidden)) if self.squeeze else Cost()


def _depthwise(out: Size, kernel: int) -> Cost:
    return depthwise(out, kernel) + norm(out[0])


def _project(inputs: int, out: Size) -> Cost:
    return convolution(inputs, out, 1) + norm(out[0])


def hidden(block: str, inputs: int, outputs: int, expansion: int) -> int:
    """Channels inside a block; for a separable block those between its two convolutions."""
    match block:
        case "mbconv":
            return inputs * expansion
        case "bottleneck":
            return max(1, outputs * expansion // 4)
        case "attention":
            return outputs * expansion
        case _:
            return inputs if block == "separable" else outputs


def reduced(channels: int) -> int:
    """Channels of squeeze and excite: a quarter, as a multiple of 8 that loses at most a tenth of it.

    Source: the rounding of MobileNetV3 (Howard et al., 2019), with a ratio of 4.
    """
    quarter = channels // 4
    near = max(8, (quarter + 4) // 8 * 8)
    return near + 8 if near < 0.9 * quarter else near
