"""All 49 papers: entries that can be trusted, studies with enough claims, results that fit them."""

from __future__ import annotations

import json

import pytest

from nascore.runs.spec import from_document
from nascore.stats import Interval
from nascore.studies import STUDIES, results
from nascore.studies.claim import verdict
from nascore.studies.paper import FAMILIES, FOLDERS, Paper, paper, papers


def test_there_are_49_each_with_a_home_of_its_own() -> None:
    every = list(papers().values())
    assert len(every) == 49
    assert len({p.home for p in every}) == 49
    assert len({p.title for p in every}) == 49
    assert len({p.arxiv for p in every}) == 49


@pytest.mark.parametrize("p", papers().values(), ids=lambda p: p.key)
def test_an_entry_is_whole(p: Paper) -> None:
    assert p.family in FAMILIES
    assert p.home[0] in FOLDERS
    assert p.idea.count(". ") == 2
    assert p.idea.endswith(".")
    assert 2010 < p.year < 2030
    assert p.arxiv.replace(".", "").isdecimal()


@pytest.mark.parametrize("key", STUDIES)
def test_a_study_names_a_home_that_is_there_and_has_two_claims_and_a_result(key: str) -> None:
    study = STUDIES[key]()
    assert study.key == key
    assert paper(key).built
    assert len(study.claims) >= 2
    assert len({c.key for c in study.claims}) == len(study.claims)
    known = results.shipped(key)
    assert known is not None
    assert [c["text"] for c in known["claims"]] == [c.text for c in study.claims]
    assert [c["expected"] for c in known["claims"]] == [c.expected for c in study.claims]


@pytest.mark.parametrize("key", STUDIES)
def test_a_shipped_verdict_follows_from_its_numbers(key: str) -> None:
    known = results.shipped(key)
    assert known is not None
    for claim, row in zip(STUDIES[key].claims, known["claims"], strict=True):
        low, high = row["interval"] or (float("nan"),) * 2
        exact = row["n"] == "exact"
        measured = row["measured"] if exact else Interval(row["measured"], low, high, row["n"])
        assert row["verdict"] == verdict(claim, measured)


@pytest.mark.parametrize("p", [p for p in papers().values() if p.built and p.spec], ids=lambda p: p.key)
def test_what_is_built_can_be_tried(p: Paper) -> None:
    document = p.ready()
    assert document, "its search is not valid"
    assert from_document(document).title.startswith("Try ")
    assert len(json.dumps(document)) < 1500  # it travels in an address


def test_every_paper_is_listed_and_says_how_far_it_is() -> None:
    rows = results.listed()
    assert [r["name"] for r in rows] == list(papers())
    for row in rows:
        assert row["state"] in ("tried", "built, not tried yet", "not built yet")
        assert len(row["claims"]) == len(row["verdicts"])
        assert (row["name"] in STUDIES) == bool(row["claims"])
