from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from nascore.errors import BadInput
from nascore.measures import compare
from nascore.measures.relative import Relative
from nascore.runs.spec import open_spec


def spec(strategy: str = "random_search", seed: int = 0, **more: object) -> dict[str, object]:
    changes = [
        f"strategy={strategy}",
        f"seed={seed}",
        *(f"{k.replace('__', '.')}={v}" for k, v in more.items()),
    ]
    return open_spec("quick", changes).to_json()


def test_runs_that_differ_in_seed_and_title_alone_are_one_method() -> None:
    a, b = spec(seed=1), {**spec(seed=2), "title": "other"}
    c = spec(budget__evaluations=7)
    assert compare.methods({"a": a, "b": b, "c": c}) == {
        compare.method(a): ["a", "b"],
        compare.method(c): ["c"],
    }


def test_a_method_is_named_by_its_strategy_and_what_sets_it_apart() -> None:
    specs = {
        "r": spec(),
        "e": spec("regularized_evolution"),
        "f": spec("regularized_evolution", strategy__population=7),
        "s": spec("regularized_evolution", budget__evaluations=9),
    }
    names = compare.names(specs)
    assert names["r"] == "random search, 40 evaluations"
    assert names["f"].startswith("regularized evolution, population 7")
    assert names["s"].endswith(", 9 evaluations")
    assert len(set(names.values())) == 4
    alone = compare.names({"r": specs["r"], "e": specs["e"]})
    assert alone == {"r": "random search", "e": "regularized evolution"}  # own knobs set nothing apart


def test_of_runs_with_one_seed_the_one_that_came_farthest_is_taken() -> None:
    runs = [("a", 1, 10), ("b", 0, 5), ("c", 1, 12), ("d", 1, 12)]
    assert compare.one_a_seed(runs) == (["b", "c"], ["a", "d"])


def test_the_improvement_over_a_known_mean_is_the_papers_with_students_interval() -> None:
    found = np.array([95.0, 96.0, 97.0, 94.0, 96.5])
    made = compare.over_mean(found, 80.0)
    assert made.percent.value == pytest.approx(100 * (found.mean() - 80) / 80)
    low, high = ttest_1samp(found, 80.0).confidence_interval()
    assert made.percent.low == pytest.approx(100 * (low - 80) / 80)
    assert made.percent.high == pytest.approx(100 * (high - 80) / 80)
    assert made.p == pytest.approx(ttest_1samp(found, 80.0).pvalue)
    assert made.better


def test_one_run_has_an_improvement_without_an_interval() -> None:
    made = compare.over_mean([90.0], 80.0)
    assert made.percent.value == pytest.approx(12.5)
    assert math.isnan(made.percent.low)
    assert math.isnan(made.p)


def test_the_improvement_over_drawn_architectures_is_that_of_the_relative_measure() -> None:
    rng = np.random.default_rng(0)
    found, random = rng.normal(95, 1, 6), rng.normal(90, 3, 200)
    assert compare.over_random(found, random) == Relative().measure(found, random)
    with pytest.raises(BadInput, match="no meaning"):
        compare.over_mean([1.0], 0.0)
    with pytest.raises(BadInput, match="finite"):
        compare.over_mean([math.nan], 1.0)


def test_only_objectives_that_all_share_with_one_direction_are_kept() -> None:
    a, b = [("error", "min"), ("params", "min")], [("params", "max"), ("error", "min")]
    assert compare.directions([a, b]) == {"error": "min"}
    assert compare.directions([]) == {}
