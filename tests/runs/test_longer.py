"""A finished search that goes on for more epochs is the longer search, where nothing hangs on its length."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from nascore.__main__ import main
from nascore.errors import BadInput, Busy
from nascore.evaluators.trained import Trained
from nascore.events import Event, Life, Note, Step, Tried
from nascore.problem import Budget, Memo, search
from nascore.recipes.tunable import Tunable
from nascore.runs import launch, longer
from nascore.runs.journal import NAME, Journal, Reader, event_of
from nascore.runs.spec import RunSpec
from nascore.runs.state import Follow
from nascore.space import restrict
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.darts import Darts
from nascore.strategies.darts_pt import DartsPt
from nascore.strategies.spos import Spos
from nascore.tasks.images import Digits

torch.set_num_threads(1)
WAYS = {
    "darts": Darts(epochs=1),
    "darts_pt": DartsPt(epochs=1, tune=1),
    "spos": Spos(epochs=1, population=3, cycles=1, finalists=1),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, where workers say nothing: the searches run in this process."""
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    monkeypatch.setattr(launch, "COMMAND", ("/nowhere/python",))
    return tmp_path


def spec(strategy: Any, schedule: Any = "constant") -> RunSpec:
    recipe = Tunable(epochs=1, batch=16, schedule=schedule)
    cells, task = Nasbench201(1, 4, 1, 4), Digits(train_images=32)
    few = [c.options[1:4:2] if i < 2 else c.options[3:4] for i, c in enumerate(cells.choices())]
    space = restrict(cells, {c.name: o for c, o in zip(cells.choices(), few, strict=True)})
    return RunSpec(space, task, recipe, Trained(), strategy, budget=Budget(5), device="cpu", title="short")


def searched(run: str) -> list[Event]:
    """Runs it here and writes its journal; what it said."""
    found, place = launch.read_spec(run), launch.folder(run)
    memo, journal = Memo(place / "memo"), Journal(place)
    journal.append(Life("Started"))
    events = []
    for event in search(found.strategy, found.problem(memo)):
        journal.append(event)
        journal.sync()
        events.append(event)
    journal.append(Life("Finished"))
    journal.close()
    return events


def same(events: list[Event]) -> list[Any]:
    """Without what a clock says, and the first epoch."""
    out: list[Any] = []
    for e in events:
        if isinstance(e, Tried):
            e = replace(e, spent={}, metrics={"error": e.metrics["error"]})
        if isinstance(e, Step):
            e = replace(e, values={n: v for n, v in e.values.items() if not n.endswith(("_ms", "_seconds"))})
        if not (isinstance(e, Step) and e.phase in longer.PHASES and e.index == 0):
            out.append(e)
    return out


@pytest.mark.parametrize("name", sorted(WAYS))
def test_one_epoch_and_one_more_are_two(home: Path, name: str) -> None:
    short = launch.start(spec(WAYS[name]))
    searched(short)
    kept = (launch.folder(short) / NAME).read_bytes()
    assert longer.trained(short) == 1
    more, whole = longer.go_on(short, 1), launch.start(spec(replace(WAYS[name], epochs=2)))
    told = [event_of(r) for r in Reader(launch.folder(more) / NAME).read()]
    assert [(e.phase, e.index) for e in told if isinstance(e, Step)] == [(longer.phase(short), 0)]
    assert any(isinstance(e, Note) and short in e.text and "after 1 epoch " in e.text for e in told)
    assert Follow(more).summary().seconds == pytest.approx(Follow(short).summary().seconds, abs=0.01)
    gone_on, at_once = searched(more), searched(whole)
    assert same(gone_on) == same(at_once)
    again = [e.index for e in gone_on if isinstance(e, Step) and e.phase == longer.phase(more)]
    assert again == [1], "the first epoch is not done again"
    mine, theirs = (Memo(launch.folder(r) / "memo").load(longer.phase(r)) for r in (more, whole))
    for own, other in zip(mine["kept"], theirs["kept"], strict=True):
        assert all(torch.equal(v, other[n]) for n, v in own.items() if isinstance(v, torch.Tensor))
    assert (launch.folder(short) / NAME).read_bytes() == kept, "the finished run stays"
    assert launch.read_spec(short).title == "short"
    assert launch.read_spec(more).title == "short to 2 epochs"


def test_a_rate_that_falls_with_the_length_rises_again(home: Path) -> None:
    recipe = spec(WAYS["darts"], "cosine").recipe
    assert recipe.rate(10, 10) == pytest.approx(0)
    assert recipe.rate(10, 20) == pytest.approx(recipe.rate(0, 20) / 2)
    assert "rises again" in longer.SAYS


def test_what_cannot_go_on_is_refused_in_words(home: Path) -> None:
    run = launch.start(spec(WAYS["darts"]))
    with pytest.raises(Busy, match="resume it first"):
        longer.go_on(run, 1)
    with pytest.raises(BadInput, match="at least one epoch"):
        longer.go_on(run, 0)
    assert main(["run", run, "--more", "0", "--json"]) == 2
    journal = Journal(launch.folder(run))
    journal.append(Life("Finished"))
    journal.close()
    assert longer.trained(run) == 0
    with pytest.raises(BadInput, match="darts, spos or tangle_nas"):
        longer.go_on(run, 1)
    (launch.folder(run) / "memo").mkdir()
    Memo(launch.folder(run) / "memo").save("search", {"epoch": 1, "kept": []})
    with pytest.raises(BadInput, match="epochs: 1e\\+06 is above 1000"):
        longer.go_on(run, 999_999)
    assert launch.runs() == [run], "nothing is left of what was refused"
