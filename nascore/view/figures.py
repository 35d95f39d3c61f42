"""What a run has tried: data -> plotly figure, from arrays and frames only.

Frames have one row an evaluation: `index` (from 1), `key`, one column a metric, `failed` (its reason, empty
when fine) and `parent` (a key or empty). Metrics are lower-is-better unless a direction says "max".
Every point's `customdata` is its key. Texts from people are shown as they are, never as markup.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (pandas' and plotly's own types do not know what a selection of rows or a figure's traces are)

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from nascore.view import words
from nascore.view.template import CLEAR, figure
from nascore.view.tokens import Tokens, alpha

MANY = 4000  # points from which WebGL draws
LOG_TICKS = [digit * 10.0**power for power in range(-6, 13) for digit in (1, 1.5, 2, 3, 5, 7)]
COLORED = 5  # lines in one plot that get a color of their own
TIP = "%{hovertext}<extra></extra>"


def safe(text: object) -> str:
    """Text as plotly shows it literally: no tags, no entities, no placeholders of a hover template."""
    line = " ".join(str(text).split())
    return escape(line if len(line) <= 60 else line[:59] + "…").replace("%{", "%\u200b{")


def numbers(frame: pd.DataFrame, column: str) -> np.ndarray:
    """A column as floats, (n_rows,); what is no number is NaN."""
    return np.asarray(pd.to_numeric(frame[column], errors="coerce"), float)


def anytime(
    groups: Mapping[str, Sequence[Sequence[float] | np.ndarray]],
    t: Tokens,
    *,
    metric: str = "error",
    direction: str = "min",
    reference: tuple[str, float] | None = None,
    height: int = 320,
) -> go.Figure:
    """Best value so far over evaluations: mean of a group's runs, band from worst to best.

    Args:
        groups: name -> runs, each (n_evaluations,) of raw values or of best so far; NaN means failed.
        t: the page's mode.
        metric: what the values are, for title and units.
        direction: "min" or "max".
        reference: name and value of a dotted line, such as the best of a table.
        height: in pixels.
    """
    fig = figure(
        t, height=height, x="Architectures evaluated", y=f"Best so far: {words.metric_title(metric)}"
    )
    ends: list[tuple[float, str, str]] = []
    longest = 1
    for i, (name, runs) in enumerate(groups.items()):
        best = _incumbents(runs, direction)
        if best.size == 0 or not np.isfinite(best).any():
            continue
        color = t.series[i] if i < COLORED else t.muted
        longest = max(longest, best.shape[1])
        mean = _band(fig, best, safe(name), color, metric)
        ends.append((mean, safe(name), color))
    if reference is not None and np.isfinite(reference[1]):
        line = {"color": t.muted, "width": 1.2, "dash": "dot"}
        fig.add_scatter(x=[0, longest], y=[reference[1]] * 2, mode="lines", line=line, hoverinfo="skip")
        ends.append((reference[1], safe(reference[0]), t.muted))
    log = direction == "min" and _wants_log(fig)
    label_ends(fig, ends, at=longest, metric=metric, height=height, log=log)
    fig.update_xaxes(range=[0, longest * (1.35 if ends else 1) + 0.5])
    return fig.update_layout(showlegend=False, margin_t=8)


def _incumbents(runs: Sequence[Sequence[float] | np.ndarray], direction: str) -> np.ndarray:
    """Best so far of all runs, (n_runs, n_evaluations of the shortest): a longer one would bend the mean."""
    arrays = [np.asarray(run, float) for run in runs if len(run)]
    if not arrays:
        return np.empty((0, 0))
    better = np.fmin if direction == "min" else np.fmax
    shortest = min(map(len, arrays))
    return np.stack([better.accumulate(array[:shortest]) for array in arrays])


def _band(fig: go.Figure, best: np.ndarray, name: str, color: str, metric: str) -> float:
    """Draw one group; returns its last mean. Where a run has nothing yet, the mean waits for it."""
    x = np.arange(1, best.shape[1] + 1)
    if len(best) > 1:
        for edge, fill in ((best.max(0), None), (best.min(0), "tonexty")):
            fig.add_scatter(
                x=x,
                y=edge,
                mode="lines",
                line={"width": 0, "shape": "hv"},
                fill=fill,
                fillcolor=alpha(color, 0.14),
                hoverinfo="skip",
            )
    mean = best.mean(0)
    fig.add_scatter(
        x=x,
        y=mean,
        mode="lines" if len(x) > 1 else "markers",
        line={"color": color, "width": 2.2, "shape": "hv"},
        marker={"color": color, "size": 8},
        name=name,
        hovertext=[f"{name}, after {i}: {words.metric(metric, v)}" for i, v in zip(x, mean, strict=True)],
        hovertemplate=TIP,
    )
    return float(mean[-1])


def spread_out(values: Sequence[float], gap: float) -> list[float]:
    """Positions near the given ones, in the same order and at least `gap` apart."""
    at = list(map(float, values))
    rising = sorted(range(len(at)), key=lambda i: at[i])
    for below, above in pairwise(rising):
        at[above] = max(at[above], at[below] + gap)
    shift = (sum(at) - sum(values)) / len(at) if at else 0.0
    return [y - shift for y in at]


def label_ends(
    fig: go.Figure,
    ends: Sequence[tuple[float, str, str]],
    *,
    at: float,
    metric: str,
    height: int,
    log: bool = False,
) -> None:
    """Write (value, name, color) beside the lines' ends at x = `at`, pushed apart, and set the range of y.

    `log` makes y logarithmic, for positive values.
    """
    ends = [end for end in ends if np.isfinite(end[0])]
    y = _places([trace.y for trace in fig.data if trace.y is not None], log)
    if not ends or y.size == 0:
        return
    span = float(np.ptp(y)) or abs(float(y[0])) * 0.1 or 1.0
    wanted = [float(np.log10(end[0])) if log else end[0] for end in ends]
    spots = spread_out(wanted, gap=span * 1.2 * 18 / max(height - 60, 60))
    low, high = min(y.min(), *spots) - 0.08 * span, max(y.max(), *spots) + 0.08 * span
    fig.update_yaxes(range=[low, high])
    if log:
        ticks = [tick for tick in LOG_TICKS if low <= np.log10(tick) <= high]
        fig.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks])
    for (value, name, color), spot in zip(ends, spots, strict=True):
        label = f" {name} <b>{words.metric(metric, value)}</b>"
        fig.add_annotation(x=at, y=spot, text=label, xanchor="left", font={"color": color, "size": 13})


def _places(traces: Sequence[Sequence[float]], log: bool) -> np.ndarray:
    """All finite values of some traces, as they lie on the axis."""
    y = np.concatenate([np.asarray(trace, float).ravel() for trace in traces] or [np.empty(0)])
    y = y[np.isfinite(y)]
    return np.log10(y) if log else y


def _wants_log(fig: go.Figure) -> bool:
    """Whether values are positive and spread so far that the good end would be squeezed."""
    y = _places([trace.y for trace in fig.data if trace.y is not None], log=False)
    return bool(y.size and y.min() > 0 and y.max() > 3 * y.min())


def tried_scatter(
    frame: pd.DataFrame,
    t: Tokens,
    *,
    x: str = "index",
    y: str = "error",
    front: Collection[str] = (),
    picked: str | None = None,
    infeasible: Collection[str] = (),
    direction: str = "min",
    height: int = 420,
) -> go.Figure:
    """Everything a run tried, a dot each: at its evaluation number or at any two metrics.

    Failed ones are gray crosses at the worst end of the axis, infeasible ones gray rings.

    Args:
        frame: see the module.
        t: the page's mode.
        x: column across; "index" is the evaluation number.
        y: column up.
        front: keys on the Pareto front, joined by a stepped line.
        picked: key of the architecture with a ring.
        infeasible: keys that break a constraint.
        direction: "min" or "max", which end of `y` is better; failed ones stand at the other.
        height: in pixels.
    """
    fig = figure(t, height=height, x=words.metric_title(x), y=words.metric_title(y))
    if not {x, y, "key"} <= set(frame.columns):
        return fig.update_layout(margin_t=6)
    lost = failed(frame, y)
    out = frame["key"].isin(list(infeasible)) & ~lost
    dots(fig, frame[~lost & ~out], (x, y), {"size": 7, "color": t.dot, "opacity": 0.75}, "tried")
    hollow = {"size": 7, "color": CLEAR, "line": {"color": t.muted, "width": 1.2}}
    dots(fig, frame[out], (x, y), hollow, f"over a limit ({out.sum()})", legend=True)
    fine = frame.loc[~lost, y]
    worst = 0.0 if fine.empty else float(fine.max() if direction == "min" else fine.min())
    _lost(fig, frame[lost], t, (x, y), worst)
    if len(front):
        front_line(fig, frame[frame["key"].isin(list(front)) & ~lost], (x, y), t.accent, "Pareto front")
    if picked is not None:
        ring(fig, frame[(frame["key"] == picked) & ~lost], t, (x, y))
    fig.update_layout(margin_t=30 if any(trace.showlegend for trace in fig.data) else 8)
    return fig


def failed(frame: pd.DataFrame, y: str) -> pd.Series:
    """Rows that failed or have no finite value."""
    finite = np.isfinite(numbers(frame, y))
    said = frame["failed"].fillna("").astype(str).ne("") if "failed" in frame else False
    return pd.Series(~finite, index=frame.index) | said


def _tips(part: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Hover text of each row: number, key, metrics with units, and the reason if it failed."""
    tips = []
    for row in part.to_dict("records"):
        number = f"evaluation {words.count(row['index'])}<br>" if "index" in row else ""
        values = [f"<br>{words.metric_title(c)}: {words.metric(c, row[c])}" for c in columns if c != "index"]
        why = f"<br>{safe(row['failed'])}" if row.get("failed") else ""
        tips.append(f"{number}<b>{safe(row['key'])}</b>{''.join(values)}{why}")
    return tips


