"""The forms of Build: the picked part, how inputs join, the knobs of the network around it."""

from __future__ import annotations

import functools
import typing
from collections.abc import Sequence
from dataclasses import Field
from typing import Any, Literal

import streamlit as st

from nascore.codec import from_json
from nascore.kinds import knobs
from nascore.space import Space
from nascore.tables import entry
from pages.parts import arch, builddoc, buildedit, buildscene, buildstate, forms
from pages.parts.builddoc import Document
from pages.parts.buildview import refused
from pages.parts.show import plain

DRAWN = ("nodes", "edges", "ops")  # knobs of a cell that the drawing shows
JOINS = {"sum": "Add", "mean": "Average", "concat": "Concatenate unused"}
SHOWN_FIRST = ("combine", "ops_on", "cells", "channels", "stages", "stem_stride")


def picked(document: Document, part: str | None) -> None:
    """Candidates of the picked line or box."""
    place = buildedit.part_of(document, part)
    with st.container(border=True, gap="xsmall", key="build-picked"):
        ops = buildedit.operations(document)
        if place not in ops:
            hint = "Click a box to choose its operations." if buildedit.on_nodes(document) else ""
            st.markdown(f":gray[:material/touch_app: {hint or 'Click a line to choose its operations.'}]")
            if ops:
                everywhere(document)
        elif buildedit.is_taken(document, place):
            st.markdown(f"**{plain(buildedit.spoken(document, place))}** is concatenated as it is.")
        else:
            st.markdown(f"**{plain(buildedit.spoken(document, place))}** may be")
            chosen(document, place, ops[place])
        if isinstance(place, int) and place not in ops:
            st.markdown(f":small[{plain(buildedit.spoken(document, place))} is picked.]")
        refused("picked")


def chosen(document: Document, place: Any, ops: tuple[str, ...]) -> None:
    """A tick for each operation."""
    name = "_".join(map(str, place)) if isinstance(place, tuple) else str(place)
    key = buildstate.controlled(f"build_ops_{name}", list(ops))
    st.pills(
        "Operations",
        offered(document),
        selection_mode="multi",
        key=key,
        format_func=buildscene.looks(offered(document)),
        label_visibility="collapsed",
        on_change=functools.partial(_ticked, place, key),
    )
    if not ops:
        st.markdown(":red-badge[:material/block: none ticked] Tick at least one.")
    st.button(
        "The same everywhere",
        icon=":material/select_all:",
        type="tertiary",
        key="build_everywhere",
        disabled=not ops,
        on_click=lambda: buildstate.change(lambda d: buildedit.tick_all(d, ops), "picked"),
    )


def offered(document: Document) -> list[str]:
    """Operations that may be ticked: all that are known, those of the document first."""
    used = [o for ops in buildedit.operations(document).values() for o in ops]
    return list(dict.fromkeys([*buildedit.candidates(), *used]))


def _ticked(place: Any, key: str) -> None:
    ops = list(st.session_state.get(key) or [])
    buildstate.change(lambda d: buildedit.tick(d, place, ops), "picked")


def everywhere(document: Document) -> None:
    """Candidates of all places at once, where they are the same."""
    lists = {tuple(sorted(o)) for o in buildedit.operations(document).values()}
    if len(lists) > 1:
        return
    key = buildstate.controlled("build_ops_all", list(next(iter(buildedit.operations(document).values()))))
    st.pills(
        "Or for all of them",
        offered(document),
        selection_mode="multi",
        key=key,
        format_func=buildscene.looks(offered(document)),
        on_change=lambda: buildstate.change(
            lambda d: buildedit.tick_all(d, list(st.session_state.get(key) or [])), "picked"
        ),
    )


def skeleton(document: Document) -> None:
    """Knobs that are numbers or words: those of a ready space first, then those of the drawing."""
    first, inner = builddoc.bare(document), builddoc.core(document)
    own = plain_knobs(first, ())
    rest = plain_knobs(inner, [f.name for f, _ in own]) if inner["name"] != first["name"] else []
    if not own and not rest:
        return
    with st.container(border=True, gap="xsmall", key="build-skeleton"):
        named = arch.named(str(first["name"]))
        st.markdown(
            f"**Knobs of {plain(named)}**" if builddoc.ready(document) else "**The network around it**"
        )
        row(own, first)
        if rest:
            text = f"More knobs of the drawing; with other values it is {named} no more."
            st.markdown(f":small[:gray[{plain(text, 200)}]]")
            row(rest, inner)
        refused("skeleton")


