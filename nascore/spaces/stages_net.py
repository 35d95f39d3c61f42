"""The networks of a stages space: the plain one of an arch, and supernets of entangled or separate weights.

Modules are named by stage, layer and kind of block (`stages.0.1.ops.0.point.conv.weight`), in a stand-alone
network as in an entangled supernet. A supernet with separate weights has one plain block for each combination
of a layer's settings below that (`stages.0.1.ops.0.ops.1_0_2...`).

Where gates list several resolutions or strides, maps of unlike size cannot be added: the network is computed
for each combination and the logits are mixed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.entangle import Axis, Linear, axis, is_hard, mixed_depth
from nascore.gates import Gate, Gates
from nascore.ops import init_weights
from nascore.space import Arch, Choice, Sharing
from nascore.spaces.stages_blocks import ACTS, ConvNorm, Sizes, block
from nascore.spaces.stages_layer import HAS, Layer
from nascore.supernet import Inputs, Joint, Supernet
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.spaces.stages import Role, Slot, Stages


class StageLayer(Joint):
    """One place of a stage; one module under the index of each kind of block that is open."""

    def forward(self, x: Tensor) -> Tensor:
        """As the only block that there is."""
        return next(iter(self.ops.values()))(x)


class Resize(nn.Module):
    """Bilinear to a square of this side."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, c, side, side)."""
        return F.interpolate(x, (self.side, self.side), mode="bilinear", align_corners=False)


class Head(nn.Module):
    """An optional 1x1 convolution, the mean over the map, an optional wide layer, a linear layer."""

    def __init__(self, space: Stages, channels: int, classes: int, nested: bool) -> None:
        super().__init__()
        act, last = space.activation, space.head or channels
        make: Any = Linear if nested else nn.Linear
        self.wide = ConvNorm(channels, last, act=act, nested=nested) if space.head else nn.Identity()
        self.features = (
            nn.Sequential(make(last, space.features, bias=False), ACTS[act]())
            if space.features
            else nn.Identity()
        )
        self.linear = make(space.features or last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, classes); a nested head takes fewer channels as they come."""
        return self.linear(self.features(self.wide(x).mean((2, 3))))

    def nested(self, x: Tensor) -> Tensor:
        """The same where channels may be fewer than there are weights for."""
        if isinstance(self.wide, ConvNorm):
            x = self.wide(x, Axis((self.wide.conv.out_channels,)))
        return self.linear(self.features(x.mean((2, 3))))


class StagesNet(nn.Module):
    """The stand-alone network of one arch, of plain layers."""

    def __init__(self, space: Stages, arch: Arch, shape: Shape) -> None:
        super().__init__()
        side = space.value(space.resolution, arch)
        self.resize = nn.Identity() if side in (0, *_square(shape)) else Resize(side)
        self.stem = ConvNorm(shape.image[0], space.stem, 3, space.stem_stride, act=space.activation)
        rows = []
        for slots, layers in zip(space.slots(), space.layers(arch), strict=True):
            pairs = zip(slots, layers, strict=False)
            rows.append(nn.Sequential(*(_alone(s, y, space, arch) for s, y in pairs)))
        self.stages = nn.Sequential(*rows)
        self.head = Head(space, space.layers(arch)[-1][-1].outputs, shape.classes, nested=False)
        init_weights(self)

    def forward(self, x: Tensor) -> Tensor:
        """(n, colors, h, w) -> (n, classes)."""
        return self.head(self.stages(self.stem(self.resize(x))))


def _alone(slot: Slot, layer: Layer, space: Stages, arch: Arch) -> StageLayer:
    index = slot.block.values.index(space.value(slot.block, arch))
    return StageLayer((slot.block.choice,), {(index,): block(layer, slot.activation)})


def _square(shape: Shape) -> tuple[int, ...]:
    """The side of the task's images where they are square."""
    _, h, w = shape.image
    return (h,) if h == w else ()


