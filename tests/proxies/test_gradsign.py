from __future__ import annotations

import pytest
import torch
from torch import nn

from nascore.chunk import fresh, one_batch
from nascore.evaluators.zero_cost import ZeroCost
from nascore.problem import Problem
from nascore.proxies.gradsign import Gradsign, sign_sums
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

PROBLEM = Problem(Nasbench201(1, 8, 1, 2), Digits(), SgdCosine(), ZeroCost())


@pytest.mark.parametrize("arch", [(3, 1, 2, 4, 3, 2), (1, 1, 1, 1, 1, 1), (0, 3, 0, 2, 0, 0)])
def test_signs_are_those_of_one_backward_pass_an_example(arch: tuple[int, ...]) -> None:
    """The network itself in training mode on one image at a time, as the released code does it."""
    torch.set_num_threads(1)
    net, batch = fresh(PROBLEM, arch), one_batch(PROBLEM, 20)
    sums = sign_sums(net, batch, PROBLEM)
    names = [n for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    slow = {n: torch.zeros_like(sums[n]) for n in names}
    sizes = {n: 0.0 for n in names}
    net.train()
    for x, y in zip(batch.x, batch.y, strict=True):  # type: ignore[arg-type]
        net.zero_grad()
        nn.functional.cross_entropy(net(x[None]), y[None]).backward()
        for n in names:
            g = net.get_submodule(n).weight.grad
            if g is not None:
                slow[n] += g.sign().long()
                sizes[n] = max(sizes[n], float(g.abs().max()))
    assert list(sums) == names
    for n in names:  # a gradient of about 1e-8 may round to either side of zero
        different = (sums[n] != slow[n]).float().mean()
        assert different < 0.01, (n, different, sizes[n])


def test_two_quadratic_examples_agree_as_often_as_the_paper_says() -> None:
    """P(signs agree) = 1 - |distance of the optima| / (2a) for a start uniform on [-a, a] around both."""
    draws = torch.Generator().manual_seed(0)
    theta = 4 * torch.rand(20_000, generator=draws) - 2
    signs = [(2 * x * (x * theta - y)).sign() for x, y in ((2.0, 1.0), (1.0, -0.5))]
    agree = float((signs[0] == signs[1]).float().mean())
    expected = 1 - abs(0.5 - -0.5) / 4
    assert agree == pytest.approx(expected, abs=3 * (expected * (1 - expected) / 20_000) ** 0.5)


def test_the_mean_is_the_sum_a_weight_and_examples_that_agree_reach_their_number() -> None:
    net, batch = fresh(PROBLEM, (3, 3, 3, 3, 3, 3)), one_batch(PROBLEM, 1)
    total = float(Gradsign().score([net], batch, PROBLEM))
    mean = float(Gradsign(reduce="mean").score([net], batch, PROBLEM))
    weights = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    assert mean == pytest.approx(total / weights)
    assert 0.5 < mean <= 1  # one example agrees with itself wherever its gradient is not zero


def test_frozen_statistics_serve_maps_of_one_pixel() -> None:
    problem = Problem(Nasbench201(1, 8, 2, 4), Digits(), SgdCosine(), ZeroCost())
    net, batch = fresh(problem, (3, 3, 3, 3, 3, 3)), one_batch(problem, 4)
    alone = sum(int(s.abs().sum()) for s in sign_sums(net, batch, problem).values())
    frozen = sum(int(s.abs().sum()) for s in sign_sums(net, batch, problem, "frozen").values())
    assert frozen > alone
