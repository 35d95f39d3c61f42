"""One network of a table by its single predictions: from kept logits, or trained again on request."""

from __future__ import annotations

import streamlit as st

from nascore.benchmarks.table import Table
from nascore.errors import AppError
from nascore.measures.calibration_table import Measured
from nascore.runs import predictions, robust
from nascore.view import axes
from pages.parts import benchdata, calibask, calibdata, calibfile, calibjob, calibone, show
from pages.parts.calibask import Asked
from pages.parts.calibjob import Held

WAYS = {"histograms": "histogram", "logits": "predictions"}
CANNOT = "Of this training the table keeps a histogram of confidence only."
WHY = (
    "That suffices for bins of equal width whose number divides 100; equal mass, single classes, kernel "
    "densities, AUROC and other ways to mend need what the network says of every image."
)


def of_table(a: Asked, found: Table, m: Measured) -> None:
    """The network of a table that the address names."""
    row, place, seed = calibask.network(found, m)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-network"):
        calibask.choose_network(m, seed)
        by_logits = _by_logits()
    at = place, m.seeds.index(seed)
    if not by_logits:
        calibone.from_histogram(a, found, m, row, at)
        return
    calibone.who(found, m, row, at, a.scaled, "The table says of this training: ")
    _view(a, found, m, at)


def _by_logits() -> bool:
    """Whether single predictions are looked at instead of the table's histogram."""
    given = st.query_params.get("from", "histograms")
    key = calibask.follow("calib_from", given if given in WAYS else "histograms")
    st.segmented_control(
        "Measured from",
        list(WAYS),
        key=key,
        required=True,
        format_func=WAYS.__getitem__,
        help="Tables keep a histogram of every training, and the single predictions of some. Those of others "
        "come from training the network again.",
        **calibask.taking("from", key, "histograms"),
    )
    return st.session_state[key] == "logits"


def _view(a: Asked, found: Table, m: Measured, at: tuple[int, int]) -> None:
    """Its predictions like those of a file; where there are none, what that means and the way to get them."""
    place, seed = at[0], m.seeds[at[1]]
    key = str(m.keys[place])
    epochs = next((c.protocol.epochs for c in found.columns.values() if c.protocol.epochs), 0)
    where = f"{axes.named(m.data)} · {epochs} epochs · seed {seed} · trained again"
    if (held := _shipped(found, key, seed)) is not None:
        calibfile.judged(a, *held, where=where)
        return
    if not robust.can_train(found):
        show.empty("equalizer", CANNOT, f"{WHY} This table does not say how its networks were trained.")
        return
    try:
        asked = predictions.of_table(found, tuple(found.archs[m.rows[place]].tolist()), seed)
        told = f"{asked.length()} epochs on {axes.named(m.data)} as in {benchdata.title(found)}, seed {seed}"
    except AppError as error:
        show.empty("equalizer", "This network cannot be trained here.", str(error))
        return
    if (held := calibjob.kept(asked)) is not None:
        calibfile.judged(a, *held, where=where)
        return
    show.empty("equalizer", CANNOT, f"{WHY} Train it again to get that.")
    calibjob.panel(asked, told)


def _shipped(found: Table, key: str, seed: int) -> Held | None:
    """Predictions that lie beside the table."""
    kept = calibdata.logits(found)
    said = kept.predictions(key) if kept is not None and kept.seed == seed else None
    if said is None:
        return None
    test, validation, outside = said
    return calibjob.uploads({"test": test, "validation": validation, **outside}, f"{found.name}:{key}")
