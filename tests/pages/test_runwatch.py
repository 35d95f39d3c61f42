"""A search with shared weights on the page of its run: gates, the cell so far, its true rank, warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st

from nascore.benchmarks.table import open_table
from nascore.codec import from_json
from nascore.events import Life, Step
from nascore.problem import Memo
from nascore.runs import journal as journals
from nascore.runs import launch
from nascore.runs.journal import Journal
from nascore.runs.spec import open_spec
from nascore.space import tuples
from nascore.tasks.images import Digits
from nascore.view.gates import Movie
from pages.parts import runwatch, stores
from tests.benchmarks.small import write_small
from tests.pages.conftest import RUN as PLAIN
from tests.pages.conftest import Open, asked, raw, said, write_run

RUN = "20260102-030405-cccccc"


def write_shared(
    home: Path, space: dict[str, Any], archs: list[tuple[int, ...]], of: int, *, end: str
) -> None:
    """A run of `darts` whose gates prefer another arch after each epoch."""
    spec = {**open_spec("quick").to_json(), "space": space, "title": "shared"}
    spec["strategy"] = {"name": "darts", "knobs": {"epochs": of}}
    folder = home / "runs" / RUN
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec))
    journal = Journal(folder)
    journal.append(Life("Queued"))
    journal.append(Life("Started", about={"data": "digits"}))
    choices = from_json("space", space).choices()
    for epoch, arch in enumerate(archs):
        gates = {
            f"gate/{c.name}/{o}": 0.6 if j == i else 0.4 / (len(c.options) - 1)
            for c, i in zip(choices, arch, strict=True)
            for j, o in enumerate(c.options)
        }
        told = {"train_loss": 2.0 / (epoch + 1), "supernet_error": 0.5, "entropy": 0.9 - epoch / 10}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(journals, "STEP_SECONDS", 0.0)  # of quick steps only some are written
            journal.append(Step("darts", epoch, {**gates, **told}))
    if end:
        journal.append(Life(end, about={}))  # type: ignore[arg-type]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Figures by the key under which they were shown."""
    out: dict[str, Any] = {}
    call = st.plotly_chart

    def noted(fig: Any, *given: Any, **more: Any) -> Any:
        out[str(more.get("key"))] = fig
        return call(fig, *given, **more)

    monkeypatch.setattr(st, "plotly_chart", noted)
    return out


def test_gates_are_shown_with_the_true_rank_of_what_they_stand_for(
    visit: Open, home: Path, drawn: dict[str, Any]
) -> None:
    write_small(home)
    table = open_table("small")
    order = (
        table.order("test_accuracy") if "test_accuracy" in table.columns else table.order(table.metrics[0])
    )
    best, worst = (tuples(table.archs[[int(order[i])]])[0] for i in (0, -1))
    assert table.space is not None
    write_shared(home, table.space, [worst, best, best], 3, end="Finished")
    at = visit("runs", run=RUN)
    assert not at.exception
    (bar,) = at.get("progress")
    assert "3 of 3 epochs" in bar.proto.text
    rank = drawn["gate_rank"].data[0]
    assert list(rank.x) == [1, 2, 3]
    assert rank.y[0] == 0
    assert rank.y[1:] == pytest.approx([100, 100])
    assert f"1 of {len(order):,}" in said(at)
    assert [f.name for f in drawn["gates"].frames] == ["1", "2", "3"]
    assert list(drawn["gate_entropy"].data[0].y) == pytest.approx([0.9, 0.8, 0.7])
    lines = {
        trace.name: list(trace.y) for key in drawn if key.startswith("gate_told") for trace in drawn[key].data
    }
    assert any(y == pytest.approx([50, 50, 50]) for y in lines.values()), "errors are percents"


def test_the_shared_network_is_held_against_the_table(home: Path) -> None:
    """Errors in the order of the table give 1, the other way round -1; what it does not know is left out."""
    write_small(home)
    table = open_table("small")
    spec: Any = type("Spec", (), {"space": from_json("space", table.space), "task": Digits()})()
    (truth,) = runwatch.true_ranks(spec, tuples(table.archs[:2]))
    order = table.order(truth.metric)[::20]
    values = table.values(truth.metric)[order]
    assert len(np.unique(values)) == len(values) >= 12
    keys = [str(k) for k in table.frame["key"].iloc[order]]
    rising = np.linspace(0.1, 0.9, len(keys))
    samples = {k: np.array([e, 1 - e, 0.5]) for k, e in zip(keys, rising, strict=True)}
    movie = Movie("s", np.arange(1, 4), (), (), (), {}, {**samples, "0" * 16: np.zeros(3)})
    found, n = runwatch.taus(movie, truth)
    assert n == len(keys)
    assert found[0, :2] == pytest.approx([1, -1])
    assert np.isnan(found[0, 2]), "all alike: no order, no correlation"
    few = Movie("s", np.arange(1, 4), (), (), (), {}, dict(list(samples.items())[:9]))
    assert np.isnan(runwatch.taus(few, truth)[0]).all()


def test_operations_that_crowd_out_others_are_named(visit: Open, home: Path) -> None:
    quick = open_spec("quick").to_json()["space"]
    skip, conv = (1,) * 6, (3,) * 6
    write_shared(home, quick, [conv, skip], 4, end="")
    at = visit("runs", run=RUN)
    assert any("Skips lead at 6 of 6 choices" in str(w.value) for w in at.warning)
    assert "No table here knows the networks of this space" in said(at)


def test_a_search_without_shared_weights_has_no_gates(visit: Open, home: Path) -> None:
    write_run(home)
    at = visit("runs", run=PLAIN)
    assert "Gates over the epochs" not in raw(at)
    assert not at.exception


def test_true_ranks_are_places_among_all_with_a_value(home: Path) -> None:
    write_small(home)
    table = open_table("small")
    spec: Any = type("Spec", (), {})()
    spec.space, spec.task = from_json("space", table.space), Digits()
    archs = tuples(table.archs[:4])
    (found,) = runwatch.true_ranks(spec, archs)
    values = table.values(found.metric)
    column = table.columns[found.metric]
    better = values > values[:4, None] if column.direction == "max" else values < values[:4, None]
    known = np.isfinite(values[:4])
    assert known.any()
    assert (found.rank[known] >= better.sum(1)[known] + 1).all()
    assert (found.rank[known] <= (better | (values == values[:4, None])).sum(1)[known]).all()
    assert found.of == np.isfinite(values).sum()


def test_a_finished_search_can_be_continued_for_more_epochs(visit: Open, home: Path) -> None:
    quick = open_spec("quick").to_json()["space"]
    write_shared(home, quick, [(3,) * 6], 1, end="Finished")
    assert not any(n.key == "more_epochs" for n in visit("runs", run=RUN).number_input), "no network is kept"
    memo = home / "runs" / RUN / "memo"
    memo.mkdir()
    Memo(memo).file("search").write_bytes(b"kept")
    at = visit("runs", run=RUN)
    assert "rises again" in said(at)
    at.number_input(key="more_epochs").set_value(2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "COMMAND", ("/nowhere/python",))
        at.button(key="more_now").click().run()
    (new,) = set(launch.runs()) - {RUN}
    assert getattr(launch.read_spec(new).strategy, "epochs") == 3  # noqa: B009 -- of darts
    assert asked(at, "run") == new
    assert f"goes on from {RUN} after 1 epoch for 2 more" in str(stores.log(new)["text"].tolist())
