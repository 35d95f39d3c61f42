"""Sub-networks of the supernet that a search has kept: which ones, judged how, and what came of it."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.errors import AppError
from nascore.measures import agreement
from nascore.runs import subnets
from nascore.runs.jobs import Document, Standing
from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.runs.subnets import Asked
from nascore.space import Arch, from_choices
from nascore.view import words
from pages.parts import arch, jobpanel, links, show, tables

TAB = ":material/hub: Subnets"
KEPT = "What is measured by then stays."
ROW = 38  # pixels
LEAST = 10  # architectures of fewer no correlation is told
SOURCES = ("Found", "Random", "Written")
WAYS = {"inherited": "Inherited", "tuned": "Fine-tuned", "scratch": "From scratch"}
NORMS = {"anew": "Set anew", "kept": "As they are", "batch": "Of each batch"}
HOW = (
    "The search has kept its shared network. A sub-network taken out of it has weights at once: "
    "**inherited**. **Fine-tuned** trains these further, at a tenth of the recipe's rate; **from scratch** "
    "trains new weights by the recipe, for as many epochs. Both have a whole schedule of that length."
)
NORMS_HELP = (
    "What batch norms of inherited weights go by. *Set anew*: statistics of some training batches through "
    "this sub-network alone. *As they are*: what the shared network has gathered from the mixture of all. "
    "*Of each batch*: those of the images that are judged together."
)
READ = (
    "A row is an architecture, a column a way to judge it; accuracy on the validation images (%). Inherited "
    "weights cost seconds and only order networks roughly; compare their order with that of the trained ones."
)


def tab(summary: Summary, spec: RunSpec) -> None:
    """What to measure, how far it is, and what was measured."""
    show.over("Subnets of this supernet", HOW, key="subnets")
    now = subnets.standing(summary.run)
    live = now is not None and now.live
    with st.container(border=True, gap="small", key="subnets-ask"):
        if live:
            poll = jobpanel.POLL_SECONDS
            st.fragment(jobpanel.working, run_every=poll)("subnets", subnets, summary.run, KEPT)
        else:
            _ask(summary, spec)
            _ended(now)
    _rows(summary, spec)


def _ended(now: Standing | None) -> None:
    jobpanel.refused("subnets")
    if now is not None and now.state in ("failed", "interrupted"):
        st.warning(show.plain(now.error or "It ended without a result.", 300), icon=":material/error:")
    if now is not None and now.state == "stopped":
        st.markdown(":small[:gray[The last measurement was stopped; what it had measured is below.]]")


def _ask(summary: Summary, spec: RunSpec) -> None:
    """Which architectures, which ways, which norms."""
    left, middle, right = st.columns([1.2, 1, 1], gap="medium")
    with left:
        _which(summary)
    with middle:
        ways = st.pills(
            "Weights", list(WAYS), selection_mode="multi", default=["inherited"], key="subnets_ways",
            format_func=WAYS.__getitem__,
        )  # fmt: skip
        top = max(int(getattr(spec.recipe, "epochs", 3)), 1)
        st.number_input(
            "Epochs of fine-tuning and from scratch", 1, subnets.MOST_EPOCHS, min(top, 10),
            key="subnets_epochs", disabled=not {"tuned", "scratch"} & set(ways),
        )  # fmt: skip
    with right:
        norms = st.segmented_control(
            "Batch norms", list(NORMS), default="anew", required=True, key="subnets_norms",
            format_func=NORMS.__getitem__, help=NORMS_HELP,
        )  # fmt: skip
        st.number_input(
            "Training batches for it", 1, subnets.MOST_BATCHES, 4, key="subnets_batches",
            disabled=norms != "anew",
        )  # fmt: skip
    st.button(
        "Evaluate", icon=":material/play_arrow:", type="primary", key="subnets_run", disabled=not ways,
        on_click=_start, args=(summary.run, _found(summary)),
    )  # fmt: skip


def _which(summary: Summary) -> None:
    """Asks for the architectures."""
    source = st.segmented_control(
        "Architectures", SOURCES, default=SOURCES[0], required=True, key="subnets_source"
    )
    if source == "Random":
        st.number_input("How many", 1, subnets.MOST, 10, key="subnets_n")
        st.number_input("Seed", 0, 999, 0, key="subnets_seed")
    elif source == "Written":
        st.text_area(
            "One a line", key="subnets_text", height=110, max_chars=20_000,
            help="A key, the space's official string, or JSON of its choices.",
        )  # fmt: skip
    else:
        names = list(_found(summary))
        st.multiselect("Found by the search", names, default=names[:1], key="subnets_found")


def _found(summary: Summary) -> dict[str, Arch]:
    """What the search chose, its best and its front, by a short name."""
    rows = [("chosen", r) for r in summary.chosen]
    rows += [("best", summary.best)] if summary.best else []
    rows += [("front", r) for r in summary.front]
    out: dict[str, Arch] = {}
    for why, row in rows:
        if tuple(row["arch"]) not in out.values():
            out[f"{why} · {row['key'][:8]}"] = tuple(row["arch"])
    return out


def _start(run: str, found: dict[str, Arch]) -> None:
    """The button's callback: what the fields say at this moment."""
    said = st.session_state
    try:
        match said["subnets_source"]:
            case "Random":
                archs = subnets.read_archs(run, (), int(said["subnets_n"]), int(said["subnets_seed"]))
            case "Written":
                lines = [line for line in str(said["subnets_text"]).splitlines() if line.strip()]
                archs = subnets.read_archs(run, lines)
            case _:
                archs = tuple(found[n] for n in said["subnets_found"] if n in found)
        numbers = int(said["subnets_batches"]), int(said["subnets_epochs"])
        ways = tuple(said["subnets_ways"])
        subnets.start(run, Asked(archs, ways, str(said["subnets_norms"]), *numbers))
    except AppError as error:
        said["subnets_refused"] = str(error)


