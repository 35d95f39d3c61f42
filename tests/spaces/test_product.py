from __future__ import annotations

import inspect
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nascore.chunk import fresh
from nascore.codec import arch_from_json, arch_to_json, dumps, from_json, loads, to_json
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Step, Tried
from nascore.problem import Memo, Problem, search
from nascore.product import Product, product
from nascore.recipe import train
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import (
    enumerate_archs,
    key,
    neighbors,
    parse,
    restrict,
    sample,
    size,
    tuples,
)
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.quant import Quant
from nascore.spaces.stages import Stage, Stages
from nascore.spaces.training import Training
from nascore.tasks.images import Digits
from tests.contracts import test_spaces as promises
from tests.toys import ToySpace

torch.set_num_threads(1)
CELL = Nasbench201(1, 4, 1, 2)
RECIPES = Training(("sgd", "adamw"), (0.1, 0.3), (0.01,), ("cosine",), (), (1, 2), (), (0.0, 0.1))
STAGES = Stages(
    (Stage(("conv", "mbconv"), (4, 8), (1, 2), (2,), (3, 5), (1, 2), per="layer"),),
    stem=4,
)
BOTH = product(arch=CELL, recipe=RECIPES)
SPACES = [BOTH, product(net=STAGES, recipe=RECIPES), restrict(BOTH, {"recipe.optimizer": ["sgd"]})]
PROMISES = [f for n, f in vars(promises).items() if n.startswith("test_")]


@pytest.mark.parametrize("space", SPACES, ids=["cell", "stages", "restricted"])
@pytest.mark.parametrize("promise", PROMISES, ids=lambda f: f.__name__)
def test_a_product_keeps_what_every_space_promises(promise: Any, space: Any) -> None:
    if "sharing" in inspect.signature(promise).parameters:
        promise(space, "separate")
    else:
        promise(space)


def test_choices_stand_side_by_side_with_the_names_of_their_parts() -> None:
    names = [c.name for c in BOTH.choices()]
    assert names[:2] == ["arch.edge_1_0", "arch.edge_2_0"]
    assert names[6:] == ["recipe.optimizer", "recipe.lr", "recipe.epochs", "recipe.smoothing"]
    assert BOTH.choices()[7].when == ("recipe.optimizer", ("sgd",))


def test_sizes_and_classes_multiply() -> None:
    recipes = (2 + 1) * 2 * 2
    assert size(BOTH) == 5**6 * recipes
    assert BOTH.classes() == 5044 * recipes
    narrow = restrict(BOTH, {"recipe.optimizer": ["sgd"], "arch.edge_1_0": ["none"]})
    assert size(narrow) == 5**5 * 8
    inside = product(arch=restrict(CELL, {"edge_1_0": ["none"]}), recipe=restrict(RECIPES, {"epochs": [2]}))
    assert size(inside) == 5**5 * 6
    assert inside.classes() is None, "of a restricted space it is not known"


def test_the_network_is_the_first_part_s_and_the_recipe_the_second_s() -> None:
    arch = (3, 2, 1, 1, 2, 1, 1, -1, 1, 0)
    torch.manual_seed(0)
    mine = BOTH.build(arch, promises.SHAPE).state_dict()
    torch.manual_seed(0)
    theirs = CELL.build(arch[:6], promises.SHAPE).state_dict()
    assert all(torch.equal(mine[n], theirs[n]) for n in theirs)
    recipe: Any = BOTH.recipe(arch, SgdCosine())
    assert (recipe.method, recipe.lr, recipe.epochs, recipe.smoothing) == ("adamw", 0.01, 2, 0.0)
    assert restrict(BOTH, {"recipe.epochs": [2]}).recipe(arch, SgdCosine()) == recipe


def test_the_recipe_may_stand_behind_other_parts() -> None:
    space = product(arch=CELL, quant=Quant(), recipe=RECIPES)
    recipe: Any = space.recipe((3, 2, 1, 1, 2, 1, 0, 0, 1, -1, 1, 0), SgdCosine())
    assert (recipe.method, recipe.lr, recipe.epochs, recipe.smoothing) == ("adamw", 0.01, 2, 0.0)


