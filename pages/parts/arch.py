"""What the Architecture page looks at: one arch of one space, what it costs, and those around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st

from nascore import space as spaces
from nascore.codec import arch_from_json, build, dumps, from_json, loads, to_json
from nascore.errors import BadInput
from nascore.graph import Edge, Graph
from nascore.kinds import knobs
from nascore.space import Arch, Space
from nascore.tables import entry, name_of, table
from nascore.task import CIFAR, Shape
from nascore.view import words

TITLES = {
    "nasbench201": "NAS-Bench-201",
    "nasbench101": "NAS-Bench-101",
    "darts": "DARTS",
    "nasnet": "NASNet",
    "mobilenet": "MobileNetV3",
    "nats_size": "NATS size",
    "pruned_resnet": "pruned ResNet",
}
FIRST = "nasbench201"  # what opens where nobody said which space
NOT_ALONE = ("restrict", "product", "training", "quant")  # made of other spaces, or added to them


@dataclass(frozen=True)
class Look:
    """One arch, ready to be shown.

    Attributes:
        space: the space with its knobs.
        name: the space's name in its table.
        shape: inputs and outputs that costs are counted for.
        data: what has this shape, in words.
        arch: option indices.
    """

    space: Space
    name: str
    shape: Shape
    data: str
    arch: Arch

    @property
    def key(self) -> str:
        """The key of the arch."""
        return spaces.key(self.space, self.arch)

    @property
    def graph(self) -> Graph:
        """Cell and network with their costs."""
        return self.space.graph(self.arch, self.shape)

    @property
    def counted(self) -> str:
        """What exact counts stand for: input and classes."""
        return f"counted exactly · {pixels(self.shape)} · {self.shape.classes} classes · {self.data}"

    def at(self, arch: Arch) -> Look:
        """Another arch of the same space."""
        return Look(self.space, self.name, self.shape, self.data, arch)


def pixels(shape: Shape) -> str:
    """`3 x 32 x 32 input`."""
    return f"{' x '.join(map(str, shape.image))} input"


def named(name: str) -> str:
    """A space's name as people write it."""
    return TITLES.get(name, name.replace("_", " "))


def space_names() -> list[str]:
    """Spaces that can be opened by name alone."""
    return sorted((n for n in table("space") if n not in NOT_ALONE), key=lambda n: (n != FIRST, n))


def from_address(query: Mapping[str, str]) -> Space:
    """The space that the address names, with the knobs it gives (`?space=nasbench201&channels=8`).

    Raises:
        BadInput: no such space, or a knob out of its range.
    """
    cls = entry("space", query.get("space", FIRST))
    if query.get("space") == "restrict":
        raise BadInput("space: open the whole space here; a restricted one comes with its run")
    values = {f.name: loads(query[f.name]) for f in knobs(cls) if f.name in query}
    return build(cls, values, "space")


def as_address(space: Space, name: str) -> dict[str, str]:
    """What `from_address` reads this space from: its name, and the knobs that are not as they come."""
    told, usual = to_json(space)["knobs"], to_json(build(entry("space", name), {}, "space"))["knobs"]
    return {"space": name, **{n: dumps(v) for n, v in told.items() if v != usual[n]}}


def described(space: Space, name: str) -> str:
    """A space in a few words: `NAS-Bench-201 with channels 8`."""
    changed = [f"{n} {v}" for n, v in as_address(space, name).items() if n != "space"]
    return named(name) + (f" with {', '.join(changed)}" if changed else "")


def unwrapped(space: Space) -> tuple[Space, str]:
    """The whole space behind a restricted one, and its name."""
    inner = space.space if isinstance(space, spaces.Restricted) else space
    return inner, name_of(inner)


def shape_of(task: str) -> tuple[Shape, str]:
    """Input shape of a task and its name; without one, the input that the literature counts at."""
    if not task:
        return CIFAR, "as CIFAR-10"
    made = from_json("task", task)
    return made.shape, made.data


def read(space: Space, text: str) -> tuple[Space, Arch]:
    """The arch that a person wrote: key, official string, JSON of choices, or a saved architecture file.

    Raises:
        BadInput: it is none of these, or no network.
    """
    if text.lstrip().startswith("{") and '"space"' in text:
        space, arch = arch_from_json(loads(text))
    else:
        arch = spaces.parse(space, text)
    return space, arch


