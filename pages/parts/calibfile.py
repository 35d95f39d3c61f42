"""A file of predictions on the Calibration page: uploaded, checked, measured, mended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.errors import AppError
from nascore.measures.calibration import BINS, NAMES
from nascore.measures.calibration_curves import reliability
from nascore.view import words
from pages.parts import calibask, calibdata, calibone, errors, show
from pages.parts.calibask import Asked
from pages.parts.calibdata import Upload

HOW_OUTSIDE = (
    "How well the entropy of the probabilities tells examples of the out-of-distribution file from those of "
    "each part: 1 is always, 0.5 is chance. Scaling changes the entropies, and so this number."
)
TYPES = ["npz", "csv", "parquet"]
FAMILIES = {
    "ece": "ECE",
    "ece_em": "ECE, mass",
    "cwce": "Classwise",
    "cwce_em": "Classwise, mass",
    "mce": "MCE",
}
FORMAT = (
    "`.npz` with `probabilities` or `logits` (n, classes) and `labels` (n,), or CSV and Parquet with a "
    "column `label` and one a class: `p0`, `p1`, ... or `logit_0`, `logit_1`, ... Rows and classes count "
    "from 0. Files are kept in memory for this visit only, so a link cannot open them again."
)


def view(a: Asked) -> None:
    """Uploaders, and what they hold."""
    files = _uploaders()
    try:
        test = calibdata.uploaded(files[0])
        validation = calibdata.uploaded(files[1])
        outside = calibdata.uploaded(files[2], labeled=False)
        if test is None:
            show.empty(
                "upload_file", "No predictions yet.", "Upload the test predictions of a network above."
            )
            st.markdown(f":small[:gray[{FORMAT}]]")
            return
        judged(a, test, validation, {"outside": outside} if outside else {})
    except AppError as error:
        errors.refused(error)
        st.markdown(f":small[:gray[{FORMAT}]]")


def _uploaders() -> tuple[Any, Any, Any]:
    columns = st.columns(3, gap="small")
    asks = (
        ("Test predictions", "calib_test", "What is judged."),
        ("Validation predictions, for scaling", "calib_validation", "Scaling is fitted on these only."),
        ("Out of distribution, for AUROC", "calib_ood", "Images of another kind; labels are not needed."),
    )  # fmt: skip
    out = [
        c.file_uploader(label, TYPES, key=key, help=f"{said} {FORMAT}")
        for c, (label, key, said) in zip(columns, asks, strict=True)
    ]
    return out[0], out[1], out[2]


def judged(
    a: Asked, test: Upload, validation: Upload | None, outsides: Mapping[str, Upload], *, where: str = ""
) -> None:
    """Everything that predictions say.

    Args:
        a: what the address asks for.
        test: what is judged.
        validation: what scaling is fitted on.
        outsides: kinds of images from outside; one is chosen where there are more.
        where: how the network came about.
    """
    p = test.held
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-controls"):
        bins, mass, of = _bins(p.n), _mass(), _whose(p.classes)
        method = "temperature"
        if validation:
            method = calibask.method()
            calibask.scaled(a, "Show scaling")
        outside = _kind(outsides)
    if mass and bins > p.n:
        st.warning(f"{bins} bins of equal mass need {bins} rows; there are {p.n:,}. {p.n:,} bins are drawn.")
        bins = p.n
    found = calibdata.reported(test, validation, outside, method)
    post = calibdata.mended(test, validation, method) if validation and a.scaled else None
    _line(found, a.scaled)
    for note in found["notes"]:
        st.info(show.plain(note, 300), icon=":material/info:")
    before = _binned(p.probabilities, p.labels, of, bins, mass)
    after = None if post is None else _binned(post, p.labels, of, bins, mass)
    values = found["measures"]
    under = {n: (found["floors"].get(n), found["floors"].get(f"post_{n}")) for n in NAMES}
    scaled = post is not None
    left, right = st.columns([1.2, 1], gap="medium")
    with left:
        calibone.diagram(before, after, "the predicted class" if of is None else f"class {of}")
        said = f"{p.name} · {p.n:,} samples · " + (where or f"{p.classes} classes")
        st.markdown(show.chip(said))
        _table(before, after)
    with right:
        show.over("Measures", calibone.HOW_MEASURES)
        calibone.measures(calibone.rows(NAMES, values, under), scaled, "calib-measures")
        stem = _stem()
        calibone.sweep(values, under, BINS, bins, scaled, stem)
        if "aurocs" in found:
            _outside(found["aurocs"], scaled)


def _outside(told: dict[str, float], scaled: bool) -> None:
    """AUROC of each part against the out-of-distribution file, before and after scaling."""
    show.over("Told from the outside", HOW_OUTSIDE, key="calib-outside")
    titles = {"test": "Test", "validation": "Validation"}
    frame = pd.DataFrame(
        [{"part": titles[n], "before": told[n], "after": told.get(f"post_{n}")} for n in titles if n in told]
    )
    number = st.column_config.NumberColumn
    columns: dict[str, Any] = {
        "part": st.column_config.TextColumn("Against", width=150),
        "before": number("AUROC", format="%.4f", width=80),
        "after": number("After scaling", format="%.4f", width=100),
    }
    shown = frame if scaled else frame.drop(columns=["after"])
    st.dataframe(shown, key="calib-aurocs", column_config=columns, hide_index=True)


def _kind(outsides: Mapping[str, Upload]) -> Upload | None:
    """Which images from outside."""
    if len(outsides) < 2:
        return next(iter(outsides.values()), None)
    given = st.query_params.get("ood", "")
    key = calibask.follow("calib_kind", given if given in outsides else next(iter(outsides)))
    st.segmented_control(
        "Outside", list(outsides), key=key, required=True, **calibask.taking("ood", key, next(iter(outsides)))
    )
    return outsides[str(st.session_state[key])]


def _bins(n: int) -> int:
    value = calibask.number("bins", 15, 1, 500)
    key = calibask.follow("calib_any_bins", value)
    st.number_input("Bins", 1, 500, key=key, width=110, **calibask.taking("bins", key, 15))
    return int(st.session_state[key])


def _mass() -> bool:
    key = calibask.follow("calib_mass", "mass" if st.query_params.get("cut") == "mass" else "width")
    st.segmented_control(
        "Cut into",
        ["width", "mass"],
        key=key,
        required=True,
        format_func={"width": "equal width", "mass": "equal mass"}.__getitem__,
        **calibask.taking("cut", key, "width"),
    )
    return st.session_state[key] == "mass"


def _whose(classes: int) -> int | None:
    options: list[str] = ["predicted", *map(str, range(classes))]
    given = st.query_params.get("class", "predicted")
    key = calibask.follow("calib_class", given if given in options else "predicted")
    st.selectbox(
        "Class",
        options,
        key=key,
        width=150,
        format_func=lambda v: "the predicted one" if v == "predicted" else f"class {v}",
        **calibask.taking("class", key, "predicted"),
    )
    value = st.session_state[key]
    return None if value == "predicted" else int(value)


def _stem() -> str:
    given = st.query_params.get("over", "ece")
    key = calibask.follow("calib_stem", given if given in FAMILIES else "ece")
    st.segmented_control(
        "Measure over bins",
        list(FAMILIES),
        key=key,
        required=True,
        format_func=FAMILIES.__getitem__,
        label_visibility="collapsed",
        **calibask.taking("over", key, "ece"),
    )
    return str(st.session_state[key])


def _binned(p: np.ndarray, labels: np.ndarray, of: int | None, bins: int, mass: bool) -> Any:
    c = p.max(1) if of is None else p[:, of]
    right = p.argmax(1) == labels if of is None else labels == of
    return reliability(c, right, bins, equal_mass=mass)


def _line(found: dict[str, Any], scaled: bool) -> None:
    """Accuracy, confidence, what scaling did."""
    gap = 100 * (found["mean_confidence"] - found["accuracy"])
    line = (
        f"Accuracy **{words.percent(100 * found['accuracy'])}**, mean confidence "
        f"**{words.percent(100 * found['mean_confidence'])}**: "
        f"{'over' if gap > 0 else 'under'}confident by {abs(gap):.2f} points."
    )
    if scaled and "method" in found:
        said = (
            f" T = {found['temperature']:.2f}."
            if found["temperature"]
            else f" {found['method'].capitalize()}:"
        )
        line += f"{said} Accuracy after scaling {words.percent(100 * found['post_accuracy'])}."
    if "auroc" in found:
        line += f" AUROC of entropy, out of distribution: **{found['auroc']:.3f}**."
    st.markdown(line)


def _table(before: Any, after: Any | None) -> None:
    """The diagram as numbers."""
    with st.expander("The diagram as numbers"):
        frame = pd.DataFrame(
            {
                "from": before.low,
                "to": before.high,
                "samples": before.count,
                "confidence": before.confidence,
                "accuracy": before.accuracy,
            }
        )
        if after is not None:
            frame["samples, scaled"], frame["accuracy, scaled"] = after.count, after.accuracy
        st.dataframe(frame, key="calib-bins", hide_index=True, height=220)
