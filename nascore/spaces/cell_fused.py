"""The cell of a DARTS supernet with its operations fused: the same function, in fewer and larger steps.

ReLU runs once a node; all 3x3 convolutions that leave a node are one, and all 1x1; a gate's weight is the
scale of its batch norm; `none` costs nothing; pooling is linear, so it runs once a target, on the weighted
sum of its sources. Maps lie in memory channels last, which spares convolutions their reordering. Weights keep
names and places of the plain form, `cell_net.CellModule`, its oracle.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nascore.gates import Gates
from nascore.ops import ReluConvBn
from nascore.spaces.cell_net import CellModule
from nascore.supernet import Mixed


class Term(NamedTuple):
    """One convolution that takes part: its edge's target, its gate's weight, its layer."""

    target: int
    weight: Tensor
    layer: ReluConvBn


class FusedCell(CellModule):
    """`CellModule` for gates with many options; what it cannot fuse runs as there.

    Differs from the plain form by the order of sums: outputs by some 1e-6, gradients by some 1e-5 of the
    largest.
    """

    def forward(self, x: Tensor, gates: Gates | None) -> Tensor:
        """(n, c, h, w) -> the same shape; zeros where no edge reaches the output."""
        if gates is None:
            return super().forward(x, gates)
        nodes: dict[int, Tensor] = {0: x.contiguous(memory_format=torch.channels_last)}
        pooled: dict[tuple[int, int], Tensor] = {}  # (target, window) -> weighted sum of what is pooled
        for source in sorted({s for s, _, _ in self.order}):
            _pool(nodes, pooled, source)  # all that leads to it has been seen
            if source in nodes:
                self._leave(source, nodes, pooled, gates)
        _pool(nodes, pooled, self.last)
        return nodes[self.last] if self.last in nodes else torch.zeros_like(x)

    def _leave(
        self, source: int, nodes: dict[int, Tensor], pooled: dict[tuple[int, int], Tensor], gates: Gates
    ) -> None:
        """All edges out of one node."""
        x, groups = nodes[source], dict[int, list[Term]]()
        for _, target, name in [o for o in self.order if o[0] == source]:
            mixed, gate = self.edges[name], gates[name]
            assert isinstance(mixed, Mixed)  # noqa: S101 -- made so by the supernet
            for option, weight, layer in zip(gate.options, gate.weights, mixed.taken(gate), strict=True):
                if option in self.zeros[name]:
                    continue
                if (
                    isinstance(layer, ReluConvBn) and type(layer.conv) is nn.Conv2d
                ):  # one that rounds runs alone
                    groups.setdefault(layer.conv.kernel_size[0], []).append(Term(target, weight, layer))
                elif isinstance(layer, nn.Identity):
                    _add(nodes, target, x, weight)
                elif window := _window(layer):
                    _add(pooled, (target, window), x, weight)
                else:
                    _add(nodes, target, layer(x), weight)
        if groups:
            _convolve(x.relu(), list(groups.values()), nodes)


def _window(layer: nn.Module) -> int:
    """The window of an average pooling that keeps the map and counts no padding, else 0."""
    same = isinstance(layer, nn.AvgPool2d) and layer.stride == 1 and not layer.count_include_pad
    return int(layer.kernel_size) if same else 0  # type: ignore[arg-type] -- ours are square


def _pool(nodes: dict[int, Tensor], pooled: dict[tuple[int, int], Tensor], target: int) -> None:
    """Adds what is pooled on its way to this target."""
    for key in [k for k in pooled if k[0] == target]:
        _add(nodes, target, average(pooled.pop(key), key[1]))


def average(x: Tensor, k: int) -> Tensor:
    """The k x k average pool of (n, c, h, w) that keeps the map; padding is not counted."""
    return Average.apply(x, k)


class Average(torch.autograd.Function):
    """Average pooling as a depthwise convolution with ones, several times faster than torch's on a CPU.

    A convolution of autograd's would keep its input for the backward pass; this needs nothing of it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, k: int) -> Tensor:  # type: ignore[override]
        """(n, c, h, w) -> the same shape."""
        ctx.k = k
        ones, share = _windows(k, *x.shape[1:], x.device, x.dtype)
        return nn.functional.conv2d(x, ones, None, 1, k // 2, 1, len(ones)).mul_(share)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        """The transposed map: shares first, then the sum over each window."""
        ones, share = _windows(ctx.k, *grad.shape[1:], grad.device, grad.dtype)
        return nn.functional.conv2d(grad * share, ones, None, 1, ctx.k // 2, 1, len(ones)), None


@lru_cache(maxsize=64)
def _windows(
    k: int, c: int, h: int, w: int, device: torch.device, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """(c, 1, k, k) ones, and (1, 1, h, w) one over the pixels that each window has."""
    with torch.inference_mode(False):
        ones = torch.ones(c, 1, k, k, device=device, dtype=dtype)
        full = torch.ones(1, 1, h, w, device=device, dtype=dtype)
        return ones, 1 / nn.functional.conv2d(full, ones[:1], None, 1, k // 2)


def _add(sums: dict[Any, Tensor], key: Any, y: Tensor, weight: Tensor | None = None) -> None:
    """Adds y, or weight * y."""
    before = sums.get(key)
    if weight is None:
        sums[key] = y if before is None else before + y
    else:
        sums[key] = weight * y if before is None else torch.addcmul(before, weight, y)


def _convolve(r: Tensor, groups: list[list[Term]], nodes: dict[int, Tensor]) -> None:
    """Adds to each target what the convolutions of (n, c, h, w) after ReLU bring."""
    sums: dict[tuple[int, ...], Tensor] = {}
    for terms in groups:  # one kernel size each
        targets, y = tuple(t.target for t in terms), _normed(r, terms)
        sums[targets] = sums[targets] + y if targets in sums else y
    for targets, y in sums.items():
        for target, part in zip(targets, y.chunk(len(targets), 1), strict=True):
            _add(nodes, target, part)


def _normed(r: Tensor, terms: Sequence[Term]) -> Tensor:
    """(n, terms * c, h, w): weighted batch norms of all convolutions, as one of each."""
    layers = [t.layer for t in terms]
    first = layers[0]
    y = nn.functional.conv2d(r, torch.cat([m.conv.weight for m in layers]), None, 1, first.conv.padding)  # type: ignore[arg-type]
    weights = torch.stack([t.weight.to(r) for t in terms])[:, None]
    scale = (weights * torch.stack([m.bn.weight for m in layers])).flatten()
    shift = (weights * torch.stack([m.bn.bias for m in layers])).flatten()
    mean, var = (torch.cat([getattr(m.bn, n) for m in layers]) for n in ("running_mean", "running_var"))
    train = first.bn.training
    out = nn.functional.batch_norm(y, mean, var, scale, shift, train, first.bn.momentum or 0.0, first.bn.eps)
    if train:
        with torch.no_grad():
            for m, one, other in zip(layers, mean.chunk(len(layers)), var.chunk(len(layers)), strict=True):
                m.bn.running_mean.copy_(one)  # type: ignore[union-attr] -- they are kept
                m.bn.running_var.copy_(other)  # type: ignore[union-attr]
                m.bn.num_batches_tracked.add_(1)  # type: ignore[union-attr]
    return out
