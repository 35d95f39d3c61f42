"""The data-defined space of stages: rows of equal blocks with widths, depths, kernels and so on to choose.

A network is a stem, the stages and a head. Every tuple of a `Stage` lists options; a tuple of length one
gives no choice. `Slot` says where the settings of one layer come from; choices, costs, graph, stand-alone
network and supernets all read it. MobileNet (spaces/mobilenet.py) is one instance, stages_layer.py says what
the blocks are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from nascore.cost import Cost, Size, convolution, linear, norm, strided
from nascore.errors import BadInput
from nascore.graph import Block, Edge, Graph, Node
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space, Value
from nascore.spaces.stages_layer import ACTIVATIONS, BLOCKS, HAS, HEAD, Layer

if TYPE_CHECKING:
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape


@dataclass(frozen=True)
class Stage:
    """A row of blocks with one width; the first may have a stride. Each tuple lists the options."""

    blocks: tuple[str, ...] = knob(("conv",), help="kinds of block", options=BLOCKS)
    widths: tuple[int, ...] = knob((16,), 1, 4096, "output channels")
    depths: tuple[int, ...] = knob((1,), 1, 64, "how many blocks")
    strides: tuple[int, ...] = knob((1,), 1, 4, "stride of the first block")
    kernels: tuple[int, ...] = knob((3,), 1, 15, "side of the kernel, odd")
    expansions: tuple[int, ...] = knob((1,), 1, 16, "how much wider a block is inside")
    squeeze: tuple[bool, ...] = knob((False,), help="squeeze and excite in mbconv blocks")
    per: Literal["stage", "layer"] = knob(
        "stage",
        help="whether block, kernel, expansion and squeeze are chosen once, or for each block",
        options=("stage", "layer"),
    )
    activation: Literal["relu", "hardswish"] = knob(
        "relu", help="what follows batch norms", options=ACTIVATIONS
    )

    def __post_init__(self) -> None:
        for name in ("blocks", "widths", "depths", "strides", "kernels", "expansions", "squeeze"):
            _check_options(name, getattr(self, name))
        if unknown := [b for b in self.blocks if b not in BLOCKS]:
            raise BadInput(f"blocks: {unknown[0]!r} is none of {', '.join(BLOCKS)}")
        for name in ("widths", "depths", "strides", "kernels", "expansions"):
            if low := [v for v in getattr(self, name) if v < 1]:
                raise BadInput(f"{name}: {low[0]} is below 1")
        if even := [k for k in self.kernels if k % 2 == 0]:
            raise BadInput(f"kernels: {even[0]} is even; kernels have a center, so choose {even[0] + 1}")
        if "attention" in self.blocks and (odd := [w for w in self.widths if w % HEAD]):
            raise BadInput(f"widths: {odd[0]} is no multiple of {HEAD}, as the heads of attention need")


def _check_options(name: str, options: Sequence[Value]) -> None:
    if not options:
        raise BadInput(f"{name}: no option is given; one is the least")
    if len(set(options)) < len(options):
        raise BadInput(f"{name}: an option is listed twice")


@dataclass(frozen=True)
class Role:
    """One setting of a layer: the choice that decides it, or no name where there is one option."""

    choice: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Slot:
    """Where the settings of one layer come from; `number` counts from 1 within the stage."""

    stage: int
    number: int
    block: Role
    inputs: Role
    outputs: Role
    kernel: Role
    expansion: Role
    squeeze: Role
    stride: Role
    expands: bool
    activation: str

    @property
    def roles(self) -> tuple[Role, ...]:
        """All of them, in the order of `Layer`'s first fields."""
        return (self.block, self.inputs, self.outputs, self.kernel, self.expansion, self.squeeze, self.stride)


