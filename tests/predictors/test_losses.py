"""Every loss against a slow one written out with loops, and its gradient against differences."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from nascore import stats
from nascore.measures.ranking import ndcg
from nascore.predictors.losses import (
    LOSSES,
    SUMS,
    approx_ndcg,
    diffkendall,
    exchange,
    grades,
    lambdarank,
    listmle,
    listnet,
    loss,
    mse,
    ranknet,
)

List = np.ndarray
torch.set_num_threads(1)


def pair_mean(s: List, y: List, value: Callable[[int, int], float]) -> float:
    n = len(s)
    found = [value(i, j) for i in range(n) for j in range(n) if y[i] > y[j]]
    return sum(found) / len(found) if found else 0.0


def graded(y: List) -> list[int]:
    return [5 * sum(b < a for b in y) // len(y) for a in y]


def dcg(gains: list[float]) -> float:
    return sum(g / math.log2(2 + i) for i, g in enumerate(gains))


def slow_lambda(s: List, y: List) -> float:
    gains = [2**g - 1 for g in graded(y)]
    order = sorted(range(len(s)), key=lambda i: -s[i])
    best = dcg(sorted(gains, reverse=True))

    def value(i: int, j: int) -> float:
        swapped = [j if k == i else i if k == j else k for k in order]
        change = abs(dcg([gains[k] for k in order]) - dcg([gains[k] for k in swapped])) / best
        return change * math.log1p(math.exp(-(s[i] - s[j])))

    return pair_mean(s, y, value)


def slow_mle(s: List, y: List) -> float:
    order = sorted(range(len(s)), key=lambda i: -y[i])
    chance = 1.0
    for at, i in enumerate(order):
        chance *= math.exp(s[i]) / sum(math.exp(s[j]) for j in order[at:])
    return -math.log(chance)


def slow_ndcg(s: List, y: List) -> float:
    gains, n = [2**g - 1 for g in graded(y)], len(s)
    ranks = [1 + sum(1 / (1 + math.exp(-(s[j] - s[i]) / 0.1)) for j in range(n) if j != i) for i in range(n)]
    found = sum(g / math.log2(1 + r) for g, r in zip(gains, ranks, strict=True))
    return 1 - found / dcg(sorted(gains, reverse=True))


def slow_kendall(s: List, y: List) -> float:
    n = len(s)
    upper = [
        math.tanh(0.25 * (s[i] - s[j])) * math.tanh(0.25 * (y[i] - y[j]))
        for i in range(n)
        for j in range(i + 1, n)
    ]
    return 1 - sum(upper) / (n * (n - 1) / 2)


def softmax(x: List) -> List:
    return np.exp(x) / np.exp(x).sum()


SLOW: dict[str, Callable[[List, List], float]] = {
    "mse": lambda s, y: float(sum((a - b) ** 2 for a, b in zip(s, y, strict=True)) / len(s)),
    "hinge": lambda s, y: pair_mean(s, y, lambda i, j: max(0.0, 1 - s[i] + s[j])),
    "ranknet": lambda s, y: pair_mean(s, y, lambda i, j: math.log(1 + math.exp(-(s[i] - s[j])))),
    "lambdarank": slow_lambda,
    "listnet": lambda s, y: float(-(softmax(y) * np.log(softmax(s))).sum()),
    "listmle": slow_mle,
    "approx_ndcg": slow_ndcg,
    "diffkendall": slow_kendall,
}


def lists(n: int = 7, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two lists of scores and numbers, the second with ties among its numbers."""
    rng = np.random.default_rng(seed)
    s, y = rng.normal(size=(2, n)), rng.normal(size=(2, n))
    y[1, :3] = 0.25
    return torch.tensor(s), torch.tensor(y)


def test_every_loss_has_its_slow_twin() -> None:
    assert set(SLOW) == set(LOSSES)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("n", [4, 12])
def test_a_loss_is_what_loops_say_list_by_list(name: str, n: int) -> None:
    s, y = lists(n, n)
    got = loss(name)(s, y)
    want = [SLOW[name](a, b) for a, b in zip(s.numpy(), y.numpy(), strict=True)]
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-10)


@pytest.mark.parametrize("name", [*LOSSES, *SUMS])
def test_gradients_are_those_of_differences(name: str) -> None:
    s, y = lists()
    s.requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: loss(name, 2.0)(x, y), (s,))


@pytest.mark.parametrize("name", [n for n in LOSSES if n != "mse"])
def test_only_differences_of_scores_count(name: str) -> None:
    s, y = lists()
    torch.testing.assert_close(loss(name)(s, y), loss(name)(s + 3.5, y))


@pytest.mark.parametrize("name", [*LOSSES])
def test_a_step_along_the_gradient_brings_the_order_nearer(name: str) -> None:
    y = torch.linspace(1, -1, 8, dtype=torch.float64)
    s = torch.zeros(8, dtype=torch.float64).add(torch.arange(8) * 0.01).requires_grad_(True)
    for _ in range(200):
        (grad,) = torch.autograd.grad(loss(name, 2.0)(s, y), s)
        s = (s - grad / grad.norm().clamp(min=1e-3) * 0.05).detach().requires_grad_(True)
    least = 0.5 if name in ("lambdarank", "approx_ndcg") else 0.99  # NDCG does not look at the low ranks
    assert stats.kendall(s.detach().numpy(), y.numpy()) > least


@pytest.mark.parametrize("name", ["hinge", "ranknet", "lambdarank", "approx_ndcg"])
def test_a_list_of_equal_numbers_teaches_nothing(name: str) -> None:
    s = torch.randn(5, dtype=torch.float64, requires_grad=True)
    value = loss(name)(s, torch.ones(5, dtype=torch.float64))
    (grad,) = torch.autograd.grad(value, s)
    assert value.item() == 0
    assert not grad.any()


def test_diffkendall_becomes_kendalls_tau() -> None:
    s, y = lists(30, 3)
    exact = stats.kendall(s[0].numpy(), y[0].numpy())
    errors = [abs(1 - diffkendall(s[0], y[0], a).item() - exact) for a in (1.0, 20.0, 1e3, 1e5)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[3] < 1e-3


def test_approx_ndcg_becomes_ndcg() -> None:
    s, y = lists(30, 4)
    relevance = (2 ** grades(y[0]) - 1).numpy()
    exact = ndcg(relevance, s[0].numpy(), 30)  # of gains from 0 to 15, scaled alike above and below
    assert 1 - approx_ndcg(s[0], y[0], 1e-4).item() == pytest.approx(exact, abs=1e-6)


def test_lambdas_sum_to_zero_in_each_list_and_weigh_the_top_more() -> None:
    s, y = lists(12, 5)
    s.requires_grad_(True)
    (grad,) = torch.autograd.grad(lambdarank(s, y).sum(), s)
    assert grad.sum(-1).abs().max() < 1e-12
    y = torch.linspace(1, -1, 10, dtype=torch.float64)
    weight = exchange(y, y)
    assert weight[0, 2] > weight[4, 6] > 0


def test_a_sum_is_the_sum_of_its_parts() -> None:
    s, y = lists()
    want = mse(s, y) + ranknet(s, y) + diffkendall(s, y, 3.0)
    torch.testing.assert_close(loss("mse+ranknet+diffkendall", 3.0)(s, y), want)


def test_perfect_scores_have_the_least_listwise_loss() -> None:
    _, y = lists(9, 6)
    for of in (listnet, listmle):
        worse = torch.stack([of(y[:, torch.randperm(9)], y) for _ in range(20)])
        assert (of(y, y) <= worse + 1e-12).all()
