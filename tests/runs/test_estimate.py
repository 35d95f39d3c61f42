from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest

from nascore.codec import dumps
from nascore.problem import Budget
from nascore.runs import estimate, launch, worker
from nascore.runs.spec import open_spec
from tests.runs.toy_parts import finish, spec


def test_nothing_is_known_before_it_is_measured(home: Path) -> None:
    assert estimate.ready(spec(8)) is None


def test_a_finished_run_tells_how_long_its_like_will_take(home: Path) -> None:
    run = launch.start(spec(8, seconds=0.05))
    finish(run)
    found = estimate.ready(spec(80, seconds=0.05, seed=9, title="another"))
    assert found is not None
    assert found.source == estimate.EARLIER
    assert 0.05 <= found.seconds_per_evaluation < 0.5
    assert found.total_seconds == pytest.approx(
        found.startup_seconds + 80 * found.seconds_per_evaluation, rel=1e-6
    )
    assert estimate.ready(spec(8, seconds=0.06)) is None


def test_seconds_of_the_budget_bound_the_total(home: Path) -> None:
    estimate.remember(spec(8), 100.0, 0.0, [None] * 0)  # too few to tell
    assert estimate.ready(spec(8)) is None
    estimate._keep(estimate.mark_of(spec(8)), 2.0, 1.0, estimate.MEASURED, 1.0)
    assert estimate.ready(spec(100)).total_seconds == 201.0
    assert estimate.ready(spec(100, budget={"evaluations": 100, "seconds": 10})).total_seconds == 11.0


def test_a_budget_of_simulated_seconds_alone_bounds_the_total(home: Path) -> None:
    mark = estimate.mark_of(spec(8))
    estimate._keep(mark, 2.0, 1.0, estimate.MEASURED, 1.0, simulated=50.0)
    alone, both = (replace(spec(8), budget=Budget(n, simulated_seconds=500.0)) for n in (0, 3))
    assert estimate.ready(alone).total_seconds == 21.0
    assert estimate.ready(both).total_seconds == 7.0


def test_a_search_on_a_table_is_measured_with_its_simulated_clock(home: Path) -> None:
    asked = [
        "evaluator=tabular", "strategy=random_search", "budget.evaluations=0",
        "budget.simulated_seconds=0.01",
    ]  # fmt: skip
    small = open_spec("quick", asked)
    estimate.measure(small, time.monotonic())  # less than one evaluation takes, and measured all the same
    large = open_spec("quick", [*asked[:3], "budget.simulated_seconds=100000"])
    least, most = estimate.ready(small), estimate.ready(large)
    assert least is not None
    assert most is not None
    assert most.total_seconds - most.startup_seconds == pytest.approx(
        1e7 * (least.total_seconds - least.startup_seconds), rel=1e-3
    )
    assert most.total_seconds > most.startup_seconds


def test_a_damaged_answer_is_as_none(home: Path) -> None:
    estimate._keep(estimate.mark_of(spec(8)), 2.0, 1.0, estimate.MEASURED, 1.0)
    next((home / "measured").iterdir()).write_text("{")
    assert estimate.ready(spec(8)) is None


def test_a_measurement_ends_itself_where_the_app_is_gone(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it any more: a network of hundreds of layers would be measured for minutes."""
    calls: list[tuple[str, float]] = []
    monkeypatch.setattr(estimate.signal, "alarm", lambda seconds: calls.append(("alarm", seconds)))
    monkeypatch.setattr(estimate, "measure", lambda spec, since: calls.append(("measure", 0)))
    monkeypatch.setattr(worker, "limit", lambda: calls.append(("limit", 0)))
    monkeypatch.setattr(
        estimate.sys, "stdin", io.TextIOWrapper(io.BytesIO(dumps(spec(8).to_json()).encode()))
    )
    assert estimate.main() == 0
    assert calls == [("limit", 0), ("alarm", 130), ("measure", 0)]


@pytest.mark.slow
def test_a_real_search_is_measured_without_blocking(home: Path) -> None:
    asked = open_spec("quick", ["recipe.epochs=3", "budget.evaluations=8"])
    estimate.request(asked)
    assert estimate.ready(asked) is None
    found = estimate.wait(asked)
    assert found.error == ""
    assert found.source == estimate.MEASURED
    assert 0 < found.seconds_per_evaluation < 10
    assert found.total_seconds > 8 * found.seconds_per_evaluation


@pytest.mark.slow
def test_a_search_with_shared_weights_is_measured_by_its_epochs(home: Path) -> None:
    sets = ["strategy=darts", "strategy.knobs.epochs=40", "task.knobs.train_images=64", "recipe.epochs=1"]
    asked = open_spec("quick", [*sets, "budget.evaluations=100"])
    estimate.measure(asked, time.monotonic())
    found = estimate.ready(asked)
    assert found is not None
    assert found.seconds_per_epoch > 0
    ends = found.startup_seconds + 40 * found.seconds_per_epoch + found.seconds_per_evaluation
    assert found.total_seconds == pytest.approx(ends)  # not a hundred architectures: it judges one


def test_the_epochs_of_a_shared_network_are_counted_whole() -> None:
    from nascore.tables import STRATEGIES

    assert STRATEGIES["darts"](epochs=30).shared_epochs(6) == 30
    assert STRATEGIES["proxyless"](epochs=30, warmup=10).shared_epochs(6) == 40
    assert STRATEGIES["darts_pt"](epochs=30, tune=3).shared_epochs(6) == 48
    assert STRATEGIES["darts_pt"](epochs=30, tune=3, select="magnitude").shared_epochs(6) == 30
    assert STRATEGIES["regularized_evolution"]().shared_epochs(6) == 0


def test_what_a_shared_network_took_is_not_spread_over_what_it_judged(home: Path) -> None:
    estimate.remember(open_spec("quick", ["strategy=darts"]), 100.0, 1.0, [None] * 24)  # type: ignore[list-item]
    assert estimate.ready(open_spec("quick", ["strategy=darts"])) is None
