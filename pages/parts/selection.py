"""Magnitude and perturbation on one supernet: what each would take, and why, choice by choice."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from nascore.errors import AppError
from nascore.runs import selection
from nascore.runs.jobs import Document
from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.view import axes, figures_table, words
from nascore.view.tokens import op_label
from pages.parts import arch, benchdata, jobpanel, links, runwatch, show, tables

WAYS = {"magnitude": "Largest alphas", "perturbation": "Missed most"}
HOW = (
    "**Largest alphas** takes at each choice the option that the gates prefer, as DARTS does. **Missed "
    "most** leaves out one option after the other and keeps the one without which the shared network loses "
    "most accuracy on the validation images, choice by choice, as DARTS-PT does. Both judge the same kept "
    "weights; nothing is trained in between, which DARTS-PT itself does for a few epochs."
)
READ = (
    "In the order in which choices were settled. The share is the softmax of the alphas; the drop is what "
    "the shared network loses without this option, in points of accuracy, once those above were settled."
)


def part(summary: Summary, spec: RunSpec) -> None:
    """The button, how far it is, and both selections; nothing for a run without alphas."""
    if not selection.can(summary.run):
        return
    show.over("Two selections from this supernet", HOW, key="selection")
    now, found = selection.standing(summary.run), selection.result(summary.run)
    if now is not None and now.live:
        poll = jobpanel.POLL_SECONDS
        st.fragment(jobpanel.working, run_every=poll)("selection", selection, summary.run)
        return
    jobpanel.refused("selection")
    if now is not None and now.state in ("failed", "interrupted"):
        st.warning(show.plain(now.error or "It ended without a result.", 300), icon=":material/error:")
    if found is None:
        st.markdown(":small[:gray[It takes one look at the validation images for each option.]]")
    st.button(
        "Select in both ways" if found is None else "Select again", icon=":material/rule:",
        key="selection_run", on_click=jobpanel.start, args=("selection", selection, summary.run),
    )  # fmt: skip
    if found is not None:
        _sides(summary, spec, found)
        _options(found)


def _sides(summary: Summary, spec: RunSpec, found: Document) -> None:
    """Both architectures beside each other, with accuracy and true ranks."""
    archs = [tuple(int(i) for i in found["archs"][way]["arch"]) for way in WAYS]
    try:
        pictures = tables.drawings(archs, arch.unwrapped(spec.space)[0], spec.task.shape, show.theme().mode)
    except AppError:
        pictures = [""] * len(archs)
    truths = runwatch.true_ranks(spec, archs)
    after = f"inherited weights, supernet of {found['after']} epochs"
    said = words.protocol(found["data"], "validation", None, f"seed {found['seed']}", after)
    for i, (side, (way, name)) in enumerate(zip(st.columns(2, gap="medium"), WAYS.items(), strict=True)):
        one = found["archs"][way]
        with side, st.container(border=True, gap="small", key=f"selection-{way}"):
            show.number(name, f"{100 * (1 - one['error']):.2f} %", said)
            if pictures[i]:
                st.image(pictures[i], width=210)
            for truth in truths:
                rank = truth.rank[i]
                place = words.rank(int(rank), truth.of) if rank == rank else "not known"
                chip = show.chip(axes.protocol(truth.table.columns[truth.metric]) or "protocol not given")
                st.markdown(f"True rank, {show.plain(benchdata.title(truth.table))}: **{place}** {chip}")
            if not truths:
                st.markdown(":small[:gray[No table here knows this network's true rank.]]")
            where = {"arch": one["key"], "run": summary.run, "space": summary.space}
            links.link(links.ARCHITECTURE, "Open it", "account_tree", **where)


def frame(found: Document) -> pd.DataFrame:
    """A row an option, in the order in which choices were settled; shares and drops in percent."""
    rows = [
        {
            "choice": figures_table.place(c["choice"]),
            "option": op_label(o["option"]),
            "alpha": o["alpha"],
            "share": 100 * o["share"],
            "drop": 100 * o["drop"],
            "taken": " and ".join(WAYS[w].lower() for w in WAYS if c[w] == i),
        }
        for c in found["choices"]
        for i, o in enumerate(c["options"])
        if o["share"] is not None
    ]
    return pd.DataFrame(rows)


def _options(found: Document) -> None:
    """Alpha and drop of every option."""
    same = sum(c["magnitude"] == c["perturbation"] for c in found["choices"])
    show.over(f"Both agree at {same} of {len(found['choices'])} choices", READ, key="selection-options")
    table = frame(found)
    columns: dict[str, Any] = {
        "choice": st.column_config.TextColumn("Choice", width=110),
        "option": st.column_config.TextColumn("Option", width=140),
        "alpha": st.column_config.NumberColumn("Alpha", format="%.3f", width=80),
        "share": st.column_config.ProgressColumn("Share", format="%.1f %%", min_value=0, max_value=100),
        "drop": st.column_config.NumberColumn("Drop without it (points)", format="%+.2f"),
        "taken": st.column_config.TextColumn("Taken by", width=220),
    }
    st.dataframe(
        table, hide_index=True, column_config=columns, key="selection_options",
        height=tables.height(len(table)), alt=f"{len(table)} options with alpha, share and drop",
    )  # fmt: skip