def plain_knobs(document: Document, but: Sequence[str]) -> list[tuple[Field[Any], Any]]:
    """Knobs of a space that are numbers, words or lists of them, with their types; without some names."""
    cls = entry("space", document["name"])
    hints, hidden = typing.get_type_hints(cls), DRAWN if document["name"] in builddoc.DRAWABLE else ()
    found = [f for f in knobs(cls) if f.name not in (*hidden, *but) and is_plain(hints[f.name])]
    found.sort(key=lambda f: SHOWN_FIRST.index(f.name) if f.name in SHOWN_FIRST else 99)
    return [(f, hints[f.name]) for f in found]


def row(found: Sequence[tuple[Field[Any], Any]], document: Document) -> None:
    """Widgets side by side."""
    with st.container(horizontal=True, gap="small"):
        for f, hint in found:
            widget(f, hint, document["knobs"].get(f.name))


def is_plain(hint: Any) -> bool:
    """Whether a knob is a number, a word or a list of them."""
    args = typing.get_args(hint)
    nested = any(typing.get_origin(a) is tuple or hasattr(a, "__dataclass_fields__") for a in args)
    return not nested and not hasattr(hint, "__dataclass_fields__") and hint is not Space


def widget(f: Field[Any], hint: Any, value: Any, part: str = "") -> None:
    """One knob of the drawing or of an added part: it shows what the document says, a change is an edit."""
    label, about = JOINED.get(f.name, forms.sentence(forms.spoken(f.name))), f.metadata
    key = f"build_knob_{part}_{f.name}" if part else f"build_knob_{f.name}"
    more: dict[str, Any] = {"help": plain(about["help"], 300) or None}
    more["on_change"] = functools.partial(_set, f.name, key, part)
    options = about["options"] or (typing.get_args(hint) if typing.get_origin(hint) is Literal else ())
    if f.name == "kinds":
        on = buildstate.controlled(key, len(value) == 2)
        st.toggle("A reducing cell of its own", key=on, **more)
    elif options and typing.get_origin(hint) is tuple:
        st.multiselect(label, options, key=buildstate.controlled(key, list(value or ())), width=250, **more)
    elif options:
        st.selectbox(
            label,
            options,
            key=buildstate.controlled(key, value),
            format_func=lambda o: JOINS.get(o, str(o)),
            width=190,
            **more,
        )
    elif hint is bool:
        st.toggle(label, key=buildstate.controlled(key, bool(value)), **more)
    elif hint in (int, float):
        low, high = about["low"], about["high"]
        st.number_input(
            label,
            None if low is None else hint(low),
            None if high is None else hint(high),
            key=buildstate.controlled(key, hint(value or 0)),
            step=1 if hint is int else None,
            width=130,
            **more,
        )
    elif typing.get_origin(hint) is tuple:
        text = ", ".join(str(v) for v in value or ())
        st.text_input(label, key=buildstate.controlled(key, text), width=118 if part else 190, **more)


JOINED = {"combine": "Join what arrives"}


def _set(name: str, key: str, part: str) -> None:
    value: Any = st.session_state.get(key)
    if value is None:
        return
    document = buildstate.current().document
    inner = builddoc.added(document)[part] if part else builddoc.core(document)
    own = {} if part else builddoc.bare(document)["knobs"]
    before = own.get(name, inner["knobs"].get(name))
    if name == "kinds":
        value = ["normal", "reduce"] if value else ["cell"]
    if isinstance(before, list) and isinstance(value, str):
        value = [forms.plain_value(w.strip()) for w in value.split(",") if w.strip()]
    if part:
        buildstate.change(lambda d: builddoc.set_part(d, part, name, value), "added")
    else:
        buildstate.change(lambda d: checked(d, buildedit.set_knob(d, name, value)), "skeleton")


def checked(before: Document, after: Document) -> Document:
    """The document after an edit that must leave a space behind, where it was one before.

    Raises:
        BadInput: it does not.
    """
    if builddoc.made(before) is not None:
        from_json("space", after)
    return after
