"""Two selections from one kept supernet: each drop against the supernet itself, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.gates import Softmax, discretize
from nascore.problem import Memo
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.runs import launch, selection
from nascore.runs.spec import RunSpec
from nascore.strategies.darts import Darts
from nascore.strategies.darts_pt import judged, masked
from nascore.strategies.spos import Spos
from nascore.tasks.images import Digits
from nascore.verbs.selection import selected
from tests.runs.test_subnets import FEW, trained

torch.set_num_threads(1)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    monkeypatch.setattr(launch, "COMMAND", ("/nowhere/python",))
    return tmp_path


def spec(strategy: Any) -> RunSpec:
    return RunSpec(
        FEW, Digits(train_images=32), SgdCosine(epochs=2, batch=16), Trained(), strategy, device="cpu"
    )


def answer(run: str) -> dict[str, Any]:
    work = selected(run)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def test_each_choice_keeps_what_is_missed_most_and_the_largest_alphas_stand_beside_it(home: Path) -> None:
    run = trained(spec(Darts(epochs=1, alpha_lr=0.5)))
    found = answer(run)
    problem = spec(Darts()).problem(Memo(launch.folder(run) / "memo"))
    kept = problem.memo.load("search")["kept"]
    net, gating = problem.supernet("separate"), Softmax(FEW)
    net.load_state_dict(kept[0])
    gating.load_state_dict(kept[2])
    assert tuple(found["archs"]["magnitude"]["arch"]) == discretize(FEW, gating.probabilities())
    choices = {c.name: c for c in FEW.choices()}
    for row in found["choices"]:
        c, gates = choices[row["choice"]], gating()
        whole, *without = judged(problem, net, [gates, *(masked(gates, c.name, o) for o in c.open)])
        assert row["before"] == pytest.approx(whole[0])
        drops = [row["options"][o]["drop"] for o in c.open]
        assert drops == pytest.approx([e - whole[0] for e, _ in without])
        assert row["perturbation"] == max(zip(without, c.open, strict=True))[1]
        gating.fix(c.name, row["perturbation"])
    assert tuple(found["archs"]["perturbation"]["arch"]) == discretize(FEW, gating.probabilities())
    assert all(FEW.invalid(tuple(a["arch"])) == "" for a in found["archs"].values())
    assert sorted(r["choice"] for r in found["choices"]) == sorted(choices)


def test_a_run_without_alphas_is_refused_in_words(home: Path) -> None:
    run = trained(spec(Spos(epochs=1)))
    assert not selection.can(run)
    with pytest.raises(BadInput, match="spos has no alphas"):
        selection.start(run)
    bare = launch.start(spec(Darts(epochs=1)))
    with pytest.raises(BadInput, match="no network with shared weights"):
        selection.start(bare)
