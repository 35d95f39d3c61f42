"""Verdicts, kept pieces, and the life of a study, on a tiny one of our own."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from nascore import studies
from nascore.errors import BadInput, Busy
from nascore.locks import hold
from nascore.stats import Interval, mean
from nascore.studies import jobs, results
from nascore.studies.claim import Claim, judged, overall, verdict
from nascore.studies.study import Kept, Measuring, Progress, Results, Study, run, trial

ABOVE = Claim("above", "a is above b", "above 0")
EXACT = Claim("exact", "there are fifty", "50", (50, 50))
CALLS: list[int] = []


@dataclass(frozen=True)
class Tiny(Study):
    """Measures its seeds' numbers."""

    key: ClassVar[str] = "gradsign"
    claims: ClassVar[tuple[Claim, ...]] = (ABOVE, EXACT)
    left: ClassVar[str] = ""
    seeds: int = 4

    def measure(self, kept: Kept) -> Measuring:
        values = []
        for seed in range(self.seeds):
            yield Progress(seed, self.seeds, f"seed {seed}")
            values.append(kept.once(str(seed), lambda s=seed: (CALLS.append(s), 1.0 + s)[1]))
        return Results({"above": mean(values), "exact": 50.0}, {"nothing": 1.5}, {"kind": "dots"})


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.1, 0.9, "reproduced"),
        (-0.9, -0.1, "not reproduced"),
        (-0.9, 0.0, "not reproduced"),
        (0.0, 0.0, "not reproduced"),
        (-0.1, 0.9, "unclear"),
        (0.0, 0.9, "unclear"),
        (math.nan, math.nan, "unclear"),
    ],
)
def test_the_interval_alone_decides(low: float, high: float, said: str) -> None:
    assert verdict(ABOVE, Interval(0.5, low, high, 10)) == said


def test_an_exact_claim_holds_or_does_not() -> None:
    assert verdict(EXACT, 50.0) == "reproduced"
    assert verdict(EXACT, 49.0) == "not reproduced"
    assert judged(EXACT, 50.0)["n"] == "exact"


def test_an_interval_on_both_sides_of_the_end_is_unclear() -> None:
    claim = Claim("few", "at most half", "", (-math.inf, 0.5))
    assert verdict(claim, Interval(0.4, 0.3, 0.45, 8)) == "reproduced"
    assert verdict(claim, Interval(0.4, 0.3, 0.6, 8)) == "unclear"
    assert verdict(claim, Interval(0.8, 0.6, 0.9, 8)) == "not reproduced"
    assert judged(claim, Interval(0.4, 0.3, 0.45, 8))["holds"] == [None, 0.5]


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ((), ""),
        (("reproduced", "reproduced"), "reproduced"),
        (("reproduced", "not reproduced"), "partly"),
        (("unclear", "not reproduced"), "not reproduced"),
        (("unclear", "unclear"), "unclear"),
    ],
)
def test_a_papers_verdict_follows_from_its_claims(said: tuple[str, ...], whole: str) -> None:
    assert overall([{"verdict": v} for v in said]) == whole


def test_a_stopped_study_goes_on_where_it_was(tmp_path: Path) -> None:
    CALLS.clear()
    steps = trial(Tiny(), Kept(tmp_path, "x"))
    assert [next(steps).done for _ in range(3)] == [0, 1, 2]
    steps.close()
    assert CALLS == [0, 1]
    found = run(Tiny(), Kept(tmp_path, "x"))
    assert CALLS == [0, 1, 2, 3]
    assert found["claims"][0]["measured"] == 2.5
    assert found == {**run(Tiny()), "seconds": found["seconds"]}


def test_pieces_of_a_study_of_another_size_are_not_mixed_in(tmp_path: Path) -> None:
    assert Kept(tmp_path, "a").once("piece", lambda: 1) == 1
    assert Kept(tmp_path, "b").once("piece", lambda: 2) == 2
    assert Kept(tmp_path, "a").once("piece", lambda: 3) == 1


def test_a_torn_piece_is_measured_again(tmp_path: Path) -> None:
    Kept(tmp_path, "a").once("piece", lambda: 1)
    next(tmp_path.glob("*.json")).write_text('{"value": ')
    assert Kept(tmp_path, "a").once("piece", lambda: 2) == 2


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    monkeypatch.setattr(studies, "STUDIES", {"gradsign": Tiny})
    monkeypatch.setattr(jobs, "STUDIES", {"gradsign": Tiny})
    return tmp_path


def test_a_rerun_is_the_users_own_and_leaves_the_shipped_one(home: Path) -> None:
    before = results.shipped_file("gradsign").read_bytes()
    found = jobs.here("gradsign")
    assert results.rerun("gradsign") == {**found, "when": json.loads(
        (home / "reruns" / "gradsign" / "result.json").read_text())["when"]}  # fmt: skip
    assert results.shipped_file("gradsign").read_bytes() == before
    assert not (home / "reruns" / "gradsign" / "kept").exists()
    standing = jobs.standing("gradsign")
    assert standing is not None
    assert standing.state == "finished"


def test_a_wish_to_stop_is_heard_and_what_was_measured_is_kept(home: Path) -> None:
    CALLS.clear()
    with pytest.raises(jobs.Stopped):
        jobs.here("gradsign", tell=lambda at: jobs.cancel("gradsign") if at.done == 2 else None)
    standing = jobs.standing("gradsign")
    assert standing is not None
    assert standing.state == "stopped"
    assert CALLS == [0, 1]
    assert jobs.here("gradsign")["seeds"] == 4
    assert CALLS == [0, 1, 2, 3]


def test_what_dies_without_a_word_is_interrupted(home: Path) -> None:
    place = results.rerun_folder("gradsign")
    place.mkdir(parents=True)
    (place / "state.json").write_text('{"state": "running", "done": 3, "total": 9, "t": 0}')
    standing = jobs.standing("gradsign")
    assert standing is not None
    assert (standing.state, standing.done) == ("interrupted", 3)


def test_a_broken_state_is_as_none(home: Path) -> None:
    place = results.rerun_folder("gradsign")
    place.mkdir(parents=True)
    (place / "state.json").write_text("[1")
    assert jobs.standing("gradsign") is None


@pytest.mark.parametrize(
    ("key", "seeds", "said"),
    [("darts_pt", None, "no study yet"), ("nothing", None, "no paper here"), ("gradsign", 0, "not between")],
)
def test_what_cannot_be_run_is_refused(home: Path, key: str, seeds: int | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        jobs.here(key, seeds)


def test_a_second_one_of_the_same_study_is_refused(home: Path) -> None:
    import subprocess
    import sys

    place = results.rerun_folder("gradsign")
    place.mkdir(parents=True)
    code = (
        f"from nascore.locks import hold; hold(__import__('pathlib').Path({str(place / 'lock')!r})); input()"
    )
    other = subprocess.Popen([sys.executable, "-c", f"{code}"], stdin=subprocess.PIPE)
    try:
        until = 200
        while (fd := hold(place / "lock")) is not None and until:
            __import__("os").close(fd)
            __import__("time").sleep(0.05)
            until -= 1
        with pytest.raises(Busy):
            jobs.here("gradsign")
    finally:
        other.communicate(b"\n")


def test_a_study_tells_what_it_took_of_a_processor_not_of_the_day(tmp_path: Path) -> None:
    kept = Kept(tmp_path, "a")
    begin = time.process_time()
    kept.once("waiting", lambda: time.sleep(0.5))
    again = Kept(tmp_path, "a")
    again.once("waiting", lambda: None)
    assert again.earlier <= time.process_time() - begin < 0.5
