"""From the form of a new search to its document and back: addresses, and the fields beside the cards."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from nascore.codec import from_json
from nascore.device import DEVICES
from nascore.errors import AppError, BadInput
from nascore.problem import Budget
from nascore.runs import drafts
from nascore.runs.spec import DEFAULTS, ECE, RunSpec, from_document, open_spec, read, shipped
from nascore.tables import table
from nascore.view import words
from pages.parts import forms, links, stores

HIGHER = ("score", "synflow", "naswot", "grad_norm")  # metrics of which more is better
ARROWS = {"min": "↓", "max": "↑"}
READY = {"quick": "Quick", "pareto": "Pareto", "halving": "Halving"}


def ready_names() -> list[str]:
    """Names of the ready specs, the quickest first."""
    names = list(shipped())
    return [n for n in READY if n in names] + [n for n in names if n not in READY]


def ready(name: str) -> RunSpec:
    """A ready spec by its name."""
    return open_spec(name)


def document_of(query: Mapping[str, str]) -> dict[str, Any]:
    """The document that an address asks for: `?from=<run id>`, `?spec=<name or JSON>`, or the quick one.

    Raises:
        BadInput: no such run or spec, or its text is wrong.
    """
    if run_id := query.get("from"):
        found = stores.spec(run_id)
        if found is None:
            raise BadInput(f"from: there is no readable run called {run_id[:60]!r}")
        return found.to_json()
    asked = query.get("spec", "quick" if "quick" in shipped() else "{}")
    if asked.lstrip().startswith("{"):
        return read(asked).to_json()
    if asked not in shipped():
        raise BadInput(f"spec: {asked[:60]!r} is no ready search; there are {', '.join(shipped())}")
    return ready(asked).to_json()


def saved_spaces() -> None:
    """Spaces that were drawn and saved, to be searched; and the way to draw one."""
    names = list(drafts.saved())
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="saved-spaces"):
        if names:
            st.selectbox(
                "A space that was drawn here",
                names,
                index=None,
                key="saved_space",
                placeholder="A space that was drawn here",
                label_visibility="collapsed",
                on_change=_take_saved,
                width=320,
            )
        links.link(links.BUILD, "Draw a space", "design_services")


def _take_saved() -> None:
    """The form with this space; everything else stays."""
    found = drafts.saved().get(str(st.session_state.get("saved_space")))
    if found is not None:
        document = {**st.session_state.get("draft", fallback()), "space": found}
        st.session_state["draft"] = document
        forms.begin(document)


def fallback() -> dict[str, Any]:
    """What the form shows when the address asks for something wrong."""
    return from_document({"v": 1}).to_json()


def short(spec: RunSpec) -> dict[str, Any]:
    """The spec without what is default: what its link holds."""
    whole, plain = spec.to_json(), fallback()
    out: dict[str, Any] = {"v": 1}
    for name, value in whole.items():
        if name in DEFAULTS:
            given = _given(name, value)
            if given != DEFAULTS[name]:
                out[name] = given
        elif value != plain.get(name):
            out[name] = value
    return out


def _given(kind: str, value: dict[str, Any]) -> Any:
    """An object's JSON without the knobs that are default; its bare name where none is left."""
    normal = forms.defaults(table(kind)[value["name"]])
    knobs = {n: v for n, v in value["knobs"].items() if n not in normal or v != normal[n]}
    return {"name": value["name"], "knobs": knobs} if knobs else value["name"]


def link_of(spec: RunSpec) -> str:
    """What `?spec=` says to open this form again: a ready name where it is one, else compact JSON."""
    for name in shipped():
        if ready(name).to_json() == spec.to_json():
            return name
    return json.dumps(short(spec), separators=(",", ":"))


def metrics(parts: Mapping[str, Any]) -> tuple[str, ...]:
    """What the chosen evaluator gives; only `error` where the choice so far cannot be built."""
    try:
        made = {kind: from_json(kind, parts.get(kind, DEFAULTS[kind]), kind) for kind in DEFAULTS}
        spec = RunSpec(**made)
        return tuple(spec.evaluator.metrics(spec.problem()))
    except AppError:
        return ("error",)


def objectives(names: tuple[str, ...]) -> list[list[str]]:
    """Pills with arrows, and the directions one click away."""
    given = {m: d for m, d in forms.first("objectives") or [["error", "min"]]}
    start = [m for m in given if m in names] or list(names[:1])
    key = forms.keyed("objectives", start)
    if gone := [m for m in st.session_state[key] if m not in names]:
        st.session_state[key] = [m for m in st.session_state[key] if m not in gone]
    ways = {m: _way(m, given) for m in names}
    with st.container(horizontal=True, vertical_alignment="center"):
        taken = st.pills(
            "Objectives",
            names,
            selection_mode="multi",
            default=start,
            key=key,
            format_func=lambda m: f"{titled(m)} {ARROWS[ways[m]]}",
            label_visibility="collapsed",
        )
        with st.popover("", icon=":material/swap_vert:", help="Which way is better", key="directions"):
            for m in taken or []:
                more = {"options": ["min", "max"], "format_func": lambda d: f"{ARROWS[d]} {d}"}
                start = _start(m, given)
                key = forms.keyed(f"way_{m}", start)
                st.segmented_control(titled(m), default=start, key=key, required=True, **more)
    return [[m, ways[m]] for m in taken or []]


