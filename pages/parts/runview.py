"""What a run shows while it lives and afterwards: state, progress, numbers, figures, tabs."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.view import figures, figures_arch, figures_front, words
from nascore.view.tokens import Tokens
from pages.parts import arch, forms, links, show, stores, tables

POINTS = 1000  # the most that one figure of a live run gets
QUIET_SECONDS = 30
TABS = (
    ":material/table_rows: Tried",
    ":material/line_axis: Front",
    ":material/show_chart: Curves",
    ":material/list: Log",
)


def badges(summary: Summary) -> None:
    """State and protocol."""
    said = [show.badge(show.STATES, summary.state)]
    said += [show.chip(arch.named(summary.space)), show.chip(forms.spoken(summary.strategy))]
    if protocol := stores.protocol(summary):
        said.append(show.chip(protocol))
    st.markdown(" ".join(said), width="content")


def state_box(summary: Summary) -> None:
    """What a person must know of a state that is not plain sailing."""
    reason = show.plain(summary.reason, 400)
    match summary.state:
        case "interrupted":
            st.warning(
                f"**Interrupted after {_count(summary)}.** {reason}  \nNothing recorded is lost. "
                "Resume goes on where it ended.",
                icon=":material/power_off:",
            )
        case "failed":
            st.error(f"**This search failed.** {reason}", icon=":material/error:")
        case "unreadable":
            st.error(
                f"**This run cannot be read.** {reason}  \nIts folder is untouched.", icon=":material/error:"
            )
        case "queued":
            place = f"Number {summary.place} in the queue. " if summary.place else ""
            st.info(f"{place}It starts when a slot is free.", icon=":material/schedule:")
        case "running" | "stopped" | "paused" if reason:
            st.markdown(f":small[:gray[{reason}]]")
    if summary.state == "running" and summary.quiet_seconds > QUIET_SECONDS:
        st.markdown(f":small[:gray[Quiet for {words.duration(summary.quiet_seconds)}, still running.]]")


def _count(summary: Summary) -> str:
    budget = int(summary.budget.get("evaluations", 0))
    if budget:
        return f"{summary.evaluations:,} of {budget:,} architectures"
    return f"{summary.evaluations:,} architecture{'' if summary.evaluations == 1 else 's'}"


def share(summary: Summary) -> float:
    """How much of the budget is used, 0 to 1."""
    used = {"evaluations": float(summary.evaluations), **summary.spent}
    parts = [used.get(u, 0.0) / limit for u, limit in summary.budget.items() if limit]
    return 1.0 if summary.state == "finished" else min(max(parts, default=0.0), 1.0)


def progress(summary: Summary, epochs: tuple[int, int] | None = None) -> None:
    """One bar and one line.

    Args:
        summary: of the run.
        epochs: done and in all, of a shared network that is trained before anything is judged.
    """
    line, part = [f"**{_count(summary)}**"], share(summary)
    if epochs:
        line.insert(0, f"**{epochs[0]:,} of {epochs[1]:,} epochs** of the shared network")
        part = max(part, min(epochs[0] / epochs[1], 0.99)) if summary.state != "finished" else 1.0
    line.append(f"{words.duration(summary.seconds)} gone")
    if summary.state == "running" and epochs and epochs[0] < epochs[1]:
        line.append(words.left(summary.seconds * (epochs[1] - epochs[0]) / epochs[0]))
    elif summary.state == "running" and summary.evaluations:
        line.append(words.left(summary.left_seconds))
    st.progress(part, text=" · ".join(line))


def numbers(summary: Summary, frame: pd.DataFrame) -> None:
    """Four numbers: best, tried, failed, front or pace."""
    cards = st.columns(4, gap="small")
    metric = summary.objectives[0][0] if summary.objectives else "error"
    with cards[0]:
        if summary.best:
            value = words.metric(metric, stores.seen(metric, summary.best["metrics"].get(metric)))
            title = words.metric_title(metric).partition(" (")[0].lower()
            show.number(f"Best so far, {title}", value, stores.protocol(summary))
        else:
            show.number("Best so far", "none yet", "The first result comes with the first architecture.")
    with cards[1]:
        different = frame["key"].nunique() if len(frame) else 0
        show.number(
            "Tried", words.count(summary.evaluations), f"{different:,} different · seed {summary.seed}"
        )
    with cards[2]:
        rate = 100 * summary.failed / summary.evaluations if summary.evaluations else 0
        show.number("Failed", words.count(summary.failed), f"{words.percent(rate, 1)} of those tried")
    with cards[3]:
        if len(summary.objectives) > 1:
            names = " and ".join(m.replace("_", " ") for m, _ in summary.objectives)
            show.number("On the front", words.count(len(summary.front)), f"not beaten in {names}")
        else:
            each = summary.seconds / summary.evaluations if summary.evaluations else math.nan
            show.number(
                "Time an architecture", words.duration(each), f"over {words.duration(summary.seconds)}"
            )
    if summary.best:
        best = {"arch": summary.best["key"], "run": summary.run, "space": summary.space}
        links.link(links.ARCHITECTURE, "Open the best architecture", "account_tree", **best)


def thinned(frame: pd.DataFrame, keep: set[str]) -> pd.DataFrame:
    """At most about a thousand rows, evenly over the run; rows of the kept keys stay."""
    if len(frame) <= POINTS:
        return frame
    step = math.ceil(len(frame) / POINTS)
    return frame[(np.arange(len(frame)) % step == 0) | frame["key"].isin(keep)]


def thin_lines(fig: go.Figure) -> go.Figure:
    """Every line of a figure with at most a thousand points; the last stays."""
    traces: tuple[Any, ...] = tuple(fig.data)
    for trace in traces:
        n = len(trace.x) if trace.x is not None else 0
        if n > POINTS:
            at = np.unique(np.linspace(0, n - 1, POINTS).astype(int))
            for name in ("x", "y", "hovertext", "customdata"):
                values = getattr(trace, name, None)
                if values is not None and not isinstance(values, str) and len(values) == n:
                    trace[name] = [values[i] for i in at]
    return fig


def _open(event: Any, summary: Summary) -> None:
    """A clicked point opens its architecture."""
    if key := show.clicked(event):
        links.go(links.ARCHITECTURE, space=summary.space, arch=key, run=summary.run)


def figures_of(summary: Summary, frame: pd.DataFrame, t: Tokens) -> None:
    """The best so far over evaluations, and who came from whom."""
    if frame.empty or not summary.objectives or summary.objectives[0][0] not in frame:
        if summary.live:
            st.skeleton(height=300)
        return
    metric, way = summary.objectives[0]
    title = words.metric_title(metric).partition(" (")[0]
    left, right = st.columns(2, gap="medium")
    with left:
        fig = figures.anytime(
            {"this run": [frame[metric].to_numpy(float)]}, t, metric=metric, direction=way, height=300
        )
        how = f"The best {title.lower()} found so far, by the judge of this search, after each architecture."
        show.panel(
            f"{title} of the best so far", how, thin_lines(fig), "anytime", f"{title} of the best so far"
        )
    with right:
        rows = thinned(frame.assign(value=frame[metric]), _line_of_best(frame, summary))
        fig = figures_arch.lineage(rows, t, metric=metric, direction=way, height=300)
        how = (
            "A dot is a tried architecture, a line leads to its parent. The ringed chain are the ancestors "
            "of the best one. Click a dot to open it."
        )
        if len(rows) < len(frame):
            how += f" Of {len(frame):,} dots {len(rows):,} are drawn."
        event = show.panel(
            "Family tree", how, fig, "lineage", "What was tried, by evaluation, with parents", select="rerun"
        )
        _open(event, summary)


def _line_of_best(frame: pd.DataFrame, summary: Summary) -> set[str]:
    """Keys of the best and of its ancestors."""
    parent = dict(zip(frame["key"], frame["parent"], strict=True))
    found, key = set(), summary.best["key"] if summary.best else None
    while isinstance(key, str) and key and key not in found:
        found.add(key)
        key = parent.get(key)
    return found


def tried_tab(summary: Summary, frame: pd.DataFrame, spec: RunSpec | None, t: Tokens) -> None:
    """Every tried architecture, newest first; a selected row opens it."""
    if frame.empty:
        show.empty("table_rows", "Nothing has been tried yet.", "The first rows come with the first results.")
        return
    newest = frame.iloc[::-1].reset_index(drop=True)
    space = arch.unwrapped(spec.space)[0] if spec else None
    table, columns = tables.tried(newest, space, spec.task.shape if spec else None, t)
    st.markdown(":small[:gray[Select a row to open its architecture. Click a heading to sort.]]")
    event: Any = st.dataframe(
        table,
        hide_index=True,
        key="tried",
        height=tables.TALLEST,
        row_height=38,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-row",
        alt=f"{len(table):,} tried architectures with their metrics",
    )
    if rows := event["selection"]["rows"]:
        key = str(newest["key"].iloc[rows[0]])
        links.go(links.ARCHITECTURE, space=summary.space, arch=key, run=summary.run)


def front_tab(summary: Summary, frame: pd.DataFrame, t: Tokens) -> None:
    """Two metrics against each other, and how the front grew."""
    names = [m for m in stores.metrics_of(frame) if frame[m].notna().any()] if len(frame) else []
    if len(names) < 2:
        show.empty("line_axis", "A front needs two metrics.", "It grows here with the first results.")
        return
    wanted = [m for m, _ in summary.objectives if m in names]
    y0 = wanted[0] if wanted else names[0]
    x0 = next((m for m in [*wanted[1:], "params", *names] if m in names and m != y0), names[0])
    with st.container(horizontal=True):
        shown: dict[str, Any] = {"width": 220, "format_func": words.metric_title, "bind": "query-params"}
        x = st.selectbox("Across", names, names.index(x0), key="front_x", **shown)
        y = st.selectbox("Up", names, names.index(y0), key="front_y", **shown)
    ways = dict(summary.objectives)
    best = summary.best["key"] if summary.best else None
    rows = thinned(frame, {f["key"] for f in summary.front})
    fig = figures_front.front(
        rows,
        t,
        x=x,
        y=y,
        directions=(ways.get(x, "min"), ways.get(y, "min")),
        picked=best if len(summary.objectives) == 1 else None,
        height=380,
    )
    how = (
        "The solid line is the front now: no tried architecture beats these in both. Click a dot to open it."
    )
    event = show.panel(
        "Found so far",
        how,
        fig,
        "front",
        "Tried architectures by two metrics with their front",
        select="rerun",
    )
    _open(event, summary)
    st.markdown(show.chip(stores.protocol(summary)))


def curves_tab(summary: Summary, t: Tokens) -> None:
    """Learning curves, the picked one in front."""
    frame = stores.curves(summary.run)
    if frame.empty:
        show.empty(
            "show_chart", "No learning curve yet.", "An evaluator that trains gives one value an epoch."
        )
        return
    names = list(dict.fromkeys(frame["metric"]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        shown: dict[str, Any] = {"format_func": words.metric_title, "width": 220, "bind": "query-params"}
        start = names.index("error") if "error" in names else 0
        metric = st.selectbox("Curve of", names, start, key="curve", **shown)
        part = frame[frame["metric"] == metric]
        keys = list(dict.fromkeys(part["key"]))
        best = summary.best["key"] if summary.best else None
        first = [best] if best in keys else keys[:1]
        chosen = st.multiselect("In front", keys, first, key="curve_keys", max_selections=5, width=420)
    kept = set(keys[:: max(1, math.ceil(len(keys) / (POINTS // 5)))]) | set(chosen)
    lines = {str(k): g["value"].to_numpy(float) for k, g in part[part["key"].isin(kept)].groupby("key")}
    fig = figures_arch.learning(lines, t, chosen=chosen, metric=metric, height=330)
    how = "A thin line is an architecture, a thick one is picked above."
    if len(lines) < len(keys):
        how += f" Of {len(keys):,} curves {len(lines):,} are drawn."
    show.panel("Learning curves", how, fig, "curves", f"{words.metric_title(metric)} over epochs")
    for key in chosen:
        links.link(
            links.ARCHITECTURE, f"Open {key}", "account_tree", space=summary.space, arch=key, run=summary.run
        )


def log_tab(summary: Summary) -> None:
    """What the run said, and the last lines of its worker."""
    if summary.unreadable:
        many = f"{summary.unreadable:,} line{'' if summary.unreadable == 1 else 's'} of the journal"
        st.warning(f"{many} could not be read and {'is' if summary.unreadable == 1 else 'are'} left out.")
    frame = stores.log(summary.run)
    if frame.empty:
        show.empty("list", "Nothing has been said yet.", "Notes and the turns of the run's life come here.")
    else:
        st.dataframe(
            frame,
            hide_index=True,
            key="log",
            height=tables.height(len(frame)),
            column_config={
                "time": st.column_config.DatetimeColumn("Time", format="HH:mm:ss", width=80),
                "kind": st.column_config.TextColumn("What", width=90),
                "text": st.column_config.TextColumn("Words", width="large"),
            },
            alt="Notes and events of the run, newest first",
        )
    with st.expander("Last lines of the worker", key="worker_log"):
        st.code(stores.worker_lines(summary.run) or "The worker wrote nothing.", language=None)
