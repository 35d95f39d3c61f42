"""What shall be searched, how, and what will it cost? One form, one estimate, one button."""

from __future__ import annotations

from typing import Any

import streamlit as st

from nascore.errors import AppError, BadInput
from nascore.runs.spec import RunSpec, from_document
from pages.parts import before, compose, errors, forms, show
from pages.parts.setup import page_setup

CARDS = (
    ("space", "Space", "grid_view"),
    ("task", "Task", "image"),
    ("evaluator", "Evaluator", "speed"),
    ("strategy", "Strategy", "alt_route"),
)
HOW = (
    "Choose what to search, on which data, how an architecture is judged and how the search moves. "
    "The knobs of each are behind :material/tune:. The right side says what it will cost on this machine. "
    "The address always holds the whole form: copy it, and the link opens the same one."
)


def open_form() -> str:
    """Starts the form where the address asks for another one. Returns a refusal, or ""."""
    query = {name: st.query_params[name] for name in ("from", "spec") if name in st.query_params}
    if forms.BEGIN in st.session_state and query in ({}, st.session_state.get("search_address")):
        if forms.PREFIX + "strategy" not in st.session_state:  # back from another page
            forms.begin(st.session_state.get("draft", st.session_state[forms.BEGIN]))
        return ""
    try:
        document, refusal = compose.document_of(query), ""
    except AppError as error:
        document, refusal = compose.fallback(), str(error)
    forms.begin(document)
    st.session_state["search_address"] = query
    return refusal


def fields() -> tuple[dict[str, Any], dict[str, Any]]:
    """The whole form. Returns the document, and the places where a refusal of each part belongs."""
    document: dict[str, Any] = {"v": 1}
    slots: dict[str, Any] = {}
    compose.saved_spaces()
    rows = [st.columns(2, gap="small"), st.columns(2, gap="small")]
    for i, (kind, label, icon) in enumerate(CARDS):
        with rows[i // 2][i % 2]:
            document[kind], slots[kind] = forms.part(kind, label, icon)
    with st.container(border=True, gap="small", key="card-goal"):
        st.markdown(":material/target: Objectives, limits, budget")
        names = compose.metrics(document)
        document["objectives"] = compose.objectives(names)
        slots["objectives"], more = st.empty(), st.container()
        document["budget"] = compose.budget()
        slots["budget"] = st.empty()
        document["constraints"] = compose.limits(names)
        slots["constraints"] = st.empty()
    with st.expander("Training recipe and executor", icon=":material/expand_content:", key="more"):
        left, right = st.columns(2, gap="small")
        for side, kind, label in ((left, "recipe", "Recipe"), (right, "executor", "Executor")):
            with side:
                name, given = forms.choose(kind, label, forms.first(kind), kind)
                knobs = forms.settings(forms.entry_of(kind, name), given, f"{kind}_{name}")
                document[kind], slots[kind] = {"name": name, "knobs": knobs}, st.empty()
    document |= compose.rest()
    with more:
        compose.calibration(document, names)
    return document, slots


def judged(document: dict[str, Any], slots: dict[str, Any]) -> tuple[RunSpec | None, str]:
    """The spec of the form, or what is wrong with it, which is also shown at its field."""
    try:
        return from_document(document), ""
    except BadInput as error:
        for name, slot in slots.items():
            if forms.complain(slot, str(error), [name]):
                break
        return None, str(error)


page_setup("New search")
show.head("New search", "What shall be searched, how, and what will it cost?", HOW)
refusal, place = open_form() or st.session_state.pop("spec_refused", ""), st.empty()
left, right = st.columns([1.9, 1], gap="medium")
with left:
    document, slots = fields()
if refusal:
    st.session_state["search_refusal"] = (refusal, document)
said, then = st.session_state.get("search_refusal", ("", None))
if said and then == document:  # it stands until the form is changed
    with place.container():
        errors.refused(said)
spec, wrong = judged(document, slots)
link = ""
if spec is not None:
    link = compose.link_of(spec)
    st.session_state["draft"] = document
    st.session_state["search_address"] = {"spec": link}
    st.query_params.from_dict({"spec": link})
with right, st.container(border=True, gap="small", key="before"):
    st.markdown("**Before you start**")
    if spec is None:
        st.markdown(f":red-badge[:material/error: not yet] {show.plain(wrong, 300)}")
    else:
        before.sizes(spec)
        before.machine(spec)
    before.start_button(spec)
    before.as_file(spec, link)
