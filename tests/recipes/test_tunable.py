"""Each setting of the tunable recipe changes training as it says: by hand, or against torch's own."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from nascore.chunk import fresh
from nascore.errors import NotSupported
from nascore.evaluators.trained import Trained
from nascore.problem import Problem
from nascore.recipe import Recipe, Trainer, train
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.recipes.tunable import OPTIMIZERS, SCHEDULES, Tunable
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Batch, Shape
from nascore.tasks.images import Digits
from tests.toys import ToyRecipe

torch.set_num_threads(1)
ARCH = (3, 2, 1, 1, 2, 1)
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 4),))


def problem(recipe: Recipe) -> Problem:
    return Problem(Nasbench201(1, 8, 1, 2), Digits(train_images=128), recipe, Trained())


def one_step(recipe: Tunable, weight: float, *gradients: float) -> float:
    """Where a single number goes."""
    p = nn.Parameter(torch.tensor([weight], dtype=torch.float64))
    optimizer = recipe.optimizer([p])
    for g in gradients:
        p.grad = torch.tensor([g], dtype=torch.float64)
        optimizer.step()
    return p.item()


def test_sgd_steps_with_nesterov_momentum_and_decay_by_hand() -> None:
    w1 = 2.0 - 0.1 * (1.2 + 0.5 * 1.2)  # gradient 1 + decay .1 * 2, looked ahead
    g2 = 3.0 + 0.1 * w1
    v2 = 0.5 * 1.2 + g2
    recipe = Tunable(lr=0.1, momentum=0.5, decay=0.1)
    assert one_step(recipe, 2.0, 1.0, 3.0) == pytest.approx(w1 - 0.1 * (g2 + 0.5 * v2))


def test_adam_adds_decay_to_the_gradient_and_adamw_to_the_step_by_hand() -> None:
    adam = one_step(Tunable(method="adam", lr=0.01, decay=0.1), 2.0, 3.0)
    assert adam == pytest.approx(2.0 - 0.01 * 3.2 / (3.2 + 1e-8))  # the first step is the sign
    adamw = one_step(Tunable(method="adamw", lr=0.01, decay=0.1), 2.0, 3.0)
    assert adamw == pytest.approx(2.0 * (1 - 0.01 * 0.1) - 0.01 * 3.0 / (3.0 + 1e-8))


def test_rmsprop_divides_by_the_root_of_the_mean_square_by_hand() -> None:
    w = one_step(Tunable(method="rmsprop", lr=0.01, momentum=0.5, decay=0.0), 2.0, 3.0)
    assert w == pytest.approx(2.0 - 0.01 * 3.0 / (math.sqrt(0.01 * 9.0) + 1e-8))


@pytest.mark.parametrize("method", OPTIMIZERS)
def test_each_optimizer_goes_another_way(method: Any) -> None:
    others = [one_step(Tunable(method=m), 2.0, 1.0, -3.0, 0.5) for m in OPTIMIZERS if m != method]  # type: ignore[arg-type]
    mine = one_step(Tunable(method=method), 2.0, 1.0, -3.0, 0.5)
    assert all(abs(mine - w) > 1e-6 for w in others)


AT: dict[str, list[float]] = {  # the rate at 0, .25, .5, .75 of the training with lr 1
    "cosine": [1.0, 0.5 + 0.5 * math.sqrt(0.5), 0.5, 0.5 - 0.5 * math.sqrt(0.5)],
    "linear": [1.0, 0.75, 0.5, 0.25],
    "step": [1.0, 1.0, 0.1, 0.01],
    "constant": [1.0] * 4,
}


@pytest.mark.parametrize("schedule", AT)
def test_a_schedule_is_its_formula(schedule: Any) -> None:
    recipe = Tunable(lr=2.0, schedule=schedule)
    assert [recipe.rate(s, 100) / 2 for s in (0, 25, 50, 75)] == pytest.approx(AT[schedule])


def test_one_cycle_is_that_of_torch() -> None:
    total, recipe = 200, Tunable(lr=0.3, schedule="one_cycle")
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.3, total, cycle_momentum=False)
    for step in range(total - 1):
        # torch's own turns one step early and ends one step early: compare at the same share
        share = step * total / (total - 1) if step else 0.0
        near = recipe.rate(share, total)
        assert near == pytest.approx(theirs.get_last_lr()[0], rel=0.03, abs=0.003)
        optimizer.step()
        theirs.step()
    assert recipe.rate(0, total) == pytest.approx(0.3 / 25)
    assert recipe.rate(60, total) == pytest.approx(0.3)
    assert recipe.rate(total, total) == pytest.approx(0.3 / 250_000)


def test_cosine_power_keeps_its_ends_and_falls_sooner_the_larger_its_power() -> None:
    cosine = [Tunable(lr=0.3, schedule="cosine").rate(s, 50) for s in range(51)]
    plain = Tunable(lr=0.3, schedule="cosine_power", power=1.0)
    assert [plain.rate(s, 50) for s in range(51)] == cosine
    curves = [cosine]
    for power in (1.0001, 2.0, 10.0, 100.0):
        recipe = Tunable(lr=0.3, schedule="cosine_power", power=power, lr_end=0.0)
        curve = [recipe.rate(s, 50) for s in range(51)]
        assert curve[0] == pytest.approx(0.3)
        assert curve[-1] == pytest.approx(0, abs=1e-12)
        assert all(b < a for a, b in zip(curves[-1][1:-1], curve[1:-1], strict=True))
        curves.append(curve)
    raised = Tunable(lr=0.3, schedule="cosine_power", power=10.0, lr_end=0.1)
    assert [raised.rate(s, 50) for s in (0, 25, 50)] == pytest.approx(
        [0.3, 0.1 + 0.2 * (math.sqrt(10) - 1) / 9, 0.1]
    )


def test_a_warm_up_rises_in_a_line_and_then_leaves_the_schedule_alone() -> None:
    warm, cold = Tunable(lr=1.0, warmup=0.1), Tunable(lr=1.0)
    shares = [warm.rate(s, 100) / cold.rate(s, 100) for s in range(100)]
    assert shares[:10] == pytest.approx([(s + 1) / 10 for s in range(10)])
    assert shares[10:] == [1.0] * 90


def test_the_trainer_moves_weights_at_the_rate_of_the_schedule() -> None:
    for schedule in SCHEDULES:
        recipe = Tunable(1, 32, lr=0.5, schedule=schedule, warmup=0.5, momentum=0.0, decay=0.0)  # type: ignore[arg-type]
        p = problem(recipe)
        trainer = Trainer(p, nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), 1)
        for step, batch in enumerate(trainer.batches("train", 0)):
            before = [q.detach().clone() for q in trainer.net.parameters()]
            trainer.learn(trainer.net, batch)
            gradients = [q.grad.clone() for q in trainer.net.parameters() if q.grad is not None]
            trainer.step()
            for q, b, g in zip(trainer.net.parameters(), before, gradients, strict=True):
                torch.testing.assert_close(q.detach(), b - recipe.rate(step, 4) * g)


def test_smoothed_labels_are_by_hand_and_probabilities_stay_probabilities() -> None:
    recipe, x = Tunable(smoothing=0.2), torch.zeros(2, 1)
    hard = recipe.teach(Batch(x, torch.tensor([0, 2]), torch.arange(2)), SHAPE).y
    torch.testing.assert_close(hard, torch.tensor([[0.85, 0.05, 0.05, 0.05], [0.05, 0.05, 0.85, 0.05]]))
    soft = recipe.teach(Batch(x, torch.tensor([[0.5, 0.5, 0, 0]] * 2), torch.arange(2)), SHAPE).y
    torch.testing.assert_close(soft, torch.tensor([[0.45, 0.45, 0.05, 0.05]] * 2))
    plain = Batch(x, torch.tensor([0, 2]), torch.arange(2))
    assert Tunable().teach(plain, SHAPE) is plain


def test_the_trainer_learns_from_smoothed_labels_and_judges_by_true_ones() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    p = problem(Tunable(1, 128, smoothing=0.3))
    trainer = Trainer(p, net, 1)
    (batch,) = trainer.batches("train", 0)
    trainer.learn(net, batch)
    logits = net(batch.x)
    mixed = nn.functional.cross_entropy(logits, batch.y, label_smoothing=0.3)  # type: ignore[arg-type]
    (wanted,) = torch.autograd.grad(mixed, [net[1].weight])
    torch.testing.assert_close(net[1].weight.grad, wanted)
    own = p.task.metrics(net, "validation")["loss"]
    whole = p.task.whole("validation")
    true = nn.functional.cross_entropy(net(whole.x), whole.y)  # type: ignore[arg-type]
    assert own == pytest.approx(true.item(), rel=1e-5)


def test_epochs_and_batch_say_how_many_steps_are_taken() -> None:
    for epochs, batch, steps in ((1, 32, 4), (2, 32, 8), (3, 128, 3)):
        p = problem(Tunable(epochs, batch, lr=1e-5))
        trainer = Trainer(p, fresh(p, ARCH), epochs)
        for epoch in range(epochs):
            for b in trainer.batches("train", epoch):
                trainer.round([trainer.net], b)
        assert trainer.moved == steps


def test_changing_nothing_of_the_default_recipe_trains_to_the_same_bits() -> None:
    default = SgdCosine(epochs=2, batch=32)
    same = default.changed()
    assert isinstance(same, Tunable)
    losses = []
    for recipe in (default, same):
        p = problem(recipe)
        losses.append([s.values["loss"] for s in train(p, fresh(p, ARCH), recipe, "x")])
    assert losses[0] == losses[1]


def test_a_recipe_without_a_setting_says_so() -> None:
    assert ToyRecipe().changed(epochs=3) == replace(ToyRecipe(), epochs=3)
    with pytest.raises(NotSupported, match="ToyRecipe has no lr that could be chosen"):
        ToyRecipe().changed(lr=0.1)
