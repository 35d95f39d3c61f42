"""`python -m nascore rank TABLE --by A,B --truth METRIC`: evaluators judged by a table's truth."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.table import TRAINED_ROW, Table, open_table
from nascore.errors import BadInput
from nascore.measures.ranking import Trial, trial
from nascore.stats import Interval
from nascore.tables import table as entries

Document = dict[str, Any]
TRUTHS = ("test_accuracy", "val_accuracy")  # what is asked for when nothing is said, if it is there


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Puts `rank` among the verbs."""
    one = verb("rank", "how far scores order architectures as the truth does", do_rank)
    one.add_argument("table", metavar="TABLE")
    one.add_argument("--by", required=True, metavar="A,B", help="evaluators: columns of the table")
    one.add_argument(
        "--truth", default="", metavar="METRIC", help="default test accuracy, or the first metric"
    )
    one.add_argument("--k", type=int, default=10, metavar="K", help="of precision, NDCG, ranks and regret")
    one.add_argument("--resamples", type=int, default=500, metavar="N", help="of the bootstrap intervals")
    one.add_argument("--export", metavar="FILE", help="write the rows behind it, a CSV file")


def do_rank(a: argparse.Namespace) -> Document:
    """`{"table", "truth", "rows": [{"evaluator", "n", "kendall", ...}]}`."""
    if not 1 <= a.k <= 10_000:
        raise BadInput(f"--k: {a.k} is not between 1 and 10,000")
    if not 10 <= a.resamples <= 100_000:
        raise BadInput(f"--resamples: {a.resamples} is not between 10 and 100,000")
    known = open_table(a.table)
    truth = a.truth or next((t for t in TRUTHS if t in known.columns), "") or _first(known)
    names = list(dict.fromkeys(n.strip() for n in a.by.split(",") if n.strip()))
    if not names:
        raise BadInput("--by: no evaluator is named")
    if truth in names:
        raise BadInput(f"--by: {truth} is the truth itself; name another column")
    rows = trained(known)
    columns = {n: known.values(known.column(n).name)[rows] for n in (truth, *names)}
    size = known.values("params")[rows] if "params" in known.columns else None
    goal = turned(known, truth, columns[truth], truth=True)
    found = []
    for name in names:
        scores = turned(known, name, columns[name])
        one = trial(goal, scores, size=None if name == "params" else size, k=a.k, resamples=a.resamples)
        found.append({"evaluator": name, **document(one)})
    out: Document = {"table": known.name, "truth": truth, "rows": found}
    if a.export:
        out["exported"] = _export(known, rows, columns, Path(a.export))
    return out


def trained(known: Table) -> NDArray[np.int64]:
    """The rows that were trained themselves: equal networks share a training and would count many times."""
    if TRAINED_ROW not in known.frame:
        return np.arange(known.rows)
    own = known.frame[TRAINED_ROW].to_numpy()
    return np.flatnonzero(own == np.arange(known.rows))


def _first(known: Table) -> str:
    directed = [n for n, c in known.columns.items() if c.direction]
    if not directed:
        raise BadInput(f"{known.name} has no metric with a direction; name one with --truth")
    return directed[0]


def turned(
    known: Table, name: str, values: NDArray[np.float64], *, truth: bool = False
) -> NDArray[np.float64]:
    """The column with higher as better: a proxy's score is so by definition, params and FLOPs as proxies too.

    Raises:
        BadInput: the column has no declared direction.
    """
    if not truth and name in entries("proxy"):
        return values
    direction = known.columns[name].direction
    if not direction:
        raise BadInput(f"{name}: the table does not say whether higher or lower is better")
    return values if direction == "max" else -values


def document(one: Trial) -> Document:
    """Numbers by name, each interval as three; what has no value is None."""
    out: Document = {}
    for name in (f.name for f in fields(one)):
        value = getattr(one, name)
        if isinstance(value, Interval):
            out |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
        else:
            out[name] = value
    out["seconds_per_arch"] = None
    return {n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in out.items()}


def _export(
    known: Table, rows: NDArray[np.int64], columns: dict[str, NDArray[np.float64]], file: Path
) -> str:
    """The values as the table has them, not turned around."""
    import pandas as pd

    if not file.parent.is_dir():
        raise BadInput(f"{file}: there is no such folder")
    aside = file.with_name(f".{file.name}.part")
    pd.DataFrame({"key": known.frame["key"].to_numpy()[rows], **columns}).to_csv(aside, index=False)
    aside.replace(file)
    return str(file)
