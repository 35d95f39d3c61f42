"""From the parts of a making to its table: means over seeds for every arch, every training of each class.

Accuracies are percents. Archs of one class of equal networks share what training gives and have costs of
their own; `trained_row` is the row of the class's representative, which has the trainings and curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.build import BINS, NOISES, Part
from nascore.benchmarks.table import PREFIX, TRAINED_ROW, Column, Direction, Draft, choices_json
from nascore.kinds import EvaluationProtocol
from nascore.space import array, enumerate_archs, key, tuples

if TYPE_CHECKING:
    import pyarrow as pa

    from nascore.problem import Problem

Arrays = Mapping[str, NDArray[Any]]
SCALARS: dict[str, tuple[str, str, Direction, str]] = {  # name -> title, unit, direction, split
    "val_accuracy": ("Validation accuracy", "%", "max", "validation"),
    "val_loss": ("Validation loss", "nats", "min", "validation"),
    "test_accuracy": ("Test accuracy", "%", "max", "test"),
    "test_loss": ("Test negative log-likelihood", "nats", "min", "test"),
    "brier": ("Brier score", "", "min", "test"),
    "ece_15": ("Calibration error (ECE, 15 bins)", "", "min", "test"),
    "temperature": ("Temperature fitted on validation images", "", "", "validation"),
    "post_test_loss": ("Test negative log-likelihood, temperature-scaled", "nats", "min", "test"),
    "post_brier": ("Brier score, temperature-scaled", "", "min", "test"),
    "post_ece_15": ("Calibration error (ECE, 15 bins), temperature-scaled", "", "min", "test"),
    **{
        f"noise_{round(100 * sd):03d}_accuracy": (
            f"Test accuracy under noise, sd {sd:g} of the pixels'",
            "%",
            "max",
            "test",
        )
        for sd in NOISES
    },
    "train_seconds": ("CPU seconds of a training", "s", "min", ""),
}
CURVES = {
    "val_accuracy": "error",
    "val_loss": "loss",
    "train_accuracy": "train_error",
    "train_loss": "train_loss",
}


@dataclass(frozen=True)
class Trainings:
    """All trainings of a table, one a row: which class, which seed, numbers of `SCALARS`, curves."""

    arch_keys: NDArray[Any]
    seeds: NDArray[np.int64]
    scalars: dict[str, NDArray[np.float32]]
    curves: dict[str, NDArray[np.float32]]


def trainings(found: Arrays, folder: Path, todo: Sequence[Part], labels: NDArray[np.int64]) -> Trainings:
    """What the gathered parts say, in the table's units.

    Args:
        found: what `build.gather` gives.
        folder: of the parts, for the logits.
        todo: the parts, in the order in which they were gathered.
        labels: (m,) of the test images.
    """
    percent = {"val_accuracy": found["curve_error"][:, -1], "test_accuracy": found["test_error"]}
    percent |= {
        f"noise_{round(100 * sd):03d}_accuracy": found["noise_error"][:, i] for i, sd in enumerate(NOISES)
    }
    scalars = {name: 100 * (1 - v.astype(np.float64)) for name, v in percent.items()}
    scalars["val_loss"] = found["curve_loss"][:, -1]
    plain = ("test_loss", "brier", "temperature", "post_test_loss", "post_brier", "train_seconds")
    scalars |= {name: found[name] for name in plain}
    scalars["ece_15"], scalars["post_ece_15"] = calibration(folder, todo, labels, found["temperature"])
    curves = {
        name: 100 * (1 - found[f"curve_{c}"]) if name.endswith("accuracy") else found[f"curve_{c}"]
        for name, c in CURVES.items()
    }
    numbers = {n: np.asarray(scalars[n], np.float32) for n in SCALARS}
    return Trainings(
        found["key"], found["seed"], numbers, {n: np.asarray(v, np.float32) for n, v in curves.items()}
    )


def kept(folder: Path) -> Trainings:
    """All trainings that a table made here holds, for adding further seeds to it.

    Args:
        folder: the table's, with `runs.parquet` and `curves.parquet`.
    """
    import pyarrow.parquet as pq

    runs = pq.read_table(folder / "runs.parquet")
    lines = pq.read_table(folder / "curves.parquet", columns=["metric", "values"])
    metric = lines["metric"].to_numpy(zero_copy_only=False)
    values = lines["values"].combine_chunks()
    every = np.asarray(values.flatten(), np.float32).reshape(len(metric), -1)
    return Trainings(
        np.asarray(runs["key"].to_pylist()),
        runs["seed"].to_numpy().astype(np.int64),
        {n: runs[n].to_numpy().astype(np.float32) for n in SCALARS},
        {n: every[metric == n] for n in CURVES},
    )


def together(known: Trainings, new: Trainings) -> Trainings:
    """Both; a seed that `new` has replaces that of `known`."""
    stay = ~np.isin(known.seeds, np.unique(new.seeds))

    def both(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([a[stay], b])

    return Trainings(
        both(known.arch_keys, new.arch_keys),
        both(known.seeds, new.seeds),
        {n: both(known.scalars[n], v) for n, v in new.scalars.items()},
        {n: both(known.curves[n], v) for n, v in new.curves.items()},
    )


def agreement(values: NDArray[np.float64]) -> dict[str, Any]:
    """How far seeds agree about archs, over all of them and inside the best quarter.

    The best quarter by the mean of all seeds is narrow partly by luck, so `best_quarter_by_another_seed`
    chooses it by one seed and judges by the others, for each seed in turn.

    Args:
        values: (n, seeds) of a metric where higher is better, no gaps.

    Returns:
        For each of the three groups: `n`, `spearman` (mean over pairs of seeds), `reliability` of the mean of
        the seeds that judge, and `reliability_of_3`, that of a mean of three (Spearman-Brown).
    """
    n, k = values.shape
    many = n // 4
    best = np.argsort(-values.mean(1), kind="stable")[:many]
    apart = [
        _agree(np.delete(values, j, 1)[np.argsort(-values[:, j], kind="stable")[:many]]) for j in range(k)
    ]
    return {
        "seeds": k,
        "all": _agree(values),
        "best_quarter_by_mean": _agree(values[best]),
        "best_quarter_by_another_seed": {
            m: round(float(np.mean([a[m] for a in apart])), 4) for m in apart[0]
        },
    }


def _agree(values: NDArray[np.float64]) -> dict[str, float]:
    """One-way random effects: the mean's reliability is 1 - (within) / (between) mean squares.

    Source: Shrout and Fleiss 1979, ICC(1, 1) and ICC(1, k).
    """
    from nascore.stats import spearman

    n, k = values.shape
    between = k * values.mean(1).var(ddof=1)
    within = values.var(1, ddof=1).mean()
    one = (between - within) / (between + (k - 1) * within)
    pairs = [spearman(values[:, i], values[:, j]) for i in range(k) for j in range(i)]
    numbers = {
        "spearman": float(np.mean(pairs)),
        "reliability": float(1 - within / between),
        "reliability_of_3": float(3 * one / (1 + 2 * one)),
    }
    return {"n": float(n)} | {name: round(v, 4) for name, v in numbers.items()}


def calibration(
    folder: Path, todo: Sequence[Part], labels: NDArray[np.int64], temperatures: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(trainings,) ECE with 15 bins of equal width of the kept test logits, before and after scaling."""
    out: list[NDArray[np.float64]] = []
    at = 0
    for part in todo:
        if not (folder / part.file).exists():
            continue
        with np.load(folder / part.file, allow_pickle=False) as found:
            logits = found["test_logits"].astype(np.float64)
        t = temperatures[at : at + len(logits), None, None]
        at += len(logits)
        out.append(np.stack([ece(logits, labels), ece(logits / t, labels)]))
    both = np.concatenate(out, 1)
    return both[0], both[1]


