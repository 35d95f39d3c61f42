"""The Papers page: cards and what narrows them, one paper opened, trying it, running its study again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from nascore.benchmarks import table
from nascore.runs.jobs import Standing
from nascore.runs.spec import read
from nascore.studies import STUDIES, jobs, results
from nascore.studies.paper import papers
from nascore.studies.study import write
from pages.parts import papertext
from tests.pages.conftest import MAIN, Open, home, said, visit

__all__ = ["home", "visit"]
ROOT = Path(MAIN).parents[1]


@pytest.fixture
def shipped(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With what the program ships; the home is still the test's own."""
    monkeypatch.setattr(table, "PROJECT", ROOT)
    return home


def opened(at: AppTest) -> set[str]:
    """Keys of the papers whose cards are there."""
    links = [link.proto.query_string for link in at.get("page_link")]
    return {q.removeprefix("paper=") for q in links if q.startswith("paper=")}


def test_there_is_a_card_for_each_of_49_papers_even_where_nothing_is_shipped(visit: Open) -> None:
    at = visit("papers")
    assert "**49** of 49 papers" in said(at)
    assert opened(at) == set(papers())
    assert "not built yet" in said(at)


def test_words_family_and_verdict_narrow_the_cards(shipped: Path, visit: Open) -> None:
    assert opened(visit("papers", q="hessian")) == {"adahessian"}
    found = opened(visit("papers", family="diffusion"))
    assert found == {p.key for p in papers().values() if p.family == "diffusion"}
    tried = {r["name"] for r in results.listed() if r["verdict"] != "not tried"}
    assert opened(visit("papers", verdict="not tried")) == set(papers()) - tried
    assert opened(visit("papers", built="yes")) == {p.key for p in papers().values() if p.built}


def test_where_no_paper_fits_it_says_what_to_do(visit: Open) -> None:
    assert "No paper fits" in said(visit("papers", q="no such words"))


def test_published_numbers_stand_beside_what_was_computed_of_them(shipped: Path, visit: Open) -> None:
    at = visit("papers", paper="robot")
    frame = at.dataframe[-1].value.set_index("text")
    row = frame.loc["Random search, 100 cells: test accuracy on CIFAR-10 (%)"]
    assert row["printed"] == "93.70"
    assert row["measured"].startswith("93.7")
    assert frame.loc["Random search, 20 cells: test accuracy on CIFAR-10 (%)", "printed"] == ""
    assert results.checked("robot")[0]["what"][:40] in said(at)
    assert not results.checked("nasnet")


@pytest.mark.parametrize("key", STUDIES)
def test_a_tried_paper_shows_each_claim_with_its_numbers(shipped: Path, visit: Open, key: str) -> None:
    at = visit("papers", paper=key)
    known = results.shipped(key)
    assert known is not None
    words = said(at)
    for claim in known["claims"]:
        assert claim["text"][:100] in words
        assert claim["expected"][:80] in words
        assert claim["verdict"] in words
        assert not claim["scale"] or claim["scale"][:80] in words
    common = papertext.common_scale(known["claims"])
    assert not common or words.count(f"{common}]") == 1
    if known.get("beside"):
        assert list(at.dataframe[0].value["text"]) == [b["text"] for b in known["beside"]]
    assert len(at.get("plotly_chart")) == 1
    assert papers()[key].title in words


def test_a_paper_that_is_not_built_says_so(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = next(p for p in papers().values() if not p.built)
    words = said(visit("papers", paper=absent.key))
    assert "not built yet" in words
    assert "No study of this paper yet" in words
    assert absent.idea in words


@pytest.mark.parametrize("name", ["nothing", "../x", "<b>x</b>"])
def test_a_name_that_is_no_paper_is_refused_and_the_cards_are_there(visit: Open, name: str) -> None:
    at = visit("papers", paper=name)
    assert "there is no paper called" in said(at)
    assert len(opened(at)) == 49


def test_trying_a_paper_opens_its_search_filled_in(visit: Open) -> None:
    from urllib.parse import parse_qs

    at = visit("papers", paper="gradsign")
    links = [parse_qs(link.proto.query_string) for link in at.get("page_link")]
    spec = next(q["spec"][0] for q in links if "spec" in q)
    assert read(spec).to_json()["evaluator"]["knobs"]["proxy"]["name"] == "gradsign"
    form = visit("search", spec=spec)
    assert not form.error


def test_ones_own_result_stands_beside_the_shipped_one(shipped: Path, visit: Open) -> None:
    own = json.loads(results.shipped_file("gradsign").read_text())
    own["claims"][0] |= {"measured": 0.123, "interval": [0.111, 0.133]}
    write(results.rerun_folder("gradsign") / "result.json", {**own, "when": "2026-01-02 03:04"})
    assert "0.123" not in said(visit("papers", paper="gradsign"))
    words = said(visit("papers", paper="gradsign", result="yours"))
    assert "0.123 [0.111, 0.133]" in words
    assert "your run of 2026-01-02 03:04 UTC" in words


def test_running_it_again_starts_its_job_and_shows_how_far_it_is(
    shipped: Path, visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int | None]] = []
    monkeypatch.setattr(jobs, "start", lambda key, seeds=None: asked.append((key, seeds)))
    at = visit("papers", paper="gradsign")
    at.number_input(key="study_seeds").set_value(2)
    at.button(key="study_run").click().run()
    assert asked == [("gradsign", 2)]
    live = Standing("running", 3, 9, "scores", left_seconds=30.0)
    monkeypatch.setattr(jobs, "standing", lambda key: live)
    at = visit("papers", paper="gradsign")
    assert "study_cancel" in {b.key for b in at.button}
    assert "study_run" not in {b.key for b in at.button}


def test_one_that_was_stopped_can_go_on(shipped: Path, visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = Standing("stopped", 3, 9, error="stopped after 3 of 9")
    monkeypatch.setattr(jobs, "standing", lambda key: stopped)
    at = visit("papers", paper="gradsign")
    assert "stopped after 3 of 9" in said(at)
    assert at.button(key="study_run").label == "Go on"


def test_a_broken_result_is_as_none(home: Path, visit: Open) -> None:
    write(results.rerun_folder("gradsign") / "result.json", ["nothing"])
    assert "has not been run yet" in said(visit("papers", paper="gradsign"))
