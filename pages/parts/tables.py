"""Tables of runs and of what they tried, with the columns that show them well."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import datetime
import math
from typing import Any

import pandas as pd
import streamlit as st

from nascore.space import Space
from nascore.task import Shape
from nascore.view import words
from nascore.view.svg import thumbnail
from nascore.view.tokens import Tokens, op_label
from pages.parts import forms, show, stores

STATE_COLORS = {name: color for name, (color, _) in show.STATES.items()}
ALBUM = 4096  # drawings kept of a space
THUMBNAILS = 200  # rows with a drawing
SPARK = 40  # points of a small curve
ROW, TALLEST = 35, 420  # pixels


def height(rows: int, row: int = ROW) -> int:
    """Height in pixels of a table that shows all rows up to a limit."""
    return min((rows + 1) * row + 3, TALLEST)


def state_column(label: str = "State") -> Any:
    """A state as a colored word."""
    names = [*show.STATES, "unreadable"]
    colors = [STATE_COLORS.get(name, "gray") for name in names]
    return st.column_config.MultiselectColumn(label, options=names, color=colors, width=105)


def op_column(label: str, options: list[str], t: Tokens) -> Any:
    """An operation in its own color."""
    known = list(dict.fromkeys(options))
    return st.column_config.MultiselectColumn(
        label, options=[op_label(o) for o in known], color=[t.op(o) for o in known], width=115
    )


def runs(frame: pd.DataFrame, spark: bool = False) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Runs as a table: state, title, space, strategy, progress, best, when; perhaps with a small curve."""
    done = frame["evaluations"].fillna(0).astype(float)
    budget = frame["budget"].fillna(0).astype(float)
    table = pd.DataFrame(
        {
            "state": [[s] for s in frame["state"]],
            "run": [t or r for t, r in zip(frame["title"], frame["run"], strict=True)],
            "strategy": frame["strategy"].map(forms.spoken),
            "space": frame["space"].map(forms.spoken),
            "progress": [_share(d, b, s) for d, b, s in zip(done, budget, frame["state"], strict=True)],
            "tried": done.astype(int),
            "best": [_best(o, b) for o, b in zip(frame["metric"], frame["objective"], strict=True)],
            "seconds": frame["seconds"].map(lambda s: words.duration(s) if s == s and s else ""),
            "started": [_when(s) for s in frame["started"]],
        }
    )
    columns: dict[str, Any] = {
        "state": state_column(),
        "run": st.column_config.TextColumn("Run", width="medium"),
        "strategy": "Strategy",
        "space": "Space",
        "progress": st.column_config.ProgressColumn(
            "Progress", min_value=0, max_value=100, format="%d %%", width=120
        ),
        "tried": st.column_config.NumberColumn("Tried", width=60),
        "best": "Best so far",
        "seconds": "Time",
        "started": st.column_config.DatetimeColumn("Started", format="MMM D, HH:mm", width=110),
    }
    if spark:
        table.insert(7, "curve", [small_curve(r) for r in frame["run"]])
        columns["curve"] = st.column_config.LineChartColumn("Over time", width=90)
    return table, columns


def _share(done: float, budget: float, state: str) -> float | None:
    if state == "finished":
        return 100.0
    return min(100.0, 100 * done / budget) if budget else None


def _best(metric: Any, value: Any) -> str:
    if value is None or value != value or not metric:
        return ""
    return f"{str(metric).replace('_', ' ')} {words.metric(metric, stores.seen(metric, float(value)))}"


def _when(started: Any) -> datetime.datetime | None:
    if started is None or started != started:
        return None
    return datetime.datetime.fromtimestamp(float(started), _zone()).replace(tzinfo=None)


def _zone() -> datetime.tzinfo | None:
    """The time zone of the browser."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(str(st.context.timezone))
    except (ZoneInfoNotFoundError, ValueError):
        return None


def small_curve(run_id: str) -> list[float]:
    """The best so far of a run's first objective, thinned."""
    summary = stores.run(run_id)
    frame = stores.tried(run_id) if summary else pd.DataFrame()
    if summary is None or frame.empty or summary.objectives[0][0] not in frame:
        return []
    metric, direction = summary.objectives[0]
    values = frame[metric].cummin() if direction == "min" else frame[metric].cummax()
    finite = values.dropna()
    return finite.iloc[:: max(1, math.ceil(len(finite) / SPARK))].tolist()


def tried(
    frame: pd.DataFrame, space: Space | None, shape: Shape | None, t: Tokens
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """What a run tried, as it comes: number, drawing, metrics with units, failure, key."""
    metrics = [m for m in stores.metrics_of(frame) if frame[m].notna().any()]
    table = pd.DataFrame({"index": frame["index"]})
    columns: dict[str, Any] = {"index": st.column_config.NumberColumn("No.", width=60)}
    if space is not None and shape is not None and len(frame) <= THUMBNAILS:
        table["cell"] = drawings([tuple(a) for a in frame["arch"]], space, shape, t.mode)
        columns["cell"] = st.column_config.ImageColumn("Cell", width="small")
    for metric in metrics:
        table[metric] = frame[metric]
        columns[metric] = metric_column(metric)
    table["failed"] = frame["failed"].fillna("")
    columns["failed"] = st.column_config.TextColumn("Failed", width="small" if metrics else "medium")
    if not table["failed"].str.len().gt(0).any():
        table = table.drop(columns="failed")
    table["key"] = frame["key"]
    columns["key"] = st.column_config.TextColumn("Key", width="small")
    return table, columns


def metric_column(metric: str) -> Any:
    """A column of a metric, with its unit in the head."""
    title = words.metric_title(metric)
    if stores.is_percent(metric):
        return st.column_config.NumberColumn(title, format="%.2f")
    return st.column_config.NumberColumn(
        title, format="localized" if metric in ("params", "flops") else "%.4g"
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _album(space: Space, shape: Shape, mode: str) -> dict[tuple[int, ...], str]:
    """Drawings made so far, one entry a space: to look up each by its space takes as long as drawing it."""
    return {}


def drawings(archs: list[tuple[int, ...]], space: Space, shape: Shape, mode: str) -> list[str]:
    """Small pictures of cells as data addresses."""
    from nascore.view.tokens import tokens

    album, t = _album(space, shape, mode), tokens(mode)
    if len(album) > ALBUM:
        album.clear()
    new = {arch: thumbnail(space.graph(arch, shape), t) for arch in archs if arch not in album}
    album.update(new)
    return [new.get(arch) or album[arch] for arch in archs]


def picked_row(key: str) -> int | None:
    """The row that was just selected in the table of this key, from a callback."""
    event = st.session_state.get(key) or {}
    rows = (event.get("selection") or {}).get("rows") or []
    return int(rows[0]) if rows else None
