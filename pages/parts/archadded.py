"""What a product adds to the network that is drawn: its bits, its recipe, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from nascore.product import Product, whole
from nascore.view import words
from pages.parts.arch import Look

HELP = (
    "These choices belong to the architecture too, but no line of the cell shows them. What bits cost is "
    "known from the run that tried it."
)


def panel(look: Look, known: Mapping[str, float]) -> None:
    """Each added part in a line of its own; nothing for a network that is all there is.

    Args:
        look: the arch.
        known: metric -> value, of the newest run that tried it.
    """
    space = whole(look.space)
    if not isinstance(space, Product):
        return
    with st.container(border=True, gap="small", key="added-card"):
        st.markdown("**Added to the network**", help=HELP)
        for line in space.told(look.arch).splitlines():
            st.text(line)
        costs = [m for m in space.priced() if m in known]
        if costs:
            named = (f"{_short(m)} {words.metric(m, known[m])}" for m in costs)
            st.caption(" · ".join(named))


def _short(metric: str) -> str:
    """A metric's title without its unit, which the value has."""
    return words.metric_title(metric).partition(" (")[0].lower()
