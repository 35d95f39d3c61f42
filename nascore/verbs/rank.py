"""`python -m nascore rank TABLE --by A,B --truth METRIC`: evaluators judged by a table's truth."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nascore.benchmarks import judges
from nascore.benchmarks.judges import Court, Scores
from nascore.benchmarks.table import open_table
from nascore.codec import from_json
from nascore.errors import AppError, BadInput
from nascore.evaluators.learned import learned
from nascore.measures.ranking import PICKS, ceiling, trial
from nascore.problem import Problem
from nascore.tables import table as entries

Document = dict[str, Any]
BY = (
    "evaluators: METRIC of the table, METRIC@EPOCH of its learning curves, TABLE:METRIC of another table "
    "over the same space, PREDICTOR@SIZE after learning from so many"
)


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Puts `rank` among the verbs."""
    one = verb("rank", "how far scores order architectures as the truth does", do_rank)
    one.add_argument("table", metavar="TABLE")
    one.add_argument("--by", required=True, metavar="A,B", help=BY)
    one.add_argument(
        "--truth", default="", metavar="METRIC", help="default test accuracy, or the first metric"
    )
    one.add_argument("--k", type=int, default=PICKS, metavar="K", help="of precision, NDCG, ranks and regret")
    one.add_argument(
        "--resamples",
        type=int,
        default=0,
        metavar="N",
        help="make the intervals by so many bootstrap resamples; by default, and much faster, by influence",
    )
    one.add_argument("--export", metavar="FILE", help="write the rows behind it, a CSV file")


def do_rank(a: argparse.Namespace) -> Document:
    """`{"table", "truth", "noise_ceiling", "rows": [{"evaluator", "n", "kendall", ...}]}`."""
    if not 1 <= a.k <= 10_000:
        raise BadInput(f"--k: {a.k} is not between 1 and 10,000")
    if a.resamples and not 10 <= a.resamples <= 100_000:
        raise BadInput(f"--resamples: {a.resamples} is not between 10 and 100,000")
    court = judges.of_table(open_table(a.table))
    truth = court.truth(a.truth or judges.first_truth(court))
    names = list(dict.fromkeys(n.strip() for n in a.by.split(",") if n.strip()))
    if not names:
        raise BadInput("--by: no evaluator is named")
    if truth.name in names:
        raise BadInput(f"--by: {truth.name} is the truth itself; name another column")
    by = [_scores(court, name, truth) for name in names]
    seen = judges.trainings(court, truth.column)
    most = None if seen is None else ceiling(seen)
    out: Document = {"table": court.name, "truth": truth.name}
    out["noise_ceiling"] = None if most is None else asdict(most)
    out["rows"] = [judged(court, truth, one, a.k, a.resamples) for one in by]
    if a.export:
        out["exported"] = _export(court, truth, by, Path(a.export))
    return out


def _scores(court: Court, name: str, truth: Scores) -> Scores:
    key, _, size = name.rpartition("@")
    if not size.isdecimal() or key not in entries("predictor"):
        return judges.judge(court, name, truth.column)
    if court.table is None or not court.table.space:
        raise BadInput(f"{name}: a predictor needs a table whose space is known")
    data, known = truth.column.protocol.data, entries("task")
    task = known[data if data in known else "digits"]()
    parts = entries("recipe")["sgd_cosine"](), entries("evaluator")["tabular"]()
    problem = Problem(from_json("space", court.table.space), task, *parts)
    return learned(court, name, int(size), truth, problem, entries("predictor")[key]())


def judged(court: Court, truth: Scores, one: Scores, k: int, resamples: int) -> Document:
    """What an evaluator is worth.

    Raises:
        BadInput: no correlation has a meaning; the sentence names the evaluator.
    """
    has_size = "params" in court.columns and one.name != "params"
    size = court.read("params") if has_size else None
    try:
        found = trial(truth.turned, one.turned, size=size, k=k, resamples=resamples)
    except AppError as error:
        raise BadInput(f"{one.name}: {error}") from error
    return {
        "evaluator": one.name,
        "direction": one.column.direction,
        **found.document(),
        "seconds_per_arch": one.seconds,
        "seconds_from": one.clock,
        "shares_trainings": one.shares,
    }


def _export(court: Court, truth: Scores, by: list[Scores], file: Path) -> str:
    """The values as the table has them, not turned around."""
    import pandas as pd

    if not file.parent.is_dir():
        raise BadInput(f"{file}: there is no such folder")
    aside = file.with_name(f".{file.name}.part")
    values = {one.name: one.values for one in (truth, *by)}
    pd.DataFrame({"key": court.keys, **values}).to_csv(aside, index=False)
    aside.replace(file)
    return str(file)
