from __future__ import annotations

import numpy as np
import pytest

from nascore.errors import BadInput
from nascore.measures.attainment import surfaces

# three runs by hand: two staircases that cross, and one point that beats all
FIRST = np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0], [3.0, 3.0]])
SECOND = np.array([[2.0, 3.0], [3.0, 2.0]])
THIRD = np.array([[1.0, 1.0]])


def test_two_staircases_and_a_point_by_hand() -> None:
    made = surfaces([FIRST, SECOND, THIRD])
    assert made["best"].tolist() == [[1, 1]]
    assert made["median"].tolist() == [[1, 3], [2, 2], [3, 1]]  # two of three attain it
    assert made["worst"].tolist() == [[2, 3], [3, 2]]


def test_one_run_attains_its_own_front_at_every_level() -> None:
    made = surfaces([FIRST])
    for surface in made.values():
        assert surface.tolist() == [[1, 3], [2, 2], [3, 1]]


def test_a_run_without_points_attains_nothing() -> None:
    none = np.full((2, 2), np.nan)
    made = surfaces([FIRST, none])
    assert made["best"].tolist() == made["median"].tolist() == [[1, 3], [2, 2], [3, 1]]
    assert made["worst"].shape == (0, 2)
    assert surfaces([none])["best"].shape == (0, 2)


@pytest.mark.parametrize("n", [3, 6, 7])
def test_every_corner_is_attained_by_as_many_runs_as_its_level_says(n: int) -> None:
    rng = np.random.default_rng(n)
    runs = [rng.random((12, 2)) for _ in range(n)]
    for name, need in (("best", 1), ("median", -(-n // 2)), ("worst", n)):
        for corner in surfaces(runs)[name]:
            by = sum((r <= corner).all(1).any() for r in runs)
            nearer = sum((r <= corner - 1e-9).all(1).any() for r in runs)
            assert by >= need > nearer


def test_one_objective_is_refused() -> None:
    with pytest.raises(BadInput, match="two or three"):
        surfaces([np.ones((3, 1))])
