"""Text classifiers: what every space promises, exact counts, padding that is not read."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nascore.errors import BadInput
from nascore.runs.spec import from_document
from nascore.space import from_choices, size
from nascore.spaces import READING
from nascore.spaces.reader import Reader
from nascore.task import CIFAR, Shape
from tests.contracts import test_spaces as promises

torch.set_num_threads(1)
SHAPES = {
    "words": Shape((("words", (12, 40)),), (("class", 10),)),
    "vectors": Shape((("vectors", (12, 6)),), (("class", 10),)),
}
SPACE = Reader(widths=(4, 8), kernels=(3, 5), channels=(4, 6))
PROMISES = [f for n, f in vars(promises).items() if n.startswith("test_")]
ALONE = [f for f in PROMISES if "sharing" not in f.__code__.co_varnames]
LARGE = {
    "width": 8, "encoder": "both", "conv.kernel": 5, "conv.channels": 6, "hidden": 32, "dropout": 0.25
}  # fmt: skip


def texts(given: str, n: int = 8) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    if given == "words":
        return torch.randint(1, 40, (n, 12), generator=rng)
    return torch.randn(n, 12, 6, generator=rng)


@pytest.mark.parametrize("given", SHAPES)
@pytest.mark.parametrize("promise", ALONE, ids=lambda f: f.__name__)
def test_it_keeps_what_every_space_promises(
    promise: Any, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promises, "SHAPE", SHAPES[given])
    monkeypatch.setattr(promises, "images", lambda n=8: texts(given, n))
    promise(SPACE)


@pytest.mark.parametrize("given", SHAPES)
def test_parameters_are_those_of_the_built_network(given: str) -> None:
    for arch in promises.some(SPACE, 30):
        net = SPACE.build(arch, SHAPES[given])
        assert sum(p.numel() for p in net.parameters()) == SPACE.graph(arch, SHAPES[given]).params


def test_multiply_adds_worked_by_hand() -> None:
    arch = from_choices(SPACE, LARGE)
    head = (8 + 6) * 32 + 32 + 32 * 10 + 10
    assert SPACE.graph(arch, SHAPES["words"]).flops == 8 * 6 * 5 * 12 + head
    assert SPACE.graph(arch, SHAPES["vectors"]).flops == 8 * 6 * 5 * 12 + head + 6 * 8 * 12


@pytest.mark.parametrize("given", SHAPES)
def test_what_stands_behind_the_end_of_a_text_is_not_read(given: str) -> None:
    net = SPACE.build(from_choices(SPACE, {**LARGE, "conv.kernel": 3}), SHAPES[given]).eval()
    x = texts(given, 4)
    x[:, 7:] = 0
    longer = torch.cat([x, torch.zeros_like(x)], 1)
    torch.testing.assert_close(net(x), net(longer), rtol=0, atol=1e-6)


def test_inactive_choices_do_not_count() -> None:
    assert size(SPACE) == 2 * (1 + 2 * 4) * 3 * 3


def test_images_are_refused_in_words() -> None:
    arch = promises.some(SPACE, 1)[0]
    with pytest.raises(BadInput, match="reads words"):
        SPACE.build(arch, CIFAR)
    with pytest.raises(BadInput, match="cannot read"):
        from_document({"v": 1, "space": "reader", "task": "digits", "budget": {"evaluations": 1}})
    with pytest.raises(BadInput, match="cannot read"):
        from_document({"v": 1, "space": "nasbench201", "task": "text", "budget": {"evaluations": 1}})


def test_an_even_kernel_keeps_the_length() -> None:
    space = Reader(kernels=(4,))
    arch = from_choices(space, {**LARGE, "width": 16, "conv.kernel": 4, "conv.channels": 16})
    assert space.build(arch, SHAPES["words"])(texts("words")).shape == (8, 10)


def test_it_stands_among_those_that_read() -> None:
    assert READING["reader"] is Reader
