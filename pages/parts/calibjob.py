"""A network whose predictions nobody kept: trained again on request, watched, and shown like a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import streamlit as st

from nascore.errors import AppError
from nascore.measures.calibration_checks import Predictions, checked
from nascore.measures.calibration_kept import OUTSIDE
from nascore.runs import predictions
from nascore.runs.predictions import Asked
from pages.parts import jobpanel
from pages.parts.calibdata import Upload

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
    jobpanel.panel("predict", predictions, asked, "Train it again", ":material/model_training:", told)
