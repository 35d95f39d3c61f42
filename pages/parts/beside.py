"""A search beside one that is compared: random search with its budget, or the other way to share weights."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from nascore.errors import AppError
from nascore.runs import launch
from nascore.runs.spec import from_document
from nascore.runs.state import Summary
from pages.parts import comparedata, errors, fronts, links, show, stores
from pages.parts.comparedata import Method, Run

KINDS = {"random": "Random search, same budget", "sharing": "The other sharing of weights"}
OTHER = {"separate": "entangled", "entangled": "separate"}
ENTANGLED = ("single_path", "tas")
COSTS = ("step_ms", "backward_mib", "peak_mib")  # told by searches with shared weights after each epoch
HOW = (
    "The same search with one thing changed, space, data, judge and seed as they are. A search with shared "
    "weights spends its time on one large network: random search beside it trains architectures for as many "
    "seconds as that one took. Else both have the same limits."
)


def sharing(document: dict[str, Any], costs: dict[str, float]) -> str:
    """How a search shares weights; "" where it does not."""
    strategy = document["strategy"]
    if said := strategy["knobs"].get("sharing"):
        return str(said)
    if not costs:
        return ""
    return "entangled" if strategy["name"] in ENTANGLED else "separate"


def costs(runs: Sequence[Run]) -> dict[str, float]:
    """Name of `COSTS` -> mean over the epochs of all runs; only what they tell."""
    found: dict[str, list[float]] = {}
    for one in runs:
        steps = stores.steps(one.id)
        for name in COSTS:
            values = steps.loc[steps["name"] == name, "value"].astype(float).to_numpy()
            found.setdefault(name, []).extend(v for v in values if math.isfinite(v))
    return {name: sum(v) / len(v) for name, v in found.items() if v}


def cells(m: Method) -> dict[str, str]:
    """What a method's row says of shared weights: sharing, time of a step, memory."""
    found = costs(m.runs)
    memory = found.get("peak_mib", found.get("backward_mib"))
    return {
        "sharing": sharing(m.document, found),
        "step": f"{found['step_ms']:,.1f} ms" if "step_ms" in found else "",
        "memory": f"{memory:,.1f} MiB" if memory is not None else "",
    }


def changed(document: dict[str, Any], kind: str, summary: Summary) -> dict[str, Any]:
    """The document of the search beside.

    Args:
        document: of a run.
        kind: one of `KINDS`.
        summary: of the same run, for the seconds that it took.
    """
    out = {**copy.deepcopy(document), "title": ""}
    if kind == "sharing":
        out["strategy"]["knobs"]["sharing"] = OTHER[out["strategy"]["knobs"]["sharing"]]
        return out
    trains = document["evaluator"]["name"] != "tabular"
    if trains and "epochs" in document["strategy"]["knobs"]:
        out["budget"] = {"evaluations": 0, "seconds": max(round(summary.seconds, 1), 1.0)}
    out["strategy"] = {"name": "random_search", "knobs": {"batch": 1} if trains else {}}
    return out


def kinds(document: dict[str, Any]) -> list[str]:
    """What can be launched beside a search."""
    random = document["strategy"]["name"] != "random_search"
    return ["random"] * random + ["sharing"] * ("sharing" in document["strategy"]["knobs"])


def ask(methods: Sequence[Method], ids: Sequence[str]) -> None:
    """A button that asks beside which method, and what."""
    fit = {m.name: m for m in methods if kinds(m.document)}
    with st.popover("Launch beside", icon=":material/add_circle:", width=165, disabled=not fit):
        st.markdown(f":small[:gray[{HOW}]]")
        if not fit:
            return
        name = str(st.selectbox("Beside", list(fit), key="beside_method"))
        own = fit.get(name, next(iter(fit.values())))
        offered = kinds(own.document)
        kind = str(
            st.radio("What", offered, key=f"beside_kind_{'_'.join(offered)}", format_func=KINDS.__getitem__)
        )
        st.button(
            f"Launch {len(own.runs)} run{'' if len(own.runs) == 1 else 's'}", key="beside_go", type="primary",
            icon=":material/rocket_launch:", on_click=_launch, args=(own, kind, tuple(ids)),
        )  # fmt: skip


def _launch(own: Method, kind: str, ids: tuple[str, ...]) -> None:
    """The button's callback: one run a seed, which stand in the address from then on."""
    new: list[str] = []
    try:
        for one in own.runs:
            document = comparedata.document(one.id) or own.document
            new.append(launch.start(from_document(changed(document, kind, one.summary))))
    except AppError as error:
        st.session_state["beside_refused"] = str(error)
    if new:
        st.toast(
            "1 run has begun" if len(new) == 1 else f"{len(new)} runs have begun", icon=":material/check:"
        )
    stores.owner().refresh()
    fronts.put(runs=",".join(dict.fromkeys([*ids, *new])))


def waiting(missing: Sequence[str]) -> list[str]:
    """Says which of the runs that were asked for have no result yet; the ids of the others."""
    if refusal := st.session_state.pop("beside_refused", ""):
        errors.refused(refusal)
    live = [r for r in missing if (s := stores.run(r)) and s.live]
    if live:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="beside-waiting"):
            many = "1 run has" if len(live) == 1 else f"{len(live)} runs have"
            st.markdown(f":small[:gray[{many} begun and will stand here with the first result:]]")
            for run in live[:6]:
                links.link(links.RUNS, show.plain(run[-6:]), "monitoring", run=run)
            st.button("Look again", icon=":material/refresh:", type="tertiary", key="beside_look")
    return [r for r in missing if r not in live]
