"""A study's numbers in words and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from nascore.view import words

Row = Mapping[str, Any]


def measured(claim: Row) -> str:
    """`+0.54 [0.15, 0.61] points`, or the number alone where nothing is left to chance."""
    value, interval = claim.get("measured"), claim.get("interval")
    if value is None:
        return words.NO_NUMBER
    unit = f"{words.GAP}{claim['unit']}" if claim.get("unit") else ""
    said = number(value)
    if interval:
        said += f" [{number(interval[0])}, {number(interval[1])}]"
    return said + unit


def number(value: float) -> str:
    """Three digits; what is as small as rounding is 0."""
    return "0" if abs(value) < 1e-9 else words.compact(float(value))


def many(claim: Row) -> str:
    """`exact`, or how many cases."""
    n = claim.get("n")
    return "exact" if n == "exact" else f"{int(n):,}" if isinstance(n, int | float) else ""


def frame(claims: Sequence[Row]) -> pd.DataFrame:
    """One row a claim, as people read it."""
    return pd.DataFrame(
        [
            {
                "claim": c["text"],
                "expected": c["expected"],
                "measured": measured(c),
                "n": many(c),
                "verdict": c["verdict"],
            }
            for c in claims
        ]
    )


def beside(rows: Sequence[Row]) -> pd.DataFrame:
    """One row a number that no claim is about."""
    told = [(r["text"], measured(r), many(r)) for r in rows]
    return pd.DataFrame(told, columns=["text", "measured", "n"])


def common_scale(claims: Sequence[Row]) -> str:
    """How most claims of a study differ from the paper's trials; "" where no more than half do so alike."""
    said = Counter(c["scale"] for c in claims if c.get("scale")).most_common(1)
    text, times = said[0] if said else ("", 0)
    return text if times > 1 and 2 * times > len(claims) else ""


def against(rows: Sequence[Row]) -> pd.DataFrame:
    """One row a number that others print too; rank correlations and percentages with two decimals."""
    return pd.DataFrame(
        [
            {
                "text": r["text"],
                "measured": words.interval(r["measured"], *r["interval"]),
                "n": r["n"],
                "printed": "" if r.get("printed") is None else f"{r['printed']:.2f}",
            }
            for r in rows
        ],
        columns=["text", "measured", "n", "printed"],
    )
