"""What can be done with a run: pause, resume, cancel, continue, rename, rerun, delete, export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from nascore.codec import dumps
from nascore.errors import AppError
from nascore.runs import launch, longer
from nascore.runs.state import Summary
from pages.parts import errors, links, show, stores

RESUMABLE = ("paused", "interrupted", "failed", "stopped")


def act(verb: Callable[[str], object], run: str, said: str) -> bool:
    """Does something to a run and says so; a refusal is shown. Returns whether it was done."""
    try:
        verb(run)
    except AppError as error:
        errors.refused(error)
        return False
    stores.owner().refresh(run)
    st.toast(said)
    return True


def buttons(summary: Summary) -> None:
    """The buttons that fit the run's state.

    They act in callbacks: those are heard even when a refresh cuts the script off that drew the button.
    """
    run = summary.run
    with st.container(horizontal=True, width="content", gap="small", key="acts"):
        if summary.state == "running":
            told = "Pausing: what is in training now is tried again when you resume."
            more: dict[str, Any] = {"icon": ":material/pause:", "shortcut": "P", "key": "pause"}
            st.button("Pause", on_click=asked, args=(launch.pause, run, told), **more)
        elif summary.state in RESUMABLE:
            kind = "primary" if summary.state == "interrupted" else "secondary"
            more = {"icon": ":material/play_arrow:", "shortcut": "P", "key": "resume", "type": kind}
            st.button("Resume", on_click=asked, args=(launch.resume, run, "Resumed."), **more)
        if summary.live:
            more = {"icon": ":material/stop:", "key": "cancel"}
            st.button("Cancel", on_click=asked, args=(launch.cancel, run, "Stopping."), **more)
    if refusal := st.session_state.pop("run_refused", ""):
        errors.refused(refusal)
    if said := st.session_state.pop("run_said", ""):
        st.toast(said)


def asked(verb: Callable[[str], object], run: str, said: str) -> None:
    """A button's callback: acts; what is to be said waits for the page to show it."""
    try:
        verb(run)
    except AppError as error:
        st.session_state["run_refused"] = str(error)
    else:
        stores.owner().refresh(run)
        st.session_state["run_said"] = said


def menus(summary: Summary) -> None:
    """Export, and what is needed seldom. Not in the part that refreshes: that would cut off its dialogs."""
    if summary.state == "finished" and (trained := longer.trained(summary.run)):
        with st.popover("Continue", icon=":material/forward_media:", key="continue"):
            more_epochs(summary, trained)
    with st.popover("Export", icon=":material/download:", key="export"):
        exports(summary)
    with st.popover("More", icon=":material/more_horiz:", key="run_menu"):
        menu(summary)


def more_epochs(summary: Summary, trained: int) -> None:
    """Asks how many epochs more, and starts the run that goes on with the shared network."""
    st.markdown(f"**Continue for more epochs.** The shared network has learned for {trained:,}.")
    n = st.number_input("More epochs", 1, 1000, min(trained, 1000), key="more_epochs")
    st.markdown(f":small[:gray[{longer.SAYS}]]")
    if st.button("Continue", icon=":material/forward_media:", key="more_now", type="primary"):
        try:
            new = longer.go_on(summary.run, int(n))
        except AppError as error:
            errors.refused(error)
        else:
            links.go(links.RUNS, run=new)


def exports(summary: Summary) -> None:
    """What was tried as CSV or JSON, the spec, and the whole run as a zip file; made when asked for."""
    run = summary.run
    kinds: tuple[tuple[str, str, str, Callable[[], str | bytes], str], ...] = (
        ("Tried, CSV", "csv", "text/csv", lambda: stores.as_csv(run), "table_view"),
        ("Tried, JSON", "json", "application/json", lambda: stores.as_json(run), "data_object"),
        ("Spec, JSON", "spec.json", "application/json", lambda: _spec(run), "description"),
        ("Journal and spec, ZIP", "zip", "application/zip", lambda: launch.bundle(run), "folder_zip"),
    )
    for label, end, mime, make, icon in kinds:
        st.download_button(
            label,
            make,
            f"{run}.{end}",
            mime,
            key=f"export_{end.replace('.', '_')}",
            icon=f":material/{icon}:",
            on_click="ignore",
            type="tertiary",
        )


def _spec(run: str) -> str:
    return dumps(launch.read_spec(run).to_json(), indent=1)


def menu(summary: Summary) -> None:
    """What is needed seldom."""
    run = summary.run
    if st.button("Rename", icon=":material/edit:", key="rename", type="tertiary"):
        rename(run, summary.title)
    links.link(links.SEARCH, "Edit as a new search", "tune", **{"from": run})
    if st.button("Rerun with another seed", icon=":material/replay:", key="reseed", type="tertiary"):
        try:
            new = launch.again(run)
        except AppError as error:
            errors.refused(error)
        else:
            links.go(links.RUNS, run=new)
    if summary.failed and not summary.live:
        label = f"Rerun the failed ({summary.failed})"
        if st.button(label, icon=":material/restart_alt:", key="retry", type="tertiary") and act(
            lambda r: launch.resume(r, retry_failed=True), run, "The failed ones are tried again."
        ):
            st.rerun()
    shut = "A live run cannot be deleted; cancel it first." if summary.live else None
    if st.button(
        "Delete", icon=":material/delete:", key="delete", type="tertiary", disabled=summary.live, help=shut
    ):
        delete(run, summary.title or run, summary.evaluations)


@st.dialog("Rename this run")
def rename(run: str, title: str) -> None:
    """Asks for a title."""
    name = st.text_input("Title", title, max_chars=120, key="new_title")
    if st.button("Rename", type="primary", key="rename_now") and act(
        lambda r: launch.rename(r, name), run, "Renamed."
    ):
        st.rerun()


@st.dialog("Delete this run?")
def delete(run: str, title: str, tried: int) -> None:
    """Asks a second time, then removes the run and everything that it found."""
    st.markdown(
        f"**{show.plain(title)}** and its {tried:,} tried architectures are removed from the disk. "
        "There is no way back; export first what you want to keep."
    )
    sure = st.checkbox("I do not need its results", key="delete_sure")
    if st.button(
        "Delete for good", icon=":material/delete:", type="primary", key="delete_now", disabled=not sure
    ):
        try:
            launch.delete(run)
        except AppError as error:
            errors.refused(error)
        else:
            stores.owner().refresh()
            links.go(links.RUNS)
