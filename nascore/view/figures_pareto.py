"""Pareto fronts of two to four objectives: axes and row numbers -> plotly figure.

A dot's `customdata` is its row, so a click can open it. What misses a limit is gray; the found front has the
accent, the true front behind it the color of picks.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.benchmarks.explore import density, visible
from nascore.view.axes import Axis
from nascore.view.figures import safe
from nascore.view.figures_table import ring, scaled
from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha, scale

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
MANY = 20_000  # dots in sight from which a histogram and a sample stand for the crowd
SAMPLE = 4_000
FRAMES = 60  # pictures of an animation
CROWD = 2_000  # dots in each of them
COVER = 0.006  # half a dot of the front, in widths of the picture
LINES = 200  # architectures in parallel coordinates


@dataclass(frozen=True)
class Points:
    """What is drawn.

    Attributes:
        axes: the objectives, each with the values of all n architectures.
        names: (n,) what people call each.
        fits: (n,) which meet all limits.
        front: rows on the front, best first objective first.
        truth: (k, objectives) values of the true front; None without one.
        ringed: row -> what is written beside it.
    """

    axes: Sequence[Axis]
    names: Sequence[str]
    fits: Mask
    front: Rows
    truth: NDArray[np.float64] | None = None
    ringed: Mapping[int, str] = field(default_factory=dict)

    @property
    def finite(self) -> Mask:
        """(n,) which have a place on every axis."""
        return np.all([np.isfinite(a.places) for a in self.axes], 0)


def better(a: Axis) -> str:
    """An axis title that says which way is better."""
    return f"{safe(a.title)}, {'higher' if a.column.direction == 'max' else 'lower'} is better"


def plane(p: Points, t: Tokens, *, part: Sequence[float] | None = None, height: int = 460) -> go.Figure:
    """The first two objectives. With more of them the front is dots, for its shadow has no steps.

    Args:
        p: the points.
        t: the page's mode.
        part: what is in sight: least and largest place across, least and largest up; None for all.
        height: in pixels.

    Above 20,000 points in sight a histogram of them stands for the crowd, with a sample of it as dots; the
    front is drawn whole. A smaller part has a histogram of its own, or, with few enough points, all of them.
    """
    x, y = p.axes[:2]
    fig = figure(t, height=height, x=better(x), y=better(y))
    seen, crowd = _in_sight(p, part)
    over, rest = crowd[~p.fits[crowd]], crowd[p.fits[crowd]]
    lost = f"over a limit ({len(over):,})"
    if len(crowd) > MANY:
        gray = [[0.0, alpha(t.muted, 0.05)], [1.0, alpha(t.muted, 0.45)]]
        _histogram(fig, p, over, part, gray)
        _histogram(fig, p, rest, part, scale(t.sequential))
        over, rest = _sample(over), _sample(rest)
    rest = rest[~_covered(p, rest, seen)]
    _dots(fig, p, over, {"size": 3, "color": alpha(t.muted, 0.3)}, lost)
    _dots(fig, p, rest, {"size": 4 if len(rest) > 500 else 6, "color": t.dot, "opacity": 0.55})
    steps = len(p.axes) == 2
    if p.truth is not None and len(p.truth):
        _true(fig, p, t, steps)
    found = [a.places[p.front] for a in (x, y)]
    if steps and len(p.front):
        fig.add_scatter(**_steps(found, x, t.accent), hoverinfo="skip", showlegend=False)
    marker = {"size": 8, "color": t.accent, "line": {"color": t.paper, "width": 1}}
    _dots(fig, p, p.front, marker, f"front, {len(p.front)}")
    for row, name in p.ringed.items():
        if seen[row]:
            middle = np.nanmean(x.places[seen])
            ring(fig, t, (float(x.places[row]), float(y.places[row])), name, right=x.places[row] < middle)
    _ranges(fig, p, seen, part)
    return fig.update_layout(margin_t=30, showlegend=True)


def crowded(p: Points, part: Sequence[float] | None = None) -> int:
    """How many points are in sight, where a histogram stands for them; 0 where each is a dot."""
    seen, crowd = _in_sight(p, part)
    return int(seen.sum()) if len(crowd) > MANY else 0


def _in_sight(p: Points, part: Sequence[float] | None) -> tuple[Mask, Rows]:
    """(n,) which points are in a part of the picture, and the rows of those that are not on the front."""
    seen = p.finite & visible(p.axes[0].places, p.axes[1].places, part)
    return seen, np.setdiff1d(np.flatnonzero(seen), p.front)


def _ranges(fig: go.Figure, p: Points, seen: Mask, part: Sequence[float] | None) -> None:
    """What is in sight, with ticks that fit it; the true front stays in sight of the whole."""
    for i, (which, a) in enumerate((("xaxis", p.axes[0]), ("yaxis", p.axes[1]))):
        if part is None:
            more = a.at(p.truth[:, i]) if p.truth is not None and len(p.truth) else np.empty(0)
            scaled(fig, a, which, np.concatenate([a.places[p.finite], more]))
        else:
            scaled(fig, replace(a, values=a.values[seen]), which, np.empty(0))
            fig.update_layout({which: {"range": list(part[2 * i : 2 * i + 2])}})


def _histogram(
    fig: go.Figure, p: Points, rows: Rows, part: Sequence[float] | None, colors: Sequence[Any]
) -> None:
    """How many points stand where, as log of their number; empty places stay empty."""
    if not len(rows):
        return
    found = density(p.axes[0].places[rows], p.axes[1].places[rows], part)
    z = np.where(found.count > 0, np.log10(np.maximum(found.count, 1)), np.nan).T
    fig.add_heatmap(
        x=found.x,
        y=found.y,
        z=z.astype(np.float32),
        colorscale=colors,
        opacity=0.55,
        showscale=False,
        hoverongaps=False,
        hoverinfo="skip",
    )


def _covered(p: Points, rows: Rows, seen: Mask) -> Mask:
    """Which dots lie under one of the front: plotly would give the click to the smaller one below."""
    under = np.zeros(len(rows), bool)
    places = [a.places for a in p.axes[:2]]
    reach = [COVER * (float(np.ptp(v[seen])) or 1.0) if seen.any() else 0.0 for v in places]
    for at in p.front[seen[p.front]]:
        near = [np.abs(v[rows] - v[at]) < r for v, r in zip(places, reach, strict=True)]
        under |= near[0] & near[1]
    return under


def _sample(rows: Rows) -> Rows:
    if len(rows) <= SAMPLE:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, SAMPLE, replace=False))


def _steps(places: Sequence[NDArray[Any]], x: Axis, color: str, dash: str = "solid") -> dict[str, Any]:
    """The edge of what a front of two objectives beats."""
    at = np.lexsort((places[1], places[0]))
    shape = "vh" if x.column.direction == "max" else "hv"
    line = {"color": color, "width": 1.8, "shape": shape, "dash": dash}
    return {"x": places[0][at], "y": places[1][at], "mode": "lines", "line": line}


def _true(fig: go.Figure, p: Points, t: Tokens, steps: bool) -> None:
    """The true front, behind the found one."""
    assert p.truth is not None  # noqa: S101 -- the caller has looked
    places = [a.at(p.truth[:, i]) for i, a in enumerate(p.axes[:2])]
    name = f"true front, {len(p.truth)}"
    if steps and len(p.truth) > 1:
        fig.add_scatter(**_steps(places, p.axes[0], t.pick, "dot"), name=name, hoverinfo="skip")
    else:
        marker = {"size": 7, "symbol": "diamond-open", "color": t.pick}
        fig.add_scatter(x=places[0], y=places[1], mode="markers", marker=marker, name=name, hoverinfo="skip")


def tips(p: Points, rows: Rows) -> list[str]:
    """Hover texts: name and every objective with its unit."""
    lines = [[f"{safe(a.title)}: {a.write(float(a.values[r]))}" for a in p.axes] for r in rows]
    return [f"<b>{safe(p.names[r])}</b><br>" + "<br>".join(line) for r, line in zip(rows, lines, strict=True)]


def _dots(fig: go.Figure, p: Points, rows: Rows, marker: dict[str, Any], name: str = "") -> None:
    if not len(rows):
        return
    kind = go.Scattergl if len(rows) > 1000 else go.Scatter
    x, y = (a.places[rows] for a in p.axes[:2])
    said: dict[str, Any] = {"hovertext": tips(p, rows), "hovertemplate": "%{hovertext}<extra></extra>"}
    if len(rows) > SAMPLE:  # short texts: thousands of long ones are megabytes
        said = {"hovertemplate": "row %{customdata}<extra></extra>"}
    fig.add_trace(
        kind(
            x=x,
            y=y,
            mode="markers",
            marker=marker,
            customdata=rows,
            name=name,
            showlegend=bool(name),
            **said,
        )
    )


def room(p: Points, t: Tokens, *, height: int = 520) -> go.Figure:
    """The first three objectives in space; a fourth colors the front."""
    fig = figure(t, height=height, x="", y="")
    crowd = np.setdiff1d(np.flatnonzero(p.finite), p.front)
    crowd = _sample(crowd)
    for rows, color, name in (
        (crowd[~p.fits[crowd]], t.line, "over a limit"),
        (crowd[p.fits[crowd]], t.dot, ""),
    ):
        _balls(fig, p, rows, {"size": 2, "color": color, "line": {"width": 0}}, name)
    if p.truth is not None and len(p.truth):
        x, y, z = (a.at(p.truth[:, i]) for i, a in enumerate(p.axes[:3]))
        marker = {"size": 4, "symbol": "diamond-open", "color": t.pick}
        name = f"true front, {len(p.truth)}"
        fig.add_scatter3d(x=x, y=y, z=z, mode="markers", marker=marker, name=name, hoverinfo="skip")
    marker = {"size": 4, "color": t.accent}
    if len(p.axes) > 3:
        bar = {"title": {"text": safe(p.axes[3].title)}, "thickness": 8, "len": 0.6, "outlinewidth": 0}
        marker |= {
            "color": p.axes[3].places[p.front],
            "colorscale": scale(t.points),
            "colorbar": bar | _ticks(p.axes[3]),
        }
    _balls(fig, p, p.front, marker, f"front, {len(p.front)}")
    for row, name in p.ringed.items():
        _balls(fig, p, np.array([row]), {"size": 8, "symbol": "circle-open", "color": t.pick}, name)
    scene: dict[str, Any] = {}
    for axis, a in zip(("xaxis", "yaxis", "zaxis"), p.axes, strict=False):
        scene[axis] = {"title": {"text": safe(a.title), "font": {"size": 11}}, "gridcolor": t.line} | _ticks(
            a
        )
        scene[axis] |= {"backgroundcolor": "rgba(0,0,0,0)", "zeroline": False, "color": t.muted}
        scene[axis] |= {"tickfont": {"size": 10}, "nticks": 5}
    camera = {"eye": {"x": 1.75, "y": 1.75, "z": 0.9}, "center": {"x": 0, "y": 0, "z": -0.12}}
    return fig.update_layout(scene={**scene, "camera": camera}, margin={"l": 0, "r": 0, "t": 30, "b": 0})


def _ticks(a: Axis) -> dict[str, Any]:
    found = a.ticks()
    return {"tickvals": found[0], "ticktext": found[1]} if found else {}


def _balls(fig: go.Figure, p: Points, rows: Rows, marker: dict[str, Any], name: str) -> None:
    if not len(rows):
        return
    x, y, z = (a.places[rows] for a in p.axes[:3])
    few = len(rows) <= 500
    fig.add_scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        marker=marker,
        customdata=rows,
        name=name,
        showlegend=bool(name),
        hovertext=tips(p, rows) if few else None,
        hovertemplate="%{hovertext}<extra></extra>" if few else "row %{customdata}<extra></extra>",
    )


def parallel(p: Points, t: Tokens, *, height: int = 460) -> go.Figure:
    """The front as lines over all objectives, the better end of each up; at most 200 lines.

    Lines of dots and not plotly's own parallel coordinates, since those cannot be clicked.
    """
    fig = figure(t, height=height, x="", y="")
    rows = p.front[:: max(1, -(-len(p.front) // LINES))]
    heights = np.stack([_height(a, p, a.places[rows]) for a in p.axes], 1)
    texts, across = tips(p, rows), list(range(len(p.axes)))
    last = len(t.points) - 1
    for i in sorted(range(len(rows)), key=lambda i: int(rows[i]) in p.ringed):  # the ringed ones on top
        row, ringed = rows[i], int(rows[i]) in p.ringed
        color = t.pick if ringed else t.points[round(heights[i, 0] * last)]
        fig.add_scatter(
            x=across,
            y=heights[i],
            mode="lines+markers",
            line={"color": color, "width": 2.5 if ringed else 1},
            marker={"size": 8 if ringed else 6, "color": color},
            customdata=[int(row)] * len(across),
            hovertext=[texts[i]] * len(across),
            hovertemplate="%{hovertext}<extra></extra>",
            name=p.ringed.get(int(row), ""),
            showlegend=ringed,
        )
    heads = [f"{safe(a.title)}<br>{_ends(a, p)}" for a in p.axes]
    fig.update_xaxes(tickvals=across, ticktext=heads, range=[-0.5, len(across) - 0.5], ticks="")
    fig.update_yaxes(tickvals=[0, 1], ticktext=["worst", "best"], range=[-0.06, 1.06])
    return fig.update_layout(margin_t=30)


def _span(a: Axis, p: Points) -> tuple[float, float]:
    """Least and largest place of the front."""
    places = a.places[p.front]
    return (float(places.min()), float(places.max())) if len(places) else (0.0, 1.0)


def _height(a: Axis, p: Points, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places from 0, the front's worst, to 1, its best; the middle where all are equal."""
    low, high = _span(a, p)
    if high == low:
        return np.full(len(places), 0.5)
    share = (places - low) / (high - low)
    return share if a.column.direction == "max" else 1 - share


