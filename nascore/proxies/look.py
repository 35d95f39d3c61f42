"""One look at an untrained network that many proxies share: a forward pass, and backward passes as asked.

The forward pass is in training mode on a copy, so batch statistics of the network never move. What nobody
asks for is not computed: without curvature no second-order graph is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from nascore.kinds import Proxy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch

Need = Literal["weights", "gradients", "outputs", "input", "curvature", "codes"]


@dataclass
class Seen:
    """What a look found; layers are convolutions and linear layers by their names.

    Attributes:
        weights: layer -> its weight.
        gradients: layer -> gradient of the mean loss, absent where the loss does not reach.
        outputs: (output, its gradient) of each call of a layer, in order, with the layer's name.
        input_gradient: gradient of the sum of all outputs, of the batch's shape.
        curvature: layer -> Hessian of the loss times its gradient.
        codes: of every ReLU, (n, units): 1 where the unit fires, else 0.
    """

    weights: dict[str, Tensor]
    gradients: dict[str, Tensor] = field(default_factory=dict)
    outputs: list[tuple[str, Tensor, Tensor]] = field(default_factory=list)
    input_gradient: Tensor | None = None
    curvature: dict[str, Tensor] = field(default_factory=dict)
    codes: list[Tensor] = field(default_factory=list)

    @cached_property
    def products(self) -> dict[str, Tensor]:
        """Layer -> weight times gradient, elementwise."""
        return {n: self.weights[n] * g for n, g in self.gradients.items()}


class Looking(Proxy):
    """A proxy that reads a `Seen`: it says what it needs and writes `read`."""

    needs: tuple[Need, ...] = ()

    def read(self, seen: Seen) -> Tensor:
        """The score, a double, of what a look found."""
        ...

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) scores; each network is looked at once."""
        import torch

        return torch.stack([self.read(look(net, batch, problem, self.needs)) for net in nets])


class Summed(Looking):
    """A proxy that is a sum over layers, and so can say which layers count."""

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> its share."""
        ...

    def read(self, seen: Seen) -> Tensor:
        """The sum over layers."""
        shares = [v.detach().double() for v in self.parts(seen).values()]
        return sum(shares, start=_zero(seen))

    def layers(self, net: nn.Module, batch: Batch, problem: Problem) -> dict[str, float]:
        """Each layer's share of the score of one network."""
        return {n: float(v) for n, v in self.parts(look(net, batch, problem, self.needs)).items()}


def _zero(seen: Seen) -> Tensor:
    import torch

    device = next(iter(seen.weights.values())).device if seen.weights else None
    return torch.zeros((), dtype=torch.float64, device=device)


def scores(
    proxies: dict[str, Any], nets: Sequence[nn.Module], batch: Batch, problem: Problem
) -> dict[str, Tensor]:
    """(n,) scores by each proxy's name; those that only read share one look at each network."""
    import torch

    shared = {n: p for n, p in proxies.items() if isinstance(p, Looking)}
    needs: set[Need] = {need for p in shared.values() for need in p.needs}
    rows: dict[str, list[Tensor]] = {n: [] for n in shared}
    for net in nets:
        if shared:
            seen = look(net, batch, problem, needs)
            for name, proxy in shared.items():
                rows[name].append(proxy.read(seen))
    found = {n: torch.stack(r) for n, r in rows.items() if r}
    alone = {n: p.score(nets, batch, problem) for n, p in proxies.items() if n not in shared}
    return {n: (found | alone)[n] for n in proxies}


def look(net: nn.Module, batch: Batch, problem: Problem, needs: Collection[Need]) -> Seen:
    """A forward pass of a copy of `net` on `batch` and the backward passes that `needs` ask for."""
    import copy

    import torch

    twin = copy.deepcopy(net).train()
    kinds = torch.nn.Conv2d | torch.nn.Linear
    layers: dict[str, Any] = {n: m for n, m in twin.named_modules() if isinstance(m, kinds)}
    weights = {n: m.weight for n, m in layers.items()}
    seen = Seen(weights)
    if not set(needs) - {"weights"}:
        return seen
    calls: list[tuple[str, Tensor]] = []
    if "outputs" in needs:
        for name, layer in layers.items():
            layer.register_forward_hook(lambda _m, _x, out, name=name: calls.append((name, out)))
    x: Any = batch.x
    if "input" in needs:
        x = x.detach().requires_grad_(True)
    out = _forward(twin, x, seen.codes if "codes" in needs else None)
    curved, later = "curvature" in needs, "input" in needs
    if {"gradients", "outputs", "curvature"} & set(needs):
        terms = problem.task.losses(out, batch)
        loss = sum((t.mean() for t in terms.values()), start=torch.zeros((), device=out.device))
        asked = [*weights.values(), *(o for _, o in calls)]
        grads = torch.autograd.grad(
            loss, asked, allow_unused=True, create_graph=curved, retain_graph=curved or later
        )
        found = {n: g for n, g in zip(weights, grads, strict=False) if g is not None}
        if curved:
            seen.curvature = _curvature(weights, found, later)
        seen.gradients = {n: g.detach() for n, g in found.items()}
        seen.outputs = [
            (n, o.detach(), g.detach())
            for (n, o), g in zip(calls, grads[len(weights) :], strict=True)
            if g is not None
        ]
    if later:
        (given,) = torch.autograd.grad(out.sum(), x, allow_unused=True)
        seen.input_gradient = torch.zeros_like(x) if given is None else given
    seen.weights = {n: w.detach() for n, w in weights.items()}
    return seen


def _curvature(weights: dict[str, Any], grads: dict[str, Tensor], retain: bool) -> dict[str, Tensor]:
    """Layer -> Hessian times gradient: the gradient of the gradient's product with itself, one held fixed."""
    import torch

    bent = [g for g in grads.values() if g.requires_grad]
    if not bent:
        return {}
    product = sum(((g.detach() * g).sum() for g in bent), start=torch.zeros((), device=bent[0].device))
    found = torch.autograd.grad(product, [weights[n] for n in grads], allow_unused=True, retain_graph=retain)
    return {n: h.detach() for n, h in zip(grads, found, strict=True) if h is not None}


def _forward(net: nn.Module, x: Any, codes: list[Tensor] | None) -> Tensor:
    """The output; `codes` receives the code of every ReLU, module or function."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    if codes is None:
        return net(x)
    relus = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if func in relus:
                codes.append((out > 0).flatten(1).float())  # sums of these below 2^24 are exact
            return out

    with Watch():
        return net(x)


def features(net: nn.Module, x: Any) -> Tensor:
    """What the last mean over a map (or over tokens) of one training-mode forward pass averages, (n, ...).

    The network is used as it is, without gradient: give a copy where its batch statistics must not move.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    pooled = (
        torch.ops.aten.mean.dim,
        torch.ops.aten._adaptive_avg_pool2d.default,
        torch.ops.aten.adaptive_avg_pool2d.default,
    )
    found: list[Tensor] = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in pooled and args[0].dim() > 2:
                found[:] = [args[0]]
            return func(*args, **(kwargs or {}))

    with torch.no_grad(), Watch():
        out = net.train()(x)
    return found[0] if found else out
