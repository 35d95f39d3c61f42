"""The Calibration page over a shipped table: one network, all of them, the questions, the words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nascore.benchmarks.table import open_table
from nascore.measures import calibration_table as kept
from nascore.measures.calibration_curves import merged
from nascore.measures.calibration_questions import QUESTIONS
from tests.pages.conftest import Open, asked, home, said, visit

__all__ = ["home", "visit"]
SHIPPED = Path(__file__).parents[2] / "data" / "tables" / "nasbench_mnist5k"


@pytest.fixture
def tables(home: Path) -> Path:
    for name in ("nasbench_mnist5k", "again"):
        shutil.copytree(SHIPPED, home / "tables" / name)
    return home


def bars(at: AppTest) -> dict[str, list[float]]:
    """The reliability diagram: accuracy of each bin that is not empty, and how many there are."""
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    texts = next(t for t in spec["data"] if t.get("name") == "gap to confidence")["hovertext"]
    right = [float(text.split("accuracy ")[1].split()[0]) for text in texts]
    return {"right": right, "count": [int(t.split(": ")[1].split()[0].replace(",", "")) for t in texts]}


def test_without_tables_there_are_files_only(visit: Open) -> None:
    at = visit("calibration")
    assert "No predictions yet" in said(at)
    assert at.selectbox(key="calib_source").options == ["A file of yours"]


def test_the_diagram_of_a_network_is_that_of_its_histogram(visit: Open, tables: Path) -> None:
    table = open_table("nasbench_mnist5k", tables)
    held = kept.histograms(table)
    key = str(held.keys[40])
    at = visit("calibration", source="nasbench_mnist5k", arch=key, seed="1", bins="25")
    row = held.at(key, 1)
    assert row is not None
    count, right, sums = held.of(False, [row])
    found = merged(count[0], right[0], sums[0], 25)
    full = found.count > 0
    assert bars(at)["count"] == found.count[full].tolist()
    assert bars(at)["right"] == pytest.approx(found.accuracy[full], abs=6e-4)
    frame = at.dataframe[0].value.set_index("measure")
    assert frame.loc["ECE, 25 bins", "before"] == pytest.approx(found.ece, abs=1e-9)
    assert frame.loc["ECE, 25 bins", "floor"] > 0
    assert "1,000 samples" in said(at)


def test_bins_seed_and_scaling_stand_in_the_address(visit: Open, tables: Path) -> None:
    at = visit("calibration", source="nasbench_mnist5k")
    assert "after" in at.dataframe[0].value
    at.select_slider(key="calib_bins").set_value(5).run()
    assert asked(at, "bins") == "5"
    assert len(bars(at)["count"]) <= 5
    at.toggle(key="calib_scaled").set_value(False).run()
    assert asked(at, "scaled") == "no"
    assert "after" not in at.dataframe[0].value
    at.button(key="calib_Largest ECE").click().run()
    key = asked(at, "arch")
    m = kept.measured(open_table("nasbench_mnist5k", tables))
    assert key == m.keys[int(np.argmax(m.mean("ece_15")))]


def test_nonsense_in_the_address_is_as_good_as_nothing(visit: Open, tables: Path) -> None:
    at = visit("calibration", source="nothing", view="upside", bins="7", seed="x", arch="<b>no</b>")
    assert "This table has no architecture <b>no</b>" in said(at)
    assert "There is no source nothing here; this is again" in said(at)
    assert at.select_slider(key="calib_bins").value == 20
    assert at.get("plotly_chart")


def test_all_networks_are_ranked_and_flips_are_counted(visit: Open, tables: Path) -> None:
    at = visit("calibration", source="nasbench_mnist5k", view="all", state="after", of="half")
    frame = at.dataframe[0].value
    m = kept.measured(open_table("nasbench_mnist5k", tables))
    half = m.only(np.argsort(-m.mean("accuracy"), kind="stable")[: len(m.keys) // 2])
    assert frame["ece_15"].tolist() == pytest.approx(np.sort(half.mean("post_ece_15"))[:100])
    assert frame["ece_15"].is_monotonic_increasing
    assert "% of all pairs change places" in said(at)
    assert len(at.get("plotly_chart")) == 3
    at.selectbox(key="calib_by").set_value("hcs").run()
    assert at.dataframe[0].value["hcs"].is_monotonic_decreasing


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_each_question_has_an_answer_a_figure_and_intervals(visit: Open, tables: Path, question: str) -> None:
    at = visit("calibration", source="nasbench_mnist5k", view="questions", q=question)
    assert QUESTIONS[question] in said(at)
    assert at.get("plotly_chart")
    frame = at.dataframe[0].value
    assert (frame["low"] <= frame["value"]).all()
    assert (frame["value"] <= frame["high"]).all()
    assert frame["n"].max() == (80 if question == "measures" else 1000)
    assert not frame["what"].str.contains("_|mnist5k").any()


def test_questions_are_asked_again_of_networks_with_kept_logits(visit: Open, tables: Path) -> None:
    told = {}
    for question in ("data", "robustness", "bins"):
        at = visit(
            "calibration", source="nasbench_mnist5k", view="questions", q=question, **{"from": "logits"}
        )
        frame = at.dataframe[0].value
        assert (frame["n"].max(), len(at.get("plotly_chart"))) == (80, 1 + (question == "bins"))
        told[question] = frame.set_index("what")["value"]
    assert told["data"]["KDE error, after"] == pytest.approx(1)  # the other table is a copy
    assert told["robustness"]["PGD, all"] < 0
    assert 0 < told["bins"]["ECE-500, after"] < told["bins"]["ECE-500, before"]


@pytest.fixture
def digits(home: Path) -> Path:
    shutil.copytree(SHIPPED.with_name("nasbench_digits"), home / "tables" / "nasbench_digits")
    return home


def test_all_102_measures_are_compared_where_logits_are_kept(visit: Open, digits: Path) -> None:
    at = visit("calibration", view="questions", q="measures")
    spec = json.loads(at.get("plotly_chart")[0].proto.spec)
    assert len(spec["data"][0]["y"]) == 102
    assert "80 networks" in spec["data"][0]["hovertemplate"]
    assert "4 of 102 measures have no value" in said(at)
    assert "400 samples · scaled on 397 of validation · 10 epochs · seed 0 · 80 networks" in said(at)
    assert at.dataframe[0].value["n"].unique().tolist() == [80]
    at.segmented_control(key="calib_from_measures").set_value("histograms").run()
    assert asked(at, "from") == "histograms"
    assert at.dataframe[0].value["n"].max() > 5000


def test_every_method_mends_all_networks_with_logits(visit: Open, digits: Path) -> None:
    at = visit("calibration", view="questions", q="scaling", **{"from": "logits", "method": "histogram"})
    ways = at.dataframe[0].value.set_index("method")
    assert list(ways.index) == ["Temperature", "Vector", "Histogram", "Isotonic"]
    assert (ways["after"] < ways["before"]).all()
    assert ways.loc["Temperature", "accuracy"] == 0
    assert "Histogram brings the median ECE" in said(at)


def test_one_table_alone_cannot_answer_for_two_data_sets(visit: Open, home: Path) -> None:
    shutil.copytree(SHIPPED, home / "tables" / "nasbench_mnist5k")
    assert "Only one data set is known" in said(visit("calibration", view="questions"))


def test_every_measure_is_defined(visit: Open, tables: Path) -> None:
    frame = visit("calibration", view="words").dataframe[0].value
    assert len(frame) == 10
    assert frame["says"].str.len().min() > 40
