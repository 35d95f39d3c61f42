"""The three linked pictures of the Benchmarks page: scatter, operation effects, distribution."""

from __future__ import annotations

import streamlit as st

from nascore.benchmarks import explore
from nascore.benchmarks.table import Column
from nascore.view import axes, figures_table
from pages.parts import benchask, benchdata, links, show
from pages.parts.benchask import Asked

CLOUD = "bench_cloud"
LONGEST = 38  # characters of a heading beside the switch
OPEN, BOX = "Click opens", "Drag selects"
HOW = (
    "A dot is an architecture. Accuracies lie as the log of the error, so that the best percents get room. "
    "The line is the Pareto front of the whole table. With *Drag selects* a box keeps what lies in it, in "
    "all pictures and in the list; with *Click opens* a click on a dot opens it."
)


def scatter(asked: Asked) -> None:
    """All archs at two metrics; a box in it chooses, or a click opens."""
    x, y = asked.pair
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
        fig = figures_table.cloud(
            x,
            y,
            show.theme(),
            numbers=benchdata.numbers(asked.table),
            chosen=None if asked.chosen.all() else asked.chosen,
            color=asked.tint,
            front=benchdata.front(asked.table, asked.x, asked.y),
            ringed={r: called(asked, r) for r in asked.picked},
            height=420,
        )
        alt = f"{int(asked.chosen.sum()):,} of {asked.table.rows:,} cells, {y.title} over {x.title}"
        if tool == OPEN:
            event = show.show(fig, f"{CLOUD}_open", alt, select="rerun")
            if (hit := show.clicked(event)) is not None:
                open_row(asked, int(float(hit)))
        else:
            show.show(fig, CLOUD, alt, select=lambda: take_box(asked.x, asked.y), mode=("box",))
    protocols(asked)


def heading(asked: Asked) -> str:
    """`Test accuracy against parameters`, or how many there are where that would not fit."""
    x, y = (a.title.partition(" (")[0] for a in asked.pair)
    said = f"{y} against {x[:1].lower() + x[1:]}"
    return said if len(said) <= LONGEST else f"All {asked.table.rows:,} cells"


def called(asked: Asked, row: int) -> str:
    """`cell 6111`."""
    return f"cell {benchdata.numbers(asked.table)[row]}"


def open_row(asked: Asked, row: int) -> None:
    """Opens an arch on its page; where its space is not known, rings it here."""
    if where := benchdata.query(asked.table, row):
        links.go(links.ARCHITECTURE, **where)
    benchask.put(pick=str(asked.table.frame["key"].iloc[row]))
    st.rerun()


def take_box(x: str, y: str) -> None:
    """Copies a drawn box to the address; an empty event is a redraw, not a wish."""
    event = st.session_state.get(CLOUD) or {}
    box = (event.get("selection") or {}).get("box") or []
    if not box:
        return
    (x0, x1), (y0, y1) = sorted(box[0]["x"]), sorted(box[0]["y"])
    st.query_params["box"] = ",".join([x, y, *(f"{v:.5g}" for v in (x0, x1, y0, y1))])


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