def test_equal_networks_are_equal_only_with_equal_recipes() -> None:
    skip, twin = (1, 0, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0)
    assert BOTH.canonical((*skip, 0, 0, 0, 0)) == BOTH.canonical((*twin, 0, 0, 0, 0))
    assert BOTH.canonical((*skip, 0, 0, 0, 0)) != BOTH.canonical((*twin, 0, 0, 1, 0))


def test_a_text_names_the_parts_and_is_read_back() -> None:
    for space in SPACES[:2]:
        for arch in tuples(sample(space, 20, np.random.default_rng(0))):
            assert space.read(space.text(arch)) == arch
    text = "arch: |none~0|+|none~0|none~1|+|none~0|none~1|none~2|; recipe: optimizer=sgd lr=0.3 epochs=1 "
    assert parse(BOTH, f"{text}smoothing=0.1") == (0,) * 6 + (0, 1, 0, 1)
    assert BOTH.read("arch: nonsense; recipe: optimizer=sgd") is None


def test_what_is_added_to_the_network_is_told_in_words() -> None:
    assert BOTH.told((*NETS[0], 1, -1, 0, 1)) == (
        "recipe: method adamw, lr 0.01, schedule cosine, epochs 1, smoothing 0.1"
    )
    bits = Quant(groups=2, weights=(2, 4), activations=(8,))
    both = product(arch=CELL, quant=bits, recipe=Training(("sgd",), (0.1,), (), (), (), (1, 2), (), ()))
    first = "quant: part 1 of 2: weights 2 bits, inputs 8 bits; part 2 of 2: weights 4 bits, inputs 8 bits; "
    assert restrict(both, {"recipe.epochs": [2]}).told((*NETS[0], 0, 1, 1)).splitlines() == [
        f"{first}first and last layer: 8 bits",
        "recipe: method sgd, lr 0.1, epochs 2",
    ]
    assert Quant(ends=0, weights=()).told((1,)) == "weights 32 bits, inputs 8 bits"


def test_a_product_folds_or_trains_where_one_of_its_parts_does() -> None:
    assert BOTH.folds(), "the cell folds, the recipe does not"
    assert not product(net=STAGES, recipe=RECIPES).folds()
    assert "equal networks are drawn apart" in BOTH.sampling()
    assert BOTH.trains()
    assert not product(arch=CELL, quant=Quant()).trains()


def test_json_goes_through_both_doors_and_names_may_be_left_out() -> None:
    for space in (*SPACES, product(arch=SPACES[0].parts[0], recipe=restrict(RECIPES, {"epochs": [2]}))):  # type: ignore[attr-defined]
        data = loads(dumps(to_json(space)))
        assert from_json("space", data) == space
        arch = tuples(sample(space, 1, np.random.default_rng(1)))[0]
        assert arch_from_json(loads(dumps(arch_to_json(space, arch)))) == (space, arch)
    bare = from_json("space", {"name": "product", "knobs": {"parts": ["nasbench201", "training"]}})
    assert bare == Product((Nasbench201(), Training()), ("arch", "training"))
    assert to_json(bare)["knobs"]["names"] == ["arch", "training"]


def test_restricted_parts_are_named_and_checked_by_what_is_behind_them() -> None:
    few, cells = restrict(RECIPES, {"epochs": [2]}), restrict(CELL, {"edge_1_0": ["none"]})
    assert Product((cells, few)).names == ("arch", "training")
    assert Product((cells, restrict(few, {"smoothing": [0.1]}))).names == ("arch", "training")
    for parts, says in (
        ((cells, cells), r"^parts\[1\]: nasbench201 changes neither"),
        ((few, cells), r"^parts\[0\]: training makes no network"),
        ((cells, few, RECIPES), r"^parts\[2\]: training is added twice"),
        ((cells, few, Quant(), few), r"^parts\[3\]: training is added twice"),
        ((restrict(BOTH, {"recipe.epochs": [2]}), few), r"^parts\[0\]: a product inside a product"),
        ((cells, restrict(BOTH, {"recipe.epochs": [2]})), r"^parts\[1\]: a product inside a product"),
    ):
        with pytest.raises(BadInput, match=says):
            Product(parts)


def test_a_text_that_says_a_choice_twice_is_not_read() -> None:
    arch = (0,) * 6 + (0, 0, 0, 0)
    text = BOTH.text(arch)
    assert BOTH.read(text) == arch
    assert BOTH.read(text + " epochs=2") is None
    assert BOTH.read(text.replace("epochs=1", "epochs=3")) is None


