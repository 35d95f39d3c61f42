"""Kinds of knobs that are neither numbers nor words, in the form of a new search."""

from __future__ import annotations

import json

import pytest

from nascore.runs import launch
from tests.pages.conftest import Open


@pytest.fixture(autouse=True)
def no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_spawn", lambda place: None)  # the worker has tests of its own


STAGE = {"blocks": ["conv"], "widths": [8, 16], "strides": [2]}


def test_nested_data_is_shown_as_json_says_where_it_is_edited_and_comes_through(visit: Open) -> None:
    space = {"name": "stages", "knobs": {"stages": [STAGE, {**STAGE, "depths": [1, 2]}], "stem": 4}}
    spec = {"v": 1, "space": space, "strategy": "random_search", "budget": {"evaluations": 3}}
    at = visit("search", spec=json.dumps(spec))
    assert not at.exception
    assert any("2 entries" in m.value and "Build" in m.value for m in at.markdown)
    assert any('"widths"' in c.value for c in at.code)
    at.number_input(key="form_space_stages_stem").set_value(6).run()
    at.button(key="start").click().run()
    made = launch.read_spec(launch.runs()[0]).to_json()["space"]["knobs"]
    assert made["stem"] == 6
    assert [s["depths"] for s in made["stages"]] == [[1], [1, 2]]
