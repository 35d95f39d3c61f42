"""Predictions as arrays, checked: refusals name the row, counted from 0; nothing is rescaled or clipped.

What is odd but can be measured (a class without examples, fewer examples than bins, sums that are off by
rounding) stands in `notes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.calibration import BINS, softmax
from nascore.measures.calibration_alone import TINY

KINDS = ("probabilities", "logits")
SUM = {2: 5e-3, 4: 1e-3, 8: 1e-3}  # bytes of a number -> how far a row's sum may be from 1
ROUNDED = 1e-6  # how far a probability may lie outside 0 to 1 by rounding
SAID = 1e-5  # a sum farther from 1 than this is told


@dataclass(frozen=True)
class Predictions:
    """What a network said of examples.

    Attributes:
        name: of the file.
        probabilities: (n, classes).
        labels: (n,) class indices; empty where the file has none and needs none.
        logits: (n, classes); of probabilities their logarithms.
        notes: sentences about what is odd.
    """

    name: str
    probabilities: NDArray[np.float64]
    labels: NDArray[np.int64]
    logits: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many examples."""
        return len(self.probabilities)

    @property
    def classes(self) -> int:
        """How many classes."""
        return self.probabilities.shape[1]


def checked(
    arrays: Mapping[str, NDArray[Any]], name: str = "predictions", *, labeled: bool = True
) -> Predictions:
    """Predictions of arrays.

    Args:
        arrays: `probabilities` or `logits` or both, and `labels`.
        name: where they come from, for messages.
        labeled: whether there must be labels.

    Raises:
        BadInput: it names the row: not a number, probabilities outside 0 to 1 or rows that do not sum to 1,
            logits that are probabilities, labels that are no class, lengths that differ.
    """
    given = {k: _numbers(arrays[k], f"{name}: {k}") for k in KINDS if k in arrays}
    if not given:
        raise BadInput(f"{name}: neither probabilities nor logits; give one of them, (n, classes)")
    _upright(next(iter(given.values())), arrays.get("labels"), name)
    notes: list[str] = []
    if "probabilities" in given:
        notes += _probabilities(given["probabilities"], name, arrays["probabilities"].dtype.itemsize)
    if "logits" in given:
        _logits(given["logits"], name)
    p = given["probabilities"] if "probabilities" in given else softmax(given["logits"])
    if len(given) == 2:
        _agree(softmax(given["logits"]) if given["logits"].shape == p.shape else None, p, name)
    logits = given["logits"] if "logits" in given else np.log(np.maximum(p, TINY))
    if labeled and "labels" not in arrays:
        raise BadInput(
            f"{name}: there are no labels; give each row's class as labels, (n,), or as a column label"
        )
    labels = _labels(arrays["labels"], p, name) if "labels" in arrays else np.empty(0, np.int64)
    return Predictions(name, p, labels, logits, (*notes, *_odd(p, labels)))


def _numbers(values: NDArray[Any], where: str) -> NDArray[np.float64]:
    """(n, classes) finite numbers."""
    if values.ndim and not len(values):
        raise BadInput(f"{where} have no rows")
    if values.ndim != 2 or values.shape[1] < 2:
        one = values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)
        hint = "; of two classes give both, the one beside its rest" if one else ""
        raise BadInput(
            f"{where} have the shape {values.shape}; (n, classes) with two classes or more is wanted{hint}"
        )
    if values.dtype.kind not in "fiu":
        row, text = _first_text(values)
        raise BadInput(f"{where}: row {row} holds the text {text!r}, not a number")
    out = values.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(out).all(1))
    if len(bad):
        row = out[bad[0]]
        raise BadInput(
            f"{where}: row {bad[0]} holds {row[~np.isfinite(row)][0]}{_more(bad)}; every value must be finite"
        )
    return out


def _first_text(values: NDArray[Any]) -> tuple[int, str]:
    """Row and words of the first value that is no number."""
    for row, line in enumerate(values):
        for value in np.atleast_1d(line):
            try:
                float(value)
            except (TypeError, ValueError):
                return row, str(value)[:40]
    return 0, str(np.atleast_1d(values[0])[0])[:40]


def _upright(values: NDArray[np.float64], labels: NDArray[Any] | None, name: str) -> None:
    """Refuses (classes, n), which nothing else would call by its name."""
    n, classes = values.shape
    if labels is not None and labels.shape == (classes,) and n != classes:
        raise BadInput(
            f"{name}: {n} rows of {classes} numbers for {classes} labels; transpose: a row an example"
        )


def _more(rows: NDArray[Any]) -> str:
    return f" (and {len(rows) - 1:,} other rows)" if len(rows) > 1 else ""