def test_a_product_s_supernet_owns_what_the_first_part_s_owns() -> None:
    net = BOTH.supernet(promises.SHAPE, "separate", BOTH.choices())
    mine = net.own("arch.edge_1_0")
    assert mine
    assert [id(p) for p in mine] == [id(p) for p in net.inner.own("edge_1_0")]  # type: ignore[attr-defined]
    part = net.own("arch.edge_1_0", 3)
    assert 0 < len(part) < len(mine)
    assert net.own("recipe.lr") == []
    narrow = restrict(BOTH, {"arch.edge_1_0": ["none", "nor_conv_3x3"], "recipe.epochs": [2]})
    few = BOTH.supernet(promises.SHAPE, "separate", narrow.choices())
    assert len(few.own("arch.edge_1_0")) < len(mine), "closed options have no weights"
    assert len(few.own("arch.edge_2_0")) == len(net.own("arch.edge_2_0"))


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({}, r"parts: missing"),
        ({"parts": []}, r"parts: 0 given; a space and something added to it are the least"),
        ({"parts": ["nasbench201"]}, r"parts: 1 given"),
        ({"parts": ["training", "nasbench201"]}, r"parts\[0\]: training makes no network"),
        ({"parts": ["nasbench201", "stages"]}, r"parts\[1\]: stages changes neither a network nor how it is"),
        ({"parts": ["nasbench201", "training", "training"]}, r"parts\[2\]: training is added twice"),
        ({"parts": ["nasbench201", "nope"]}, r"parts\[1\]: no space called 'nope'"),
        ({"parts": ["nasbench201", "training"], "names": ["a"]}, r"names: 1 for 2 parts"),
        ({"parts": ["nasbench201", "training"], "names": ["a", "a"]}, r"names: a name stands twice"),
        ({"parts": ["nasbench201", "training"], "names": ["a", "b.c"]}, r"names\[1\]: use small letters"),
        (
            {"parts": ["nasbench201", {"name": "training", "knobs": {"epochs": [0]}}]},
            r"parts\[1\]\.knobs\.epochs\[0\]: 0 is below 1",
        ),
        (
            {"parts": [{"name": "product", "knobs": {"parts": ["nasbench201", "training"]}}, "training"]},
            r"parts\[0\]: a product inside a product",
        ),
    ],
)
def test_what_makes_no_product_is_refused_by_its_path(knobs: Any, says: str) -> None:
    with pytest.raises(BadInput, match=rf"^space\.knobs\.{says}"):
        from_json("space", {"name": "product", "knobs": knobs})


def test_a_product_of_huge_spaces_is_counted_exactly() -> None:
    rows = tuple(
        Stage(("conv", "mbconv"), (8, 16), tuple(range(1, 33)), (2,), (3, 5), (2, 4), per="layer")
        for _ in range(15)
    )
    huge = product(arch=Stages(rows), recipe=RECIPES)
    assert size(huge) == size(Stages(rows)) * 12 > 10**300
    arch = tuples(sample(huge, 1, np.random.default_rng(0)))[0]
    assert len(neighbors(huge, arch)) > 30
    assert from_json("space", loads(dumps(to_json(huge)))) == huge


def problem(space: Any = BOTH, epochs: int = 2, **more: Any) -> Problem:
    by = more.pop("evaluator", Trained())
    return Problem(space, Digits(train_images=128), SgdCosine(epochs=epochs, batch=32), by, **more)


def judged(p: Problem, archs: list[tuple[int, ...]]) -> dict[tuple[int, ...], Tried]:
    return {e.arch: e for e in p.evaluate(archs) if isinstance(e, Tried)}


NETS = [(3, 2, 1, 1, 2, 1), (2, 0, 1, 0, 2, 1), (4, 4, 4, 4, 4, 4)]
WAYS = [(0, 0, 1, 0), (0, 1, 1, 0), (1, -1, 0, 1), (1, -1, 1, 0)]
ARCHS = [net + way for way in WAYS for net in NETS]


def test_networks_of_equal_recipes_are_trained_as_one_program() -> None:
    events = list(problem().evaluate(ARCHS))
    phases = {e.phase for e in events if isinstance(e, Step)}
    assert len(phases) == len(WAYS)
    assert all(phase.endswith("and 2 more") for phase in phases)
    assert [e.arch for e in events if isinstance(e, Tried)] == ARCHS


