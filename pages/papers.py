"""Does it hold when somebody else tries? The papers as cards; each opens with its claims and verdicts."""

from __future__ import annotations

import streamlit as st

from nascore.studies.paper import papers
from pages.parts import errors, links, papercards, paperview, show
from pages.parts.setup import page_setup

HOW = (
    "A card is a paper: its verdict, its family, how many of its claims hold here, and where its idea lives. "
    "Verdicts come from studies that ship with the program and can be run again. Our trials are small; each "
    "says how it differs from the paper's. Papers that are not built yet say so."
)


def board() -> None:
    """All cards and what narrows them."""
    cards = papercards.ordered([papercards.card(p) for p in papers().values()])
    query = papercards.asked()
    papercards.controls(query)
    fit = papercards.chosen(cards, query)
    tried = sum(bool(c.verdicts) and c.verdict != papercards.NOT_TRIED for c in cards)
    built = sum(c.paper.built for c in cards)
    st.markdown(f"**{len(fit)}** of {len(cards)} papers :gray[· {built} built, {tried} tried]")
    if fit:
        papercards.grid(fit)
    else:
        show.empty("filter_alt_off", "No paper fits.", "Take a filter away or search for less.")
        links.link(links.PAPERS, "All papers", "arrow_back")


page_setup("Papers")
asked = st.query_params.get("paper", "")
found = papers().get(asked)
show.head(found.name if found else "Papers", "Does it hold when somebody else tries?", HOW)
if asked and found is None:
    errors.refused(f"paper: there is no paper called {asked[:60]!r} here")
if found is not None:
    paperview.paper(papercards.card(found))
else:
    board()
