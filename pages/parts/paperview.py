"""One paper opened: idea, home, what to try, its claims with their figures, picture, and running it again."""

from __future__ import annotations

import json
from typing import Any

import streamlit as st

from nascore.errors import AppError
from nascore.studies import STUDIES, jobs, results
from nascore.studies.claim import Document
from nascore.studies.paper import FAMILIES, Paper
from nascore.view import figures_study, words
from pages.parts import errors, jobpanel, links, papercards, papertext, show
from pages.parts.papercards import Card

SHIPPED, YOURS, SEEDS = "shipped", "yours", "seeds"
SAID = {SHIPPED: "Shipped", YOURS: "Yours"}
CLAIMS_HOW = (
    "A claim says which values make it hold. Where chance is involved it is **reproduced** only if the whole "
    "95 % interval lies among them, **not reproduced** if none of it does, and **unclear** otherwise. "
    "`exact` means that nothing is left to chance. The small print says how our trial "
    "differs from the paper's."
)
POLL_SECONDS = 1.0


def paper(c: Card) -> None:
    """Everything about one paper."""
    p = c.paper
    links.link(links.PAPERS, "All papers", "arrow_back")
    left, right = st.columns([1.9, 1], gap="medium")
    with left:
        st.markdown(
            f"{show.badge(papercards.VERDICTS, c.verdict)} :gray-badge[{FAMILIES[p.family]}] "
            f":gray-badge[{p.year}]"
        )
        st.markdown(f"**{show.plain(p.title, 200)}**  \n[arXiv {p.arxiv}]({p.link})")
        st.markdown(show.plain(p.idea, 1200))
    with right, st.container(border=True, gap="xsmall", key="paper-home"):
        _home(p)
    if p.key in STUDIES:
        _study(p)
    else:
        show.empty("hourglass_empty", "No study of this paper yet.", _next(p))


def _next(p: Paper) -> str:
    if p.built:
        return "Its idea is built, so you can use it; its claims have not been tried."
    return "It is not built yet either; this card says what it is about."


def _home(p: Paper) -> None:
    """Where its idea lives, and the way to use it."""
    st.markdown("**Where it lives**")
    if not p.built:
        st.markdown(":gray-badge[:material/construction: not built yet]")
        st.markdown(f":small[:gray[It will be `nascore/{p.path}.py`.]]")
        return
    st.markdown(f"`nascore/{p.path}.py`")
    if document := p.ready():
        links.link(links.SEARCH, "Try it", "play_arrow", spec=json.dumps(document, separators=(",", ":")))
        st.markdown(":small[:gray[Opens a new search, filled in; nothing starts by itself.]]")
    else:
        st.markdown(":small[:gray[No search shows it by itself.]]")


def _study(p: Paper) -> None:
    """Result, picture, rerun."""
    known: dict[str, Document | None] = {SHIPPED: results.shipped(p.key), YOURS: results.rerun(p.key)}
    there = [k for k, d in known.items() if d is not None]
    asked = st.query_params.get("result", "")
    which = asked if asked in there else there[0] if there else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="paper-which"):
        show.over("Claims", CLAIMS_HOW, key="claims")
        if len(there) > 1:
            st.session_state["paper_result"] = which
            st.segmented_control(
                "Whose result", there, key="paper_result", required=True, on_change=_take_result,
                format_func=lambda k: SAID[k], label_visibility="collapsed",
            )  # fmt: skip
    shown = known.get(which)
    if shown is None:
        show.empty("hourglass_empty", "This study has not been run yet.", "Run it below.")
    else:
        _result(p, shown, which)
    for check in results.checked(p.key):
        _check(check)
    _again(p)


def _check(check: Document) -> None:
    """What was computed from others' published numbers, with the figures that they print."""
    with st.expander("Against published numbers", icon=":material/fact_check:"):
        st.markdown(f":small[:gray[{show.plain(check['what'], 400)}.]]")
        frame = papertext.against(check["rows"])
        config = {
            "text": st.column_config.TextColumn("What", width=470),
            "measured": st.column_config.TextColumn("Computed here [95 % interval]", width=195),
            "n": st.column_config.NumberColumn("n", format="localized", width=75),
            "printed": st.column_config.TextColumn("Published", width=85),
        }
        st.dataframe(frame, hide_index=True, column_config=config, height=min(35 * len(frame) + 38, 458))


def _take_result() -> None:
    """Puts whose result is shown into the address."""
    st.query_params["result"] = str(st.session_state["paper_result"])


