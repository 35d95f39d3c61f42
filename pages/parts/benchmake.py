"""Making a benchmark on the Benchmarks page: what is judged, how, how long it takes, how far it is."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from nascore.codec import from_json, to_json
from nascore.errors import AppError, BadInput
from nascore.runs import drafts, estimate
from nascore.runs.spec import RunSpec, from_document
from nascore.space import ENUMERABLE, size
from nascore.tables import table
from nascore.view import words
from pages.parts import before, compose, errors, forms, links, runtable, show, stores
from pages.parts.buildscene import big

WHOLE, SAMPLE = "The whole space", "A sample"
COUNTED = 20_000  # architectures of a space up to which classes of equal networks are counted here
FIRST_SAMPLE, SEEDS, HOURS = 200, 3, 10.0
STARTED = "make_started"
STRATEGY, MOST = "exhaustive", 10_000_000


def button() -> None:
    """Opens the dialog."""
    if st.button("Make", key="make_open", width=78, help="Train a benchmark of your own."):
        dialog()


@st.dialog("Make a benchmark", width="large")
def dialog(space: dict[str, Any] | None = None, name: str = "") -> None:
    """What is judged and how; what it will cost; the start.

    Args:
        space: the document of the one that is judged; None for one to be chosen here.
        name: what people call it.
    """
    st.markdown(
        ":small[:gray[Every architecture of a space, or a sample of them, is trained in the background. The "
        "table can be browsed while it grows; a run that was stopped goes on where it was.]]"
    )
    document = fields(space, name)
    try:
        spec = from_document(document)
    except BadInput as error:
        errors.refused(error)
        return
    n, exact = classes(spec)
    spec = replace(spec, budget=replace(spec.budget, evaluations=min(n * trainings_each(spec), MOST)))
    cost(spec, n, exact)
    clicked = st.button(
        "Start", type="primary", icon=":material/play_arrow:", key="make_start", width="stretch"
    )
    if clicked and (run := before.start(spec)):
        st.session_state[STARTED] = (run, spec.title)
        st.rerun()  # closes the dialog; to leave the page while a part of it looks again breaks the browser


def started() -> None:
    """The way to the run that the dialog started last."""
    if STARTED in st.session_state:
        run, title = st.session_state[STARTED]
        st.markdown(f":small[:material/check: {show.plain(title or run)} is being made.]")
        links.link(links.RUNS, "Its run", "monitoring", run=run)


def start_document() -> dict[str, Any]:
    """What the dialog begins with: the space, task and recipe of the quickest ready search."""
    names = compose.ready_names()
    return compose.ready(names[0]).to_json() if names else compose.fallback()


def fields(known: dict[str, Any] | None = None, name: str = "") -> dict[str, Any]:
    """The form, for a space that is known or to be chosen. Returns the document of the run."""
    given = start_document()
    left, right = st.columns(2, gap="medium")
    with left:
        if known is not None:
            st.markdown(f"**{show.plain(name)}**")
        space = known or _space(given["space"])
        sample = 0
        if how_many(space) == SAMPLE:
            sample = st.number_input(
                "Architectures, drawn uniformly", 1, 10_000_000, FIRST_SAMPLE, key="make_sample"
            )
        seeds = st.number_input(
            "Trainings of each, with seeds of their own",
            1,
            100,
            SEEDS,
            key="make_seeds",
            help="The table keeps each of them and shows their mean.",
        )
    with right:
        task = _part("task", "Data", given["task"])
        recipe = _part("recipe", "Training recipe", given["recipe"])
        hours = st.number_input(
            "Hours at most",
            0.0,
            10_000.0,
            HOURS,
            key="make_hours",
            format="%g",
            help="Of training; 0 for no limit. Then it stops with what it has.",
        )
    start = f"Benchmark of {name}"[:120] if name else _title(space)
    title = st.text_input("Title", start, max_chars=120, key=f"make_title_{start}")
    return {
        "v": 1,
        "title": title,
        "space": space,
        "task": task,
        "recipe": recipe,
        "evaluator": "trained",
        "strategy": {"name": STRATEGY, "knobs": {"sample": int(sample), "seeds": int(seeds)}},
        "objectives": [["error", "min"]],
        "budget": {"evaluations": MOST, "seconds": 3600 * float(hours)},
    }


def how_many(space: dict[str, Any]) -> str | None:
    """Whether all are judged, or a sample; a sample where they are too many to list."""
    whole, key = (WHOLE, SAMPLE), "make_many"
    if too_many(space):
        text = f"It has more than {ENUMERABLE:,} architectures: a sample of them is judged."
        st.markdown(f":small[:gray[{show.plain(text)}]]")
        whole, key = (SAMPLE,), "make_many_of_large"
    return st.segmented_control("How many", whole, key=key, default=whole[0], required=True)


def too_many(space: dict[str, Any]) -> bool:
    """Whether a space has more architectures than can be listed; no where it is none."""
    try:
        return size(from_json("space", space)) > ENUMERABLE
    except BadInput:
        return False


def _space(given: dict[str, Any]) -> dict[str, Any]:
    """A space of the table with its knobs, or one that was drawn and saved here."""
    saved = drafts.saved()
    names = [n for n in sorted(table("space")) if n not in forms.HIDDEN["space"]]
    options = [*names, *saved]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        taken = st.selectbox(
            "Space",
            options,
            options.index(given["name"]),
            key="make_space",
            format_func=lambda n: f"{n} (drawn here)" if n in saved else forms.spoken(n),
            width="stretch",
        )
        if taken in saved:
            return saved[taken]
        return _knobs("space", taken, given["knobs"] if taken == given["name"] else {})


def _part(kind: str, label: str, given: dict[str, Any]) -> dict[str, Any]:
    """A task or recipe with its knobs."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name, values = forms.choose(kind, label, given, f"make_{kind}", width="stretch")
        return _knobs(kind, name, values)


