"""What the Calibration page reads: tables with histograms, uploaded files; kept for all sessions."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from nascore.benchmarks.table import TRAINED_ROW, Table
from nascore.errors import AppError
from nascore.measures import calibration_kept as kept_logits
from nascore.measures import calibration_logits as by_logits
from nascore.measures import calibration_questions as questions
from nascore.measures import calibration_table as kept
from nascore.measures.calibration_checks import Predictions
from nascore.measures.calibration_input import read_stream
from nascore.measures.calibration_kept import KeptLogits
from nascore.measures.calibration_questions import Answer
from nascore.measures.calibration_report import fitted, report
from nascore.measures.calibration_table import Histograms, Measured
from pages.parts import benchdata

FILE, RUN = "file", "run"
FLOOR_DRAWS = 200


def tables() -> list[Table]:
    """Tables whose networks have histograms."""
    return [t for t in benchdata.every() if kept.has(t.folder)]


def measured(found: Table) -> Measured:
    """All measures of a table's networks."""
    return _measured(*benchdata.stamp(found))


@st.cache_resource(max_entries=6, show_spinner="Measuring every network of this table...")
def _measured(folder: str, changed: int) -> Measured:
    return kept.measured(Table(Path(folder)))


def histograms(found: Table) -> Histograms:
    """Its histograms."""
    return _histograms(*benchdata.stamp(found))


@st.cache_resource(max_entries=6, show_spinner=False)
def _histograms(folder: str, changed: int) -> Histograms:
    return kept.histograms(Table(Path(folder)))


def place(found: Table, m: Measured, text: str) -> tuple[int, int] | None:
    """Row of an architecture in the table, and place of its class among the measured; None without."""
    try:
        row = found.find(text)
    except AppError:
        return None
    trained = int(found.frame[TRAINED_ROW].iloc[row]) if TRAINED_ROW in found.frame else row
    at = np.flatnonzero(m.rows == trained)
    return (row, int(at[0])) if len(at) else None


@st.cache_data(max_entries=256, show_spinner=False)
def floors(stamp: tuple[str, int], training: int) -> dict[str, tuple[float, float]]:
    """Floors of a training before and after scaling."""
    held = _histograms(*stamp)
    parts = []
    for scaled in (False, True):
        count, _, said = held.of(scaled, [training])
        parts.append(kept.floors(count, said, draws=FLOOR_DRAWS))
    return {n: (float(parts[0][n][0]), float(parts[1][n][0])) for n in parts[0]}


def logits(found: Table) -> KeptLogits | None:
    """The networks of a table whose logits are kept; None where it keeps none that can be read."""
    return _logits(*benchdata.stamp(found)) if kept_logits.has(found.folder) else None


@st.cache_resource(max_entries=4, show_spinner=False)
def _logits(folder: str, changed: int) -> KeptLogits | None:
    try:
        return kept_logits.read(Table(Path(folder)))
    except AppError:
        return None


@st.cache_resource(max_entries=4, show_spinner="Taking 102 measures of every network with kept logits...")
def _everything(folder: str, changed: int) -> dict[str, Any]:
    held = _logits(folder, changed)
    return kept_logits.everything(held) if held else {}


@st.cache_resource(max_entries=16, show_spinner="Mending every network with kept logits...")
def from_logits(
    key: str, stamp: tuple[str, int], method: str = "", other: tuple[str, int] | None = None
) -> Answer | None:
    """The answer of the networks whose logits are kept; None where they cannot answer.

    Args:
        key: of the question.
        stamp: of the table.
        method: of scaling, for the question that asks of it.
        other: of the second table, for the question that needs two.
    """
    held = _logits(*stamp)
    if held is None or key not in by_logits.ANSWERED:
        return None
    match key:
        case "scaling":
            return by_logits.scaling(held, method)
        case "data":
            two = _logits(*other) if other else None
            if two is None or other is None:
                return None
            return by_logits.across_data(held, _everything(*stamp), two, _everything(*other))
    asks = {
        "measures": by_logits.agreement,
        "robustness": by_logits.robustness,
        "bins": by_logits.bin_numbers,
    }
    return asks[key](held, _everything(*stamp))


@st.cache_data(max_entries=64, show_spinner="Asking every network of this table...")
def answer(key: str, stamps: tuple[tuple[str, int], ...]) -> Answer:
    """The answer of the first table; of the first two for the question that needs two.

    Raises:
        BadInput: the tables do not have what the question needs.
    """
    first = _measured(*stamps[0])
    match key:
        case "data":
            return questions.across_data(first, _measured(*stamps[1]))
        case "bins":
            return questions.bin_numbers(first, _histograms(*stamps[0]))
        case "designs":
            return questions.designs(first, Table(Path(stamps[0][0])))
    return questions.ONE_TABLE[key](first)


@dataclass(frozen=True)
class Upload:
    """An uploaded file that was read.

    Attributes:
        mark: stands for its content.
        held: its predictions.
    """

    mark: str
    held: Predictions


def uploaded(file: Any, *, labeled: bool = True) -> Upload | None:
    """What an uploader holds; None where it is empty.

    Raises:
        BadInput: the file is no predictions.
    """
    if file is None:
        return None
    data = file.getvalue()
    mark = hashlib.sha256(data).hexdigest()
    return Upload(mark, _read(mark, file.name, labeled, data))


@st.cache_resource(max_entries=12, scope="session", show_spinner="Reading the file...")
def _read(mark: str, name: str, labeled: bool, _data: bytes) -> Predictions:
    return read_stream(io.BytesIO(_data), name, labeled=labeled)


def reported(test: Upload, validation: Upload | None, outside: Upload | None, method: str) -> dict[str, Any]:
    """The report of uploaded files.

    Raises:
        BadInput: they do not belong together.
    """
    marks = tuple(u.mark if u else "" for u in (test, validation, outside))
    held = tuple(u.held if u else None for u in (test, validation, outside))
    return _reported(marks, method, held)


@st.cache_resource(
    max_entries=12, scope="session", show_spinner="Measuring, and drawing labels for the noise floors..."
)
def _reported(marks: tuple[str, ...], method: str, _held: tuple[Any, ...]) -> dict[str, Any]:
    return report(*_held, method=method)


def mended(test: Upload, validation: Upload, method: str) -> np.ndarray:
    """(n, classes) the test's probabilities after a method fitted on validation."""
    return _mended((test.mark, validation.mark), method, (test.held, validation.held))


@st.cache_resource(max_entries=6, scope="session", show_spinner=False)
def _mended(marks: tuple[str, ...], method: str, _held: tuple[Any, ...]) -> np.ndarray:
    test, validation = _held
    return fitted(test, validation, method).apply(test.logits)
