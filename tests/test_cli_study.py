"""`study` and `list studies` on the command line."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from nascore.studies import jobs, results
from nascore.studies.nasnet import Nasnet
from nascore.studies.paper import papers
from tests.runs.toy_parts import home
from tests.test_cli import ask, refused

__all__ = ["home"]


def test_all_papers_are_listed(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = ask(capsys, "list", "studies")["studies"]
    assert len(rows) == 49
    for row in rows:
        assert {"name", "paper", "home", "claims", "verdicts", "built", "state"} <= set(row)


def test_a_study_prints_what_it_keeps(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"epochs": 1, "images": 64, "blocks": 1, "resamples": 10}
    monkeypatch.setitem(jobs.STUDIES, "nasnet", partial(Nasnet, **sizes))  # type: ignore[arg-type]
    found = ask(capsys, "study", "nasnet", "--seeds", "2")
    assert found["study"] == "nasnet"
    assert found["paper"] == papers()["nasnet"].title
    assert found["seconds"] > 0
    for claim in found["claims"]:
        assert {"text", "expected", "measured", "n", "interval", "verdict"} <= set(claim)
    kept = results.rerun("nasnet")
    assert kept is not None
    assert kept["claims"] == found["claims"]
    assert results.rerun_folder("nasnet").is_relative_to(home)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("nothing",), "'nothing' is no paper here"),
        (("eagan",), "eagan has no study yet"),
        (("nasnet", "--seeds", "0"), "0 is not between 1 and"),
    ],
)
def test_what_cannot_be_studied_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, "study", *given)
