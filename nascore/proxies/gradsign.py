"""GradSign (Zhang and Jia, 2022): do single examples pull each weight in the same direction?

At random weights, the signs of two examples' gradients on a weight agree the more often, the closer their
optima lie. For each weight of a convolution or linear layer the signs of the examples' gradients are added,
and the absolute sums are added over weights (Algorithm 1). The signs are taken example by example, before any
sum; a gradient of zero has sign 0.

An example goes through the network alone and in training mode, as in the released code, where batch norm then
normalizes each map by its own mean and variance. Doing so for all examples at once is the same function, so
one backward pass to the layers' outputs serves all; a layer's gradient for one example is then the product of
its input's patches and its output's gradient. A map of one pixel would become zero: `frozen` uses batch
norm's statistics at the start (mean 0, variance 1) instead. One batch and one start serve every network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from nascore.kinds import knob
from nascore.proxies.borrow import patched
from nascore.proxies.look import Guest

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch

HELD = 1 << 22  # numbers of one layer's patches or gradients that are held together


@dataclass(frozen=True)
class Gradsign(Guest):
    """Agreement of the signs of single examples' gradients; higher is better, and grows with size."""

    reduce: Literal["sum", "mean"] = knob(
        "sum", help="sum over weights, or their mean", options=("sum", "mean")
    )
    norm: Literal["per_image", "frozen"] = knob(
        "per_image", help="what batch norm divides by", options=("per_image", "frozen")
    )

    def visit(self, net: nn.Module, batch: Batch, problem: Problem) -> Tensor:
        """The sum or mean over weights of the absolute sum of signs."""
        import torch

        sums = sign_sums(net, batch, problem, self.norm).values()
        total = float(sum(int(s.abs().sum()) for s in sums))
        if self.reduce == "mean":
            total /= max(sum(s.numel() for s in sums), 1)
        return torch.tensor(total, dtype=torch.float64)


def sign_sums(net: nn.Module, batch: Batch, problem: Problem, norm: str = "per_image") -> dict[str, Tensor]:
    """Layer -> integers of its weight's shape: the sum over examples of the sign of each one's gradient.

    The network keeps weights and batch statistics. A layer that is called twice has the signs of the sums.
    """
    import torch

    calls: dict[str, list[tuple[Tensor, Tensor]]] = {}  # layer -> input and output of each call
    kinds = torch.nn.Conv2d | torch.nn.Linear
    layers: dict[str, Any] = {n: m for n, m in net.named_modules() if isinstance(m, kinds)}

    def note(name: str) -> Callable[[Any, Any, Tensor], None]:
        return lambda _, inputs, out: calls.setdefault(name, []).append((inputs[0].detach(), out))

    hooks = [m.register_forward_hook(note(n)) for n, m in layers.items()]
    modes = [(m, m.training) for m in net.modules()]
    try:
        with patched(net.train(), {torch.nn.BatchNorm2d: lambda m: _alone(m, norm)}):
            out = net(batch.x)
    finally:
        for hook in hooks:
            hook.remove()
        for module, mode in modes:
            module.training = mode
    terms = problem.task.losses(out, batch)
    loss = sum((t.sum() for t in terms.values()), start=out.new_zeros(()))
    outs = [o for found in calls.values() for _, o in found]
    felt = iter(torch.autograd.grad(loss, outs, allow_unused=True))
    sums: dict[str, Tensor] = {}
    for name, layer in layers.items():
        pairs = [(x, g) for x, _ in calls.get(name, []) if (g := next(felt)) is not None]
        sums[name] = _signs(layer, pairs)
    return sums


def _signs(layer: Any, pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Integers of the weight's shape, summed over examples, from a layer's inputs and outputs' gradients."""
    import torch

    total = torch.zeros(layer.weight.shape, dtype=torch.int64)
    if not pairs:
        return total
    n = len(pairs[0][0])
    largest = max(layer.weight.numel(), *(x[0].numel() * layer.weight[0, 0].numel() for x, _ in pairs))
    step = max(HELD // largest, 1)
    for at in range(0, n, step):
        each = [_gradients(layer, x[at : at + step], g[at : at + step]) for x, g in pairs]
        found = torch.nan_to_num(sum(each[1:], start=each[0])).sign().sum(0)
        total += found.long().cpu().view(total.shape)
    return total


def _gradients(layer: Any, x: Tensor, felt: Tensor) -> Tensor:
    """(n, outputs, inputs) gradients by the weight, flattened after the first two, of each example alone."""
    import torch

    if not isinstance(layer, torch.nn.Conv2d):  # (n, ..., features)
        return felt.reshape(len(x), -1, felt.shape[-1]).transpose(1, 2) @ x.reshape(len(x), -1, x.shape[-1])
    kernel, groups = layer.kernel_size, layer.groups
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        x = torch.nn.functional.pad(
            x,
            layer._reversed_padding_repeated_twice,
            mode="constant" if layer.padding_mode == "zeros" else layer.padding_mode,
        )
        padding: Any = 0
    else:
        padding = layer.padding
    patches = torch.nn.functional.unfold(x, kernel, layer.dilation, padding, layer.stride)
    n, _, places = patches.shape
    patches = patches.view(n * groups, -1, places)
    return (felt.reshape(n * groups, -1, places) @ patches.transpose(1, 2)).view(n, layer.out_channels, -1)


def _alone(layer: Any, norm: str) -> Callable[[Tensor], Tensor]:
    """The forward of a batch norm that sees one example alone, for all examples at once."""
    import torch

    def forward(x: Tensor) -> Tensor:
        n, c = x.shape[:2]
        if norm == "per_image":
            maps = x.reshape(1, n * c, *x.shape[2:])
            x = torch.batch_norm(maps, None, None, None, None, True, 0.0, layer.eps, False).view(x.shape)
        return x * layer.weight[:, None, None] + layer.bias[:, None, None]

    return forward
