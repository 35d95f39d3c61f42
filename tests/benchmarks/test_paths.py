"""Archs as sets of paths, and what a map of them keeps."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.benchmarks import explore, paths
from nascore.space import Choice, enumerate_archs
from nascore.spaces.nasbench201 import Nasbench201

SPACE = Nasbench201()
OPS = SPACE.choices()[0].options


def arch(*ops: str) -> np.ndarray:
    return np.array([[OPS.index(o) for o in ops]])


def paths_of(*ops: str) -> set[tuple[str, ...]]:
    found = paths.path_code(arch(*ops), SPACE.choices())
    assert found is not None
    assert (found.code == 1).all()
    return set(found.paths)


def test_a_cell_has_the_sequences_from_its_input_to_its_output() -> None:
    # in the order of choices: 0 to 1, 0 to 2, 1 to 2, 0 to 3, 1 to 3, 2 to 3
    names = [c.name for c in SPACE.choices()]
    assert names == ["edge_1_0", "edge_2_0", "edge_2_1", "edge_3_0", "edge_3_1", "edge_3_2"]
    found = paths_of("nor_conv_3x3", "none", "skip_connect", "avg_pool_3x3", "none", "nor_conv_1x1")
    assert found == {("avg_pool_3x3",), ("nor_conv_3x3", "skip_connect", "nor_conv_1x1")}


def test_what_goes_through_none_is_no_path_and_a_skip_is_an_operation() -> None:
    assert paths_of(*["none"] * 6) == set()
    assert paths_of("none", "none", "none", "skip_connect", "none", "none") == {("skip_connect",)}
    # a dead end (0 to 1 and nothing after it) leaves no trace
    dead = paths_of("nor_conv_3x3", "none", "none", "skip_connect", "none", "none")
    assert dead == {("skip_connect",)}


def test_the_whole_space_has_84_paths_and_8045_different_sets_of_them() -> None:
    """4 + 16 + 64 sequences of 1, 2 and 3 out of four operations."""
    found = paths.path_code(enumerate_archs(SPACE), SPACE.choices())
    assert found is not None
    lengths = [len(p) for p in found.paths]
    assert [lengths.count(n) for n in (1, 2, 3)] == [4, 16, 64]
    assert len(np.unique(found.code, axis=0)) == 8045


def test_choices_that_are_no_edges_have_no_paths() -> None:
    choices = (Choice("edge_1_0", ("a", "none")), Choice("stage.width", (8, 16)))
    assert paths.path_code(np.zeros((3, 2), int), choices) is None
    assert paths.path_code(np.zeros((3, 1), int), (Choice("edge_0_1", ("a",)),)) is None


def test_too_many_paths_are_refused_and_not_counted() -> None:
    ops = tuple(str(i) for i in range(80))
    choices = tuple(Choice(f"edge_{i + 1}_{i}", ops) for i in range(2))
    assert paths.path_code(np.zeros((2, 2), int), choices) is None


def test_a_perfect_map_is_faithful_and_a_random_one_is_not() -> None:
    rng = np.random.default_rng(3)
    code = rng.normal(size=(500, 2))
    assert paths.faithful(code, 3 * code) == pytest.approx(1.0)
    assert abs(paths.faithful(code, rng.normal(size=(500, 2)))) < 0.05
    assert np.isnan(paths.faithful(code[:2], code[:2]))


def test_paths_of_one_spread_keep_more_of_the_distances_than_edits_do() -> None:
    archs = enumerate_archs(SPACE)
    found = paths.path_code(archs, SPACE.choices())
    assert found is not None
    toward = np.zeros(len(archs))
    mapped = explore.plane(paths.standard(found.code), toward)
    assert mapped.tied == 6  # exactly, whatever the processor
    by_paths = mapped.places
    edits = explore.one_hot(archs, [5] * 6)
    by_edits = explore.plane(edits, toward).places
    assert paths.faithful(found.code, by_paths) > paths.faithful(edits, by_edits) + 0.15
    assert len(paths.stacks(by_paths).count) > 100  # with columns as they are it would be 5


def test_stacks_count_who_stands_where() -> None:
    places = np.array([[0, 0], [1, 1], [0, 0], [1, 1 + 1e-6], [5, 5]])
    found = paths.stacks(places)
    assert sorted(found.count.tolist()) == [1, 2, 2]
    assert found.of[0] == found.of[2]
    assert found.of[1] == found.of[3]
    assert found.count[found.of[4]] == 1
    assert paths.stacks(np.zeros((4, 2))).count.tolist() == [4]


def test_a_smaller_part_is_divided_as_finely_as_the_whole() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.random(5000), rng.random(5000)
    whole, part = explore.density(x, y), explore.density(x, y, (0.2, 0.3, 0.4, 0.5))
    assert whole.inside == whole.count.sum() == 5000
    inside = (x >= 0.2) & (x <= 0.3) & (y >= 0.4) & (y <= 0.5)
    assert part.inside == part.count.sum() == inside.sum()
    assert part.count.shape == whole.count.shape == (120, 80)
    assert part.x[1] - part.x[0] == pytest.approx(0.1 / 120)
    # each cell of the part holds what lies in it
    i, j = np.argwhere(part.count > 0)[0]
    near = (np.abs(x - part.x[i]) <= 0.05 / 120) & (np.abs(y - part.y[j]) <= 0.05 / 80)
    assert near.sum() == part.count[i, j]


def test_a_histogram_of_nothing_is_empty() -> None:
    nothing = np.full(3, np.nan)
    assert explore.density(nothing, nothing).inside == 0
    assert explore.density(np.ones(3), np.ones(3), (5, 6, 5, 6)).count.sum() == 0
