"""Ways from page to page. What is looked at stands in the address, so a link opens the same view again."""

from __future__ import annotations

from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

BENCHMARKS, PARETO, BUILD = "benchmarks.py", "pareto.py", "build.py"
ARCHITECTURE, SEARCH, RUNS = "architecture.py", "search.py", "runs.py"
PAPERS, COMPARE = "papers.py", "compare.py"


def go(page: str, **query: str) -> None:
    """Opens a page; where it is not in the navigation, the address of this one changes instead."""
    said = {name: value for name, value in query.items() if value}
    try:
        st.switch_page(page, query_params=said)
    except StreamlitAPIException:
        st.query_params.from_dict(said)


def link(page: str, label: str, icon: str = "", **query: str) -> None:
    """A link to a page; plain words where that page is not in the navigation. `label` is Markdown."""
    more: dict[str, Any] = {"icon": f":material/{icon}:"} if icon else {}
    said = {name: value for name, value in query.items() if value}
    try:
        st.page_link(page, label=label, query_params=said or None, **more)
    except (StreamlitAPIException, KeyError):
        st.markdown(label, width="content")


def settle(**query: str) -> None:
    """Puts what is open into the browser's address; an empty value takes its name out.

    A link to the page that is open changes what the server knows of the address, not what the browser shows.
    """
    for name, value in query.items():
        if st.session_state.get(f"settled_{name}", "") != value:
            if value:
                st.query_params[name] = value
            else:
                st.query_params.clear()
            st.session_state[f"settled_{name}"] = value