def _result(p: Paper, shown: Document, which: str) -> None:
    common = papertext.common_scale(shown["claims"])
    with st.container(border=True, gap="small", key="paper-claims"):
        for claim in shown["claims"]:
            _claim(claim, common)
    if common:
        alone = any(c.get("scale") != common for c in shown["claims"])
        said = f"Where a claim says nothing else: {common}" if alone else common
        st.markdown(f":small[:gray[{show.plain(said, 400)}]]")
    if beside := shown.get("beside"):
        _beside(beside)
    if shown.get("left"):
        st.markdown(f":small[:gray[{show.plain(shown['left'], 300)}]]")
    picture: Any = shown.get("picture") or {}
    fig = figures_study.study(picture, show.theme())
    if fig is not None:
        title = str(picture.get("title", "Picture"))
        show.panel(
            title, show.plain(picture.get("how", ""), 400), fig, f"study-{p.key}", f"{title} of {p.name}"
        )
    took, when = words.duration(shown.get("seconds")), shown.get("when")
    made = f"your run of {when} UTC" if which == YOURS and when else "shipped with the program"
    st.markdown(
        f":small[:gray[{show.plain(f'{shown.get(SEEDS)} seeds, at most {took} of one processor, {made}')}]]"
    )


def _beside(rows: list[Document]) -> None:
    """Numbers that no claim is about, as a small table."""
    st.markdown("**Also measured**")
    frame = papertext.beside(rows)
    config = {
        "text": st.column_config.TextColumn("What", width=520),
        "measured": st.column_config.TextColumn("Measured [95 % interval]", width=250),
        "n": st.column_config.TextColumn("n", width=75),
    }
    st.dataframe(frame, hide_index=True, column_config=config, height=min(35 * len(frame) + 38, 318))


def _claim(claim: Document, common: str) -> None:
    """One claim: what is said, expected and measured, and the verdict; how it differs, unless all do so."""
    color, icon = papercards.CLAIM.get(str(claim["verdict"]), ("gray", "help"))
    words_, expected, found, verdict = st.columns([3.1, 1.5, 1.7, 1.1], gap="small")
    with words_:
        own = "" if claim.get("scale") == common else claim.get("scale", "")
        scale = f"  \n:small[:gray[{show.plain(own, 300)}]]" if own else ""
        st.markdown(show.plain(claim["text"], 300) + scale)
    with expected:
        st.markdown(f":small[:gray[expected]]  \n{show.plain(claim['expected'])}")
    with found:
        n = papertext.many(claim)
        tail = n if n == "exact" else f"n = {n}"
        st.markdown(f":small[:gray[measured, {show.plain(tail)}]]  \n{show.plain(papertext.measured(claim))}")
    with verdict:
        st.markdown(f":{color}-badge[:material/{icon}: {show.plain(claim['verdict'])}]")


def _again(p: Paper) -> None:
    """Runs the study again, in the background."""
    now = jobs.standing(p.key)
    live = now is not None and now.live
    with st.container(border=True, gap="small", key="paper-again"):
        st.markdown("**Run it again**")
        st.fragment(_standing, run_every=POLL_SECONDS if live else None)(p.key)


def _standing(key: str) -> None:
    """How the rerun stands; the whole page runs again where one begins or ends, to poll and to show it."""
    now = jobs.standing(key)
    live = now is not None and now.live
    was = st.session_state.get(f"rerun-{key}")
    st.session_state[f"rerun-{key}"] = live
    if was is not None and was != live:
        st.rerun()
    if now is not None:
        jobpanel.told(now)
    if now is not None and live:
        st.button("Cancel", icon=":material/stop:", key="study_cancel", on_click=jobs.cancel, args=(key,),
                  disabled=now.state == "stopping", help="What it has measured is kept.")  # fmt: skip
        return
    seeds: Any = STUDIES[key]().seeds
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.number_input(
            "Seeds", 1, jobs.MOST_SEEDS, value=seeds, step=1, key="study_seeds", width=120,
            help="Independent repetitions. More of them make intervals narrower and take longer.",
        )  # fmt: skip
        label = "Go on" if now is not None and now.state in ("stopped", "interrupted") else "Run again"
        st.button(label, icon=":material/replay:", key="study_run", on_click=_start, args=(key,))
    if refusal := st.session_state.pop("study_refused", ""):
        errors.refused(refusal)
    st.markdown(
        ":small[:gray[It runs in the background and replaces your own result, never the shipped one.]]"
    )


def _start(key: str) -> None:
    try:
        jobs.start(key, int(st.session_state["study_seeds"]))
    except AppError as error:
        st.session_state["study_refused"] = str(error)
