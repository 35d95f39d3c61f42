"""The editor of stages: a strip of blocks to pick from, and the settings of the picked stage."""

from __future__ import annotations

import functools
import typing
from dataclasses import Field, fields
from typing import Any, Literal

import pandas as pd
import streamlit as st

from nascore.runs.drafts import Draft
from nascore.space import Space, array, settle, tuples
from nascore.task import Shape
from nascore.view import scene
from nascore.view.tokens import LIVE
from pages.parts import buildstate, forms, stageedit
from pages.parts.builddoc import Document
from pages.parts.buildedit import Fault
from pages.parts.buildview import VALID, refused
from pages.parts.graph import graph
from pages.parts.show import badge, plain

PICKED = "build_stage"
SHORT = {"blocks": "block", "squeeze": "squeeze", "per": "chosen per"}


def picked(document: Document) -> int:
    """Index of the stage that is edited."""
    return min(int(st.session_state.get(PICKED, 0)), len(stageedit.stages(document)) - 1)


def _clicked() -> None:
    """A block of the strip: the stem is 0, then come the stages."""
    part = str((st.session_state.get("build_strip") or {}).get("picked") or "")
    number = part.rpartition("-")[2]
    count = len(stageedit.stages(buildstate.current().document))
    if number.isdecimal() and 1 <= int(number) <= count:
        st.session_state[PICKED] = int(number) - 1


def tools(document: Document) -> None:
    """Buttons for the picked stage."""
    i, count = picked(document), len(stageedit.stages(document))
    acts = (
        ("Add stage", "add_circle", stageedit.add, (), "N", count >= stageedit.MOST, 1),
        ("Remove", "delete", stageedit.remove, (), None, count == 1, 0),
        ("Earlier", "arrow_back", stageedit.move, (-1,), None, i == 0, -1),
        ("Later", "arrow_forward", stageedit.move, (1,), None, i == count - 1, 1),
    )
    with st.container(horizontal=True, gap="small", key="build-stage-tools"):
        for label, icon, act, more, short, off, by in acts:
            st.button(
                label,
                icon=f":material/{icon}:",
                key=f"build_stage_{label.split()[0].lower()}",
                shortcut=short,
                disabled=off,
                on_click=functools.partial(_do, act, i, more, by),
            )


def _do(act: Any, i: int, more: tuple[Any, ...], by: int) -> None:
    before = buildstate.current().revision
    buildstate.change(lambda d: act(d, i, *more), "drawing")
    if buildstate.current().revision != before:
        st.session_state[PICKED] = max(i + by, 0)


def drawing(draft: Draft, space: Space | None, shape: Shape, faults: list[Fault]) -> None:
    """The largest network as a strip, and all stages in a table."""
    with st.container(border=True, gap="xsmall", key="build-drawing"):
        if space is not None:
            strip(space, shape, picked(draft.document))
        st.dataframe(listed(draft.document), hide_index=True, key="build_stages", height="content")
        if faults:
            st.markdown(f"{badge(VALID, 'not yet', 'not a space yet')} {plain(faults[0].text, 300)}")
        else:
            many = len(stageedit.stages(draft.document))
            st.markdown(
                f"{badge(VALID, 'valid')} :small[:gray[{many} stages. The strip is the largest network; "
                "click a block to edit its stage.]]"
            )
        refused("drawing")


def strip(space: Space, shape: Shape, i: int) -> None:
    """The network of the last option of every choice."""
    row = tuple(c.open[-1] for c in space.choices())
    arch = tuples(settle(space, array([row], space)))[0]
    drawn = scene.macro(space.graph(arch, shape), LIVE, label="The largest network, stage by stage")
    for item in drawn["items"]:
        if item.get("id") == f"node-block-{i + 1}" and item["t"] == "rect":
            item["cls"] += " pick"
    graph(drawn, key="build_strip", height=200, pick=True, on_pick=_clicked)


def listed(document: Document) -> pd.DataFrame:
    """A row a stage, with what may be chosen."""
    rows = []
    for i, stage in enumerate(stageedit.stages(document), 1):
        said = {SHORT.get(n, forms.spoken(n)): _said(v) for n, v in stage.items()}
        rows.append({"stage": str(i), **said})
    return pd.DataFrame(rows)


def _said(value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join({True: "yes", False: "no"}[v] if isinstance(v, bool) else str(v) for v in values)


def panel(document: Document) -> None:
    """The settings of the picked stage."""
    i = picked(document)
    stage, hints = stageedit.stages(document)[i], typing.get_type_hints(stageedit.kind())
    with st.container(border=True, gap="xsmall", key="build-picked"):
        st.selectbox(
            "Stage",
            range(len(stageedit.stages(document))),
            key=buildstate.controlled(f"{PICKED}_box", i),
            format_func=lambda n: f"Stage {n + 1}",
            on_change=_boxed,
        )
        for f in fields(stageedit.kind()):
            setting(i, f, hints[f.name], stage.get(f.name))
        refused("picked")


def _boxed() -> None:
    st.session_state[PICKED] = st.session_state[f"{PICKED}_box"]


def setting(i: int, f: Field[Any], hint: Any, value: Any) -> None:
    """One setting: ticks for words, a line of numbers for sizes."""
    key = f"build_stage_{i}_{f.name}"
    label, options = forms.sentence(forms.spoken(f.name)), f.metadata.get("options") or ()
    more: dict[str, Any] = {
        "help": plain(f.metadata.get("help", ""), 300) or None,
        "on_change": functools.partial(_set, i, f.name, key),
    }
    args = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        st.segmented_control(
            label, options or args, key=buildstate.controlled(key, value), required=True, **more
        )
    elif args and args[0] is bool:
        words = {False: "without", True: "with"}
        st.pills(
            label,
            (False, True),
            selection_mode="multi",
            key=buildstate.controlled(key, list(value)),
            format_func=lambda v: words[v],
            **more,
        )
    elif options:
        st.pills(label, options, selection_mode="multi", key=buildstate.controlled(key, list(value)), **more)
    else:
        text = ", ".join(map(str, value))
        more["help"] = f"{more['help'] or label}; several with commas between them"
        st.text_input(label, key=buildstate.controlled(key, text), **more)


def _set(i: int, name: str, key: str) -> None:
    value: Any = st.session_state.get(key)
    if value is None:
        return
    if isinstance(value, str) and isinstance(stageedit.stages(buildstate.current().document)[i][name], list):
        value = [forms.plain_value(w.strip()) for w in value.split(",") if w.strip()]
    buildstate.change(lambda d: stageedit.set_option(d, i, name, _ordered(value)), "picked")


def _ordered(value: Any) -> Any:
    """Options in their natural order: numbers from small to large, `False` before `True`."""
    numbers = isinstance(value, list) and all(isinstance(v, int | float) for v in value)
    return sorted(value) if numbers else value
