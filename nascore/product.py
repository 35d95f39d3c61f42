"""Several spaces in one: the first makes the network, later ones change it by gates or change its training.

The choices of all parts stand side by side, each with the name of its part before it (`quant.head.weights`).
An arch is the archs of the parts, one after the other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Restricted, Sharing, Space, from_choices, size, tuples

if TYPE_CHECKING:
    from torch import nn

    from nascore.graph import Graph
    from nascore.recipe import Recipe
    from nascore.supernet import Supernet
    from nascore.task import Shape

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)


@dataclass(frozen=True)
class Product(Space):
    """Several spaces in one: the first makes the network, the others change it or how it is trained."""

    parts: tuple[Space, ...] = knob(help="the space of networks first, then what is added to it")
    names: tuple[str, ...] = knob((), help="what stands before the choices of each part; left out: its kind")

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", _names(self.parts))
        if len(self.parts) < 2:
            raise BadInput(f"parts: {len(self.parts)} given; a space and something added to it are the least")
        if len(self.names) != len(self.parts):
            raise BadInput(f"names: {len(self.names)} for {len(self.parts)} parts; give one each, or none")
        if bad := [i for i, n in enumerate(self.names) if not NAME.fullmatch(n)]:
            raise BadInput(f"names[{bad[0]}]: use small letters, digits and _, at most 40, a letter first")
        if len(set(self.names)) < len(self.names):
            raise BadInput("names: a name stands twice")
        self._check_parts()

    def _check_parts(self) -> None:
        first, *later = map(whole, self.parts)
        if _adds(first) and not _makes(first):
            raise BadInput(f"parts[0]: {_kind(first)} makes no network; put a space that does before it")
        for i, part in enumerate((first, *later)):
            if isinstance(part, Product):
                raise BadInput(f"parts[{i}]: a product inside a product; give all parts to one")
            if i and not _adds(part):
                raise BadInput(f"parts[{i}]: {_kind(part)} changes neither a network nor how it is trained")
            if i and type(part) in map(type, later[: i - 1]):
                raise BadInput(f"parts[{i}]: {_kind(part)} is added twice")

    def split(self, arch: Arch) -> tuple[Arch, ...]:
        """The arch of each part."""
        return tuple(arch[s] for s in _layout(self)[1])

    def own(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """What is said of the choices of one part, by the names that it knows."""
        start = f"{name}."
        return {n.removeprefix(start): v for n, v in values.items() if n.startswith(start)}

    def choices(self) -> tuple[Choice, ...]:
        """Those of all parts, with the name of the part before theirs."""
        return _layout(self)[0]

    def invalid(self, arch: Arch) -> str:
        """The first part that says why not."""
        said = ((n, p.invalid(a)) for n, p, a in zip(self.names, self.parts, self.split(arch), strict=True))
        return next((f"{n}: {why}" for n, why in said if why), "")

    def canonical(self, arch: Arch) -> Arch:
        """That of each part."""
        pairs = zip(self.parts, self.split(arch), strict=True)
        return tuple(i for part, own in pairs for i in part.canonical(own))

    def classes(self) -> int | None:
        """The product over parts; None where one of them does not know."""
        each = [_classes(p) for p in self.parts]
        known = [n for n in each if n is not None]
        return math.prod(known) if len(known) == len(each) else None

    def ruled(self) -> bool:
        """Whether a part may be invalid."""
        return any(p.ruled() for p in self.parts)

    def folds(self) -> bool:
        """Whether archs of a part may make equal networks."""
        return any(p.folds() for p in self.parts)

    def trains(self) -> bool:
        """Whether archs of a part change the recipe."""
        return any(p.trains() for p in self.parts)

    def reads(self) -> tuple[str, ...]:
        """What the first part's networks take."""
        return self.parts[0].reads()

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """The first part's supernet, changed by the gates of the others."""
        from nascore.product_net import ProductSupernet

        return ProductSupernet(self, shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """The first part's network, changed by the others."""
        from nascore.gates import one_hot

        first, *later = self.split(arch)
        net = self.parts[0].build(first, shape)
        for part, own in zip(self.parts[1:], later, strict=True):
            net = part.wrap(net, one_hot(part, own))
        return net

    def batched(self, archs: Sequence[Arch], shape: Shape) -> Any:
        """The first part's program where no other part touches the network; the recipe is the caller's."""
        if any(p.wraps() for p in self.parts[1:]):
            return None
        return self.parts[0].batched([self.split(a)[0] for a in archs], shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """The first part's, with the names that its choices have here."""
        graph = self.parts[0].graph(self.split(arch)[0], shape)
        edges = (replace(e, choice=f"{self.names[0]}.{e.choice}" if e.choice else "") for e in graph.edges)
        return replace(graph, edges=tuple(edges))

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """The first part's: bits and training change neither params nor FLOPs."""
        return self.parts[0].costs(np.asarray(archs)[:, _layout(self)[1][0]], shape)

    def text(self, arch: Arch) -> str:
        """`arch: |nor_conv_3x3~0|; training: optimizer=sgd lr=0.1`."""
        rows = zip(self.names, self.parts, self.split(arch), strict=True)
        return "; ".join(f"{name}: {part.text(own)}" for name, part, own in rows)

    def told(self, arch: Arch) -> str:
        """What the later parts add, each after its name."""
        rows = zip(self.names[1:], self.parts[1:], self.split(arch)[1:], strict=True)
        return "\n".join(f"{name}: {part.told(own)}" for name, part, own in rows)

    def read(self, text: str) -> Arch | None:
        """The arch of such a text; None for anything else."""
        marks = r"; ".join(f"{name}: (.*?)" for name in self.names)
        found = re.fullmatch(marks, text.strip())
        if found is None:
            return None
        rows = [_read(part, own) for part, own in zip(self.parts, found.groups(), strict=True)]
        archs = [r for r in rows if r is not None]
        return tuple(i for a in archs for i in a) if len(archs) == len(rows) else None

    def recipe(self, arch: Arch, default: Recipe) -> Recipe:
        """Changed by each part in turn."""
        for part, own in zip(self.parts, self.split(arch), strict=True):
            default = part.recipe(own, default)
        return default

    def priced(self) -> tuple[str, ...]:
        """What later parts price."""
        return tuple(dict.fromkeys(m for p in self.parts[1:] for m in p.priced()))

    def counted(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Counted on the layers of the first part's networks."""
        if not self.priced():
            return {}
        from nascore.layers import layers_of

        rows, cuts = np.asarray(archs), _layout(self)[1]
        out = {m: np.zeros(len(rows)) for m in self.priced()}
        first, which = np.unique(rows[:, cuts[0]], axis=0, return_inverse=True)
        for i, arch in enumerate(tuples(first)):
            same, layers = which.ravel() == i, layers_of(self.parts[0], arch, shape)
            for part, cut in zip(self.parts[1:], cuts[1:], strict=True):
                for metric, values in part.price(rows[same, cut], layers).items():
                    out[metric][same] = values
        return out


def product(**parts: Space) -> Product:
    """The product of spaces by name: `product(arch=Nasbench201(), recipe=Training())`.

    Raises:
        BadInput: the first one makes no network, or a later one changes nothing.
    """
    return Product(tuple(parts.values()), tuple(parts))


def whole(space: Space) -> Space:
    """The space behind restrictions."""
    while isinstance(space, Restricted):
        space = space.space
    return space


@lru_cache(maxsize=64)
def _layout(space: Product) -> tuple[tuple[Choice, ...], tuple[slice, ...]]:
    """All choices, and where those of each part stand."""
    choices: list[Choice] = []
    slices = []
    for name, part in zip(space.names, space.parts, strict=True):
        own = [_named(name, c) for c in part.choices()]
        slices.append(slice(len(choices), len(choices) + len(own)))
        choices += own
    return tuple(choices), tuple(slices)


def _named(name: str, choice: Choice) -> Choice:
    when = choice.when and (f"{name}.{choice.when[0]}", choice.when[1])
    return replace(choice, name=f"{name}.{choice.name}", when=when)


def _names(parts: Sequence[Space]) -> tuple[str, ...]:
    """`arch` for the first part, its kind for each other; equal ones are numbered."""
    kinds = ["arch", *(_kind(whole(p)) for p in parts[1:])][: len(parts)]
    return tuple(k if k not in kinds[:i] else f"{k}{i}" for i, k in enumerate(kinds))


def _kind(space: Space) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(space).__name__).lower()


def _makes(space: Space) -> bool:
    return type(space).build is not Space.build or type(space).supernet is not Space.supernet


def adds(kind: type[Any]) -> bool:
    """Whether spaces of a kind can be added to another one: they change its networks or their training."""
    return kind.wrap is not Space.wrap or kind.recipe is not Space.recipe


def _adds(space: Space) -> bool:
    return adds(type(space))


def _classes(part: Space) -> int | None:
    found = part.classes()
    return size(part) if found is None and not part.ruled() and not part.folds() else found


def _read(part: Space, text: str) -> Arch | None:
    """By the part itself, or as `choice=option choice=option`, each option by how it is written."""
    if (found := part.read(text)) is not None:
        return found
    options = {f"{c.name}={o}": (c.name, o) for c in part.choices() for o in c.options}
    words = text.split()
    if any(w not in options for w in words) or len({options[w][0] for w in words}) < len(words):
        return None
    try:
        return from_choices(part, dict(options[w] for w in words))
    except BadInput:
        return None
