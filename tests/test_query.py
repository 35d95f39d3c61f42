"""Ways to ask for labels: each against what it must choose, worked by hand or by brute force."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from nascore import query
from nascore.query import DATA, MODEL, PREDICTION, QUERIES, Pool

RNG = np.random.default_rng(0)


def pool(n: int = 30, seed: int = 0) -> Pool:
    rng = np.random.default_rng(seed)
    draws = rng.dirichlet(np.ones(4), (5, n))
    return Pool(
        rng.normal(size=(n, 3)), rng.normal(size=(4, 3)), np.random.default_rng(1), draws.mean(0), draws,
        rng.normal(size=(n, 6)),
    )  # fmt: skip


@pytest.mark.parametrize("name", QUERIES)
def test_it_asks_for_as_many_different_examples(name: str) -> None:
    for n in (1, 7, 30):
        rows = QUERIES[name](pool(), n)
        assert len(rows) == len(set(rows.tolist())) == n
        assert set(rows.tolist()) <= set(range(30))


@pytest.mark.parametrize("name", QUERIES)
def test_the_same_generator_asks_the_same(name: str) -> None:
    assert np.array_equal(QUERIES[name](pool(), 5), QUERIES[name](pool(), 5))


def test_each_class_of_the_survey_has_a_way_and_random_is_there() -> None:
    assert set(QUERIES) == {"random", *DATA, *MODEL, *PREDICTION}


@pytest.mark.parametrize(
    ("name", "first"), [("least_confidence", 1), ("margin", 2), ("entropy", 0), ("random", None)]
)
def test_doubt_is_told_by_the_right_number(name: str, first: int | None) -> None:
    p = np.array([[0.36, 0.32, 0.32], [0.35, 0.35, 0.30], [0.5, 0.5, 0.0], [0.9, 0.05, 0.05]])
    p[0] = [0.36, 0.33, 0.31]
    p[1] = [0.355, 0.35, 0.295]
    asked = QUERIES[name](replace(pool(4), chances=p, points=pool(4).points), 1)[0]
    assert first is None or asked == first


def test_bald_asks_where_draws_disagree_and_not_where_all_doubt() -> None:
    doubt = np.full((2, 1, 2), 0.5)
    differ = np.array([[[0.9, 0.1]], [[0.1, 0.9]]])
    draws = np.concatenate([doubt, differ, np.array([[[0.9, 0.1]], [[0.9, 0.1]]])], 1)
    rows = query.bald(replace(pool(3), draws=draws, points=np.zeros((3, 1))), 3)
    assert rows[0] == 1


def test_the_gradient_length_is_that_of_autograd() -> None:
    import torch

    torch.manual_seed(0)
    layer, inner = torch.nn.Linear(6, 4).double(), torch.randn(10, 6, dtype=torch.float64)
    chances = layer(inner).softmax(-1)
    expected = []
    for h, p in zip(inner, chances, strict=True):
        total = 0.0
        for label in range(4):
            loss = torch.nn.functional.cross_entropy(layer(h)[None], torch.tensor([label]))
            grads = torch.autograd.grad(loss, list(layer.parameters()))
            total += float(p[label].detach()) * float(torch.cat([g.flatten() for g in grads]).norm())
        expected.append(total)
    given = replace(pool(10), chances=chances.detach().numpy(), inner=inner.numpy(), points=np.zeros((10, 1)))
    assert query.gradient_length(given, 10).tolist() == np.argsort(-np.array(expected)).tolist()


def test_the_core_set_is_within_twice_the_best_cover() -> None:
    for seed in range(5):
        p = replace(pool(12, seed), known=np.zeros((0, 3)))
        away = np.linalg.norm(p.points[:, None] - p.points[None], axis=-1)

        def radius(rows: tuple[int, ...], away: np.ndarray = away) -> float:
            return float(away[:, list(rows)].min(1).max())

        best = min(radius(rows) for rows in itertools.combinations(range(12), 3))
        assert radius(tuple(query.core_set(p, 3))) <= 2 * best + 1e-9


def test_the_core_set_stays_away_from_what_is_known() -> None:
    points = np.array([[0.0], [0.1], [5.0], [10.0]])
    p = Pool(points, np.array([[10.0]]), np.random.default_rng(0))
    assert query.core_set(p, 2).tolist() == [0, 2]


def test_k_means_takes_one_of_each_cluster() -> None:
    centers = np.array([[0, 0], [10, 0], [0, 10]])
    points = np.repeat(centers, 10, 0) + RNG.normal(scale=0.1, size=(30, 2))
    rows = query.k_means(Pool(points, points[:0], np.random.default_rng(0)), 3)
    assert sorted(r // 10 for r in rows) == [0, 1, 2]


def test_the_discriminative_way_asks_on_the_side_that_has_no_labels() -> None:
    points = np.concatenate([RNG.normal(-3, 1, (20, 2)), RNG.normal(3, 1, (20, 2))])
    rows = query.discriminative(Pool(points, RNG.normal(-3, 1, (8, 2)), np.random.default_rng(0)), 10)
    assert (rows >= 20).all()


def test_density_asks_in_the_middle() -> None:
    points = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [-1.0, 0.0]])
    assert query.density(Pool(points, points[:0], np.random.default_rng(0)), 4)[-1] == 3


def test_the_entropy_of_even_chances_is_the_logarithm() -> None:
    assert query.spread(np.array([[0.25] * 4, [1.0, 0, 0, 0]])) == pytest.approx([np.log(4), 0])