def _probabilities(p: NDArray[np.float64], name: str, width: int) -> list[str]:
    """Refuses what are no probabilities; tells of sums that are off by a little."""
    outside = (p < -ROUNDED) | (p > 1 + ROUNDED)
    bad = np.flatnonzero(outside.any(1))
    if len(bad):
        value = p[bad[0]][outside[bad[0]]][0]
        percent = (p >= 0).all() and (np.abs(p.sum(1) - 100) < 0.5).all()
        hint = "rows sum to 100: divide by it" if percent else "logits belong into a field called logits"
        raise BadInput(
            f"{name}: probabilities: row {bad[0]} holds {value:.6g}, which is outside 0 to 1{_more(bad)}; "
            f"{hint}"
        )
    off = np.abs(p.sum(1) - 1)
    bad = np.flatnonzero(off > SUM.get(width, 1e-3))
    if len(bad):
        raise BadInput(
            f"{name}: probabilities: row {bad[0]} sums to {p[bad[0]].sum():.6g}, not to 1{_more(bad)}"
        )
    worst = int(off.argmax())
    notes = []
    if off[worst] > SAID:
        notes.append(f"Rows sum to 1 within {off[worst]:.1e} (row {worst}); nothing was rescaled.")
    if slightly := int(((p < 0) | (p > 1)).sum()):
        notes.append(
            f"{slightly:,} probabilities lie outside 0 to 1 by rounding (under 1e-6); left as they are."
        )
    return notes


def _logits(z: NDArray[np.float64], name: str) -> None:
    """Refuses probabilities under the name of logits: a second softmax would flatten them."""
    if (z >= 0).all() and (np.abs(z.sum(1) - 1) < 1e-3).all():
        raise BadInput(
            f"{name}: logits: row 0 and all others hold no negative value and sum to 1; "
            "probabilities belong into a field called probabilities"
        )


def _agree(own: NDArray[np.float64] | None, p: NDArray[np.float64], name: str) -> None:
    if own is None:
        raise BadInput(f"{name}: probabilities and logits differ in shape")
    bad = np.flatnonzero(np.abs(own - p).max(1) > 1e-2)
    if len(bad):
        raise BadInput(
            f"{name}: row {bad[0]}: the softmax of its logits is not its probabilities"
            f"{_more(bad)}; give one of them"
        )


def _labels(values: NDArray[Any], p: NDArray[np.float64], name: str) -> NDArray[np.int64]:
    """(n,) classes."""
    n, classes = p.shape
    if values.shape == (n, 1):
        values = values[:, 0]
    if values.shape != (n,):
        hint = "; of one-hot rows give the place of the 1" if values.shape == (n, classes) else ""
        raise BadInput(f"{name}: labels have the shape {values.shape}; one a row, ({n},), is wanted{hint}")
    if values.dtype.kind == "b":
        values = values.astype(np.int64)  # False is class 0
    if values.dtype.kind not in "fiu":
        row, text = _first_text(values)
        raise BadInput(f"{name}: labels: row {row} holds the text {text!r}; class numbers from 0 are wanted")
    wrong = ~np.isfinite(values) | (values != np.floor(np.nan_to_num(values)))
    if wrong.any():
        row = int(wrong.argmax())
        raise BadInput(f"{name}: labels: row {row} holds {values[row]}, which is no class number")
    out = values.astype(np.int64)
    bad = np.flatnonzero((out < 0) | (out >= classes))
    if len(bad):
        hint = "; they seem to count from 1" if out.min() == 1 and out.max() == classes else ""
        raise BadInput(
            f"{name}: labels: row {bad[0]} holds {out[bad[0]]}, outside 0 to {classes - 1}{_more(bad)}{hint}"
        )
    return out


def _odd(p: NDArray[np.float64], labels: NDArray[np.int64]) -> list[str]:
    """What a person should know before believing the numbers."""
    notes: list[str] = []
    if not len(labels):
        return notes
    n, classes = p.shape
    absent = np.setdiff1d(np.arange(classes), labels)
    if len(absent):
        shown = ", ".join(map(str, absent[:5])) + (", ..." if len(absent) > 5 else "")
        of = "No row has the label" if len(absent) == 1 else f"No row has one of {len(absent):,} labels:"
        notes.append(f"{of} {shown}; classwise measures see only how often such a class is said.")
    few = [b for b in BINS if b > n]
    if few:
        notes.append(
            f"{n:,} row{'s are' if n > 1 else ' is'} fewer than {few[0]} bins"
            f"{' or more' if len(few) > 1 else ''}: "
            "equal mass has no value there, and equal width is mostly noise."
        )
    rare = np.flatnonzero(p[np.arange(n), labels] < TINY)
    if len(rare):
        notes.append(
            f"Row {rare[0]}{_more(rare)} gives its label less than 1e-12; the log loss counts that as 1e-12."
        )
    return notes