def label(row: Document) -> str:
    """How a row was judged, in words short enough for a column."""
    epochs = f"{row['epochs']} epoch{'' if row['epochs'] == 1 else 's'}"
    if row["way"] == "scratch":
        return f"From scratch, {epochs}"
    norms = f"norms set anew ({row['batches']})" if row["norms"] == "anew" else (
        "norms as they are" if row["norms"] == "kept" else "norms of each batch"
    )  # fmt: skip
    return f"Inherited, {norms}" if row["way"] == "inherited" else f"Fine-tuned {epochs}, {norms}"


def protocol(row: Document) -> str:
    """The protocol of a row's numbers, in the one order."""
    source = {"inherited": "inherited weights", "tuned": "inherited, trained further"}.get(row["way"])
    after = f", supernet of {row['after']} epochs" if row["after"] else ""
    return words.protocol(
        row["data"], "validation", row["epochs"] or None, f"seed {row['seed']}",
        f"{source or 'trained here'}{after}",
    )  # fmt: skip


def _rows(summary: Summary, spec: RunSpec) -> None:
    """Accuracy of each architecture in each way, and every row."""
    found = subnets.rows(summary.run)
    if not found:
        show.empty(
            "hub",
            "No sub-network has been judged yet.",
            "Choose some above; inherited weights take a second each.",
        )
        return
    frame = long(found)
    ways = list(dict.fromkeys(frame["way"]))
    wide = frame.pivot_table(index="key", columns="way", values="accuracy", aggfunc="last", sort=False)
    keys = list(wide.index)
    first = frame.drop_duplicates("key").set_index("key")
    drawn = _drawings([tuple_of(spec, first.loc[k, "choices"]) for k in keys], spec)
    table = pd.DataFrame({"cell": drawn, "key": keys}).assign(**{w: wide[w].to_numpy() for w in ways})
    columns: dict[str, Any] = {
        "cell": st.column_config.ImageColumn("Cell", width=70),
        "key": st.column_config.TextColumn("Key", width=140),
        **{w: st.column_config.NumberColumn(w, format="%.2f %%") for w in ways},
    }
    show.over("Accuracy beside each other", READ, key="subnets-wide")
    event: Any = st.dataframe(
        table, hide_index=True, column_config=columns, key="subnets_wide", row_height=ROW,
        height=min((len(table)) * ROW + 44, 480), on_select="rerun", selection_mode="single-row",
        alt=f"{len(table)} architectures in {len(ways)} ways",
    )  # fmt: skip
    if picked := event["selection"]["rows"]:
        links.go(links.ARCHITECTURE, arch=keys[picked[0]], run=summary.run, space=summary.space)
    said = {str(r["way"]): protocol(r) for r in found}
    st.markdown(" ".join(show.chip(f"{WAYS[w]}: {text}") for w, text in said.items()))
    for line in orders(wide):
        st.markdown(f":small[{show.plain(line, 240)}]")
    many = "1 judgment is" if len(found) == 1 else f"{len(found):,} judgments are"
    st.markdown(f":small[:gray[{many} kept with the run.]]")
    with st.expander("Every judgment, with seconds and test accuracy", icon=":material/table_rows:"):
        _long(frame)


