"""Sub-networks out of a supernet that a search has kept: inherited, tuned, from scratch; command line."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from nascore.__main__ import main
from nascore.engines.kept import restored
from nascore.errors import BadInput, Busy
from nascore.evaluators.trained import Trained
from nascore.events import Life
from nascore.gates import one_hot
from nascore.problem import Memo, search
from nascore.recipe import Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.runs import launch, subnets
from nascore.runs.journal import Journal
from nascore.runs.spec import RunSpec
from nascore.runs.subnets import Asked
from nascore.space import Space, key, restrict, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.strategies.darts import Darts
from nascore.strategies.tas import Tas
from nascore.tasks.images import Digits
from nascore.verbs.subnets import measured
from tests.runs.toy_parts import ROOT

torch.set_num_threads(1)
CELLS = Nasbench201(1, 4, 1, 4)
FEW = restrict(CELLS, {c.name: c.options[1:4] for c in CELLS.choices()})
GOOD, OTHER = (3, 1, 2, 3, 1, 3), (1, 2, 3, 1, 2, 3)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder, where workers say nothing."""
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    monkeypatch.setattr(launch, "COMMAND", ("/nowhere/python",))
    return tmp_path


@pytest.fixture
def run(home: Path) -> str:
    """A run whose search has trained a supernet for one epoch."""
    recipe, task = SgdCosine(epochs=2, batch=16), Digits(train_images=32)
    return trained(RunSpec(FEW, task, recipe, Trained(), Darts(epochs=1), device="cpu"))


def trained(spec: RunSpec) -> str:
    run = launch.start(spec)
    for event in search(spec.strategy, spec.problem(Memo(launch.folder(run) / "memo"))):
        if "train_loss" not in getattr(event, "values", {}):
            break  # the supernet is kept; what is judged does not matter here
    return run


def rows(run: str, asked: Asked) -> list[dict[str, Any]]:
    work = measured(run, asked)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value["rows"]


def plain(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{n: v for n, v in r.items() if n != "seconds"} for r in found]


def test_the_supernet_is_the_one_that_was_trained(run: str) -> None:
    spec = launch.read_spec(run)
    problem = spec.problem(Memo(launch.folder(run) / "memo"))
    kept = problem.memo.load("search")["kept"][0]
    net, after = restored(problem, spec.strategy, "search")
    assert after == 1
    assert all(torch.equal(v, kept[n]) for n, v in net.state_dict().items())
    with pytest.raises(BadInput, match="no network with shared weights"):
        restored(problem, spec.strategy, "oneshot")
    with pytest.raises(BadInput, match="fit no shared network"):
        restored(replace(problem, space=Nasbench201(1, 8, 1, 4)), spec.strategy, "search")


def test_inherited_weights_are_judged_with_the_norms_that_are_asked_for(run: str) -> None:
    spec = launch.read_spec(run)
    problem = spec.problem(Memo(launch.folder(run) / "memo"))
    net, _ = restored(problem, spec.strategy, "search")
    found = {n: rows(run, Asked((GOOD,), norms=n, batches=2))[0] for n in ("anew", "kept", "batch")}
    view = net.at(one_hot(FEW, GOOD)).eval()
    assert found["kept"]["error"] == pytest.approx(problem.task.metrics(view, "validation")["error"])
    child: Any = net.extract(GOOD).train()
    for m in child.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = None
    for batch in islice(problem.batches("train", "calibrate"), 2):
        child(batch.x)
    assert found["anew"]["error"] == pytest.approx(problem.task.metrics(child.eval(), "validation")["error"])
    assert found["anew"]["batches"] == 2
    assert found["kept"]["batches"] == 0
    assert len(subnets.rows(run)) == 3, "all are kept beside each other"


