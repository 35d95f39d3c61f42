"""A measurement that runs in a process of its own, on a page: how far it is, cancel, begin, why it ended."""

from __future__ import annotations

from typing import Any, Protocol

import streamlit as st

from nascore.errors import AppError
from nascore.runs.jobs import Standing
from nascore.view import words
from pages.parts import errors, show

POLL_SECONDS = 1.0


class Working(Protocol):
    """What a module of `nascore.runs` says of its measurements; `asked` is what it calls one."""

    def standing(self, asked: Any, /) -> Standing | None:
        """How far it is."""
        ...

    def cancel(self, asked: Any, /) -> None:
        """Asks it to stop."""
        ...


class Job(Working, Protocol):
    """One that a press of a button begins as it is."""

    def start(self, asked: Any, /) -> None:
        """Begins it."""
        ...


def panel(name: str, job: Job, asked: Any, label: str, icon: str, about: str) -> None:
    """How far a training of one network is, or the button that begins it.

    Args:
        name: of the measurement, in keys.
        job: its module.
        asked: which; has a `folder`.
        label: of the button, the first time.
        icon: of the button.
        about: what begins, in words.
    """
    now = job.standing(asked)
    live = now is not None and now.live
    with st.container(border=True, gap="small", key=f"{name}-ask"):
        poll = POLL_SECONDS if live else None
        st.fragment(_standing, run_every=poll)(name, job, asked, label, icon, about)


def working(name: str, job: Working, asked: Any, help: str = "") -> None:
    """How far it is, with a button that stops it; the whole page is drawn again at its end."""
    now = job.standing(asked)
    if now is None or not now.live:
        st.rerun()
        return
    told(now)
    _cancel(name, job, asked, now, help)


def refused(name: str) -> None:
    """Why the last press on the button began nothing, once."""
    if said := st.session_state.pop(f"{name}_refused", ""):
        errors.refused(said)


def start(name: str, job: Job, asked: Any) -> None:
    """The button's callback."""
    try:
        job.start(asked)
    except AppError as error:
        st.session_state[f"{name}_refused"] = str(error)


def _standing(name: str, job: Job, asked: Any, label: str, icon: str, about: str) -> None:
    """The whole page runs again where it begins or ends."""
    now = job.standing(asked)
    live, mark = now is not None and now.live, f"{name}-{asked.folder.name}"
    was = st.session_state.get(mark)
    st.session_state[mark] = live
    if was is not None and was != live:
        st.rerun()
    if now is not None:
        told(now)
    if now is not None and live:
        _cancel(name, job, asked, now, "Nothing of it is kept.")
        return
    st.button(
        label if now is None else "Try again", icon=icon, key=f"{name}_run", type="primary",
        on_click=start, args=(name, job, asked),
    )  # fmt: skip
    refused(name)
    st.markdown(
        f":small[:gray[{show.plain(about, 200)}. It runs in the background, from seconds to minutes by the "
        "network's size; the result is kept. One network is trained at a time.]]"
    )


def told(now: Standing) -> None:
    """State, progress, or why it ended."""
    st.markdown(show.badge(show.STATES, "queued" if now.state == "waiting" else now.state, now.state))
    if now.live and now.total:
        share = min(now.done / now.total, 1.0)
        left = "" if now.left_seconds is None else f" · {words.left(now.left_seconds)}"
        st.progress(share, f"{now.done:,} of {now.total:,} · {show.plain(now.what, 80)}{left}")
    elif now.live and now.what:
        st.markdown(f":small[:gray[{show.plain(now.what, 80)}]]")
    if now.error:
        st.markdown(f":small[{show.plain(now.error, 300)}]")


def _cancel(name: str, job: Working, asked: Any, now: Standing, help: str) -> None:
    st.button(
        "Cancel", icon=":material/stop:", key=f"{name}_cancel", on_click=job.cancel, args=(asked,),
        disabled=now.state == "stopping", help=help or None,
    )  # fmt: skip
