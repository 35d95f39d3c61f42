"""Which networks do I allow, and how many are they? Draw a space, see at once what is in it, use it."""

from __future__ import annotations

import streamlit as st

from nascore.errors import AppError
from nascore.overview import Overview
from nascore.space import Space
from nascore.task import Shape
from pages.parts import (
    arch,
    buildadd,
    buildcount,
    builddoc,
    buildedit,
    buildforms,
    buildknobs,
    buildstages,
    buildstate,
    buildview,
    draftbar,
    errors,
    show,
)
from pages.parts.buildedit import Fault
from pages.parts.setup import page_setup

HOW = """
Drag from one box to another to connect them; drag a box to an empty place to move it. Click a line or a box
to choose its operations. Every edit is kept; Save makes a version that never changes. The size is exact.
Where a number is an estimate, it says so when you point at it.

| Key | In the drawing |
|---|---|
| Tab, arrows | enter it, walk through its parts |
| Enter | pick the part: its operations appear at the right |
| `c`, then Enter on another box | connect two boxes |
| Alt + arrow | move a box |
| Delete | remove the part |
| Escape | let go: of a connection begun, else of what is picked |

| Key | Anywhere on the page |
|---|---|
| Ctrl + Z, Ctrl + Shift + Z | undo, redo |
| `n` | one more node or stage |
| Ctrl + S | save a version |
"""


def body(draft: buildstate.Draft) -> None:
    """The draft: drawing and samples at the left, counts and knobs at the right."""
    document = draft.document
    faults = buildedit.faults(document)
    drawn = builddoc.made(document)
    shape, data = arch.shape_of("")
    about = f"Counted for a {arch.pixels(shape)} and {shape.classes} classes, {data}."
    seed = int(st.session_state.get("build_seed", 0))
    found = buildcount.counted(drawn, shape, seed) if drawn is not None else ""
    draftbar.bar(draft, None if faults else drawn)
    left, right = st.columns([2.1, 1], gap="medium")
    with left:
        pictures(draft, drawn, found, shape, faults)
        if drawn is not None and not isinstance(found, str):
            buildview.samples(drawn, shape, found, seed)
        buildforms.skeleton(document)
    with right:
        if drawn is not None and not isinstance(found, str):
            buildcount.card(drawn, shape, about, found)
        elif found:
            st.markdown(f":red-badge[:material/block: empty] {show.plain(found, 300)}")
        if builddoc.is_cell(document):
            buildforms.picked(document, buildstate.picked(document))
        elif builddoc.is_stages(document):
            buildstages.panel(document)
        draftbar.use(draft, None if faults else drawn, faults)
        if drawn is not None:
            buildadd.added(document)
            buildadd.closed(document, drawn)


def pictures(
    draft: buildstate.Draft, drawn: Space | None, found: Overview | str, shape: Shape, faults: list[Fault]
) -> None:
    """The buttons, and the drawing that fits the space."""
    document = draft.document
    if builddoc.is_cell(document):
        part = buildstate.picked(document)
        buildview.tools(draft, part)
        buildview.drawing(draft, part, faults)
    elif builddoc.is_stages(document):
        buildstages.tools(document)
        buildview.tools(draft, None)
        buildstages.drawing(draft, None if faults else drawn, shape, faults)
    else:
        buildview.tools(draft, None)
        if drawn is not None and not isinstance(found, str):
            buildknobs.drawing(document, drawn, shape, found)


page_setup("Build")
show.head("Build a space", "Which networks do I allow, and how many are they?", HOW)
draft = None
try:
    if "doc" in st.query_params:
        draftbar.from_link(st.query_params["doc"])
    draft = buildstate.opened()
except AppError as error:
    errors.refused(error)
if draft is None:
    draftbar.begin()
else:
    body(draft)
