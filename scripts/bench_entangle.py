"""One operation on superposed slices against the mixture of many outputs: the same result, less memory.

For a layer with three widths and three kernels, alone and as the conv_macro supernet: the largest difference
of the results, the bytes that autograd keeps for the backward pass (each storage once, parameters left out;
superposed weights count), and the multiply-adds. Ends with an error where a promise is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from nascore.entangle import Axis, Conv, axis
from nascore.gates import Gate, Softmax, one_hot
from nascore.spaces.conv_macro import ConvMacro
from nascore.task import CIFAR

WIDTHS, KERNELS, BATCH = (16, 32, 64), (3, 5, 7), 8


def kept(run: Callable[[], Tensor], without: nn.Module | None = None) -> tuple[Tensor, int]:
    """The result, and the bytes of the storages saved for its backward pass."""
    own = {p.untyped_storage().data_ptr() for p in without.parameters()} if without else set()
    seen: dict[int, int] = {}

    def pack(t: Tensor) -> Tensor:
        at = t.untyped_storage().data_ptr()
        if at not in own:
            seen[at] = t.untyped_storage().nbytes()
        return t

    # what is saved stays alive until the result is gone, so no address is used twice
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        out = run()
    return out, sum(seen.values())


def layer() -> tuple[float, int, int, int, int]:
    """Difference, bytes and multiply-adds of both ways, for one convolution and its batch norm-free ReLU."""
    torch.manual_seed(0)
    conv, x = Conv(32, 64, 7, padding=3), torch.randn(BATCH, 32, 32, 32, requires_grad=True)
    p, q = (torch.randn(3).softmax(0).requires_grad_() for _ in range(2))
    one, bytes_one = kept(
        lambda: conv(x, axis(Gate((0, 1, 2), p), WIDTHS), None, axis(Gate((0, 1, 2), q), KERNELS)), conv
    )

    def mixture() -> Tensor:
        total = x.new_zeros(BATCH, 64, 32, 32)
        for a, w in zip(p, WIDTHS, strict=True):
            for b, k in zip(q, KERNELS, strict=True):
                y = conv(x, Axis((w,)), None, Axis((k,)))
                total = total + a * b * nn.functional.pad(y, (0, 0, 0, 0, 0, 64 - w))
        return total

    many, bytes_many = kept(mixture, conv)
    area = 32 * 32 * 32
    adds = area * 64 * 49, area * sum(w * k * k for w in WIDTHS for k in KERNELS)
    return float((one - many).detach().abs().max()), bytes_one, bytes_many, *adds


def supernets() -> tuple[int, int, int]:
    """Bytes kept by the entangled and the separate supernet under soft gates, and by the largest network."""
    space, x = ConvMacro(), torch.randn(BATCH, *CIFAR.image)
    gating, sizes = Softmax(space), []
    for sharing in ("entangled", "separate"):
        net = space.supernet(CIFAR, sharing, space.choices())
        _, size = kept(lambda net=net: net(x, gating()), net)
        sizes.append(size)
    largest = space.supernet(CIFAR, "entangled", space.choices())
    _, alone = kept(lambda: largest(x, one_hot(space, (2,) * 8)), largest)
    return sizes[0], sizes[1], alone


def line(what: str, ours: float, theirs: float) -> None:
    """One row of the table."""
    print(f"  {what:24} {ours:8.2f} superposed, {theirs:8.2f} mixed: {theirs / ours:.1f} times")


def main() -> None:
    """Prints the table and holds it to the promises."""
    difference, one, many, adds, adds_many = layer()
    print(f"one layer, {len(WIDTHS) * len(KERNELS)} options: largest difference {difference:.1e}")
    line("kept for backward, MB", one / 1e6, many / 1e6)
    line("multiply-adds, M", adds / 1e6, adds_many / 1e6)
    nested, apart, alone = supernets()
    print("conv_macro supernet under soft gates, CIFAR images, batch 8")
    line("kept for backward, MB", nested / 1e6, apart / 1e6)
    print(f"  the largest network alone keeps {alone / 1e6:.2f} MB; what is more is one copy of the weights")
    if difference > 1e-5 or many < 2 * one or apart < 2 * nested:
        raise SystemExit("a promise is broken: the same result to 1e-5, at half the memory or less")


if __name__ == "__main__":
    main()