@dataclass(frozen=True)
class Open:
    """Which option indices of each setting a supernet allocates."""

    choices: Mapping[str, Choice]

    def __call__(self, role: Role) -> tuple[int, ...]:
        """The open indices."""
        return self.choices[role.choice].open if role.choice else (0,)

    def values(self, role: Role) -> list[Any]:
        """The open values."""
        return [role.values[i] for i in self(role)]


class StagesSupernet(Supernet):
    """All open options of every stage; says in `sharing` whether their weights are nested or apart."""

    def __init__(self, space: Stages, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> None:
        super().__init__(space, shape)
        self.sharing, self.spaces = sharing, space
        self.slots = space.slots()
        open_ = Open({c.name: c for c in choices})
        self.stem = ConvNorm(shape.image[0], space.stem, 3, space.stem_stride, act=space.activation)
        self.stages = nn.ModuleList(
            nn.ModuleList(_layer(s, sharing, open_) for s in row[: max(open_.values(space.depth(i)))])
            for i, row in enumerate(self.slots)
        )
        widest = max(open_.values(self.slots[-1][0].outputs))
        self.head = Head(space, widest, shape.classes, nested=True)
        init_weights(self)

    def forward(self, x: Inputs, gates: Gates) -> Tensor:
        """(n, colors, h, w) -> (n, classes) under these gates."""
        strides = [row[0].stride for row in self.slots]
        asked = [_gate(gates, role) for role in (self.spaces.resolution, *strides)]
        total: Any = None
        for taken in itertools.product(*(zip(g.options, g.weights, strict=True) for g in asked)):
            options = [i for i, _ in taken]
            out = self._one(x, gates, self.spaces.resolutions[options[0]], options[1:])
            if all(is_hard(g) for g in asked):
                return out
            term = math.prod((w for _, w in taken), start=1.0) * out
            total = term if total is None else total + term
        return total

    def _one(self, x: Any, gates: Gates, side: int, strides: Sequence[int]) -> Tensor:
        """At one resolution (0 for the image's own) and one stride option a stage."""
        if side and tuple(x.shape[2:]) != (side, side):
            x = F.interpolate(x, (side, side), mode="bilinear", align_corners=False)
        x, inputs = self.stem(x), Axis((self.spaces.stem,))
        for i, (row, stride) in enumerate(zip(self.slots, strides, strict=True)):
            layers: Any = self.stages[i]
            depth = self.spaces.depth(i)
            gate = _gate(gates, depth)
            outputs = _axis(gates, row[0].outputs)
            maps = [x]
            deepest = max(depth.values[o] for o in gate.options)
            for slot, layer in zip(row[:deepest], layers, strict=False):
                before = inputs if slot.number == 1 else outputs
                maps.append(self._layer(slot, layer, maps[-1], gates, before, outputs, stride))
            x, inputs = mixed_depth(maps, gate, depth.values), outputs
        return self.head.nested(x)

    def _layer(
        self, slot: Slot, layer: Any, x: Tensor, gates: Gates, before: Axis, after: Axis, stride: int
    ) -> Tensor:
        here = slot.stride.values[stride if slot.number == 1 else 0]
        only = {**gates, slot.stride.choice: Gate((stride,), torch.ones(1))} if slot.stride.choice else gates
        terms = []
        for _, weight, module in layer.taken(gates):
            if isinstance(module, Joint):
                y = _combined(module, x, slot, only)
            else:
                y = module(x, _sizes(slot, gates, before, after, here))
            terms.append(y if isinstance(weight, float) else weight * y)
        if len(terms) == 1 and is_hard(_gate(gates, slot.block)):
            return terms[0]
        return sum(terms[1:], start=terms[0])

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        child: Any = super().extract(arch)
        if self.sharing == "entangled":
            return child
        for row, slots, mine in zip(child.stages, self.slots, self.stages, strict=True):
            joined: Any = mine
            for layer, slot, joints in zip(row, slots, joined, strict=False):
                for kind, alone in layer.ops.items():
                    roles = _decide(slot, slot.block.values[int(kind)]).values()
                    key = [_index(self.spaces, r, arch) for r in roles]
                    alone.load_state_dict(joints.ops[kind].ops["_".join(map(str, key))].state_dict())
        return child


def _index(space: Stages, role: Role, arch: Arch) -> int:
    return role.values.index(space.value(role, arch)) if role.choice else 0


def _gate(gates: Gates, role: Role) -> Gate:
    return gates[role.choice] if role.choice else Gate((0,), torch.ones(1))


def _axis(gates: Gates, role: Role) -> Axis:
    return axis(_gate(gates, role), role.values)


def _sizes(slot: Slot, gates: Gates, before: Axis, after: Axis, stride: int) -> Sizes:
    squeeze = _gate(gates, slot.squeeze)
    on = [w for o, w in zip(squeeze.options, squeeze.weights, strict=True) if slot.squeeze.values[o]]
    share: Tensor | float = float(bool(on)) if is_hard(squeeze) else sum(on, start=torch.zeros(()))
    return Sizes(before, after, _axis(gates, slot.kernel), _axis(gates, slot.expansion), share, stride)


def _decide(slot: Slot, kind: str) -> dict[str, Role]:
    """The settings that make a difference to a block of this kind; one width if input and output share it."""
    ends = {"outputs": slot.outputs} if slot.number > 1 else {"inputs": slot.inputs, "outputs": slot.outputs}
    return {**ends, "stride": slot.stride, **{k: getattr(slot, k) for k in HAS if kind in HAS[k]}}


def _combined(joint: Joint, x: Tensor, slot: Slot, gates: Gates) -> Tensor:
    """The mixture over plain blocks; each reads the channels of its width, narrow outputs come first."""
    terms = []
    for options, weight, module in joint.taken(gates):
        y = module(x[:, : slot.inputs.values[options[0]]])  # the width of the input stands first
        terms.append(y if isinstance(weight, float) else weight * y)
    wide = max(t.shape[1] for t in terms)
    return sum(
        (F.pad(t, (0, 0, 0, 0, 0, wide - t.shape[1])) for t in terms[1:]), start=_padded(terms[0], wide)
    )


def _padded(x: Tensor, channels: int) -> Tensor:
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1])) if x.shape[1] < channels else x


