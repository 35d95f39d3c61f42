"""Calibration of one network drawn: reliability with counts, measures over numbers of bins.

Numbers come ready; nothing is computed here but places. "Before" is petrol, "after scaling" violet, the gap
to the confidence orange-red of the series, never the color of the picked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from nascore.view.figures import TIP, spread_out
from nascore.view.template import figure, framed
from nascore.view.tokens import Tokens, alpha

Floats = NDArray[np.float64]
THIN = 0.004  # a bin is drawn at least this wide


class Bins(Protocol):
    """What `reliability` draws: arrays of one length, NaN where a bin is empty."""

    @property
    def low(self) -> Floats:
        """Where each begins."""
        ...

    @property
    def high(self) -> Floats:
        """Where it ends."""
        ...

    @property
    def count(self) -> NDArray[np.int64]:
        """How many predictions it holds."""
        ...

    @property
    def accuracy(self) -> Floats:
        """Share that is right."""
        ...

    @property
    def confidence(self) -> Floats:
        """Mean confidence."""
        ...

    def bounds(self) -> tuple[Floats, Floats]:
        """95 % interval of the accuracy."""
        ...


def reliability(
    found: Bins, t: Tokens, *, scaled: Bins | None = None, of: str = "the predicted class", height: int = 430
) -> go.Figure:
    """Bars of accuracy with the gap to the mean confidence, counts below; empty bins stay empty.

    Args:
        found: bins before scaling.
        t: the page's mode.
        scaled: bins after scaling, drawn as a line.
        of: whose confidence it is.
        height: in pixels.
    """
    fig = figure(t, height=height, x=f"Confidence of {of}", y="Accuracy")
    fig.update_layout(
        barmode="overlay",
        bargap=0,
        xaxis={"range": [-0.005, 1.005], "anchor": "y2"},
        yaxis={"range": [0, 1.02], "domain": [0.29, 1]},
        yaxis2={"domain": [0, 0.2], "anchor": "x", "type": "log", "title": {"text": "Samples"}},
    )
    full = found.count > 0
    low, high = found.low[full], found.high[full]
    middle, wide = (low + high) / 2, np.maximum(high - low, THIN) * 0.94
    bars: dict[str, Any] = {"x": middle, "width": wide, "hovertext": _bin_tips(found), "hovertemplate": TIP}
    _gaps(fig, found.accuracy[full], found.confidence[full], bars, t)
    if scaled is not None:
        _scaled(fig, scaled, t)
    fig.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"color": t.muted, "width": 1.5, "dash": "dot"},
        name="perfect",
        hoverinfo="skip",
    )
    told = _counts(fig, found.count[full], bars, t)
    return framed(fig, texts=["0.8", *told])


def _gaps(fig: go.Figure, right: Floats, said: Floats, bars: dict[str, Any], t: Tokens) -> None:
    """Accuracy, and the part between it and the mean confidence."""
    gap = {
        "color": np.where(said > right, alpha(t.series[1], 0.28), alpha(t.accent, 0.3)).tolist(),
        "line": {"color": t.series[1], "width": 1},
    }
    solid = {"color": alpha(t.accent, 0.8), "line": {"width": 0}}
    least = np.minimum(right, said)
    fig.add_bar(**bars, y=least, name="accuracy", marker=solid)
    fig.add_bar(**bars, base=least, y=np.abs(said - right), name="gap to confidence", marker=gap)


def _scaled(fig: go.Figure, scaled: Bins, t: Tokens) -> None:
    """The bins after scaling as a line."""
    there = scaled.count > 0
    fig.add_scatter(
        x=scaled.confidence[there],
        y=scaled.accuracy[there],
        mode="lines+markers",
        name="after scaling",
        line={"color": t.series[2], "width": 2},
        marker={"size": 7, "color": t.series[2]},
        hovertext=_bin_tips(scaled),
        hovertemplate=TIP,
    )


def _counts(fig: go.Figure, counts: Any, bars: dict[str, Any], t: Tokens) -> list[str]:
    """How many predictions each bin holds, below, on a log axis; returns the texts of its ticks."""
    gray = {"color": alpha(t.muted, 0.55), "line": {"width": 0}}
    fig.add_bar(**bars, y=counts - 0.5, base=0.5, yaxis="y2", marker=gray, showlegend=False)
    top = max(int(counts.max(initial=1)), 2)
    ticks = [v for v in (1, 10, 100, 1000, 10_000, 100_000, 1_000_000) if v <= top * 1.2]
    ticks = ticks if len(ticks) < 4 else ticks[::2]
    texts = [f"{v:,}" for v in ticks]
    span = [np.log10(0.5), np.log10(top * 1.3)]
    fig.update_layout(yaxis2={"range": span, "tickvals": ticks, "ticktext": texts})
    return texts


def _bin_tips(found: Bins) -> list[str]:
    low, high = found.bounds()
    return [
        f"confidence {found.low[i]:.3g} to {found.high[i]:.3g}: {found.count[i]:,} samples<br>"
        f"accuracy {found.accuracy[i]:.3f} [{low[i]:.3f}, {high[i]:.3f}]<br>"
        f"mean confidence {found.confidence[i]:.3f}"
        for i in np.flatnonzero(found.count > 0)
    ]


def sweep(
    lines: Mapping[str, tuple[Sequence[int], Sequence[float], str, str]],
    t: Tokens,
    *,
    y: str,
    cursor: int | None = None,
    height: int = 250,
) -> go.Figure:
    """A measure over numbers of bins.

    Args:
        lines: name -> numbers of bins, values, color, dash.
        t: the page's mode.
        y: axis title.
        cursor: the number of bins that the page shows.
        height: in pixels.
    """
    fig = figure(t, height=height, x="Number of bins", y=y)
    every = sorted({b for bins, *_ in lines.values() for b in bins})
    ends: list[tuple[float, str, str]] = []
    for name, (bins, values, color, dash) in lines.items():
        fig.add_scatter(
            x=list(bins),
            y=list(values),
            mode="lines+markers" if dash == "solid" else "lines",
            line={"color": color, "width": 2.2 if dash == "solid" else 1.6, "dash": dash},
            marker={"size": 5},
            name=name,
            showlegend=False,
            hovertemplate=f"{name}, %{{x}} bins: %{{y:.4f}}<extra></extra>",
        )
        known = [v for v in values if np.isfinite(v)]
        if known:
            ends.append((known[-1], name, color))
    if cursor:
        fig.add_vline(x=cursor, line={"color": t.pick, "width": 1.6})
    top = max(
        (max([v for v in values if np.isfinite(v)], default=0) for _, values, *_ in lines.values()), default=1
    )
    _name_ends(fig, ends, every[-1] if every else 1, top, height)
    ticks = [b for b in (1, 2, 5, 10, 15, 25, 50, 100, 200, 500) if every and every[0] <= b <= every[-1]]
    low, high = np.log10(every[0]), np.log10(every[-1])
    wide = high - low or 1
    fig.update_xaxes(type="log", tickvals=ticks, ticktext=[str(v) for v in ticks])
    fig.update_xaxes(range=[low - 0.04 * wide, high + 0.42 * wide])
    return framed(fig, texts=["0.025"]).update_layout(margin_t=6)


def _name_ends(
    fig: go.Figure, ends: Sequence[tuple[float, str, str]], at: float, top: float, height: int
) -> None:
    """Names beside the ends of lines that start at zero, pushed apart."""
    top = top or 1.0
    spots = spread_out([e[0] for e in ends], top * 1.1 * 18 / max(height - 60, 60))
    fig.update_yaxes(range=[0, max([top, *spots]) * 1.08])
    for (_, name, color), spot in zip(ends, spots, strict=True):
        fig.add_annotation(
            x=np.log10(at), y=spot, text=f" {name}", xanchor="left", font={"color": color, "size": 13}
        )
