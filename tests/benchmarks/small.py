"""A small table of NAS-Bench-201 cells with two data sets, single trainings and curves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from nascore.benchmarks.table import PREFIX, Column, Draft, Table, choices_json, write_table
from nascore.kinds import EvaluationProtocol
from nascore.space import key, sample, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR

SPACE = Nasbench201()


def column(name: str, unit: str, direction: str, data: str, split: str, epochs: int) -> Column:
    about = EvaluationProtocol(data, split, epochs, "mean of 2 seeds" if epochs else "", "made up")
    title = name.replace("_", " ").capitalize()
    return Column(name, title, unit, direction, about)  # type: ignore[arg-type]


COLUMNS = [
    column("test_accuracy", "%", "max", "digits", "test", 10),
    column("other_accuracy", "%", "max", "elsewhere", "test", 200),
    column("params", "", "min", "", "", 0),
    column("phone_latency_ms", "ms", "min", "phone", "", 0),
]


def write_small(home: Path, name: str = "small", n: int = 300, *, shipped: bool = False) -> Table:
    """n different cells; the accuracy grows with the number of 3x3 convolutions, the first is the best."""
    rng = np.random.default_rng(0)
    archs = np.unique(sample(SPACE, 3 * n, rng), axis=0)
    archs = rng.permutation(archs)[:n]
    convs = (archs == 3).sum(1)
    costs = SPACE.costs(archs, CIFAR)
    accuracy = np.minimum(40 + 9.0 * convs + rng.random(n), 98.5)
    accuracy[0] = 99.5
    keys = [key(SPACE, a) for a in tuples(archs)]
    frame = pd.DataFrame(
        {
            "key": keys,
            "text": [SPACE.text(a) for a in tuples(archs)],
            **{PREFIX + c.name: archs[:, i].astype(np.int16) for i, c in enumerate(SPACE.choices())},
            "test_accuracy": accuracy,
            "other_accuracy": accuracy / 2,
            "params": costs["params"],
            "phone_latency_ms": 1 + convs / 10,
        }
    )
    rows = np.repeat(np.arange(n, dtype=np.int32), 2)
    runs = pa.table(
        {
            "row": rows,
            "key": [keys[i] for i in rows],
            "data": ["digits"] * len(rows),
            "seed": np.tile([0, 1], n).astype(np.int32),
            "epochs": np.full(len(rows), 10, np.int32),
            "test_accuracy": np.repeat(accuracy, 2) + np.tile([-0.5, 0.5], n),
        }
    )
    curves = pa.table(
        {
            **{c: runs[c] for c in ("row", "key", "data", "seed", "epochs")},
            "metric": ["error"] * len(rows),
            "values": [[0.9, 0.5, 0.1 + 0.1 * s] for s in np.tile([0, 1], n)],
        }
    )
    space = ({"name": "nasbench201", "knobs": {}}, choices_json(SPACE))
    about = {"source": "made up", "shipped": shipped}
    return write_table(Draft(frame, COLUMNS, runs, [curves], space, about), name, home)
