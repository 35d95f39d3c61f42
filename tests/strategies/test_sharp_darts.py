"""sharpDARTS: how its learning rate falls, what weighs its options, and what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from nascore.errors import BadInput, NotSupported
from nascore.events import Step
from nascore.gates import MaxW
from nascore.problem import Problem, search
from nascore.recipe import Recipe, Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.strategies.darts import Darts
from nascore.strategies.sharp_darts import SharpDarts
from tests.strategies.test_darts_pt import problem
from tests.toys import untimed

torch.set_num_threads(1)


def steps(strategy: Any, p: Problem | None = None) -> list[Step]:
    events = search(strategy, p or problem())
    return [untimed(e) for e in events if isinstance(e, Step) and e.phase == "search"]


def test_shares_and_a_cosine_to_zero_make_it_darts() -> None:
    same = SharpDarts(epochs=2, weighting="scalar", power=1.0, lr_end=0.0)
    assert [s.values for s in steps(same)] == [s.values for s in steps(Darts(epochs=2))]
    other = [s.values for s in steps(SharpDarts(epochs=2, power=1.0, lr_end=0.0))]
    assert other != [s.values for s in steps(same)]


def test_weights_move_at_a_rate_that_falls_by_a_power_of_the_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    plain = Trainer.step

    def told(self: Trainer, player: str = "") -> None:
        plain(self, player)
        rates.append(self.optimizers["net"].param_groups[0]["lr"])

    monkeypatch.setattr(Trainer, "step", told)
    steps(SharpDarts(epochs=2, lr=0.1, lr_end=0.01, power=10.0))
    u = [0.5 + 0.5 * torch.cos(torch.tensor(i / 8 * torch.pi)).item() for i in range(8)]
    assert rates[:8] == pytest.approx([0.01 + 0.09 * (10**v - 1) / 9 for v in u], rel=1e-5)


def test_it_weighs_by_max_w() -> None:
    gating = SharpDarts().gating(problem())
    assert isinstance(gating, MaxW)
    assert all(float(g.weights.detach().max()) == pytest.approx(1) for g in gating().values())
    assert not isinstance(SharpDarts(weighting="scalar").gating(problem()), MaxW)


class Stubborn(SgdCosine):
    """A recipe whose settings are as they are."""

    def changed(self, **settings: Any) -> Recipe:
        raise NotSupported("Stubborn has no schedule that could be chosen")


@pytest.mark.parametrize(
    ("strategy", "recipe", "why"),
    [
        (SharpDarts(lr=0.01, lr_end=0.1), SgdCosine(), "above lr"),
        (SharpDarts(), Stubborn(), "no schedule"),
    ],
)
def test_it_refuses_before_the_start(strategy: SharpDarts, recipe: Recipe, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        strategy.check(replace(problem(), recipe=recipe))
