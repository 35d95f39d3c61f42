"""The convolutions and linear layers of a network: where they stand, and what they hold and compute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from nascore.space import Arch, Space
    from nascore.task import Shape

SMALL = 300_000  # parameters of a network that is made to be counted


@dataclass(frozen=True)
class Place:
    """Where a layer stands, whatever an arch takes inside the blocks.

    Attributes:
        block: from 0.
        blocks: how many there are.
        end: whether it is a first layer, which sees the input, or a last one, which gives the output.
    """

    block: int = 0
    blocks: int = 1
    end: bool = False


@dataclass(frozen=True)
class Layer:
    """A convolution or a linear layer, or with an empty name all other trainable numbers together.

    Attributes:
        name: of its module, dots between the levels.
        weights: numbers in its weight.
        outputs: channels or features that come out.
        others: trainable numbers besides the weight: its bias, or all those of norms.
        flops: multiply-adds of one example, over all its calls; those of a bias are not counted.
        place: where it stands.
    """

    name: str
    weights: int
    outputs: int
    others: int
    flops: int
    place: Place = Place()


@dataclass(frozen=True)
class Trunk:
    """The blocks of a network: the items of its first list of modules, cells, stages or layers.

    Every network of a space has as many of them, and so has its supernet.
    """

    name: str
    blocks: int


def trunk_of(net: nn.Module) -> Trunk:
    """The trunk of a stand-alone network; one block without a name where it has no list."""
    from torch import nn

    lists = ((n, m) for n, m in net.named_modules() if isinstance(m, nn.ModuleList | nn.Sequential))
    return next((Trunk(n, len(m)) for n, m in lists if len(m)), Trunk("", 1))


def places(net: nn.Module, trunk: Trunk | None = None) -> dict[str, Place]:
    """The place of each convolution and linear layer, by name.

    What stands before the trunk belongs to its first block, what follows it to the last one. First layers
    are those before the trunk, or its first block where there are none; last layers those behind it with as
    many outputs as the very last one.

    Args:
        net: a stand-alone network or a supernet.
        trunk: of a stand-alone network; a supernet has its blocks under the same name, perhaps further down.
    """
    from torch import nn

    trunk = trunk or trunk_of(net)
    inside = re.compile(rf"(?:^|\.){re.escape(trunk.name)}\.(\d+)(?:\.|$)" if trunk.name else r"(?!)()")
    modules = dict(net.named_modules())
    layers = {n: m for n, m in modules.items() if isinstance(m, nn.Conv2d | nn.Linear)}
    numbers = {n: int(found[1]) if (found := inside.search(n)) else -1 for n in modules}
    start = next((i for i, n in enumerate(numbers.values()) if n >= 0), 0)
    behind = {n: i >= start for i, n in enumerate(numbers)}
    before = [n for n in layers if not behind[n]]
    after = [n for n in layers if behind[n] and numbers[n] < 0]
    first = before or [n for n in layers if numbers[n] == 0]
    last = [n for n in after if len(layers[n].weight) == len(layers[after[-1]].weight)]
    ends = {*first, *last} if trunk.name else {*[*layers][:1], *[*layers][-1:]}
    block = {n: numbers[n] if numbers[n] >= 0 else behind[n] * (trunk.blocks - 1) for n in layers}
    return {n: Place(block[n], trunk.blocks, n in ends) for n in layers}


def layout(space: Space, shape: Shape) -> nn.Module:
    """A stand-alone network of a space, which one does not matter, on torch's device without memory."""
    import numpy as np
    import torch

    from nascore.space import sample, tuples

    with torch.device("meta"), torch.random.fork_rng(devices=[]):
        return space.build(tuples(sample(space, 1, np.random.default_rng(0)))[0], shape)


@lru_cache(maxsize=4096)
def layers_of(space: Space, arch: Arch, shape: Shape) -> tuple[Layer, ...]:
    """The layers of the network of an arch in the order of its modules; the last one is the rest.

    The network is made and called: a small one as it is, which is five times faster, a large one on torch's
    device without memory.
    """
    import torch
    from torch import nn

    small = space.graph(arch, shape).params <= SMALL
    with torch.device("cpu" if small else "meta"), torch.no_grad(), torch.random.fork_rng(devices=[]):
        net = space.build(arch, shape).eval()
        found = {n: m for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}
        flops = dict.fromkeys(found, 0)

        def watch(name: str, module: nn.Conv2d | nn.Linear) -> Any:
            def seen(_: object, __: object, out: torch.Tensor) -> None:
                spots = out.shape[2:] if isinstance(module, nn.Conv2d) else out.shape[:-1]
                flops[name] += module.weight.numel() * spots.numel()

            return module.register_forward_hook(seen)

        hooks = [watch(name, module) for name, module in found.items()]
        inputs = {name: torch.zeros(1, *size) for name, size in shape.inputs}
        net(inputs if len(inputs) > 1 else next(iter(inputs.values())))
        for hook in hooks:
            hook.remove()
    place = places(net)
    layers = [
        Layer(n, m.weight.numel(), len(m.weight), 0 if m.bias is None else m.bias.numel(), flops[n], place[n])
        for n, m in found.items()
    ]
    rest = sum(p.numel() for p in net.parameters()) - sum(y.weights + y.others for y in layers)
    return (*layers, Layer("", 0, 0, rest, 0))
