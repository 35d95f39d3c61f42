"""Choices, spaces and populations: an arch is a tuple of option indices, a population an integer array.

A space says which choices there are and how a network is made of them. Everything else here works on
arrays of shape (n, len(choices)); -1 stands where a choice is inactive.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nascore import conditions
from nascore.errors import BadInput, NotSupported

if TYPE_CHECKING:
    from torch import nn

    from nascore.gates import Gates
    from nascore.graph import Graph
    from nascore.layers import Layer
    from nascore.recipe import Recipe
    from nascore.supernet import Supernet
    from nascore.task import Shape

Value = str | int | float | bool
Arch = tuple[int, ...]
Archs = NDArray[np.int64]
Sharing = Literal["separate", "entangled"]
ENUMERABLE = 100_000  # a space up to this size may be listed whole
LISTED = 20  # as many names are told in a refusal


@dataclass(frozen=True)
class Choice:
    """One decision.

    Attributes:
        name: unique in the space; dots group ("stage2.kernel").
        options: the values to choose from.
        when: active only while the named choice has one of these values.
        allowed: indices of the open options, empty for all. Restricting narrows this; indices never move.
    """

    name: str
    options: tuple[Value, ...]
    when: tuple[str, tuple[Value, ...]] | None = None
    allowed: tuple[int, ...] = ()

    @property
    def open(self) -> tuple[int, ...]:
        """Indices of the options that may be taken."""
        return self.allowed or tuple(range(len(self.options)))


class Space(Protocol):
    """A frozen dataclass of size knobs that inherits this.

    Only `choices`, `graph`, and `build` or `supernet` must be written.
    """

    def choices(self) -> tuple[Choice, ...]:
        """The decisions, in the order of an arch's numbers."""
        ...

    def invalid(self, arch: Arch) -> str:
        """One sentence why this arch is no network, or an empty text."""
        return ""

    def canonical(self, arch: Arch) -> Arch:
        """One representative of each class of equal networks."""
        return arch

    def classes(self) -> int | None:
        """How many networks differ, exactly; None where that is not known."""
        return None

    def reads(self) -> tuple[str, ...]:
        """Names of the inputs that its networks can take."""
        return ("image",)

    def together(self) -> dict[str, tuple[str, ...]]:
        """Choices that one softmax may weigh together: a layer's name -> its width before, its width, others.

        Layers stand in a chain, and a supernet also reads gates of their names, whose options count the
        combinations, the last choice fastest. None by default.
        """
        return {}

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """A network that reads gates; allocates what is open in `choices`.

        Raises:
            NotSupported: this space cannot share weights in that way.
        """
        raise NotSupported(f"{type(self).__name__} cannot share weights")

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """A stand-alone network; by default the supernet narrowed to this arch."""
        from nascore.gates import one_hot

        return self.supernet(shape, "separate", fixed(self, arch).choices()).at(one_hot(self, arch))

    def builder(self, shape: Shape) -> Callable[[Arch], nn.Module]:
        """Builds as `build` does, but a network is good until the next, which may take its modules."""
        return lambda arch: self.build(arch, shape)

    def batched(self, archs: Sequence[Arch], shape: Shape) -> Any:
        """Many networks as one program (batched.Batched), or None where this space has none."""
        return None

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """What is drawn and counted."""
        ...

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """Exact and free costs, metric -> (n,), of archs (n, choices)."""
        graphs = [self.graph(a, shape) for a in tuples(archs)]
        return {m: np.array([float(getattr(g, m)) for g in graphs]) for m in ("params", "flops")}

    def text(self, arch: Arch) -> str:
        """How people write this arch in one line; the space's official string where it has one."""
        pairs = zip(self.choices(), arch, strict=True)
        return " ".join(f"{c.name}={c.options[i]}" for c, i in pairs if i >= 0)

    def told(self, arch: Arch) -> str:
        """As a later part of a product: what an arch adds to a network, in words."""
        return ", ".join(f"{n.replace('_', ' ')} {v}" for n, v in describe(self, arch).items())

    def read(self, text: str) -> Arch | None:
        """The arch of an official string, or None where the text is not one."""
        return None

    def ruled(self) -> bool:
        """Whether there may be archs that are no network."""
        return type(self).invalid is not Space.invalid

    def trains(self) -> bool:
        """Whether archs change the recipe."""
        return type(self).recipe is not Space.recipe

    def folds(self) -> bool:
        """Whether several archs may make equal networks."""
        return type(self).canonical is not Space.canonical

    def sampling(self) -> str:
        """What `sample` is uniform over, in words."""
        return conditions.drawn(self.choices(), ruled=self.ruled(), folds=self.folds())

    def prepare(self, net: nn.Module) -> None:
        """As a later part of a product: adds to a network, in place and once, what `wrap` needs."""
        return

    def wrap(self, net: nn.Module, gates: Gates) -> nn.Module:
        """As a later part of a product: the network changed by gates."""
        return net

    def wraps(self) -> bool:
        """Whether gates may change the network, as a later part of a product."""
        return type(self).wrap is not Space.wrap

    def recipe(self, arch: Arch, default: Recipe) -> Recipe:
        """As a part of a product: the training changed by an arch."""
        return default

    def priced(self) -> tuple[str, ...]:
        """Names of further exact costs that are counted on the layers of the network."""
        return ()

    def price(self, archs: Archs, layers: Sequence[Layer]) -> dict[str, NDArray[np.float64]]:
        """As a later part of a product: those costs of its archs, metric -> (n,), with a network's layers."""
        return {}

    def counted(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """The `priced` costs, metric -> (n,); networks are laid out without memory, which needs torch."""
        return {}


@dataclass(frozen=True)
class Restricted(Space):
    """A space with fewer open options; its archs are archs of `space`: same indices, keys and encoders."""

    space: Space
    allowed: tuple[tuple[str, tuple[Value, ...]], ...]

    def choices(self) -> tuple[Choice, ...]:
        """The same choices with fewer open options."""
        return _narrowed(self)

    def invalid(self, arch: Arch) -> str:
        """Also says which option is not open here."""
        shut = [c for c, i in zip(self.choices(), arch, strict=True) if i >= 0 and i not in c.open]
        return f"{shut[0].name}: this option is not open here" if shut else self.space.invalid(arch)

    def canonical(self, arch: Arch) -> Arch:
        """That of the whole space."""
        return self.space.canonical(arch)

    def reads(self) -> tuple[str, ...]:
        """That of the whole space."""
        return self.space.reads()

    def together(self) -> dict[str, tuple[str, ...]]:
        """That of the whole space."""
        return self.space.together()

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """That of the whole space, with only the open options allocated."""
        return self.space.supernet(shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """That of the whole space."""
        return self.space.build(arch, shape)

    def builder(self, shape: Shape) -> Callable[[Arch], nn.Module]:
        """That of the whole space."""
        return self.space.builder(shape)

    def batched(self, archs: Sequence[Arch], shape: Shape) -> Any:
        """That of the whole space."""
        return self.space.batched(archs, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """That of the whole space."""
        return self.space.graph(arch, shape)

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """That of the whole space."""
        return self.space.costs(archs, shape)

    def text(self, arch: Arch) -> str:
        """That of the whole space."""
        return self.space.text(arch)

    def told(self, arch: Arch) -> str:
        """That of the whole space."""
        return self.space.told(arch)

    def read(self, text: str) -> Arch | None:
        """That of the whole space."""
        return self.space.read(text)

    def ruled(self) -> bool:
        """That of the whole space."""
        return self.space.ruled()

    def folds(self) -> bool:
        """That of the whole space."""
        return self.space.folds()

    def trains(self) -> bool:
        """That of the whole space."""
        return self.space.trains()

    def prepare(self, net: nn.Module) -> None:
        """That of the whole space."""
        self.space.prepare(net)

    def wrap(self, net: nn.Module, gates: Gates) -> nn.Module:
        """That of the whole space."""
        return self.space.wrap(net, gates)

    def wraps(self) -> bool:
        """That of the whole space."""
        return self.space.wraps()

    def recipe(self, arch: Arch, default: Recipe) -> Recipe:
        """That of the whole space."""
        return self.space.recipe(arch, default)

    def priced(self) -> tuple[str, ...]:
        """That of the whole space."""
        return self.space.priced()

    def price(self, archs: Archs, layers: Sequence[Layer]) -> dict[str, NDArray[np.float64]]:
        """That of the whole space."""
        return self.space.price(archs, layers)

    def counted(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """That of the whole space."""
        return self.space.counted(archs, shape)


@lru_cache(maxsize=64)
def _narrowed(space: Restricted) -> tuple[Choice, ...]:
    still = dict(space.allowed)
    return tuple(
        replace(c, allowed=tuple(c.options.index(v) for v in still[c.name])) if c.name in still else c
        for c in space.space.choices()
    )


def restrict(space: Space, allowed: Mapping[str, Iterable[Value]]) -> Restricted:
    """`space` with only these options open.

    Args:
        space: any space.
        allowed: choice name -> option values that stay open.

    Raises:
        BadInput: an unknown choice or option, or nothing left open.
    """
    known, still = {c.name: c for c in space.choices()}, {n: tuple(v) for n, v in allowed.items()}
    _known(still, known)
    for name, values in still.items():
        if not values:
            raise BadInput(f"{name}: no option is left open")
        for v in values:
            if v not in known[name].options:
                raise BadInput(f"{name}: {_said(v)} is none of {_listed(known[name].options)}")
    return Restricted(space, tuple(still.items()))


def _known(names: Iterable[str], choices: Mapping[str, Choice]) -> None:
    if unknown := [n for n in names if n not in choices]:
        raise BadInput(f"{unknown[0][:80]}: no such choice; there are {_listed(tuple(choices))}")


def _listed(values: Sequence[Value]) -> str:
    """The values with commas between them; of many, the first ones and how many more there are."""
    shown = ", ".join(map(str, values[:LISTED]))
    return shown if len(values) <= LISTED else f"{shown} and {len(values) - LISTED} more"


def _said(value: object) -> str:
    return repr(value)[:80]


def fixed(space: Space, arch: Arch) -> Restricted:
    """`space` with only this arch left."""
    pairs = zip(space.choices(), arch, strict=True)
    return Restricted(space, tuple((c.name, (c.options[max(i, 0)],)) for c, i in pairs))


def tuples(archs: Iterable[Sequence[int]] | Archs) -> list[Arch]:
    """Archs as tuples of Python integers."""
    return [tuple(int(i) for i in a) for a in archs]


def array(archs: Sequence[Arch], space: Space) -> Archs:
    """(n, choices) integers, also for no archs at all."""
    return np.array(archs, dtype=np.int64).reshape(len(archs), len(space.choices()))


def settle(space: Space, archs: Archs) -> Archs:
    """A copy with -1 where a choice is inactive and its first open option where one has become active."""
    out = archs.copy()
    for j, parent, active, first in _conditions(space):
        on = active[out[:, parent] + 1]
        out[:, j] = np.where(on, np.where(out[:, j] < 0, first, out[:, j]), -1)
    return out


def settled(space: Space, arch: Arch) -> Arch:
    """`settle` of a single arch."""
    out = list(arch)
    for j, parent, active, first in _conditions(space):
        out[j] = (first if out[j] < 0 else out[j]) if active[out[parent] + 1] else -1
    return tuple(out)


@lru_cache(maxsize=64)
def _conditions(space: Space) -> tuple[conditions.Condition, ...]:
    return conditions.table(space.choices())


def size(space: Space) -> int:
    """How many archs there are, exactly, valid or not; inactive choices are not counted twice."""
    return conditions.count(space.choices())


def enumerate_archs(space: Space) -> Archs:
    """(size, choices): every arch in lexicographic order of its indices.

    Raises:
        NotSupported: the space is larger than 100,000.
    """
    if (n := size(space)) > ENUMERABLE:
        raise NotSupported(
            f"{conditions.big(n)} architectures are too many to list; {ENUMERABLE:,} is the limit"
        )
    return conditions.rows(space.choices(), _conditions(space))


def sample(space: Space, n: int, rng: np.random.Generator) -> Archs:
    """(n, choices) valid archs, each choice uniform over its open options (`space.sampling()` says more).

    Raises:
        NotSupported: a thousand draws for each wanted arch gave too few valid ones.
    """
    rows: list[Arch] = []
    for _ in range(1000):
        if len(rows) >= n:
            break
        columns = [rng.choice(c.open, max(n, 1)) for c in space.choices()]
        draw = np.stack(columns, 1) if columns else np.zeros((max(n, 1), 0), dtype=np.int64)
        rows += [a for a in tuples(settle(space, draw)) if not space.invalid(a)]
    if len(rows) < n:
        raise NotSupported(f"only {len(rows)} of {1000 * n:,} random architectures are valid")
    return array(rows[:n], space)


def mutate(space: Space, archs: Archs, rng: np.random.Generator) -> Archs:
    """(n, choices): each arch with exactly one active choice changed to another open option, still valid.

    Raises:
        NotSupported: an arch has no valid neighbor.
    """
    return array([_mutated(space, a, rng) for a in tuples(archs)], space)


def _mutated(space: Space, arch: Arch, rng: np.random.Generator) -> Arch:
    choices = space.choices()
    where = [j for j, c in enumerate(choices) if arch[j] >= 0 and set(c.open) - {arch[j]}]
    for _ in range(1000 if where else 0):
        j = int(rng.choice(where))
        option = int(rng.choice([i for i in choices[j].open if i != arch[j]]))
        new = settled(space, (*arch[:j], option, *arch[j + 1 :]))
        if not space.invalid(new):
            return new
    raise NotSupported(f"{space.text(arch)}: no valid architecture is one change away")


def crossover(space: Space, a: Archs, b: Archs, rng: np.random.Generator) -> Archs:
    """(n, choices): each choice from one of two parents by a fair coin; validity is the caller's to check."""
    return settle(space, np.where(rng.random(a.shape) < 0.5, a, b))


def neighbors(space: Space, arch: Arch) -> list[tuple[str, Arch]]:
    """(choice changed, arch) of every valid arch that differs in one active choice, in the choices' order."""
    names, rows = [], []
    for j, c in enumerate(space.choices()):
        others = [i for i in c.open if i != arch[j]] if arch[j] >= 0 else []
        names += [c.name] * len(others)
        rows += [(*arch[:j], i, *arch[j + 1 :]) for i in others]
    found = tuples(settle(space, array(rows, space)))
    return [(name, a) for name, a in zip(names, found, strict=True) if not space.invalid(a)]


def encode(space: Space, archs: Archs) -> NDArray[np.float64]:
    """(n, total options): one-hot per choice, all zero where it is inactive."""
    blocks = [
        np.eye(len(c.options))[archs[:, j]] * (archs[:, j : j + 1] >= 0)
        for j, c in enumerate(space.choices())
    ]
    return np.concatenate(blocks, 1)


def describe(space: Space, arch: Arch) -> dict[str, Value]:
    """Choice name -> value taken; inactive choices are left out."""
    return {c.name: c.options[i] for c, i in zip(space.choices(), arch, strict=True) if i >= 0}


def from_choices(space: Space, values: Mapping[str, Any]) -> Arch:
    """The arch of {choice: value}.

    Raises:
        BadInput: a choice is unknown or missing, an option unknown, or an inactive choice was given.
    """
    choices = space.choices()
    _known(values, {c.name: c for c in choices})
    row = []
    for c in choices:
        if c.name in values and values[c.name] not in c.options:
            raise BadInput(f"{c.name}: {_said(values[c.name])} is none of {_listed(c.options)}")
        row.append(c.options.index(values[c.name]) if c.name in values else -1)
    arch = settled(space, tuple(row))
    for c, given, active in zip(choices, row, arch, strict=True):
        if given < 0 <= active:
            raise BadInput(f"{c.name}: no option was given; one of {_listed(c.options)}")
        if active < 0 <= given:
            raise BadInput(f"{c.name}: this choice is inactive here; leave it out")
    return arch


def key(space: Space, arch: Arch) -> str:
    """16 hex digits that name this arch in every table, run and link: the hash of its choices as JSON."""
    text = json.dumps(describe(space, arch), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=8)
def keys(space: Space) -> dict[str, Arch]:
    """Key -> arch of every arch of a space of at most 100,000."""
    return {key(space, a): a for a in tuples(enumerate_archs(space))}


def parse(space: Space, text: str) -> Arch:
    """The arch that a person wrote: a key, the space's official string, or JSON of its choices.

    Raises:
        BadInput: it is none of these, or no arch of this space.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9a-f]{16}", text):
        if size(space) <= ENUMERABLE and text in keys(space):
            return keys(space)[text]
        raise BadInput(f"{text}: no architecture of this space has this key")
    if text.startswith("{"):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"architecture: not JSON ({error})") from error
        return from_choices(space, values.get("choices", values) if isinstance(values, dict) else {})
    arch = space.read(text)
    if arch is None:
        raise BadInput(f"{text[:80]!r} is no key, no official string and no JSON of choices of this space")
    return arch
