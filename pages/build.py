"""Which networks do I allow, and how many are they? Draw a space, see at once what is in it, use it."""

from __future__ import annotations

import streamlit as st

from nascore.errors import AppError
from pages.parts import (
    arch,
    buildcount,
    builddoc,
    buildedit,
    buildforms,
    buildstages,
    buildstate,
    buildview,
    draftbar,
    errors,
    show,
)
from pages.parts.setup import page_setup

HOW = (
    "Drag from one box to another to connect them, or press `c` on one and Enter on the other. Drag a box to "
    "an empty place to move it. Click a line to choose its operations; Delete removes what is picked. Arrows "
    "walk through the drawing, Alt with an arrow moves a box. Every edit is kept; Save makes a version "
    "that never changes. The size is exact. Where a number is an estimate, it says so when you point at it."
)


def body(draft: buildstate.Draft) -> None:
    """The draft: drawing and samples at the left, counts and knobs at the right."""
    document = draft.document
    faults = buildedit.faults(document)
    drawn = builddoc.made(document)
    space = None if faults else drawn
    part = buildstate.picked(document) if builddoc.is_cell(document) else None
    shape, data = arch.shape_of("")
    about = f"Counted for a {arch.pixels(shape)} and {shape.classes} classes, {data}."
    seed = int(st.session_state.get("build_seed", 0))
    found = buildcount.counted(drawn, shape, seed) if drawn is not None else ""
    draftbar.bar(draft, space)
    left, right = st.columns([2.1, 1], gap="medium")
    with left:
        if builddoc.is_stages(document):
            buildstages.tools(document)
        buildview.tools(draft, part)
        if builddoc.is_cell(document):
            buildview.drawing(draft, part, faults)
        elif builddoc.is_stages(document):
            buildstages.drawing(draft, space, shape, faults)
        if drawn is not None and not isinstance(found, str):
            buildview.samples(drawn, shape, found, seed)
        buildforms.skeleton(document)
    with right:
        if drawn is not None and not isinstance(found, str):
            buildcount.card(drawn, shape, about, found)
        elif found:
            st.markdown(f":red-badge[:material/block: empty] {show.plain(found, 300)}")
        if builddoc.is_cell(document):
            buildforms.picked(document, part)
        elif builddoc.is_stages(document):
            buildstages.panel(document)
        draftbar.use(draft, space, faults)
        if drawn is not None:
            buildforms.added(document)
            buildforms.closed(document, drawn)


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
