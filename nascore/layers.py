"""The convolutions and linear layers of a network, counted on torch's device without memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nascore.space import Arch, Space
    from nascore.task import Shape


@dataclass(frozen=True)
class Layer:
    """A convolution or a linear layer, or with an empty name all other trainable numbers together.

    Attributes:
        name: of its module, dots between the levels.
        weights: numbers in its weight.
        outputs: channels or features that come out.
        others: trainable numbers besides the weight: its bias, or all those of norms.
        flops: multiply-adds of one example, over all its calls; those of a bias are not counted.
    """

    name: str
    weights: int
    outputs: int
    others: int
    flops: int


@lru_cache(maxsize=4096)
def layers_of(space: Space, arch: Arch, shape: Shape) -> tuple[Layer, ...]:
    """The layers of the network of an arch in the order of its modules; the last one is the rest."""
    import torch
    from torch import nn

    with torch.device("meta"), torch.no_grad():
        net = space.build(arch, shape).eval()
        found = {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
        flops = dict.fromkeys(found, 0)

        def watch(name: str, module: nn.Conv2d | nn.Linear) -> Any:
            def seen(_: object, __: object, out: torch.Tensor) -> None:
                spots = out.shape[2:] if isinstance(module, nn.Conv2d) else out.shape[:-1]
                flops[name] += module.weight.numel() * spots.numel()

            return module.register_forward_hook(seen)

        hooks = [watch(name, module) for name, module in found.items()]
        inputs = {name: torch.empty(1, *size) for name, size in shape.inputs}
        net(inputs if len(inputs) > 1 else next(iter(inputs.values())))
        for hook in hooks:
            hook.remove()
    layers = [
        Layer(n, m.weight.numel(), len(m.weight), 0 if m.bias is None else m.bias.numel(), flops[n])
        for n, m in found.items()
    ]
    rest = sum(p.numel() for p in net.parameters()) - sum(y.weights + y.others for y in layers)
    return (*layers, Layer("", 0, 0, rest, 0))
