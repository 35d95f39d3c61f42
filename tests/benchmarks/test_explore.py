"""What tables say beyond their rows, against sums by hand; filters as lines of text."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks import explore, filters
from nascore.benchmarks.filters import Where
from nascore.benchmarks.table import PREFIX, Table
from nascore.space import enumerate_archs
from tests.benchmarks.small import SPACE, write_small


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return write_small(tmp_path_factory.mktemp("home"))


def everything(table: Table) -> np.ndarray:
    return np.ones(table.rows, bool)


def test_effects_are_differences_of_means(small: Table) -> None:
    found = explore.effects(small, small.values("test_accuracy"), everything(small))
    groups = small.frame.groupby(PREFIX + "edge_2_0")["test_accuracy"]
    expected = (groups.mean() - small.frame["test_accuracy"].mean()).to_numpy()
    np.testing.assert_allclose(found.difference[1], expected)
    assert found.count[1].tolist() == groups.count().tolist()


def test_the_interval_of_an_effect_is_that_of_two_samples(small: Table) -> None:
    found = explore.effects(small, small.values("test_accuracy"), everything(small))
    has = small.archs[:, 0] == 3
    y = small.values("test_accuracy")
    error = np.sqrt(y[has].var(ddof=1) / has.sum() + y[~has].var(ddof=1) / (~has).sum())
    half = 1.96 * (1 - has.mean()) * error
    assert found.high[0, 3] - found.difference[0, 3] == pytest.approx(half)
    assert found.low[0, 3] < found.difference[0, 3] < found.high[0, 3]


def test_effects_of_the_chosen_leave_out_all_others(small: Table) -> None:
    chosen = small.archs[:, 0] == 3
    found = explore.effects(small, small.values("test_accuracy"), chosen)
    assert found.difference[0, 3] == pytest.approx(0)
    assert np.isnan(found.difference[0, [0, 1, 2, 4]]).all()
    assert found.count[0].tolist() == [0, 0, 0, int(chosen.sum()), 0]


def test_nothing_chosen_has_no_effects(small: Table) -> None:
    found = explore.effects(small, small.values("test_accuracy"), ~everything(small))
    assert np.isnan(found.difference).all()


def test_a_map_of_three_points_keeps_their_distances() -> None:
    archs = np.array([[0, 0], [0, 1], [1, 1]])
    placed = explore.plane(explore.one_hot(archs, [2, 2]), np.zeros(3))
    gaps = [((placed.places[a] - placed.places[b]) ** 2).sum() for a, b in ((0, 1), (1, 2), (0, 2))]
    assert gaps == pytest.approx([2, 2, 4], abs=1e-5)  # twice the number of edits
    assert placed.share == pytest.approx(1, abs=1e-5)


def test_a_metric_that_is_the_same_for_all_leaves_a_plane() -> None:
    """Whatever directions are shown, there are two, and each keeps as much as any other."""
    code = explore.one_hot(np.asarray(enumerate_archs(SPACE)), [5] * 6)
    placed = explore.plane(code, np.full(len(code), 3.0))
    assert placed.tied == 24
    assert np.allclose(placed.places.std(0), placed.places.std(0)[0])
    assert abs(np.corrcoef(placed.places.T)[0, 1]) < 1e-6


def test_the_map_of_a_whole_space_is_turned_toward_the_metric() -> None:
    archs = enumerate_archs(SPACE)
    metric = (archs == 3).sum(1).astype(float)
    placed = explore.plane(explore.one_hot(archs, [5] * 6), metric)
    assert placed.tied == 24
    assert abs(np.corrcoef(placed.places[:, 0], metric)[0, 1]) > 0.99
    assert placed.share == pytest.approx(2 / 24, abs=1e-3)


def test_ranks_follow_the_direction_and_equals_share_the_better_one(small: Table) -> None:
    rows = {name: (rank, of, share) for name, _, rank, of, share in explore.ranks(small, 0)}
    assert rows["test_accuracy"] == (1, 300, 100.0)
    fastest = int(np.argmin(small.values("phone_latency_ms")))
    assert {n: r for n, _, r, *_ in explore.ranks(small, fastest)}["phone_latency_ms"] == 1


def test_seed_noise_is_the_deviation_between_trainings(small: Table) -> None:
    found = explore.seed_noise(small, "test_accuracy", "digits", 10)
    assert len(found) == 300
    assert found["sd"].to_numpy() == pytest.approx(np.full(300, math.sqrt(0.5)))
    assert (found["high"] - found["low"]).to_numpy() == pytest.approx(np.ones(300))
    assert explore.trainings(small) == (["test_accuracy"], [("digits", 10)])


def test_the_front_holds_the_best_and_nothing_that_is_beaten(small: Table) -> None:
    rows = explore.pareto(small, "params", "test_accuracy")
    x, y = small.values("params"), small.values("test_accuracy")
    assert 0 in rows
    for i in rows:
        assert not ((x <= x[i]) & (y >= y[i]) & ((x < x[i]) | (y > y[i]))).any()


def test_filters_come_back_from_their_line(small: Table) -> None:
    where = Where({"edge_1_0": ("none", "nor_conv_3x3")}, {"test_accuracy": (50.0, math.inf)}, "a;b=c|d..e ~")
    assert filters.read(where.line(), small) == where


@pytest.mark.parametrize(
    "line",
    ["nonsense", "edge_1_0=rm -rf", "test_accuracy=a..b", "test_accuracy=9..1", "x=1..2", ";;=;", "=..", "~"],
)
def test_a_line_that_does_not_fit_is_no_filter(small: Table, line: str) -> None:
    assert not filters.read(line, small)
    assert filters.mask(filters.read(line, small), small).all()


def test_filters_keep_what_fits_all_of_them(small: Table) -> None:
    where = filters.read("edge_1_0=nor_conv_3x3;test_accuracy=60..", small)
    expected = (small.archs[:, 0] == 3) & (small.values("test_accuracy") >= 60)
    assert (filters.mask(where, small) == expected).all()


def test_a_text_is_found_in_keys_and_official_strings(small: Table) -> None:
    one = str(small.frame["key"].iloc[7])
    assert np.flatnonzero(filters.mask(Where(text=one[2:12]), small)).tolist() == [7]
    official = filters.mask(Where(text="|NONE~0|+"), small)
    assert (official == (small.archs[:, 0] == 0)).all()


def test_the_filter_that_takes_the_last_one_is_named(small: Table) -> None:
    where = filters.read("edge_1_0=nor_conv_3x3;test_accuracy=99.9..", small)
    assert not filters.mask(where, small).any()
    assert filters.to_blame(where, small) == "test_accuracy"


def test_archs_without_a_value_are_in_no_range(tmp_path: Path) -> None:
    table = write_small(tmp_path)
    table.frame.loc[3, "test_accuracy"] = np.nan
    assert not filters.mask(Where({}, {"test_accuracy": (-math.inf, 1000)}), table)[3]
