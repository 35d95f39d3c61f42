"""One look at an untrained network that many proxies share: a forward pass, and backward passes as asked.

The forward pass is in training mode on a copy, or on the network itself where it is borrowed, so batch
statistics never move. What nobody asks for is not computed: without curvature no second-order graph is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

from nascore.kinds import Proxy
from nascore.proxies.borrow import borrowed, by_pixel, patched, product
from nascore.walk import walk

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch

Need = Literal["weights", "gradients", "pulls", "input", "curvature", "codes", "features", "flops"]


@dataclass
class Seen:
    """What a look found; layers are convolutions and linear layers by their names.

    Attributes:
        weights: layer -> its weight.
        gradients: layer -> gradient of the mean loss, absent where the loss does not reach.
        pulls: of each call of a layer, by its name: (n, channels) output times gradient, summed over the map.
        input_gradient: gradient of the sum of all outputs, of the batch's shape.
        curvature: layer -> Hessian of the loss times its gradient.
        codes: what every ReLU gave, (n, units) in the order of memory: positive where a unit fires, else 0.
        features: what the last mean over a map (or over tokens) averages, (n, ...); else the output.
        flops: multiply-adds of one example.
    """

    weights: dict[str, Tensor]
    gradients: dict[str, Tensor] = field(default_factory=dict)
    pulls: list[tuple[str, Tensor]] = field(default_factory=list)
    input_gradient: Tensor | None = None
    curvature: dict[str, Tensor] = field(default_factory=dict)
    codes: list[Tensor] = field(default_factory=list)
    features: Tensor | None = None
    flops: float = 0.0

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

    def reader(self, batch: Batch, problem: Problem) -> Callable[[Seen], Tensor]:
        """What reads many networks' looks on one batch; here `read` itself."""
        return self.read


class Guest(Proxy):
    """A proxy with passes of its own: it writes `visit`, which leaves a borrowed network as it was."""

    def visit(self, net: nn.Module, batch: Batch, problem: Problem) -> Tensor:
        """The score, a double, of one borrowed network (nascore/proxies/borrow.py)."""
        ...

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) scores."""
        import torch

        found: list[Tensor] = []
        for net in nets:
            with borrowed(net):
                found.append(self.visit(net, batch, problem))
        return torch.stack(found)


class Summed(Looking):
    """A proxy that is a sum over layers, and so can say which layers count."""

    def parts(self, seen: Seen) -> dict[str, Tensor]:
        """Layer -> its share."""
        ...

    def read(self, seen: Seen) -> Tensor:
        """The sum over layers."""
        import torch

        shares = [v.detach() for v in self.parts(seen).values()]
        return torch.stack(shares).double().sum() if shares else _zero(seen)

    def layers(self, net: nn.Module, batch: Batch, problem: Problem) -> dict[str, float]:
        """Each layer's share of the score of one network."""
        return {n: float(v) for n, v in self.parts(look(net, batch, problem, self.needs)).items()}


def _zero(seen: Seen) -> Tensor:
    import torch

    device = next(iter(seen.weights.values())).device if seen.weights else None
    return torch.zeros((), dtype=torch.float64, device=device)


def scores(
    proxies: dict[str, Any], nets: Iterable[nn.Module], batch: Batch, problem: Problem
) -> dict[str, Tensor]:
    """(n,) scores by each proxy's name; no network is copied, and those that only read share one look.

    Networks are taken one by one; one that was scored is not needed any more.
    """
    import torch

    readers = {n: p.reader(batch, problem) for n, p in proxies.items() if isinstance(p, Looking)}
    guests = {n: p.visit for n, p in proxies.items() if isinstance(p, Guest)}
    needs: set[Need] = {need for n in readers for need in proxies[n].needs}
    rows: dict[str, list[Tensor]] = {n: [] for n in proxies}
    turned = replace(batch, x=by_pixel(batch.x))
    for net in nets:
        for name, found in rows.items():
            if name not in readers and name not in guests:
                found.append(proxies[name].score([net], batch, problem)[0])
        with borrowed(net):
            for name, visit in guests.items():
                rows[name].append(visit(net, batch, problem))
            if readers:
                seen = glance(net, turned, problem, needs)
                for name, read in readers.items():
                    rows[name].append(read(seen))
    return {n: torch.stack(r) if r else torch.zeros(0, dtype=torch.float64) for n, r in rows.items()}


def look(net: nn.Module, batch: Batch, problem: Problem, needs: Collection[Need]) -> Seen:
    """A forward pass of a copy of `net` on `batch` and the backward passes that `needs` ask for."""
    import copy

    return glance(copy.deepcopy(net).train(), replace(batch, x=by_pixel(batch.x)), problem, needs)


def glance(net: nn.Module, batch: Batch, problem: Problem, needs: Collection[Need]) -> Seen:
    """The same of a network in training mode that nobody minds: a copy, or one that is borrowed."""
    import torch

    kinds = (torch.nn.Conv2d, torch.nn.Linear)
    layers: dict[str, Any] = {n: m for n, m in walk(net) if isinstance(m, kinds)}
    weights = {n: m.weight for n, m in layers.items()}
    seen = Seen({n: w.detach() for n, w in weights.items()})
    if not set(needs) - {"weights"}:
        return seen
    x: Any = batch.x
    if "input" in needs or ("codes" in needs and x.is_floating_point()):
        x = x.detach().requires_grad_(True)  # for codes too: a graph that begins with the first ReLU
    out, calls = _forward(net, x, layers, seen, needs)
    later = "input" in needs
    if {"gradients", "pulls", "curvature"} & set(needs):
        terms = problem.task.losses(out, batch)
        loss = sum((t.mean() for t in terms.values()), start=torch.zeros((), device=out.device))
        _backward(seen, loss, weights, calls, "curvature" in needs, later)
    if later:
        (given,) = torch.autograd.grad(out.sum(), x, allow_unused=True)
        seen.input_gradient = torch.zeros_like(x) if given is None else given
    return seen


