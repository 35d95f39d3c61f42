"""Every page: empty, with one run, with a broken run, alone; and its main button."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from nascore.runs import launch
from tests.pages.conftest import BROKEN, MAIN, RUN, Open, asked, raw, read, said, write_broken, write_run

PAGES = ("home", "search", "runs", "architecture", "benchmarks")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_where_there_is_nothing_yet(visit: Open, name: str) -> None:
    assert visit(name).title


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_with_a_finished_and_a_broken_run(visit: Open, home: Path, name: str) -> None:
    write_run(home)
    write_broken(home)
    at = visit(name)
    assert at.title
    assert not at.error


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stands_alone(home: Path, name: str) -> None:
    write_run(home)
    at = AppTest.from_file(str(Path(MAIN).with_name(f"{name}.py")), default_timeout=30).run()
    assert not at.exception
    assert at.title


def test_no_page_imports_torch() -> None:
    import subprocess

    code = "import app, pages.search, sys; sys.exit('torch' in sys.modules)"
    root = Path(MAIN).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]


def test_home_without_runs_shows_three_searches_and_a_real_picture(visit: Open) -> None:
    at = visit()
    assert {"start_quick", "start_pareto", "start_halving"} <= {b.key for b in at.button}
    assert "computed, not trained" in said(at)
    assert at.get("plotly_chart")


def test_home_with_a_run_shows_what_it_tried(visit: Open, home: Path) -> None:
    write_run(home)
    at = visit()
    assert "Latest run" in said(at)
    assert at.dataframe[0].value["tried"].tolist() == [12]


def test_one_click_on_a_ready_search_starts_it_and_opens_it(
    visit: Open, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_spawn", lambda place: None)  # the worker has tests of its own
    at = visit()
    at.button(key="start_quick").click().run()
    assert not at.exception
    assert len(launch.runs()) == 1
    assert at.title[0].value.startswith("Quick")


def test_a_run_shows_state_numbers_figures_and_its_tried(visit: Open, home: Path) -> None:
    write_run(home)
    at = visit("runs", run=RUN)
    words = said(at)
    assert at.title[0].value == "first"
    assert "finished" in words
    assert {m.label: m.value for m in at.metric}["Failed"] == "1"
    assert at.metric[0].value == "10.00\u00a0%"
    assert len(at.get("plotly_chart")) >= 4
    assert at.dataframe[0].value["index"].tolist() == list(range(12, 0, -1))


def test_an_interrupted_run_offers_resume_first(visit: Open, home: Path) -> None:
    write_run(home, end="")
    at = visit("runs", run=RUN)
    assert "Interrupted after 12 of 40" in at.warning[0].value
    assert "resume" in {b.key for b in at.button}
    assert "pause" not in {b.key for b in at.button}


def test_a_failed_run_says_why(visit: Open, home: Path) -> None:
    write_run(home, end="Failed")
    assert "This search failed" in visit("runs", run=RUN).error[0].value


def test_a_broken_run_is_called_unreadable_and_stands_beside_others(visit: Open, home: Path) -> None:
    write_run(home)
    write_broken(home)
    assert "cannot be read" in visit("runs", run=BROKEN).error[0].value
    states = [s[0] for s in visit("runs").dataframe[0].value["state"]]
    assert sorted(states) == ["finished", "unreadable"]


@pytest.mark.parametrize("name", ["20990101-000000-000000", "../../etc", "%2e%2e", "a\x00b", "x" * 5000])
def test_an_id_that_is_no_run_is_said_to_be_none(visit: Open, name: str) -> None:
    assert "There is no run" in said(visit("runs", run=name))


def test_deleting_asks_twice(visit: Open, home: Path) -> None:
    write_run(home)
    at = visit("runs", run=RUN)
    at.button(key="delete").click().run()
    assert at.button(key="delete_now").disabled
    assert launch.runs() == [RUN]
    at.button(key="delete").click()  # a dialog stays open in a browser; here each run opens it again
    at.checkbox(key="delete_sure").check().run()
    at.button(key="delete").click()
    at.button(key="delete_now").click().run()
    assert launch.runs() == []


def test_renaming_changes_the_title(visit: Open, home: Path) -> None:
    write_run(home)
    at = visit("runs", run=RUN)
    at.button(key="rename").click().run()
    at.button(key="rename").click()
    at.text_input(key="new_title").input("another name")
    at.button(key="rename_now").click().run()
    assert launch.title(RUN) == "another name"


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "![x](http://a.b/c.png)", ":material/bolt: $x$", "a|b `c` **d**"]
)
def test_a_title_shows_as_its_own_characters(visit: Open, home: Path, evil: str) -> None:
    write_run(home, title=evil)
    for at in (visit("runs", run=RUN), visit(), visit("architecture", run=RUN)):
        assert evil not in raw(at)
        assert not at.exception


def test_without_an_address_the_architecture_page_offers_ways_in(visit: Open) -> None:
    at = visit("architecture")
    assert "No architecture is open" in said(at)
    at.button(key="random").click().run()
    assert at.title[0].value.startswith("Architecture ")
    assert len(asked(at, "arch")) == 16


def test_an_official_string_opens_its_architecture_with_exact_costs(visit: Open) -> None:
    text = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    at = visit("architecture", space="nasbench201", arch=text)
    values = {read(m.label): read(m.value) for m in at.metric}
    assert values["Parameters"] == "129 k"  # 129,306, the official record
    assert values["Multiply-adds"] == "15.6 M"  # 15.64737 M
    assert text in said(at)


def test_an_architecture_of_a_run_shows_error_protocol_and_family(visit: Open, home: Path) -> None:
    best = write_run(home)
    at = visit("architecture", space="nasbench201", arch=best, run=RUN)
    assert at.metric[0].value == "10.00\u00a0%"
    assert "digits · validation · 10 ep" in said(at)
    assert "1 x 8 x 8 input" in said(at)
    assert "one change away" in said(at)


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"arch": "<img src=x>"}, "no official string"),
        ({"arch": "0000000000000000"}, "no architecture of this space"),
        ({"space": "os.system", "arch": "x"}, "no space called"),
        ({"cells": "900", "arch": "x"}, "is above 20"),
        ({"run": "../x", "arch": "x"}, "no readable run"),
        ({"arch": '{"choices": {"edge_9_9": "none"}}'}, "no such choice"),
    ],
)
def test_a_wrong_address_is_one_sentence(visit: Open, query: dict[str, str], word: str) -> None:
    at = visit("architecture", **query)
    assert len(at.error) == 1
    assert word in read(at.error[0].value)


def test_a_picked_edge_tells_its_alternatives(visit: Open) -> None:
    text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
    at = visit("architecture", space="nasbench201", arch=text)
    at.session_state["cell"] = {"picked": "edge-0-1"}
    at.run()
    words = said(at)
    assert "Instead:" in words
    assert len([p for p in at.get("page_link") if " params" in read(p.proto.label)]) == 4
