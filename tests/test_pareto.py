"""Expected values: moocore's documentation, pymoo's tests and issue 188, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nascore import pareto
from nascore.errors import BadInput

FOUR = [(5, 5), (4, 6), (2, 7), (7, 4)]


def test_hypervolume_of_four_points_is_38() -> None:
    assert pareto.hypervolume(FOUR, (10, 10)) == 38.0


def test_contributions_of_the_four_points_are_2_1_6_3() -> None:
    np.testing.assert_allclose(pareto.contributions(FOUR, (10, 10)), [2, 1, 6, 3])


def test_hypervolume_of_the_same_points_maximized_is_39() -> None:
    assert pareto.hypervolume(pareto.costs(FOUR, ["max", "max"]), (0, 0)) == 39.0


def test_a_dominated_point_and_one_on_the_reference_line_add_nothing() -> None:
    points = [(6, 6.5), (5, 7), (4, 6.5), (3, 7.5), (2, 7.5)]
    assert pareto.hypervolume(points, (7, 8.5)) == 8.0


def test_crowding_gives_infinity_to_extremes_and_zero_to_a_duplicate() -> None:
    assert pareto.crowding([(1, 1), (1, 1), (0.5, 1.5), (0, 2)]).tolist() == [np.inf, 0, 1, np.inf]


def test_equal_points_are_all_on_the_front_and_weakly_beaten_ones_are_not() -> None:
    assert pareto.nondominated([(1, 2), (1, 3), (1, 2), (2, 1)]).tolist() == [True, False, True, True]


def test_points_that_are_not_finite_are_never_on_a_front() -> None:
    points = [(np.nan, 0), (np.inf, 0), (-np.inf, 0), (3, 3)]
    assert pareto.front(points).tolist() == [3]
    assert pareto.hypervolume(points, (4, 4)) == 1.0


def test_the_front_of_nothing_is_empty() -> None:
    assert pareto.front(np.zeros((0, 2))).tolist() == []
    assert pareto.hypervolume(np.zeros((0, 2)), (1, 1)) == 0.0
    assert pareto.knee(np.zeros((0, 2))) is None
    assert pareto.reference(np.zeros((0, 2))) is None


def test_nondominated_agrees_with_the_definition_on_random_points() -> None:
    points = np.random.default_rng(0).integers(0, 6, (60, 3)).astype(float)
    beaten = [any((q <= p).all() and (q < p).any() for q in points) for p in points]
    assert (pareto.nondominated(points) == ~np.array(beaten)).all()


def test_one_objective_has_its_minimum_for_a_front() -> None:
    assert pareto.front([[3], [1], [2], [1]]).tolist() == [1, 3]


def test_order_puts_fronts_before_infeasible_before_failed() -> None:
    points = [(9, 9), (1, 2), (np.inf, 1), (0, 0), (2, 1), (0, 0)]
    assert pareto.order(points, [0, 0, 0, 0.5, 0, 0.1]).tolist() == [1, 4, 0, 5, 3, 2]


def test_order_prefers_the_less_crowded_within_a_front() -> None:
    points = [(0, 10), (1, 8), (1.5, 7.5), (10, 0)]
    assert pareto.order(points, np.zeros(4)).tolist() == [0, 3, 2, 1]


def test_the_default_reference_lies_outside_so_that_extremes_count() -> None:
    points = [(0, 10), (10, 0)]
    ref = pareto.reference(points)
    assert ref is not None
    np.testing.assert_allclose(ref, (11, 11))
    assert (pareto.contributions(points, ref) > 0).all()


def test_the_reference_of_one_point_lies_outside_too() -> None:
    ref = pareto.reference([(5.0, 0.0)])
    assert ref is not None
    assert (ref > (5.0, 0.0)).all()


def test_huge_numbers_do_not_warn() -> None:
    points = [(1e308, 0), (-1e308, 1), (0, 0.5)]
    assert len(pareto.order(points, np.zeros(3))) == 3
    assert pareto.reference(points) is not None


def test_igd_is_the_mean_distance_from_the_true_front() -> None:
    assert pareto.igd([(1, 2), (2, 1)], [(1, 1), (2, 1)]) == pytest.approx(0.5)


def test_the_knee_is_the_point_farthest_from_the_line_between_the_extremes() -> None:
    assert pareto.knee([(0, 10), (4, 5), (1, 2), (10, 0), (9, 9)]) == 2


def test_front_over_time_agrees_with_every_prefix() -> None:
    points = np.random.default_rng(1).random((40, 2))
    fronts, covered = pareto.front_over_time(points, (1, 1))
    for i in range(40):
        assert fronts[i].tolist() == pareto.front(points[: i + 1]).tolist()
        assert covered[i] == pytest.approx(pareto.hypervolume(points[: i + 1], (1, 1)))


def test_front_over_time_at_some_moments_is_what_it_is_after_each() -> None:
    points = np.random.default_rng(2).random((90, 3))
    every, covered = pareto.front_over_time(points, (1, 1, 1))
    some, area = pareto.front_over_time(points, (1, 1, 1), [1, 7, 8, 90])
    assert [f.tolist() for f in some] == [every[i].tolist() for i in (0, 6, 7, 89)]
    assert area == pytest.approx(covered[[0, 6, 7, 89]])


def test_costs_of_no_rows_keep_their_columns() -> None:
    assert pareto.costs([], ["min", "max"]).shape == (0, 2)


@pytest.mark.parametrize("directions", [["min"], ["min", "up"]])
def test_wrong_directions_are_refused(directions: list[str]) -> None:
    with pytest.raises(BadInput, match="direction"):
        pareto.costs(FOUR, directions)


@pytest.mark.parametrize(
    ("directions", "on"),
    [(("min", "min"), [1, 1, 0, 1, 0]), (("min", "max"), [1, 0, 0, 0, 0]), (("max", "max"), [1, 0, 1, 0, 0])],
)
def test_the_front_is_what_nothing_beats(directions: tuple[str, str], on: list[int]) -> None:
    values = np.array([[1, 5], [2, 3], [3, 4], [2, 3], [np.nan, 0]])
    expected = np.array(on, bool)
    assert (pareto.nondominated(pareto.costs(values, directions)) == expected).all()


def test_the_front_agrees_with_the_definition_on_random_points() -> None:
    points = np.random.default_rng(1).integers(0, 12, (80, 2)).astype(float)
    beaten = ((points[None] <= points[:, None]).all(2) & (points[None] < points[:, None]).any(2)).any(1)
    assert (pareto.nondominated(points) == ~beaten).all()