def dots(
    fig: go.Figure,
    part: pd.DataFrame,
    columns: tuple[str, str],
    marker: dict[str, Any],
    name: str,
    *,
    legend: bool = False,
    y: np.ndarray | None = None,
) -> None:
    """Add one dot a row, with its key and its hover text; `y` replaces the second column's places."""
    if part.empty:
        return
    kind = go.Scattergl if len(part) > MANY else go.Scatter
    fig.add_trace(
        kind(
            x=part[columns[0]],
            y=part[columns[1]] if y is None else y,
            mode="markers",
            marker=marker,
            name=name,
            customdata=part["key"].astype(str).tolist(),
            hovertext=_tips(part, columns),
            hovertemplate=TIP,
            showlegend=legend,
        )
    )


def _lost(fig: go.Figure, part: pd.DataFrame, t: Tokens, columns: tuple[str, str], worst: float) -> None:
    """Failed rows at the worst value of the others; those without a place across are left out."""
    part = part[np.isfinite(numbers(part, columns[0]))]
    marker = {"size": 7, "symbol": "x-thin", "line": {"color": t.muted, "width": 1.6}}
    dots(fig, part, columns, marker, f"failed ({len(part)})", legend=True, y=np.full(len(part), worst))


def front_line(
    fig: go.Figure, part: pd.DataFrame, columns: tuple[str, str], color: str, name: str, **line: Any
) -> None:
    """A stepped line through the members of a front, from left to right."""
    if part.empty:
        return
    part = part.sort_values(list(columns))
    style = {"color": color, "width": 1.8, "shape": "hv", **line}
    mode = "lines" if len(part) > 1 else "lines+markers"
    fig.add_scatter(
        x=part[columns[0]],
        y=part[columns[1]],
        mode=mode,
        line=style,
        marker={"size": 11, "symbol": "diamond-open", "color": color},
        name=f"{name} ({len(part)})",
        hoverinfo="skip",
        showlegend=True,
    )


def ring(fig: go.Figure, part: pd.DataFrame, t: Tokens, columns: tuple[str, str]) -> None:
    """The picked architecture: an open ring and its number."""
    if part.empty:
        return
    row = part.iloc[0]
    marker = {"size": 15, "color": CLEAR, "line": {"color": t.pick, "width": 2.5}}
    x, y = row[columns[0]], row[columns[1]]
    fig.add_scatter(x=[x], y=[y], mode="markers", marker=marker, hoverinfo="skip", showlegend=False)
    name = f"evaluation {words.count(row['index'])}" if "index" in row else safe(row["key"])
    fig.add_annotation(
        x=x,
        y=y,
        text=f"<b>{name}</b>",
        font={"color": t.pick, "size": 13},
        bgcolor=alpha(t.paper, 0.9),
        showarrow=True,
        arrowhead=0,
        arrowwidth=1.2,
        arrowcolor=t.pick,
        standoff=8,
        ax=56,
        ay=-36,
    )
