"""Launch beside a compared search, and both selections on the page of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nascore.problem import Memo
from nascore.runs import launch, selection
from nascore.runs.spec import RunSpec, open_spec
from pages.parts import beside
from tests.pages.conftest import RUN as PLAIN
from tests.pages.conftest import Open, asked, said, write_run
from tests.pages.test_runwatch import RUN, write_shared

SPACE = open_spec("quick").space


@pytest.fixture
def kept(home: Path) -> Path:
    """A finished run of darts that has kept a supernet; the folder of its selections."""
    write_shared(home, open_spec("quick").to_json()["space"], [(3,) * 6], 1, end="Finished")
    (home / "runs" / RUN / "memo").mkdir()
    Memo(home / "runs" / RUN / "memo").file("search").write_bytes(b"kept")
    return home / "runs" / RUN / "selection"


def answer() -> dict[str, Any]:
    def arch(i: int, error: float) -> dict[str, Any]:
        return {"arch": [i] * 6, "key": f"key{i}", "text": "", "error": error}

    choices = []
    for c in SPACE.choices():
        options = [
            {"option": o, "alpha": 0.1 * i, "share": 0.2, "drop": 0.01 * (i == 2), "loss": 0.0}
            for i, o in enumerate(c.options)
        ]
        choices.append(
            {"choice": c.name, "before": 0.5, "options": options, "magnitude": 3, "perturbation": 2}
        )
    archs = {"magnitude": arch(3, 0.25), "perturbation": arch(2, 0.4)}
    return {"after": 1, "data": "digits", "seed": 0, "choices": choices, "archs": archs}


def test_both_selections_stand_beside_each_other_with_alpha_and_drop(visit: Open, kept: Path) -> None:
    kept.mkdir()
    (kept / "result.json").write_text(json.dumps(answer()))
    at = visit("runs", run=RUN)
    text = said(at)
    shown = {m.label: m.value for m in at.metric}
    assert shown["Largest alphas"] == "75.00 %"
    assert shown["Missed most"] == "60.00 %"
    assert "agree at 0 of 6" in text
    (table,) = [d.value for d in at.dataframe if "drop" in d.value]
    assert len(table) == sum(len(c.options) for c in SPACE.choices())
    assert set(table.loc[table["drop"] > 0, "taken"]) == {"missed most"}
    assert not at.exception


def test_one_click_selects_and_a_refusal_is_told(
    visit: Open, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(selection, "start", begun.append)
    at = visit("runs", run=RUN)
    at.button(key="selection_run").click().run()
    assert begun == [RUN]
    assert not at.exception


def test_random_search_is_launched_beside_with_the_same_budget(
    visit: Open, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[RunSpec] = []

    def start(spec: RunSpec) -> str:
        begun.append(spec)
        return "20260102-030409-dddddd"

    write_run(home)
    monkeypatch.setattr(launch, "start", start)
    at = visit("compare", runs=PLAIN)
    at.button(key="beside_go").click().run()
    (spec,) = begun
    before = launch.read_spec(PLAIN)
    assert spec.to_json()["strategy"]["name"] == "random_search"
    assert (spec.budget, spec.seed, spec.space) == (before.budget, before.seed, before.space)
    assert asked(at, "runs") == f"{PLAIN},20260102-030409-dddddd"
    assert not at.exception


def test_a_search_with_shared_weights_is_matched_in_seconds_or_in_sharing(home: Path) -> None:
    from pages.parts import stores

    write_run(home)
    summary = stores.run(PLAIN)
    assert summary is not None
    document = open_spec("quick").to_json()
    document["strategy"] = {"name": "tangle_nas", "knobs": {"epochs": 3, "sharing": "entangled"}}
    document["evaluator"] = {"name": "trained", "knobs": {}}
    other = beside.changed(document, "sharing", summary)
    assert other["strategy"]["knobs"] == {"epochs": 3, "sharing": "separate"}
    random = beside.changed(document, "random", summary)
    assert random["budget"] == {"evaluations": 0, "seconds": max(round(summary.seconds, 1), 1.0)}
    assert beside.kinds(document) == ["random", "sharing"]
    assert beside.sharing(document, {}) == "entangled"
    assert document["strategy"]["name"] == "tangle_nas", "what was given stays"
