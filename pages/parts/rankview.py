"""The answers of the Ranking page: the court, an evaluator's scores, rank changes, truths, cost, rows."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from nascore.view import axes, figures_ranking, words
from nascore.view.axes import Axis
from nascore.view.figures_ranking import Line
from pages.parts import benchdata, links, rankask, rankdata, show
from pages.parts.rankask import Answer, Asked

FEW = 6  # columns of a bump chart
BUMPED = 10  # architectures in it
HEIGHT = 400


def band(a: Asked) -> tuple[float, float] | None:
    """What noise of seeds allows of the measure."""
    found = rankdata.ceiling(a.mark, a.truth.name, a.which)
    if found is None or a.measure not in found.perfect:
        return None
    return found.again[a.measure], found.perfect[a.measure]


def sentence(a: Asked, answer: Answer) -> None:
    """Who leads, and who cannot be told apart from it."""
    first, tied = answer.lines[0], sum(r.tied for r in answer.lines) - 1
    said = (
        f"**{show.plain(first.label)}** leads with {show.plain(a.called(a.measure))} {show.plain(first.said)}"
    )
    if not math.isfinite(first.low) or len(answer.lines) == 1:
        said += "."
    elif tied:
        said += f"; **{tied}** more cannot be told apart from it."
    else:
        said += "; all others can be told apart from it."
    apart = sorted({r.n for r in answer.lines})
    n = f"n = {apart[0]:,}" + (f" to {apart[-1]:,}" if len(apart) > 1 else "")
    title, protocol = axes.label(a.truth.column), axes.protocol(a.truth.column)
    said += f"  \n{show.chip(f'{title} · {protocol}' if protocol else title)} {show.chip(n)}"
    if len(apart) > 1:
        said += " :small[:gray[Two are compared on what both know.]]"
    st.markdown(said)


def court(a: Asked, answer: Answer, picked: str) -> None:
    """Everybody with a whisker."""
    found, title = band(a), a.called(a.measure)
    shares = any(r.shares for r in answer.lines)
    how = (
        "Best on top; whiskers are 95 % intervals over architectures. Dots in the app's color cannot be told "
        "apart from the leader: the interval of their *difference* to it, on the same architectures, reaches "
        "zero. Click a dot to look at that evaluator."
    )
    if found:
        how += (
            " The yellow band is what noise of the truth's seeds allows: its left end is what training "
            "everything again would reach, its right end the most that anybody can be expected to reach"
            + (
                ". Diamonds come from the very trainings of the truth, share its noise and may pass the band."
                if shares
                else "."
            )
        )
    against = f"{title} with {axes.label(a.truth.column)}"
    alt = f"{title} of {len(answer.lines)} evaluators, best first, {answer.lines[0].label} leads"
    fig = figures_ranking.court(
        answer.lines, show.theme(), title=against, band=found, picked=picked, zero=a.measure not in _AT_K
    )
    show.panel("The court", how, fig, "rank-court", alt, select=rankask.pick)
    notes(a, answer, found)


_AT_K = ("precision_at_k", "ndcg_at_k", "best_rank_at_k", "worst_rank_at_k", "regret_at_k")
_UNIT = {"best_rank_at_k": "share of all, 0 is best", "worst_rank_at_k": "share of all, 0 is best"}


def notes(a: Asked, answer: Answer, found: tuple[float, float] | None) -> None:
    """What has no value, ties, the ceiling."""
    said = [f"{s}." for s in answer.refused]
    none = [r.label for r in answer.lines if not math.isfinite(r.value)]
    if none:
        why = {
            "partial_spearman": "size is all that it says, or no sizes are known",
            "kendall_top_decile": "the best tenth has fewer than ten architectures or one score",
        }.get(a.measure, "it has no meaning there")
        said.append(f"No value for {', '.join(none)}: {why}.")
    one = max(answer.trials.values(), key=lambda t: t.n)
    if one.tied_truth > 0.2:
        said.append(
            f"{100 * one.tied_truth:.0f} % of the architectures share their truth with another; "
            "tau-b allows for that."
        )
    if found:
        said.append(f"Seeds allow {found[0]:.2f} (all trained again) to {found[1]:.2f} (a perfect judge).")
    elif a.measure in ("kendall", "spearman", "pearson"):
        by_truth = a.which.top or a.truth.name in rankdata.filters_on(a.which.where)
        said.append(
            "What seeds allow is not known of architectures that the truth itself has chosen."
            if by_truth
            else "What seeds allow is not known: there are no single trainings with several seeds."
        )
    if said:
        st.markdown("  \n".join(f":small[:gray[{show.plain(text, 300)}]]" for text in said))


def axis(a: Asked, name: str) -> Axis:
    """An evaluator's scores as an axis, those that are judged only."""
    scores = a.scores(name)
    return axes.axis(scores.column, np.where(fits(a), scores.values, np.nan))


