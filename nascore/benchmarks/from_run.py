"""A table of what a run has judged so far: metrics as means over seeds, each training, its curves.

So a benchmark can be browsed while it grows, and is an ordinary table when it is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.benchmarks.assemble import space_json
from nascore.benchmarks.made import SCALARS
from nascore.benchmarks.piece import guess, words
from nascore.benchmarks.table import PREFIX, Column, Direction, Draft, Table, choices_json, write_table
from nascore.errors import BadInput
from nascore.events import Arch, Tried
from nascore.kinds import EvaluationProtocol
from nascore.space import ENUMERABLE, array, enumerate_archs, key, size, tuples

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from nascore.runs.spec import RunSpec
    from nascore.space import Archs, Space

DRAW = re.compile(r"/draw(\d+)$")
OWN = (
    "params",
    "flops",
    "latency_ms",
    "latency_spread_ms",
)  # an arch's own, whoever of its class was trained
PLAIN = ("val_accuracy", "val_loss", "test_accuracy", "train_seconds")  # named by the protocol itself
Costs = Callable[["Archs"], Mapping[str, Any]]


@dataclass(frozen=True)
class Made:
    """What a table is made of.

    Attributes:
        space: of the archs.
        space_json: as the codec writes it.
        protocol: of one training.
        key: of the judge's first draw; what others said is left out.
        costs: (n, choices) archs -> exact costs, metric -> (n,).
        about: more fields of table.json: title, source, run.
    """

    space: Space
    space_json: dict[str, Any]
    protocol: EvaluationProtocol
    key: str
    costs: Costs
    about: Mapping[str, Any]


def made_of(spec: RunSpec, run: str) -> Made:
    """What the table of a run is made of."""
    problem = spec.problem()
    return Made(
        spec.space,
        space_json(spec.space),
        spec.evaluator.protocol(problem),
        spec.evaluator.key,
        lambda archs: spec.space.costs(archs, spec.task.shape),
        {"title": spec.title or f"Made by run {run}", "source": "trained here", "run": run},
    )


def table_of(
    made: Made, tried: Iterable[Tried], name: str, home: Path | None = None, *, whole: bool = True
) -> Table:
    """Writes the table, in place of one that the same run wrote before.

    Args:
        made: what it is made of.
        tried: answers, of any judge.
        name: of the table.
        home: where tables lie.
        whole: equal networks of a space that can be listed get rows of their own, with their own costs.

    Raises:
        BadInput: nothing was judged yet, or a table of this name is another's.
    """
    draft = draft_of(made, tried, whole=whole)
    return write_table(draft, name, home, replace=_is_ours(name, home, made.about.get("run")))


def _is_ours(name: str, home: Path | None, run: object) -> bool:
    from nascore.benchmarks.table import list_tables

    return any(t.name == name and t.about.get("run") == run and run for t in list_tables(home))


def draft_of(made: Made, tried: Iterable[Tried], *, whole: bool = True) -> Draft:
    """What the table is written from; see `table_of`."""
    rows = {t.identity(): t for t in tried if t.how == made.key or DRAW.sub("", t.how) == made.key}
    good = [t for t in rows.values() if not t.failed]
    if not good:
        raise BadInput("nothing was judged yet, so there is no table")
    good.sort(key=lambda t: (t.arch, draw_of(t)))
    runs = _runs(made, good)
    metrics = [c for c in runs.columns if c not in ("row", "key", "data", "seed", "epochs", *OWN)]
    archs, places = _archs(made, list(dict.fromkeys(t.arch for t in good)), whole)
    frame = _frame(made, archs)
    means: pd.DataFrame = runs.groupby("row")[metrics].mean()  # type: ignore[assignment] -- of several columns
    for m in metrics:
        frame[m] = means[m].to_numpy()[places]
    for m, values in _costs(made, archs, good).items():
        frame[m] = values
    first = {a: i for i, a in reversed(list(enumerate(archs)))}
    runs["row"] = [first[t.arch] for t in good]
    order = np.argsort(runs["row"].to_numpy(), kind="stable")
    columns = [
        _column(made, m, _seeds(good)) for m in frame.columns if m not in ("key", "text") and PREFIX not in m
    ]
    failed = [t.failed for t in rows.values() if t.failed]
    about = {
        "trainings": len(good),
        "trained": len(means),
        "skipped": len(failed),
        "reasons": {why: failed.count(why) for why in dict.fromkeys(failed)},
        **made.about,
    }
    return Draft(
        frame,
        columns,
        _arrow(runs.drop(columns=[c for c in OWN if c in runs]).iloc[order]),
        _curves(made, [good[i] for i in order], first),
        (made.space_json, choices_json(made.space)),
        about,
    )


def draw_of(tried: Tried) -> int:
    """Which of the independent trainings an answer is."""
    found = DRAW.search(tried.how)
    return int(found[1]) if found else 0


def _name(made: Made, metric: str) -> str:
    """`error` becomes `val_accuracy`, after the split that it was judged on, as in the embedded table."""
    known, split = metric, made.protocol.split.replace("validation", "val")
    if _is_error(metric):
        known = metric.removesuffix("error") + "accuracy"
    return f"{split}_{known}" if known in ("accuracy", "loss") and split else known


def _value(metric: str, value: float) -> float:
    return 100 * (1 - value) if _is_error(metric) else value


def _is_error(metric: str) -> bool:
    """Whether it is a share of wrong answers; tables show the share of right ones, in percent."""
    return metric == "error" or metric.endswith("_error")


def _runs(made: Made, good: list[Tried]) -> pd.DataFrame:
    """One row a training, in the order of `good`; `row` numbers the different archs."""
    import pandas as pd

    number = {a: i for i, a in enumerate(dict.fromkeys(t.arch for t in good))}
    return pd.DataFrame(
        [
            {
                "row": number[t.arch],
                "key": key(made.space, t.arch),
                "data": made.protocol.data,
                "seed": draw_of(t),
                "epochs": made.protocol.epochs,
                **{_name(made, m): _value(m, v) for m, v in t.metrics.items()},
            }
            for t in good
        ]
    )


def _archs(made: Made, judged: list[Arch], whole: bool) -> tuple[list[Arch], list[int]]:
    """Archs of the table, and for each the place in `judged` of the one that it shares its numbers with."""
    if not whole or size(made.space) > ENUMERABLE:
        return judged, list(range(len(judged)))
    of_class = {made.space.canonical(a): i for i, a in enumerate(judged)}
    pairs = [(a, of_class.get(made.space.canonical(a), -1)) for a in tuples(enumerate_archs(made.space))]
    kept = [(a, i) for a, i in pairs if i >= 0]
    return [a for a, _ in kept], [i for _, i in kept]


def _frame(made: Made, archs: list[Arch]) -> pd.DataFrame:
    import pandas as pd

    numbers = array(archs, made.space)
    return pd.DataFrame(
        {
            "key": [key(made.space, a) for a in archs],
            "text": [made.space.text(a) for a in archs],
            **{PREFIX + c.name: numbers[:, j].astype(np.int16) for j, c in enumerate(made.space.choices())},
        }
    )


def _costs(made: Made, archs: list[Arch], good: list[Tried]) -> dict[str, Any]:
    """Exact costs of all, and what was measured of those that were judged."""
    out = {m: np.asarray(v, float) for m, v in made.costs(array(archs, made.space)).items()}
    for metric in OWN[2:]:
        known = {t.arch: t.metrics[metric] for t in good if metric in t.metrics}
        if known:
            out[metric] = np.array([known.get(a, np.nan) for a in archs])
    return out


def _seeds(good: list[Tried]) -> str:
    counts: dict[Arch, int] = {}
    for t in good:
        counts[t.arch] = counts.get(t.arch, 0) + 1
    low, high = min(counts.values()), max(counts.values())
    if high == 1:
        return "1 seed"
    return f"mean of {high} seeds" if low == high else f"mean of {low} to {high} seeds"


def _column(made: Made, name: str, seeds: str) -> Column:
    said, split = made.protocol, ""
    if name in SCALARS and name not in PLAIN:
        title, unit, direction, split = SCALARS[name]
        return Column(name, title, unit, direction, replace(said, split=split, seeds=seeds))
    direction, unit = guess(name)
    if name.endswith(("accuracy", "loss", "error", "ece_15")):
        split = next((s for s in ("test", "train") if name.startswith(s)), said.split)
    if name in OWN:
        return Column(
            name,
            words(name),
            unit if "ms" in name else "",
            "min",
            EvaluationProtocol(said.data, "", 0, "", said.source),
        )
    unit = "%" if name.endswith("accuracy") else unit
    better: Direction = direction or "max"
    title = words(name.replace("val_", "validation_").replace("ece_15", "ECE, 15 bins"))
    return Column(name, title, unit, better, replace(said, split=split, seeds=seeds))


def _arrow(frame: pd.DataFrame) -> pa.Table:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)


def _curves(made: Made, good: list[Tried], row: Mapping[Arch, int]) -> list[pa.Table]:
    import pandas as pd

    rows = [
        {
            "row": row[t.arch],
            "key": key(made.space, t.arch),
            "data": made.protocol.data,
            "seed": draw_of(t),
            "epochs": made.protocol.epochs,
            "metric": _name(made, m),
            "values": [_value(m, v) for v in values],
        }
        for t in good
        for m, values in t.curve.items()
    ]
    return [_arrow(pd.DataFrame(rows))] if rows else []