@contextmanager
def _pulled(seen: Seen, calls: list[tuple[str, Tensor]]) -> Iterator[None]:
    """While the loss goes backward `seen` notes each call's pull; the gradient itself is not kept."""

    def note(name: str, out: Tensor, grad: Tensor) -> None:
        each = out.detach() * grad.detach()
        seen.pulls.append((name, each.sum(tuple(range(2, each.dim()))) if each.dim() > 2 else each))

    hooks = [out.register_hook(partial(note, name, out)) for name, out in calls if out.requires_grad]
    try:
        yield
    finally:
        seen.pulls.reverse()
        for hook in hooks:
            hook.remove()


def _backward(
    seen: Seen,
    loss: Tensor,
    weights: dict[str, Any],
    calls: list[tuple[str, Tensor]],
    curved: bool,
    later: bool,
) -> None:
    """The loss's gradients by weights, the pulls of the calls, and what is asked of the curvature."""
    import torch

    asked = list(weights.values())
    with _pulled(seen, calls):
        grads = torch.autograd.grad(
            loss, asked, allow_unused=True, create_graph=curved, retain_graph=curved or later
        )
    found = {n: g for n, g in zip(weights, grads, strict=True) if g is not None}
    if curved:
        seen.curvature = _curvature(weights, found, later)
    seen.gradients = {n: g.detach() for n, g in found.items()}


def _curvature(weights: dict[str, Any], grads: dict[str, Tensor], retain: bool) -> dict[str, Tensor]:
    """Layer -> Hessian times gradient: the gradient of the gradient's product with itself, one held fixed."""
    import torch

    bent = [g for g in grads.values() if g.requires_grad]
    if not bent:
        return {}
    product = sum(((g.detach() * g).sum() for g in bent), start=torch.zeros((), device=bent[0].device))
    found = torch.autograd.grad(product, [weights[n] for n in grads], allow_unused=True, retain_graph=retain)
    return {n: h.detach() for n, h in zip(grads, found, strict=True) if h is not None}


def _forward(
    net: nn.Module, x: Any, layers: dict[str, Any], seen: Seen, needs: Collection[Need]
) -> tuple[Tensor, list[tuple[str, Tensor]]]:
    """The output and, if asked, each layer's output in order; `seen` is told what a forward pass shows."""
    import torch

    calls: list[tuple[str, Tensor]] = []
    keeps = "pulls" in needs

    def note(name: str, layer: Any, out: Tensor) -> None:
        seen.flops += out[0].numel() * (layer.weight[0].numel() + (layer.bias is not None))
        if keeps:
            calls.append((name, out))

    asked = layers.items() if keeps or "flops" in needs else ()
    hooks = [m.register_forward_hook(lambda m, _x, out, n=n: note(n, m, out)) for n, m in asked]
    watch = _watch(seen) if "features" in needs else nullcontext()
    try:
        with patched(net, {torch.nn.Conv2d: product} if _pixelwise(x) else {}), watch:
            out = net(x)
    finally:
        for hook in hooks:
            hook.remove()
    if "features" in needs and seen.features is None:
        seen.features = out.detach()
    if "codes" in needs:
        seen.codes = [_units(made.detach()) for made in _relus(out)]
    return out, calls


def _pixelwise(x: Any) -> bool:
    """Whether these are maps on a CPU with the channels of a pixel side by side (`by_pixel`)."""
    import torch

    maps = isinstance(x, torch.Tensor) and x.dim() == 4 and x.device.type == "cpu"
    return maps and x.is_contiguous(memory_format=torch.channels_last)


def _watch(seen: Seen) -> Any:
    """Sees every mean over dimensions, in a module or not, and notes what it averages."""
    import torch
    from torch.overrides import TorchFunctionMode

    f, t = torch.nn.functional, torch.Tensor
    means = {t.mean, torch.mean, f.adaptive_avg_pool2d}

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = kwargs or {}
            out = func(*args, **given)
            several = len(args) > 1 or given.keys() & {"dim", "output_size"}
            if func in means and args[0].dim() > 2 and several:
                seen.features = args[0].detach()
            return out

    return Watch()


def _relus(out: Tensor) -> list[Tensor]:
    """What every ReLU on the way to `out` gave, however it was called: autograd's graph keeps it."""
    found: list[Tensor] = []
    ahead, met = [out.grad_fn], {None, out.grad_fn}
    while ahead:
        node: Any = ahead.pop()
        if node is None:
            continue
        if node.name() == "ReluBackward0":
            found.append(node._saved_result)
        for further, _ in node.next_functions:
            if further not in met:
                met.add(further)
                ahead.append(further)
    return found


def _units(made: Tensor) -> Tensor:
    """(n, units), no copy of maps by pixel: all images have the same order, whatever it is."""
    return (made if made.is_contiguous() else made.movedim(1, -1)).flatten(1)


def features(net: nn.Module, x: Any) -> Tensor:
    """What the last mean over a map (or over tokens) of one forward pass averages, (n, ...)."""
    import torch

    seen = Seen({})
    with torch.no_grad():
        _forward(net, x, {}, seen, ("features",))
    assert seen.features is not None  # noqa: S101 -- the output at least
    return seen.features