def fits(a: Asked) -> NDArray[np.bool_]:
    """(n,) which archs are judged."""
    return rankdata.mask(a.mark, a.truth.name, a.which)


def numbers(a: Asked) -> list[str]:
    """(n,) what people call each arch."""
    if a.court.table is None:
        return [f"{k}" for k in a.court.keys]
    return [f"cell {n:,}" for n in benchdata.numbers(a.court.table)[a.court.rows]]


def best(values: NDArray[np.float64], k: int) -> NDArray[np.int64]:
    """Rows of the largest k, ties in the order of rows; those without a value never."""
    rows = np.argsort(-np.nan_to_num(values, nan=-math.inf), kind="stable")[:k]
    return rows[np.isfinite(values[rows])]


def scatter(a: Asked, picked: str) -> None:
    """One evaluator against the truth."""
    x, one = axis(a, picked), a.scores(picked)
    y = axes.axis(a.truth.column, np.where(fits(a), a.truth.values, np.nan))
    both = np.isfinite(x.values) & np.isfinite(y.values)
    top = best(np.where(both, a.truth.turned, np.nan), a.k)
    loved = best(np.where(both, one.turned, np.nan), a.k)
    fig = figures_ranking.against(
        x,
        y,
        show.theme(),
        name=rankask.called(picked),
        best=top,
        loved=loved,
        numbers=numbers(a),
        height=HEIGHT,
    )
    hit = len(np.intersect1d(top, loved))
    event = show.show(
        fig,
        f"rank-scatter-{picked}",
        f"Scores of {picked} against {axes.label(a.truth.column)}",
        select="rerun",
    )
    lost = axes.difference(a.truth.column, float(a.trial(picked).regret_at_k)).lstrip("+")  # type: ignore[union-attr]
    st.markdown(
        f":small[:gray[{hit} of its best {len(loved)} are among the true best; the best of them stays "
        f"{show.plain(lost)} below the best of all. Click a dot to open it.]]"
    )
    if (at := show.clicked(event)) and a.court.table is not None:
        links.go(links.ARCHITECTURE, **benchdata.query(a.court.table, int(a.court.rows[int(float(at))])))
    elif at:
        links.go(links.ARCHITECTURE, run=a.mark.removeprefix("run:"), arch=str(a.court.keys[int(float(at))]))


def ranks(a: Asked, answer: Answer, picked: str) -> None:
    """Where the true best end up by each evaluator."""
    mask = fits(a)
    rows = best(np.where(mask, a.truth.turned, np.nan), BUMPED)
    chosen = [r.name for r in answer.lines if r.name != picked][: FEW - 2]
    across = [*reversed(chosen), picked] if picked else list(reversed(chosen))
    order = [r.name for r in answer.lines if r.name in across][::-1]
    places = {axes.label(a.truth.column): _places(np.where(mask, a.truth.turned, np.nan), rows)}
    places |= {name: _places(np.where(mask, a.scores(name).turned, np.nan), rows) for name in order[::-1]}
    called = numbers(a)
    lines = {called[r]: [float(p[i]) for p in places.values()] for i, r in enumerate(rows)}
    fig = figures_ranking.bump(
        lines,
        ["truth", *map(rankask.called, list(places)[1:])],
        show.theme(),
        marked=list(lines),
        log=True,
        height=HEIGHT,
    )
    show.show(fig, "rank-bump", f"Ranks of the true best {len(rows)} by {len(order)} evaluators")
    st.markdown(
        f":small[:gray[The true best {len(rows)}, strong is best, and their ranks by each evaluator; equal "
        "scores share the better rank. Lines that stay on top are what a search by it would find.]]"
    )


