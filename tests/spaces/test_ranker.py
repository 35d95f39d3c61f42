"""Ranking networks: what every space promises, exact counts, grids by hand, padding that is not read."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nascore.errors import BadInput
from nascore.space import from_choices
from nascore.spaces import READING
from nascore.spaces.ranker import Ranker
from nascore.spaces.ranker_net import EXACT, Interaction, histogram, kernels
from nascore.task import CIFAR, Shape
from tests.contracts import test_spaces as promises

torch.set_num_threads(1)
SHAPE = Shape(
    (("query", (4, 30)), ("documents", (10, 9)), ("weights", (4,)), ("bm25", (10,))), (("score", 10),)
)
SPACE = Ranker(widths=(4, 6), vectors=(3,), bins=(5,))
ALONE = [
    f for n, f in vars(promises).items() if n.startswith("test_") and "sharing" not in f.__code__.co_varnames
]


def texts(n: int = 8) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return {
        "query": torch.randint(2, 30, (n, 4), generator=rng),
        "documents": torch.randint(2, 30, (n, 10, 9), generator=rng),
        "weights": torch.rand(n, 4, generator=rng),
        "bm25": torch.rand(n, 10, generator=rng),
    }


@pytest.mark.parametrize("promise", ALONE, ids=lambda f: f.__name__)
def test_it_keeps_what_every_space_promises(promise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promises, "SHAPE", SHAPE)
    monkeypatch.setattr(promises, "images", texts)
    promise(SPACE)


def test_parameters_are_those_of_the_built_network() -> None:
    for arch in promises.some(SPACE, 60):
        net = SPACE.build(arch, SHAPE)
        assert sum(p.numel() for p in net.parameters()) == SPACE.graph(arch, SHAPE).params


def test_multiply_adds_worked_by_hand() -> None:
    kinds = {"form": "hybrid", "width": 4, "bm25": "with", "representation.encoder": "mean"}
    more = {"representation.towers": "shared", "representation.vector": 3, "interaction.match": "kernels"}
    last = {"interaction.bins": 5, "interaction.words": "alike"}
    towers = 11 * (4 * 3 + 3) + 10 * 3
    grid = 10 * 4 * 9 * 4 + 10 * (5 + 1)
    arch = from_choices(SPACE, {**kinds, **more, **last})
    assert SPACE.graph(arch, SHAPE).flops == towers + grid + 10


def test_a_histogram_counts_each_word_once_and_equal_words_apart() -> None:
    grid = torch.tensor([[[[1.0, 1 - EXACT / 2, 0.9, -1.0, 0.1, 0.5]]]])
    both = torch.tensor([[[[True, True, True, True, True, False]]]])
    found = histogram(grid, both, 5).expm1()
    assert found.flatten().round().tolist() == [1, 0, 1, 1, 2]


def test_a_kernel_sees_what_lies_near_its_center() -> None:
    grid, both = torch.tensor([[[[0.5, 1.0, 0.5]]]]), torch.ones(1, 1, 1, 3, dtype=torch.bool)
    found = kernels(grid, both, torch.tensor([0.5, 1.0, -0.5]), torch.tensor([0.1, EXACT, 0.1]))
    assert (found / 0.1).exp().flatten().tolist() == pytest.approx([2.0, 1.0, 1e-10], abs=1e-4)


@pytest.mark.parametrize("match", ["histogram", "kernels"])
def test_rare_words_count_more_and_missing_ones_nothing(match: str) -> None:
    taken = {"interaction.match": match, "interaction.bins": 5, "interaction.words": "by_rarity"}
    way = Interaction(taken)
    there = torch.tensor([[True, True, False]])
    found = way.weights(there, torch.tensor([[1.0, 5.0, 9.0]]))
    assert found.sum().item() == pytest.approx(1)
    assert found[0, 1] > found[0, 0] > found[0, 2] == 0


def test_what_stands_behind_the_end_is_not_read() -> None:
    for arch in promises.some(SPACE, 40):
        taken = {c.name: c.options[i] for c, i in zip(SPACE.choices(), arch, strict=True) if i >= 0}
        if taken.get("interaction.match") == "pyramid":
            continue  # pools over the whole grid
        net, x = SPACE.build(arch, SHAPE).eval(), texts(3)
        x["documents"][..., 6:] = 0
        longer = {**x, "documents": torch.cat([x["documents"], torch.zeros_like(x["documents"])], -1)}
        torch.testing.assert_close(net(x), net(longer), rtol=0, atol=1e-5)


def test_the_order_of_candidates_does_not_matter() -> None:
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    for arch in promises.some(SPACE, 20):
        net, x = SPACE.build(arch, SHAPE).eval(), texts(3)
        turned = {**x, "documents": x["documents"][:, order], "bm25": x["bm25"][:, order]}
        torch.testing.assert_close(net(turned), net(x)[:, order], rtol=0, atol=1e-5)


def test_images_are_refused_in_words() -> None:
    with pytest.raises(BadInput, match="ranks documents"):
        SPACE.build(promises.some(SPACE, 1)[0], CIFAR)
    assert READING["ranker"] is Ranker
