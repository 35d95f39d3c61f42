"""Products, eigenvalues, trace and diagonal against the whole Hessian of a small network."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nascore.hessian import dense, diagonal, flat, lanczos, normal, product, trace

torch.set_num_threads(1)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Small:
    """A network of 26 weights in double precision, its loss, and its Hessian by torch.func."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
        self.x, self.y = torch.randn(16, 3).double(), torch.randint(0, 2, (16,))
        params = list(self.net.parameters())
        self.like = flat(params).detach()
        self.times = product(nn.functional.cross_entropy(self.net(self.x), self.y), params)
        self.full = torch.func.jacrev(torch.func.jacrev(self.loss))(self.like)

    def loss(self, w: Tensor) -> Tensor:
        named, at = {}, 0
        for name, p in self.net.named_parameters():
            named[name] = w[at : at + p.numel()].view_as(p)
            at += p.numel()
        out = torch.func.functional_call(self.net, named, (self.x,))
        return nn.functional.cross_entropy(out, self.y)


S = Small()


def test_products_are_those_of_the_whole_hessian() -> None:
    v = normal(S.like, generator())
    torch.testing.assert_close(S.times(v), S.full @ v)
    torch.testing.assert_close(dense(S.times, S.like), S.full)


def test_what_the_loss_does_not_depend_on_brings_zeros() -> None:
    a, b = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    times = product((a**3).sum(), [a, b])
    assert times(torch.ones(5)).tolist() == [6, 6, 0, 0, 0]
    assert product((2 * a).sum(), [a])(torch.ones(2)).tolist() == [0, 0]


def test_lanczos_finds_both_ends_and_the_vector() -> None:
    values, vectors = torch.linalg.eigh(S.full)
    found = lanczos(S.times, normal(S.like, generator(1)), len(S.like))
    assert found.largest == pytest.approx(float(values[-1]), rel=1e-6)
    assert found.smallest == pytest.approx(float(values[0]), rel=1e-4)
    assert float((found.vector @ vectors[:, -1]).abs()) == pytest.approx(1, abs=1e-6)


def test_the_residual_says_how_near_an_eigenvalue_is() -> None:
    values = torch.linalg.eigvalsh(S.full)
    for steps in (2, 4, 6):
        found = lanczos(S.times, normal(S.like, generator(2)), steps)
        far = S.full @ found.vector - found.largest * found.vector
        assert found.residual == pytest.approx(float(far.norm()), rel=1e-5, abs=1e-10)
        assert float((values - found.largest).abs().min()) <= found.residual + 1e-12
        assert found.largest <= float(values[-1]) + 1e-12


def test_a_large_negative_eigenvalue_is_not_taken_for_the_largest() -> None:
    diag = torch.tensor([-50.0, 1.0, 3.0])
    found = lanczos(lambda v: diag * v, torch.ones(3), 10)
    assert found.largest == pytest.approx(3, abs=1e-4)
    assert found.smallest == pytest.approx(-50, abs=1e-3)


def test_a_map_with_one_value_ends_after_one_step() -> None:
    calls = []
    found = lanczos(lambda v: calls.append(1) or 2 * v, torch.randn(50, generator=generator()), 20)  # type: ignore[func-returns-value]
    assert len(calls) == 1
    assert found.largest == pytest.approx(2)
    zero = lanczos(torch.zeros_like, torch.ones(4), 3)
    assert (zero.largest, zero.residual) == (0, 0)


def test_the_mean_of_many_draws_is_the_trace_within_its_error() -> None:
    found = trace(S.times, S.like, 500, generator())
    exact = float(S.full.trace())
    assert abs(found.value - exact) < 3 * found.error
    off = S.full - torch.diag(S.full.diagonal())
    assert found.error == pytest.approx(math.sqrt(2 * float((off**2).sum()) / 500), rel=0.2)


def test_one_draw_is_exact_for_a_diagonal_matrix() -> None:
    diag = torch.arange(1.0, 6.0)
    found = trace(lambda v: diag * v, diag, 1, generator())
    assert found.value == 15
    assert math.isnan(found.error)
    assert torch.equal(diagonal(lambda v: diag * v, diag, 1, generator()), diag)


def test_the_mean_of_two_thousand_draws_is_the_diagonal() -> None:
    found = diagonal(S.times, S.like, 2000, generator(3))
    off = S.full - torch.diag(S.full.diagonal())
    error = ((off**2).sum(1) / 2000).sqrt()
    assert ((found - S.full.diagonal()).abs() < 4.5 * error).all()
