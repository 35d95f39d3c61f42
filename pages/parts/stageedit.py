"""Edits of a space of stages: functions from document to document, as `buildedit` has them for cells."""

from __future__ import annotations

import typing
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import MISSING, fields
from typing import Any

from nascore.codec import from_json
from nascore.errors import BadInput
from nascore.tables import table
from pages.parts import builddoc, buildedit
from pages.parts.builddoc import Document

MOST = 20  # stages


def kind() -> type[Any]:
    """The class of one stage."""
    return typing.get_args(typing.get_type_hints(table("space")["stages"])["stages"])[0]


def stages(document: Document) -> list[dict[str, Any]]:
    """Every stage with all its settings written out."""
    normal = {f.name: _plain(f.default) for f in fields(kind()) if f.default is not MISSING}
    return [{**normal, **stage} for stage in builddoc.core(document)["knobs"]["stages"]]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _with(document: Document, new: Sequence[dict[str, Any]]) -> Document:
    """The document with other stages.

    Raises:
        BadInput: they are no space.
    """
    out = buildedit.set_knob(document, "stages", list(new))
    from_json("space", builddoc.core(out))
    return out


def _at(document: Document, i: int) -> list[dict[str, Any]]:
    found = stages(document)
    if not 0 <= i < len(found):
        raise BadInput(f"stage: there is no stage {i + 1}; there are {len(found)}")
    return found


def set_option(document: Document, i: int, name: str, value: Any) -> Document:
    """One setting of one stage changed.

    Raises:
        BadInput: no such stage, or a value that does not fit.
    """
    found = _at(document, i)
    return _with(document, [{**s, name: value} if j == i else s for j, s in enumerate(found)])


def add(document: Document, after: int) -> Document:
    """One more stage behind another one, equal to it but for the stride, which is 1.

    Raises:
        BadInput: there are too many.
    """
    found = _at(document, after)
    if len(found) >= MOST:
        raise BadInput(f"stages: there are {MOST} already, which is the most")
    new = {**deepcopy(found[after]), "strides": [1]}
    return _with(document, [*found[: after + 1], new, *found[after + 1 :]])


def remove(document: Document, i: int) -> Document:
    """Without one stage.

    Raises:
        BadInput: it is the only one.
    """
    found = _at(document, i)
    if len(found) == 1:
        raise BadInput("stages: the last one stays; change it instead")
    return _with(document, [s for j, s in enumerate(found) if j != i])


def move(document: Document, i: int, by: int) -> Document:
    """A stage one place earlier (-1) or later (1); at the end nothing happens."""
    found = _at(document, i)
    to = min(max(i + by, 0), len(found) - 1)
    found.insert(to, found.pop(i))
    return _with(document, found)
