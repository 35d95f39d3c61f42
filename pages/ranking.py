"""Can this evaluator rank? Every evaluator before one truth, with intervals."""

from __future__ import annotations

import streamlit as st

from pages.parts import fronts, links, rankask, rankdata, rankview, show
from pages.parts.rankask import Answer, Asked
from pages.parts.setup import page_setup

HOW = (
    "Choose a truth and who shall judge by it. Kendall's tau is 1 when two rankings agree on every pair, 0 "
    "when they agree by chance, -1 when they are reversed. Overlapping whiskers do not say that two "
    "evaluators are alike: all rank the same architectures, so the difference itself has an interval. Which "
    "way is better is declared for every metric, never guessed. Everything you choose stands in the address."
)


def body(a: Asked, answer: Answer) -> None:
    """The answer."""
    picked = rankask.picked(answer)
    rankview.sentence(a, answer)
    left, right = st.columns([1, 1.1], gap="medium")
    with left:
        rankview.court(a, answer, picked)
    with right:
        view = rankask.view(list(rankask.VIEWS), picked)
        if view == "scatter":
            rankview.scatter(a, picked)
        else:
            {"ranks": rankview.ranks, "truths": rankview.truths, "cost": rankview.cost}[view](
                a, answer, picked
            )
    rankview.listed(a, answer)


def ranked(mark: str, marks: dict[str, str]) -> None:
    """Controls and answer of `table:NAME` or `run:ID`."""
    court = rankdata.court(mark)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="rank-controls"):
        rankask.choose_source(marks, mark)
        asked = rankask.asked(mark, court) if court is not None else None
        if asked is not None:
            rankask.controls(asked)
    if asked is None:
        show.empty(
            "format_list_numbered", "It has no metrics that could judge.", "Choose another table or run."
        )
    elif not asked.by:
        show.empty("groups", "Nobody to judge.", "Choose evaluators above.")
    else:
        with st.spinner("Resampling the architectures..." if asked.resamples else "Judging..."):
            answer = rankask.answered(asked)
        if answer.lines:
            body(asked, answer)
        else:
            rankview.none(answer)


page_setup("Ranking")
show.head("Ranking", "Can this evaluator tell good architectures from bad ones?", HOW)
found = fronts.marks()
if not found:
    show.empty("format_list_numbered", "No table and no run yet.", "Start a search, or import a benchmark.")
    links.link(links.SEARCH, "New search", "travel_explore")
else:
    given = st.query_params.get("source", "")
    chosen = given if given in found else next(iter(found))
    if given and given != chosen:
        st.info(
            show.plain(f"There is no {given[:80]}; this is {found[chosen]}.", 200), icon=":material/info:"
        )
    with rankdata.steady():
        ranked(chosen, found)
