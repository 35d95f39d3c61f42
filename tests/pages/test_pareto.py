from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from nascore import pareto
from nascore.benchmarks.imports import import_path
from nascore.benchmarks.table import open_table
from nascore.runs import launch
from nascore.runs.spec import from_document
from tests.evaluators import tables
from tests.pages.conftest import RUN, Open, asked, home, said, visit, write_broken, write_run

__all__ = ["home", "visit"]
SPACE = {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}}
TABLE = "table:nasbench_digits"


def value(at: AppTest, label: str) -> str:
    return {m.label: m.value for m in at.metric}[label].replace("\u00a0", " ")


@pytest.fixture
def made(home: Path) -> Path:
    tables.made(home, curves=False)
    return home


def table_run(evaluations: int = 60, **more: object) -> str:
    document = {
        "v": 1,
        "title": "on a table",
        "space": SPACE,
        "evaluator": "tabular",
        "strategy": {"name": "nsga2", "knobs": {"population": 10}},
        "objectives": [["error", "min"], ["params", "max"]],
        "budget": {"evaluations": evaluations},
        **more,
    }
    run = launch.start(from_document(document))
    assert launch.ended(run, 60)
    return run


def test_a_run_alone_has_a_front_a_reference_and_no_true_front(visit: Open, home: Path) -> None:
    write_run(home)
    write_broken(home)
    at = visit("pareto", source=f"run:{RUN}")
    assert value(at, "On the front") == "1"  # error and params rise together
    assert "up to 1.01 k, 21.00 %" in said(at)  # 20 is the worst, the range is 10
    if value(at, "Distance to the true front") == "-":
        assert "no table here knows this space" in said(at)
    assert len(at.get("plotly_chart")) == 3


def test_a_table_has_the_front_that_the_core_computes(visit: Open, made: Path) -> None:
    at = visit("pareto", source=TABLE, obj="params:min,validation_accuracy:max")
    frame = tables.made(made, curves=False).frame
    points = pareto.costs(frame[["params", "validation_accuracy"]].to_numpy(), ["min", "max"])
    front = pareto.front(points)
    assert value(at, "On the front") == f"{len(front):,}"
    assert at.dataframe[0].value["params"].tolist() == frame["params"].iloc[front].tolist()
    ref = pareto.reference(points)
    assert ref is not None
    found = pareto.hypervolume(points[front], ref)
    assert float(value(at, "Hypervolume").split()[0]) * 1e3 == pytest.approx(found, rel=0.01)


def test_a_limit_grays_what_misses_it_and_the_front_without_it_stays_as_truth(
    visit: Open, made: Path
) -> None:
    at = visit("pareto", source=TABLE, obj="params:max,validation_accuracy:max", limit="params<=1000")
    frame = tables.made(made, curves=False).frame
    assert f"of {(frame['params'] <= 1000).sum():,} within limits" in said(at)
    assert at.dataframe[0].value["params"].max() <= 1000
    assert float(value(at, "Distance to the true front")) > 0


