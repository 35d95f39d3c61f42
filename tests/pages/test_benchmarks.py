"""The Benchmarks page and what tables add to Home and Architecture."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nascore.benchmarks import jobs, table
from nascore.benchmarks.table import open_table
from nascore.view import figures_table
from nascore.view.tokens import LIGHT
from tests.benchmarks.small import SPACE, write_small
from tests.pages.conftest import Open, asked, raw, said
from tests.view.figures import spec

VIEWS = ("Learning curves", "Seed noise", "Map", "Three metrics", "About this table")


def best_key() -> str:
    found = open_table("small")
    return str(found.frame["key"].iloc[0])


def chosen(at: AppTest) -> str:
    return next(line for line in said(at).splitlines() if "cells chosen" in line)


def change(at: AppTest) -> dict[str, Any]:
    """What the scatter was told to show."""
    found = [json.loads(e.proto.json) for e in at.get("bidi_component")]
    return next(f for f in found if "label" in f)


def test_without_a_table_the_page_offers_the_import(visit: Open) -> None:
    at = visit("benchmarks")
    assert "There is no table yet" in said(at)
    assert "import_open" in {b.key for b in at.button}


def test_a_table_is_shown_as_cloud_effects_histogram_and_list(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks")
    assert chosen(at) == "**300** of 300 cells chosen"
    assert len(at.get("plotly_chart")) == 4
    assert at.dataframe[0].value["test_accuracy"].iloc[0] == 99.5
    assert "digits · test · 10 ep · mean of 2 seeds · made up" in said(at)
    assert not at.error


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_opens(visit: Open, home: Path, view: str) -> None:
    write_small(home)
    at = visit("benchmarks", bench_view=view)
    assert not at.error
    assert not at.exception


def test_filters_in_the_address_choose_and_the_rest_fades(visit: Open, home: Path) -> None:
    found = write_small(home)
    rows = np.flatnonzero(found.archs[:, 0] == 3)
    at = visit("benchmarks", where="edge_1_0=nor_conv_3x3")
    assert chosen(at) == f"**{len(rows)}** of 300 cells chosen"
    assert len(at.dataframe[0].value) == min(len(rows), 100)
    told = change(at)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(told["chosen"]), np.uint8))
    assert np.flatnonzero(bits).tolist() == rows.tolist()
    assert told["label"].startswith(f"{len(rows)} of 300 cells")
    assert told["faded"]["marker"] == {"size": 3, "color": figures_table.faded(LIGHT)}


def test_a_filter_leaves_the_figure_of_the_scatter_as_it_is(visit: Open, home: Path) -> None:
    """Streamlit builds a changed figure anew, which takes a browser a second."""
    write_small(home)
    at = visit("benchmarks")
    assert change(at)["plain"]
    before = at.get("plotly_chart")[0].proto
    at.text_input(key="bench_f_small_text").set_value("conv_3x3~0").run()
    assert not change(at)["plain"]
    at.query_params["pick"] = best_key()
    at.run()
    after = at.get("plotly_chart")[0].proto
    assert (before.id, before.spec) == (after.id, after.spec)


def test_a_crowd_is_told_what_is_in_sight_and_all_of_it_again(visit: Open, home: Path) -> None:
    a, b = 1 + np.random.default_rng(0).random((2, 24_000))
    frame = pd.DataFrame({"key": [f"{i:016x}" for i in range(len(a))], "text": "net", "a": a, "b": b})
    columns = [table.Column(m, m.upper(), "", "min") for m in "ab"]
    table.write_table(table.Draft(frame, columns), "crowd", home)
    at = visit("benchmarks", x="a", y="b", zoom="a,b,1.1,1.3,1.2,1.4")
    n = int((frame["a"].between(1.1, 1.3) & frame["b"].between(1.2, 1.4)).sum())
    assert f"{n:,} in sight." in said(at)
    assert change(at)["ranges"] == [1.1, 1.3, 1.2, 1.4]
    assert all(t["type"] != "heatmap" for t in change(at)["data"])
    at.button(key="bench_whole").click().run()
    assert "zoom" not in at.query_params
    assert "24,000 in sight, as a histogram" in said(at)
    assert change(at)["data"][0]["type"] == "heatmap"


def test_count_and_list_are_sent_before_the_figures(
    visit: Open, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A browser shows first what comes first, and figures take it long."""
    write_small(home)
    sent: list[str] = []
    for name in ("dataframe", "plotly_chart"):
        call = getattr(st, name)

        def noted(*given: Any, call: Any = call, **more: Any) -> Any:
            sent.append(str(more.get("key")))
            return call(*given, **more)

        monkeypatch.setattr(st, name, noted)
    at = visit("benchmarks")
    page = [key for key in sent if key.startswith("bench_")]  # Home was there before
    assert page == ["bench_cloud", "bench_rows_small_0", "bench_effects", "bench_spread"]  # the longest first
    sent.clear()
    at.multiselect(key="bench_f_small_edge_1_0").set_value(["nor_conv_3x3"]).run()
    assert not at.exception
    assert sent[:4] == ["bench_rows_small_0", "bench_cloud", "bench_effects", "bench_spread"]


