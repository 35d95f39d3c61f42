"""The tables of the Compare page: methods, tests of significance, the checklist."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from nascore.measures.checklist import Answer, Entry, Fact, checklist
from nascore.measures.significance import FEWEST, Trial
from nascore.stats import Interval
from nascore.view import words
from pages.parts import beside, compareask, comparecalc, comparedata, compareview, show, tables
from pages.parts.comparecalc import Asked

ANSWERS: dict[Answer, tuple[str, str, str]] = {
    "yes": ("green", "check", "yes"),
    "no": ("orange", "close", "no"),
    "unknown": ("gray", "help", "not known"),
}


def facts(a: Asked) -> list[Fact]:
    """What the runs tell about themselves."""
    out = []
    for m in a.methods:
        for r in m.runs:
            tests = [t for t, by in a.metrics.items() if t != by and t != comparedata.VOLUME]
            own = tests or [t for o in a.objectives for t in comparedata.tests_of(o)]
            tested = any(pd.notna(r.arrays.values[t]).any() for t in own if t in r.arrays.values)
            out.append(comparedata.fact(r, m.name, tested))
    return out


def methods(a: Asked, found: Sequence[dict[str, float]], means: Sequence[Interval]) -> None:
    """One row a method: seeds, what it came to, regret, cost."""
    title = compareask.title(a.metric)
    rows: list[dict[str, Any]] = []
    for m, values, mean in zip(a.methods, found, means, strict=True):
        regret = comparecalc.regret(a, values)
        summaries = [r.summary for r in m.runs]
        rows.append(
            {
                "method": m.name,
                "seeds": len(m.runs),
                "value": compareview.span(a, mean),
                "regret": compareview.span(a, regret, 3) if regret else "",
                "best": _best(a, values),
                "tried": round(sum(s.evaluations for s in summaries) / len(summaries)),
                "seconds": words.duration(sum(s.seconds for s in summaries) / len(summaries)),
                "clock": _simulated(m),
                **beside.cells(m),
            }
        )
    frame = pd.DataFrame(rows)
    known = any(r["regret"] for r in rows)
    columns: dict[str, Any] = {
        "method": st.column_config.TextColumn("Method", width=240),
        "seeds": st.column_config.NumberColumn("Seeds", width=60),
        "value": st.column_config.TextColumn(
            title, help="Mean over the seeds with its 95 % interval.", width=170
        ),
        "regret": st.column_config.TextColumn(
            "Regret",
            help="Distance of the mean to the best of the whole table, with its 95 % interval.",
            width=155,
        ),
        "best": st.column_config.TextColumn(
            "At the best", help="Runs that found the best of the whole table.", width=85
        ),
        "tried": st.column_config.NumberColumn("Tried", width=90),
        "seconds": st.column_config.TextColumn("Active time", width=95),
        "clock": st.column_config.TextColumn("Simulated time", width=115),
        "sharing": st.column_config.TextColumn(
            "Sharing", help="How the options of a choice share weights in the one large network.", width=90
        ),
        "step": st.column_config.TextColumn(
            "A step", help="One step of training the shared network, the mean over epochs.", width=85
        ),
        "memory": st.column_config.TextColumn(
            "Memory",
            help="What autograd keeps for the backward pass at its fullest; on a GPU the allocator's peak.",
            width=90,
        ),
    }
    maybe = ("clock", "sharing", "step", "memory")
    unused = [n for n in maybe if not any(r[n] for r in rows)] + ([] if known else ["regret", "best"])
    show.over("Methods", "Seeds of one method differ in nothing else. Means are over its seeds.")
    st.dataframe(
        frame.drop(columns=unused),
        hide_index=True,
        key="compare_methods",
        height=tables.height(len(frame)),
        column_config={k: v for k, v in columns.items() if k not in unused},
        alt=f"{len(frame)} methods with what they came to",
    )
    repeated = sum(len(m.repeated) for m in a.methods)
    if repeated:
        st.markdown(
            f":small[:gray[Left out because another run has their seed: {repeated}. The one that came "
            "farthest counts.]]"
        )


def _best(a: Asked, values: dict[str, float]) -> str:
    best = a.best()
    if not math.isfinite(best) or not values:
        return ""
    return (
        f"{sum(math.isclose(v, best, rel_tol=1e-9, abs_tol=1e-12) for v in values.values())} of {len(values)}"
    )


def _simulated(m: comparedata.Method) -> str:
    ends = [
        float(r.arrays.clocks["simulated_seconds"][-1])
        for r in m.runs
        if "simulated_seconds" in r.arrays.clocks
    ]
    return words.duration(sum(ends) / len(ends)) if len(ends) == len(m.runs) else ""


def significant(a: Asked, trials: Sequence[Trial]) -> None:
    """Every method against every other one."""
    how = (
        "Wilcoxon's signed-rank test where both methods have the same seeds, else Mann-Whitney; two-sided, "
        f"corrected by Holm for all tests of the table. With fewer than {FEWEST} seeds there is no p-value. "
        "The difference is the first mean minus the second, with Student's (pairs) or Welch's interval. "
        "Wins: how often a run of the first beats one of the second, ties half; 0.50 is a draw; its interval "
        "is Wilson's (pairs) or Newcombe's. With few seeds and many tests no outcome could give a small p: "
        "then the table says how small it can be at all; more seeds or fewer methods help."
    )
    show.over("Is the difference real?", how)
    if not trials:
        st.markdown(":gray[A test needs two methods that found something.]")
        return
    names = {m.key: m.name for m in a.methods}
    many = sum(math.isfinite(t.p) for t in trials)
    frame = pd.DataFrame([_row(a, t, names, many) for t in trials])
    columns: dict[str, Any] = {
        "pair": st.column_config.TextColumn("First against second", width=300),
        "n": st.column_config.TextColumn("Seeds", width=70),
        "difference": st.column_config.TextColumn(
            "Difference (points)" if compareview.is_points(a) else "Difference", width=160
        ),
        "wins": st.column_config.TextColumn("Wins of the first", width=130),
        "p": st.column_config.TextColumn("p, corrected", width=90),
        "verdict": st.column_config.TextColumn("In words", width=250),
    }
    st.dataframe(
        frame,
        hide_index=True,
        key="compare_trials",
        height=tables.height(len(frame)),
        column_config=columns,
        alt=f"{len(frame)} comparisons of two methods with difference, effect and p-value",
    )
    st.download_button(
        "CSV of the tests",
        frame.to_csv(index=False),
        "tests.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
        key="compare_csv",
    )


def _row(a: Asked, t: Trial, names: dict[str, str], many: int) -> dict[str, str]:
    n = f"{t.n[0]} pair{'s' * (t.n[0] != 1)}" if t.paired else f"{t.n[0]} and {t.n[1]}"
    return {
        "pair": f"{names[t.a]} - {names[t.b]}",
        "n": n,
        "difference": compareview.span(a, t.difference, 3),
        "wins": words.interval(t.wins.value, t.wins.low, t.wins.high)
        if math.isfinite(t.wins.low)
        else f"{t.wins.value:.2f}",
        "p": "" if math.isnan(t.holm) else f"{t.holm:.3g}",
        "verdict": words_of(a, t, names, many),
    }


def words_of(a: Asked, t: Trial, names: dict[str, str], many: int) -> str:
    """One of so many tests in a sentence; one that could not have come out otherwise says so."""
    if t.words:
        return t.words[:1].upper() + t.words[1:]
    if t.holm < compareview.ALPHA:
        ahead = (t.difference.value < 0) == (a.direction == "min")
        return f"{names[t.a] if ahead else names[t.b]} is better"
    if (least := t.least * many) >= compareview.ALPHA:
        return f"Not told apart; p cannot be below {min(least, 1):.2g}"
    return "Not told apart"


def practice(entries: Sequence[Entry]) -> None:
    """The checklist, filled in."""
    how = (
        "After Lindauer and Hutter, Best Practices for Scientific Research on Neural Architecture Search "
        "(2020), in our own words. Filled in from the runs; what they cannot tell is not known."
    )
    kept = sum(e.answer == "yes" for e in entries)
    show.over("Good practice", how)
    st.markdown(
        f"**{kept}** of {len(entries)} kept :gray[· {sum(e.answer == 'no' for e in entries)} not, "
        f"{sum(e.answer == 'unknown' for e in entries)} not known]"
    )
    lines = ["| | Practice | Evidence |", "|---|---|---|"]
    part = ""
    for e in entries:
        if e.part != part:
            part = e.part
            lines.append(f"| | **{show.plain(part)}** | |")
        color, icon, word = ANSWERS[e.answer]
        badge = f":{color}-badge[:material/{icon}: {word}]"
        lines.append(f"| {badge} | {show.plain(e.say)} | :gray[{show.plain(e.evidence, 240)}] |")
    st.markdown("\n".join(lines))


def entries(a: Asked, told: Sequence[Fact], left_out: int) -> list[Entry]:
    """The checklist of these runs."""
    base = comparecalc.bases(a).get(a.base, "")
    return checklist(told, left_out, base[:1].upper() + base[1:])
