"""The supernet of a product: the first part's, seen through what the gates of the later parts make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import nn

from nascore.gates import Gates, one_hot
from nascore.graph import Graph
from nascore.space import Arch, Choice, Sharing, Space
from nascore.supernet import Inputs, Supernet
from nascore.task import Shape

if TYPE_CHECKING:
    from nascore.product import Product


class ProductSupernet(Supernet):
    """Weights of the first part; a later part has none of its own."""

    def __init__(self, space: Product, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> None:
        super().__init__(space, shape)
        self.product = space
        opened = space.own(space.names[0], {c.name: c for c in choices})
        own = tuple(replace(c, allowed=opened[c.name].allowed) for c in space.parts[0].choices())
        self.inner = space.parts[0].supernet(shape, sharing, own)
        for part in space.parts[1:]:
            part.prepare(self.inner)
        self.inner.space = Prepared(self.inner.space, space.parts[1:])

    def forward(self, x: Inputs, gates: Gates) -> Any:
        """What the first part's supernet gives under its gates, changed by those of the others."""
        first, *later = (self.product.own(name, gates) for name in self.product.names)
        view: nn.Module = self.inner.at(first)
        for part, own in zip(self.product.parts[1:], later, strict=True):
            view = part.wrap(view, own)
        return view(x)

    def extract(self, arch: Arch) -> nn.Module:
        """A stand-alone copy; equals `forward(x, one_hot(space, arch))`."""
        first, *later = self.product.split(arch)
        child = self.inner.extract(first)
        for part, own in zip(self.product.parts[1:], later, strict=True):
            child = part.wrap(child, one_hot(part, own))
        return child

    def own(self, choice: str, option: int | None = None) -> list[nn.Parameter]:
        """Those of the first part's supernet; bits and recipes own nothing."""
        part, _, name = choice.partition(".")
        return self.inner.own(name, option) if part == self.product.names[0] else []

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:  # a player of the network: net.generator
            return getattr(super().__getattr__("inner"), name)


@dataclass(frozen=True)
class Prepared(Space):
    """A space whose networks come prepared, so that what later parts keep in a layer is inherited too."""

    space: Space
    later: Sequence[Space]

    def choices(self) -> tuple[Choice, ...]:
        """The same."""
        return self.space.choices()

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """The same."""
        return self.space.graph(arch, shape)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The network of the space, prepared for the later parts."""
        net = self.space.build(arch, shape)
        for part in self.later:
            part.prepare(net)
        return net