def _ends(a: Axis, p: Points) -> str:
    values = a.values[p.front]
    if not len(values):
        return ""
    low, high = a.write(float(values.min())), a.write(float(values.max()))
    return f"{low} to {high}"


def stops(n: int, most: int = FRAMES) -> list[int]:
    """After how many of n evaluations a picture is drawn: at most so many, evenly spread, always the last."""
    return sorted({max(1, round(n * i / most)) for i in range(1, most + 1)}) if n else []


def growth(
    p: Points, moments: Sequence[int], fronts: Sequence[Rows], t: Tokens, *, height: int = 420
) -> go.Figure:
    """How the front of the first two objectives grew, as an animation with a slider.

    Args:
        p: the points in the order in which they were found; its front is not used.
        moments: after how many of them a picture shows what was known (`stops`).
        fronts: for each moment the rows on the front.
        t: the page's mode.
        height: in pixels.

    Of more than 2,000 points every picture shows the same evenly spread 2,000, as far as they were known.
    """
    x, y = p.axes[:2]
    fig = figure(t, height=height, x=better(x), y=better(y))
    if not len(moments):
        return fig
    crowd = np.flatnonzero(p.finite)
    crowd = crowd[np.linspace(0, len(crowd) - 1, min(len(crowd), CROWD)).round().astype(int)]
    pictures = [_picture(p, crowd[crowd < m], front, t) for m, front in zip(moments, fronts, strict=True)]
    fig.add_traces(pictures[-1])
    fig.frames = [go.Frame(data=d, name=str(s)) for s, d in zip(moments, pictures, strict=True)]
    for which, a in (("xaxis", x), ("yaxis", y)):
        scaled(fig, a, which, a.places[p.finite])
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": False}, "transition": {"duration": 0}}
    play = {"fromcurrent": True, "frame": {"duration": 160, "redraw": False}, "transition": {"duration": 0}}
    jumps = [{"label": f"{s:,}", "method": "animate", "args": [[str(s)], now]} for s in moments]
    look = {"bgcolor": t.raised, "bordercolor": t.line, "font": {"color": t.ink, "size": 12}}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play]},
        {"label": "Stop", "method": "animate", "args": [[None], now]},
    ]
    menu = {"type": "buttons", "direction": "left", "buttons": buttons, "x": 0, "y": -0.24, "xanchor": "left"}
    slider = {"steps": jumps, "active": len(moments) - 1, "x": 0.2, "len": 0.8, "y": -0.16, "ticklen": 0}
    slider |= {"currentvalue": {"prefix": "after ", "suffix": " architectures", "font": {"size": 12}}}
    slider |= {"bgcolor": t.line, "activebgcolor": t.accent, "bordercolor": t.line, "minorticklen": 0}
    slider |= {"font": {"color": alpha(t.muted, 0.0), "size": 1}, "pad": {"t": 6, "b": 0}}
    slider["currentvalue"]["font"] |= {"color": t.ink}
    return fig.update_layout(
        updatemenus=[{**menu, **look, "yanchor": "top", "showactive": False, "pad": {"t": 0}}],
        sliders=[{**slider, "yanchor": "top"}],
        margin={"t": 8, "b": 92},
        showlegend=False,
    )


def _picture(p: Points, tried: Rows, front: Rows, t: Tokens) -> list[Any]:
    """What stood at a moment: what was tried, the front's edge, the front."""
    x, y = p.axes[:2]
    dots = {"size": 5, "color": t.dot, "opacity": 0.5}
    held = {"size": 8, "color": t.accent, "line": {"color": t.paper, "width": 1}}
    said: dict[str, Any] = {"mode": "markers", "showlegend": False}
    edge = _steps([a.places[front] for a in (x, y)], x, t.accent)
    if len(p.axes) > 2:
        edge["line"] = {**edge["line"], "color": "rgba(0,0,0,0)"}
    return [
        go.Scatter(
            x=x.places[tried],
            y=y.places[tried],
            marker=dots,
            customdata=tried,
            hovertemplate="evaluation %{customdata}<extra></extra>",
            **said,
        ),
        go.Scatter(**edge, hoverinfo="skip", showlegend=False),
        go.Scatter(
            x=x.places[front],
            y=y.places[front],
            marker=held,
            customdata=front,
            hovertext=tips(p, front),
            hovertemplate="%{hovertext}<extra></extra>",
            **said,
        ),
    ]
