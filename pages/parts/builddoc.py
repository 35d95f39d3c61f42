"""The document of a space: the drawing inside, what is added to it, what is closed.

A document is the space's JSON, `{"name": ..., "knobs": {...}}`, with every knob written out. A restriction
may stand around a product, and a product around the space of networks; edits go through them. A ready space
with a drawing behind it stays itself until that drawing is edited.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any

from nascore.codec import from_json, to_json
from nascore.errors import BadInput
from nascore.product import Product, adds
from nascore.product import whole as unrestricted
from nascore.space import Choice, Restricted, Space, Value, restrict
from nascore.tables import entry, table

Document = dict[str, Any]
DRAWABLE = ("cell", "stages")  # spaces that are data: what is drawn here
FIRST_PART = "arch"  # what stands before the choices of the network in a product


def made(document: Document) -> Space | None:
    """The space of a document; None where it is none yet."""
    try:
        return from_json("space", document)
    except BadInput:
        return None


def whole(document: Document | str) -> Document:
    """The document of a space: every knob written out, one restriction outside, then the product.

    Raises:
        BadInput: it is no space.
    """
    space: Space = from_json("space", document)
    bare = _bare(space)
    base = {c.name: c for c in bare.choices()}
    shut = {c.name: values_of(c) for c in space.choices() if c.open != base[c.name].open}
    return deepcopy(to_json(restrict(bare, shut) if shut else bare))


def _bare(space: Space) -> Space:
    """The space with nothing closed, nor in its parts."""
    space = unrestricted(space)
    return Product(tuple(map(_bare, space.parts)), space.names) if isinstance(space, Product) else space


def values_of(choice: Choice) -> list[Value]:
    """The open options of a choice."""
    return [choice.options[i] for i in choice.open]


# Layers ------------------------------------------------------------------------------------------------


def unclosed(document: Document) -> Document:
    """What a restriction is made of; the document itself where nothing is closed."""
    return document["knobs"]["space"] if document.get("name") == "restrict" else document


def bare(document: Document) -> Document:
    """The space that makes the networks, as it stands: drawn, or ready."""
    inside = unclosed(document)
    return unclosed(inside["knobs"]["parts"][0]) if inside.get("name") == "product" else inside


def core(document: Document) -> Document:
    """The drawing inside: drawn, or behind a ready space; the space itself where it has none."""
    inside = bare(document)
    return inside if inside.get("name") in DRAWABLE else drawing_of(inside) or inside


def with_bare(document: Document, new: Document) -> Document:
    """The document around another space of networks; what was closed and is no more there is forgotten."""
    if document.get("name") == "restrict":
        inside = with_bare(document["knobs"]["space"], new)
        return close(inside, document["knobs"]["allowed"])
    if document.get("name") == "product":
        parts = [new, *document["knobs"]["parts"][1:]]
        return {"name": "product", "knobs": {**document["knobs"], "parts": parts}}
    return new


def with_core(document: Document, new: Document) -> Document:
    """The document with another drawing inside; what a ready space keeps closed stays closed."""
    before = bare(document)
    shut = {}
    if before != new and before.get("name") not in DRAWABLE and (space := made(before)) is not None:
        shut = {_prefix(document) + c.name: values_of(c) for c in space.choices() if c.allowed}
    return close(with_bare(document, new), {**shut, **allowed(document)})


def close(document: Document, shut: Mapping[str, Sequence[Value]]) -> Document:
    """With only these options open, as far as the choices and options are there; else as it is."""
    inside = unclosed(document)
    space = made(inside)
    if space is None:
        kept = {n: list(v) for n, v in shut.items()}
    else:
        known = {c.name: values_of(c) for c in space.choices()}
        kept = {n: [v for v in values if v in known[n]] for n, values in shut.items() if n in known}
        kept = {n: v for n, v in kept.items() if v and len(v) < len(known[n])}
    return {"name": "restrict", "knobs": {"space": inside, "allowed": kept}} if kept else inside


def _prefix(document: Document) -> str:
    """What stands before the names of the network's choices."""
    inside = unclosed(document)
    return f"{_names(inside)[0]}." if inside.get("name") == "product" else ""


def _names(product: Document) -> list[str]:
    """The names of a product's parts, whether they are written or not."""
    given, parts = product["knobs"].get("names"), product["knobs"]["parts"]
    return list(given) if given else [FIRST_PART, *(str(p["name"]) for p in parts[1:])]