def test_ticks_do_not_move_to_other_rows(visit: Open, home: Path) -> None:
    """The list stays the same one, which is fast, until a tick would stand beside another row."""
    write_small(home)
    at = visit("benchmarks")
    at.session_state["bench_rows_small_0"] = {"selection": {"rows": [0], "columns": [], "cells": []}}
    at.run()
    picked = asked(at, "pick")
    at.multiselect(key="bench_f_small_edge_1_0").set_value(["none"]).run()
    assert at.session_state["bench_grid_small"][0] == 1
    assert asked(at, "pick") == picked
    at.multiselect(key="bench_f_small_edge_1_0").set_value(["skip_connect"]).run()
    assert at.session_state["bench_grid_small"][0] == 1
    at.button(key="bench_none").click().run()
    assert at.session_state["bench_grid_small"][0] == 2
    assert "pick" not in at.query_params


def test_an_operation_picked_in_the_form_goes_into_the_address(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks")
    at.multiselect(key="bench_f_small_edge_1_0").set_value(["nor_conv_3x3", "none"]).run()
    assert asked(at, "where") == "edge_1_0=none|nor_conv_3x3"
    at.text_input(key="bench_f_small_text").set_value("conv_1x1~2").run()
    assert asked(at, "where") == "edge_1_0=none|nor_conv_3x3;~conv_1x1~2"
    assert not at.exception


def test_a_slider_limits_a_metric(visit: Open, home: Path) -> None:
    found = write_small(home)
    at = visit("benchmarks")
    at.slider(key="bench_f_small_range_test_accuracy").set_range(60.0, 99.5).run()
    n = int((found.values("test_accuracy") >= 60).sum())
    assert asked(at, "where") == "test_accuracy=60.."
    assert chosen(at) == f"**{n}** of 300 cells chosen"


def test_a_box_in_the_address_chooses_what_lies_in_it(visit: Open, home: Path) -> None:
    found = write_small(home)
    x = found.values("params")
    middle = float(np.median(np.log10(x) if x.max() > 30 * x.min() else x))
    at = visit("benchmarks", box=f"params,test_accuracy,0,{middle},-5,5")
    n = int(chosen(at).split("**")[1])
    assert 100 < n < 200
    at.button(key="bench_all").click().run()
    assert chosen(at) == "**300** of 300 cells chosen"


@pytest.mark.parametrize(
    "query",
    [
        {"box": "a,b,c"},
        {"box": "params,test_accuracy,1,2,nan,4"},
        {"box": "other,test_accuracy,1,2,3,4"},
        {"x": "<script>"},
        {"color": "count:rm"},
        {"where": "edge_1_0=%%%;=;x"},
        {"pick": "nothing,'; drop"},
        {"sort": "no"},
        {"z": "no", "bench_view": "Three metrics"},
        {"bench_view": "no such view"},
        {"bench_tool": "?"},
    ],
)
def test_nonsense_in_the_address_is_as_good_as_nothing(
    visit: Open, home: Path, query: dict[str, str]
) -> None:
    write_small(home)
    at = visit("benchmarks", **query)
    assert chosen(at) == "**300** of 300 cells chosen"
    assert not at.error


def test_a_table_that_is_not_there_is_said_to_be_none(visit: Open, home: Path) -> None:
    write_small(home)
    for name in ("absent", "../../etc", "<b>"):
        at = visit("benchmarks", table=name)
        assert len(at.error) == 1
        assert "<b>" not in raw(at)


def test_where_nothing_fits_the_filter_to_blame_is_named(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks", where="edge_1_0=none;test_accuracy=99.6..")
    assert "No cell fits" in said(at)
    assert "Without the filter on Test accuracy (%) some would" in said(at)
    at.button(key="bench_no_filters").click().run()
    assert chosen(at) == "**300** of 300 cells chosen"


def test_an_operation_that_no_cell_has_there_is_named_too(visit: Open, home: Path) -> None:
    found = write_small(home)
    text = str(found.frame["key"].iloc[int(np.flatnonzero(found.archs[:, 0] == 3)[0])])
    at = visit("benchmarks", where=f"edge_1_0=none;~{text}")
    assert "Without the filter on" in said(at)


def test_two_protocols_on_the_axes_are_named(visit: Open, home: Path) -> None:
    write_small(home)
    assert "two protocols" not in said(visit("benchmarks"))
    at = visit("benchmarks", x="other_accuracy")
    assert "The axes follow two protocols: they differ in data, epochs" in said(at)


def test_a_picked_cell_is_ringed_and_leads_to_its_page(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks", pick=best_key())
    assert [a["text"] for a in change(at)["layout"]["annotations"]] == ["<b>cell 0</b>"]
    assert [t["marker"]["size"] for t in change(at)["more"]] == [15]
    at.button(key="bench_none").click().run()
    assert (change(at)["layout"]["annotations"], change(at)["more"]) == ([], [])


def test_a_click_on_a_dot_opens_its_architecture(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks", bench_tool="Click opens")
    at.session_state["bench_cloud_open"] = {"selection": {"points": [{"customdata": {"0": 0, "1": 0}}]}}
    at.run()
    assert at.title[0].value == f"Architecture {best_key()}"


def test_a_click_on_a_dot_of_unknown_space_rings_it_once(visit: Open, home: Path) -> None:
    frame = pd.DataFrame({"key": ["a" * 16, "b" * 16], "text": "net", "a": [1.0, 2.0], "b": [2.0, 1.0]})
    columns = [table.Column(m, m.upper(), "", "min") for m in "ab"]
    table.write_table(table.Draft(frame, columns), "two", home)
    at = visit("benchmarks", bench_tool="Click opens")
    at.session_state["bench_cloud_open"] = {"selection": {"points": [{"customdata": {"0": 1, "1": 1}}]}}
    at.run()
    assert asked(at, "pick") == "b" * 16
    del at.query_params["pick"]
    at.session_state["bench_cloud_open"] = {"selection": {"points": [{"customdata": {"0": 1, "1": 1}}]}}
    at.run()
    assert "pick" not in at.query_params
    assert not at.exception


def test_a_changed_table_is_read_again(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks")
    table.delete("small")
    write_small(home, n=120)
    at.run()
    assert chosen(at) == "**120** of 120 cells chosen"


def test_deleting_a_table_asks_twice(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks", bench_view="About this table")
    at.button(key="bench_delete").click().run()
    assert at.button(key="bench_delete_now").disabled
    at.button(key="bench_delete").click()
    at.checkbox(key="bench_delete_sure").check().run()
    at.button(key="bench_delete").click()
    at.button(key="bench_delete_now").click().run()
    assert table.list_tables() == []


def test_a_shipped_table_cannot_be_deleted(visit: Open, home: Path) -> None:
    write_small(home, shipped=True)
    at = visit("benchmarks", bench_view="About this table")
    assert "bench_delete" not in {b.key for b in at.button}


def test_home_shows_the_embedded_table_with_its_best_ringed(visit: Open, home: Path) -> None:
    write_small(home, shipped=True)
    at = visit()
    assert "All 300 cells of small" in said(at)
    assert "digits · test · 10 ep" in said(at)
    assert [a["text"] for a in spec(at, 0)["layout"]["annotations"]] == ["<b>cell 0</b>"]
    at.session_state["first"] = {"selection": {"points": [{"customdata": {"0": 0, "1": 0}}]}}
    at.run()
    assert at.title[0].value == f"Architecture {best_key()}"


def test_an_architecture_says_its_ranks_seeds_and_latency(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("architecture", space="nasbench201", arch=best_key())
    words = said(at)
    assert at.metric[0].value == "99.50\u00a0%"
    assert "rank 1 of 300" in words
    assert "phone" in words
    assert "No cell one edit away is better" in words or "One edit away is better" in words
    ranks = next(d.value for d in at.dataframe if "rank" in d.value)
    assert ranks["rank"].iloc[0] == "1 of 300"
    seeds = next(d.value for d in at.dataframe if "seed" in d.value)
    assert seeds["seed"].tolist() == [0, 1]


def test_the_better_neighbor_is_named_with_what_it_gains(visit: Open, home: Path) -> None:
    from nascore.space import neighbors, tuples

    found = write_small(home, n=2000)
    y = found.values("test_accuracy")
    for row in np.argsort(y)[:50]:
        arch = tuples(found.archs[row : row + 1])[0]
        near = found.value("test_accuracy", [a for _, a in neighbors(SPACE, arch)])
        if np.nanmax(near) > y[row]:
            break
    at = visit("architecture", space="nasbench201", arch=str(found.frame["key"].iloc[row]))
    links = [str(e.proto.label) for e in at.get("page_link")]
    gain = f"+{np.nanmax(near) - y[row]:.2f}"
    assert any("One edit away is better" in x and gain in x.replace("\\", "") for x in links), links


def test_an_import_that_ended_shows_what_it_did(visit: Open, home: Path, tmp_path: Path) -> None:
    place = jobs.folder("made")
    place.mkdir(parents=True)
    jobs._write(place / "job.json", {"path": "/somewhere/made.csv", "mapping": None})
    report = {"rows": 20, "skipped": 2, "reasons": {"no number": 2}, "missing": {"acc": 1}, "seconds": 1.5}
    jobs._write(place / "state.json", {"state": "finished", "report": report, "t": time.time()})
    words = said(visit("benchmarks"))
    assert "20 architectures in 1.5 s, 2 left out" in words
    assert "no number" in words
    assert "/somewhere" not in words


def test_an_import_that_begins_says_no_numbers_that_it_has_not(visit: Open, home: Path) -> None:
    place = jobs.folder("made")
    place.mkdir(parents=True)
    jobs._write(place / "job.json", {"path": "/somewhere/made.csv", "mapping": None})
    jobs._write(place / "state.json", {"state": "waiting", "t": time.time()})
    bars = [e.proto.text for e in visit("benchmarks").get("progress")]
    assert bars == ["looking at the file"]


def test_a_failed_import_says_why_and_can_be_put_away(visit: Open, home: Path) -> None:
    place = jobs.folder("made")
    place.mkdir(parents=True)
    jobs._write(place / "job.json", {"path": "/somewhere/made.csv", "mapping": None})
    jobs._write(place / "state.json", {"state": "failed", "error": "made.csv: row 3: no number", "t": 0})
    at = visit("benchmarks")
    assert "made.csv: row 3: no number" in said(at)
    assert "job_Resume_made" in {b.key for b in at.button}
    at.button(key="job_Put away_made").click().run()
    assert jobs.jobs() == []


def test_an_edited_metric_is_passed_on_and_an_untouched_one_is_guessed_again() -> None:
    from pages.parts.benchimport import chosen_metrics

    one = {"use": True, "column": "a", "title": "", "direction": "max", "unit": "", "split": "test"}
    given = pd.DataFrame([one, {**one, "column": "b"}, {**one, "column": "c"}])
    edited = pd.DataFrame([one, {**one, "column": "b", "unit": "%"}, {**one, "column": "c", "use": False}])
    assert chosen_metrics(given, edited) == {"a": {}, "b": {"unit": "%"}}