def test_what_is_trained_together_is_what_each_recipe_trains_alone() -> None:
    found = judged(problem(), ARCHS)
    for arch in (ARCHS[0], ARCHS[4], ARCHS[6], ARCHS[11]):
        p = problem()
        own = p.space.recipe(arch, p.recipe)
        losses = [s.values["loss"] for s in train(p, fresh(p, p.space.canonical(arch)), own, f"alone {arch}")]
        assert found[arch].curve["loss"] == pytest.approx(losses, rel=5e-3)
        assert found[arch].spent["epochs"] == own.epochs == len(losses)
    assert found[ARCHS[0]].curve["loss"] != found[ARCHS[3]].curve["loss"], "another learning rate"


def test_an_answer_does_not_depend_on_who_else_is_trained() -> None:
    together = judged(problem(), ARCHS)
    for arch in (ARCHS[1], ARCHS[7], ARCHS[10]):
        alone = judged(problem(evaluator=Trained(chunk=1)), [arch])[arch]
        assert alone.curve == together[arch].curve


@pytest.mark.parametrize("method", ["adamw", "nadam", "radam", "rmsprop"])
def test_a_longer_training_by_any_optimizer_goes_on_from_a_shorter_one_to_the_bit(method: str) -> None:
    space = product(arch=CELL, recipe=Training((method,), (), (0.01,), ("cosine",), (), (3, 4), (), ()))
    memo, archs = Memo(), [(*net, way) for net in NETS[:2] for way in (0, 1)]
    judged(problem(space, memo=memo, evaluator=Trained().at(2)), archs)
    then = judged(problem(space, memo=memo, evaluator=Trained().at(3)), archs)
    straight = judged(problem(space, evaluator=Trained().at(3)), archs)
    assert [then[a].curve for a in archs] == [straight[a].curve for a in archs]
    assert [then[a].spent["epochs"] for a in archs] == [1] * 4


def test_a_judge_of_fewer_epochs_stops_each_recipe_there_or_at_its_end() -> None:
    space = product(arch=CELL, recipe=Training(("sgd",), (0.1,), (), (), (), (1, 3, 5), (), ()))
    archs = [(*NETS[0], i) for i in range(3)]
    found = judged(problem(space, evaluator=Trained().at(3)), archs)
    assert [found[a].spent["epochs"] for a in archs] == [1, 3, 3]


def test_equal_networks_with_equal_recipes_are_trained_once() -> None:
    skip, twin = (1, 0, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0)
    same, other = (*twin, *WAYS[0]), (*twin, *WAYS[1])
    found = judged(problem(), [(*skip, *WAYS[0]), same, other])
    assert found[same].spent["epochs"] == 0
    assert found[other].spent["epochs"] == 2


def test_the_protocol_says_that_each_has_its_own_recipe() -> None:
    p = problem()
    assert "each by its own recipe" in p.evaluator.protocol(p).source
    plain = replace(p, space=CELL)
    assert "own recipe" not in plain.evaluator.protocol(plain).source


def test_a_whole_search_runs_over_a_product() -> None:
    from nascore.strategies.regularized_evolution import RegularizedEvolution

    p = problem(
        space=restrict(BOTH, {"recipe.epochs": [1]}), budget=replace(problem().budget, evaluations=12)
    )
    events = list(search(RegularizedEvolution(population=6), p))
    tried = [e for e in events if isinstance(e, Tried)]
    assert len(tried) == 12
    assert not [t.failed for t in tried if t.failed]
    assert len({t.arch[6:] for t in tried}) > 1


def test_toy_parts_keep_their_rules() -> None:
    space = product(toy=ToySpace(3, 2), recipe=RECIPES)
    assert space.ruled()
    bad = (0,) * 6 + (0, 0, 0, 0)
    assert space.invalid(bad) == "toy: the first 2 choices are all o0"
    assert "what is invalid is drawn again" in space.sampling()
    assert not [a for a in tuples(sample(space, 300, np.random.default_rng(0))) if space.invalid(a)]
    assert key(space, bad) != key(BOTH, bad)
    assert json.loads(dumps(to_json(RECIPES)))["name"] == "training"
    assert len(enumerate_archs(space)) == 3**6 * 12
