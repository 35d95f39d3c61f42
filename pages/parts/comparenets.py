"""How good shared networks are at any time: their error after each epoch, and what they would take by then.

A search with shared weights judges an architecture only at its end, so its best so far says nothing of the
way there. This does, over epochs and over seconds, as the mean over seeds with its band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from nascore.measures import anytime
from nascore.runs import launch
from nascore.view import axes, figures_compare, gates, words
from nascore.view.figures_compare import Look, Path
from pages.parts import benchdata, compareask, runwatch, show, stores
from pages.parts.comparecalc import Asked
from pages.parts.comparedata import Run

Values = NDArray[np.float64]
HEIGHT = 320
ERROR = (
    "The error of the whole shared network on validation images after each epoch, all options weighed by "
    "their gates (searches that draw paths: of a drawn path). {band} It tells how well weights learn, not "
    "how good what is taken will be alone."
)
TRUE = (
    "What the search would take after each epoch, the largest share of every choice, looked up in a table of "
    "networks that were trained alone. {band} Searches that draw paths evenly have none on the way."
)
BAND = (
    "Mean over seeds, in parentheses how many; the band is {what}. A run that has ended keeps its last value."
)


@dataclass(frozen=True)
class Way:
    """A run's shared network over time; all (n,), an epoch each.

    Attributes:
        epochs: 1, 2, ... over all phases.
        seconds: active ones since the run began.
        error: of the shared network, in percent.
        true: of what would be taken, the table's metric; NaN where it is not known.
        table: what that is: table, metric and protocol; empty where no table knows the space.
    """

    epochs: Values
    seconds: Values
    error: Values
    true: Values
    table: tuple[str, str, str] = ("", "", "")

    def over(self, clock: str) -> Values:
        """What was spent after each epoch."""
        return self.epochs if clock == "epochs" else self.seconds


def way(run: Run) -> Way | None:
    """A run's way; None where it trains no shared network, or its first epoch is not over."""
    return _way(str(launch.home()), run.id, stores.owner().version(run.id))


@st.cache_resource(max_entries=256, show_spinner=False)
def _way(home: str, run: str, version: str) -> Way | None:
    spec = stores.spec(run)
    found = gates.movies(stores.steps(run), spec.space.choices() if spec else ())
    found = [m for m in found if "supernet_error" in m.values]
    if spec is None or not found:
        return None
    error = 100 * np.concatenate([m.values["supernet_error"] for m in found])
    seconds = np.concatenate([m.seconds for m in found])
    true, table = np.full(len(error), np.nan), ("", "", "")
    archs = [a for m in found for a in gates.archs(m, spec.space)]
    if len(archs) == len(error) and (truths := runwatch.true_ranks(spec, archs)):
        one = truths[0]
        decided = np.concatenate([m.decided() for m in found])
        true = np.where(decided, one.value, np.nan)
        column = one.table.columns[one.metric]
        table = (benchdata.title(one.table), column.title, axes.protocol(column))
    return Way(np.arange(1.0, len(error) + 1), seconds, error, true, table)


def show_all(a: Asked, looks: Sequence[Look]) -> None:
    """Both figures; nothing where no method trains a shared network."""
    ways = [[w for r in m.runs if (w := way(r))] for m in a.methods]
    if not any(ways):
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="compare-shared"):
        st.markdown("#### Shared networks on their way")
        clock = compareask.way()
    what = "from the worst to the best seed" if a.band == "range" else "the 95 % interval of the mean"
    band, live = BAND.format(what=what), [any(r.summary.live for r in m.runs) for m in a.methods]
    left, right = st.columns(2, gap="medium")
    with left:
        paths = _paths(a, looks, [[(w.over(clock), w.error) for w in own] for own in ways], live)
        _draw(
            "Error of the shared network",
            ERROR.format(band=band),
            paths,
            compareask.WAYS[clock],
            "supernet_error",
        )
    with right:
        known = [[w for w in own if np.isfinite(w.true).any()] for own in ways]
        title = "Truth of what it would take"
        if not any(known):
            show.over(title, TRUE.format(band=band))
            st.markdown(":small[:gray[No table here knows these networks, so this is not known.]]")
        else:
            table, metric, protocol = next(w.table for own in known for w in own)
            same = [[w for w in own if w.table == (table, metric, protocol)] for own in known]
            paths = _paths(a, looks, [[(w.over(clock), w.true) for w in own] for own in same], live)
            _draw(
                title, TRUE.format(band=band), paths, compareask.WAYS[clock], "test_accuracy", f"{metric} (%)"
            )
            st.markdown(show.chip(f"{table} · {protocol or 'protocol not given'}"))
    without = [m.name for m, own in zip(a.methods, ways, strict=True) if not own]
    if without:
        said = f"Without a shared network: {', '.join(without)}."
        st.markdown(f":small[:gray[{show.plain(said, 300)}]]")


def _paths(
    a: Asked, looks: Sequence[Look], rows: Sequence[Sequence[tuple[Values, Values]]], live: Sequence[bool]
) -> list[Path]:
    out = []
    for look, own, going in zip(looks, rows, live, strict=True):
        made = anytime.curve([anytime.Run(c, v, ended=not going) for c, v in own], a.band) if own else None
        if made is not None:
            out.append(Path(look, made.cost, made.mean, made.low, made.high, made.n))
    return out


def _draw(title: str, how: str, paths: Sequence[Path], x: str, metric: str, y: str = "") -> None:
    y = y or words.metric_title(metric)
    way = "max" if metric.endswith("accuracy") else "min"
    fig = figures_compare.anytime(
        paths, show.theme(), x=x, y=y, metric=metric, direction=way, height=HEIGHT, width=430
    )
    show.panel(title, how, fig, f"compare-{metric}", f"{title} over {x.lower()}, {len(paths)} methods")
