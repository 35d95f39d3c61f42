"""The three linked pictures of the Benchmarks page: scatter, operation effects, distribution."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from nascore.benchmarks import explore
from nascore.benchmarks.explore import Density
from nascore.benchmarks.table import Column
from nascore.view import axes, figures_cloud, figures_table
from nascore.view.tokens import tokens
from pages.parts import benchask, benchdata, links, live, show, zoom
from pages.parts.benchask import Asked
from pages.parts.zoom import Part

CLOUD = "bench_cloud"
CLICKED = "bench_clicked"
LONGEST = 38  # characters of a heading beside the switch
OPEN, BOX = "Click opens", "Drag selects"
KEPT = {
    BOX: CLOUD,
    OPEN: f"{CLOUD}_open",
}  # keys of the chart: each tool has one, since each asks for other events
HOW = (
    "A dot is an architecture. Accuracies lie as the log of the error, so that the best percents get room. "
    "The line is the Pareto front of the whole table. With *Drag selects* a box keeps what lies in it, in "
    "all pictures and in the list; with *Click opens* a click on a dot opens it."
)


def is_new(asked: Asked) -> bool:
    """Whether this scatter is asked for the first time since the page was opened."""
    shown, st.session_state["bench_shown"] = st.session_state.get("bench_shown"), (_stamp(asked), asked.color)
    return shown != st.session_state["bench_shown"]


def scatter(asked: Asked) -> None:
    """All archs at two metrics; a box in it chooses, or a click opens."""
    with st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            show.over(heading(asked), HOW, key="cloud")
            tool = st.segmented_control(
                "A drag or a click",
                [BOX, OPEN],
                key="bench_tool",
                default=BOX,
                required=True,
                label_visibility="collapsed",
                bind="query-params",
            )
        x, y = asked.pair
        fig = _whole(_stamp(asked), asked.color, show.theme().mode, asked)
        alt = f"{asked.table.rows:,} cells, {y.title} over {x.title}"
        if tool == OPEN:
            hit = show.clicked(show.show(fig, KEPT[OPEN], alt, select="rerun"))
            before, st.session_state[CLICKED] = st.session_state.get(CLICKED), hit
            if hit is not None:
                open_row(asked, int(float(hit)), again=hit == before)
        else:
            show.show(fig, CLOUD, alt, select=lambda: None, mode=("box",))
        in_sight(asked, KEPT[str(tool)])
    protocols(asked)


def follow(asked: Asked) -> None:
    """What the scatter shows now: which dots stay, the rings, the part in sight. Sent before the figure."""
    tool = OPEN if st.session_state.get("bench_tool", st.query_params.get("bench_tool")) == OPEN else BOX
    x, y = asked.pair
    part, n = part_of(asked), int(asked.chosen.sum())
    ringed = {r: called(asked, r) for r in asked.picked}
    if bins(asked, None).inside > figures_cloud.MANY:
        fig = figures_cloud.cloud(
            x,
            y,
            show.theme(),
            numbers=benchdata.numbers(asked.table),
            chosen=asked.chosen,
            color=asked.tint,
            front=benchdata.front(asked.table, asked.x, asked.y),
            ringed=ringed,
            part=part,
            bins=bins(asked, part),
        )
        change = figures_cloud.anew(fig) | {"ranges": part}
    else:
        change = figures_cloud.chosen_of(x, y, show.theme(), chosen=asked.chosen, ringed=ringed)
    plain = bool(asked.chosen.all()) and not ringed and part is None
    label = f"{n:,} of {asked.table.rows:,} cells, {y.title} over {x.title}"
    key = f"bench_live_{tool[:4]}_{asked.table.name}_{asked.x}_{asked.y}_{asked.color}_{show.theme().mode}"
    live.follow(
        KEPT[tool],
        key,
        {**change, "plain": plain, "label": label},
        on_box=(lambda box: put_box(asked, box)) if tool == BOX else None,
    )


def _stamp(asked: Asked) -> tuple[str, int, str, str]:
    return *benchdata.stamp(asked.table), asked.x, asked.y


@st.cache_resource(max_entries=8, show_spinner=False)
def _whole(stamp: tuple[str, int, str, str], color: str, mode: str, _asked: Asked) -> go.Figure:
    """The scatter before anything is chosen. What is chosen does not change it, so it is drawn once."""
    x, y = _asked.pair
    return figures_cloud.cloud(
        x,
        y,
        tokens(mode),
        numbers=benchdata.numbers(_asked.table),
        color=_asked.tint,
        front=benchdata.front(_asked.table, _asked.x, _asked.y),
        bins=bins(_asked, None),
    )


def bins(asked: Asked, part: Part | None) -> Density:
    """How many archs stand where in a part of the scatter."""
    return _bins(_stamp(asked), part, asked)


@st.cache_resource(max_entries=32, show_spinner=False)
def _bins(stamp: tuple[str, int, str, str], part: Part | None, _asked: Asked) -> Density:
    x, y = _asked.pair
    return explore.density(x.places, y.places, part)


def in_sight(asked: Asked, figure: str) -> None:
    """What stands for a crowd of dots, made anew for what is in sight."""
    whole = bins(asked, None)
    if whole.inside <= figures_cloud.MANY:
        return
    part = part_of(asked)
    seen = bins(asked, part).inside
    said = f"{seen:,} in sight"
    if seen > figures_cloud.MANY:
        said += f", as a histogram, at most {figures_cloud.SAMPLE:,} of the chosen as dots"
    with st.container(horizontal=True, vertical_alignment="center", key="bench-in-sight"):
        st.markdown(f":small[:gray[{said}. A zoom (Zoom above the figure) counts again.]]", width="content")
        if part:
            more: dict[str, Any] = {"icon": ":material/zoom_out_map:", "type": "tertiary"}
            st.button("Whole", key="bench_whole", on_click=benchask.put, kwargs={"zoom": ""}, **more)
        key = f"bench_zoom_{figure}_{asked.table.name}_{asked.x}_{asked.y}"
        zoom.listen(figure, key, part, lambda new: put_part(asked, new))


def part_of(asked: Asked) -> Part | None:
    """The part of the plane that the address shows, where it is this plane and there is a crowd in it."""
    part = benchask.box_of(st.query_params.get("zoom", ""), asked.x, asked.y)
    return part if bins(asked, None).inside > figures_cloud.MANY else None


def put_part(asked: Asked, new: Part | None) -> None:
    """Writes the part that is in sight; nothing where that is everything."""
    whole = bins(asked, None)
    if new is not None and not (
        new[0] <= whole.x[0] and new[1] >= whole.x[-1] and new[2] <= whole.y[0] and new[3] >= whole.y[-1]
    ):
        benchask.put(zoom=",".join([asked.x, asked.y, *(f"{v:.6g}" for v in new)]))
    else:
        benchask.put(zoom="")


def heading(asked: Asked) -> str:
    """`Test accuracy against parameters`, or how many there are where that would not fit."""
    x, y = (a.title.partition(" (")[0] for a in asked.pair)
    said = f"{y} against {x[:1].lower() + x[1:]}"
    return said if len(said) <= LONGEST else f"All {asked.table.rows:,} cells"


def called(asked: Asked, row: int) -> str:
    """`cell 6111`."""
    return f"cell {benchdata.numbers(asked.table)[row]}"


def open_row(asked: Asked, row: int, *, again: bool) -> None:
    """Opens an arch on its page; where its space is not known, rings it here, once: a chart keeps a click."""
    if where := benchdata.query(asked.table, row):
        links.go(links.ARCHITECTURE, **where)
    if not again:
        benchask.put(pick=str(asked.table.frame["key"].iloc[row]))
        st.rerun()


def put_box(asked: Asked, box: Part) -> None:
    """Copies a drawn box to the address."""
    benchask.put(box=",".join([asked.x, asked.y, *(f"{v:.5g}" for v in box)]))


def protocols(asked: Asked) -> None:
    """The protocol of each number in the scatter, and a note where they differ."""
    columns = [
        asked.table.columns[m]
        for m in dict.fromkeys((asked.y, asked.x, asked.color))
        if m in asked.table.columns
    ]
    chips: dict[str, list[Column]] = {}
    for column in columns:
        chips.setdefault(axes.protocol(column) or "protocol not given", []).append(column)
    parts = []
    for said, some in chips.items():
        what = ", ".join(axes.label(c).partition(" (")[0] for c in some)
        text = f"{what}: {said}" if len(chips) > 1 else said
        parts.append(f":gray-badge[{show.plain(text, 240)}]")
    st.markdown(" ".join(parts))
    if found := different(columns):
        st.markdown(f":orange-badge[:material/difference: {show.plain(found, 200)}]")


def different(columns: list[Column]) -> str:
    """In what the measured metrics differ, as a sentence; empty where they agree."""
    measured = [c for c in columns if c.protocol.split]
    found = [n for n in axes.differ(measured) if n != "split"]
    splits = axes.differ(measured)
    said = [*found, *(["split"] if "split" in splits else [])]
    return f"The axes follow two protocols: they differ in {', '.join(said)}." if said else ""


def effects(asked: Asked) -> None:
    """Mean of the chosen by operation and edge, against the mean of all chosen."""
    table, (_, y) = asked.table, asked.pair
    if not table.choices:
        show.over("What an operation does on an edge", key="effects")
        st.markdown(":gray[The space of this table is not known here: its architectures are names only.]")
        return
    found = explore.effects(table, y.values, asked.chosen)
    unit = "points" if y.column.unit == "%" else y.column.unit or "its unit"
    show.panel(
        "What an operation does on an edge",
        f"Mean {show.plain(y.title)} of the chosen cells that have this operation on this edge, minus "
        f"the mean of all chosen, in {unit}. Blue is below, red above; blank: no chosen cell has it. The "
        "interval (95 %, in the hover text with n) says how far a sample of this size scatters.",
        figures_table.effects(found, y, show.theme(), height=36 + 32 * max(len(table.choices), 5)),
        "bench_effects",
        f"Difference in mean {y.title} by edge and operation",
    )


def distribution(asked: Asked) -> None:
    """How the metric is distributed over all and over the chosen."""
    _, y = asked.pair
    with st.container(gap=None):
        st.markdown(
            f"**{show.plain(y.title.partition(' (')[0])}** of :gray[all] and :primary[**chosen**] cells"
        )
        show.show(
            figures_table.histogram(y, asked.chosen, show.theme(), height=175),
            "bench_spread",
            f"Histogram of {y.title}, all cells and chosen cells",
        )
