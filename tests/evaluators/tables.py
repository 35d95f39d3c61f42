"""A small benchmark table of NAS-Bench-201 cells whose numbers follow a law that a test can write down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from nascore.benchmarks.table import PREFIX, Column, Draft, Table, choices_json, write_table
from nascore.codec import to_json
from nascore.kinds import EvaluationProtocol
from nascore.space import enumerate_archs, key, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

SPACE = Nasbench201(1, 8, 1, 2)
EPOCHS = 4


def made(home: Path, name: str = "nasbench_digits", *, rows: int = 0, curves: bool = True) -> Table:
    """Validation accuracy 20 + 2 * (sum of options) percent, test one less, training seconds 10 + sum."""
    archs = np.asarray(enumerate_archs(SPACE))[: rows or None]
    total = archs.sum(1).astype(float)
    frame = pd.DataFrame(
        {
            "key": [key(SPACE, a) for a in tuples(archs)],
            "text": [SPACE.text(a) for a in tuples(archs)],
            **{PREFIX + c.name: archs[:, i].astype(np.int8) for i, c in enumerate(SPACE.choices())},
            "validation_accuracy": 20 + 2 * total,
            "test_accuracy": 19 + 2 * total,
            "train_seconds": 10 + total,
            **SPACE.costs(archs, Digits().shape),
        }
    )
    pieces = [_curves(frame)] if curves else []
    space = (to_json(SPACE), choices_json(SPACE))
    return write_table(Draft(frame, COLUMNS, curves=pieces, space=space), name, home, replace=True)


def _said(split: str, epochs: int) -> EvaluationProtocol:
    return EvaluationProtocol("digits", split, epochs, "mean of 2 seeds", "made here")


COLUMNS = (
    Column("validation_accuracy", "Validation accuracy", "%", "max", _said("validation", EPOCHS)),
    Column("test_accuracy", "Test accuracy", "%", "max", _said("test", EPOCHS)),
    Column("train_seconds", "Training time", "s", "min", _said("train", EPOCHS)),
    Column("params", "Parameters", "", "min", _said("", 0)),
    Column("flops", "Multiply-adds", "", "min", _said("", 0)),
)


def _curves(frame: Any) -> Any:
    """Two seeds, one above and one below; epoch e of 4 has e / 4 of the accuracy."""
    rows: dict[str, list[Any]] = {n: [] for n in ("row", "key", "data", "seed", "epochs", "metric", "values")}
    for row, (name, last) in enumerate(zip(frame["key"], frame["validation_accuracy"], strict=True)):
        for seed in (0, 1):
            values = [(last + 2 * seed - 1) * e / EPOCHS for e in range(1, EPOCHS + 1)]
            for column, value in zip(
                rows, (row, name, "digits", seed, EPOCHS, "validation_accuracy", values), strict=True
            ):
                rows[column].append(value)
    return pa.table(rows)