def ece(logits: NDArray[np.float64], labels: NDArray[np.int64], bins: int = 15) -> NDArray[np.float64]:
    """(n,) expected calibration error of logits (n, m, classes), bins (low, high] of equal width.

    Source: Naeini et al. 2015 and Guo et al. 2017, equation 3.
    """
    p = np.exp(logits - logits.max(-1, keepdims=True))
    top = (p / p.sum(-1, keepdims=True)).max(-1)
    right = logits.argmax(-1) == labels
    place = np.clip(np.ceil(top * bins).astype(int) - 1, 0, bins - 1)
    gap = np.zeros((len(logits), bins))
    np.add.at(gap, (np.arange(len(logits))[:, None], place), top - right)
    return np.abs(gap).sum(1) / logits.shape[1]


def draft(
    problem: Problem,
    told: Trainings,
    space_json: dict[str, Any],
    extra: Sequence[tuple[Column, Mapping[str, float]]] = (),
    about: Mapping[str, Any] | None = None,
) -> Draft:
    """The table of every arch whose class was trained, in the order of their indices.

    Args:
        problem: space, task and recipe that were trained; the space can be listed.
        told: all trainings.
        space_json: the space as table.json keeps it.
        extra: further columns with key -> value, such as proxies and latency.
        about: further facts for table.json.
    """
    import pandas as pd

    space = problem.space
    trained = set(told.arch_keys.tolist())
    leader = {a: space.canonical(a) for a in tuples(enumerate_archs(space))}
    archs = [a for a, c in leader.items() if key(space, c) in trained]
    names = [key(space, a) for a in archs]
    row_of = {k: i for i, k in enumerate(names)}
    of_class = np.array([row_of[key(space, leader[a])] for a in archs], np.int32)
    frame: dict[str, Any] = {"key": names, "text": [space.text(a) for a in archs]}
    grid = array(archs, space)
    frame |= {PREFIX + c.name: grid[:, j].astype(np.int8) for j, c in enumerate(space.choices())}
    frame[TRAINED_ROW] = of_class
    rows = np.array([row_of[k] for k in told.arch_keys.tolist()], np.int64)
    for name, v in told.scalars.items():
        frame[name] = _mean(rows, v, len(archs))[of_class].astype(np.float32)
    costs = problem.costs(archs)
    frame |= {name: costs[name].astype(np.int64) for name in ("params", "flops")}
    for column, value_of in extra:
        frame[column.name] = np.array([value_of.get(k, np.nan) for k in names], np.float32)
    many = len(set(told.seeds.tolist()))
    columns = [*_columns(problem, "1 seed" if many == 1 else f"{many} seeds"), *(c for c, _ in extra)]
    order = np.lexsort((told.seeds, rows))
    return Draft(
        pd.DataFrame(frame),
        columns,
        _runs(problem, told, rows, order),
        _curves(problem, told, rows, order),
        (space_json, choices_json(space)),
        about,
    )