# Drawings and ready spaces -------------------------------------------------------------------------------


def drawing_of(document: Document) -> Document | None:
    """The drawing behind a ready space, with the same choices; None where it has none."""
    return deepcopy(_drawing_of(json.dumps(document, sort_keys=True)))


@lru_cache(maxsize=128)
def _drawing_of(text: str) -> Document | None:
    space = made(json.loads(text))
    kinds = tuple(table("space")[n] for n in DRAWABLE)
    if space is None or isinstance(space, kinds):
        return None
    told = (getattr(space, n) for n, value in vars(type(space)).items() if isinstance(value, property))
    mine = [(c.name, c.options) for c in space.choices()]
    same = (d for d in told if isinstance(d, kinds) and [(c.name, c.options) for c in d.choices()] == mine)
    return next((to_json(d) for d in same), None)


def ready(document: Document) -> str:
    """The name of the ready space that this is, drawn or not; empty for what was drawn by hand."""
    name = str(bare(document).get("name", ""))
    return "" if name in DRAWABLE else name


def with_ready_knob(document: Document, knob: str, value: Any) -> Document | None:
    """The document with one knob of its ready space changed; None where that has no such knob.

    Raises:
        BadInput: a value that it cannot have.
    """
    before = bare(document)
    if not ready(document) or knob not in before["knobs"]:
        return None
    new = {"name": before["name"], "knobs": {**before["knobs"], knob: value}}
    from_json("space", new)
    return with_bare(document, new)


def is_cell(document: Document) -> bool:
    """Whether a cell is drawn."""
    return core(document).get("name") == "cell"


def is_stages(document: Document) -> bool:
    """Whether stages are drawn."""
    return core(document).get("name") == "stages"


# Added choices -------------------------------------------------------------------------------------------


def addable() -> list[str]:
    """Spaces that add choices to any network: how it is trained, how many bits it has."""
    return [n for n, kind in table("space").items() if kind not in (Product, Restricted) and adds(kind)]


def added(document: Document) -> dict[str, Document]:
    """What was added to the network, by the name of its space."""
    inside = unclosed(document)
    rest = inside["knobs"]["parts"][1:] if inside.get("name") == "product" else []
    return {str(part["name"]): part for part in rest}


def with_added(document: Document, parts: Mapping[str, Document]) -> Document:
    """The network with these choices added, in their order; with none of them it stands alone.

    Raises:
        BadInput: they do not fit together.
    """
    before, first = unclosed(document), bare(document)
    known = dict(zip(["", *added(document)], _names(before), strict=True)) if added(document) else {}
    names = [known.get("", FIRST_PART), *(known.get(n, n) for n in parts)]
    new = first
    if parts:
        new = {"name": "product", "knobs": {"parts": [first, *parts.values()], "names": names}}
    from_json("space", new)
    old, now = _prefix(document), _prefix(new)
    shut = {now + n.removeprefix(old) if n.startswith(old) else n: v for n, v in allowed(document).items()}
    return close(new, {**allowed(document), **shut})


def add_part(document: Document, name: str) -> Document:
    """With the choices of another space, at its defaults."""
    return with_added(document, {**added(document), name: to_json(entry("space", name)())})


def drop_part(document: Document, name: str) -> Document:
    """Without them."""
    return with_added(document, {n: p for n, p in added(document).items() if n != name})


def set_part(document: Document, name: str, knob: str, value: Any) -> Document:
    """With one knob of what was added changed."""
    part = added(document)[name]
    changed = {"name": name, "knobs": {**part["knobs"], knob: value}}
    return with_added(document, {**added(document), name: changed})


# Closed options ------------------------------------------------------------------------------------------


def allowed(document: Document) -> dict[str, list[Value]]:
    """Choice -> options that stay open, where some are closed by hand."""
    return dict(document["knobs"]["allowed"]) if document.get("name") == "restrict" else {}


def shrink(document: Document, choice: str, values: Sequence[Value]) -> Document:
    """A choice with only some options open; with all of them the restriction on it ends.

    Raises:
        BadInput: no such choice or option, or nothing left open.
    """
    space: Space = from_json("space", unclosed(document))
    restrict(space, {choice: values})
    return close(document, {**allowed(document), choice: list(values)})
