from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks import from_run
from nascore.benchmarks.from_run import Made
from nascore.errors import BadInput
from nascore.evaluators.tabular import Tabular
from nascore.events import Tried
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.runs.spec import from_document
from nascore.tasks.images import Digits
from tests.evaluators.tables import SPACE

RUN = "20260102-030405-aaaaaa"
ONE, TWO = (0, 0, 0, 1, 0, 0), (3, 1, 2, 3, 1, 4)


def made() -> Made:
    knobs = {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}
    document = {"v": 1, "space": {"name": "nasbench201", "knobs": knobs}, "strategy": "random_search"}
    return from_run.made_of(from_document(document), RUN)


def told(arch, error: float, draw: int = 0, **more: object) -> Tried:
    metrics = {
        "error": error,
        "test_error": error + 0.1,
        "loss": 2 * error,
        "train_seconds": 1.0,
        "params": 1.0,
    }
    how = f"trained/draw{draw}" if draw else "trained"
    return Tried(arch, metrics, how, {"seconds": 1.0}, {"error": (0.9, error)}, **more)  # type: ignore[arg-type]


def test_metrics_are_means_over_seeds_and_equals_share_them_with_their_own_cost(tmp_path: Path) -> None:
    tried = [told(ONE, 0.5), told(ONE, 0.3, 1), told(TWO, 0.2), told(TWO, 0.2, 1)]
    table = from_run.table_of(made(), tried, "mine", tmp_path)
    equal = [a for a in np.ndindex(5, 5, 5, 5, 5, 5) if SPACE.canonical(a) == SPACE.canonical(ONE)]
    assert len(equal) > 1
    assert table.rows == len(equal) + sum(
        SPACE.canonical(a) == SPACE.canonical(TWO) for a in np.ndindex(5, 5, 5, 5, 5, 5)
    )
    assert table.value("val_accuracy", equal) == pytest.approx([60.0] * len(equal))
    assert table.value("test_accuracy", [ONE]) == pytest.approx([50.0])
    costs = SPACE.costs(np.array(equal), Digits().shape)["params"]
    assert table.value("params", equal).tolist() == costs.tolist()
    protocol = table.columns["val_accuracy"].protocol
    assert (protocol.data, protocol.split, protocol.seeds) == ("digits", "validation", "mean of 2 seeds")
    assert table.columns["test_accuracy"].protocol.split == "test"


def test_every_training_and_curve_is_kept_under_its_seed(tmp_path: Path) -> None:
    table = from_run.table_of(made(), [told(ONE, 0.5), told(ONE, 0.3, 1), told(TWO, 0.2)], "mine", tmp_path)
    name = table.frame["key"][int(table.lookup([ONE])[0])]
    runs, curves = table.runs(name), table.curves(name)
    assert runs["seed"].tolist() == [0, 1]
    assert runs["val_accuracy"].tolist() == pytest.approx([50.0, 70.0])
    assert [list(v) for v in curves["values"]] == [pytest.approx([10.0, 50.0]), pytest.approx([10.0, 70.0])]
    assert set(curves["metric"]) == {"val_accuracy"}
    assert table.columns["val_accuracy"].protocol.seeds == "mean of 1 to 2 seeds"


def test_what_failed_is_counted_and_not_in_it(tmp_path: Path) -> None:
    bad = replace(told(TWO, 0.2), failed="diverged", metrics={})
    table = from_run.table_of(made(), [told(ONE, 0.5), bad], "mine", tmp_path, whole=False)
    assert table.rows == 1
    assert (table.about["skipped"], table.about["reasons"]) == (1, {"diverged": 1})


def test_it_grows_in_place_but_never_replaces_another_table(tmp_path: Path) -> None:
    first = from_run.table_of(made(), [told(ONE, 0.5)], "mine", tmp_path, whole=False)
    second = from_run.table_of(made(), [told(ONE, 0.5), told(TWO, 0.2)], "mine", tmp_path, whole=False)
    assert (first.rows, second.rows) == (1, 2)
    other = replace(made(), about={**made().about, "run": "20260102-030405-bbbbbb"})
    with pytest.raises(BadInput, match="already"):
        from_run.table_of(other, [told(ONE, 0.5)], "mine", tmp_path)


def test_nothing_judged_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing was judged"):
        from_run.table_of(made(), [replace(told(ONE, 0.5), how="zero_cost")], "mine", tmp_path)


def test_a_search_asks_it_like_any_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    from_run.table_of(made(), [told(ONE, 0.5), told(ONE, 0.3, 1)], "mine", tmp_path)
    by = Tabular("mine")
    p = Problem(SPACE, Digits(), SgdCosine(), by)
    (found,) = by.evaluate([ONE], p)
    assert isinstance(found, Tried)
    assert found.metrics["error"] == pytest.approx(0.4)
    assert found.metrics["test_error"] == pytest.approx(0.5)
    assert found.spent["simulated_seconds"] == 1.0
    assert found.curve["error"] == pytest.approx((0.9, 0.4))