def _places(values: NDArray[np.float64], rows: NDArray[np.int64]) -> list[float]:
    """Ranks of some rows, 1 for the largest; NaN without a value."""
    known = np.sort(values[np.isfinite(values)])
    return [
        float(len(known) - np.searchsorted(known, values[r], "right") + 1)
        if np.isfinite(values[r])
        else math.nan
        for r in rows
    ]


def other_truths(a: Asked) -> list[str]:
    """Metrics of trainings here, and the quality on other tables that know these archs."""
    here = [n for n, c in a.court.columns.items() if c.direction and c.protocol.epochs and c.unit != "s"]
    told = [a.truth.name, *(n for n in here if n != a.truth.name)][: FEW - 2]
    return [*told, *(n for n in rankdata.start(a.mark, a.court, a.truth.name) if ":" in n)]


def truths(a: Asked, answer: Answer, picked: str) -> None:
    """How the evaluators' order changes with the truth."""
    across = other_truths(a)
    names = [n for n in answer.trials if n not in across][:14]
    with st.spinner("Judging by other truths...", show_time=False):
        taus = pd.DataFrame(
            {t: {n: rankdata.same_truth(a.mark, a.truth.name, t, n) for n in names} for t in across}
        )
    order = taus.rank(ascending=False)
    lines = {n: [float(v) for v in row] for n, row in zip(order.index, order.to_numpy(), strict=True)}
    marked = [picked, *(n for n in names if n != picked)][:3]
    labels = [rankask.called(t).replace(":", ": ").replace("_", " ") for t in across]
    fig = figures_ranking.bump(
        lines, labels, show.theme(), marked=[m for m in marked if m in lines], height=HEIGHT
    )
    show.show(fig, "rank-truths", f"Ranks of {len(names)} evaluators by {len(across)} truths")
    st.markdown(
        ":small[:gray[Rank of each evaluator by Kendall tau-b with each truth, 1 on top, over all "
        "architectures that both know. Lines that cross are better for one of the truths only.]]"
    )


def cost(a: Asked, answer: Answer, picked: str) -> None:
    """What an agreement costs."""
    unknown = figures_ranking.seconds_unknown(answer.lines)
    if len(unknown) == len(answer.lines):
        show.empty(
            "timer_off",
            "Nobody has timed these evaluators.",
            "Choose few-epoch training, such as val_accuracy@3.",
        )
        return
    lines = answer.lines if a.high_is_good else [_turned(r) for r in answer.lines]
    title = a.called(a.measure) + ("" if a.high_is_good else ", negated")
    fig = figures_ranking.cost(lines, show.theme(), title=title, band=band(a), picked=picked, height=HEIGHT)
    show.show(fig, "rank-cost", f"Seconds an architecture against {title}")
    st.markdown(
        ":small[:gray[The line is the front: nobody is cheaper and better. Seconds of trainings are those "
        "of the table, all seeds, in proportion to the epochs; a predictor's are learning and asking, "
        "without the trainings it learned from."
        + (f" No time was measured of {show.plain(', '.join(unknown), 300)}." if unknown else "")
        + "]]"
    )


def _turned(r: Line) -> Line:
    return Line(r.name, r.label, -r.value, -r.high, -r.low, r.n, r.tied, r.shares, r.seconds)


def listed(a: Asked, answer: Answer) -> None:
    """All measures of all evaluators; the rows behind them as a file."""
    with st.container(horizontal=True, vertical_alignment="center", key="rank-rows"):
        st.markdown("**All measures**", width="content")
        st.download_button(
            "CSV of the rows",
            lambda: as_csv(a, list(answer.trials)),
            f"ranking-{a.court.name}-{a.truth.name}.csv",
            "text/csv",
            key="rank_csv",
            icon=":material/download:",
            on_click="ignore",
            help="Key, truth and every evaluator's score of the judged architectures, as they are",
        )
    frame, columns = rendered(a, answer)
    st.dataframe(
        frame,
        hide_index=True,
        key="rank-listed",
        height=min(36 * (len(frame) + 1) + 3, 560),
        row_height=36,
        column_config=columns,
        on_select=lambda: _take(list(answer.trials)),
        selection_mode="single-row",
        alt=f"All measures of {len(frame)} evaluators",
    )


