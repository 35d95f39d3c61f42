"""A paper's claim, what was measured of it here, and the verdict, which the interval decides and nobody else.

Each claim says which values make it hold. Where chance is involved, it is reproduced only if the whole
interval lies between those values, not reproduced if none of it does, and unclear otherwise. An exact claim
holds or it does not; it may be one of the ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nascore.stats import Interval

Document = dict[str, Any]
Measured = Interval | float  # a float is exact
REPRODUCED, NOT, UNCLEAR, PARTLY = "reproduced", "not reproduced", "unclear", "partly"
ABOVE_0 = (0.0, math.inf)


@dataclass(frozen=True)
class Claim:
    """What a paper says, and when we shall say that it holds.

    Attributes:
        key: unique in its study.
        text: the claim, as something that can be measured.
        expected: the paper's figure in words; "above 0" where it gives a direction only.
        holds: least and largest value for which the claim holds.
        unit: of the measured number; empty for none.
        scale: how our trial is smaller than or different from the paper's.
    """

    key: str
    text: str
    expected: str
    holds: tuple[float, float] = ABOVE_0
    unit: str = ""
    scale: str = ""


def verdict(claim: Claim, measured: Measured) -> str:
    """Reproduced, not reproduced or unclear."""
    low, high = claim.holds
    if not isinstance(measured, Interval):
        return REPRODUCED if low <= measured <= high else NOT
    if not (math.isfinite(measured.low) and math.isfinite(measured.high)):
        return UNCLEAR
    if low < measured.low and measured.high < high:
        return REPRODUCED
    return NOT if measured.high <= low or measured.low >= high else UNCLEAR


def judged(claim: Claim, measured: Measured) -> Document:
    """A claim's row: text, expected, measured, n, interval, verdict; `n` of an exact claim is "exact"."""
    row: Document = {"key": claim.key, "text": claim.text, "expected": claim.expected}
    return {
        **row,
        **number(measured),
        "verdict": verdict(claim, measured),
        "unit": claim.unit,
        "holds": [finite(v) for v in claim.holds],
        "scale": claim.scale,
    }


def number(measured: Measured) -> Document:
    """measured, n and interval; what is not finite is None."""
    if not isinstance(measured, Interval):
        return {"measured": finite(measured), "n": "exact", "interval": None}
    ends = [finite(measured.low), finite(measured.high)]
    return {
        "measured": finite(measured.value),
        "n": measured.n,
        "interval": None if None in ends else ends,
    }


def finite(value: float) -> float | None:
    """The number, or None."""
    return float(value) if math.isfinite(value) else None


def overall(claims: Sequence[Mapping[str, Any]]) -> str:
    """The verdict on a paper: partly where some claims are reproduced; empty without claims."""
    said = [str(c["verdict"]) for c in claims]
    if not said:
        return ""
    if set(said) == {REPRODUCED}:
        return REPRODUCED
    if REPRODUCED in said:
        return PARTLY
    return NOT if NOT in said else UNCLEAR
