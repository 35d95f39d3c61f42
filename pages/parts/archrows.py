"""What is known of two architectures, row by row: exact costs, runs and tables, each with its protocol.

Of two spaces, numbers stand side by side only where both were found by the same protocol.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import pandas as pd
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.view import axes, words
from pages.parts import archview, bencharch, stores, tables
from pages.parts.arch import Look

Row = tuple[str, str, str, str, str]


def panel(look: Look, other: Look) -> None:
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
    """Metrics of runs that tried both; of two spaces, of two runs with one protocol, the newest of each."""
    rows: list[Row] = []
    across, seen = look.space != other.space, set[str]()
    theirs = [(s, h) for s, h in archview.safe_tries(other) if not h["failed"]]
    for summary, hit in archview.safe_tries(look):
        told = stores.protocol(summary)
        found = [h for s, h in theirs if s.run == summary.run or (across and stores.protocol(s) == told)]
        if hit["failed"] or not found or (across and told in seen):
            continue
        seen.add(told)
        there = found[0]["metrics"]
        rows += [
            _row(words.metric_title(m), m, float(there[m]), float(v), told)
            for m, v in hit["metrics"].items()
            if there.get(m) is not None and v is not None and m not in ("params", "flops")
        ]
    return rows


def _tabled(look: Look, other: Look) -> list[Row]:
    """Metrics of tables that know both; of two spaces, of two tables with one protocol."""
    rows: list[Row] = []
    seen: set[tuple[str, str]] = set()
    theirs = bencharch.known(other)
    for table, row in bencharch.known(look):
        for match, other_row in theirs:
            if match.name != table.name and look.space == other.space:
                continue
            for name, column in table.columns.items():
                told, across = axes.protocol(column), match.name != table.name
                if across and ((name, told) in seen or not _is_one(match, name, told)):
                    continue
                there, here = float(match.values(name)[other_row]), float(table.values(name)[row])
                if there != there or here != here:
                    continue
                seen.add((name, told))
                gap = words.points(here - there) if column.unit == "%" else change(name, there, here)
                said = (axes.label(column), axes.amount(column, there), axes.amount(column, here), gap)
                rows.append((*said, told or table.name))
    return rows


def _is_one(table: Table, name: str, told: str) -> bool:
    """Whether a table of another space has this metric by a protocol that is known and the same."""
    return bool(told) and name in table.columns and axes.protocol(table.columns[name]) == told
