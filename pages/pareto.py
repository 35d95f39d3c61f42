"""What can be had together? Fronts of any objectives of any table or run."""

from __future__ import annotations

import streamlit as st

from pages.parts import frontask, fronts, frontview, links, show
from pages.parts.fronts import Asked
from pages.parts.setup import page_setup

HOW = (
    "Choose two to four objectives. An architecture is on the front when none is as good in all of them and "
    "better in one. Limits turn the rest gray. A run's front stands before the true front of its space where "
    "a table knows it. Everything you choose stands in the address."
)


def controls(marks: dict[str, str], mark: str, asked: Asked | None) -> None:
    """One row: what, which objectives, limits, reference."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="front-controls"):
        frontask.choose_source(marks, mark)
        if asked is not None:
            frontask.choose_objectives(asked)
            frontask.limits(asked)
            frontask.reference(asked)


def body(asked: Asked) -> None:
    """The answer."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="front-ways"):
        frontask.directions(asked)
        view = frontask.view(asked)
    if not len(asked.front):
        show.empty("filter_alt_off", "Nothing is within all limits.", "Widen a limit or take one away.")
        return
    points = frontview.points(asked)
    left, right = st.columns([3.4, 1], gap="medium")
    with left:
        frontview.picture(asked, points, view)
    with right:
        frontview.numbers(asked)
    if asked.source.run:
        frontview.growth(asked, points)
    show.over(f"{len(asked.front):,} on the front", "Select a row to open the architecture.")
    frontview.members(asked)


page_setup("Pareto")
show.head("Pareto", "What can be had together, and what does it cost?", HOW)
marks = fronts.marks()
if not marks:
    show.empty("line_axis", "No table and no run yet.", "Start a search, or import a benchmark.")
    links.link(links.SEARCH, "New search", "travel_explore")
else:
    given = st.query_params.get("source", "")
    mark = given if given in marks else next(iter(marks))
    found = fronts.source(mark)
    asked = fronts.asked(found) if found is not None and len(found.columns) > 1 else None
    if given and given != mark:
        st.info(show.plain(f"There is no {given[:80]}; this is {marks[mark]}.", 200), icon=":material/info:")
    controls(marks, mark, asked)
    if asked is None:
        show.empty("line_axis", "It has fewer than two metrics.", "Choose another table or run.")
    else:
        body(asked)
