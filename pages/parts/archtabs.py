"""The tabs of the Architecture page: neighbors, runs that tried it, family, equal networks, texts."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from nascore import space as spaces
from nascore.codec import arch_to_json, dumps
from nascore.runs.state import Summary
from nascore.view import figures_arch, words
from nascore.view.tokens import Tokens, op_label
from pages.parts import arch, bencharch, links, show, stores, tables
from pages.parts.arch import Look
from pages.parts.archview import Hit

SHOWN_EQUAL = 60


def neighbors(
    look: Look, near: pd.DataFrame, here: dict[str, float], source: Summary | None, query: Any
) -> None:
    """The archs one change away: figure and table; values where a run tried them."""
    if near.empty:
        show.empty(
            "hub", "No architecture is one change away.", "This space has a single valid architecture."
        )
        return
    t, known = show.theme(), "error" in near and bool(near["error"].notna().any())
    left, right = st.columns([1.5, 1], gap="medium")
    height = max(330, 26 * near["edge"].nunique() + 110)
    with left:
        metric = _across(near, known)
        event = show.panel(
            f"The {len(near)} architectures one change away",
            "A row is an edge, a dot an architecture that differs only there. Its color is what would stand "
            "there. The line is this one. Click a dot to open it.",
            figures_arch.neighbors(near, t, here=here, metric=metric, height=height),
            f"neighbors-{look.key}",
            f"{len(near)} neighbors by edge and {words.metric_title(metric)}",
            select="rerun",
        )
        if hit := show.clicked(event):
            ways = dict(zip(near["key"], near["address"], strict=True))
            links.go(links.ARCHITECTURE, **{**query, "arch": ways.get(hit, hit)})
        if known and source is not None and metric == "error":
            st.markdown(show.chip(f"{near['error'].notna().sum()} of {len(near)} tried"))
            st.markdown(show.chip(stores.protocol(source)))
    with right:
        better = int((near["error"] < here.get("error", float("nan"))).sum()) if known else 0
        count = int(near["error"].notna().sum()) if known else 0
        st.markdown(
            f"**{better} of {count}** tried neighbors have a lower error. Select a row to open it."
            if known
            else "No run has tried a neighbor; costs are exact. Select a row to open it."
        )
        _near_table(look, near, t, known, query)


def _across(near: pd.DataFrame, known: bool) -> str:
    """Which metric the figure shows: the error where many were tried, else a cost that all have."""
    names = ["error", "params", "flops"] if known else ["params", "flops"]
    many = known and near["error"].notna().mean() > 0.5
    return str(
        st.segmented_control(
            "Across",
            names,
            default="error" if many else "params",
            format_func=lambda m: words.metric_title(m).partition(" (")[0],
            key="near_metric",
            required=True,
            label_visibility="collapsed",
        )
    )


def _near_table(look: Look, near: pd.DataFrame, t: Tokens, known: bool, query: Any) -> None:
    near = near.sort_values(["error", "params"] if known else "params").reset_index(drop=True)
    frame = pd.DataFrame({"edge": near["edge"], "op": [[op_label(o)] for o in near["op"]]})
    if known:
        frame["error"] = near["error"]
    frame["params"], frame["flops"] = near["params"], near["flops"]
    event: Any = st.dataframe(
        frame,
        hide_index=True,
        height=330,
        key=f"near-table-{look.key}",
        on_select="rerun",
        selection_mode="single-row",
        placeholder="",
        alt="Neighbors with the edge changed, the new operation and their costs",
        column_config={
            "edge": st.column_config.TextColumn(
                "Edge", width=60 if near["edge"].str.len().max() < 9 else 120
            ),
            "op": tables.op_column("Now", list(near["op"]), t),
            "error": st.column_config.NumberColumn("Error (%)", format="%.2f", width=75),
            "params": st.column_config.NumberColumn("Params", format="compact", width=70),
            "flops": st.column_config.NumberColumn("Multiply-adds", format="compact", width=90),
        },
    )
    if rows := event["selection"]["rows"]:
        links.go(links.ARCHITECTURE, **{**query, "arch": str(near["address"].iloc[rows[0]])})


def judgments(tries: list[Hit]) -> None:
    """Every run that tried it, with its numbers and their protocol."""
    if not tries:
        show.empty(
            "science", "No run has tried this architecture.", "Start a search in its space, or open another."
        )
        return
    for summary, hit in tries:
        with st.container(border=True, gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(show.badge(show.STATES, summary.state), width="content")
                name = stores.called(summary.run, summary.title, summary.strategy, summary.space)
                title = f"{name}, evaluation {hit['index']}"
                links.link(links.RUNS, f"**{show.plain(title)}**", "monitoring", run=summary.run)
            if hit["failed"]:
                st.markdown(f":red-badge[failed] {show.plain(hit['failed'])}")
            values = [f"{words.metric_title(m)}: {words.metric(m, v)}" for m, v in hit["metrics"].items()]
            st.markdown(show.plain(" · ".join(values), 400))
            st.markdown(show.chip(stores.protocol(summary)))


def family(look: Look, hit: Hit | None, query: dict[str, str]) -> None:
    """Parents and children in one run, with what changed."""
    if hit is None:
        show.empty(
            "family_history", "No family is known.", "Parents and children come with a run that tried it."
        )
        return
    summary, row = hit
    frame = stores.tried(summary.run)
    known = dict(zip(frame["key"], frame["arch"], strict=True)) if len(frame) else {}
    parents = [p for p in row["parents"] if p]
    children = frame[frame["parent"] == look.key] if len(frame) else frame
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**Made from**")
        if not parents:
            st.markdown(":gray[Nothing: it was drawn at random.]")
        for parent in parents:
            _relative(look, parent, known, query, back=True)
    with right:
        st.markdown(f"**Became** {len(children)} {'other' if len(children) == 1 else 'others'}")
        for child in children["key"].drop_duplicates().head(20) if len(children) else []:
            _relative(look, str(child), known, query, back=False)


def _relative(look: Look, key: str, known: dict[str, Any], query: dict[str, str], *, back: bool) -> None:
    with st.container(gap=None):
        links.link(links.ARCHITECTURE, key, "account_tree", **{**query, "arch": key})
        if key in known:
            other = tuple(int(i) for i in known[key])
            pair = (other, look.arch) if back else (look.arch, other)
            st.markdown(f":small[:gray[{show.plain(arch.difference(look.space, *pair), 240)}]]")


def equal(look: Look, query: dict[str, str], known: bencharch.Known) -> None:
    """The archs that are the same network, found when asked for."""
    canonical = look.space.canonical(look.arch)
    st.markdown("Operations that carry nothing, and equal paths in another order, give the same network.")
    if canonical != look.arch:
        links.link(
            links.ARCHITECTURE,
            f"The simplest of its class: {spaces.key(look.space, canonical)}",
            "compress",
            **{**query, "arch": arch.address(look.space, canonical)},
        )
    if spaces.size(look.space) > spaces.ENUMERABLE:
        st.markdown(":gray[This space is too large to list the others.]")
        return
    if not st.toggle(
        "List the equal ones", key="list_equal", help="Folds the whole space; a moment the first time."
    ):
        return
    same = [a for a in arch.classes(look.space).get(canonical, []) if a != look.arch]
    st.markdown(f"**{len(same):,}** other architectures of this space are the same network.")
    bencharch.equal_values(look, known, same)
    for other in same[:SHOWN_EQUAL]:
        key = spaces.key(look.space, other)
        links.link(
            links.ARCHITECTURE, f"{key} · {show.plain(look.space.text(other), 160)}", **{**query, "arch": key}
        )
    if len(same) > SHOWN_EQUAL:
        st.markdown(f":gray[and {len(same) - SHOWN_EQUAL:,} more.]")


def texts(look: Look) -> None:
    """The official string and the JSON, to copy."""
    st.markdown("**As people write it**")
    st.code(look.space.text(look.arch), language=None, wrap_lines=True)
    st.markdown("**As a file**")
    text = dumps(arch_to_json(look.space, look.arch), indent=1)
    st.code(text, language="json", height=220)
    st.download_button(
        "Download",
        text,
        f"{look.key}.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )
    st.code(f"python -m nascore arch {look.name} {look.key}", language="bash")
