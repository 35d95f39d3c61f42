"""The court as a page: what it says follows from the core, from the address, and from what there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks.table import open_table
from nascore.events import Tried
from nascore.measures.ranking import trial
from nascore.runs.journal import Journal
from nascore.runs.spec import open_spec
from nascore.space import parse
from tests.benchmarks.small import write_small
from tests.evaluators import tables
from tests.pages.conftest import BROKEN, RUN, Open, home, said, visit, write_run, written
from tests.view.figures import spec

__all__ = ["home", "visit"]
SMALL = "table:small"


@pytest.fixture
def small(home: Path) -> Path:
    write_small(home)
    return home


def test_nothing_to_judge_is_said(visit: Open, home: Path) -> None:
    assert "No table and no run yet" in said(visit("ranking"))


def test_the_court_says_what_the_core_computes(visit: Open, small: Path) -> None:
    at = visit("ranking", source=SMALL, truth="test_accuracy")
    table = open_table("small", small)
    found = trial(table.values("test_accuracy"), table.values("params"))
    frame = at.dataframe[0].value.set_index("evaluator")
    row = frame.loc["params"]
    assert row["tau"] == pytest.approx(found.kendall.value)
    assert row["said"] == f"{found.kendall.value:.2f} [{found.kendall.low:.2f}, {found.kendall.high:.2f}]"
    assert row["lost"] == pytest.approx(found.regret_at_k)
    assert row["best"] == pytest.approx(table.values("test_accuracy").max() - found.regret_at_k)
    assert f"leads with Kendall tau-b {found.kendall.value:.2f}" in said(at)
    assert "share their truth" not in said(at)


def test_measure_k_and_choice_follow_the_address(visit: Open, small: Path) -> None:
    by = "params,phone_latency_ms,other_accuracy,error@1"
    at = visit("ranking", source=SMALL, by=by, measure="spearman", k="5", pick="phone_latency_ms")
    assert at.dataframe[0].value["evaluator"].tolist()[0] == "other_accuracy"  # half of the truth
    assert set(at.dataframe[0].value["evaluator"]) == {"params", "phone_latency_ms", "other_accuracy"}
    assert "error@1: the score is -0.9 for all 300 architectures" in said(at)  # one constant epoch
    assert spec(at, 0)["layout"]["xaxis"]["title"]["text"].startswith("Spearman rho with Test accuracy")
    assert "phone_latency_ms (ms), less is better" in spec(at, 1)["layout"]["xaxis"]["title"]["text"]
    assert "of its best 5 are among the true best" in said(at)


def test_a_nonsense_address_is_as_good_as_none(visit: Open, small: Path) -> None:
    odd = {
        "truth": "<b>",
        "measure": "x",
        "k": "-3",
        "view": "?",
        "pick": "none",
        "resamples": "7",
        "where": "=",
    }
    at = visit("ranking", source=SMALL, **odd)
    assert not at.error
    assert "leads with Kendall tau-b" in said(at)
    assert "There is no table:gone" in said(visit("ranking", source="table:gone"))


def test_who_cannot_judge_is_told_of_in_words(visit: Open, small: Path) -> None:
    at = visit("ranking", source=SMALL, by="nothing,nowhere:params,params@2,test_accuracy@9")
    for sentence in (
        "'nothing' is no metric of small",
        "there is no table called 'nowhere'",
        "'params' has no learning curve",
        "Nobody can be judged here",
    ):
        assert sentence in said(at)


def test_the_best_tenth_and_a_filter_leave_fewer(visit: Open, small: Path) -> None:
    table = open_table("small", small)
    few = visit("ranking", source=SMALL, by="params", where="params=0..200000")
    n = int((table.values("params") <= 200_000).sum())
    assert 10 < n < 300
    assert few.dataframe[0].value["n"].tolist() == [n]
    top = visit("ranking", source=SMALL, by="params", top="1")
    assert top.dataframe[0].value["n"].tolist() == [30]
    assert "is not known of architectures that the truth itself has chosen" in said(top)


def test_what_seeds_allow_is_a_band_in_the_court(visit: Open, small: Path) -> None:
    at = visit("ranking", source=SMALL, by="params")
    bands = [s for s in spec(at, 0)["layout"]["shapes"] if s["type"] == "rect"]
    assert len(bands) == 1
    assert bands[0]["x1"] == pytest.approx(1)  # the two seeds put them in one order
    assert "a perfect judge" in said(at)


def test_another_table_and_a_predictor_judge_the_same_architectures(visit: Open, home: Path) -> None:
    table = tables.made(home, rows=2000)
    write_small(home)
    at = visit("ranking", source="table:nasbench_digits", by="small:test_accuracy,ridge@50,params")
    frame = at.dataframe[0].value.set_index("evaluator")
    both = np.isin(table.frame["key"], open_table("small", home).frame["key"]).sum()
    assert frame.loc["small:test_accuracy", "n"] > 10
    assert frame.loc["small:test_accuracy", "n"] >= both
    assert frame.loc["ridge@50", "n"] == 1_950
    assert frame.loc["ridge@50", "tau"] > 0.95  # the truth is a line
    assert "Two are compared on what both know" in said(at)
    common = (
        visit("ranking", source="table:nasbench_digits", by="small:test_accuracy,params", common="1")
        .dataframe[0]
        .value
    )
    assert common["n"].nunique() == 1


@pytest.mark.parametrize("view", ["ranks", "truths", "cost"])
def test_every_view_draws(visit: Open, home: Path, view: str) -> None:
    tables.made(home, rows=1500)
    at = visit("ranking", view=view, by="params,validation_accuracy@2,validation_accuracy")
    assert len(at.get("plotly_chart")) == 2
    if view == "cost":
        seconds = next(d["x"] for d in spec(at, 1)["data"] if d.get("text"))
        assert len(seconds) == 2
        assert "No time was measured of params" in said(at)


def test_a_run_judges_its_own_metrics(visit: Open, home: Path) -> None:
    write_run(home, n=13)
    at = visit("ranking", source=f"run:{RUN}", truth="error")
    frame = at.dataframe[0].value.set_index("evaluator")
    assert frame.loc["params", "n"] == 12
    assert frame.loc["params", "tau"] == -1  # error rises with params
    few = visit("ranking", source=f"run:{RUN}", truth="error", by="loss")
    assert "the score is -0.5 for all 12 architectures" in said(few)


def test_a_run_without_a_title_is_called_by_what_it_does(visit: Open, home: Path) -> None:
    write_run(home, title="")
    at = visit("ranking", source=f"run:{RUN}")
    assert not at.exception
    assert "regularized evolution on NAS-Bench-201, 2 Jan 03:04, 12 tried" in at.selectbox[0].options


def test_a_runs_test_metric_is_told_with_the_test_part(visit: Open, home: Path) -> None:
    write_run(home, n=13, end="")
    journal, space = Journal(home / "runs" / RUN), open_spec("quick").space
    for i, text in enumerate(written(12)):
        found = {"error": 0.2 + i / 100, "test_error": 0.1 + i / 100, "params": 1000.0 + i}
        journal.append(Tried(parse(space, text), found, "trained"))
    at = visit("ranking", source=f"run:{RUN}", truth="test_error", by="params")
    assert "digits · test · 10 ep" in said(at)
    assert "digits · validation · 10 ep" in said(visit("ranking", source=f"run:{RUN}", truth="error"))


def test_a_supernet_and_another_run_judge_the_same_architectures(visit: Open, home: Path) -> None:
    write_run(home, n=13)
    write_run(home, BROKEN, title="second", n=13)
    runs = home / "runs"
    keys = written(13)
    rows = [
        {"key": k, "way": "inherited", "error": 0.5 - i / 100, "seconds": 2.0}
        for i, k in enumerate(keys[:12])
    ]
    (runs / BROKEN / "subnets").mkdir()
    (runs / BROKEN / "subnets" / "rows.json").write_text(json.dumps({"rows": rows}))
    names = f"{BROKEN}:inherited,{BROKEN}:error,{BROKEN}:tuned"
    at = visit("ranking", source=f"run:{RUN}", truth="error", by=names)
    frame = at.dataframe[0].value.set_index("evaluator")
    assert frame.loc[f"{BROKEN}:inherited", "tau"] == -1  # the supernet's errors fall where the truth's rise
    assert frame.loc[f"{BROKEN}:inherited", "n"] == 12
    assert frame.loc[f"{BROKEN}:error", "tau"] == 1
    assert frame.loc[f"{BROKEN}:error", "n"] == 12  # its last one failed
    assert "no sub-network of this run was measured tuned" in said(at)
    plain = visit("ranking", source=f"run:{RUN}", truth="error", by="loss")
    offered = next(m for m in plain.multiselect if m.label == "Evaluators").options
    assert f"{BROKEN}:inherited" in offered
    assert f"{BROKEN}:tuned" not in offered


def test_resampling_gives_whiskers_of_its_own(visit: Open, small: Path) -> None:
    fast, boot = (
        visit("ranking", source=SMALL, by="params", resamples=r).dataframe[0].value.iloc[0]
        for r in ("", "200")
    )
    assert boot["tau"] == fast["tau"]
    assert boot["said"] != ""
