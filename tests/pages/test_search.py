"""The form of a new search: made from knobs, opened by links, judged by the codec, started once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from nascore.benchmarks.table import Draft, choices_json, write_table
from nascore.codec import to_json
from nascore.evaluators.trained import Trained
from nascore.runs import launch
from nascore.runs.spec import ECE, open_spec, read
from tests.evaluators import tables
from tests.pages.conftest import RUN, Open, asked, said, write_run
from tests.pages.conftest import read as shown


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_spawn", lambda place: None)  # the worker has tests of its own


@pytest.mark.parametrize("name", ["quick", "pareto", "halving"])
def test_a_ready_spec_comes_through_the_form_unchanged(visit: Open, name: str) -> None:
    at = visit("search", spec=name)
    at.button(key="start").click().run()
    assert not at.exception
    assert launch.read_spec(launch.runs()[0]) == open_spec(name)


def test_what_is_chosen_stands_in_the_address_and_opens_again(visit: Open) -> None:
    at = visit("search")
    at.selectbox(key="form_strategy").select("random_search").run()
    at.number_input(key="form_budget_evaluations").set_value(7).run()
    link = asked(at, "spec")
    again = visit("search", spec=link)
    assert again.selectbox(key="form_strategy").value == "random_search"
    assert again.number_input(key="form_budget_evaluations").value == 7
    assert read(link).budget.evaluations == 7


def test_try_again_fills_the_form_from_a_run(visit: Open, home: Path) -> None:
    write_run(home, title="of a run")
    at = visit("search", **{"from": RUN})
    assert at.text_input(key="form_title").value == "of a run"


def test_two_clicks_within_a_moment_are_one_run(visit: Open) -> None:
    from pages.parts import before

    at = visit("search", spec="quick")
    at.button(key="start").click().run()
    first = launch.runs()
    at.switch_page("search.py").run()
    at.button(key="start").click().run()
    assert launch.runs() == first
    assert before.TWICE_SECONDS > 1


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("no-such", "is no ready search"),
        ("{", "not JSON"),
        ('{"v": 1, "strategy": "os.system"}', "no strategy called"),
        ('{"v": 1, "space": {"name": "nasbench201", "knobs": {"cells": 900}}}', "900 is above 20"),
        ('{"v": 1, "budget": {"evaluations": 0}}', "nothing may be spent"),
        ('{"v": 1, "objectives": [["beauty", "min"]]}', "not given by this evaluator"),
    ],
)
def test_a_wrong_link_is_one_sentence_and_the_form_still_opens(visit: Open, spec: str, word: str) -> None:
    at = visit("search", spec=spec)
    assert word in shown(at.error[0].value)
    assert at.button(key="start")


def test_a_pasted_spec_fills_the_form_and_a_wrong_one_is_refused(visit: Open) -> None:
    at = visit("search")
    text = json.dumps({"v": 1, "title": "pasted", "strategy": "nsga2", "budget": {"evaluations": 9}})
    at.text_area(key="spec_text").input(text).run()
    at.button(key="open_text").click().run()
    assert at.text_input(key="form_title").value == "pasted"
    assert at.selectbox(key="form_strategy").value == "nsga2"
    at.text_area(key="spec_text").input('{"v": 1, "seed": -4}').run()
    at.button(key="open_text").click().run()
    assert "seed: -4" in shown(at.error[0].value)
    assert at.text_input(key="form_title").value == "pasted"


def test_a_budget_of_nothing_disables_the_button_and_says_so_at_the_field(visit: Open) -> None:
    at = visit("search", spec="quick")
    at.number_input(key="form_budget_evaluations").set_value(0).run()
    assert at.button(key="start").disabled
    assert said(at).count("nothing may be spent") == 2


def test_objectives_limits_and_directions_reach_the_spec(visit: Open) -> None:
    at = visit("search", spec="quick")
    at.get("button_group")[0].set_value(["error", "params"]).run()
    at.button(key="add_limit").click().run()
    at.selectbox(key="form_limit_0_metric").select("params").run()
    at.number_input(key="form_limit_0_number").set_value(1500.0).run()
    at.button(key="start").click().run()
    spec = launch.read_spec(launch.runs()[0])
    assert [(o.metric, o.direction) for o in spec.objectives] == [("error", "min"), ("params", "min")]
    assert [(c.metric, c.sign, c.limit) for c in spec.constraints] == [("params", "<=", 1500.0)]


def test_calibration_error_is_one_click_away_and_its_absence_is_explained(visit: Open, home: Path) -> None:
    known = tables.made(home, rows=500)
    ece = replace(tables.COLUMNS[1], name="ece_15", unit="", direction="min")
    frame = known.frame.assign(ece_15=0.1)
    space = (known.space, choices_json(tables.SPACE))
    write_table(Draft(frame, (*tables.COLUMNS, ece), space=space), known.name, home, replace=True)
    at = visit("search", spec=json.dumps({"evaluator": "tabular", "space": to_json(tables.SPACE)}))
    assert "by which nobody may choose" in said(at)
    link = next(p for p in at.get("page_link") if "calibration" in p.proto.label)
    spec = read(parse_qs(link.proto.query_string)["spec"][0])
    assert spec.evaluator == Trained(closely=True)
    assert [o.metric for o in spec.objectives] == ["error", ECE]


def test_every_number_field_has_help_and_its_range(visit: Open) -> None:
    at = visit("search", spec="quick")
    cells = at.number_input(key="form_space_nasbench201_cells")
    assert (cells.min, cells.max) == (1, 20)
    assert "officially" in at.number_input(key="form_space_nasbench201_channels").help
    assert all(n.help for n in at.number_input if str(n.key).startswith("form_space"))


def test_the_size_and_the_share_looked_at_are_exact(visit: Open) -> None:
    words = said(visit("search", spec="quick"))
    assert "15,625 architectures" in words
    assert "40 of them, 0.256" in words
