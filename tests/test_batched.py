from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nascore.batched import Batched, pool, pool_matrix, rows_like, supports
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch, sample, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR, Shape

torch.set_num_threads(1)
DIGITS = Shape((("image", (1, 8, 8)),), (("class", 10),))
ODD = Shape((("image", (2, 7, 9)),), (("class", 4),))
DRAWN = Cell(5, ((0, 1), (1, 2), (0, 2), (2, 4), (0, 4), (1, 3), (3, 4)), channels=8, stages=2, cells=1)
SPACES = {
    "digits": (Nasbench201(1, 8, 1, 2), DIGITS),
    "two stages": (Nasbench201(2, 8, 2, 1), DIGITS),
    "colors": (Nasbench201(1, 4, 3, 1), CIFAR),
    "odd maps": (Nasbench201(1, 8, 3, 1), ODD),
    "drawn": (DRAWN, DIGITS),
}


def some(space, n: int = 8) -> list[Arch]:
    """n random archs, the zero cell, all pools, all 3x3."""
    width = len(space.choices())
    special = [tuple([i] * width) for i in (0, 4, 3)]
    return tuples(sample(space, n, np.random.default_rng(0))) + special


def pair(space, shape: Shape, archs: list[Arch]) -> tuple[Batched, list[torch.nn.Module]]:
    """The program and its slow twins with the same weights."""
    program, twins = space.batched(archs, shape), []
    for i, arch in enumerate(archs):
        torch.manual_seed(i)
        twins.append(space.build(arch, shape))
        program.load(i, twins[i].state_dict())
    return program, twins


@pytest.fixture(params=SPACES)
def both(request):
    space, shape = SPACES[request.param]
    archs = some(space)
    x, y = torch.randn(16, *shape.image), torch.randint(0, shape.classes, (16,))
    return (*pair(space, shape, archs), x, y)


def test_logits_equal_those_of_single_modules_in_training_and_after(both) -> None:
    program, twins, x, *_ = both
    for mode in (True, False):
        out = program.train(mode)(x)
        for i, twin in enumerate(twins):
            torch.testing.assert_close(out[i], twin.train(mode)(x), atol=1e-5, rtol=1e-5)


def test_gradients_equal_those_of_single_modules(both) -> None:
    program, twins, x, y = both
    out = program(x)
    cross_entropy(out.flatten(0, 1), y.repeat(len(twins)), reduction="sum").div(len(y)).backward()
    for i, twin in enumerate(twins):
        cross_entropy(twin(x), y).backward()
        grads = {n: p.grad for n, p in twin.named_parameters()}
        for name, whole, part in program.slots(i):
            if grads.get(name) is not None:
                mine = rows_like(whole.grad, whole, part)
                scale = grads[name].abs().max().clamp(min=1e-2)
                assert (mine - grads[name]).abs().max() / scale < 1e-4, (i, name)


def test_a_member_comes_out_as_its_module_has_it(both) -> None:
    program, twins, x, *_ = both
    program(x)
    for i, twin in enumerate(twins):
        twin(x)
        state, expected = program.member_state(i), twin.state_dict()
        assert set(state) == set(expected)
        for name, value in expected.items():
            torch.testing.assert_close(state[name], value, atol=1e-5, rtol=1e-5)


def test_the_zero_cell_does_not_see_the_image() -> None:
    space, shape = SPACES["digits"]
    program, _ = pair(space, shape, [(0,) * 6, (3,) * 6])
    out = program.eval()(torch.randn(5, 1, 8, 8))
    assert torch.equal(out[0], out[0][:1].expand(5, -1))
    assert not torch.equal(out[1], out[1][:1].expand(5, -1))


def trained(space, shape: Shape, archs: list[Arch], company: list[int], steps: int = 4):
    """States of the members `company` after some steps in one program."""
    data = torch.Generator().manual_seed(5)
    program, _ = pair(space, shape, archs)
    states = [program.member_state(i) for i in company]
    program = space.batched([archs[i] for i in company], shape)
    for i, state in enumerate(states):
        program.load(i, state)
    optimizer = SgdCosine().optimizer(list(program.parameters()))
    for _ in range(steps):
        x = torch.randn(20, *shape.image, generator=data)
        y = torch.randint(0, shape.classes, (20,), generator=data)
        losses = cross_entropy(program(x).flatten(0, 1), y.repeat(len(company)), reduction="none")
        losses.view(len(company), -1).mean(1).sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return [program.member_state(i) for i in range(len(company))]


@pytest.mark.parametrize("name", ["digits", "two stages", "odd maps", "drawn"])
def test_training_gives_the_same_bits_in_any_company(name: str) -> None:
    space, shape = SPACES[name]
    archs = some(space, 30)
    whole = trained(space, shape, archs, list(range(len(archs))))
    for company in ([0], [31], [30], [2, 32, 5], list(range(len(archs)))[::-1]):
        for i, state in zip(company, trained(space, shape, archs, company), strict=True):
            assert all(torch.equal(state[n], whole[i][n]) for n in state), (company, i)


def test_a_member_that_leaves_the_finite_numbers_harms_nobody() -> None:
    space, shape = SPACES["digits"]
    archs = [(3, 3, 3, 3, 3, 3), (3, 2, 1, 4, 3, 2)]
    program, _ = pair(space, shape, archs)
    clean = program(torch.ones(4, 1, 8, 8))[1]
    with torch.no_grad():
        for _, _, part in program.slots(0):
            part.fill_(torch.nan)
    out = program(torch.ones(4, 1, 8, 8))
    out.sum().backward()
    assert out[0].isnan().all()
    assert torch.equal(out[1], clean)
    grads = [rows_like(w.grad, w, p) for _, w, p in program.slots(1) if w.grad is not None]
    assert all(g.isfinite().all() for g in grads)


def test_momentum_moves_with_its_member() -> None:
    space, shape = SPACES["digits"]
    archs = some(space, 3)
    program, _ = pair(space, shape, archs)
    optimizer = SgdCosine().optimizer(list(program.parameters()))
    program(torch.randn(8, 1, 8, 8)).square().sum().backward()
    optimizer.step()
    alone = space.batched([archs[1]], shape)
    alone.load(0, program.member_state(1))
    other = SgdCosine().optimizer(list(alone.parameters()))
    alone.load_momentum(0, other, program.momentum(1, optimizer))
    saved = program.momentum(1, optimizer)
    assert saved
    assert all(torch.equal(v, alone.momentum(0, other)[n]) for n, v in saved.items())


@pytest.mark.parametrize("side", [(4, 4), (7, 5), (12, 12)])
def test_the_pool_is_the_average_without_padding(side: tuple[int, int]) -> None:
    x = torch.randn(2, 3, 8, *side)
    expected = torch.nn.AvgPool2d(3, 1, 1, count_include_pad=False)(x.flatten(0, 1)).view(x.shape)
    torch.testing.assert_close(pool(x, 3), expected)


def test_the_pool_of_a_corner_is_a_quarter_of_four_pixels() -> None:
    matrix = pool_matrix(3, 3, 3, torch.device("cpu"), torch.float32)
    expected = torch.tensor([1, 1, 0, 1, 1, 0, 0, 0, 0]) / 4
    torch.testing.assert_close(matrix[:, 0], expected)


def test_an_unknown_operation_has_no_program() -> None:
    space, shape = SPACES["digits"]
    assert not supports("max_pool_3x3")
    assert not supports("nor_conv_1x3")
    assert space.batched([], shape) is None
