"""What the Ranking page is asked, and its controls: they write the address and show what stands there.

`source=table:NAME` or `run:ID`; `truth=test_accuracy`; `by=params,val_accuracy@3,TABLE:METRIC`;
`measure=spearman`; `pick=synflow`; `k=20`; `top=1`, `where=...` as on Benchmarks, `common=1`;
`resamples=200`; `view=cost`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from nascore.benchmarks import filters, judges
from nascore.benchmarks.judges import Court, Scores
from nascore.measures import ranking
from nascore.measures.ranking import Trial
from nascore.stats import Interval
from nascore.view import axes
from nascore.view.figures_ranking import Line
from pages.parts import links, rankdata, show
from pages.parts.benchask import put
from pages.parts.rankdata import Which

MOST = 30  # evaluators
MEASURES = {  # name -> what it is called, whether 1 is the best of it
    "kendall": ("Kendall tau-b", True),
    "weighted_kendall": ("Weighted tau", True),
    "spearman": ("Spearman rho", True),
    "pearson": ("Pearson r", True),
    "kendall_top_decile": ("Tau-b, best tenth", True),
    "partial_spearman": ("Spearman given size", True),
    "precision_at_k": ("Precision at K", True),
    "ndcg_at_k": ("NDCG at K", True),
    "best_rank_at_k": ("Best rank at K", False),
    "worst_rank_at_k": ("Worst rank at K", False),
    "regret_at_k": ("Regret at K", False),
}
VIEWS = {"scatter": "Scores", "ranks": "Rank changes", "truths": "Other truths", "cost": "Cost"}
RESAMPLES = {0: "By influence, at once", 200: "200 resamples", 1000: "1,000 resamples"}
OF_A_SOURCE = ("truth", "by", "pick", "where", "common", "top")


@dataclass(frozen=True)
class Asked:
    """One view.

    Attributes:
        mark: `table:NAME` or `run:ID`.
        court: its archs.
        truth: the metric that is true.
        by: evaluators, in the order in which they were chosen.
        measure: one of `MEASURES`.
        which: which archs are judged.
        k: of the measures at K.
        resamples: of the bootstrap; 0 for intervals by influence.
    """

    mark: str
    court: Court
    truth: Scores
    by: list[str]
    measure: str
    which: Which
    k: int
    resamples: int

    @property
    def high_is_good(self) -> bool:
        """Whether more of the measure is better."""
        return MEASURES[self.measure][1]

    def trial(self, name: str) -> Trial | str:
        """An evaluator's trial, or why there is none."""
        return rankdata.trial(self.mark, self.truth.name, name, self.which, self.k, self.resamples)

    def scores(self, name: str) -> Scores:
        """What an evaluator says."""
        return rankdata.scores(self.mark, name, self.truth.name)

    def called(self, measure: str) -> str:
        """A measure with its K."""
        return MEASURES[measure][0].replace(" K", f" {self.k}")


@dataclass(frozen=True)
class Answer:
    """What the court found.

    Attributes:
        trials: evaluator -> its trial, best first by the measure.
        lines: the same as the figures take them.
        refused: sentences about those that cannot be judged.
    """

    trials: dict[str, Trial]
    lines: list[Line]
    refused: list[str]


def asked(mark: str, court: Court) -> Asked:
    """What the address asks; nonsense in it is as good as nothing.

    Raises:
        BadInput: nothing here can be the truth.
    """
    query = st.query_params
    named = query.get("truth", "")
    known = named in court.columns and court.columns[named].direction
    truth = court.truth(named if known else judges.first_truth(court))
    given = [n.strip() for n in query.get("by", "").split(",") if n.strip()]
    by = given or rankdata.start(mark, court, truth.name)
    by = [n for n in dict.fromkeys(by) if n != truth.name][:MOST]
    measure = query.get("measure", "")
    where = query.get("where", "") if court.table is not None else ""
    where = filters.read(where, court.table).line() if court.table is not None else ""
    common = query.get("common") == "1"
    which = Which(query.get("top") == "1", where, common, tuple(by) if common else ())
    resamples = _whole(query.get("resamples", ""), 0)
    return Asked(
        mark,
        court,
        truth,
        by,
        measure if measure in MEASURES else "kendall",
        which,
        min(max(_whole(query.get("k", ""), ranking.PICKS), 1), 1000),
        resamples if resamples in RESAMPLES else 0,
    )


