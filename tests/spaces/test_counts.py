"""What is counted without building is what torch has and computes, for every space of the table."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascore.task import Shape
from tests.contracts.test_spaces import EVERY, SHAPE, some

SHAPES = (SHAPE, Shape((("image", (3, 9, 9)),), (("class", 7),)))


def flops_of(net: nn.Module, shape: Shape) -> int:
    """Multiply-adds of one example by what each convolution and linear layer gave; biases of the latter."""
    found = 0

    def see(module: nn.Module, _: object, out: Tensor) -> None:
        nonlocal found
        if isinstance(module, nn.Conv2d):
            found += module.weight[0].numel() * out[0].numel()
        else:
            found += module.weight.numel() + (0 if module.bias is None else module.bias.numel())

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(see)
    net.eval()(torch.zeros(1, *shape.image))
    return found


@pytest.mark.parametrize("shape", SHAPES, ids=["8x8", "9x9"])
@pytest.mark.parametrize("space", EVERY)
def test_costs_are_those_of_the_built_network(space: Any, shape: Shape) -> None:
    checked = 0
    for arch in some(space, 200):
        graph = space.graph(arch, shape)
        if checked == 4:
            break
        if any(part.dead and part.params for part in (*graph.edges, *graph.nodes)):
            continue  # dead parts are counted as published, and not built
        net = space.build(arch, shape)
        assert sum(p.numel() for p in net.parameters() if p.requires_grad) == graph.params
        checked += 1
    assert checked > 1


@pytest.mark.parametrize("space", [p for p in EVERY if p.id in ("nats_size", "pruned_resnet", "pooling")])
def test_multiply_adds_are_those_of_a_call(space: Any) -> None:
    for arch in some(space, 4):
        assert flops_of(space.build(arch, SHAPE), SHAPE) == space.graph(arch, SHAPE).flops
