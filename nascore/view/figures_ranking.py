"""The evaluators' court: correlations with whiskers, one score against the truth, rank changes, cost.

Rows, arrays and names in, plotly figures out. `customdata` is the evaluator's name, or an arch's row.
"""

# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportAssignmentType=false
# (plotly's own types do not know what a figure's traces are)

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from nascore.view import words
from nascore.view.axes import Axis
from nascore.view.figures import safe, spread_out
from nascore.view.figures_table import scaled
from nascore.view.template import CLEAR, figure, framed
from nascore.view.tokens import Tokens, alpha, scale

Values = NDArray[np.float64]
WIDE = 100.0  # largest over typical size from which scores lie on a symmetric log
FLAT = 1500  # dots up to which SVG draws
ROW, LEAST_HEIGHT = 27, 380  # pixels


@dataclass(frozen=True)
class Line:
    """An evaluator in the court.

    Attributes:
        name: as it is asked for; `label`: as people read it.
        value, low, high: of the measure; NaN ends where it has no interval.
        n: archs.
        tied: it cannot be told apart from the leader.
        shares: it comes from the trainings of the truth.
        seconds: an arch; None where nobody has measured it.
    """

    name: str
    label: str
    value: float
    low: float
    high: float
    n: int
    tied: bool = False
    shares: bool = False
    seconds: float | None = None

    @property
    def said(self) -> str:
        """The value with its interval."""
        if math.isfinite(self.low):
            return words.interval(self.value, self.low, self.high)
        return words.odd(self.value) or f"{self.value:.3g}"


def tip(line: Line) -> str:
    """What the mouse reads."""
    more = "<br>from the same trainings as the truth" if line.shares else ""
    return f"<b>{safe(line.label)}</b>: {line.said}, n = {line.n:,}{more}"


def court(
    lines: Sequence[Line],
    t: Tokens,
    *,
    title: str,
    band: tuple[float, float] | None = None,
    picked: str = "",
    zero: bool = True,
) -> go.Figure:
    """A dot and a whisker an evaluator, in the given order from the top.

    Args:
        lines: the evaluators.
        t: the page's mode.
        title: of the measure.
        band: from what a second set of trainings would reach to the most that is to be expected.
        picked: the evaluator that is looked at.
        zero: whether 0 is a mark of the measure.
    """
    fig = figure(t, height=max(LEAST_HEIGHT, 76 + ROW * len(lines)), x=title, y="")
    at = list(range(len(lines)))
    if band is not None:
        fig.add_vrect(*band, fillcolor=alpha(t.warn, 0.2), line_width=0, layer="below")
        fig.add_vline(band[1], line={"color": t.warn, "width": 1.4})
    if zero:
        fig.add_vline(0, line={"color": t.muted, "width": 1, "dash": "dot"})
    high = [r.high - r.value if math.isfinite(r.high) else 0 for r in lines]
    low = [r.value - r.low if math.isfinite(r.low) else 0 for r in lines]
    fig.add_scatter(
        x=[r.value for r in lines],
        y=at,
        mode="markers",
        marker={
            "size": [13 if r.name == picked else 10 for r in lines],
            "color": [t.accent if r.tied else t.muted for r in lines],
            "symbol": ["diamond" if r.shares else "circle" for r in lines],
            "line": {"width": 0},
            "opacity": 1,
        },
        error_x={"array": high, "arrayminus": low, "symmetric": False, "color": t.muted}
        | {"thickness": 1.6, "width": 4},
        customdata=[r.name for r in lines],
        hovertext=[tip(r) for r in lines],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
    )
    labels = [f"<b>{safe(r.label)}</b>" if r.name == picked else safe(r.label) for r in lines]
    fig.update_yaxes(tickvals=at, ticktext=labels, showgrid=False, range=[len(lines) - 0.4, -0.6], ticks="")
    fig.update_yaxes(tickfont={"color": t.ink, "size": 13})
    return framed(fig, texts=[r.label for r in lines]).update_layout(margin_t=8)


