"""The document of a space: the drawing inside, what is added to it, what is closed.

A document is the space's JSON, `{"name": ..., "knobs": {...}}`, with every knob written out. A restriction or
a product may stand around the drawing; edits go through them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from nascore.codec import from_json, to_json
from nascore.errors import BadInput
from nascore.space import Space, Value, restrict
from nascore.tables import table

Document = dict[str, Any]
DRAWABLE = ("cell", "stages")  # spaces that are data: what is drawn here
ADDED = ("training", "quant")  # spaces that add choices to any network
WRAPS = {"restrict": "space", "product": "parts"}  # where the space inside stands


def core(document: Document) -> Document:
    """The drawing inside: what a restriction or a product is made of."""
    while (field := WRAPS.get(str(document.get("name")))) is not None:
        inner = document["knobs"][field]
        document = inner[0] if isinstance(inner, list) else inner
    return document


def with_core(document: Document, new: Document) -> Document:
    """The document with another drawing inside; what was closed and is no more there is forgotten."""
    field = WRAPS.get(str(document.get("name")))
    if field is None:
        return new
    inner = document["knobs"][field]
    first = with_core(inner[0] if isinstance(inner, list) else inner, new)
    changed = [first, *inner[1:]] if isinstance(inner, list) else first
    out = {"name": document["name"], "knobs": {**document["knobs"], field: changed}}
    return _still_closed(out) if document["name"] == "restrict" else out


def _still_closed(document: Document) -> Document:
    """A restriction without the choices and options that its space has no more."""
    inside = document["knobs"]["space"]
    space = made(inside)
    if space is None:
        return document
    known = {c.name: c.options for c in space.choices()}
    allowed = {
        n: [v for v in values if v in known[n]]
        for n, values in document["knobs"]["allowed"].items()
        if n in known
    }
    allowed = {n: v for n, v in allowed.items() if v and len(v) < len(known[n])}
    return {"name": "restrict", "knobs": {"space": inside, "allowed": allowed}} if allowed else inside


def made(document: Document) -> Space | None:
    """The space of a document; None where it is none yet."""
    try:
        return from_json("space", document)
    except BadInput:
        return None


def whole(document: Document) -> Document:
    """The document of a space with every knob written out.

    Raises:
        BadInput: it is no space.
    """
    space = from_json("space", document)
    return deepcopy(to_json(space))


def preset(name: str) -> Document:
    """A space by its name, as a drawing where it is one: the cell or the stages behind it, else itself."""
    space: Space = table("space")[name]()
    kinds = tuple(table("space")[n] for n in DRAWABLE if n in table("space"))
    told = (getattr(space, n) for n, value in vars(type(space)).items() if isinstance(value, property))
    return whole(to_json(next((d for d in told if isinstance(d, kinds)), space)))


def is_cell(document: Document) -> bool:
    """Whether a cell is drawn."""
    return core(document).get("name") == "cell"


def is_stages(document: Document) -> bool:
    """Whether stages are drawn."""
    return core(document).get("name") == "stages"


def addable() -> list[str]:
    """Spaces that add choices to any network: how it is trained, how many bits it has."""
    return [n for n in ADDED if n in table("space") and "product" in table("space")]


def _open(document: Document) -> Document:
    """What a restriction is made of; the document itself where nothing is closed."""
    return document["knobs"]["space"] if document.get("name") == "restrict" else document


def added(document: Document) -> dict[str, Document]:
    """What was added to the drawing, by name."""
    inside = _open(document)
    rest = inside["knobs"]["parts"][1:] if inside.get("name") == "product" else []
    return {str(part["name"]): part for part in rest}


def with_added(document: Document, parts: Mapping[str, Document]) -> Document:
    """The drawing with these choices added, in their order; with none of them it stands alone.

    Raises:
        BadInput: they do not fit together.
    """
    first = core(document)
    new = {"name": "product", "knobs": {"parts": [first, *parts.values()]}} if parts else first
    from_json("space", new)
    if document.get("name") != "restrict":
        return new
    return _still_closed({"name": "restrict", "knobs": {**document["knobs"], "space": new}})


def add_part(document: Document, name: str) -> Document:
    """With the choices of another space, at its defaults."""
    return with_added(document, {**added(document), name: to_json(table("space")[name]())})


def drop_part(document: Document, name: str) -> Document:
    """Without them."""
    return with_added(document, {n: p for n, p in added(document).items() if n != name})


def set_part(document: Document, name: str, knob: str, value: Any) -> Document:
    """With one knob of what was added changed."""
    part = added(document)[name]
    changed = {"name": name, "knobs": {**part["knobs"], knob: value}}
    return with_added(document, {**added(document), name: changed})


def allowed(document: Document) -> dict[str, list[Value]]:
    """Choice -> options that stay open, where some are closed."""
    return dict(document["knobs"]["allowed"]) if document.get("name") == "restrict" else {}


def shrink(document: Document, choice: str, values: Sequence[Value]) -> Document:
    """A choice with only some options open; with all of them the restriction on it ends.

    Raises:
        BadInput: no such choice or option, or nothing left open.
    """
    inside = _open(document)
    space: Space = from_json("space", inside)
    options = {c.name: c.options for c in space.choices()}
    closed = {**allowed(document), choice: list(values)}
    restrict(space, closed)
    closed = {n: v for n, v in closed.items() if len(v) < len(options[n])}
    return {"name": "restrict", "knobs": {"space": inside, "allowed": closed}} if closed else inside
