"""Single-Path NAS: cost steers decisions after the warm-up, and one network's weights are all there is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Note, Step
from nascore.problem import Memo, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.stages import Stage, Stages
from nascore.strategies.single_path import SinglePath
from nascore.tasks.images import Digits
from nascore.thresholds import Thresholds

torch.set_num_threads(1)
SPACE = Stages((Stage(("mbconv",), (8,), (1, 2), (2,), (3, 5), (1, 2), per="layer"),), stem=8, stem_stride=2)


def problem(space: Any = SPACE) -> Problem:
    return Problem(space, Digits(train_images=64), SgdCosine(epochs=1, batch=16), Trained())


def told(how: SinglePath) -> list[dict[str, float]]:
    return [e.values for e in search(how, problem()) if isinstance(e, Step) and e.phase == "search"]


def test_the_supernet_has_the_weights_of_its_largest_child() -> None:
    p = problem()
    net = p.supernet("entangled")
    child = p.space.build((1, 1, 1, 1, 1), p.task.shape)
    assert sum(q.numel() for q in net.parameters()) == sum(q.numel() for q in child.parameters())


def test_a_heavy_cost_shuts_parts_after_the_warm_up_and_none_leaves_them() -> None:
    heavy = told(SinglePath(epochs=8, warm=0.5, weight=100.0, threshold_lr=0.02))
    free = told(SinglePath(epochs=8, warm=0.5, weight=0.0, threshold_lr=1e-6))
    assert [v["on"] for v in free] == [1.0] * 8
    assert heavy[-1]["on"] < 0.5
    assert heavy[-1]["cost"] < free[-1]["cost"]
    name = "norm/stage1.layer1.kernel/1"
    assert heavy[-1][name] < heavy[-1][name.replace("norm", "threshold")]


def test_without_gradients_through_decisions_cost_shuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import nascore.thresholds as module

    monkeypatch.setattr(module, "decided", lambda x: (x >= 0).to(x) + 0 * x)
    values = told(SinglePath(epochs=4, warm=0.25, weight=100.0, threshold_lr=0.02))
    assert values[-1]["on"] == 1
    assert values[-1]["threshold/stage1.layer1.kernel/1"] == 0


def test_thresholds_do_not_decay_with_the_weights() -> None:
    how = SinglePath(epochs=2, warm=1.0, threshold_lr=1e-7)
    p = problem()
    p = Problem(p.space, p.task, SgdCosine(epochs=1, batch=16, decay=0.5), p.evaluator)
    with pytest.MonkeyPatch.context() as patch:
        start = Thresholds.__init__

        def high(self: Any, *args: Any) -> None:
            start(self, *args)
            for t in self.thresholds.values():
                t.data.fill_(0.01)

        patch.setattr(Thresholds, "__init__", high)
        values = [e.values for e in search(how, p) if isinstance(e, Step) and e.phase == "search"]
    assert values[-1]["threshold/stage1.depth/1"] == pytest.approx(0.01, abs=1e-4)


def test_thresholds_that_are_no_numbers_keep_the_last_good_epoch() -> None:
    p, done = problem(), 0
    memo = Memo()
    events: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        plain = torch.optim.RMSprop.step

        def spoil(self: Any, *args: Any) -> Any:
            nonlocal done
            out = plain(self, *args)
            done += 1
            if done > 8:  # in the third epoch of four steps
                self.param_groups[0]["params"][0].data.fill_(float("nan"))
            return out

        patch.setattr(torch.optim.RMSprop, "step", spoil)
        how = SinglePath(epochs=4, warm=0.5)
        events = list(search(how, Problem(p.space, p.task, p.recipe, p.evaluator, memo=memo)))
    notes = [e for e in events if isinstance(e, Note) and e.level == "warning"]
    assert "in epoch 3; going on with those of epoch 2" in notes[0].text
    assert events[-1].arch


@pytest.mark.slow
def test_latency_as_timed_can_be_the_cost() -> None:
    events = list(search(SinglePath(epochs=1, warm=0.0, cost="latency_ms", nets=8), problem()))
    assert any(isinstance(e, Note) and "latency model is off by" in e.text for e in events)
    assert next(e for e in events if isinstance(e, Step)).values["cost"] > 1  # microseconds


def test_cells_are_refused() -> None:
    with pytest.raises(BadInput, match="holds all others inside its own weights"):
        SinglePath().check(problem(Nasbench201(1, 4, 1, 4)))
