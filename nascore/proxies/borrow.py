"""A network lent to a proxy: used as it stands, without a copy, and given back as it was.

Copying a network of a few hundred modules takes as long as a forward pass of it. What a look would change is
put aside instead: modes, batch norm's running statistics, and the forwards that are exchanged for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

Makers = Mapping[
    Any, Callable[[Any], Callable[..., Any]]
]  # kind of module -> module -> its forward meanwhile


@contextmanager
def borrowed(net: nn.Module) -> Iterator[nn.Module]:
    """The network in training mode; batch norms use the batch's statistics and keep none."""
    import torch

    modes = [(m, m.training) for m in net.modules()]
    kind = torch.nn.modules.batchnorm._BatchNorm
    tracking = [m for m, _ in modes if isinstance(m, kind) and m.track_running_stats]
    for norm in tracking:
        norm.track_running_stats = False
    try:
        for module, _ in modes:
            module.training = True
        yield net
    finally:
        for norm in tracking:
            norm.track_running_stats = True
        for module, mode in modes:
            module.training = mode


@contextmanager
def patched(net: nn.Module, makers: Makers) -> Iterator[None]:
    """Modules of these kinds have another forward for a while; the first kind that fits counts."""
    own: list[tuple[Any, Any]] = []
    try:
        for module in net.modules():
            make = next((f for kind, f in makers.items() if isinstance(module, kind)), None)
            if make is not None:
                own.append((module, module.__dict__.get("forward")))
                module.__dict__["forward"] = make(module)
        yield
    finally:
        for module, before in reversed(own):
            if before is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = before


def quick_pool(layer: Any) -> Callable[[Tensor], Tensor]:
    """The forward of an average pool that keeps the map, as matrix products: 3 to 10 times faster on a CPU.

    A small map takes one matrix (nascore/batched.py), a larger one a product for its rows and one for its
    columns: with padding left out of the mean, the pool is separable. Other pools stay as they are.
    """
    k, one = layer.kernel_size, (1, (1, 1))
    keeps = isinstance(k, int) and k % 2 and layer.stride in one and layer.padding == k // 2
    if not keeps or layer.count_include_pad or layer.divisor_override:
        return layer.forward
    from nascore.batched import SMALL_MAP, pool

    def forward(x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        if h * w <= SMALL_MAP:
            return pool(x, k)
        return _band(k, h, x).T @ (x @ _band(k, w, x))

    return forward


def _band(k: int, size: int, like: Tensor) -> Tensor:
    """(size, size): column j holds the weights of the mean of the k pixels around j."""
    from nascore.batched import pool_matrix

    return pool_matrix(k, 1, size, like.device, like.dtype)
