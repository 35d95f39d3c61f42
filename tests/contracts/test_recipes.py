"""What every recipe promises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nascore.chunk import fresh
from nascore.codec import from_json, to_json
from nascore.evaluators.trained import Trained
from nascore.problem import Problem
from nascore.recipe import Trainer, train
from nascore.recipes import RECIPES
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
ARCH = (3, 2, 1, 1, 2, 1)


@pytest.fixture(params=RECIPES)
def problem(request) -> Problem:
    recipe = replace(RECIPES[request.param](), epochs=4, batch=32)
    return Problem(Nasbench201(1, 8, 1, 2), Digits(train_images=960), recipe, Trained())


def test_the_loss_goes_down(problem: Problem) -> None:
    steps = list(train(problem, fresh(problem, ARCH), problem.recipe, "x"))
    assert len(steps) == 4
    assert steps[-1].values["train_loss"] < 0.8 * steps[0].values["train_loss"]


def test_the_state_of_a_trainer_brings_it_back_to_the_bit(problem: Problem) -> None:
    def run(trainer: Trainer, epochs: range) -> None:
        for epoch in epochs:
            for batch in trainer.batches("train", epoch):
                trainer.round([trainer.net], batch)
            trainer.epoch_done("x")

    straight = Trainer(problem, fresh(problem, ARCH), 4)
    run(straight, range(2))
    broken = Trainer(problem, fresh(problem, ARCH), 4)
    run(broken, range(1))
    resumed = Trainer(problem, fresh(problem, ARCH), 4)
    resumed.net.load_state_dict(broken.net.state_dict())
    resumed.load_state_dict(broken.state_dict())
    run(resumed, range(1, 2))
    mine, theirs = straight.net.state_dict(), resumed.net.state_dict()
    assert all(torch.equal(mine[n], theirs[n]) for n in mine)


def test_it_survives_json(problem: Problem) -> None:
    assert from_json("recipe", to_json(problem.recipe)) == problem.recipe