def calibration(document: dict[str, Any], names: tuple[str, ...]) -> None:
    """Why calibration error is not among the objectives, and a link to the same search with it."""
    if ECE in names or "train_seconds" not in names:
        return
    own = document["evaluator"]
    held = own["name"] == "tabular" and any("ece" in m for m in from_json("evaluator", own).withheld())
    why = "it is measured on the test part there, by which nobody may choose" if held else "it is not known"
    said = f"The table offers no calibration error: {why}." if own["name"] == "tabular" else ""
    kept = own["knobs"] if own["name"] == "trained" else {}
    close = {"name": "trained", "knobs": {**kept, "closely": True}}
    whole = {**document, "evaluator": close, "objectives": [*document["objectives"], [ECE, "min"]]}
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if said:
            st.markdown(f":small[:gray[{said}]]", width="content")
        with contextlib.suppress(AppError):
            links.link(
                links.SEARCH, "Search for calibration error too", "add", spec=link_of(from_document(whole))
            )
            st.markdown(":small[:gray[Every network is trained and judged closely.]]", width="content")


def _way(metric: str, given: Mapping[str, str]) -> str:
    """Lower is better, unless the document, the person or the metric says otherwise."""
    return st.session_state.get(f"{forms.PREFIX}way_{metric}") or _start(metric, given)


def _start(metric: str, given: Mapping[str, str]) -> str:
    name = metric.rpartition(".")[2]
    return given.get(metric, "max" if name in HIGHER or name.endswith("accuracy") else "min")


def titled(metric: str) -> str:
    """A metric as a pill says it: its title without the unit."""
    return words.metric_title(metric).partition(" (")[0].removeprefix("Validation ").lower()


def limits(names: tuple[str, ...]) -> list[list[Any]]:
    """Constraints, a row each: metric, sign, number."""
    given = [c for c in forms.first("constraints") or [] if c[0] in names]
    rows = forms.keyed("limits", list(range(len(given))))
    out = []
    for i in list(st.session_state[rows]):
        metric, sign, limit = given[i] if i < len(given) else (names[-1], "<=", 1e5)
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            hidden: dict[str, Any] = {"label_visibility": "collapsed"}
            m = st.selectbox(
                "Metric",
                names,
                names.index(metric),
                key=_among(f"limit_{i}_metric", metric, names),
                format_func=titled,
                width=200,
                **hidden,
            )
            s = st.selectbox(
                "Sign",
                ("<=", ">="),
                ("<=", ">=").index(sign),
                key=forms.keyed(f"limit_{i}_sign", sign),
                width=90,
                **hidden,
            )
            number = forms.keyed(f"limit_{i}_number", float(limit))
            v = st.number_input(
                "Limit", value=float(limit), key=number, format="%g", step=None, width=170, **hidden
            )
            drop = f"{forms.PREFIX}limit_{i}_drop"
            st.button(
                "",
                icon=":material/close:",
                help="Remove this limit",
                key=drop,
                on_click=_drop,
                args=(rows, i),
            )
        out.append([m, s, v])
    st.button(
        "Add a limit", icon=":material/add:", type="tertiary", key="add_limit", on_click=_add, args=(rows,)
    )
    return out


def _among(path: str, value: str, names: tuple[str, ...]) -> str:
    key = forms.keyed(path, value)
    if st.session_state[key] not in names:
        st.session_state[key] = names[-1]
    return key


def _add(rows: str) -> None:
    taken = st.session_state[rows]
    st.session_state[rows] = [*taken, max(taken, default=-1) + 1]


def _drop(rows: str, i: int) -> None:
    st.session_state[rows] = [k for k in st.session_state[rows] if k != i]


def budget() -> dict[str, float]:
    """Evaluations, seconds, epochs; 0 means no limit."""
    given = forms.first("budget") or {}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        return forms.settings(Budget, given, "budget")


def rest() -> dict[str, Any]:
    """Title, seed and device."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        title = st.text_input(
            "Title",
            value=forms.first("title") or "",
            key=forms.keyed("title", forms.first("title") or ""),
            max_chars=120,
            placeholder="what you will call this run",
        )
        seed = st.number_input(
            "Seed",
            0,
            2**31 - 1,
            step=1,
            value=int(forms.first("seed") or 0),
            key=forms.keyed("seed", int(forms.first("seed") or 0)),
            width=150,
            help="The same seed and search repeat every decision.",
        )
        device = st.selectbox(
            "Device",
            DEVICES,
            index=DEVICES.index(forms.first("device") or "auto"),
            key=forms.keyed("device", forms.first("device") or "auto"),
            width=120,
            help="Auto takes a GPU where there is one.",
        )
    return {"title": title, "seed": seed, "device": device}


def knobs_line(kind: str, document: Mapping[str, Any]) -> str:
    """The first knobs of an object in one line: `epochs 10 · batch 64`."""
    shown = [f"{forms.spoken(n)} {v:g}" for n, v in document["knobs"].items() if isinstance(v, int | float)]
    return " · ".join([forms.spoken(document["name"]), *shown[:3]])


def in_words(spec: RunSpec) -> str:
    """A search in a sentence: `regularized evolution, 40 trainings of 10 epochs on digits, lowest error`."""
    whole = spec.to_json()
    count = (
        f"{spec.budget.evaluations:,} architectures" if spec.budget.evaluations else "as many as time allows"
    )
    goals = " and ".join(titled(o.metric) for o in spec.objectives)
    strategy, task = forms.spoken(whole["strategy"]["name"]), forms.spoken(whole["task"]["name"])
    return (
        f"{forms.sentence(strategy)}: {count}, up to {spec.recipe.epochs} epochs each on {task}; for {goals}."
    )
