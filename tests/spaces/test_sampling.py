"""Samples of every kind of space come with the chances that the space tells of, and of no other archs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from nascore.product import product
from nascore.space import enumerate_archs, restrict, sample, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.conv_macro import ConvMacro
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.pooling import Pooling
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.spaces.stages import Stage, Stages
from nascore.spaces.training import Training

OPS = (("none", "skip_connect", "sep_conv_3x3"),)
FULL = tuple((s, t) for t in range(1, 4) for s in range(t))
SQUARE = Stages((Stage(("conv", "mbconv"), (4, 8), (1, 2), kernels=(3, 5), per="layer"),), stem=4)
RECIPES = Training(("sgd", "adamw"), (0.1, 0.3), (0.01,), (), (), (1, 2), smoothings=())
NARROW = {f"layer{i}.channels": [w] for i, w in ((1, 8), (2, 16), (3, 32))}
EVEN = {
    "a drawn cell": Cell(3, ops=OPS),
    "two inputs": Cell(4, ((0, 2), (1, 2), (0, 3), (2, 3)), OPS, inputs=2),
    "operations on nodes": Cell(4, FULL, OPS, ops_on="nodes"),
    "widths": restrict(NatsSize(), {"cell3.channels": [8, 16], "stem.channels": [8], "cell2.channels": [8]}),
    "widths and kernels": restrict(ConvMacro(), NARROW),
    "positions": Pooling(),
}  # fmt: skip
RULED = {
    "optional edges": Cell(4, FULL, OPS, optional=True, most_edges=4, ops_on="nodes"),
    "edges that are kept": Cell(4, FULL, OPS, keep=1),
}
CONDITIONAL = {
    "stages": SQUARE,
    "pruned": restrict(PrunedResnet(depth=14, channels=4),
                       {c: [4] for c in ("stem.width", "stage1.block1.inner", "stage1.block1.outer")}
                       | {f"stage{s}.block{b}.{k}": [w] for s, w in ((2, 8), (3, 16)) for b in (1, 2)
                          for k in ("inner", "outer")}),
    "a product with recipes": product(arch=Cell(2, ((0, 1),), OPS), recipe=RECIPES),
}  # fmt: skip


def fits(space: Any, draws: int = 20_000) -> float:
    """The p-value that valid archs come as often as one over the product of their open options says."""
    valid = [a for a in tuples(enumerate_archs(space)) if not space.invalid(a)]
    opens = [len(c.open) for c in space.choices()]
    chance = np.array([1 / np.prod([n for n, i in zip(opens, a, strict=True) if i >= 0]) for a in valid])
    found = Counter(tuples(sample(space, draws, np.random.default_rng(1))))
    assert set(found) <= set(valid)
    assert 1 < len(valid) < 4000
    return float(chisquare([found[a] for a in valid], chance / chance.sum() * draws).pvalue)


def named(spaces: dict[str, Any]) -> list[Any]:
    return [pytest.param(s, id=n.replace(" ", "-")) for n, s in spaces.items()]


@pytest.mark.parametrize("space", named(EVEN))
def test_where_every_arch_counts_alike_it_says_so_and_they_come_alike(space: Any) -> None:
    assert not any(c.when for c in space.choices())
    assert "so every" in space.sampling()
    assert "equally likely" in space.sampling()
    assert fits(space) > 0.01


@pytest.mark.parametrize("space", named(RULED))
def test_where_some_are_invalid_they_are_drawn_again(space: Any) -> None:
    assert any(space.invalid(a) for a in tuples(enumerate_archs(space)))
    assert "what is invalid is drawn again" in space.sampling()
    assert fits(space) > 0.01


@pytest.mark.parametrize("space", named(CONDITIONAL))
def test_where_choices_depend_on_others_the_chances_are_those_of_the_words(space: Any) -> None:
    assert any(c.when for c in space.choices())
    assert "the rarer it is, in proportion to one over the product" in space.sampling()
    assert fits(space) > 0.01
