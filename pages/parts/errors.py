"""What a person sees when something breaks: one box. What we see: a trace in the log, under the same id."""

from __future__ import annotations

import logging
import secrets

import streamlit as st

from nascore.errors import AppError
from pages.parts import show

LOG = logging.getLogger("nascope")


def record(error: BaseException, where: str = "") -> str:
    """Writes the trace to the log. Returns the id that stands there and in the box."""
    code = secrets.token_hex(4)
    LOG.error("%s %s", code, where, exc_info=error)
    return code


def boxed(error: Exception) -> bool:
    """The one error boundary of all pages: shows a box and takes the error away from Streamlit.

    A refusal shows its own sentence. Anything else shows an id only: its text may hold paths or secrets.
    """
    if isinstance(error, AppError):
        refused(error)
        return True
    show.error_box(
        "This page broke.",
        "The other pages and all running searches go on.",
        "Reload the page; if it breaks again, the log has the trace under this id.",
        record(error),
    )
    return True


def refused(error: AppError | str) -> None:
    """A refusal: its one sentence, which says what would be right."""
    st.error(show.plain(str(error), 400), icon=":material/block:")
