"""The answers of the Compare page: who leads, curves, final values, improvement, attainment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from nascore.benchmarks.table import Column
from nascore.measures.relative import Improvement
from nascore.measures.significance import Trial
from nascore.stats import Interval
from nascore.view import axes, figures_compare, words
from nascore.view.axes import Axis
from nascore.view.figures_compare import Attained, Finals, Look, Path
from pages.parts import compareask, comparecalc, links, show, stores
from pages.parts.comparecalc import TABLE, Asked
from pages.parts.comparedata import CLOCKS, VOLUME

ALPHA = 0.05


def looks(a: Asked) -> list[Look]:
    """How methods are drawn."""
    return [Look(m.name, i) for i, m in enumerate(a.methods)]


def value(a: Asked, number: float) -> str:
    """A value of the metric with its unit."""
    return words.odd(number) or (f"{number:.4f}" if a.metric == VOLUME else words.metric(a.metric, number))


def is_points(a: Asked) -> bool:
    """Whether a difference of two values is one of percents."""
    return a.metric != VOLUME and stores.is_percent(a.metric)


def span(a: Asked, found: Interval, digits: int = 2) -> str:
    """A mean with its interval, without the unit."""
    if a.metric == VOLUME or (not is_points(a) and abs(found.value) < 1):
        digits = 4
    if abs(found.value) >= 1000:
        ends = "" if math.isnan(found.low) else f" [{words.compact(found.low)}, {words.compact(found.high)}]"
        return words.compact(found.value) + ends
    if math.isnan(found.low):
        return words.odd(found.value) or f"{found.value:.{digits}f}"
    return words.interval(found.value, found.low, found.high, digits)


def lead(a: Asked, means: Sequence[Interval], trials: Sequence[Trial], apart: Sequence[str]) -> None:
    """Who leads, and who cannot be told apart from it; nobody where numbers do not mean the same."""
    said = "Nobody leads: their numbers do not mean the same" if apart else _leader(a, means, trials)
    chips = " ".join(show.chip(p) for p in protocols(a))
    if going := [r for r in a.runs if r.summary.live]:
        many = f"{len(going)} run{'' if len(going) == 1 else 's'} still going"
        chips += f" :blue-badge[:material/play_arrow: {many}: a curve ends where the first of them stands]"
    st.markdown(f"{said}.  \n{chips}")


def _leader(a: Asked, means: Sequence[Interval], trials: Sequence[Trial]) -> str:
    ranked = [i for i in range(len(means)) if math.isfinite(means[i].value)]
    if not ranked:
        return "Nothing that meets all limits was found"
    sign = 1 if a.direction == "min" else -1
    first = min(ranked, key=lambda i: (sign * means[i].value, -means[i].n))
    one = a.methods[first]
    said = f"**{show.plain(one.name)}** "
    said += "has come to" if len(ranked) == 1 else "leads with"
    said += f" {value(a, means[first].value)} (mean of {figures_compare.runs_of(means[first].n)})"
    against = [t for t in trials if one.key in (t.a, t.b)]
    tied = sum(not t.holm < ALPHA for t in against)
    if len(against) == 1:
        said += f"; the other {'cannot' if tied else 'can'} be told apart from it"
    elif against:
        said += (
            f"; **{tied}** of {len(against)} others cannot be told apart from it"
            if tied
            else "; all others can be told apart from it"
        )
    return said


def protocols(a: Asked) -> list[str]:
    """Every protocol among the runs; that of the test metric where one is asked."""
    found = []
    for r in a.runs:
        said = stores.protocol(r.summary)
        if a.metric.startswith("test_"):
            said = said.replace("validation", "test", 1)
        found.append(said or "protocol not given")
    return list(dict.fromkeys(found))


def warn(apart: Sequence[str]) -> None:
    """What must not be overlooked: numbers of different worth on one axis."""
    if apart:
        lines = "  \n".join(f"- {show.plain(text, 240)}" for text in apart)
        st.warning(
            "**These runs do not measure the same thing.** Their numbers stand on one axis, but only those "
            f"of like runs can be compared.  \n{lines}",
            icon=":material/warning:",
        )


def _badge(apart: Sequence[str]) -> None:
    if apart:
        st.markdown(":orange-badge[:material/warning: several protocols on one axis, see above]")


def progress(a: Asked, apart: Sequence[str]) -> None:
    """The best so far of each method over cost."""
    found, paths, said = comparecalc.curves(a), [], []
    for look, curve, m in zip(looks(a), found, a.methods, strict=True):
        if curve is None:
            said.append(f"{m.name} has no curve: nothing was found, or its runs share no stretch.")
            continue
        paths.append(Path(look, curve.cost, curve.mean, curve.low, curve.high, curve.n))
        if curve.without:
            said.append(f"{m.name}: {curve.without} of {len(m.runs)} runs found nothing and are left out.")
    how = (
        "Mean over seeds of the best so far; in parentheses how many. The band is "
        f"{compareask.BANDS[a.band]} of the seeds; a single seed has none. A run that has ended keeps what "
        "it found. A curve begins where every run has found something. Errors that spread over a factor of "
        "three lie on a log scale."
    )
    if a.metric.startswith("test_"):
        how += " The best is told by the objective; its test metric is what is drawn."
    if a.metric == VOLUME:
        how += (
            " Hypervolume: the share that a run's front covers of the box from the best value of each "
            "objective to a tenth beyond the worst, of all runs here."
        )
    title = compareask.title(a.metric)
    fig = figures_compare.anytime(
        paths,
        show.theme(),
        x=CLOCKS[a.clock],
        y=f"Best so far: {title}",
        metric=a.metric,
        direction=a.direction,
        best=a.best(),
    )
    alt = f"{title} of the best so far over {CLOCKS[a.clock].lower()}, {len(paths)} methods"
    show.panel("At any time", how, fig, "compare-anytime", alt)
    _badge(apart)
    _small(said)


def _small(said: Sequence[str]) -> None:
    if said:
        st.markdown("  \n".join(f":small[:gray[{show.plain(text, 300)}]]" for text in said))


def finals(
    a: Asked, found: Sequence[dict[str, float]], means: Sequence[Interval], apart: Sequence[str]
) -> None:
    """What every run came to; a click opens the run."""
    rows = []
    for look, m, values, mean in zip(looks(a), a.methods, found, means, strict=True):
        runs = [r for r in m.runs if r.id in values]
        said = [
            f"{r.summary.title or m.name}\nseed {r.summary.seed}: {value(a, values[r.id])}\n{r.summary.state}"
            for r in runs
        ]
        rows.append(Finals(look, np.array([values[r.id] for r in runs]), [r.id for r in runs], said, mean))
    title = compareask.title(a.metric)
    how = (
        "A dot is a run, the diamond the mean of its method with Student's 95 % interval. Click a dot to "
        "open the run. Whiskers that overlap do not say that two methods are alike; see the tests below."
    )
    fig = figures_compare.finals(rows, show.theme(), x=title, best=a.best())
    alt = f"{title} that {len(a.runs)} runs of {len(rows)} methods came to"
    event: Any = show.panel("In the end", how, fig, "compare-finals", alt, select="rerun")
    if run := show.clicked(event):
        links.go(links.RUNS, run=run)
    _badge(apart)


def chance(a: Asked, found: Sequence[dict[str, float]], apart: Sequence[str]) -> None:
    """Relative improvement over the random average."""
    how = (
        "Relative improvement over the average of random architectures: 100 (mean found - random mean) / "
        "random mean, in accuracy (Yang and others 2020). The average, never the best of the random ones. "
        "Right of the dotted line search adds something. Whiskers are 95 % intervals."
    )
    if not a.base:
        show.over("More than chance?", how)
        show.empty(
            "casino",
            "Nothing tells what chance would give.",
            "Add runs of random search in the same space, or search on a benchmark table.",
        )
        return
    made = comparecalc.improvements(a, found)
    rows = [(look, m.percent) for look, m in zip(looks(a), made, strict=True) if isinstance(m, Improvement)]
    if not rows:
        show.over("More than chance?", how)
        show.empty("casino", "There is no improvement to tell.", f"{str(made[0]).capitalize()}.")
        return
    fig = figures_compare.improvement(rows, show.theme(), x="Relative improvement over random (%)")
    show.panel(
        "More than chance?", how, fig, "compare-chance", f"Relative improvement of {len(rows)} methods"
    )
    compareask.base(a)
    _badge(apart)
    _small(_said_of_chance(a, made))


def _said_of_chance(a: Asked, made: Sequence[Improvement | str]) -> list[str]:
    known = [m for m in made if isinstance(m, Improvement)]
    called = comparecalc.bases(a)[a.base]
    of = (
        "the table's own mean, which has no noise" if a.base == TABLE else "drawn architectures, each counted"
    )
    said = [f"Chance is {called}: {of}; accuracy {value(a, known[0].random)}."]
    if not a.metric.startswith("test_"):
        said.append(
            "Found ones were chosen by this very number, so it flatters them; a test metric does not."
        )
    said += [f"{m.name}: {text}." for m, text in zip(a.methods, made, strict=True) if isinstance(text, str)]
    return said


def surfaces(a: Asked, apart: Sequence[str]) -> None:
    """Attainment surfaces of two objectives."""
    how = (
        "What a method attains in two objectives at once. The line bounds what half of its runs attain: for "
        "each point on it half of the seeds have found something at least as good in both. The band goes "
        "from what a single run attains to what all of them do."
    )
    if len(a.objectives) > 2:
        how += " Of these two objectives alone; what is best in a third may lie behind."
    compareask.pair(a)
    made = comparecalc.attained(a)
    drawn = [Attained(look, s, len(m.runs)) for look, s, m in zip(looks(a), made, a.methods, strict=True)]
    x, y = (_axis(a, m) for m in a.pair)
    fig = figures_compare.attainment(drawn, (x, y), show.theme())
    alt = f"Attainment surfaces of {len(drawn)} methods in {x.title} and {y.title}"
    show.panel("Attained together", how, fig, "compare-attained", alt)
    _badge(apart)


def _axis(a: Asked, metric: str) -> Axis:
    unit = "%" if stores.is_percent(metric) else ""
    way: Any = a.objectives[metric]
    return axes.axis(Column(metric, words.metric_title(metric), unit, way), np.zeros(0))