def _whole(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and len(text) < 9 else default


def answered(a: Asked) -> Answer:
    """All trials, best first; those without a value of this measure last."""
    found = {name: a.trial(name) for name in a.by}
    trials = {n: t for n, t in found.items() if not isinstance(t, str)}

    def place(name: str) -> float:
        value = number(trials[name], a.measure)
        return -math.inf if not math.isfinite(value) else value if a.high_is_good else -value

    order = sorted(trials, key=place, reverse=True)
    lines = [line(a, n, trials[n], (order[0], trials[order[0]])) for n in order]
    return Answer({n: trials[n] for n in order}, lines, [t for t in found.values() if isinstance(t, str)])


def number(trial: Trial, measure: str) -> float:
    """A measure's value."""
    value = getattr(trial, measure)
    return value.value if isinstance(value, Interval) else float(value)


def line(a: Asked, name: str, trial: Trial, leader: tuple[str, Trial]) -> Line:
    """A trial as the court draws it."""
    value, scores = getattr(trial, a.measure), a.scores(name)
    low, high = (value.low, value.high) if isinstance(value, Interval) else (math.nan, math.nan)
    return Line(
        name,
        called(name),
        number(trial, a.measure),
        low,
        high,
        trial.n,
        name == leader[0] or cannot_be_told_apart(a, leader, (name, trial)),
        scores.shares,
        scores.seconds,
    )


def called(name: str) -> str:
    """An evaluator in figures: as it is asked for, without what all our tables' names begin with."""
    return name.removeprefix("nasbench_")


def cannot_be_told_apart(a: Asked, leader: tuple[str, Trial], other: tuple[str, Trial]) -> bool:
    """Whether the interval of the paired difference reaches zero, on the archs that both know.

    False where the measure has no interval.
    """
    (first, one), (name, two) = leader, other
    if a.measure not in one.parts:
        return False
    if len(one.parts[a.measure].influence) == len(two.parts[a.measure].influence):
        found = ranking.difference(one, two, a.measure)
    else:
        found = rankdata.difference(a.mark, a.truth.name, (first, name), a.measure, a.which, a.resamples)
    return found.low <= 0 <= found.high


def _follow(key: str, value: Any) -> str:
    """A widget's key, whose value is that of the address."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def _choose(label: str, options: list[str], param: str, value: str, default: str, **more: Any) -> None:
    """A select that writes the address."""
    key = _follow(f"rank_{param}", value)

    def take() -> None:
        chosen = str(st.session_state[key])
        put(**{param: "" if chosen == default else chosen}, pick="" if param == "truth" else picked_now())

    st.selectbox(label, options, key=key, on_change=take, **more)


def picked_now() -> str:
    """The evaluator in the address."""
    return st.query_params.get("pick", "")


def choose_source(marks: dict[str, str], mark: str) -> None:
    """Which table or run."""
    key = _follow("rank_source", mark)

    def take() -> None:
        put(**dict.fromkeys(OF_A_SOURCE, ""), source=st.session_state[key])

    st.selectbox(
        "Table or run",
        list(marks),
        key=key,
        on_change=take,
        format_func=lambda m: str(marks.get(m, m)),
        width=235,
    )


def controls(a: Asked) -> None:
    """Truth, measure, evaluators, which archs."""
    columns = a.court.columns
    truths = [n for n, c in columns.items() if c.direction]
    first = judges.first_truth(a.court)
    _choose(
        "Truth", truths, "truth", a.truth.name, first, format_func=lambda n: axes.label(columns[n]), width=225
    )
    measures = list(MEASURES)
    _choose("Measure", measures, "measure", a.measure, "kendall", format_func=a.called, width=185)
    with st.popover(f"Evaluators ({len(a.by)})", icon=":material/groups:", width=165):
        _evaluators(a)
    many = len(a.which.where.split(";")) * bool(a.which.where) + a.which.top + a.which.common
    with st.popover(
        f"Which cells ({many})" if many else "Which cells", icon=":material/filter_alt:", width=155
    ):
        _which(a)


def _evaluators(a: Asked) -> None:
    """Who is judged."""
    offered = rankdata.options(a.mark, a.court, a.truth.name)
    key = _follow(f"rank_by_{a.mark}", a.by)

    def take() -> None:
        names = [str(n).replace(",", " ") for n in st.session_state[key]]
        start = rankdata.start(a.mark, a.court, a.truth.name)
        put(by="" if names == start or not names else ",".join(names))

    with st.container(width=520):
        st.multiselect(
            "Evaluators",
            list(dict.fromkeys([*offered, *a.by])),
            key=key,
            on_change=take,
            max_selections=MOST,
            accept_new_options=True,
            placeholder="Choose, or type a name",
            label_visibility="collapsed",
        )
        st.markdown(
            ":small[:gray[A name alone is a metric of this table. `val_accuracy@3` is its learning curve "
            "after 3 epochs, `ridge@200` a predictor that has learned from 200 architectures, `TABLE:METRIC` "
            "another table's word on the same architectures, `RUN:inherited` that of a run's supernet, where "
            "its sub-networks were measured, `RUN:METRIC` that of a run's own trials. You can type any.]]"
        )
        st.button("Start again", icon=":material/restart_alt:", on_click=put, kwargs={"by": "", "pick": ""})


def _which(a: Asked) -> None:
    """Which architectures, how many picks, which intervals."""
    with st.container(width=420):
        for param, label, value, tip in (
            (
                "top",
                "Only the best tenth in truth",
                a.which.top,
                "Where it matters, and where noise is worst.",
            ),
            ("common", "Only those that all evaluators know", a.which.common, "Then all are judged alike."),
        ):
            key = _follow(f"rank_{param}", value)
            st.toggle(label, key=key, on_change=_switch(param, key), help=tip)
        if a.court.table is not None:
            key = _follow("rank_where", a.which.where)
            st.text_input(
                "Filter",
                key=key,
                on_change=lambda: put(where=str(st.session_state[key])),
                placeholder="params=0..4000;edge_1_0=skip_connect",
                help="As in the address of Benchmarks: a metric's range, an edge's operations, ~text.",
            )
            links.link(links.BENCHMARKS, "Make a filter on Benchmarks", "scatter_plot", table=a.court.name)
        key = _follow("rank_k", a.k)
        st.number_input("K, how many are picked", 1, 1000, key=key, on_change=_number(key))
        key = _follow("rank_resamples", a.resamples)
        st.selectbox(
            "Intervals",
            list(RESAMPLES),
            key=key,
            on_change=_resample(key),
            format_func=RESAMPLES.__getitem__,
            help="Of each architecture it is known what it does to a correlation, which gives the interval "
            "at once. The bootstrap comes to the same and takes seconds an evaluator.",
        )


def _switch(param: str, key: str) -> Callable[[], None]:
    return lambda: put(**{param: "1" if st.session_state[key] else ""})


def _number(key: str) -> Callable[[], None]:
    def take() -> None:
        value = st.session_state[key] or ranking.PICKS
        put(k="" if value == ranking.PICKS else str(value))

    return take


def _resample(key: str) -> Callable[[], None]:
    return lambda: put(resamples=str(st.session_state[key] or ""))


def view(options: list[str], picked: str) -> str:
    """What stands at the right; the first is about the picked evaluator."""
    given = st.query_params.get("view", "")
    start = given if given in options else options[0]
    key = _follow("rank_view", start)

    def take() -> None:
        put(view="" if st.session_state[key] == options[0] else str(st.session_state[key]))

    st.segmented_control(
        "View",
        options,
        key=key,
        required=True,
        on_change=take,
        format_func=lambda v: show.plain(called(picked), 24) if v == options[0] else VIEWS[v],
        label_visibility="collapsed",
    )
    return start


def picked(answer: Answer) -> str:
    """The evaluator that is looked at: that of the address, else the leader."""
    given = picked_now()
    return given if given in answer.trials else answer.lines[0].name


def pick() -> None:
    """Takes a click into the court."""
    hit = show.clicked(st.session_state.get("rank-court"))
    if hit:
        put(pick=hit)
