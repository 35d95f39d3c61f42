"""The papers as cards: what is asked in the address, which of them fit, and a card each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from nascore.studies import STUDIES, results
from nascore.studies.claim import NOT, PARTLY, REPRODUCED, UNCLEAR, overall
from nascore.studies.paper import FAMILIES, Paper
from pages.parts import links, show

NOT_TRIED = "not tried"
VERDICTS = {**show.VERDICTS, UNCLEAR: ("yellow", "contrast")}
ASKED = (REPRODUCED, PARTLY, UNCLEAR, NOT, NOT_TRIED)
MOST_WORDS = 80
BUILT = {"yes": "built", "no": "not built yet"}
CLAIM = {
    REPRODUCED: ("green", "check_circle"),
    NOT: ("red", "cancel"),
    UNCLEAR: ("yellow", "contrast"),
    NOT_TRIED: ("gray", "radio_button_unchecked"),
}


@dataclass(frozen=True)
class Card:
    """A paper with what is known of it.

    Attributes:
        paper: the paper.
        verdicts: one a claim, in their order.
        verdict: of the whole paper.
    """

    paper: Paper
    verdicts: Sequence[str]
    verdict: str

    @property
    def words(self) -> str:
        """What a search looks in, in small letters."""
        p = self.paper
        return f"{p.name} {p.title} {p.key} {p.path} {p.year} {p.idea}".lower()


def card(p: Paper) -> Card:
    """A paper with the verdicts of its shipped result."""
    known = results.shipped(p.key) if p.key in STUDIES else None
    if known is None:
        return Card(p, [NOT_TRIED] * len(STUDIES[p.key].claims if p.key in STUDIES else ()), NOT_TRIED)
    return Card(p, [c["verdict"] for c in known["claims"]], overall(known["claims"]))


def ordered(cards: Sequence[Card]) -> list[Card]:
    """Tried ones first, then built ones, then the rest; within each in the order of the papers."""
    return sorted(cards, key=lambda c: (c.verdict == NOT_TRIED, not c.paper.built))


@dataclass(frozen=True)
class Asked:
    """What the address asks for; what it says wrongly is not asked."""

    words: str
    family: str | None
    verdicts: tuple[str, ...]
    built: str | None


def asked() -> Asked:
    """Reads the address."""
    query = st.query_params
    family, built = query.get("family"), query.get("built")
    said = query.get("verdict", "").split(",")
    return Asked(
        query.get("q", "")[:MOST_WORDS],
        family if family in FAMILIES else None,
        tuple(v for v in ASKED if v in said),
        built if built in BUILT else None,
    )


def _follow(key: str, value: Any) -> str:
    """A widget's key, whose value is that of the address."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def _take(name: str, key: str) -> None:
    """Writes what a widget says into the address; nothing takes its name out."""
    value: Any = st.session_state.get(key)
    text = ",".join(value) if isinstance(value, list | tuple) else str(value or "").strip()
    if text:
        st.query_params[name] = text
    else:
        st.query_params.pop(name, None)


def controls(a: Asked) -> None:
    """One row: words, family, verdict, built. All of it stands in the address."""

    def way(name: str, value: Any) -> dict[str, Any]:
        key = _follow(f"papers_{name}", value)
        return {"key": key, "on_change": _take, "args": (name, key)}

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="papers-controls"):
        st.text_input(
            "Find", placeholder="title, method, code path", width=230, icon=":material/search:",
            max_chars=MOST_WORDS, **way("q", a.words),
        )  # fmt: skip
        st.selectbox(
            "Family", list(FAMILIES), format_func=lambda f: FAMILIES[f], placeholder="all families",
            width=210, index=None, **way("family", a.family),
        )  # fmt: skip
        st.pills(
            "Verdict", ASKED, selection_mode="multi",
            format_func=lambda v: f":material/{VERDICTS[v][1]}: {v}", **way("verdict", list(a.verdicts)),
        )  # fmt: skip
        st.pills("Here", list(BUILT), format_func=lambda b: BUILT[b], **way("built", a.built))


def chosen(cards: Sequence[Card], a: Asked) -> list[Card]:
    """Those that fit."""
    words = a.words.lower().split()
    return [
        c
        for c in cards
        if all(w in c.words for w in words)
        and a.family in (None, c.paper.family)
        and (not a.verdicts or c.verdict in a.verdicts)
        and (a.built is None or c.paper.built == (a.built == "yes"))
    ]


def grid(cards: Sequence[Card]) -> None:
    """A card each; a click opens one, at an address of its own."""
    with st.grid("auto", min_column_width=290):
        for c in cards:
            with st.container(border=True, gap="xsmall", height="stretch", key=f"paper-{c.paper.key}"):
                _card(c)


def _card(c: Card) -> None:
    p = c.paper
    badges = f"{show.badge(VERDICTS, c.verdict)} :gray-badge[{FAMILIES[p.family]}]"
    st.markdown(badges)
    st.markdown(f"**{show.plain(p.name)}** :gray[{p.year}]  \n:small[:gray[{show.plain(p.title, 160)}]]")
    st.markdown(claims_line(c))
    st.space("stretch")
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(
            f":small[`{p.path}`]" if p.built else ":gray-badge[:material/construction: not built yet]"
        )
        links.link(links.PAPERS, "Open", "arrow_forward", paper=p.key)


def claims_line(c: Card) -> str:
    """Icons and words: how many claims hold."""
    if not c.verdicts:
        return ":small[:gray[No study yet]]"
    icons = " ".join(f":{CLAIM[v][0]}[:material/{CLAIM[v][1]}:]" for v in c.verdicts)
    if c.verdict == NOT_TRIED:
        return f"{icons} :small[:gray[{len(c.verdicts)} claims, not tried yet]]"
    hold = sum(v == REPRODUCED for v in c.verdicts)
    return f"{icons} :small[{hold} of {len(c.verdicts)} claims hold]"