@dataclass(frozen=True)
class Score:
    """How scores lie on an axis: as they are, or on a symmetric log that keeps 0 and signs.

    Attributes:
        axis: values, unit and direction.
        size: below it the symmetric log is straight; 0 for scores as their axis has them.
    """

    axis: Axis
    size: float = 0.0

    def at(self, values: ArrayLike) -> Values:
        """Places of values."""
        given = np.asarray(values, np.float64)
        if not self.size:
            return self.axis.at(given)
        return np.sign(given) * np.log10(1 + np.abs(given) / self.size)

    def ticks(self) -> tuple[list[float], list[str]] | None:
        """Places and texts; None where plotly's own are right."""
        if not self.size:
            return self.axis.ticks()
        known = self.axis.values[np.isfinite(self.axis.values)]
        first, last = math.ceil(math.log10(self.size)), math.floor(math.log10(np.abs(known).max()))
        step = max(1, math.ceil((last - first + 1) / (3 if known.min() < 0 < known.max() else 6)))
        sizes = [10.0**e for e in range(first, last + 1, step)]
        shown = [v for v in (*(-s for s in sizes), 0.0, *sizes) if known.min() <= v <= known.max()]
        return self.at(shown).tolist(), [f"{v:.10g}" if abs(v) < 1e5 else f"{v:.0e}" for v in shown]


def score(found: Axis) -> Score:
    """The axis that suits scores: a symmetric log where they go over several sizes, not all positive."""
    known = np.abs(found.values[np.isfinite(found.values)])
    typical = float(np.median(known[known > 0])) if (known > 0).any() else 0.0
    if found.form != "linear" or not typical or known.max() < WIDE * typical:
        return Score(found)
    return Score(found, typical / 10)


