"""What stands beside the form of a new search: its cost, the button, the same as a file."""

from __future__ import annotations

import json
import time
from typing import Any

import streamlit as st

from nascore.codec import dumps
from nascore.errors import AppError
from nascore.runs import estimate, launch
from nascore.runs.spec import RunSpec, read
from nascore.space import size
from nascore.view import words
from pages.parts import errors, forms, links
from pages.parts.buildscene import big
from pages.parts.show import plain

BYTES_A_TRIAL, BYTES_A_NUMBER = (
    700,
    22,
)  # of a journal; three numbers an epoch and architecture are written twice
TWICE_SECONDS = 3.0
AGAIN_SECONDS = 30.0


def row(label: str, value: str, help: str | None = None) -> None:
    """A line of the estimate."""
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
        st.markdown(f":gray[{plain(label)}]", width="content")
        st.markdown(plain(value), width="content", help=help)


def sizes(spec: RunSpec) -> None:
    """How big the space is, and how much of it will be looked at."""
    n, asked = size(spec.space), spec.budget.evaluations
    row("Space", f"{big(n)} architectures", "Counted exactly.")
    if rounds := estimate.shared_epochs(spec):
        row(
            "Trains", f"one shared network, {rounds:,} epoch{'s' * (rounds != 1)}",
            "All architectures share its weights. Only what is found is judged by itself, at the end.",
        )  # fmt: skip
    elif asked:
        share = f"{words.three(100 * asked / n)}{words.GAP}%" if asked < n < 10**300 else "all"
        share = "next to nothing" if n >= 10**9 * asked else share
        row("Looks at", f"{asked:,} of them, {share}")
    else:
        row("Looks at", "what fits into the budget")
    trials = 1 if estimate.shared_epochs(spec) else asked or 1000
    disk = trials * (BYTES_A_TRIAL + 6 * BYTES_A_NUMBER * int(spec.recipe.epochs))
    size_mb = max(disk / 1e6, 0.1)
    row("Disk", f"about {size_mb:,.1f}{words.GAP}MB", "The journal; it grows with architectures and epochs.")


def machine(spec: RunSpec) -> None:
    """How long it will take here; looks again each second while it is being measured."""
    estimate.request(spec)
    waiting, asked = estimate.ready(spec) is None, [time.monotonic()]

    @st.fragment(run_every=1.0 if waiting else None)
    def measured() -> None:
        found = estimate.ready(spec)
        if found is None:
            if time.monotonic() - asked[0] > AGAIN_SECONDS:  # another page's wish took our place
                estimate.request(spec)
                asked[0] = time.monotonic()
            row("This machine", "measuring...")
            first = (
                "Its first epochs" if estimate.shared_epochs(spec) else "A few architectures of this search"
            )
            st.markdown(f":small[:gray[{first} are trained to see how fast it is.]]")
            return
        if found.error:
            row("This machine", "could not be measured")
            st.markdown(f":small[:gray[{plain(found.error, 240)}]]")
            return
        row("This machine", f"about {words.duration(found.total_seconds)}")
        each = f"{words.duration(found.seconds_per_evaluation)} an architecture"
        if found.seconds_per_epoch:
            each = f"{words.duration(found.seconds_per_epoch)} an epoch, {each} at the end"
        start = f"{words.duration(found.startup_seconds)} to start"
        st.markdown(f":small[:gray[{plain(f'{each}, {start}; {found.source}', 200)}.]]")
        if waiting:
            st.rerun()  # the timer of this fragment ends with the measurement

    measured()


def start_button(spec: RunSpec | None) -> None:
    """The one primary button. A double click, or the same search within three seconds, is one run."""
    clicked = st.button(
        "Start search",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        shortcut="Mod+Enter",
        key="start",
        disabled=spec is None,
    )
    if clicked and spec is not None and (run_id := start(spec)):
        links.go(links.RUNS, run=run_id)


def start(spec: RunSpec) -> str | None:
    """Starts a search once; a refusal is shown. Returns the run's id."""
    text, now = json.dumps(spec.to_json(), sort_keys=True), time.monotonic()
    last: dict[str, Any] = st.session_state.get("last_start", {})
    if last.get("text") == text and now - last["at"] < TWICE_SECONDS:
        run_id = str(last["run"])
    else:
        run_id = launch.new_id()
        st.session_state["last_start"] = {"text": text, "at": now, "run": run_id}
    try:
        return launch.start(spec, run_id)
    except AppError as error:
        st.session_state.pop("last_start", None)
        errors.refused(error)
        return None


def as_file(spec: RunSpec | None, link: str) -> None:
    """The same search as JSON, to download, to run from the command line, or to replace by another one."""
    with st.expander("The same as a file", icon=":material/data_object:", key="as_file"):
        if spec is not None:
            text = dumps(spec.to_json(), indent=1)
            st.code(text, language="json", height=220)
            name = "".join(c if c.isalnum() else "-" for c in spec.title.lower()).strip("-")[:40] or "search"
            st.download_button(
                "Download",
                text,
                f"{name}.json",
                "application/json",
                icon=":material/download:",
                key="download_spec",
                on_click="ignore",
            )
            st.code(f"python -m nascore search {name}.json", language="bash")
            links.link(links.SEARCH, "Link to this form", "link", spec=link)
        st.file_uploader("Open a spec file", type=["json"], key="spec_file", on_change=_uploaded)
        st.text_area(
            "Or paste one", key="spec_text", height=90, placeholder='{"v": 1, "strategy": "nsga2", ...}'
        )
        st.button("Open the text", icon=":material/content_paste:", key="open_text", on_click=_pasted)


def _uploaded() -> None:
    if (file := st.session_state.get("spec_file")) is not None:
        take(file.getvalue())


def _pasted() -> None:
    if text := st.session_state.get("spec_text"):
        take(text)


def take(text: str | bytes) -> None:
    """Fills the form from a spec's text; a refusal is kept for the page to show."""
    try:
        spec = read(text)
    except AppError as error:
        st.session_state["spec_refused"] = str(error)
        return
    st.session_state.pop("spec_refused", None)
    st.session_state["draft"] = spec.to_json()
    forms.begin(spec.to_json())
