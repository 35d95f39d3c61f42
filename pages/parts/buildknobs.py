"""Spaces without a drawing: the largest network as a strip, and every choice in a table."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from nascore.errors import AppError
from nascore.overview import Overview
from nascore.space import Arch, Choice, Space, array, settle, tuples
from nascore.task import Shape
from nascore.view import scene
from nascore.view.tokens import LIVE, op_label
from pages.parts import arch, builddoc, forms
from pages.parts.builddoc import Document
from pages.parts.buildview import refused
from pages.parts.graph import graph
from pages.parts.show import plain

ROWS = 6  # of the table before it scrolls


def drawing(document: Document, space: Space, shape: Shape, found: Overview) -> None:
    """What there is to see where nothing can be drawn by hand."""
    name = forms.sentence(arch.named(str(builddoc.core(document)["name"])))
    with st.container(border=True, gap="xsmall", key="build-drawing"):
        shown, which = pictured(space, shape, found)
        drawn = scene.macro(space.graph(shown, shape), LIVE, label=f"The whole network, {which}")
        graph(drawn, key="build_whole", height=200)
        rows = listed(space)
        high = "content" if len(rows) <= ROWS else 36 * (ROWS + 1)
        st.dataframe(rows, hide_index=True, key="build_choices", height=high)
        text = (
            f"{name} is opened by its knobs: no cell or stages of it can be drawn by hand. The strip is "
            f"{which}. Change the knobs below; close options of its choices at the right."
        )
        st.markdown(f":small[:gray[:material/tune: {plain(text, 300)}]]")
        refused("drawing")


def pictured(space: Space, shape: Shape, found: Overview) -> tuple[Arch, str]:
    """The arch of the last open option of every choice, or a drawn one where that is no network."""
    row = array([tuple(c.open[-1] for c in space.choices())], space)
    last = tuples(settle(space, row))[0]
    try:
        if not space.invalid(last) and space.graph(last, shape).blocks:
            return last, "the network of the last option of every choice"
    except AppError:
        pass
    return found.samples[0], "one that was drawn"


def listed(space: Space) -> pd.DataFrame:
    """A row a choice: its open options, how many they are of all, and when it counts."""
    conditional = any(c.when for c in space.choices())
    rows = [
        {
            "choice": c.name.replace("_", " "),
            "open": f"{len(c.open)} of {len(c.options)}" if len(c.open) < len(c.options) else len(c.open),
            "options": _said(c),
            "only where": "" if c.when is None else f"{c.when[0]} is {' or '.join(map(str, c.when[1]))}",
        }
        for c in space.choices()
    ]
    frame = pd.DataFrame(rows).astype(str)
    return frame if conditional else frame.drop(columns="only where")


def _said(choice: Choice) -> str:
    values = [op_label(v) if isinstance(v, str) else str(v) for v in builddoc.values_of(choice)]
    return ", ".join(values if len(values) <= 12 else [*values[:5], "...", *values[-3:]])