def crowded_table(home: Path, n: int = 24_000) -> None:
    """A table of names with two metrics, both better small, and more rows than are drawn as dots."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"arch": [f"net {i}" for i in range(n)], **dict(zip("ab", rng.random((2, n)) + 1, strict=True))}
    )
    frame.to_csv(home / "crowd.csv", index=False)
    metrics = {m: {"direction": "min"} for m in "ab"}
    import_path(home / "crowd.csv", "crowd", home, {"arch": "arch", "format": "text", "metrics": metrics})


def test_a_table_whose_metrics_are_all_costs_has_two_objectives(visit: Open, home: Path) -> None:
    crowded_table(home, 30)
    at = visit("pareto", source="table:crowd")
    assert at.multiselect(key="front_obj_table:crowd").value == ["b", "a"]
    assert at.get("plotly_chart")


def test_a_crowd_is_a_histogram_that_a_zoom_makes_anew(visit: Open, home: Path) -> None:
    crowded_table(home)
    at = visit("pareto", source="table:crowd")
    kinds = [t["type"] for t in json.loads(at.get("plotly_chart")[0].proto.spec)["data"]]
    assert "heatmap" in kinds
    assert "24,000 in sight, as a histogram" in said(at)
    near = visit("pareto", source="table:crowd", zoom="b,a,1.1,1.4,1.2,1.5")
    shown = json.loads(near.get("plotly_chart")[0].proto.spec)
    assert "heatmap" not in [t["type"] for t in shown["data"]]
    assert shown["layout"]["xaxis"]["range"] == [1.1, 1.4]
    values = open_table("crowd", home).frame
    seen = values["a"].between(1.2, 1.5) & values["b"].between(1.1, 1.4)
    assert f"{seen.sum():,} in sight." in said(near)
    near.button(key="front_whole").click().run()
    assert "24,000 in sight, as a histogram" in said(near)
    assert "zoom" not in near.query_params
    assert "24,000 in sight" in said(visit("pareto", source="table:crowd", zoom="a,b,1,2,1,2"))  # others'


def test_a_limit_that_nothing_meets_says_so(visit: Open, made: Path) -> None:
    assert "Nothing is within all limits" in said(visit("pareto", source=TABLE, limit="params<=1"))


def test_turning_a_direction_changes_the_front_and_the_address(visit: Open, made: Path) -> None:
    at = visit("pareto", source=TABLE, obj="params:min,validation_accuracy:max")
    at.segmented_control(key=f"front_way_{TABLE}_params").set_value("max").run()
    assert not at.exception
    assert asked(at, "obj") == "params:max,validation_accuracy:max"
    frame = tables.made(made, curves=False).frame
    assert at.dataframe[0].value["params"].max() == frame["params"].max()


def test_the_reference_point_is_taken_from_the_address_and_from_the_form(visit: Open, made: Path) -> None:
    at = visit("pareto", source=TABLE, obj="params:min,validation_accuracy:max", ref="2000,50")
    assert "up to 2 k, 50.00 %" in said(at).replace("2.00 k", "2 k")
    first = value(at, "Hypervolume")
    at.number_input(key=f"front_ref_{TABLE}_params").set_value(4000.0).run()
    assert asked(at, "ref") == "4000,50"
    assert value(at, "Hypervolume") != first


def test_a_run_on_a_table_stands_before_the_true_front_of_the_table(visit: Open, made: Path) -> None:
    run = table_run()
    at = visit("pareto", source=f"run:{run}")
    assert "IGD to the whole of nasbench_digits" in said(at)
    assert float(value(at, "Distance to the true front")) > 0
    assert "of the true front's" in said(at)
    assert "differs in" not in said(at)  # the table is as the run found it
    whole = visit("pareto", source=f"run:{run}", limit="params<=0")
    assert "Nothing is within all limits" in said(whole)


def test_the_limits_of_a_run_are_its_own_until_somebody_takes_them_away(visit: Open, made: Path) -> None:
    run = table_run(30, constraints=[["params", "<=", 1200]])
    at = visit("pareto", source=f"run:{run}")
    assert at.dataframe[0].value["params"].max() <= 1200
    assert "within limits" in said(at)
    at.multiselect(key=f"front_limited_run:{run}").set_value([]).run()
    assert asked(at, "limit") == "-"
    assert "within limits" not in said(at)


def test_nonsense_in_the_address_is_as_good_as_nothing(visit: Open, made: Path) -> None:
    at = visit(
        "pareto", source=TABLE, obj="beauty:min,params:up", limit="x<=y,params<=z", ref="1,nan", view="5-D"
    )
    assert at.get("plotly_chart")
    other = visit("pareto", source="run:../../etc/passwd")
    assert "There is no run:../../etc/passwd" in said(other)


@pytest.mark.parametrize("view", ["plane", "room", "lines"])
def test_three_objectives_in_every_view(visit: Open, made: Path, view: str) -> None:
    at = visit("pareto", source=TABLE, obj="params:min,flops:min,validation_accuracy:max", view=view)
    assert len(at.get("plotly_chart")) == 1
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    kinds = {trace["type"] for trace in spec["data"]}
    assert ("scatter3d" in kinds) == (view == "room")


def test_igd_is_zero_where_the_run_has_seen_everything(made: Path) -> None:
    from pages.parts.fronts import Asked

    truth = np.array([[1.0, 5.0], [2.0, 3.0]])
    a = Asked(
        None, {"a": "min", "b": "min"}, (), truth, np.ones(2, bool), np.arange(2), np.ones(2) * 9, truth
    )  # type: ignore[arg-type]
    assert a.igd() == 0
    assert a.hypervolume() == a.true_hypervolume() == 8 * 4 + 7 * 2


def test_a_run_becomes_a_table_that_can_be_browsed(visit: Open, home: Path) -> None:
    write_run(home)
    at = visit("runs", run=RUN)
    at.text_input(key=f"table_name_{RUN}").set_value("mine").run()
    at.button(key="save_table").click().run()
    assert not at.exception
    assert "rows are in mine" in said(at)
    table = open_table("mine", home)
    assert table.about["trained"] == 11  # the twelfth failed
    again = visit("runs", run=RUN)
    again.text_input(key=f"table_name_{RUN}").set_value("../x").run()
    again.button(key="save_table").click().run()
    assert "cannot name a table" in said(again)