def test_tuned_and_scratch_are_trained_by_the_recipe(run: str) -> None:
    asked = Asked((GOOD, OTHER), ("inherited", "tuned", "scratch"), epochs=2)
    found = rows(run, asked)
    assert [(r["way"], r["key"]) for r in found] == [
        (w, key(FEW, a)) for w in ("inherited", "tuned", "scratch") for a in (GOOD, OTHER)
    ]
    assert [r["epochs"] for r in found] == [0, 0, 2, 2, 2, 2]
    assert [r["after"] for r in found] == [1, 1, 1, 1, 0, 0]
    assert all(0 <= r["error"] <= 1 and 0 <= r["test_error"] <= 1 and not r["failed"] for r in found)
    spec = launch.read_spec(run)
    from nascore.chunk import fresh

    problem = spec.problem()
    net = fresh(problem, GOOD)
    trainer = Trainer(problem, net, 2)
    for epoch in range(2):
        net.train()
        for batch in trainer.batches("train", epoch):
            trainer.round([net], batch)
    assert found[4]["error"] == pytest.approx(problem.task.metrics(net.eval(), "validation")["error"])
    before = subnets.rows(run)
    assert plain(rows(run, asked)) == plain(found), "nothing is measured twice"
    assert subnets.rows(run) == before


def test_a_norm_for_each_width_is_handed_down(home: Path) -> None:
    space: Space = PrunedResnet(8, 4)
    spec = RunSpec(space, Digits(train_images=16), SgdCosine(epochs=1, batch=8), Trained(),
                   Tas(epochs=1, distill=False), device="cpu")  # fmt: skip
    run = trained(spec)
    problem = spec.problem(Memo(launch.folder(run) / "memo"))
    net, _ = restored(problem, spec.strategy, "search")
    for p in net.parameters():  # norms of one epoch are nearly as they began
        torch.nn.init.normal_(p, 0.5, 0.3)
    (arch,) = tuples(problem.sample(1, "one"))
    x = next(iter(problem.batches("train", "x"))).x
    child = net.extract(arch).eval()
    norms = [m for m in child.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(torch.equal(m.weight, torch.ones_like(m.weight)) for m in norms)
    with torch.no_grad():
        assert torch.isfinite(child(x)).all()


def test_by_the_command_line(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = FEW.text(GOOD)
    assert main(["subnets", run, "--arch", text, "--sample", "1", "--norms", "kept", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"][0]["key"] == key(FEW, GOOD)
    assert len(found["rows"]) == 2
    assert subnets.standing(run) is not None
    assert str(getattr(subnets.standing(run), "state", "")) == "finished"
    for words, said in {
        ("--way", "luck"): "'luck' is none of inherited, tuned, scratch",
        ("--norms", "luck"): "none of anew, kept, batch",
        ("--epochs", "0"): "epochs: 0 is not between 1 and 600",
        ("--batches", "0"): "batches: 0 is not between",
        ("--sample", "999"): "sample: 999 is not between",
        ("--arch", "luck"): "no official string",
        (): "chosen none; give --arch or --sample",
    }.items():
        more = ["--arch", text] if words and words[0] not in ("--arch", "--sample") else []
        assert main(["subnets", run, *more, *words]) == 2
        assert said in capsys.readouterr().err


def test_what_the_supernet_does_not_hold_is_refused(run: str) -> None:
    with pytest.raises(BadInput, match="is not of this run: edge_1_0: this option is not open"):
        subnets.check(run, Asked(((4, 1, 1, 3, 1, 1),)))
    assert subnets.can(run)
    journal = Journal(launch.folder(run))
    journal.append(Life("Started"))
    journal.close()
    lock = str(launch.folder(run) / "lock")
    code = f"from nascore.locks import hold; from pathlib import Path; hold(Path({lock!r}))"
    worker = subprocess.Popen([sys.executable, "-c", f"{code}; print(1, flush=True); input()"], cwd=ROOT,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert worker.stdout is not None
        worker.stdout.readline()
        with pytest.raises(Busy, match="still trains"):
            subnets.check(run, Asked((GOOD,)))
        assert not subnets.can(run)
    finally:
        worker.communicate(b"\n")
    (launch.folder(run) / "memo").rename(launch.folder(run) / "gone")
    with pytest.raises(BadInput, match="keep one"):
        subnets.check(run, Asked((GOOD,)))


def test_a_stop_keeps_what_is_measured(run: str) -> None:
    work = measured(run, Asked((GOOD, OTHER), ("inherited", "scratch"), epochs=50))
    for done, _, _ in work:
        if done == 3:
            work.close()
            break
    assert [r["way"] for r in subnets.rows(run)] == ["inherited", "inherited"]
