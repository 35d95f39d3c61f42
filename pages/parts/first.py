"""The first picture of the Home page, always from real data: the latest run, or what a whole space costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.task import CIFAR
from nascore.view import axes, figures, figures_cloud, words
from pages.parts import arch, benchask, benchdata, links, show, stores


def of_table(table: Table) -> None:
    """The embedded benchmark as a picture: a dot a cell, the front, the best one ringed; a click opens it."""
    y, x = benchdata.quality(table), benchdata.cost(table)
    up, across = benchdata.axis(table, y), benchdata.axis(table, x)
    best, names = int(table.order(y)[0]), benchdata.numbers(table)
    event = show.panel(
        f"All {table.rows:,} cells of {benchdata.title(table)}",
        "Each dot is a network that was trained and judged. Accuracy lies as the log of the error. The line "
        "is the Pareto front: nothing beats it in both. The ring is the best. Click a dot to open it.",
        figures_cloud.cloud(
            across,
            up,
            show.theme(),
            numbers=names,
            color=benchask.default_axis(table),
            front=benchdata.front(table, x, y),
            ringed={best: f"cell {names[best]}"},
            height=420,
        ),
        "first",
        f"{table.rows:,} cells: {up.title} over {across.title}",
        select="rerun",
    )
    said = [axes.protocol(a.column) for a in (up, across)]
    st.markdown(" ".join(show.chip(s) for s in dict.fromkeys(said) if s))
    if (hit := show.clicked(event)) is not None:
        row = int(float(hit))
        where = benchdata.query(table, row)
        links.go(links.ARCHITECTURE if where else links.BENCHMARKS, **(where or {"table": table.name}))


def of_run(run_id: str) -> None:
    """The latest run as a picture: a dot an architecture; a click opens it."""
    summary, frame = stores.run(run_id), stores.tried(run_id)
    if summary is None or not summary.objectives or summary.objectives[0][0] not in frame:
        of_space()
        return
    y = summary.objectives[0][0]
    x = next((m for m, _ in summary.objectives[1:] if m in frame), "params" if "params" in frame else "index")
    best = summary.best["key"] if summary.best else None
    front = [f["key"] for f in summary.front] if len(summary.objectives) > 1 else []
    event = show.panel(
        f"Latest run: {stores.called(summary.run, summary.title, summary.strategy, summary.space)}",
        "Each dot is an architecture that this run trained and judged. The ring is the best so far. "
        "Click a dot to open it.",
        figures.tried_scatter(frame, show.theme(), x=x, y=y, front=front, picked=best, height=400),
        "first",
        f"{len(frame)} tried architectures: {words.metric_title(y)} over {words.metric_title(x)}",
        select="rerun",
    )
    st.markdown(show.chip(stores.protocol(summary)))
    if key := show.clicked(event):
        links.go(links.ARCHITECTURE, space=summary.space, arch=key, run=run_id)


def of_space() -> None:
    """A picture that needs no run: what every cell of NAS-Bench-201 costs, counted exactly."""
    frame = arch.every(arch.from_address({"space": arch.FIRST}), CIFAR)
    event = show.panel(
        f"What {len(frame):,} cells of {arch.named(arch.FIRST)} cost",
        "A dot stands for all cells that cost the same; the larger, the more there are. Parameters and "
        "multiply-adds are computed from the operations on the six edges, nothing is trained. "
        "Click a dot to open one of its cells.",
        costs_figure(frame),
        "first",
        f"Multiply-adds over parameters of {len(frame):,} cells",
        select="rerun",
    )
    st.markdown(show.chip(f"computed, not trained · {arch.pixels(CIFAR)} · {CIFAR.classes} classes"))
    if key := show.clicked(event):
        links.go(links.ARCHITECTURE, space=arch.FIRST, arch=key)


def costs_figure(frame: pd.DataFrame) -> go.Figure:
    """A dot for each pair of costs, its area by how many architectures cost just that."""
    pair = ["params", "flops"]
    count = frame.groupby(pair)["key"].transform("size")
    first = frame.assign(count=count).drop_duplicates(pair)
    fig = figures.tried_scatter(first, show.theme(), x="params", y="flops", height=400)
    dots: Any = fig.data[0]
    dots.marker.size = (6 + 26 * np.sqrt(first["count"] / first["count"].max())).tolist()
    dots.hovertext = [
        f"{n:,} cells with {words.compact(p)} parameters<br>and {words.compact(f, 'multiply-adds')}"
        for n, p, f in zip(first["count"], first["params"], first["flops"], strict=True)
    ]
    return fig