def against(
    x: Axis,
    y: Axis,
    t: Tokens,
    *,
    name: str,
    best: NDArray[np.int64],
    loved: NDArray[np.int64],
    numbers: Sequence[str],
    height: int = 400,
) -> go.Figure:
    """One evaluator's scores against the truth: the true best filled, its favorites ringed.

    Args:
        x: the scores.
        y: the truth.
        t: the page's mode.
        name: of the evaluator.
        best: rows of the true best.
        loved: rows of those that score best.
        numbers: (n,) what people call each arch.
        height: in pixels.
    """
    lies = score(x)
    fig = figure(t, height=height, x=_titled(lies, name), y=safe(y.title))
    px, py = lies.at(x.values), y.places
    rows = np.flatnonzero(np.isfinite(px) & np.isfinite(py))
    draw = fig.add_scatter if len(rows) <= FLAT else fig.add_scattergl
    draw(
        x=px[rows].astype(np.float32),
        y=py[rows].astype(np.float32),
        mode="markers",
        marker={"size": 6 if len(rows) <= FLAT else 4, "color": t.dot, "opacity": 0.55},
        customdata=rows,
        hovertext=[
            f"{safe(numbers[int(i)])}<br>{x.write(x.values[i])}<br>{y.write(y.values[i])}" for i in rows
        ],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    filled = {"size": 9, "color": t.accent, "line": {"color": t.paper, "width": 1}}
    ring = {"size": 13, "color": CLEAR, "line": {"color": t.pick, "width": 2}}
    for some, marker, what in (
        (best, filled, f"true best {len(best)}"),
        (loved, ring, f"best {len(loved)} by {safe(name)}"),
    ):
        fig.add_scatter(
            x=px[some],
            y=py[some],
            mode="markers",
            marker=marker,
            name=what,
            customdata=some,
            hoverinfo="skip",
        )
    scaled(fig, y, "yaxis", py[rows])
    low, high = float(px[rows].min()), float(px[rows].max())
    air = 0.04 * (high - low) or 0.5
    fig.update_xaxes(range=[low - air, high + air])
    if ticks := lies.ticks():
        fig.update_xaxes(tickvals=ticks[0], ticktext=ticks[1])
    told = y.ticks()
    return framed(fig, texts=told[1] if told else ()).update_layout(margin_t=34)


def _titled(lies: Score, name: str) -> str:
    way = "more is better" if lies.axis.column.direction == "max" else "less is better"
    scaled_ = ", symmetric log" if lies.size else ", log" if lies.axis.form == "log" else ""
    unit = lies.axis.column.unit
    return f"{safe(name)}{f' ({unit})' if unit and unit != 'M' else ''}, {way}{scaled_}"


def bump(
    ranks: Mapping[str, Sequence[float]],
    columns: Sequence[str],
    t: Tokens,
    *,
    marked: Sequence[str],
    log: bool = False,
    height: int = 400,
) -> go.Figure:
    """A line a name over columns, rank 1 on top, names at both ends; a few are marked, the rest is context.

    Args:
        ranks: name -> (columns,) ranks, NaN where there is none.
        columns: across.
        t: the page's mode.
        marked: names in colors of their own, at most five; in the order of `points` where all are.
        log: ranks on a log, for archs among thousands.
        height: in pixels.
    """
    fig = figure(t, height=height, x="", y="Rank (log)" if log else "")
    all_marked = len(marked) == len(ranks)
    shades = [c for _, c in scale(t.points)]
    colors = {
        name: shades[-1 - round(i * (len(shades) - 2) / max(len(marked) - 1, 1))]
        if all_marked
        else t.series[i % 8]
        for i, name in enumerate(marked)
    }
    at = list(range(len(columns)))
    for name in sorted(ranks, key=lambda n: n in colors):
        on, y = name in colors, list(ranks[name])
        fig.add_scatter(
            x=at,
            y=y,
            mode="lines+markers",
            connectgaps=True,
            line={"color": colors.get(name, alpha(t.muted, 0.35)), "width": 2.4 if on else 1.4},
            marker={"size": 7 if on else 5},
            hovertext=[f"{safe(name)}: rank {v:,.0f} by {safe(c)}" for v, c in zip(y, columns, strict=True)],
            hovertemplate="%{hovertext}<extra></extra>",
            customdata=[name] * len(at),
            showlegend=False,
        )
    _name_ends(fig, ranks, colors, t, log=log, height=height)
    side = 0.4 + 0.018 * len(columns) * max((len(n) for n in ranks), default=0)
    below = [_broken(c) for c in columns]
    fig.update_xaxes(tickvals=at, ticktext=below, range=[-side, len(at) - 1 + side])
    fig.update_xaxes(tickfont={"color": t.ink, "size": 11}, tickangle=0, showgrid=False, ticks="")
    if log:
        top = max((v for r in ranks.values() for v in r if math.isfinite(v)), default=1.0)
        fig.update_yaxes(type="log", range=[math.log10(top * 1.3), -0.1])
        ticks = [10.0**e for e in range(math.ceil(math.log10(top * 1.3)))]
        texts = [f"{v:,.0f}" for v in ticks]
        fig.update_yaxes(tickvals=ticks, ticktext=texts)
    else:
        texts = [""]
        fig.update_yaxes(range=[len(ranks) + 0.6, 0.4], showticklabels=False, ticks="", showgrid=False)
    lines = max((text.count("<br>") + 1 for text in below), default=1)
    return framed(fig, texts=texts, lines=lines).update_layout(margin_t=8)


def _broken(name: str) -> str:
    """A name on lines of at most a dozen letters, where it has joints."""
    lines = [""]
    for part in re.findall(r"[^_: ]+[_: ]*", name):
        if lines[-1] and len(lines[-1]) + len(part) > 12:
            lines.append("")
        lines[-1] += part
    return "<br>".join(safe(line) for line in lines)


def _name_ends(
    fig: go.Figure,
    ranks: Mapping[str, Sequence[float]],
    colors: Mapping[str, str],
    t: Tokens,
    *,
    log: bool,
    height: int,
) -> None:
    """Names at the first and last rank that each has, pushed apart."""
    top = max((v for r in ranks.values() for v in r if math.isfinite(v)), default=2.0)
    gap = 15 / max(height - 80, 60) * (math.log10(top * 1.3) + 0.1 if log else len(ranks) + 0.2)
    for end, anchor, shift in ((0, "right", -9), (-1, "left", 9)):
        known = [n for n, r in ranks.items() if math.isfinite(list(r)[end])]
        spots = spread_out([math.log10(v) if log else v for n in known for v in [list(ranks[n])[end]]], gap)
        up = max(0.0, (-0.05 if log else 0.5) - min(spots, default=0.0))  # outside the range nothing is drawn
        for name, spot in zip(known, [s + up for s in spots], strict=True):
            fig.add_annotation(
                x=0 if end == 0 else len(ranks[name]) - 1,
                y=spot,
                xshift=shift,
                xanchor=anchor,
                text=f"<b>{safe(name)}</b>" if name in colors else safe(name),
                font={"color": t.ink if name in colors else t.muted, "size": 12},
            )


def cost(
    lines: Sequence[Line],
    t: Tokens,
    *,
    title: str,
    band: tuple[float, float] | None = None,
    picked: str = "",
    height: int = 400,
) -> go.Figure:
    """Measured seconds an arch against a measure where more is better, and the front of both.

    Only those whose time is known are drawn.
    """
    fig = figure(t, height=height, x="Seconds an architecture (log), less is better", y=title)
    known = sorted((r for r in lines if r.seconds and math.isfinite(r.value)), key=lambda r: r.seconds or 0)
    if not known:
        return fig
    if band is not None:
        fig.add_hrect(*band, fillcolor=alpha(t.warn, 0.2), line_width=0, layer="below")
        fig.add_hline(band[1], line={"color": t.warn, "width": 1.4})
    best = np.maximum.accumulate([r.value for r in known])
    front = [r for r, b, before in zip(known, best, [-math.inf, *best[:-1]], strict=True) if r.value > before]
    fig.add_scatter(
        x=[r.seconds for r in front],
        y=[r.value for r in front],
        mode="lines",
        line={"color": t.accent, "width": 1.6, "shape": "hv"},
        hoverinfo="skip",
        showlegend=False,
    )
    fig.add_scatter(
        x=[r.seconds for r in known],
        y=[r.value for r in known],
        mode="markers+text",
        text=_apart(known, front),
        textposition="bottom right",
        textfont={"color": t.muted, "size": 12},
        marker={"size": [13 if r.name == picked else 9 for r in known]}
        | {"color": [t.accent if r in front else t.muted for r in known]},
        error_y={
            "array": [r.high - r.value if math.isfinite(r.high) else 0 for r in known],
            "arrayminus": [r.value - r.low if math.isfinite(r.low) else 0 for r in known],
            "symmetric": False,
            "color": t.muted,
            "thickness": 1.4,
            "width": 3,
        },
        customdata=[r.name for r in known],
        hovertext=[f"{tip(r)}<br>{words.duration(r.seconds)} an architecture" for r in known],
        hovertemplate="%{hovertext}<extra></extra>",
        showlegend=False,
    )
    low, high = (math.log10(known[i].seconds or 1.0) for i in (0, -1))
    air = 0.08 * (high - low) or 0.3
    fig.update_xaxes(type="log", range=[low - air, high + air + 0.4 * (high - low or 1)])
    return framed(fig).update_layout(margin_t=8)


def _apart(known: Sequence[Line], front: Sequence[Line]) -> list[str]:
    """Labels that have room, the front's first; the mouse tells the others."""
    wide = math.log10((known[-1].seconds or 1.0) / (known[0].seconds or 1.0)) or 1.0
    high = max(r.value for r in known) - min(r.value for r in known) or 1.0
    said: dict[str, tuple[float, float]] = {}
    for r in (*front, *(r for r in known if r not in front)):
        x, y = math.log10(r.seconds or 1.0) / wide, r.value / high
        if all(abs(x - a) > 0.2 or abs(y - b) > 0.05 for a, b in said.values()):
            said[r.name] = (x, y)
    return [safe(r.label) if r.name in said else "" for r in known]


def seconds_unknown(lines: Sequence[Line]) -> list[str]:
    """Labels of those that no one has timed."""
    return [r.label for r in lines if not r.seconds]
