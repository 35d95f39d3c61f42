"""Bit-widths as a space: how many bits weights and inputs of the layers have, part by part of the network.

It makes no network: it stands behind one in a product, and rounds what the layers of that network compute
with. Architecture and bits are then searched together (SimQ-NAS, 2023; LPGNAS, Zhao et al., 2020). Both give
every layer bits of its own, in networks whose layers are known beforehand; here a network's blocks are parted
into groups by depth, so that the number of choices is the same for each architecture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput, NotSupported
from nascore.kinds import knob
from nascore.layers import Place
from nascore.space import Arch, Archs, Choice, Space, describe

if TYPE_CHECKING:
    from torch import nn

    from nascore.gates import Gates
    from nascore.graph import Graph
    from nascore.layers import Layer
    from nascore.spaces.quant_net import Bits, Mix
    from nascore.task import Shape

FLOAT = 32  # bits of a number that is not rounded
WIDTHS = (*range(2, 9), FLOAT)


@dataclass(frozen=True)
class Quant(Space):
    """How many bits weights and activations have; added to a network.

    Each knob lists options: none leaves 32-bit numbers as they are, one is taken, several are a choice.
    """

    groups: int = knob(1, 1, 64, "parts of the network with bits of their own, from input to output")
    weights: tuple[int, ...] = knob((2, 4, 8), 2, 32, "bits of weights: 2 to 8, or 32 for as they are")
    activations: tuple[int, ...] = knob(
        (4, 8), 2, 32, "bits of what comes into a layer: 2 to 8, or 32 for as it is"
    )
    ends: int = knob(
        8,
        0,
        32,
        "bits of the first and the last layer, which suffer most and cost least; 0: those of their part",
    )

    def __post_init__(self) -> None:
        for name in ("weights", "activations"):
            options: tuple[int, ...] = getattr(self, name)
            if bad := [i for i, b in enumerate(options) if b not in WIDTHS]:
                raise BadInput(f"{name}[{bad[0]}]: {options[bad[0]]} bits; use 2 to 8, or 32")
            if len(set(options)) < len(options):
                raise BadInput(f"{name}: an option stands twice")
        if self.ends and self.ends not in WIDTHS:
            raise BadInput(f"ends: {self.ends} bits; use 2 to 8, 32, or 0 for those of their part")

    def choices(self) -> tuple[Choice, ...]:
        """Weights and activations of each group, where several options are listed."""
        kinds = (("weights", self.weights), ("activations", self.activations))
        return tuple(
            Choice(self._name(group, kind), options)
            for group in range(self.groups)
            for kind, options in kinds
            if len(options) > 1
        )

    def _name(self, group: int, kind: str) -> str:
        return kind if self.groups == 1 else f"group{group + 1}.{kind}"

    def told(self, arch: Arch) -> str:
        """`weights 4 bits, inputs 8 bits` of each part of the network, and of its ends."""
        taken = describe(self, arch)
        rows = []
        for group in range(self.groups):
            bits = [
                taken.get(self._name(group, kind), (getattr(self, kind) or (FLOAT,))[0])
                for kind in ("weights", "activations")
            ]
            where = f"part {group + 1} of {self.groups}: " if self.groups > 1 else ""
            rows.append(f"{where}weights {bits[0]} bits, inputs {bits[1]} bits")
        return "; ".join([*rows, *([f"first and last layer: {self.ends} bits"] if self.ends else [])])

    def wraps(self) -> bool:
        """Whether any option is below 32 bits."""
        return min(*self.weights, *self.activations, self.ends or FLOAT, FLOAT) < FLOAT

    def group(self, place: Place) -> int:
        """The group of a layer; `groups` for a first or last layer with bits of its own.

        Raises:
            BadInput: the network has fewer blocks than there are groups.
        """
        if self.groups > place.blocks:
            many = f"{place.blocks} block{'s' * (place.blocks != 1)}"
            raise BadInput(f"quant.groups: {self.groups} is more than this network has: {many}")
        if place.end and self.ends:
            return self.groups
        return place.block * self.groups // place.blocks

    def prepare(self, net: nn.Module) -> None:
        """Makes the layers of a network able to round; they do not yet."""
        from nascore.layers import layout, places, trunk_of
        from nascore.spaces.quant_net import make_rounding
        from nascore.supernet import Supernet

        like = layout(net.space, net.shape) if isinstance(net, Supernet) else net
        where = places(net, trunk_of(like))
        make_rounding(net, {name: self.group(place) for name, place in where.items()})

    def wrap(self, net: nn.Module, gates: Gates) -> nn.Module:
        """A stand-alone network, changed in place to have these bits; of a supernet a view with them."""
        from nascore.spaces.quant_net import Rounded, Rounding, hold_bits
        from nascore.supernet import At

        bits = self._bits(gates)
        if isinstance(net, At):
            if not any(isinstance(m, Rounding) for m in net.modules()):
                self.prepare(net.net)
            return Rounded(net, bits)
        self.prepare(net)
        return hold_bits(net, bits)

    def _bits(self, gates: Gates) -> list[Bits]:
        """Those of each group, and after them those of first and last layers."""
        from nascore.spaces.quant_net import Bits

        each = [
            Bits(self._mix(g, "weights", gates), self._mix(g, "activations", gates))
            for g in range(self.groups)
        ]
        end: Mix = ((self.ends, None),)
        return [*each, Bits(end, end)]

    def _mix(self, group: int, kind: str, gates: Gates) -> Mix:
        """The bits that take part, each with how much."""
        from nascore.entangle import is_hard

        options, name = getattr(self, kind), self._name(group, kind)
        if len(options) < 2:
            return ((options[0] if options else FLOAT, None),)
        gate = gates[name]
        if is_hard(gate):
            return ((options[gate.options[0]], None),)
        return tuple((options[i], gate.weights[j]) for j, i in enumerate(gate.options))

    def priced(self) -> tuple[str, ...]:
        """Bytes of the weights, and multiply-adds times the bits of both factors."""
        return ("size_bytes", "bit_ops")

    def price(self, archs: Archs, layers: Sequence[Layer]) -> dict[str, NDArray[np.float64]]:
        """What networks with these layers cost with the bits of n archs, metric -> (n,).

        `size_bytes`: each layer's weights packed from a new byte on; 4 bytes for the scale of each output of
        rounded weights, 8 for the range of rounded inputs, 4 for every other trainable number. `bit_ops`: the
        sum over layers of multiply-adds x bits of a weight x bits of an input (van Baalen et al., 2020); 32 x
        32 where nothing is rounded.
        """
        rest = 4.0 * sum(y.others for y in layers)
        size, ops = np.full(len(archs), rest), np.zeros(len(archs))
        told = {kind: self._told(archs, kind) for kind in ("weights", "activations")}
        for layer in (y for y in layers if y.name):
            group = self.group(layer.place)
            weights, inputs = told["weights"][:, group], told["activations"][:, group]
            size += np.ceil(layer.weights * weights / 8)
            size += 4 * layer.outputs * (weights < FLOAT) + 8 * (inputs < FLOAT)
            ops += layer.flops * weights * inputs
        return {"size_bytes": size, "bit_ops": ops}

    def _told(self, archs: Archs, kind: str) -> NDArray[np.float64]:
        """(n, groups + 1) bits of each group, and of first and last layers."""
        columns = {c.name: j for j, c in enumerate(self.choices())}
        options = np.array(getattr(self, kind) or (FLOAT,), dtype=np.float64)
        rows = [np.full(len(archs), float(self.ends))]
        for group in reversed(range(self.groups)):
            column = columns.get(self._name(group, kind))
            taken = np.zeros(len(archs), dtype=np.int64) if column is None else archs[:, column]
            rows.insert(0, options[taken])
        return np.stack(rows, 1)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """There is none.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("quant makes no network; put it behind a space in a product")
