"""Single architectures among others: learning curves, families, neighbors, costs. Data -> plotly figure."""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (pandas' and plotly's own types do not know what a selection of rows or a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from nascore.graph import Graph
from nascore.view import words
from nascore.view.figures import COLORED, MANY, TIP, label_ends, numbers, safe
from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha, op_dash, op_key, op_label

# A shape beside the color, so that neither has to be told from the other alone.
SYMBOLS = {
    "none": "circle-open",
    "skip": "square",
    "conv_1x1": "diamond",
    "conv_3x3": "circle",
    "conv_5x5": "hexagon",
    "sep_3x3": "star",
    "sep_5x5": "star-open",
    "dil_3x3": "cross",
    "dil_5x5": "x",
    "dil_sep_3x3": "cross-open",
    "dil_sep_5x5": "x-open",
    "flood_3x3": "hexagram",
    "dil_flood_3x3": "hexagram-open",
    "choke_3x3": "bowtie",
    "dil_choke_3x3": "bowtie-open",
    "avg_pool": "triangle-up",
    "max_pool": "triangle-down",
}


def learning(
    curves: Mapping[str, Sequence[float] | np.ndarray],
    t: Tokens,
    *,
    chosen: Sequence[str] = (),
    metric: str = "error",
    height: int = 300,
) -> go.Figure:
    """Learning curves: all as thin gray lines, the chosen ones thick with their names at the end.

    Args:
        curves: name -> (n_epochs,) values after epoch 1, 2, ...
        t: the page's mode.
        chosen: names to bring out.
        metric: what the values are.
        height: in pixels.
    """
    fig = figure(t, height=height, x="Epoch", y=words.metric_title(metric))
    arrays = {name: np.asarray(values, float) for name, values in curves.items() if len(values)}
    chosen = [name for name in chosen if name in arrays]
    _gray(fig, [values for name, values in arrays.items() if name not in chosen], t)
    longest = max(map(len, arrays.values()), default=1)
    ends = []
    for i, name in enumerate(chosen):
        color = t.pick if len(chosen) == 1 else t.series[i] if i < COLORED else t.muted
        y, x = arrays[name], np.arange(1, len(arrays[name]) + 1)
        tips = [f"{safe(name)}, epoch {k}: {words.metric(metric, v)}" for k, v in zip(x, y, strict=True)]
        fig.add_scatter(
            x=x,
            y=y,
            mode="lines+markers" if len(y) < 3 else "lines",
            line={"color": color, "width": 2.4},
            name=safe(name),
            customdata=[name] * len(y),
            hovertext=tips,
            hovertemplate=TIP,
        )
        ends.append((float(y[-1]), safe(name)[:16], color))
    label_ends(fig, ends, at=longest, metric=metric, height=height)
    fig.update_xaxes(range=[0, longest * (1.45 if ends else 1.03) + 0.1])
    return fig.update_layout(showlegend=False, margin_t=8)


def _gray(fig: go.Figure, curves: list[np.ndarray], t: Tokens) -> None:
    """All curves as one trace with gaps between them; dots show the curves of a single epoch."""
    if not curves:
        return
    x = np.concatenate([np.append(np.arange(1.0, len(curve) + 1), np.nan) for curve in curves])
    y = np.concatenate([np.append(curve, np.nan) for curve in curves])
    line = {"color": alpha(t.muted, 0.35 if len(curves) < 60 else 0.18), "width": 1}
    kind = go.Scattergl if len(x) > MANY else go.Scatter
    fig.add_trace(kind(x=x, y=y, mode="lines", line=line, name="all", hoverinfo="skip"))
    lone = [curve[0] for curve in curves if len(curve) == 1]
    if lone:
        dots = {"color": alpha(t.muted, 0.5), "size": 4}
        fig.add_scatter(x=[1] * len(lone), y=lone, mode="markers", marker=dots, hoverinfo="skip")


def lineage(
    frame: pd.DataFrame, t: Tokens, *, metric: str = "error", direction: str = "min", height: int = 320
) -> go.Figure:
    """Family tree: every architecture at its evaluation and value, a line to its parent.

    The best one and its ancestors stand in front.


    Args:
        frame: columns `index` (from 1), `key`, `parent` (a key or empty) and `value`.
        t: the page's mode.
        metric: what the values are.
        direction: "min" or "max", which end is best.
        height: in pixels.
    """
    fig = figure(t, height=height, x=words.metric_title("index"), y=words.metric_title(metric))
    if not {"index", "key", "parent", "value"} <= set(frame.columns):
        return fig
    fine = frame[np.isfinite(numbers(frame, "value"))]
    if fine.empty:
        return fig
    at, value = fine["index"].tolist(), fine["value"].astype(float).tolist()
    parent = _parents(fine)
    kids = [(i, p) for i, p in enumerate(parent) if p is not None]
    x = [v for i, p in kids for v in (at[p], at[i], None)]
    y = [v for i, p in kids for v in (value[p], value[i], None)]
    thin = {"color": alpha(t.muted, 0.3), "width": 1}
    fig.add_scatter(x=x, y=y, mode="lines", line=thin, hoverinfo="skip", showlegend=False)
    keys = fine["key"].astype(str).tolist()
    tips = [
        f"evaluation {i}<br><b>{safe(k)}</b><br>{words.metric(metric, v)}"
        for i, k, v in zip(at, keys, value, strict=True)
    ]
    dots = {"size": 6, "color": t.dot}
    fig.add_scatter(
        x=at,
        y=value,
        mode="markers",
        marker=dots,
        customdata=keys,
        hovertext=tips,
        hovertemplate=TIP,
        showlegend=False,
    )
    chain = _ancestors(parent, int(np.argmin(value) if direction == "min" else np.argmax(value)))
    fig.add_scatter(
        x=[at[i] for i in chain],
        y=[value[i] for i in chain],
        mode="lines+markers",
        line={"color": t.accent, "width": 2},
        marker={"size": 9, "color": t.paper, "line": {"color": t.accent, "width": 2}},
        name="the best one" + (f" and its {len(chain) - 1} ancestors" if len(chain) > 1 else ""),
        hoverinfo="skip",
        showlegend=True,
    )
    return fig


def _parents(frame: pd.DataFrame) -> list[int | None]:
    """Row of each row's parent: the latest earlier one with that key."""
    seen: dict[str, int] = {}
    parents: list[int | None] = []
    for i, (key, parent) in enumerate(zip(frame["key"], frame["parent"], strict=True)):
        parents.append(seen.get(parent) if isinstance(parent, str) and parent else None)
        seen[key] = i
    return parents


def _ancestors(parents: Sequence[int | None], start: int) -> list[int]:
    """A row and its ancestors, oldest first; a parent stands before its child, so this ends."""
    chain, row = [], start
    while row is not None:
        chain.append(row)
        row = parents[row]
    return chain[::-1]


def neighbors(
    frame: pd.DataFrame, t: Tokens, *, here: Mapping[str, float], metric: str = "error", height: int = 300
) -> go.Figure:
    """The cells one edit away: a row an edge, a dot a cell, color and shape by the operation it has there.

    Args:
        frame: columns `key`, `edge` (as people read it, `0 to 2`), `op` (the option), and metrics.
        t: the page's mode.
        here: this cell's metrics; a vertical line.
        metric: column across; parameters when it was known for no neighbor.
        height: in pixels.
    """
    known = metric in frame and np.isfinite(numbers(frame, metric)).any()
    column = metric if known else "params"
    fig = figure(t, height=height, x=words.metric_title(column), y="Edge changed")
    if not {"key", "edge", "op", column} <= set(frame.columns):
        return fig
    edges = list(dict.fromkeys(frame["edge"]))
    fine = frame[np.isfinite(numbers(frame, column))]
    drawn = fine["op"].map(lambda o: op_key(str(o)) in SYMBOLS).astype(bool)
    for option, part in fine[drawn].groupby("op", sort=False):
        look = {"color": t.op(str(option)), "symbol": SYMBOLS[op_key(str(option))]}
        _dots(fig, part, column, t, look, name=op_label(str(option)))
    if not all(drawn):  # widths, depths and the like: their value stands beside the dot
        _dots(fig, fine[~drawn], column, t, {"color": t.dot, "symbol": "circle"})
    if np.isfinite(here.get(column, np.nan)):
        fig.add_vline(x=here[column], line={"color": t.pick, "width": 1.6})
        note = {"x": here[column], "y": 0, "yref": "paper", "yanchor": "bottom", "xanchor": "left"}
        fig.add_annotation(**note, text=" this cell", font={"color": t.pick, "size": 12})
    rows = [safe(edge) for edge in reversed(edges)]
    return fig.update_yaxes(categoryorder="array", categoryarray=rows).update_layout(showlegend=True)


def _dots(
    fig: go.Figure, part: pd.DataFrame, column: str, t: Tokens, look: Mapping[str, str], name: str = ""
) -> None:
    """Neighbors with one look; those that are no named operation have their option written above them."""
    said = [safe(op_label(str(o))) for o in part["op"]]
    rows = zip(part["edge"], said, part[column], strict=True)
    fig.add_scatter(
        x=part[column],
        y=part["edge"].map(safe),
        mode="markers" if name else "markers+text",
        text=None if name else said,
        textposition="top center",
        textfont={"size": 10, "color": t.muted},
        marker={"size": 11 if name else 7, "line": {"color": t.paper, "width": 1}, **look},
        name=safe(name or "another value"),
        customdata=part["key"].astype(str).tolist(),
        hovertext=[f"{safe(edge)}: {o}<br>{words.metric(column, value)}" for edge, o, value in rows],
        hovertemplate=TIP,
    )


def bars_per_edge(graph: Graph, t: Tokens, *, metric: str = "flops", height: int = 230) -> go.Figure:
    """What each edge costs over all cells: a bar in its operation's color, the number beside it.

    Args:
        graph: one architecture.
        t: the page's mode.
        metric: "flops" or "params".
        height: in pixels.
    """
    fig = figure(t, height=height, x=words.metric_title(metric), y="Edge")
    costs = [getattr(edge, metric) for edge in graph.edges]
    names = [f"{safe(edge.source)} to {safe(edge.target)}" for edge in graph.edges]
    labels = [safe(op_label(edge.op)) for edge in graph.edges]
    labels = [f"{a} · {words.compact(c)}" if c else a for a, c in zip(labels, costs, strict=True)]
    fig.add_bar(
        x=costs,
        y=names,
        orientation="h",
        marker={
            "color": [t.op(edge.op) for edge in graph.edges],
            "pattern": {"shape": ["/" if op_dash(edge.op) else "" for edge in graph.edges]},
        },
        text=labels,
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
        showlegend=False,
    )
    top = max(costs, default=0) or 1
    fig.update_xaxes(range=[0, top * 1.35])
    return fig.update_yaxes(autorange="reversed", showgrid=False).update_layout(margin_t=8)
