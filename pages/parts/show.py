"""Glue between figures, words and Streamlit. Texts of people go through `plain`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from nascore.view.template import CONFIG
from nascore.view.tokens import Tokens, tokens

STYLE = Path(__file__).with_name("style.css")
# A state is told by color, icon and word together.
STATES = {
    "queued": ("gray", "schedule"),
    "running": ("blue", "play_arrow"),
    "paused": ("yellow", "pause"),
    "finished": ("green", "check"),
    "stopped": ("orange", "stop"),
    "interrupted": ("orange", "power_off"),
    "failed": ("red", "error"),
}
VERDICTS = {
    "reproduced": ("green", "verified"),
    "partly": ("yellow", "rule"),
    "not reproduced": ("red", "unpublished"),
    "not tried": ("gray", "hourglass_empty"),
    "running": ("blue", "play_arrow"),
}
MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$&:=\"'^])")
# What Streamlit still replaces inside a finished text: icons and emoji, addresses, arrows and comparisons.
LATE = re.compile(r"(?<=[:@])|(?<=\bwww)|(?<=[-<>=~])(?=[-<>=])", re.IGNORECASE)


def plain(text: object, limit: int = 120) -> str:
    """Markdown that shows a text as its own characters, on one line and no longer than `limit`.

    Backslashes stop what is parsed. Icons (`:material/x:`), emoji, addresses and arrows are replaced after
    parsing; an invisible space of no width inside them stops that.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    if len(line) > limit:
        line = line[: limit - 1] + "…"
    return MARKUP.sub(r"\\\1", LATE.sub("\u200b", line))


def style() -> None:
    """Load the one style file."""
    st.html(STYLE)


def theme() -> Tokens:
    """Tokens of the mode that the browser shows."""
    return tokens(st.context.theme.type)


def head(title: str, question: str, how: str = "") -> None:
    """Title, the one question that the page answers, and how to read it (Markdown of ours)."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        with st.container(width="stretch", gap=None):
            st.title(plain(title), anchor=False)
            st.markdown(f":gray[{plain(question)}]")
        if how:
            with st.popover("How to read this", icon=":material/help:", type="tertiary"):
                st.markdown(how)


def over(title: str, how: str = "", *, key: str | None = None) -> None:
    """A figure's heading, the way to read it (Markdown of ours) one click away."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=f"how-{key or title}"):
        st.markdown(f"**{plain(title)}**", width="content")
        if how:
            with st.popover("", icon=":material/help:", type="tertiary", help="How to read this"):
                st.markdown(how)


def show(
    fig: go.Figure,
    key: str,
    alt: str,
    *,
    select: Callable[[], None] | str | None = None,
    mode: tuple[str, ...] = ("points",),
) -> Any:
    """Draw a figure: our template, our mode bar, and words for those who cannot see it.

    `select` is "rerun" or a callback. A selection is an event: a changed figure forgets it, so copy it.
    """
    events: dict[str, Any] = {"on_select": select, "selection_mode": mode} if select else {}
    return st.plotly_chart(fig, key=key, theme=None, config=CONFIG, alt=alt, **events)


def panel(title: str, how: str, fig: go.Figure, key: str, alt: str, **more: Any) -> Any:
    """Heading, the way to read it, and figure, close together."""
    with st.container(gap=None):
        over(title, how, key=key)
        return show(fig, key, alt, **more)


def clicked(event: Any) -> str | None:
    """Key of the first selected point, from a chart's event or from its entry in the session state.

    Customdata of several columns comes back as an object with "0", "1", ... as keys; the key is the first.
    """
    points = ((event or {}).get("selection") or {}).get("points") or [{}]
    data = points[0].get("customdata")
    if isinstance(data, Mapping):
        data = data.get("0")
    elif isinstance(data, list | tuple):
        data = data[0] if data else None
    return None if data is None else str(data)


def chip(text: str) -> str:
    """Markdown of a protocol, to stand right under its number."""
    return f":gray-badge[{plain(text)}]"


def badge(kind: Mapping[str, tuple[str, str]], name: str, text: str = "") -> str:
    """Markdown of a state or verdict: `badge(STATES, "running")`; others are gray."""
    color, icon = kind.get(name, ("gray", "help"))
    return f":{color}-badge[:material/{icon}: {plain(text or name)}]"


def number(label: str, value: str, protocol: str, *, note: str = "", help: str | None = None) -> None:
    """A card with a number, its protocol, and perhaps a note (Markdown of ours), which go together."""
    with st.container(border=True, gap=None, height="stretch"):
        st.metric(plain(label), value, help=help)
        st.markdown((f":small[{note}]  \n" if note else "") + f":small[:gray[{plain(protocol)}]]")


def empty(icon: str, say: str, do: str) -> None:
    """What is missing, and what to do now; `icon` is a Material name."""
    with st.container(border=True, horizontal_alignment="center", gap="xsmall"):
        st.space("small")
        st.markdown(f"### :gray[:material/{icon}:]", width="content")
        st.markdown(f"**{plain(say)}**", width="content")
        st.markdown(f":gray[{plain(do, 240)}]", width="content")
        st.space("small")


def error_box(what: str, cause: str, remedy: str, code: str = "") -> None:
    """What happened, why, and what to do; the code finds the trace in the log."""
    lines = [
        f"**{plain(what)}** {plain(cause, 300)}",
        plain(remedy, 300),
        f":small[Error {plain(code)}]" if code else "",
    ]
    st.error("  \n".join(line for line in lines if line), icon=":material/error:")
