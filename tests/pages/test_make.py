"""Making a benchmark from the Benchmarks page."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from nascore.benchmarks.table import open_table
from nascore.runs import estimate, launch
from tests.benchmarks.small import write_small
from tests.pages.conftest import Open, asked, home, raw, said, visit

__all__ = ["home", "visit"]


def script() -> None:
    """The dialog stays open from run to run, as in a browser."""
    from pages.parts import benchmake, setup

    setup.page_setup("Make")
    benchmake.dialog()


def opened() -> AppTest:
    at = AppTest.from_function(script, default_timeout=30).run()
    assert not at.exception
    return at


def test_make_on_benchmarks_opens_the_dialog(visit: Open, home: Path) -> None:
    at = visit("benchmarks")
    at.button(key="make_open").click().run()
    assert not at.exception
    assert at.button(key="make_start")


def test_the_dialog_counts_what_will_be_trained(home: Path) -> None:
    at = opened()
    assert "15,625 architectures" in said(at)
    assert "5,044 x 3 = 15,132 trainings" in said(at)  # classes, as in the embedded table
    assert "measuring..." in said(at)
    at.segmented_control(key="make_many").set_value("A sample").run()
    at.number_input(key="make_sample").set_value(40).run()
    at.number_input(key="make_seeds").set_value(2).run()
    assert "40 x 2 = 80 trainings" in said(at)


def test_the_time_is_what_was_measured_times_the_trainings_and_the_limit_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = estimate.Estimate(2.0, 4.0, 0.0, "measured on this machine")
    monkeypatch.setattr(estimate, "ready", lambda spec: found)
    at = opened()
    at.segmented_control(key="make_many").set_value("A sample").run()
    assert "20 min 04 s" in said(at)  # 200 x 3 x 2 s and 4 s to start
    at.number_input(key="make_hours").set_value(0.25).run()
    assert "stops after 15 min 00 s with about 450 of 600 trainings" in said(at)


def test_how_many_does_not_need_a_new_measurement(home: Path) -> None:
    from pages.parts import benchmake

    documents = [
        {"v": 1, "title": t, "strategy": {"name": "exhaustive", "knobs": {"sample": n, "seeds": s}}}
        for t, n, s in (("a", 5, 1), ("b", 500, 7))
    ]
    marks = {estimate.mark_of(benchmake.probe(benchmake.from_document(d))) for d in documents}
    assert len(marks) == 1


def test_start_trains_a_sample_and_the_table_can_be_browsed(visit: Open, home: Path) -> None:
    at = opened()
    at.segmented_control(key="make_many").set_value("A sample").run()
    at.number_input(key="make_sample").set_value(3).run()
    at.number_input(key="make_seeds").set_value(2).run()
    at.button(key="make_start").click().run()
    assert not at.exception
    from pages.parts.stores import owner

    (run,) = launch.runs()
    spec = json.loads((home / "runs" / run / "spec.json").read_text())
    assert spec["strategy"]["knobs"]["sample"] == 3
    assert spec["budget"] == {**spec["budget"], "evaluations": 6, "seconds": 36000.0}
    assert launch.ended(run, 120)
    summary = owner().run(run)
    assert summary.state == "finished", summary.reason
    other = visit("runs", run=run)
    other.button(key="save_table").click().run()
    table = open_table(f"made-{run}", home)
    assert table.about["trained"] == 3
    assert table.about["trainings"] == 6


def test_a_making_that_runs_is_told_on_the_page_and_opens_as_a_table(visit: Open, home: Path) -> None:
    from nascore.runs.spec import from_document
    from pages.parts import benchmake

    write_small(home)
    document = benchmake.start_document() | {"title": "big one", "budget": {"evaluations": 10_000}}
    document["strategy"] = {"name": "exhaustive", "knobs": {"seeds": 5}}
    document["recipe"]["knobs"]["epochs"] = 1
    document["evaluator"]["knobs"]["chunk"] = 8
    run = launch.start(from_document(document))
    try:
        at = visit("benchmarks")
        for _ in range(300):
            if "Making **big one**, " in raw(at) and ", 0 trainings" not in raw(at):
                break
            time.sleep(0.3)  # leaves the processor to the run
            at.run()
        else:
            pytest.fail("the page never told of a training")
        at.button(key=f"make_browse_{run}").click().run()
        assert not at.exception
        assert asked(at, "table") == f"made-{run}"
        assert "cells chosen" in said(at)
    finally:
        launch.cancel(run)
        launch.ended(run, 60)
