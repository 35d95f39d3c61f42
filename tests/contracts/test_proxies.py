"""What every proxy promises."""

from __future__ import annotations

import pytest
import torch

from nascore.chunk import fresh, one_batch
from nascore.evaluators.zero_cost import ZeroCost
from nascore.problem import Problem
from nascore.proxies import PROXIES
from nascore.proxies.look import Summed, scores
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tables import name_of
from nascore.tasks.images import Digits

torch.set_num_threads(1)
PROBLEM = Problem(Nasbench201(1, 8, 2, 1), Digits(), SgdCosine(), ZeroCost())
ARCHS = [(3, 3, 3, 3, 3, 3), (2, 0, 1, 0, 2, 1), (0, 0, 0, 0, 0, 0), (4, 4, 4, 4, 4, 4)]


@pytest.fixture(params=PROXIES)
def proxy(request):
    return PROXIES[request.param]()


def test_scores_are_finite_one_a_network_and_repeatable(proxy) -> None:
    batch = one_batch(PROBLEM, 16)
    first = proxy.score([fresh(PROBLEM, a) for a in ARCHS], batch, PROBLEM)
    again = proxy.score([fresh(PROBLEM, a) for a in ARCHS], batch, PROBLEM)
    assert first.shape == (len(ARCHS),)
    assert first.isfinite().all()
    assert torch.equal(first, again)


SIGNED = {"plain", "grasp"}  # sums whose terms have either sign: the empty network's zero is no floor


def test_a_network_of_convolutions_scores_above_the_empty_one(proxy) -> None:
    if name_of(proxy) in SIGNED:
        pytest.skip("terms have either sign")
    scores = proxy.score([fresh(PROBLEM, a) for a in ARCHS], one_batch(PROBLEM, 16), PROBLEM)
    assert scores[0] > scores[2]


def test_networks_are_unchanged(proxy) -> None:
    net = fresh(PROBLEM, ARCHS[0])
    before = {n: t.clone() for n, t in net.state_dict().items()}
    modes = [m.training for m in net.modules()]
    proxy.score([net], one_batch(PROBLEM, 16), PROBLEM)
    assert all(torch.equal(before[n], t) for n, t in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())
    assert [m.training for m in net.modules()] == modes


def test_scores_computed_together_are_those_computed_alone() -> None:
    batch, nets = one_batch(PROBLEM, 8), [fresh(PROBLEM, a) for a in ARCHS[:2]]
    every = {name: cls() for name, cls in PROXIES.items()}
    together = scores(every, nets, batch, PROBLEM)
    for name, one in every.items():
        torch.testing.assert_close(together[name], one.score(nets, batch, PROBLEM), rtol=1e-5, atol=0)


def test_a_sum_is_the_sum_of_its_layers(proxy) -> None:
    if not isinstance(proxy, Summed):
        pytest.skip("no sum over layers")
    net, batch = fresh(PROBLEM, ARCHS[0]), one_batch(PROBLEM, 8)
    shares = proxy.layers(net, batch, PROBLEM)
    assert len(shares) > 3
    assert sum(shares.values()) == pytest.approx(float(proxy.score([net], batch, PROBLEM)), rel=1e-6)