@dataclass(frozen=True)
class Stages(Space):
    """Stages that you list: kinds of block, widths, depths, kernels, expansions, strides."""

    stages: tuple[Stage, ...] = knob(
        (
            Stage(("conv", "separable"), (8, 16), (1, 2), (2,), (3, 5)),
            Stage(("mbconv",), (16, 32), (1, 2, 3), (2,), (3, 5), (2, 4), (False, True), "layer"),
        ),
        help="one row of blocks after the other",
    )
    stem: int = knob(8, 1, 1024, "channels of the first convolution")
    stem_stride: int = knob(1, 1, 4, "its stride")
    head: int = knob(0, 0, 8192, "channels of a last 1x1 convolution; 0 for none")
    features: int = knob(0, 0, 8192, "width of a layer between pooling and classifier; 0 for none")
    resolutions: tuple[int, ...] = knob((0,), 0, 1024, "sides that the image is resized to; 0 for its own")
    activation: Literal["relu", "hardswish"] = knob(
        "relu", help="what follows stem and head", options=ACTIVATIONS
    )

    def __post_init__(self) -> None:
        if not self.stages:
            raise BadInput("stages: none is given; one is the least")
        _check_options("resolutions", self.resolutions)
        if small := [r for r in self.resolutions if 0 < r < self._reduction()]:
            raise BadInput(
                f"resolutions: {small[0]} is down-sampled {self._reduction()} times, to less than one point"
            )
        for name in ("stem", "stem_stride"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name}: {getattr(self, name)} is below 1")

    def _reduction(self) -> int:
        return int(np.prod([self.stem_stride, *(max(s.strides) for s in self.stages)]))

    def choices(self) -> tuple[Choice, ...]:
        """resolution, then of each stage width, depth, stride and the settings of its blocks."""
        return _choices(self)

    def slots(self) -> tuple[tuple[Slot, ...], ...]:
        """The layers of each stage, as many as its largest depth."""
        return _slots(self)

    def depth(self, stage: int) -> Role:
        """The depth of a stage."""
        return _role(f"stage{stage + 1}.depth", self.stages[stage].depths)

    @property
    def resolution(self) -> Role:
        """The side of the image."""
        return _role("resolution", self.resolutions)

    def value(self, role: Role, arch: Arch) -> Any:
        """What an arch takes for a setting; the first value where the choice is inactive."""
        return role.values[max(arch[_columns(self)[role.choice]], 0)] if role.choice else role.values[0]

    def layers(self, arch: Arch) -> tuple[tuple[Layer, ...], ...]:
        """The blocks of each stage."""
        return tuple(
            tuple(self._layer(slot, arch) for slot in row[: self.value(self.depth(i), arch)])
            for i, row in enumerate(self.slots())
        )

    def _layer(self, slot: Slot, arch: Arch) -> Layer:
        return Layer(*(self.value(role, arch) for role in slot.roles), expands=slot.expands)

    def image(self, resolution: int, shape: Shape) -> Size:
        """(channels, height, width) of what the stem sees."""
        c, h, w = shape.image
        return (c, resolution, resolution) if resolution else (c, h, w)

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """Entangled: one weight for all sizes of a block; separate: a block for each combination of settings.

        Kinds of block have nothing in common in either. Stem and head are one, sliced where a width asks.
        """
        from nascore.spaces.stages_net import StagesSupernet

        return StagesSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The plain network of one arch."""
        from nascore.spaces.stages_net import StagesNet

        return StagesNet(self, arch, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """A chain of layers as edges between maps; one block a stage."""
        size = strided(self.image(self.value(self.resolution, arch), shape), self.stem, self.stem_stride)
        stem = self._stem(size, shape)
        nodes, edges = [Node("0", "input")], []
        blocks = [Block("stem", "stem", 1, size, stem.params, stem.flops)]
        slots = self.slots()
        for i, row in enumerate(self.layers(arch)):
            total = Cost()
            for j, layer in enumerate(row):
                cost, size = layer.cost(size[1:]), strided(size, layer.outputs, layer.stride)
                total, here = total + cost, str(len(nodes))
                named = next((r.choice for r in (slots[i][j].block, slots[i][j].kernel) if r.choice), "")
                edges.append(Edge(nodes[-1].id, here, layer.text(), named, cost.params, cost.flops))
                nodes.append(Node(here, "x".join(map(str, size))))
            blocks.append(Block(f"stage{i + 1}", "cell", len(row), size, total.params, total.flops))
        head = self._head(size, shape)
        nodes[-1] = Node(nodes[-1].id, "output")
        blocks.append(Block("head", "head", 1, (shape.classes,), head.params, head.flops))
        return Graph(tuple(nodes), tuple(edges), tuple(blocks))

    def _stem(self, size: Size, shape: Shape) -> Cost:
        return convolution(shape.image[0], size, 3) + norm(self.stem)

    def _head(self, size: Size, shape: Shape) -> Cost:
        cost, last = Cost(), size[0]
        if self.head:
            cost, last = convolution(last, (self.head, *size[1:]), 1) + norm(self.head), self.head
        if self.features:
            cost, last = cost + convolution(last, (self.features, 1, 1), 1), self.features
        return cost + linear(last, shape.classes)

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Exact; each layer is counted once for every distinct setting, then looked up."""
        archs = np.asarray(archs)
        places: list[Role] = [self.resolution]
        total = self._looked(
            archs,
            places,
            lambda r: self._stem(strided(self.image(r, shape), self.stem, self.stem_stride), shape),
        )
        for i, row in enumerate(self.slots()):
            depths = self._values(self.depth(i), archs)
            for slot in row:
                on = depths >= slot.number
                total[on] += self._looked(
                    archs[on], [*places, *slot.roles], lambda *v, s=slot: self._one(s, v, shape)
                )
                places = [*places, slot.stride] if slot.number == 1 and slot.stride.choice else places
        last = self.slots()[-1][0]
        total += self._looked(
            archs, [*places, last.outputs], lambda *v: self._head(self._map(-1, v, shape, v[-1]), shape)
        )
        return {"params": total[:, 0], "flops": total[:, 1]}

    def _one(self, slot: Slot, values: tuple[Any, ...], shape: Shape) -> Cost:
        layer = Layer(*values[-len(slot.roles) :], expands=slot.expands)
        size = self._map(slot.stage, values, shape, layer.inputs, before=slot.number == 1)
        return layer.cost(size[1:])

    def _map(
        self, stage: int, places: tuple[Any, ...], shape: Shape, width: int, before: bool = False
    ) -> Size:
        """The map inside a stage (its input where `before`) at a resolution and the strides that are chosen.

        Args:
            stage: index; -1 for the end of the network.
            places: the resolution, the chosen strides so far in order, then anything.
            shape: of the task.
            width: channels of the result.
            before: the map that comes in.
        """
        size = strided(self.image(places[0], shape), width, self.stem_stride)
        chosen = iter(places[1:])
        count = len(self.stages) if stage < 0 else stage + (not before)
        for s in self.stages[:count]:
            size = strided(size, width, next(chosen) if len(s.strides) > 1 else max(s.strides))
        return size

    def _values(self, role: Role, archs: Archs) -> NDArray[Any]:
        if not role.choice:
            return np.full(len(archs), role.values[0])
        return np.array([*role.values])[np.maximum(archs[:, _columns(self)[role.choice]], 0)]

    def _looked(self, archs: Archs, roles: Sequence[Role], cost: Callable[..., Cost]) -> NDArray[np.float64]:
        """(n, 2) params and FLOPs of `cost(*values)`, called once for each distinct combination."""
        code: NDArray[np.int64] = np.zeros(len(archs), dtype=np.int64)
        for role in roles:
            taken = archs[:, _columns(self)[role.choice]] if role.choice else 0
            code = code * len(role.values) + np.maximum(taken, 0)
        distinct, first, where = np.unique(code, return_index=True, return_inverse=True)
        table = np.zeros((len(distinct), 2))
        for row, i in enumerate(first):
            one = cost(*(self.value(r, tuple(archs[i])) for r in roles))
            table[row] = one.params, one.flops
        return table[where]


