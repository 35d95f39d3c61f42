"""Gates of a search with shared weights, epoch by epoch: arrays -> plotly figure."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.view.figures import label_ends, safe
from nascore.view.figures_table import place
from nascore.view.gates import EVEN, Movie
from nascore.view.template import figure
from nascore.view.tokens import Tokens, alpha, op_dash, op_label, scale

PICTURES = 60  # of a movie
WRITTEN = 12  # options a choice up to which each share is written into its field
SIDE = 0.485  # half of a frame around a field
LINES = 12  # of a figure that are named beside their ends


def stops(n: int, most: int = PICTURES) -> list[int]:
    """Which of n epochs get a picture: at most so many, evenly spread, the first and the last among them."""
    return sorted({round(i) for i in np.linspace(0, n - 1, min(n, most))}) if n else []


def movie(m: Movie, t: Tokens, *, height: int = 0) -> go.Figure:
    """A heat map of shares, choice by option, with a slider over the epochs; the largest share is framed.

    Args:
        m: the gates.
        t: the page's mode.
        height: in pixels; 0 for what the number of choices asks for.
    """
    rows = len(m.choices)
    fig = figure(t, height=height or min(150 + 27 * rows, 900), x="", y="")
    moments = stops(len(m.epochs))
    if not moments:
        return fig
    pictures = {e: _picture(m, e, t) for e in moments}
    fig.add_traces(pictures[moments[-1]])
    fig.frames = [go.Frame(data=pictures[e], name=str(m.epochs[e])) for e in moments]
    wide = max(map(len, m.options))
    names = (
        [safe(op_label(o)) for o in m.options[0]] if m.alike() else [f"option {i + 1}" for i in range(wide)]
    )
    ticks = {"tickmode": "array", "showgrid": False, "showline": False, "ticks": ""}
    fig.update_xaxes(
        tickvals=list(range(wide)), ticktext=names, side="top", range=[-0.5, wide - 0.5], **ticks
    )
    places = [safe(place(c)) for c in m.choices]
    fig.update_yaxes(tickvals=list(range(rows)), ticktext=places, range=[rows - 0.5, -0.5], **ticks)
    return fig.update_layout(showlegend=False, margin={"t": 8, "b": 84}, **_player(m, moments, t))


def _picture(m: Movie, epoch: int, t: Tokens) -> list[Any]:
    """Shares after one epoch, the largest framed."""
    wide = max(map(len, m.options))
    z = np.full((len(m.choices), wide), np.nan)
    tips = [[""] * wide for _ in m.choices]
    said = [[""] * wide for _ in m.choices]
    for i, (choice, options, shares) in enumerate(zip(m.choices, m.options, m.shares, strict=True)):
        z[i, : len(options)] = shares[epoch]
        for j, option in enumerate(options):
            percent, name = f"{100 * shares[epoch][j]:.0f}", safe(op_label(option))
            tips[i][j] = f"{safe(place(choice))}: <b>{name}</b><br>share {100 * shares[epoch][j]:.1f} %"
            said[i][j] = "" if wide > WRITTEN else percent if m.alike() else f"{name} {percent}"
    heat = go.Heatmap(
        z=z, zmin=0, zmax=max(0.5, float(np.nanmax(z))), colorscale=scale(t.sequential), showscale=False,
        text=said, texttemplate="%{text}", textfont={"size": 11}, hovertext=tips, xgap=2, ygap=2,
        hovertemplate="%{hovertext}<extra></extra>", hoverongaps=False,
    )  # fmt: skip
    best = {i: b for i, b in enumerate(m.largest(epoch)) if np.ptp(m.shares[i][epoch]) > EVEN}
    # around the whole field: a ring of one size would cross what is written in a wide one
    x = [v for b in best.values() for v in (b - SIDE, b + SIDE, b + SIDE, b - SIDE, b - SIDE, None)]
    y = [v for i in best for v in (i - SIDE, i - SIDE, i + SIDE, i + SIDE, i - SIDE, None)]
    line = {"color": t.pick, "width": 2.2, "shape": "linear"}
    frames = go.Scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", cliponaxis=False)
    return [heat, frames]


def _player(m: Movie, moments: Sequence[int], t: Tokens) -> dict[str, Any]:
    """Play, stop and a slider, below the picture."""
    now = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}, "transition": {"duration": 0}}
    play = {"fromcurrent": True, "frame": {"duration": 220, "redraw": True}, "transition": {"duration": 0}}
    names = [str(m.epochs[e]) for e in moments]
    jumps = [{"label": n, "method": "animate", "args": [[n], now]} for n in names]
    look = {"bgcolor": t.raised, "bordercolor": t.line, "font": {"color": t.ink, "size": 12}}
    buttons = [
        {"label": "Play", "method": "animate", "args": [None, play]},
        {"label": "Stop", "method": "animate", "args": [[None], now]},
    ]
    menu = {"type": "buttons", "direction": "left", "buttons": buttons, "x": 0, "y": 0, "xanchor": "left"}
    slider: dict[str, Any] = {"steps": jumps, "active": len(moments) - 1, "x": 0.25, "len": 0.75, "y": 0}
    slider |= {"currentvalue": {"prefix": "epoch ", "font": {"size": 12, "color": t.ink}}, "ticklen": 0}
    slider |= {"bgcolor": t.line, "activebgcolor": t.accent, "bordercolor": t.line, "minorticklen": 0}
    slider |= {"font": {"color": alpha(t.muted, 0.0), "size": 1}}
    below = {"t": 18, "b": 0, "l": 0, "r": 0}
    return {
        "updatemenus": [{**menu, **look, "yanchor": "top", "showactive": False, "pad": below}],
        "sliders": [{**slider, "yanchor": "top", "pad": {**below, "t": 6}}],
    }


def options(m: Movie, choice: str, t: Tokens, *, height: int = 300) -> go.Figure:
    """How the shares of one choice's options went.

    Args:
        m: the gates.
        choice: one of its choices.
        t: the page's mode.
        height: in pixels.
    """
    at = m.choices.index(choice)
    names, shares = m.options[at], 100 * m.shares[at]
    lines = {op_label(o): shares[:, j] for j, o in enumerate(names)}
    looks = {op_label(o): (t.op(o), _dash(o)) for o in names}
    return over_epochs(m.epochs, lines, t, y="Share (%)", looks=looks, height=height)


def _dash(option: str) -> str:
    return "dash" if op_dash(option) else "solid"


def over_epochs(
    epochs: NDArray[np.int64],
    lines: Mapping[str, NDArray[np.float64]],
    t: Tokens,
    *,
    y: str,
    looks: Mapping[str, tuple[str, str]] | None = None,
    bands: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None,
    height: int = 240,
    named: bool = True,
) -> go.Figure:
    """Named lines over epochs, each with its name at its end.

    Args:
        epochs: (n,) numbers.
        lines: name -> (n,) values; NaN where nothing was told.
        t: the page's mode.
        y: title of the axis, with its unit.
        looks: name -> color and dash; those of series where nothing is said.
        bands: name -> lower and upper ends (n,) of an interval around its line.
        height: in pixels.
        named: write names beside the values at the ends; not where a heading says what a single line is.
    """
    fig = figure(t, height=height, x="Epoch", y=y)
    ends = []
    for i, (name, values) in enumerate(lines.items()):
        color, dash = (looks or {}).get(name, (t.series[i % len(t.series)], "solid"))
        told = np.isfinite(values)
        if bands and name in bands:
            _band(fig, epochs, *bands[name], color)
        fig.add_scatter(
            x=epochs[told], y=values[told], mode="lines+markers" if told.sum() < 3 else "lines",
            line={"color": color, "width": 2, "dash": dash}, marker={"color": color, "size": 7},
            name=safe(name), hovertemplate=f"epoch %{{x}}: {safe(name)} %{{y:.4g}}<extra></extra>",
        )  # fmt: skip
        if told.any():
            ends.append((float(values[told][-1]), safe(name) if named else "", color))
    last = float(epochs[-1]) if len(epochs) else 1.0
    if len(ends) <= LINES:
        label_ends(fig, ends, at=last, metric="", height=height)
    room = 1.12 + 0.03 * max((len(name) for _, name, _ in ends), default=0)
    first = float(epochs[0]) if len(epochs) else 0.0
    fig.update_xaxes(range=[first - 0.02 * (last - first) - 0.2, first + (last - first + 1) * room])
    return fig.update_layout(showlegend=len(ends) > LINES, margin_t=8)


def _band(
    fig: go.Figure, epochs: NDArray[np.int64], low: NDArray[np.float64], high: NDArray[np.float64], color: str
) -> None:
    known = np.isfinite(low) & np.isfinite(high)
    x = np.concatenate([epochs[known], epochs[known][::-1]])
    y = np.concatenate([high[known], low[known][::-1]])
    fig.add_scatter(
        x=x,
        y=y,
        fill="toself",
        fillcolor=alpha(color, 0.16),
        line={"width": 0},
        hoverinfo="skip",
        mode="lines",
    )
