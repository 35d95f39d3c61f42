"""What every page does first: name, mark, style, and a word about the folder it works in."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.parts import show, stores

HERE = Path(__file__).parent


def frame(title: str) -> None:
    """The browser's title, the mark, the widths."""
    st.set_page_config(
        page_title=title,
        page_icon=str(HERE / "mark.svg"),
        layout="wide",
        initial_sidebar_state=220,
    )
    st.logo(str(HERE / "wordmark.svg"), icon_image=str(HERE / "mark.svg"), size="large")


def page_setup(title: str) -> None:
    """Sets up a page, whether it runs inside the navigation or alone."""
    frame(f"{title} · NAScope")
    show.style()
    stores.troubles()
