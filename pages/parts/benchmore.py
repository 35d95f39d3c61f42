"""More views of a table, one at a time: learning curves, seed noise, map, three metrics, what it is."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from nascore.benchmarks.table import Column, Table
from nascore.view import axes, figures_table, words
from pages.parts import benchask, benchdata, benchimport, benchmap, benchplots, show
from pages.parts.benchask import Asked

VIEWS: tuple[str, ...] = ("Learning curves", "Seed noise", "Map", "Three metrics", "About this table")
LINES = 3


def more(asked: Asked) -> None:
    """The chosen view; first one that the table has something for."""
    first = VIEWS[0] if asked.table.has("curves") else "Map" if asked.table.choices else VIEWS[-1]
    view = st.segmented_control(
        "More",
        VIEWS,
        key="bench_view",
        default=first,
        required=True,
        label_visibility="collapsed",
        bind="query-params",
    )
    views = dict(zip(VIEWS, (learning, seed_noise, benchmap.plane, three, about), strict=True))
    views.get(str(view), learning)(asked)


def learning(asked: Asked) -> None:
    """Curves of the picked cells, or of the best of the chosen."""
    table = asked.table
    if not table.has("curves"):
        show.empty("show_chart", "This table has no learning curves.", "Its source gives final values only.")
        return
    best = benchdata.order(table, asked.y)
    rows = asked.picked or [int(r) for r in best[asked.chosen[best]][:LINES]]
    keys = {str(table.frame["key"].iloc[r]): benchplots.called(asked, r) for r in rows}
    found = benchdata.curves(table, list(keys))
    if found.empty:
        show.empty("show_chart", "No curve is known of these cells.", "Pick others in the list above.")
        return
    what = "picked cells" if asked.picked else f"best {len(rows)} of the chosen cells"
    st.markdown(
        f":small[:gray[The {what}. The line is the mean over seeds, the band goes from worst to best.]]"
    )
    curve_panel(found, keys, f"bench_{table.name}")


def curve_panel(found: pd.DataFrame, keys: dict[str, str], name: str) -> None:
    """A choice of metric, and one protocol's curves.

    Args:
        found: key, data, seed, epochs, metric, values.
        keys: key -> what the arch is called.
        name: for the widgets' keys.
    """
    kinds = found[["metric", "data", "epochs"]].drop_duplicates()
    options = sorted(map(tuple, kinds.to_numpy().tolist()), key=_first)
    chosen = st.selectbox(
        "Curve",
        options,
        format_func=lambda o: f"{spoken(str(o[0]))}, {axes.named(str(o[1]))}, {o[2]} epochs",
        key=f"curve_{name}",
        width=380,
        label_visibility="collapsed",
    )
    metric, data, epochs = chosen
    some = found[(found["metric"] == metric) & (found["data"] == data) & (found["epochs"] == epochs)]
    groups = {label: [list(v) for v in some[some["key"] == k]["values"]] for k, label in keys.items()}
    groups, unit = in_percent({n: g for n, g in groups.items() if g}, str(metric))
    title = spoken(str(metric)) + (f" ({unit})" if unit else "")
    show.show(
        figures_table.curves(groups, show.theme(), title=title, unit=unit),
        f"curves_{name}_{metric}_{data}_{epochs}",
        f"{title} over epochs of {', '.join(groups)}",
    )
    seeds = sorted({len(g) for g in groups.values()})
    many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
    said = words.protocol(axes.named(str(data)), "", int(epochs), f"{many} seed{'s' * (many != '1')}", "")
    st.markdown(show.chip(said))


def spoken(metric: str) -> str:
    """A metric of trainings or curves as people say it, without its unit."""
    return axes.label(Column(metric, words.metric_title(metric).partition(" (")[0]))


def _first(option: tuple[Any, ...]) -> tuple[bool, int, str, str]:
    """Held-out accuracies and errors before losses before training figures, long trainings first."""
    name = str(option[0])
    good = "acc" in name or "err" in name
    return ("train" in name, 0 if good else 1, f"{10**6 - int(option[2])}", str(option[1]) + name)


def in_percent(groups: dict[str, list[list[float]]], metric: str) -> tuple[dict[str, list[list[float]]], str]:
    """Accuracies and errors in percent; what is a share of one is multiplied."""
    if not any(w in metric for w in ("acc", "err", "top1")):
        return groups, ""
    largest = max((max(run, default=0.0) for runs in groups.values() for run in runs), default=0.0)
    factor = 100.0 if largest <= 1.0 else 1.0
    return {n: [[factor * v for v in run] for run in runs] for n, runs in groups.items()}, "%"


def seed_noise(asked: Asked) -> None:
    """How much a number depends on the seed."""
    table = asked.table
    metrics, pairs = benchdata.trainings(table)
    if not metrics or not pairs:
        show.empty("casino", "This table has no single trainings.", "It gives means, or one seed only.")
        return
    with st.container(horizontal=True):
        metrics.sort(key=lambda m: ("acc" not in m and "err" not in m, "test" not in m, "train" in m, m))
        metric = st.selectbox("Metric", metrics, format_func=spoken, key=f"noise_{table.name}", width=260)
        where = st.selectbox(
            "Trained on",
            pairs[::-1],
            format_func=lambda p: f"{axes.named(p[0])}, {p[1]} epochs",
            key=f"noise_on_{table.name}",
            width=260,
        )
    frame = benchdata.noise(table, metric, *where)
    several = frame[frame["n"] > 1]
    if several.empty:
        show.empty("casino", "No cell was trained with two seeds here.", "Choose another metric or data set.")
        return
    unit = "%" if any(w in metric for w in ("acc", "err")) else ""
    if unit and float(several["high"].max()) <= 1.0:
        several = several.assign(**{c: 100 * several[c] for c in ("mean", "sd", "low", "high")})
    column = Column(metric, spoken(metric), unit, "max" if "acc" in metric else "min")
    values = np.full(table.rows, np.nan)
    values[several["row"]] = several["mean"]
    noise = axes.axis(column, values)
    between = float(several["mean"].std())
    typical = float(several["sd"].median())
    show.panel(
        "What a seed changes",
        "A dot is a cell that was trained with several seeds: its mean across, the standard deviation "
        "between its seeds up. The line is the running median. Where it is as high as two cells differ, "
        "their order is a matter of luck.",
        figures_table.seeds(several, noise, asked.chosen, show.theme()),
        f"bench_noise_{metric}",
        f"Deviation between seeds against the mean of {metric}",
    )
    n = (
        f"{int(several['n'].min())}-{int(several['n'].max())}"
        if several["n"].nunique() > 1
        else f"{int(several['n'].max())}"
    )
    st.markdown(
        f"Median deviation between seeds **{axes.difference(column, typical).lstrip('+')}**, between cells "
        f"{axes.difference(column, between).lstrip('+')} · {len(several):,} cells  \n"
        + show.chip(
            words.protocol(axes.named(where[0]), "", where[1], f"{n} seeds", table.about.get("source", ""))
        )
    )


def three(asked: Asked) -> None:
    """Three metrics as a cloud that can be turned."""
    table = asked.table
    others = [m for m in table.metrics if m not in (asked.x, asked.y)]
    if not others:
        show.empty("deployed_code", "This table has two metrics only.", "Choose them above.")
        return
    z = st.query_params.get("z", "")
    z = z if z in others else others[0]
    benchask.choose(
        "Third axis",
        others,
        "z",
        z,
        table=table,
        names=lambda m: benchask.named(table, m),
        default=others[0],
        width=330,
    )
    trio = (*asked.pair, benchdata.axis(table, z))
    show.panel(
        "Three metrics",
        "Drag to turn, wheel to come nearer. Only the chosen cells are drawn.",
        figures_table.solid(
            trio, show.theme(), numbers=benchdata.numbers(table), chosen=asked.chosen, color=asked.tint
        ),
        "bench_three",
        f"Chosen cells by {', '.join(a.title for a in trio)}",
    )
    columns = [a.column for a in trio]
    st.markdown(
        " ".join(show.chip(f"{axes.label(c)}: {axes.protocol(c) or 'protocol not given'}") for c in columns)
    )
    if found := benchplots.different(columns):
        st.markdown(f":orange-badge[:material/difference: {show.plain(found, 200)}]")


def about(asked: Asked) -> None:
    """Where a table comes from, what each of its numbers stands for, what was left out; and its end."""
    table = asked.table
    said = table.about
    left, right = st.columns([1, 2.2], gap="medium")
    with left:
        facts = {
            "Source": said.get("source"),
            "Rows": words.count(table.rows),
            "Space": (table.space or {}).get("name", "names only"),
            "Single trainings": "yes" if table.has("runs") else "no",
            "Learning curves": "yes" if table.has("curves") else "no",
            "Size": words.compact(table.size_bytes, "bytes"),
            "Read as": said.get("format"),
            "Imported": said.get("imported"),
            "Licence": said.get("licence"),
            "Notes": said.get("notes"),
        }
        for name, value in facts.items():
            if value:
                st.markdown(f":gray[{name}]  \n{show.plain(value, 400)}")
        for reason, times in (said.get("reasons") or {}).items():
            st.markdown(f":orange-badge[left out: {times:,}] {show.plain(reason, 300)}")
        benchimport.delete_button(table)
    with right:
        frame = _metrics(benchdata.stamp(table), table)
        st.dataframe(
            frame,
            hide_index=True,
            height=420,
            key=f"bench_about_{table.name}",
            alt="Each metric with its unit, direction, range and protocol",
            column_config={
                "missing": st.column_config.NumberColumn("Missing", width=70),
                "metric": st.column_config.TextColumn("Metric", pinned=True),
                "protocol": st.column_config.TextColumn("Protocol", width="large"),
            },
        )


@st.cache_resource(max_entries=8, show_spinner=False)
def _metrics(stamp: tuple[str, int], _table: Table) -> pd.DataFrame:
    return metrics_of(_table)


def metrics_of(table: Table) -> pd.DataFrame:
    """A row a metric: name, unit, better end, range, protocol."""
    rows = []
    for name, column in table.columns.items():
        values = table.values(name)
        known = values[np.isfinite(values)]
        rows.append(
            {
                "metric": axes.label(column),
                "better": {"min": "low", "max": "high"}.get(column.direction, "not known"),
                "from": axes.amount(column, float(known.min())) if len(known) else "",
                "to": axes.amount(column, float(known.max())) if len(known) else "",
                "missing": int(table.rows - len(known)),
                "protocol": axes.protocol(column) or "not given",
                "column": name,
            }
        )
    return pd.DataFrame(rows)
