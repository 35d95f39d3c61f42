"""Sub-networks of a kept supernet on the page of its run: asked for, at work, measured, refused."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from nascore.problem import Memo
from nascore.runs import subnets
from nascore.runs.spec import open_spec
from nascore.runs.subnets import Asked
from nascore.space import describe, key
from pages.parts import subnets as page
from tests.pages.conftest import Open, said
from tests.pages.test_runwatch import RUN, write_shared

SPACE = open_spec("quick").space
ARCH, OTHER = (3,) * 6, (1, 2, 3, 1, 2, 3)


@pytest.fixture
def kept(home: Path) -> Path:
    """A finished run that has kept a supernet; the folder of its sub-networks."""
    write_shared(home, open_spec("quick").to_json()["space"], [ARCH], 1, end="Finished")
    (home / "runs" / RUN / "memo").mkdir()
    Memo(home / "runs" / RUN / "memo").file("search").write_bytes(b"kept")
    return home / "runs" / RUN / "subnets"


def row(arch: tuple[int, ...], way: str, error: float, **more: Any) -> dict[str, Any]:
    known = {"key": key(SPACE, arch), "text": SPACE.text(arch), "choices": describe(SPACE, arch), "way": way}
    plan = {"norms": "anew", "batches": 4, "epochs": 0, "after": 1, "data": "digits", "seed": 0}
    return {**known, **plan, "error": error, "test_error": error, "seconds": 0.5, "failed": "", **more}


def tables(at: AppTest) -> list[Any]:
    return [d.value for d in at.dataframe]


def test_nothing_is_judged_at_first_and_one_click_begins(
    visit: Open, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, Asked]] = []
    monkeypatch.setattr(subnets, "start", lambda run, asked: begun.append((run, asked)))
    at = visit("runs", run=RUN)
    assert "No sub-network has been judged yet" in said(at)
    at.segmented_control(key="subnets_source").set_value("Random").run()
    at.number_input(key="subnets_n").set_value(3)
    at.pills(key="subnets_ways").set_value(["inherited", "scratch"])
    at.segmented_control(key="subnets_norms").set_value("kept")
    at.button(key="subnets_run").click().run()
    ((run, asked),) = begun
    assert run == RUN
    assert len(set(asked.archs)) == 3
    assert (asked.ways, asked.norms) == (("inherited", "scratch"), "kept")
    assert not at.exception


def test_a_text_that_is_no_architecture_is_refused_in_words(visit: Open, kept: Path) -> None:
    at = visit("runs", run=RUN)
    at.segmented_control(key="subnets_source").set_value("Written").run()
    at.text_area(key="subnets_text").set_value("<b>luck</b>")
    at.button(key="subnets_run").click().run()
    assert "no official string" in said(at)
    assert not at.exception


def test_what_was_judged_stands_beside_each_other(visit: Open, kept: Path) -> None:
    rows = [
        row(ARCH, "inherited", 0.4),
        row(OTHER, "inherited", 0.5, norms="kept", batches=0),
        row(ARCH, "scratch", 0.2, norms="", batches=0, epochs=3, after=0),
        row(OTHER, "scratch", None, norms="", batches=0, epochs=3, after=0, failed="diverged"),  # type: ignore[arg-type]
    ]
    kept.mkdir()
    (kept / "rows.json").write_text(json.dumps({"rows": rows}))
    at = visit("runs", run=RUN)
    wide = next(t for t in tables(at) if "From scratch, 3 epochs" in t)
    assert wide["Inherited, norms set anew (4)"].tolist()[0] == pytest.approx(60)
    assert wide["From scratch, 3 epochs"].tolist()[0] == pytest.approx(80)
    assert wide["key"].tolist() == [key(SPACE, ARCH), key(SPACE, OTHER)]
    long = next(t for t in tables(at) if "protocol" in t)
    assert long["failed"].tolist()[-1] == "diverged"
    assert "supernet of 1 epoch" in long["protocol"].tolist()[0]


def test_work_shows_how_far_it_is_and_can_be_stopped(visit: Open, kept: Path) -> None:
    kept.mkdir()
    state = {"state": "waiting", "t": time.time(), "done": 2, "total": 8, "what": "scratch: x"}
    (kept / "state.json").write_text(json.dumps(state))
    at = visit("runs", run=RUN)
    assert any("2 of 8" in b.proto.text for b in at.get("progress"))
    at.button(key="subnets_cancel").click().run()
    assert (kept / "stop").exists()
    assert not any(b.key == "subnets_run" for b in at.button)


def test_a_run_without_a_kept_network_has_no_such_tab(visit: Open, kept: Path) -> None:
    (kept.parent / "memo").rename(kept.parent / "gone")
    assert not any(b.key == "subnets_run" for b in visit("runs", run=RUN).button)


def test_the_order_by_shared_weights_is_held_against_training() -> None:
    ways = {"Inherited, norms as they are": range(12), "Inherited, norms set anew (4)": range(12, 0, -1)}
    frame = pd.DataFrame({**{n: list(v) for n, v in ways.items()}, "From scratch, 3 epochs": range(12)})
    same, turned = page.orders(frame.astype(float))
    assert "Kendall's tau 1.00" in same
    assert "against from scratch, 3 epochs" in same
    assert "n = 12" in same
    assert "1.00" in turned
    assert turned != same
    assert page.orders(frame.astype(float).head(9)) == [], "of so few no correlation is told"