def _take(names: list[str]) -> None:
    rows = ((st.session_state.get("rank-listed") or {}).get("selection") or {}).get("rows") or []
    if rows and rows[0] < len(names):
        rankask.put(pick=names[rows[0]])


def rendered(a: Asked, answer: Answer) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The table of all measures."""
    trials, column = answer.trials, a.truth.column
    top = max((t.regret_at_k for t in trials.values()), default=0.0)
    sign = 1 if column.direction == "max" else -1
    known = np.where(fits(a), a.truth.turned, np.nan)
    rows = [
        {
            "evaluator": name,
            "tau": t.kendall.value,
            "said": words.interval(t.kendall.value, t.kendall.low, t.kendall.high),
            "rho": t.spearman.value,
            "r": t.pearson.value,
            "weighted": t.weighted_kendall.value,
            "top": t.kendall_top_decile.value,
            "partial": t.partial_spearman.value,
            "best": sign * (np.nanmax(known[np.isfinite(a.scores(name).values)]) - t.regret_at_k),
            "lost": t.regret_at_k,
            "precision": t.precision_at_k,
            "ndcg": t.ndcg_at_k,
            "br": 100 * t.best_rank_at_k,
            "wr": 100 * t.worst_rank_at_k,
            "n": t.n,
            "seconds": words.duration(a.scores(name).seconds) if a.scores(name).seconds else "not measured",
            "from": a.scores(name).clock,
        }
        for name, t in trials.items()
    ]
    plain, k = st.column_config.NumberColumn, a.k
    unit = " points" if column.unit == "%" else ""
    order = [*ORDER, *(c for c in rows[0] if c not in ORDER)]
    frame = pd.DataFrame(rows, columns=order)
    return frame, {
        "evaluator": st.column_config.TextColumn("Evaluator", pinned=True, width=205),
        "tau": st.column_config.ProgressColumn(
            "Kendall tau-b", min_value=0, max_value=1, format="%.2f", width=120
        ),
        "said": st.column_config.TextColumn("tau [95 % interval]", width=130),
        "rho": plain("Spearman rho", format="%.2f", width=105),
        "best": plain(
            f"Best of its top {k}", format="%.2f" + (" %%" if column.unit == "%" else ""), width=120
        ),
        "lost": st.column_config.ProgressColumn(
            f"Lost{unit}", min_value=0, max_value=top or 1.0, format="%.2f", color="orange", width=110
        ),
        "n": plain("n", format="localized", width=65),
        "seconds": st.column_config.TextColumn("Time a cell", width=105),
        "r": plain("Pearson r", format="%.2f", width=90),
        "weighted": plain("Weighted tau", format="%.2f", width=100),
        "top": plain("Tau, best tenth", format="%.2f", width=110),
        "partial": plain("Rho given size", format="%.2f", width=110),
        "precision": plain(f"Precision at {k}", format="%.2f", width=110),
        "ndcg": plain(f"NDCG at {k}", format="%.3f", width=95),
        "br": plain(f"BR@{k}", format="%.2f %%", width=80, help="Best true rank among its best K, of all"),
        "wr": plain(f"WR@{k}", format="%.2f %%", width=80, help="Worst true rank among its best K, of all"),
        "from": st.column_config.TextColumn("Time from", width=200),
    }


def none(answer: Answer) -> None:
    """Nobody can be judged: why not."""
    show.empty("gavel", "Nobody can be judged here.", "Choose others above, or more architectures.")
    for text in answer.refused:
        st.markdown(f":small[:gray[{show.plain(text, 300)}.]]")


ORDER = ("evaluator", "tau", "said", "rho", "best", "lost", "n", "seconds")


def as_csv(a: Asked, names: list[str]) -> str:
    """The judged archs: key, truth and scores, not turned around."""
    mask = fits(a)
    columns = {one.name: one.values[mask] for one in (a.truth, *map(a.scores, names))}
    return pd.DataFrame({"key": np.asarray(a.court.keys)[mask], **columns}).to_csv(index=False)
