"""Two architectures side by side: what differs in the cell, the network, the numbers and the source."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import difflib
from typing import Any

import pandas as pd
import streamlit as st

from nascore.errors import AppError, BadInput
from nascore.graph import Graph
from nascore.view import axes, pieces, scene, words
from nascore.view.tokens import LIVE
from pages.parts import arch, archfiles, archgraph, archview, bencharch, errors, links, show, stores, tables
from pages.parts.arch import Look
from pages.parts.graph import graph

HOW = (
    "The left side is the one you compare with, the right side this one. Orange with an arrow has changed, "
    "green with a plus is only here, red with a minus is only there; what is equal is pale. Differences are "
    "this one minus the other."
)
FEW = 8  # neighbors that are offered


def panel(look: Look, graph_: Graph, near: pd.DataFrame) -> None:
    """The card: with what to compare, and the comparison."""
    with st.container(border=True, gap="small", key="diff-card"):
        show.over("Compare with another", HOW, key="diff")
        _chooser(look, near)
        try:
            other = _other(look)
        except AppError as error:
            errors.refused(error)
            return
        if other is None:
            return
        _between(look, other)
        _cells(graph_, other.graph)
        _numbers(look, other)
        _more(look, other)


def _other(look: Look) -> Look | None:
    """The arch that the address compares with.

    Raises:
        BadInput: it is none of this space.
    """
    asked = st.query_params.get("with", "").strip()
    if not asked:
        return None
    space, found = arch.read(look.space, asked)
    if space != look.space:
        raise BadInput("with: this architecture is of another space; only those of one space are compared")
    if why := space.invalid(found):
        raise BadInput(f"with: {why}")
    return look.at(found)


def _chooser(look: Look, near: pd.DataFrame) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Compare with",
            key="with_text",
            on_change=_typed,
            placeholder="a key, an official string, or JSON of its choices",
        )
        options = [str(k) for k in near["key"]] if len(near) else []
        if options:
            names = {
                str(r["key"]): f"{r['edge']}: {arch.option_label(r['op'])}" for r in near.to_dict("records")
            }
            st.selectbox(
                "or one change away",
                options,
                index=None,
                key="with_near",
                on_change=_taken,
                format_func=lambda k: names[k],
                placeholder=f"{len(options)} neighbors",
                width=230,
            )
        st.button("Random", icon=":material/casino:", key="with_random", on_click=_random, args=(look,))
        if "with" in st.query_params:
            st.button(
                "Stop comparing", icon=":material/close:", key="with_stop", on_click=_stop, type="tertiary"
            )


def _typed() -> None:
    if text := st.session_state.get("with_text", "").strip():
        st.query_params["with"] = text
    st.session_state["with_text"] = ""


def _taken() -> None:
    if key := st.session_state.get("with_near"):
        st.query_params["with"] = key
    st.session_state["with_near"] = None


def _random(look: Look) -> None:
    st.query_params["with"] = arch.address(look.space, arch.drawn(look.space))


def _stop() -> None:
    st.query_params.pop("with", None)


def _between(look: Look, other: Look) -> None:
    """What changed, in words, and the way to the other one."""
    kept = {n: st.query_params[n] for n in ("space", "run", "task") if n in st.query_params}
    said = arch.difference(look.space, other.arch, look.arch)
    same = look.space.canonical(look.arch) == look.space.canonical(other.arch)
    with st.container(horizontal=True, vertical_alignment="center"):
        links.link(
            links.ARCHITECTURE,
            f"{other.key}",
            "swap_horiz",
            **{
                **kept,
                "arch": arch.address(look.space, other.arch),
                "with": arch.address(look.space, look.arch),
            },
        )
        st.markdown(f":gray[{show.plain(said, 300)}]")
    if same and look.arch != other.arch:
        st.markdown(":blue-badge[:material/equal: the same network, written in another way]")


def _cells(now: Graph, was: Graph) -> None:
    if not (now.nodes and was.nodes):
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.markdown("**The other one**")
        drawing = scene.cell(was, LIVE, compare=now, label="Cell of the other one, against this one")
        graph(drawing, key="diff-was", height=280)
    with right:
        st.markdown("**This one**")
        graph(
            scene.cell(now, LIVE, compare=was, label="Cell of this one, against the other"),
            key="diff-now",
            height=280,
        )


def _numbers(look: Look, other: Look) -> None:
    """All that is known of both, with differences and protocols."""
    rows = [*_counted(look, other), *_tried(look, other), *_tabled(look, other)]
    frame = pd.DataFrame(rows, columns=["metric", "other", "here", "difference", "protocol"])
    st.dataframe(
        frame,
        hide_index=True,
        height=min(tables.height(len(frame)), 360),
        key="diff_numbers",
        alt="Metrics of both architectures, their difference and protocol",
        column_config={
            "metric": st.column_config.TextColumn("Metric", width=190, pinned=True),
            "other": st.column_config.TextColumn("The other one", width=120),
            "here": st.column_config.TextColumn("This one", width=120),
            "difference": st.column_config.TextColumn("Difference", width=170),
            "protocol": st.column_config.TextColumn("Protocol", width=330),
        },
    )
    if len(rows) == 2:
        st.markdown(":small[:gray[No run and no table knows both, so only exact costs are compared.]]")


Row = tuple[str, str, str, str, str]


def _counted(look: Look, other: Look) -> list[Row]:
    here, there = look.graph, other.graph
    return [
        _row(words.metric_title(m), m, float(getattr(there, m)), float(getattr(here, m)), look.counted)
        for m in ("params", "flops")
    ]


def _row(title: str, metric: str, there: float, here: float, protocol: str) -> Row:
    return (
        title,
        words.metric(metric, there),
        words.metric(metric, here),
        change(metric, there, here),
        protocol,
    )


def change(metric: str, there: float, here: float) -> str:
    """How two values differ: in points for percents, else with the ratio."""
    gap = here - there
    if stores.is_percent(metric):
        return words.points(gap)
    if gap == 0:
        return "none"
    sign = "+" if gap > 0 else "-"
    size = words.metric(metric, abs(gap)).replace(f"{words.GAP}multiply-adds", "")
    return f"{sign}{size}" + (f" · {here / there:.2f} times" if there > 0 and here > 0 else "")


def _tried(look: Look, other: Look) -> list[Row]:
    """Metrics of runs that tried both."""
    theirs = {s.run: h for s, h in archview.safe_tries(other) if not h["failed"]}
    rows: list[Row] = []
    for summary, hit in archview.safe_tries(look):
        if hit["failed"] or summary.run not in theirs:
            continue
        told = stores.protocol(summary)
        there = theirs[summary.run]["metrics"]
        rows += [
            _row(words.metric_title(m), m, float(there[m]), float(v), told)
            for m, v in hit["metrics"].items()
            if there.get(m) is not None and v is not None and m not in ("params", "flops")
        ]
    return rows


def _tabled(look: Look, other: Look) -> list[Row]:
    """Metrics of tables that know both."""
    theirs = {t.name: row for t, row in bencharch.known(other)}
    rows: list[Row] = []
    for table, row in bencharch.known(look):
        if table.name not in theirs:
            continue
        for name, column in table.columns.items():
            values = table.values(name)
            there, here = float(values[theirs[table.name]]), float(values[row])
            if there != there or here != here:
                continue
            gap = words.points(here - there) if column.unit == "%" else change(name, there, here)
            told = axes.protocol(column) or table.name
            rows.append(
                (axes.label(column), axes.amount(column, there), axes.amount(column, here), gap, told)
            )
    return rows


def _more(look: Look, other: Look) -> None:
    """Networks and source, which have to be made first."""
    with st.container(horizontal=True):
        st.toggle(
            "Whole networks", key="both", bind="query-params", help="Builds both; some ten seconds once."
        )
        st.toggle("Source", key="lines", bind="query-params", help="Writes both; some twenty seconds once.")
    if st.session_state.get("both"):
        _networks(look, other)
    if st.session_state.get("lines") and (files := archfiles.wait([other, look], "torch", "Writing source")):
        _source(other, look, [f.decode() for f in files])


def _networks(look: Look, other: Look) -> None:
    found = archgraph.outlines([other, look])
    if found is None:
        return
    (was, _), (now, _) = found
    marks: list[dict[str, str]] = [pieces.compared(was, now), pieces.compared(now, was)]
    marks[0] = {id: "removed" if state == "added" else state for id, state in marks[0].items()}
    sides: list[tuple[Any, Any, str]] = [(was, marks[0], "was"), (now, marks[1], "now")]
    for column, (whole, states, key) in zip(st.columns(2, gap="medium"), sides, strict=True):
        with column, st.container(height=460, border=False, key=f"both-{key}"):
            drawing = pieces.draw(
                whole, archgraph.opened(whole), LIVE, states=states, label=f"Network, {key}"
            )
            graph(drawing, key=f"both-{key}-graph", height=drawing["h"])


def _source(was: Look, now: Look, texts: list[str]) -> None:
    """A unified diff of both files."""
    lines = difflib.unified_diff(
        *(text.splitlines() for text in texts), f"{was.key}.py", f"{now.key}.py", lineterm="", n=3
    )
    text = "\n".join(lines)
    if not text:
        st.markdown(":gray[Their source is the same.]")
        return
    st.code(text, language="diff", height=420)
