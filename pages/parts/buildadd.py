"""What stands around the networks of a space: choices added to them, and options that are closed."""

from __future__ import annotations

import functools
import re
import typing
from collections.abc import Mapping

import streamlit as st

from nascore.errors import BadInput
from nascore.kinds import knobs, summary
from nascore.space import Choice, Space, size
from nascore.tables import entry
from nascore.view import words
from nascore.view.tokens import op_label
from pages.parts import builddoc, buildedit, buildforms, buildscene, buildstate, forms
from pages.parts.builddoc import Document
from pages.parts.buildview import refused
from pages.parts.show import plain

CALLED = {"training": "recipe", "quant": "bit-width"}  # kinds of choices, as people call them
PILLS = 16  # options up to which each is a pill
EDGE = re.compile(r"(?:arch\.)?((?:normal\.|reduce\.)?)edge_(\d+)_(\d+)", re.ASCII)


def called(name: str) -> str:
    """What the choices of an added space are called."""
    return CALLED.get(name, forms.spoken(name))


def added(document: Document) -> None:
    """Choices that any network can have besides its own: a product space."""
    names, here = builddoc.addable(), builddoc.added(document)
    title = (
        f"Added: {' and '.join(map(called, here))} choices"
        if here
        else f"Add {' or '.join(map(called, names))} choices"
    )
    with st.expander(title, icon=":material/add_box:", key="build-added"):
        for name in names:
            st.toggle(
                f"{forms.sentence(called(name))} choices",
                key=buildstate.controlled(f"build_with_{name}", name in here),
                help=plain(summary(entry("space", name)), 300),
                on_change=functools.partial(_added, name, name in here),
            )
            if name in here:
                part(name, here[name])
        refused("added")


def part(name: str, document: Document) -> None:
    """The knobs of one added space, and how many there are of what it adds."""
    cls = entry("space", name)
    hints = typing.get_type_hints(cls)
    space = builddoc.made(document)
    if space is not None:
        choices = space.choices()
        text = f"{buildscene.big(size(space))} of them, by {len(choices)} choices: "
        text += ", ".join(c.name.replace("_", " ") for c in choices[:12]) or "no setting has two options"
        st.markdown(f":small[:gray[{plain(text, 300)}.]]")
        if prices := space.priced():
            more = f"A search can also mind {' and '.join(words.metric_title(m).lower() for m in prices)}."
            st.markdown(f":small[:gray[{plain(more, 200)}]]")
    with st.container(horizontal=True, gap="small", key=f"build-part-{name}"):
        for f in knobs(cls):
            if buildforms.is_plain(hints[f.name]):
                buildforms.widget(f, hints[f.name], document["knobs"].get(f.name), name)


def _added(name: str, there: bool) -> None:
    act = builddoc.drop_part if there else builddoc.add_part
    buildstate.change(lambda d: act(d, name), "added")


def closed(document: Document, space: Space) -> None:
    """Closing options of any choice: a restricted space."""
    base, shut = builddoc.made(builddoc.unclosed(document)), builddoc.allowed(document)
    title = f"Close options ({len(shut)} choices closed in part)" if shut else "Close options"
    with st.expander(title, icon=":material/filter_alt:", key="build-closed"):
        if base is None:
            st.markdown(":gray[The space has to be whole first.]")
            return
        choices = {c.name: c for c in base.choices()}
        where = st.selectbox(
            "Choice", list(choices), key="build_choice", format_func=lambda n: said(document, n, shut)
        )
        if where is None:
            return
        options(choices[where], shut)
        alike = [n for n, c in choices.items() if c.options == choices[where].options and n != where]
        if alike:
            many = f"The same in all {len(alike) + 1} choices with these options"
            st.button(
                many,
                icon=":material/select_all:",
                type="tertiary",
                key="build_alike",
                on_click=functools.partial(_alike, where, alike),
            )
        if shut:
            many = f"{buildscene.big(size(space))} of {buildscene.big(size(base))} architectures are left."
            st.markdown(f":small[:gray[{plain(many)}]]")
            st.button(
                "Open all",
                icon=":material/lock_open:",
                type="tertiary",
                key="build_open_all",
                on_click=lambda: buildstate.change(builddoc.unclosed, "closed"),
            )
        refused("closed")


def options(choice: Choice, shut: Mapping[str, list[builddoc.Value]]) -> None:
    """The open options of a choice: pills, or a list where they are many."""
    values = builddoc.values_of(choice)
    key = buildstate.controlled(f"build_open_{choice.name}", list(shut.get(choice.name, values)))
    change = functools.partial(_closed, choice.name, key)
    if len(values) <= PILLS:
        st.pills("Open options", values, selection_mode="multi", key=key, format_func=look, on_change=change)
    else:
        st.multiselect("Open options", values, key=key, format_func=look, on_change=change)


def look(value: builddoc.Value) -> str:
    """An option as people read it."""
    return op_label(value) if isinstance(value, str) else str(value)


def said(document: Document, name: str, shut: Mapping[str, object]) -> str:
    """A choice as the list shows it: `input to 1` for an edge of a cell."""
    words = name.removeprefix(f"{builddoc.FIRST_PART}.").replace("_", " ").replace(".", ": ")
    if builddoc.is_cell(document) and (edge := EDGE.fullmatch(name)):
        place = buildedit.spoken(document, (int(edge[3]), int(edge[2])))
        words = f"{edge[1].removesuffix('.')}: {place}" if edge[1] else place
    left = shut.get(name)
    return f"{words} ({len(left)} open)" if isinstance(left, list) else words


def _closed(choice: str, key: str) -> None:
    values = list(st.session_state.get(key) or [])

    def edit(document: Document) -> Document:
        if not values:
            raise BadInput(f"{choice}: one option has to stay open")
        return builddoc.shrink(document, choice, values)

    buildstate.change(edit, "closed")


def _alike(choice: str, others: list[str]) -> None:
    def edit(document: Document) -> Document:
        space = builddoc.made(document)
        taken = {c.name: builddoc.values_of(c) for c in space.choices()}[choice] if space else []
        shut = builddoc.allowed(document)
        return builddoc.close(document, {**shut, **{n: taken for n in (choice, *others)}})

    buildstate.change(edit, "closed")
