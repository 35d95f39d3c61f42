"""A network lent to a proxy: used as it stands, without a copy, and given back as it was.

Copying a network of a few hundred modules takes as long as a forward pass of it. What a look would change is
put aside instead: modes, batch norm's running statistics, and the forwards that are exchanged for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nascore.walk import walk

if TYPE_CHECKING:
    from torch import Tensor, nn


Makers = Mapping[
    Any, Callable[[Any], Callable[..., Any] | None]
]  # kind of module -> module -> its forward meanwhile, or None


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
    """Modules of these kinds have another forward for a while; the first kind that fits counts.

    A maker that gives None leaves its module as it is.
    """
    own: list[tuple[Any, Any]] = []
    makes: dict[type[Any], Any] = {}  # asked once a kind
    try:
        for _, module in walk(net):
            kind = type(module)
            if kind not in makes:
                makes[kind] = next((f for k, f in makers.items() if isinstance(module, k)), None)
            if (make := makes[kind]) is not None and (forward := make(module)) is not None:
                own.append((module, module.__dict__.get("forward")))
                module.__dict__["forward"] = forward
        yield
    finally:
        for module, before in reversed(own):
            if before is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = before


def by_pixel(x: Any) -> Any:
    """The same images, (n, c, h, w), with the channels of a pixel side by side in memory.

    Every layer keeps that order, and a CPU's convolutions take a sixth to a third less time. On other
    devices, and where examples are no maps, they stay as they are.
    """
    import torch

    if not isinstance(x, torch.Tensor) or x.dim() != 4 or x.device.type != "cpu":
        return x
    return x.contiguous(memory_format=torch.channels_last)


def product(layer: Any) -> Callable[[Tensor], Tensor] | None:
    """The forward of a 1x1 convolution as one product of pixels and weight; None for any other layer.

    Where the channels of a pixel lie side by side (`by_pixel`) the maps need not be moved, and the passes of
    small layers take a third less time than a CPU's convolutions do.
    """
    import torch

    more = type(layer) is not torch.nn.Conv2d  # such as rounding
    pads = layer.padding not in ((0, 0), "valid")
    if more or layer.kernel_size != (1, 1) or layer.stride != (1, 1) or layer.groups != 1 or pads:
        return None

    def forward(inputs: Tensor) -> Tensor:
        weight = layer.weight.flatten(1)
        return torch.nn.functional.linear(inputs.movedim(1, -1), weight, layer.bias).movedim(-1, 1)

    return forward