def _mean(rows: NDArray[np.int64], values: NDArray[np.float32], n: int) -> NDArray[np.float64]:
    """(n,) mean of the values of each row; 0 where there is none."""
    total = np.bincount(rows, values.astype(np.float64), n)
    return total / np.maximum(np.bincount(rows, minlength=n), 1)


def _columns(problem: Problem, seeds: str) -> list[Column]:
    """What the trained and the counted numbers stand for."""
    data, epochs, source = problem.task.data, problem.recipe.epochs, "trained by NAScope"
    out = [
        Column(name, title, unit, direction, EvaluationProtocol(data, split, epochs, seeds, source))
        for name, (title, unit, direction, split) in SCALARS.items()
    ]
    size_ = "x".join(map(str, problem.task.shape.image))
    counted = EvaluationProtocol(data, "", 0, "", f"counted exactly, {size_} input")
    return [
        *out,
        Column("params", "Parameters", "", "min", counted),
        Column("flops", "Multiply-adds", "", "min", counted),
    ]


def _facts(
    problem: Problem, told: Trainings, rows: NDArray[np.int64], order: NDArray[np.int64], times: int = 1
) -> dict[str, Any]:
    """The columns that say which training a row is; each `times` in a row."""
    n, at = len(order) * times, np.repeat(order, times)
    return {
        "row": rows[at].astype(np.int32),
        "key": told.arch_keys[at].tolist(),
        "data": [problem.task.data] * n,
        "seed": told.seeds[at].astype(np.int16),
        "epochs": np.full(n, problem.recipe.epochs, np.int16),
    }


def _runs(problem: Problem, told: Trainings, rows: NDArray[np.int64], order: NDArray[np.int64]) -> pa.Table:
    import pyarrow as pa

    return pa.table(_facts(problem, told, rows, order) | {n: v[order] for n, v in told.scalars.items()})


def _curves(
    problem: Problem, told: Trainings, rows: NDArray[np.int64], order: NDArray[np.int64]
) -> list[pa.Table]:
    """One piece: the curves of a training stand together."""
    import pyarrow as pa

    names = list(told.curves)
    values = np.stack([told.curves[n][order] for n in names], 1)  # (trainings, metrics, epochs)
    flat = pa.array(values.reshape(-1))
    lists = pa.ListArray.from_arrays(np.arange(0, values.size + 1, values.shape[2], dtype=np.int32), flat)
    facts = _facts(problem, told, rows, order, len(names))
    return [pa.table(facts | {"metric": names * len(order), "values": lists})]


def bins(found: Arrays) -> pa.Table:
    """The confidence histograms of every training: for reliability diagrams and sweeps over bin numbers.

    Columns `key`, `seed`, and lists of 100 each: how many test images have their top confidence in each bin,
    how many of them are right, and the mean of their confidences as 255ths of the way from the bin's low
    to its high end (so to within 2e-5); the same after temperature scaling with `post_` before the name.
    """
    import pyarrow as pa

    out: dict[str, Any] = {"key": found["key"].tolist(), "seed": found["seed"].astype(np.int16)}
    for prefix in ("", "post_"):
        count = found[f"{prefix}bin_count"]
        mean = found[f"{prefix}bin_confidence"] / np.maximum(count, 1)
        inside = np.clip(np.rint(255 * (mean * BINS - np.arange(BINS))), 0, 255) * (count > 0)
        named = {
            "bin_count": count,
            "bin_right": found[f"{prefix}bin_right"],
            "bin_place": inside.astype(np.uint8),
        }
        for name, v in named.items():
            out[prefix + name] = pa.FixedSizeListArray.from_arrays(pa.array(v.reshape(-1)), BINS)
    return pa.table(out)