def _layer(slot: Slot, sharing: Sharing, open_: Open) -> StageLayer:
    make = _nested if sharing == "entangled" else _apart
    kinds = {(i,): make(slot, slot.block.values[i], open_) for i in open_(slot.block)}
    return StageLayer((slot.block.choice,), kinds)


def _nested(slot: Slot, kind: str, open_: Open) -> nn.Module:
    """One block of the largest sizes; its bridge is there if some sizes need it."""
    inputs, outputs = open_.values(slot.inputs), open_.values(slot.outputs)
    differ = slot.inputs is not slot.outputs and (len(inputs) > 1 or inputs != outputs)
    layer = Layer(
        kind,
        max(inputs),
        max(outputs),
        max(open_.values(slot.kernel)),
        max(open_.values(slot.expansion)),
        any(open_.values(slot.squeeze)),
        max(open_.values(slot.stride)),
        expands=slot.expands,
        sometimes=differ,
    )
    return block(layer, slot.activation, nested=True)


def _apart(slot: Slot, kind: str, open_: Open) -> nn.Module:
    """One plain block for each combination of the settings that make a difference."""
    roles = _decide(slot, kind)
    out = {}
    for row in itertools.product(*(open_(r) for r in roles.values())):
        values = {n: r.values[i] for (n, r), i in zip(roles.items(), row, strict=True)}
        layer = Layer(kind, **{"inputs": values["outputs"], **values}, expands=slot.expands)
        out[row] = block(layer, slot.activation)
    return Joint([r.choice for r in roles.values()], out)
