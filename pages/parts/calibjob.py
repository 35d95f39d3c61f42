"""A network whose predictions nobody kept: trained again on request, watched, and shown like a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from nascore.errors import AppError
from nascore.measures.calibration_checks import Predictions, checked
from nascore.measures.calibration_kept import OUTSIDE
from nascore.runs import predictions
from nascore.runs.jobs import Standing
from nascore.runs.predictions import Asked
from pages.parts import errors, show
from pages.parts.calibdata import Upload

POLL_SECONDS = 1.0
PARTS = ("test", "validation", *OUTSIDE)
Held = tuple[Upload, Upload, dict[str, Upload]]


def kept(asked: Asked) -> Held | None:
    """Test, validation and outside predictions of a network that was trained again; None where it was not."""
    if predictions.result(asked) is None:
        return None
    file = asked.folder / predictions.FILE
    try:
        found = _read(str(file), file.stat().st_mtime_ns)
    except (AppError, OSError, ValueError, KeyError):
        return None  # the folder is damaged: it may be trained once more
    return uploads(found, asked.folder.name)


def uploads(found: dict[str, Predictions], mark: str) -> Held:
    """The same predictions as if a file of each had been uploaded."""
    held = {n: Upload(f"{mark}:{n}", p) for n, p in found.items()}
    return held["test"], held["validation"], {n: held[n] for n in OUTSIDE if n in held}


@st.cache_resource(max_entries=12, show_spinner=False)
def _read(file: str, changed: int) -> dict[str, Predictions]:
    out = {}
    with np.load(Path(file), allow_pickle=False) as said:
        for part in (p for p in PARTS if p in said.files):
            arrays = {"logits": said[part]}
            if labeled := f"{part}_labels" in said.files:
                arrays["labels"] = said[f"{part}_labels"]
            out[part] = checked(arrays, part, labeled=labeled)
    return out


def panel(asked: Asked, told: str) -> None:
    """How far the training is, or the button that begins it."""
    now = predictions.standing(asked)
    live = now is not None and now.live
    with st.container(border=True, gap="small", key="predict-ask"):
        st.fragment(_standing, run_every=POLL_SECONDS if live else None)(asked, told)


def _standing(asked: Asked, told: str) -> None:
    """The whole page runs again where it begins or ends."""
    now = predictions.standing(asked)
    live, mark = now is not None and now.live, f"predict-{asked.folder.name}"
    was = st.session_state.get(mark)
    st.session_state[mark] = live
    if was is not None and was != live:
        st.rerun()
    if now is not None:
        _told(now)
    if now is not None and live:
        st.button("Cancel", icon=":material/stop:", key="predict_cancel", on_click=predictions.cancel,
                  args=(asked,), disabled=now.state == "stopping", help="Nothing of it is kept.")  # fmt: skip
        return
    label = "Train it again" if now is None else "Try again"
    st.button(
        label, icon=":material/model_training:", key="predict_run", type="primary",
        on_click=_start, args=(asked,),
    )  # fmt: skip
    if refusal := st.session_state.pop("predict_refused", ""):
        errors.refused(refusal)
    st.markdown(
        f":small[:gray[{show.plain(told, 200)}. It runs in the background, from seconds to minutes by the "
        "network's size; what it says of every image is kept. One network is trained at a time.]]"
    )


def _told(now: Standing) -> None:
    """State, progress, or why it ended."""
    st.markdown(show.badge(show.STATES, "queued" if now.state == "waiting" else now.state, now.state))
    if now.live and now.total:
        share = min(now.done / now.total, 1.0)
        st.progress(share, f"{now.done:,} of {now.total:,} · {show.plain(now.what)}")
    elif now.live and now.what:
        st.markdown(f":small[:gray[{show.plain(now.what)}]]")
    if now.error:
        st.markdown(f":small[{show.plain(now.error, 300)}]")


def _start(asked: Asked) -> None:
    try:
        predictions.start(asked)
    except AppError as error:
        st.session_state["predict_refused"] = str(error)
