"""What searches with shared weights return, measured once and shipped: true ranks beside random search."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from nascore.benchmarks import ranks
from nascore.errors import AppError
from nascore.view import words
from pages.parts import benchdata, show, tables

HOW = (
    "Every method searched with several seeds on the images of a table that it did not see; what it returned "
    "was looked up, or trained alone as the table's networks were. Rank 1 is the best. Random search trains "
    "as many networks alone as the processor seconds of the method allow and takes the best by one "
    "validation. Means over seeds with 95 % intervals. `scripts/bench_supernet_ranks.py` measures it again."
)
COLUMNS: dict[str, Any] = {
    "method": st.column_config.TextColumn("Method", width=220),
    "seeds": st.column_config.NumberColumn("Seeds", width=60),
    "rank": st.column_config.TextColumn("True rank", help="Mean over seeds with its interval.", width=170),
    "better": st.column_config.TextColumn(
        "Better ones (%)",
        help="Share of the table that is better; half of it for a random network.",
        width=145,
    ),
    "accuracy": st.column_config.TextColumn("Test accuracy (%)", width=165),
    "seconds": st.column_config.TextColumn("Processor time", width=115),
    "random": st.column_config.TextColumn(
        "Random search", help="Its mean rank after as many seconds, and how many networks that is.", width=165
    ),
    "gap": st.column_config.TextColumn(
        "Against random (points)", help="Test accuracy minus that of random search.", width=185
    ),
}


def show_all() -> None:
    """One table of methods for each benchmark table; nothing where none is shipped."""
    for part in ranks.parts():
        frame = pd.DataFrame([_row(m, part["networks"]) for m in part["methods"]])
        try:
            name = benchdata.title(benchdata.opened(part["table"]))
        except AppError:
            name = part["table"]
        show.over(f"What searches with shared weights return: {name}", HOW, key=f"ranks_{part['table']}")
        chance = part["random_network"]
        st.markdown(
            f":small[:gray[Among {part['networks']:,} networks; a random one has "
            f"{chance['test_accuracy']:.2f} % on average.]]"
        )
        st.dataframe(
            frame,
            hide_index=True,
            key=f"compare_ranks_{part['table']}",
            height=tables.height(len(frame)),
            column_config=COLUMNS,
            alt=f"True ranks of {len(frame)} searches with shared weights on {name}",
        )


def _row(m: dict[str, Any], networks: int) -> dict[str, Any]:
    beside = m["random"]
    return {
        "method": m["method"],
        "seeds": m["seeds"],
        "rank": _span(m["rank"], 0, least=1, most=networks),
        "better": _span(m["better_percent"], 1, least=0, most=100),
        "accuracy": _span(m["test_accuracy"], 2, least=0, most=100),
        "seconds": words.duration(m["cpu_seconds"]),
        "random": f"{beside['rank']:,} ({beside['networks']:,} trained)",
        "gap": _span(m["minus_random_points"], 2),
    }


def _span(found: dict[str, float], digits: int, least: float = -math.inf, most: float = math.inf) -> str:
    """A mean with its interval, whose ends are not beyond what there can be."""
    low, high = max(found["low"], least), min(found["high"], most)
    return f"{found['value']:,.{digits}f} [{low:,.{digits}f}, {high:,.{digits}f}]"
