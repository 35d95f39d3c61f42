"""The one plotly template a theme mode, and the empty figure that every figure starts from."""

# pyright: reportAttributeAccessIssue=false
# (plotly's own types do not know what a figure's layout is)

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go
import plotly.io as pio

from nascore.view.tokens import DARK, LIGHT, Tokens, scale

SANS = '"Source Sans", "Source Sans Pro", sans-serif'
CLEAR = "rgba(0,0,0,0)"
CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": False,
    "doubleClick": "reset",
    "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d", "toggleSpikelines"],
    "toImageButtonOptions": {"format": "svg"},
}


def _axis(t: Tokens) -> dict[str, Any]:
    return {
        "showgrid": True,
        "gridcolor": t.line,
        "gridwidth": 1,
        "zeroline": False,
        "showline": True,
        "linecolor": t.line,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": t.line,
        "tickfont": {"color": t.muted, "size": 12},
        "title": {"font": {"color": t.muted, "size": 13}, "standoff": 8},
        "automargin": True,
    }


def template(t: Tokens) -> go.layout.Template:
    """Our look for one mode.

    The legend has a band of its own above the plot, at the left, since the mode bar owns the right end of it.
    """
    bar = {"thickness": 10, "len": 0.8, "outlinewidth": 0, "tickfont": {"color": t.muted, "size": 12}}
    layout = {
        "font": {"family": SANS, "size": 13, "color": t.ink},
        "colorway": t.series,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "margin": {"l": 8, "r": 12, "t": 30, "b": 8},
        "xaxis": _axis(t),
        "yaxis": _axis(t),
        "hovermode": "closest",
        "hoverdistance": 16,
        "hoverlabel": {
            "bgcolor": t.raised,
            "bordercolor": t.line,
            "align": "left",
            "font": {"family": SANS, "size": 13, "color": t.ink},
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.01,
            "yanchor": "bottom",
            "font": {"size": 12, "color": t.ink},
            "bgcolor": CLEAR,
            "itemsizing": "constant",
        },
        "modebar": {"bgcolor": CLEAR, "color": t.muted, "activecolor": t.accent},
        "colorscale": {"sequential": scale(t.sequential), "diverging": scale(t.diverging)},
        "coloraxis": {"colorbar": bar},
        "annotationdefaults": {"font": {"size": 12, "color": t.muted}, "showarrow": False},
        "dragmode": "pan",
        "uirevision": "keep",
    }
    return go.layout.Template(layout=layout)


for _tokens in (LIGHT, DARK):
    pio.templates[f"nascope_{_tokens.mode}"] = template(_tokens)


def figure(t: Tokens, *, height: int, x: str, y: str) -> go.Figure:
    """An empty figure in our look; `x` and `y` are axis titles with their units, `height` is in pixels."""
    layout = {"template": f"nascope_{t.mode}", "height": height, "xaxis_title_text": x, "yaxis_title_text": y}
    return go.Figure(layout=layout)


def framed(fig: go.Figure, *, texts: Iterable[str] = (), lines: int = 1) -> go.Figure:
    """The figure with room for its ticks and titles given, not measured.

    Plotly draws a figure whose margins follow its texts two or three times over; told how much room there is,
    it draws once, in less than half of the time.

    Args:
        fig: changed in place.
        texts: along the upright axis; seven letters where they are not known.
        lines: of the texts along the lower axis.
    """
    letters = max((len(re.sub(r"<[^>]*>", "", text)) for text in texts), default=7)
    across, up = (bool(axis.title.text) for axis in (fig.layout.xaxis, fig.layout.yaxis))
    fig.update_xaxes(automargin=False)
    fig.update_yaxes(automargin=False)
    return fig.update_layout(
        margin_l=10 + round(6.8 * letters) + 22 * up, margin_b=10 + 15 * lines + 22 * across
    )
