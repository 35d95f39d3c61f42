from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nascore.codec import from_json
from nascore.errors import BadInput, NotSupported
from nascore.recipes import tunable
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import enumerate_archs, from_choices, mutate, restrict, sample, size, tuples
from nascore.spaces import training
from nascore.spaces.training import Training
from nascore.task import CIFAR
from tests.toys import ToyRecipe

FULL = Training(
    optimizers=("sgd", "adamw", "rmsprop"),
    rates=(0.1, 0.3),
    adaptive_rates=(0.001, 0.01),
    schedules=("cosine", "step", "one_cycle"),
    warmups=(0.0, 0.1),
    epochs=(2, 3),
    batches=(32, 64),
    smoothings=(0.0, 0.1),
    decays=(0.0, 5e-4),
)


def test_learning_rates_wait_for_their_optimizer_and_warm_ups_for_their_schedule() -> None:
    # sgd with 2 rates and two others with 2 each; two schedules with 2 warm-ups, one without; 16 of the rest
    assert size(FULL) == (2 + 2 * 2) * (2 * 2 + 1) * 16 == len(enumerate_archs(FULL))


def test_every_setting_of_an_arch_is_in_its_recipe() -> None:
    default = SgdCosine(momentum=0.7, nesterov=False)
    chosen: dict[str, Any] = {
        "optimizer": "adamw",
        "adaptive_lr": 0.01,
        "schedule": "step",
        "warmup": 0.1,
        "epochs": 3,
        "batch": 32,
        "smoothing": 0.1,
        "decay": 0.0,
    }
    made = FULL.recipe(from_choices(FULL, chosen), default)
    assert made == tunable.Tunable(
        3, 32, "adamw", 0.01, "step", warmup=0.1, momentum=0.7, nesterov=False, decay=0.0, smoothing=0.1
    )


def test_different_archs_have_different_recipes() -> None:
    made = {FULL.recipe(a, SgdCosine()) for a in tuples(enumerate_archs(FULL))}
    assert len(made) == size(FULL)


def test_a_knob_without_options_leaves_the_recipe_and_one_option_is_taken() -> None:
    only = Training((), (0.5,), (), (), (), (7,), (), (), ())
    assert only.choices() == ()
    assert size(only) == 1
    assert only.recipe((), SgdCosine(lr=0.1, decay=0.01)) == SgdCosine(lr=0.5, decay=0.01, epochs=7).changed()
    nothing = Training((), (), (), (), (), (), (), (), ())
    assert nothing.recipe((), SgdCosine()) == SgdCosine().changed()


def test_with_adaptive_optimizers_alone_the_other_rates_are_no_choice() -> None:
    assert [c.name for c in Training(("adam",)).choices()] == ["adaptive_lr", "schedule", "smoothing"]
    assert [c.name for c in Training(("sgd",)).choices()] == ["lr", "schedule", "smoothing"]


@pytest.mark.parametrize(
    "schedules", [(), ("cosine",), ("constant",), ("cosine", "linear", "step", "constant")]
)
def test_warm_ups_need_no_condition_where_every_schedule_has_them(schedules: tuple[str, ...]) -> None:
    space = Training(("sgd",), (0.1,), (), schedules, (0.0, 0.1), (), (), (), ())
    assert [c.when for c in space.choices() if c.name == "warmup"] == [None]
    assert size(space) == max(len(schedules), 1) * 2 == len(enumerate_archs(space))
    made = {space.settings(a)["warmup"] for a in tuples(enumerate_archs(space))}
    assert made == {0.0, 0.1}


def test_with_a_schedule_that_rises_by_itself_warm_ups_are_no_choice() -> None:
    space = Training(("sgd",), (0.1,), (), ("one_cycle",), (0.0, 0.1), (), (), (), ())
    assert space.choices() == ()
    assert "warmup" not in space.settings(())


def test_sampling_and_mutating_stay_within_conditions() -> None:
    rng = np.random.default_rng(0)
    archs = sample(FULL, 200, rng)
    for arch in (*tuples(archs), *tuples(mutate(FULL, archs, rng))):
        made = FULL.settings(arch)
        assert made["lr"] in ((0.1, 0.3) if made["method"] == "sgd" else (0.001, 0.01))
        assert (made["schedule"] == "one_cycle") == ("warmup" not in made)


def test_a_restriction_changes_the_recipe_too() -> None:
    narrow = restrict(FULL, {"optimizer": ["sgd"], "lr": [0.3]})
    arch = tuples(sample(narrow, 1, np.random.default_rng(0)))[0]
    assert narrow.recipe(arch, SgdCosine()).changed().lr == 0.3  # type: ignore[attr-defined]


def test_its_names_are_those_that_the_recipe_knows() -> None:
    assert training.METHODS == tunable.OPTIMIZERS
    assert training.SCHEDULES == tunable.SCHEDULES


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"optimizers": ["sgd", "sgd"]}, r"space\.knobs\.optimizers: an option stands twice"),
        ({"optimizers": ["lion"]}, r"space\.knobs\.optimizers\[0\]: 'lion' is none of sgd, adam"),
        ({"adaptive_rates": []}, r"space\.knobs\.adaptive_rates: none is given, and an optimizer other than"),
        ({"epochs": [0, 3]}, r"space\.knobs\.epochs\[0\]: 0 is below 1"),
        ({"rates": [0.1, 99]}, r"space\.knobs\.rates\[1\]: 99 is above 10"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_path(knobs: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        from_json("space", {"name": "training", "knobs": knobs})


def test_a_recipe_that_lacks_a_setting_and_a_network_of_it_are_refused() -> None:
    with pytest.raises(NotSupported, match="has no method that could be chosen"):
        Training().recipe(tuples(sample(Training(), 1, np.random.default_rng(0)))[0], ToyRecipe())
    with pytest.raises(NotSupported, match="makes no network"):
        Training().graph((), CIFAR)