def _role(name: str, values: tuple[Any, ...]) -> Role:
    return Role(name if len(values) > 1 else "", values)


@lru_cache(maxsize=64)
def _columns(space: Stages) -> dict[str, int]:
    return {c.name: j for j, c in enumerate(_choices(space))}


@lru_cache(maxsize=64)
def _choices(space: Stages) -> tuple[Choice, ...]:
    out = _choice("resolution", space.resolutions)
    for i, stage in enumerate(space.stages):
        name = f"stage{i + 1}"
        for knob_, options in (("width", stage.widths), ("depth", stage.depths), ("stride", stage.strides)):
            out += _choice(f"{name}.{knob_}", options)
        if stage.per == "stage":
            out += _settings(stage, name, None)
            continue
        for j in range(max(stage.depths)):
            deep = tuple(d for d in stage.depths if d > j)
            when = (f"{name}.depth", deep) if len(deep) < len(stage.depths) else None
            out += _settings(stage, f"{name}.layer{j + 1}", when)
    return tuple(out)


def _choice(name: str, options: tuple[Value, ...], when: Any = None) -> list[Choice]:
    return [Choice(name, options, when)] if len(options) > 1 else []


def _settings(stage: Stage, name: str, when: Any) -> list[Choice]:
    """Block, kernel, expansion and squeeze of one stage or layer; those that no block has are left out."""
    out = _choice(f"{name}.block", stage.blocks, when)
    for knob_, options in _options(stage):
        fits = tuple(b for b in stage.blocks if b in HAS[knob_])
        asked = (f"{name}.block", fits) if len(fits) < len(stage.blocks) else when
        out += _choice(f"{name}.{knob_}", options, asked) if fits else []
    return out


