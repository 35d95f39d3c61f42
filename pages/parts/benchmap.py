"""The map of a table's architectures: by edits or by paths, with what it keeps of the true distances."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from nascore.benchmarks import explore, paths
from nascore.benchmarks.explore import Map
from nascore.benchmarks.paths import Stacks
from nascore.benchmarks.table import Table
from nascore.view import axes, figures_map
from pages.parts import benchdata, benchplots, show
from pages.parts.benchask import Asked

EDITS, PATHS = "By edits", "By paths"
CLICKED = "bench_map_clicked"


@dataclass(frozen=True)
class Placed:
    """A map with its measure.

    Attributes:
        map: the places of all archs.
        stacks: which of them coincide.
        rho: how far distances on it follow the true ones (Spearman).
        features: numbers that an arch is written as.
    """

    map: Map
    stacks: Stacks
    rho: float
    features: int


@st.cache_resource(max_entries=8, show_spinner="Placing the cells...")
def _placed(folder: str, changed: int, metric: str, way: str, _table: Table) -> Placed | None:
    if way == PATHS:
        found = paths.path_code(_table.archs, _table.choices)
        if found is None:
            return None
        code, used = found.code, paths.standard(found.code)
    else:
        code = explore.one_hot(_table.archs, [len(c.options) for c in _table.choices])
        used = code
    placed = explore.plane(used, _table.values(metric))
    rho = paths.faithful(code, placed.places)
    return Placed(placed, paths.stacks(placed.places), rho, code.shape[1])


def placed(table: Table, metric: str, way: str) -> Placed | None:
    """The map of a table's archs, turned toward a metric; None where no paths are known."""
    return _placed(*benchdata.stamp(table), metric, way, table)


def plane(asked: Asked) -> None:
    """All archs by what they have in common."""
    table = asked.table
    if not table.choices:
        show.empty("map", "There is no map of names.", "A map needs a table whose space is known.")
        return
    way = st.segmented_control(
        "Near each other",
        (EDITS, PATHS),
        key="map_by",
        default=EDITS,
        required=True,
        label_visibility="collapsed",
        bind="query-params",
    )
    found = placed(table, asked.y, str(way))
    if found is None:
        show.empty(
            "map",
            "Paths are known of cells with operations on edges.",
            "Of this space there is the map by edits.",
        )
        return
    event = show.panel(
        "Map of the architectures",
        _how(asked, found, str(way)),
        figures_map.chart(
            found.stacks,
            asked.pair[1],
            show.theme(),
            numbers=benchdata.numbers(table),
            chosen=asked.chosen,
            ringed={r: benchplots.called(asked, r) for r in asked.picked},
        ),
        "bench_map_paths" if way == PATHS else "bench_map_edits",
        f"Map of {table.rows:,} cells {str(way).lower()}: {len(found.stacks.count):,} places",
        select="rerun",
    )
    st.markdown(
        f"{show.chip(kept(found, str(way)))} {show.chip(together(found))} "
        + show.chip(axes.protocol(asked.pair[1].column) or "protocol not given")
    )
    hit = show.clicked(event)
    before, st.session_state[CLICKED] = st.session_state.get(CLICKED), hit
    if hit is not None:
        benchplots.open_row(asked, int(float(hit)), again=hit == before)


def _how(asked: Asked, found: Placed, way: str) -> str:
    """What near means, how the plane was made, what a dot is."""
    if way == PATHS:
        near = (
            "An architecture is written as the set of its paths: the sequences of operations from the cell's "
            f"input to its output, of which this table has {found.features:,}; a skip is an operation, "
            "and a path through none is none. Near each other are those that share paths. The plane is the "
            "principal components of these 0/1 numbers, each brought to the same spread."
        )
    else:
        near = (
            "Near each other are architectures that differ in few choices: squared distances are the number "
            "of edits (classical scaling)."
        )
    turned = (
        f" Some directions keep equally much ({found.map.tied} here); those shown follow "
        f"{show.plain(asked.pair[1].title)}."
        if found.map.tied > 2
        else ""
    )
    return (
        f"{near}{turned} A dot is a place: its area is how many chosen cells stand there, its color the mean "
        f"of their {show.plain(asked.pair[1].title)}. A click opens the best of them."
    )


def kept(found: Placed, way: str) -> str:
    """What the plane keeps of the true distances, in one line."""
    what = "edits" if way == EDITS else "paths that differ"
    return f"distance on the map to number of {what}: Spearman {found.rho:.2f}, n = {paths.PAIRS:,} pairs"


def together(found: Placed) -> str:
    """What else the plane loses: variance, and archs that fall together."""
    n, rows = len(found.stacks.count), len(found.stacks.of)
    share = f"{100 * found.map.share:.0f} % of the variance is in the plane"
    return f"{share} · {rows:,} cells on {n:,} places, at most {int(found.stacks.count.max()):,} on one"
