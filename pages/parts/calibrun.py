"""A network that a run tried, on the Calibration page: chosen, trained again, shown like a file."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from nascore.errors import AppError
from nascore.runs import predictions
from nascore.runs.spec import RunSpec
from nascore.view import axes, words
from pages.parts import calibask, calibfile, calibjob, links, show, stores
from pages.parts.calibask import Asked

OFFERED = 50


def runs() -> dict[str, str]:
    """Runs with results, the newest first: id -> title."""
    frame = stores.runs()
    return {
        row["run"]: f"{row['title'] or row['run']}, {int(row['evaluations']):,} tried"
        for row in (frame.to_dict("records") if len(frame) else [])
        if (row["evaluations"] or 0) > (row["failed"] or 0)
    }


def view(a: Asked) -> None:
    """One network of one run."""
    found = runs()
    if not found:
        show.empty("query_stats", "No run has results yet.", "Start a search, or choose a table above.")
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="calib-run-row"):
        run = _run(found)
        spec, frame = stores.spec(run), stores.tried(run)
        frame = frame[frame["failed"].fillna("") == ""].drop_duplicates("key")
        if spec is None or frame.empty:
            show.empty("query_stats", "This run's networks cannot be read.", "Choose another run.")
            return
        row = _network(spec, frame)
        links.link(links.ARCHITECTURE, "Architecture", "account_tree", run=run, arch=str(row["key"]))
    calibask.unknown("run", found, f"this is {found[run]}")
    calibask.unknown("arch", frame["key"].astype(str).tolist(), "this is the best network of the run")
    try:
        asked = predictions.of_run(spec, tuple(row["arch"]))
        told = f"{asked.length()} epochs on {axes.named(spec.task.data)}, seed {asked.problem().seed}"
    except AppError as error:
        show.empty("equalizer", "This network cannot be trained here.", str(error))
        return
    held = calibjob.kept(asked)
    if held is not None:
        st.markdown(_same(asked, row))
        calibfile.judged(a, *held, where=told)
        return
    show.empty(
        "equalizer",
        "What this network says of every image was not kept.",
        "Runs keep metrics, not weights: it is trained again, as the run did it.",
    )
    calibjob.panel(asked, told + _differs(spec))


def _differs(spec: RunSpec) -> str:
    from nascore.codec import to_json

    judge = to_json(spec.evaluator)["name"]
    return "" if judge in predictions.TRAINING else f", in full: this run's judge ({judge}) trains no network"


def _same(asked: predictions.Asked, row: Any) -> str:
    """Whether the run says the same of this network."""
    found = predictions.result(asked) or {}
    error = row.get("test_error", float("nan"))
    mine = 100 * found.get("accuracy", float("nan"))
    told = f":small[:gray[Test accuracy {words.percent(mine)}, trained again"
    if pd.notna(error):
        told += f"; the run found {words.percent(100 - error)}"
    return f"{told}.]]"


def _run(found: dict[str, str]) -> str:
    given = st.query_params.get("run", "")
    key = calibask.follow("calib_run", given if given in found else next(iter(found)))

    def take() -> None:
        calibask.put(run=st.session_state[key], arch="")

    st.selectbox("Run", list(found), key=key, format_func=found.__getitem__, on_change=take, width=280)
    return str(st.session_state[key])


def _network(spec: RunSpec, frame: pd.DataFrame) -> Any:
    """One of the best fifty by the run's first objective, or the one of the address."""
    goal = spec.objectives[0]
    values = pd.to_numeric(frame[goal.metric], errors="coerce") if goal.metric in frame else frame["index"]
    best = frame.loc[values.sort_values(ascending=goal.direction == "min", kind="stable").index]
    by_key = {str(k): i for i, k in enumerate(best["key"])}
    given = st.query_params.get("arch", "")
    offered = list(by_key)[:OFFERED]
    offered += [given] if given in by_key and given not in offered else []
    key = calibask.follow("calib_run_arch", given if given in by_key else offered[0])

    def called(k: str) -> str:
        row = best.iloc[by_key[k]]
        value = row.get(goal.metric)
        said = f", {words.metric_title(goal.metric).lower()} {words.three(value)}" if pd.notna(value) else ""
        return f"No. {int(row['index']):,}{said}"

    st.selectbox(
        f"Network, the {min(OFFERED, len(best))} best of {len(best):,}",
        offered,
        key=key,
        format_func=called,
        width=280,
        **calibask.taking("arch", key),
    )
    return best.iloc[by_key[st.session_state[key]]].to_dict()