def _knobs(kind: str, name: str, given: dict[str, Any]) -> dict[str, Any]:
    cls, knobs = forms.entry_of(kind, name), given
    if forms.knobs(cls):
        with st.popover("", icon=":material/tune:", help=f"Knobs of the {kind}", key=f"make-knobs-{kind}"):
            knobs = forms.settings(cls, given, f"make_{kind}_{name}")
    return {"name": name, "knobs": knobs}


def _title(space: dict[str, Any]) -> str:
    return f"Benchmark of {forms.spoken(space['name'])}"


def classes(spec: RunSpec) -> tuple[int, bool]:
    """How many architectures the run will judge, and whether that is counted or the most it can be."""
    strategy: Any = spec.strategy
    total = size(spec.space)
    if total <= COUNTED:
        whole = _counted(json.dumps(to_json(spec.space)))
        return min(strategy.sample or whole, whole), True
    return min(strategy.sample or total, total), bool(strategy.sample) and total > ENUMERABLE


@st.cache_resource(max_entries=32, show_spinner="Counting equal networks...")
def _counted(space: str) -> int:
    """Classes of equal networks of a space, given as JSON."""
    made: Any = from_json("space", json.loads(space), "space")
    plain = replace(from_document(compose.fallback()), space=made)
    return len(_exhaustive(0).archs(plain.problem()))


def _exhaustive(sample: int) -> Any:
    """The strategy that judges so many architectures, 0 for all."""
    return from_json("strategy", {"name": STRATEGY, "knobs": {"sample": sample}}, "strategy")


def trainings_each(spec: RunSpec) -> int:
    """How many times each architecture is trained."""
    strategy: Any = spec.strategy
    return int(strategy.seeds)


def cost(spec: RunSpec, n: int, exact: bool) -> None:
    """How much will be trained, and how long that takes on this machine."""
    each = trainings_each(spec)
    total, trainings = size(spec.space), n * each
    about = "" if exact else "at most "
    with st.container(border=True, gap="xsmall", key="make-cost"):
        before.row("Space", f"{big(total)} architectures", "Counted exactly.")
        before.row(
            "Trained",
            f"{about}{n:,} x {each} = {about}{trainings:,} trainings",
            "Of equal networks one is trained; the table gives its numbers to all of them.",
        )
        known = estimate.ready(probe(spec)) is not None
        estimate.request(probe(spec))
        st.fragment(_time, run_every=None if known else 1.0)(spec, trainings, about)


def probe(spec: RunSpec) -> RunSpec:
    """What is measured: the same trainings, however many of them are wanted."""
    return replace(spec, strategy=_exhaustive(1), budget=replace(spec.budget, seconds=0.0), title="")


def _time(spec: RunSpec, trainings: int, about: str) -> None:
    """The time, or that it is being measured."""
    found = estimate.ready(probe(spec))
    if found is None:
        before.row("This machine", "measuring...")
        return
    if found.error:
        before.row("This machine", "could not be measured")
        st.markdown(f":small[:gray[{show.plain(found.error, 240)}]]")
        return
    each, limit = found.seconds_per_evaluation, spec.budget.seconds
    whole = found.startup_seconds + trainings * each
    before.row("This machine", f"{about}{words.duration(whole)}")
    said = f"{words.duration(each)} a training, {found.source}"
    if limit and whole > limit:
        done = int(limit / each) if each else trainings
        said += f"; stops after {words.duration(limit)} with about {done:,} of {trainings:,} trainings"
    st.markdown(f":small[:gray[{show.plain(said, 240)}.]]")


def at_work() -> None:
    """Benchmarks that are being made: how far they are, and the way to look at what there is."""
    started()
    frame = stores.runs()
    if not len(frame):
        return
    live: Any = frame[(frame["strategy"] == STRATEGY) & frame["state"].isin(stores.LIVE)]
    for row in live.to_dict("records"):
        _made(row)
    if refusal := st.session_state.pop("make_refused", ""):
        errors.refused(refusal)


def _made(row: dict[Any, Any]) -> None:
    run, done = str(row["run"]), int(row["evaluations"] or 0) if pd.notna(row["evaluations"]) else 0
    with st.container(border=True, horizontal=True, vertical_alignment="center", key=f"making-{run}"):
        st.markdown(show.badge(show.STATES, str(row["state"])), width="content")
        st.markdown(f"Making **{show.plain(row['title'] or run)}**, {done:,} trainings so far")
        links.link(links.RUNS, "Its run", "monitoring", run=run)
        if done:
            st.button(
                "Browse what there is",
                icon=":material/table_chart:",
                key=f"make_browse_{run}",
                type="tertiary",
                on_click=browse,
                args=(run,),
                help="Writes the table anew from what the run has judged.",
            )


def browse(run: str) -> None:
    """Writes the table of what there is and opens it."""
    summary = stores.run(run)
    if summary is None:
        return
    name = runtable.start_name(summary)
    try:
        runtable.save(run, name)
    except AppError as error:
        st.session_state["make_refused"] = str(error)
        return
    st.query_params.from_dict({"table": name})
