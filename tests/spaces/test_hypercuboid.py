"""The HyperCuboid space: its networks as counted, its size, and a search through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Chosen, Step
from nascore.problem import Memo, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import from_choices, size
from nascore.spaces.hypercuboid import BLOCKS, Hypercuboid
from nascore.strategies.sharp_darts import SharpDarts
from nascore.task import Shape
from nascore.tasks.images import Digits
from tests.toys import untimed

torch.set_num_threads(1)
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
SMALL = Hypercuboid(2, (4, 8), ("sep_conv_3x3", "max_pool_3x3"), 8)


def test_its_size_is_that_of_widths_and_operations() -> None:
    assert size(Hypercuboid(2, (8, 16, 32))) == Hypercuboid(2, (8, 16, 32)).classes() == 3**3 * 2**2
    assert size(Hypercuboid()) == 4**5 * 2**4


@pytest.mark.parametrize("op", BLOCKS)
def test_every_operation_is_counted_as_it_is_built(op: str) -> None:
    space = Hypercuboid(2, (4, 8), BLOCKS, 12)
    taken = {"stem.width": 4, "layer1.width": 8, "layer1.op": op, "layer2.width": 4, "layer2.op": op}
    arch = from_choices(space, taken)
    net = space.build(arch, SHAPE).eval()
    sizes: list[tuple[int, ...]] = []
    for layer in net.layers:  # type: ignore[union-attr]
        layer.register_forward_hook(lambda m, x, y: sizes.append(tuple(y.shape[1:])))
    net(torch.zeros(2, 1, 8, 8))
    assert sizes == [(8, 8, 8), (4, 4, 4)]
    graph = space.graph(arch, SHAPE)
    assert graph.params == sum(p.numel() for p in net.parameters())
    flops = []
    for m in net.modules():
        if isinstance(m, torch.nn.Conv2d | torch.nn.Linear):
            m.register_forward_hook(lambda m, x, y: flops.append(_multiply_adds(m, y)))
    net(torch.zeros(1, 1, 8, 8))
    assert graph.flops == sum(flops)


def _multiply_adds(m: Any, y: torch.Tensor) -> int:
    area = y[0, 0].numel() if y.dim() == 4 else 1
    return m.weight.numel() * area + (0 if m.bias is None else m.bias.numel())


def test_bad_knobs_are_refused() -> None:
    with pytest.raises(BadInput, match="odd"):
        Hypercuboid(3)
    with pytest.raises(BadInput, match="widths"):
        Hypercuboid(2, (4, 4))
    with pytest.raises(BadInput, match="ops"):
        Hypercuboid(2, (4, 8), ())


def problem(memo: Memo) -> Problem:
    return Problem(SMALL, Digits(train_images=48), SgdCosine(epochs=1, batch=16), Trained(), memo=memo)


def test_sharp_darts_weighs_whole_layers_and_resumes_to_the_same_path(tmp_path: Path) -> None:
    whole = list(search(SharpDarts(epochs=2), problem(Memo(tmp_path / "one"))))
    steps = [e for e in whole if isinstance(e, Step) and e.phase == "search"]
    for step in steps:
        for choice in SMALL.choices():
            told = [step.values[f"gate/{choice.name}/{o}"] for o in choice.options]
            assert sum(told) == pytest.approx(1, abs=1e-5)
    assert steps[0].values != steps[1].values
    assert set(Memo(tmp_path / "one").load("search")["kept"][2]) >= {"alphas.layer1", "alphas.layer2"}
    first = search(SharpDarts(epochs=2), problem(Memo(tmp_path / "two")))
    said, heard = [next(first), next(first)], whole[:2]
    assert [untimed(e) if isinstance(e, Step) else e for e in said] == [
        untimed(e) if isinstance(e, Step) else e for e in heard
    ]
    first.close()
    again = list(search(SharpDarts(epochs=2), problem(Memo(tmp_path / "two"))))
    assert isinstance(whole[-1], Chosen)
    assert again[-1] == whole[-1]