def drawn(space: Space) -> Arch:
    """A random arch."""
    return spaces.tuples(spaces.sample(space, 1, np.random.default_rng()))[0]


def address(space: Space, arch: Arch) -> str:
    """What an arch is called in an address: its key where keys can be looked up, else its choices."""
    if spaces.size(space) <= spaces.ENUMERABLE:
        return spaces.key(space, arch)
    return dumps(spaces.describe(space, arch))


def option_label(option: object) -> str:
    """An option as people read it."""
    from nascore.view.tokens import op_label

    return op_label(str(option))


def edge_names(graph: Graph) -> dict[str, str]:
    """Choice -> how people say where it sits: `0 to 2`."""
    return {e.choice: f"{e.source} to {e.target}" for e in graph.edges if e.choice}


def worked(graph: Graph) -> list[Edge]:
    """Edges that do something; not those that only lead to an output that puts its inputs side by side."""
    return [e for e in graph.edges if e.op not in ("", "concat")]


def edge_table(graph: Graph, options: Mapping[str, str]) -> pd.DataFrame:
    """A row an edge with an operation: where, which, params, multiply-adds."""
    rows = [
        {
            "edge": f"{e.source} to {e.target}",
            "op": [options.get(e.op, e.op)],
            "params": e.params,
            "flops": e.flops,
        }
        for e in worked(graph)
    ]
    return pd.DataFrame(rows)


def around(look: Look, tried: Mapping[str, Mapping[str, float]]) -> pd.DataFrame:
    """The archs one change away: key, address, edge, choice, op, exact costs, metrics of those tried.

    Args:
        look: the arch in the middle.
        tried: key -> metrics.
    """
    near = spaces.neighbors(look.space, look.arch)
    if not near:
        return pd.DataFrame()
    where, short = edge_names(look.graph), spaces.size(look.space) <= spaces.ENUMERABLE
    costs = look.space.costs(spaces.array([a for _, a in near], look.space), look.shape)
    rows = []
    for i, (choice, arch) in enumerate(near):
        key = spaces.key(look.space, arch)
        known = {m: v for m, v in tried.get(key, {}).items() if m not in costs}
        op = str(spaces.describe(look.space, arch)[choice])
        way = key if short else dumps(spaces.describe(look.space, arch))
        base = {"key": key, "address": way, "choice": choice, "edge": where.get(choice, choice), "op": op}
        rows.append({**base, **{m: float(v[i]) for m, v in costs.items()}, **known})
    return pd.DataFrame(rows)


def difference(space: Space, a: Arch, b: Arch) -> str:
    """What changed from one arch to another: `edge 2 1: none became conv 3x3`."""
    from nascore.view.tokens import op_label

    was, now = spaces.describe(space, a), spaces.describe(space, b)
    changes = [
        f"{c.replace('_', ' ')}: {op_label(str(was.get(c, 'nothing')))} became {op_label(str(now[c]))}"
        for c in now
        if was.get(c) != now[c]
    ]
    return "; ".join(changes) or "nothing changed"


@st.cache_resource(max_entries=4, show_spinner="Folding equal networks of this space...")
def classes(space: Space) -> dict[Arch, list[Arch]]:
    """Canonical arch -> all archs that are the same network; spaces up to 100,000."""
    found: dict[Arch, list[Arch]] = {}
    for arch in spaces.tuples(spaces.enumerate_archs(space)):
        found.setdefault(space.canonical(arch), []).append(arch)
    return found


@st.cache_resource(max_entries=4, show_spinner="Counting every architecture of this space...")
def every(space: Space, shape: Shape) -> pd.DataFrame:
    """Exact costs of all archs of a space that can be listed: index (from 1), key, params, flops."""
    archs = spaces.enumerate_archs(space)
    costs = space.costs(archs, shape)
    keys = list(spaces.keys(space)) if len(archs) == spaces.size(space) else []
    keys = keys or [spaces.key(space, a) for a in spaces.tuples(archs)]
    return pd.DataFrame({"index": np.arange(1, len(archs) + 1), "key": keys, **costs})


def cost_line(params: float, flops: float) -> str:
    """`0.12 M params · 15.6 M multiply-adds`."""
    return f"{words.compact(params)} params · {words.compact(flops, 'multiply-adds')}"
