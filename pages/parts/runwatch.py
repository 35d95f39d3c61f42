"""A search with shared weights, watched: gates, crowding out, losses, the cell so far, its true rank."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore.benchmarks.table import Table
from nascore.errors import AppError
from nascore.measures import agreement
from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.space import Arch, Space, key
from nascore.view import axes, figures_gates, figures_table, gates, words
from nascore.view.gates import Movie
from nascore.view.tokens import Tokens, op_label
from pages.parts import arch, benchdata, links, show, stores, tables

TAB = ":material/tune: Gates"
HEIGHT = 236
LEAST = 10  # networks of fewer no correlation is told
HOW = (
    "A row is a choice of the space, a field the share of one of its options: how much the shared network "
    "listens to it. The frame is the largest, which is what the search would take now. Play shows the epochs "
    "one after the other."
)
CROWDED = (
    "Operations without weights learn nothing and are fast to please, so that they often win in searches by "
    "gradients. The line is their mean share, dashed the part of the choices where they lead; a warning "
    "comes when they lead at more than half of them."
)
TRUE = (
    "What the search would take after each epoch, looked up in a table of networks that were trained alone: "
    "the part of all others that is worse. 100 % is the best of the table; a guess is at 50 %."
)


TOLD = {
    "step_ms": "One step of training: of the alphas, where there are any, and of the weights; the mean over "
    "an epoch, judging not counted.",
    "backward_mib": "What autograd keeps for the backward pass at its fullest, in the first step of an "
    "epoch, each map once, weights not counted. It grows with the batch; buffers within an operation come on "
    "top.",
    "peak_mib": "The most that the device's allocator had given out at once during the epoch: weights, maps, "
    "gradients, optimizer.",
    "epoch_seconds": "From the end of one epoch to the end of the next, judging included.",
}


def progress(summary: Summary, spec: RunSpec | None) -> tuple[int, int] | None:
    """Epochs done and epochs in all; None for a search without shared weights."""
    of = int(getattr(spec.strategy, "epochs", 0)) if spec else 0
    found = _movies(summary.run, spec)
    return (len(found[0].epochs), max(of, len(found[0].epochs))) if found and of else None


def has(summary: Summary, spec: RunSpec | None) -> bool:
    """Whether there is something to watch."""
    return bool(_movies(summary.run, spec))


def _movies(run: str, spec: RunSpec | None) -> list[Movie]:
    return gates.movies(stores.steps(run), spec.space.choices() if spec else ())


def tab(summary: Summary, spec: RunSpec | None, t: Tokens) -> None:
    """Everything that the journal says of the shared network."""
    found = _movies(summary.run, spec)
    if not found:
        show.empty("tune", "No epoch is over yet.", "The gates come with the first one.")
        return
    movie = found[0]
    if len(found) > 1:
        names = [m.phase for m in found]
        phase = st.segmented_control("Phase", names, default=names[0], required=True, key="gate_phase")
        movie = found[names.index(str(phase))]
    _warnings(movie)
    left, right = st.columns([1.35, 1], gap="medium")
    with left:
        alt = f"Shares of {len(movie.choices)} choices over {len(movie.epochs)} epochs"
        show.panel("Gates over the epochs", HOW, figures_gates.movie(movie, t), "gates", alt)
        _one(movie, t)
        _crowds(movie, t)
    with right:
        if spec is not None:
            _now(summary, spec, movie, t)
        _entropy(movie, t)
    _losses(movie, t)


def _warnings(movie: Movie) -> None:
    """Says when operations without weights lead nearly everywhere."""
    for kind, name in (("skip", "Skips"), ("none", "Empty edges")) if movie.decided()[-1] else ():
        found = gates.crowding(movie, kind)
        if found.crowds:
            st.warning(
                f"**{name} lead at {round(found.taken[-1] * found.offered)} of {found.offered} choices** "
                f"after epoch {movie.epochs[-1]}. Searches by gradients often end so, and the cell that "
                "comes of it is seldom good; another strategy or fewer epochs may help.",
                icon=":material/trending_down:",
            )


def _one(movie: Movie, t: Tokens) -> None:
    """One choice's options over the epochs."""
    choice = st.selectbox(
        "Choice", movie.choices, key="gate_choice", format_func=figures_table.place, width=260,
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip
    fig = figures_gates.options(movie, str(choice), t, height=HEIGHT)
    show.show(fig, "gate_options", f"Shares of the options at {figures_table.place(str(choice))} over epochs")


def _now(summary: Summary, spec: RunSpec, movie: Movie, t: Tokens) -> None:
    """The cell that the gates stand for now, and how good it really is."""
    space = spec.space
    found = gates.archs(movie, space)
    if not found:
        return
    if not movie.decided()[-1]:
        st.markdown(
            ":small[:gray[Paths are drawn evenly here, so the shares prefer no network. What is taken is "
            "decided after the last epoch.]]"
        )
        if truths := true_ranks(spec, found):
            _agreement(truths, movie, t)
        return
    st.markdown(f"**What it would take after epoch {movie.epochs[-1]}**")
    with st.container(horizontal=True, vertical_alignment="center"):
        picture = _drawn(space, found[-1], spec, t)
        if picture:
            st.image(picture, width=210)
        where = {"arch": key(space, found[-1]), "run": summary.run, "space": summary.space}
        links.link(links.ARCHITECTURE, "Open it", "account_tree", **where)
    truths = true_ranks(spec, found)
    if truths:
        _ranks(truths, movie, t)
        _agreement(truths, movie, t)
    else:
        st.markdown(
            ":small[:gray[No table here knows the networks of this space, so their true rank is not known.]]"
        )


def _drawn(space: Space, found: Arch, spec: RunSpec, t: Tokens) -> str:
    try:
        inner = arch.unwrapped(space)[0]
        return tables.drawings([found], inner, spec.task.shape, t.mode)[0]
    except AppError:
        return ""


AGREES = (
    "The same {n} random networks of the table after each epoch: Kendall's tau between the order that the "
    "shared weights give them and the order by their own trainings, with 95 % intervals over networks. At 0 "
    "the shared network knows nothing of which is better."
)


@dataclass(frozen=True)
class Truth:
    """How good archs really are: their rank in a table.

    Attributes:
        table: that knows them.
        metric: by which they are ranked.
        rank: (n,) places, 1 is the best; NaN where the table has no value.
        of: archs of the table with a value.
        value: (n,) the metric itself.
    """

    table: Table
    metric: str
    rank: NDArray[np.float64]
    of: int
    value: NDArray[np.float64]

    @property
    def worse(self) -> NDArray[np.float64]:
        """(n,) percent of the others that are worse."""
        return 100 * (self.of - self.rank) / max(self.of - 1, 1)


def true_ranks(spec: RunSpec, archs: list[Arch]) -> list[Truth]:
    """The ranks of archs in every table of their space; tables on the run's own data first."""
    name = arch.unwrapped(spec.space)[1]
    out = []
    for one in benchdata.every():
        if not one.space or one.space["name"] != name or len(one.choices) != len(archs[0]):
            continue
        table = benchdata.kept(one)
        metric, rows = benchdata.quality(table), table.lookup(archs)
        order = benchdata.order(table, metric)
        place = np.full(table.rows, np.nan)
        place[order] = np.arange(1, len(order) + 1)
        rank = np.where(rows >= 0, place[np.maximum(rows, 0)], np.nan)
        if np.isfinite(rank).any():
            value = np.where(rows >= 0, table.values(metric)[np.maximum(rows, 0)], np.nan)
            out.append(Truth(table, metric, rank, len(order), value))
    data = spec.task.data
    return sorted(out, key=lambda f: f.table.columns[f.metric].protocol.data != data)


def taus(movie: Movie, truth: Truth) -> tuple[NDArray[np.float64], int]:
    """How well the shared weights order the sampled archs, against a table.

    Returns:
        (3, epochs) Kendall's tau-b, its lower and its upper end; and how many archs the table knows. Above
        0 means that what the shared weights prefer is better.
    """
    places = pd.Series(np.arange(truth.table.rows), index=truth.table.frame["key"].astype(str))
    rows = places.reindex(list(movie.samples)).to_numpy(float)
    values = truth.table.values(truth.metric)
    real = np.where(np.isfinite(rows), values[np.nan_to_num(rows).astype(int)], np.nan)
    sign = -1.0 if truth.table.columns[truth.metric].direction == "max" else 1.0
    told = np.array(list(movie.samples.values())).T if movie.samples else np.zeros((0, 0))
    out = np.full((3, len(told)), np.nan)
    for epoch, errors in enumerate(told):
        known = np.isfinite(errors) & np.isfinite(real)
        if known.sum() >= LEAST:
            found = agreement.kendall(errors[known], sign * real[known]).interval()
            out[:, epoch] = found.value, found.low, found.high
    return out, int(np.isfinite(real).sum())


def _agreement(truths: list[Truth], movie: Movie, t: Tokens) -> None:
    """Whether the shared weights order networks as their own trainings do."""
    for truth in truths:
        found, n = taus(movie, truth)
        if not np.isfinite(found[0]).any():
            continue
        bands = {"tau": (found[1], found[2])}
        fig = figures_gates.over_epochs(
            movie.epochs, {"tau": found[0]}, t, y="Kendall's tau", bands=bands, height=HEIGHT
        )
        fig.add_hline(y=0, line={"color": t.muted, "width": 1, "dash": "dot"})
        title = f"Does the shared network rank like {benchdata.title(truth.table)}?"
        show.panel(title, AGREES.format(n=n), fig, "gate_tau", f"{title} Tau over epochs, n = {n}")
        chip = axes.protocol(truth.table.columns[truth.metric]) or "protocol not given"
        st.markdown(show.chip(f"n = {n} · {chip}"))
        return


def _ranks(truths: list[Truth], movie: Movie, t: Tokens) -> None:
    names = [benchdata.title(truth.table) for truth in truths]
    lines = {name: truth.worse for name, truth in zip(names, truths, strict=True)}
    fig = figures_gates.over_epochs(movie.epochs, lines, t, y="Worse ones (%)", height=HEIGHT)
    fig.update_yaxes(range=[-4, 104])
    places = [
        f"{words.rank(int(x.rank[-1]), x.of)}" if np.isfinite(x.rank[-1]) else "not known" for x in truths
    ]
    said = "; ".join(f"{name}: {place}" for name, place in zip(names, places, strict=True))
    show.panel("True rank", TRUE, fig, "gate_rank", f"True rank over epochs, now {said}")
    for truth, name, place in zip(truths, names, places, strict=True):
        chip = show.chip(axes.protocol(truth.table.columns[truth.metric]) or "protocol not given")
        st.markdown(f"{show.plain(name)}: **{place}** {chip}")


def _crowds(movie: Movie, t: Tokens) -> None:
    """The shares of what has no weights."""
    looks: dict[str, tuple[str, str]] = {}
    lines: dict[str, NDArray[np.float64]] = {}
    for kind in ("skip", "none") if movie.decided()[-1] else ():
        found = gates.crowding(movie, kind)
        if found.offered:
            name = op_label(kind)
            lines |= {name: 100 * found.share, f"{name} leads": 100 * found.taken}
            looks |= {name: (t.op(kind), "solid"), f"{name} leads": (t.op(kind), "dash")}
    if lines:
        fig = figures_gates.over_epochs(movie.epochs, lines, t, y="Choices (%)", looks=looks, height=HEIGHT)
        show.panel("Skips and empty edges", CROWDED, fig, "gate_crowd", "Shares of skip and none over epochs")


def _entropy(movie: Movie, t: Tokens) -> None:
    """How undecided the gates are."""
    if "entropy" not in movie.values:
        return
    lines = {"entropy": movie.values["entropy"]}
    fig = figures_gates.over_epochs(movie.epochs, lines, t, y="1: undecided", height=HEIGHT)
    fig.update_yaxes(range=[0, 1.05])
    how = "Of the shares of each choice, the mean over choices: 1 where all are alike, 0 where one has all."
    show.panel("Entropy of the gates", how, fig, "gate_entropy", "Entropy of the gates over epochs")


def _losses(movie: Movie, t: Tokens) -> None:
    """What the shared network learns, and everything else that was told."""
    told = {n: v for n, v in movie.values.items() if n != "entropy" and np.isfinite(v).any()}
    groups: dict[str, list[str]] = {}
    for name in told:
        groups.setdefault(_unit(name), []).append(name)
    if not groups:
        return
    columns = st.columns(min(len(groups), 3), gap="medium")
    for i, (unit, names) in enumerate(groups.items()):
        lines = {_title(n): told[n] * (100 if stores.is_percent(n) else 1) for n in names}
        with columns[i % len(columns)]:
            title = ", ".join(lines)
            fig = figures_gates.over_epochs(
                movie.epochs, lines, t, y=unit, height=HEIGHT, named=len(lines) > 1
            )
            how = " ".join(TOLD[n] for n in names if n in TOLD) or "Told by the search after each epoch."
            show.panel(title[:1].upper() + title[1:], how, fig, f"gate_told_{i}", f"{title} over epochs")


def _title(name: str) -> str:
    return words.metric_title(name).partition(" (")[0].lower()


def _unit(name: str) -> str:
    """Figures share an axis where their unit is the same."""
    if stores.is_percent(name):
        return "Error (%)" if "error" in name else "Accuracy (%)"
    if "loss" in name:
        return "Loss"
    title, _, unit = words.metric_title(name).rpartition(" (")
    return unit.rstrip(")") if title else words.metric_title(name)