def _options(stage: Stage) -> Iterable[tuple[str, tuple[Value, ...]]]:
    return (("kernel", stage.kernels), ("expansion", stage.expansions), ("squeeze", stage.squeeze))


@lru_cache(maxsize=64)
def _slots(space: Stages) -> tuple[tuple[Slot, ...], ...]:
    rows, before = [], Role("", (space.stem,))
    for i, stage in enumerate(space.stages):
        width = _role(f"stage{i + 1}.width", stage.widths)
        row = []
        for j in range(max(stage.depths)):
            name = f"stage{i + 1}" if stage.per == "stage" else f"stage{i + 1}.layer{j + 1}"
            settings = {k: _setting(stage, name, k, o) for k, o in _options(stage)}
            stride = _role(f"stage{i + 1}.stride", stage.strides) if j == 0 else Role("", (1,))
            row.append(
                Slot(
                    stage=i,
                    number=j + 1,
                    block=_role(f"{name}.block", stage.blocks),
                    inputs=width if j else before,
                    outputs=width,
                    stride=stride,
                    expands=stage.expansions != (1,),
                    activation=stage.activation,
                    **settings,
                )
            )
        rows.append(tuple(row))
        before = width
    return tuple(rows)


def _setting(stage: Stage, name: str, knob_: str, options: tuple[Value, ...]) -> Role:
    """No choice where no block of the stage has this setting."""
    used = any(b in HAS[knob_] for b in stage.blocks)
    return _role(f"{name}.{knob_}", options) if used else Role("", options[:1])


def presets() -> dict[str, Stages]:
    """Spaces of the literature as plain data, to open and change."""
    from nascore.spaces.mobilenet import Mobilenet

    return {
        "mobilenet": Mobilenet().stages,
        "resnet": resnet_stages(),
        "pyramid": pyramid_stages(),
    }


def resnet_stages() -> Stages:
    """Widths and depths of a small residual network."""
    rows = [
        Stage(("basic",), widths, (1, 2, 3), (stride,))
        for widths, stride in (((8, 12, 16), 1), ((16, 24, 32), 2), ((32, 48, 64), 2))
    ]
    return Stages(tuple(rows), stem=16)


def pyramid_stages() -> Stages:
    """Convolutions first, attention on the small maps."""
    return Stages(
        (
            Stage(("conv", "mbconv"), (16, 24), (1, 2), (2,), (3, 5), (2, 4)),
            Stage(("mbconv", "attention"), (32, 48), (1, 2, 3), (2,), (3, 5), (2, 4), (False, True)),
        ),
        stem=16,
    )
