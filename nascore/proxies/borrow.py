"""A network lent to a proxy: used as it stands, without a copy, and given back as it was.

Copying a network of a few hundred modules takes as long as a forward pass of it. What a look would change is
put aside instead: modes, batch norm's running statistics, and the forwards that are exchanged for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from nascore.task import Batch

Makers = Mapping[
    Any, Callable[[Any], Callable[..., Any]]
]  # kind of module -> module -> its forward meanwhile


def walk(net: nn.Module) -> list[tuple[str, Any]]:
    """(name, module) as `named_modules` has them, in half of its time: every look begins with this."""
    found: list[tuple[str, Any]] = []
    seen: set[Any] = set()

    def enter(name: str, module: Any) -> None:
        if module in seen:
            return
        seen.add(module)
        found.append((name, module))
        for own, child in module._modules.items():
            if child is not None:
                enter(f"{name}.{own}" if name else own, child)

    enter("", net)
    return found


@contextmanager
def borrowed(net: nn.Module) -> Iterator[nn.Module]:
    """The network in training mode; batch norms use the batch's statistics and keep none."""
    import torch

    kind = torch.nn.modules.batchnorm._BatchNorm
    modules = [m for _, m in walk(net)]
    judging = [m.__dict__ for m in modules if not m.training]  # past torch's slow way to set attributes
    tracking = [m.__dict__ for m in modules if isinstance(m, kind) and m.track_running_stats]
    try:
        for d in judging:
            d["training"] = True
        for d in tracking:
            d["track_running_stats"] = False
        yield net
    finally:
        for d in tracking:
            d["track_running_stats"] = True
        for d in judging:
            d["training"] = False


@contextmanager
def patched(net: nn.Module, makers: Makers) -> Iterator[None]:
    """Modules of these kinds have another forward for a while; the first kind that fits counts."""
    own: list[tuple[Any, Any]] = []
    makes: dict[type[Any], Any] = {}  # asked once a kind
    try:
        for _, module in walk(net):
            kind = type(module)
            if kind not in makes:
                makes[kind] = next((f for k, f in makers.items() if isinstance(module, k)), None)
            if (make := makes[kind]) is not None:
                own.append((module, module.__dict__.get("forward")))
                module.__dict__["forward"] = make(module)
        yield
    finally:
        for module, before in reversed(own):
            if before is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = before


def by_pixel(batch: Batch) -> Batch:
    """The same images, (n, c, h, w), with the channels of a pixel side by side in memory.

    Every layer keeps that order, and a CPU's convolutions take a sixth to a third less time. On other
    devices, and where examples are no maps, the batch stays as it is.
    """
    import torch

    x = batch.x
    if not isinstance(x, torch.Tensor) or x.dim() != 4 or x.device.type != "cpu":
        return batch
    return replace(batch, x=x.contiguous(memory_format=torch.channels_last))
