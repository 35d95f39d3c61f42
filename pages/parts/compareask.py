"""The controls of the Compare page: they write the address and show what stands there.

`runs=ID,ID`; `by=error` (or `hypervolume`); `over=evaluations`; `band=range`; `base=table` or a method's key;
`pair=error,params`; `compare_way=seconds`; `name_KEY=what a method is called`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from nascore.measures import compare
from nascore.view import words
from pages.parts import comparecalc, comparedata, fronts, show
from pages.parts.comparecalc import Asked
from pages.parts.comparedata import CLOCKS, VOLUME, Method, Run

MOST = 60  # runs at once
NAME = 40  # letters of a method's name
KEY = re.compile(r"name_([0-9a-f]{8})")
BANDS = {"range": "worst to best", "interval": "95 % of the mean"}
WAYS = {"epochs": "Epochs", "seconds": "Active time (s)"}


def _follow(key: str, value: Any) -> str:
    """A widget's key, whose value is that of the address."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def chosen(frame: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Runs that the address asks for, or those alike with the newest; and what of them is not there.

    Args:
        frame: of runs with results, newest first.
    """
    known = frame["run"].astype(str).tolist()
    asked = [r for r in dict.fromkeys(st.query_params.get("runs", "").split(",")) if r]
    found = [r for r in asked if r in set(known)][:MOST]
    missing = [r for r in asked if r not in set(known)]
    return (found or comparedata.alike(frame, known[0])[:MOST]), missing


def renamed() -> dict[str, str]:
    """Method -> what a person called it."""
    found = {hit[1]: st.query_params[name] for name in st.query_params if (hit := KEY.fullmatch(name))}
    return {key: " ".join(text.split())[:NAME] for key, text in found.items() if text.strip()}


def put_runs(ids: Sequence[str]) -> None:
    """Writes which runs are compared."""
    fronts.put(runs=",".join(dict.fromkeys(ids)))


def choose_runs(frame: pd.DataFrame, ids: list[str]) -> None:
    """Which runs, one by one."""
    labels = {str(row["run"]): comparedata.label(row) for row in frame.to_dict("records")}

    def take() -> None:
        put_runs(st.session_state["compare_runs"])

    st.multiselect(
        "Runs",
        list(labels),
        key=_follow("compare_runs", ids),
        max_selections=MOST,
        on_change=take,
        format_func=lambda r: str(labels.get(r, r)),
        width="stretch",
    )


def choose_more(frame: pd.DataFrame, ids: list[str], rest: list[str]) -> None:
    """Whole methods at once."""
    kinds: dict[str, list[str]] = {}
    for row in frame.to_dict("records"):
        said = (str(row[k]).replace("_", " ") for k in ("strategy", "space", "task"))
        kinds.setdefault(" · ".join(said), []).append(str(row["run"]))

    def add() -> None:
        if picked := st.session_state.get("compare_kind"):
            put_runs([*ids, *kinds[picked]][:MOST])
        st.session_state["compare_kind"] = None

    with st.popover("Add", icon=":material/playlist_add:", width=100):
        st.selectbox(
            "Add all runs of",
            list(kinds),
            index=None,
            key="compare_kind",
            placeholder="Strategy, space and data",
            on_change=add,
            format_func=lambda k: f"{k} ({len(kinds[k])})",
        )
        st.button(
            f"Add {len(rest)} more of these methods",
            key="compare_rest",
            icon=":material/group_add:",
            disabled=not rest,
            on_click=put_runs,
            args=([*ids, *rest][:MOST],),
        )
        st.button(
            "As at first",
            key="compare_first",
            icon=":material/restart_alt:",
            on_click=fronts.put,
            kwargs={"runs": ""},
        )


def absent(missing: Sequence[str], ids: Sequence[str], runs: Sequence[Run]) -> None:
    """What was asked for and is not shown, and why."""
    said = [f"There is no run {r[:60]} with results." for r in missing[:3]]
    if len(missing) > len(said):
        said.append(f"{len(missing) - len(said)} more are not there.")
    read = {r.id for r in runs}
    said += [f"Run {r} cannot be read." for r in ids if r not in read][:3]
    if said:
        st.info(show.plain(" ".join(said), 400), icon=":material/info:")


def rename(methods: Sequence[Method]) -> None:
    """What methods are called."""

    def take(key: str) -> Callable[[], None]:
        return lambda: fronts.put(**{f"name_{key}": st.session_state[f"compare_name_{key}"].strip()[:NAME]})

    given = renamed()
    with st.popover("Names", icon=":material/edit:", width=110):
        st.markdown(
            ":small[:gray[Runs that differ in their seed alone are one method. Empty is its own name.]]"
        )
        for m in methods:
            st.text_input(
                show.plain(m.name),
                key=_follow(f"compare_name_{m.key}", given.get(m.key, "")),
                placeholder=m.name,
                max_chars=NAME,
                on_change=take(m.key),
            )


def asked(methods: Sequence[Method]) -> Asked | None:
    """What the address asks of these methods; nonsense in it is as good as nothing.

    Returns:
        None where the runs share no objective with one direction.
    """
    runs = [r for m in methods for r in m.runs]
    objectives = compare.directions([r.summary.objectives for r in runs])
    objectives = {m: d for m, d in objectives.items() if all(m in r.arrays.values for r in runs)}
    if not objectives:
        return None
    metrics = _metrics(objectives, runs)
    clocks = [c for c in CLOCKS if all(c in r.arrays.clocks for r in runs)]
    pair = [m for m in st.query_params.get("pair", "").split(",") if m in objectives]
    pair = pair if len(set(pair)) == len(pair) == 2 else list(objectives)[1::-1]
    a = Asked(
        methods=tuple(methods),
        objectives=objectives,
        metrics=metrics,
        metric=_one("by", list(metrics)),
        clocks=tuple(clocks),
        clock=_one("over", clocks),
        band=_one("band", list(BANDS)),
        truths=tuple(comparedata.truth(m) for m in methods),
        base="",
        pair=tuple(pair) if len(objectives) > 1 else (),
    )
    found = list(comparecalc.bases(a))
    return Asked(**{**a.__dict__, "base": _one("base", found) if found else ""})


def _metrics(objectives: dict[str, str], runs: Sequence[Run]) -> dict[str, str]:
    """What runs can be compared by: objectives, their test metrics, the hypervolume of several."""
    out = {m: m for m in objectives}
    for m in objectives:
        out |= {t: m for t in comparedata.tests_of(m) if all(t in r.arrays.values for r in runs)}
    return out | ({VOLUME: ""} if len(objectives) > 1 else {})


def _one(name: str, options: Sequence[str]) -> str:
    given = st.query_params.get(name, "")
    return given if given in options else next(iter(options))


def title(metric: str) -> str:
    """A metric as people read it."""
    return "Hypervolume (share of the box)" if metric == VOLUME else words.metric_title(metric)


def controls(a: Asked) -> None:
    """What is measured, over what, with which band."""
    _choose("Measured by", "by", a.metric, {m: title(m) for m in a.metrics}, width=250)
    _choose("Over", "over", a.clock, {c: CLOCKS[c] for c in a.clocks}, width=250)
    _choose("Band", "band", a.band, BANDS, width=180)


def base(a: Asked) -> None:
    """What stands for chance."""
    found = comparecalc.bases(a)
    if len(found) > 1:
        _choose("Chance is", "base", a.base, found, width=300)


def pair(a: Asked) -> None:
    """Which two of several objectives are drawn."""
    if len(a.objectives) > 2:
        names = list(a.objectives)
        options = {
            f"{y},{x}": f"{title(x)} and {title(y)}" for i, x in enumerate(names) for y in names[i + 1 :]
        }
        _choose("Objectives", "pair", ",".join(a.pair), options, width=380)


def way() -> str:
    """Over what shared networks are seen on their way, a key of `WAYS`."""

    def take() -> None:
        picked = st.session_state["compare_clock"]
        fronts.put(compare_way="" if picked == next(iter(WAYS)) else picked)

    found = _one("compare_way", list(WAYS))
    st.segmented_control(
        "Over", list(WAYS), required=True, key=_follow("compare_clock", found), on_change=take,
        format_func=WAYS.__getitem__, label_visibility="collapsed",
    )  # fmt: skip
    return found


def _choose(label: str, name: str, value: str, options: dict[str, str], width: int) -> None:
    """A select box that writes the address; what comes first is not written."""

    def take() -> None:
        picked = st.session_state[f"compare_{name}"]
        fronts.put(**{name: "" if picked == next(iter(options)) else picked})

    st.selectbox(
        label,
        list(options),
        key=_follow(f"compare_{name}", value),
        on_change=take,
        format_func=lambda o: str(options.get(o, o)),
        width=width,
    )