def orders(wide: pd.DataFrame) -> list[str]:
    """How alike each way orders architectures to training from scratch, of those that both have judged.

    Args:
        wide: a row an architecture, a column a way: accuracies; NaN where there is none.
    """
    out = []
    trained = [w for w in wide.columns if w.startswith(WAYS["scratch"])]
    for way in (w for w in wide.columns if trained and w not in trained):
        both = wide[[way, trained[-1]]].dropna()
        if len(both) >= LEAST and both.nunique().min() > 1:
            found = agreement.kendall(both[way].to_numpy(), both[trained[-1]].to_numpy()).interval()
            tau = words.interval(found.value, found.low, found.high)
            out.append(f"{way}, against {trained[-1].lower()}: Kendall's tau {tau}, n = {len(both)}.")
    return out


def _drawings(archs: list[Arch], spec: RunSpec) -> list[str]:
    try:
        inner = arch.unwrapped(spec.space)[0]
        return tables.drawings(archs, inner, spec.task.shape, show.theme().mode)
    except AppError:
        return [""] * len(archs)


def tuple_of(spec: RunSpec, choices: dict[str, Any]) -> Arch:
    """The architecture of a row."""
    return from_choices(spec.space, choices)


def long(found: list[Document]) -> pd.DataFrame:
    """Rows as a table, accuracies in percent; NaN where it failed."""

    def percent(value: Any) -> float:
        return 100 * (1 - value) if isinstance(value, int | float) else np.nan

    return pd.DataFrame(
        {
            "key": [r["key"] for r in found],
            "way": [label(r) for r in found],
            "accuracy": [percent(r["error"]) for r in found],
            "test": [percent(r["test_error"]) for r in found],
            "seconds": [r["seconds"] for r in found],
            "protocol": [protocol(r) for r in found],
            "failed": [r["failed"] for r in found],
            "choices": [r["choices"] for r in found],
        }
    )


def _long(frame: pd.DataFrame) -> None:
    columns: dict[str, Any] = {
        "key": st.column_config.TextColumn("Key", width=90),
        "way": st.column_config.TextColumn("Way"),
        "accuracy": st.column_config.NumberColumn("Validation accuracy", format="%.2f %%"),
        "test": st.column_config.NumberColumn("Test accuracy", format="%.2f %%"),
        "seconds": st.column_config.NumberColumn("Seconds", format="%.2f"),
        "protocol": st.column_config.TextColumn("Protocol"),
        "failed": st.column_config.TextColumn("Failed"),
    }
    shown = frame.drop(columns=["choices"] + ([] if frame["failed"].any() else ["failed"]))
    st.dataframe(
        shown, hide_index=True, column_config=columns, key="subnets_long", alt=f"{len(shown)} judgments"
    )
