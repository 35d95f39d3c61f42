"""What every space promises, tried on each entry of the table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.errors import NotSupported
from nascore.gates import Softmax, one_hot
from nascore.space import ENUMERABLE, array, key, mutate, neighbors, parse, sample, settle, size, tuples
from nascore.spaces import SPACES
from nascore.spaces.stages import Stage
from nascore.task import Shape

SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
TINY = {"cells": 1, "channels": 4, "stages": 2, "stem_stride": 2}
SMALL: dict[str, dict[str, Any]] = {
    "conv_macro": {"last": 8},
    "darts": TINY,
    "hypercuboid": {"layers": 2, "widths": (2, 4, 8), "last": 8},
    "nasbench101": {**TINY, "channels": 8},
    "nasbench201": TINY,
    "nasnet": {**TINY, "blocks": 2},
    "mobilenet": {"width": 0.125, "stages_used": 1, "depths": (1, 2), "stem_stride": 2},
    "pooling": {"layers": 5, "channels": 4},
    "pruned_resnet": {"depth": 14, "channels": 4},
    "stages": {
        "stages": (
            Stage(("conv", "mbconv"), (4, 8), (1, 2), (2,), (3, 5), (1, 2), per="layer"),
            Stage(("basic", "attention"), (8, 16), (1, 2), (2,)),
        ),
        "stem": 4,
    },
}
EVERY = [pytest.param(cls(**SMALL.get(name, {})), id=name) for name, cls in SPACES.items()]


def some(space: Any, n: int = 12) -> list[tuple[int, ...]]:
    return tuples(sample(space, n, np.random.default_rng(0)))


def images(n: int = 8) -> torch.Tensor:
    return torch.randn(n, *SHAPE.image, generator=torch.Generator().manual_seed(0))


def supernet(space: Any, sharing: Any = "separate") -> Any:
    torch.manual_seed(0)
    try:
        return space.supernet(SHAPE, sharing, space.choices())
    except NotSupported as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("space", EVERY)
def test_sampled_archs_are_valid_and_settled(space: Any) -> None:
    archs = some(space)
    assert [space.invalid(a) for a in archs] == [""] * len(archs)
    assert np.array_equal(settle(space, array(archs, space)), array(archs, space))


@pytest.mark.parametrize("space", EVERY)
def test_every_sampled_arch_builds_and_trains_one_step(space: Any) -> None:
    for arch in some(space):
        net = space.build(arch, SHAPE).train()
        before = [p.detach().clone() for p in net.parameters()]
        loss = torch.nn.functional.cross_entropy(net(images()), torch.arange(8))
        loss.backward()
        torch.optim.SGD(net.parameters(), 0.1).step()
        assert torch.isfinite(loss)
        assert any(not torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize("sharing", ["separate", "entangled"])
@pytest.mark.parametrize("space", EVERY)
def test_an_extracted_network_equals_the_one_hot_view(space: Any, sharing: str) -> None:
    net = supernet(space, sharing)
    net.at(Softmax(space)())(images())
    for arch in some(space):
        alone = net.eval().extract(arch)
        torch.testing.assert_close(alone(images()), net(images(), one_hot(space, arch)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("sharing", ["separate", "entangled"])
@pytest.mark.parametrize("space", EVERY)
def test_an_extracted_network_equals_the_one_hot_view_in_training(space: Any, sharing: str) -> None:
    net = supernet(space, sharing).train()
    for arch in some(space, 3):
        alone, outputs = net.extract(arch), []
        for view in (alone, net.at(one_hot(space, arch))):
            torch.manual_seed(0)  # where there is dropout
            outputs.append(view(images()))
        torch.testing.assert_close(*outputs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("sharing", ["separate", "entangled"])
@pytest.mark.parametrize("space", EVERY)
def test_a_gradient_reaches_the_listed_options_only(space: Any, sharing: str) -> None:
    net, arch = supernet(space, sharing), some(space, 1)[0]
    net.at(one_hot(space, arch))(images()).square().sum().backward()
    taken = one_hot(space, arch)
    for choice in space.choices():
        for i in set(choice.open) - set(taken[choice.name].options):
            assert all(p.grad is None for p in net.own(choice.name, i))


@pytest.mark.parametrize("space", EVERY)
def test_a_mutation_is_a_neighbor(space: Any) -> None:
    archs = some(space)
    for arch, new in zip(
        archs, tuples(mutate(space, array(archs, space), np.random.default_rng(1))), strict=True
    ):
        assert new in [a for _, a in neighbors(space, arch)]


@pytest.mark.parametrize("space", EVERY)
def test_costs_of_a_population_are_those_of_each_graph(space: Any) -> None:
    archs = some(space)
    costs = space.costs(array(archs, space), SHAPE)
    for i, arch in enumerate(archs):
        graph = space.graph(arch, SHAPE)
        assert (costs["params"][i], costs["flops"][i]) == (graph.params, graph.flops)


@pytest.mark.parametrize("space", EVERY)
def test_costs_of_no_archs_are_empty(space: Any) -> None:
    assert all(len(v) == 0 for v in space.costs(array([], space), SHAPE).values())


@pytest.mark.parametrize("space", EVERY)
def test_a_graph_is_whole(space: Any) -> None:
    for arch in some(space, 5):
        graph = space.graph(arch, SHAPE)
        ids = {n.id for n in graph.nodes}
        assert {e.source for e in graph.edges} | {e.target for e in graph.edges} <= ids
        assert {e.choice for e in graph.edges} - {""} <= {c.name for c in space.choices()}
        assert graph.blocks


@pytest.mark.parametrize("space", EVERY)
def test_the_canonical_arch_is_a_valid_fixed_point(space: Any) -> None:
    for arch in some(space):
        folded = space.canonical(arch)
        assert space.canonical(folded) == folded
        assert space.invalid(folded) == ""


@pytest.mark.parametrize("space", EVERY)
def test_there_are_at_most_as_many_classes_as_archs(space: Any) -> None:
    classes = space.classes()
    assert classes is None or 1 <= classes <= size(space)


@pytest.mark.parametrize("space", EVERY)
def test_an_arch_is_found_by_key_and_by_its_text(space: Any) -> None:
    for arch in some(space):
        if size(space) <= ENUMERABLE:
            assert parse(space, key(space, arch)) == arch
        assert space.read(space.text(arch)) in (arch, None)


@pytest.mark.parametrize("space", EVERY)
def test_a_program_of_many_networks_gives_each_ones_logits(space: Any) -> None:
    archs = some(space, 6)
    program = space.batched(archs, SHAPE)
    if program is None:
        pytest.skip("this space has no program of many networks")
    nets = [space.build(a, SHAPE).train() for a in archs]
    for i, net in enumerate(nets):
        program.load(i, net.state_dict())
    program.train()
    torch.testing.assert_close(program(images()), torch.stack([n(images()) for n in nets]), rtol=0, atol=1e-5)
