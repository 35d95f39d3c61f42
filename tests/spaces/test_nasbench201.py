from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascore.graph import live_edges
from nascore.space import array, enumerate_archs, key, neighbors, parse, sample, size, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR, Shape

SPACE = Nasbench201()
SMALL = Nasbench201(cells=1, channels=8, stages=2, stem_stride=2)
DIGITS = Shape((("image", (1, 8, 8)),), (("class", 10),))
INDEX_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
INDEX_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
# (text, image side, classes) -> params and multiply-adds of the official records
RECORDS = [
    (INDEX_0, 32, 10, 129_306, 15_647_370),
    (INDEX_0, 32, 100, 135_156, 15_653_220),
    (INDEX_0, 16, 120, 136_456, 3_919_480),
    (INDEX_11, 32, 10, 802_426, 113_951_370),
    (INDEX_11, 32, 100, 808_276, 113_957_220),
    (INDEX_11, 16, 120, 809_576, 28_495_480),
]
SHARED = Path(os.environ.get("NASCOPE_SHARED", "../shared")) / "benchmarks"


def arch(text: str) -> tuple[int, ...]:
    return parse(SPACE, text)


@pytest.mark.parametrize(("text", "side", "classes", "params", "flops"), RECORDS)
def test_costs_equal_the_official_records(
    text: str, side: int, classes: int, params: int, flops: int
) -> None:
    shape = Shape((("image", (3, side, side)),), (("class", classes),))
    costs = SPACE.costs(array([arch(text)], SPACE), shape)
    assert (costs["params"][0], costs["flops"][0]) == (params, flops)


def official(columns: str) -> list[tuple[Any, ...]]:
    """Columns of the official records on cifar10."""
    file = SHARED / "nb201_topology.parquet"
    if not file.exists():
        pytest.skip("the shared benchmark files are not here")
    duckdb = pytest.importorskip("duckdb")
    asked = f"SELECT {columns} FROM '{file}' WHERE dataset = 'cifar10'"  # noqa: S608 -- our file
    return list(zip(*duckdb.sql(asked).fetchall(), strict=True))


def test_costs_equal_the_official_records_of_all_cells() -> None:
    texts, params, flops = official("arch_str, params_m, flops_m")
    costs = SPACE.costs(array([arch(t) for t in texts], SPACE), CIFAR)
    assert len(texts) == 15_625
    np.testing.assert_allclose(costs["params"] / 1e6, params, atol=1e-9)
    np.testing.assert_allclose(costs["flops"] / 1e6, flops, atol=1e-9)


def test_published_strings_part_the_cells_as_the_official_index_does() -> None:
    texts, index = official("arch_str, iso_index")
    pairs = set(zip([SPACE.published(arch(t)) for t in texts], index, strict=True))
    assert len(pairs) == 6_466 == len({s for s, _ in pairs}) == len({i for _, i in pairs})


def test_a_full_network_has_as_many_parameters_as_the_record() -> None:
    net = SPACE.build(arch(INDEX_0), CIFAR)
    dead = 0  # all six edges of this cell are live, so nothing is left out
    assert sum(p.numel() for p in net.parameters()) + dead == 129_306


def test_the_graph_counts_what_the_cost_tables_count() -> None:
    archs = sample(SMALL, 50, np.random.default_rng(0))
    costs = SMALL.costs(archs, DIGITS)
    graphs = [SMALL.graph(a, DIGITS) for a in tuples(archs)]
    assert [g.params for g in graphs] == costs["params"].tolist()
    assert [g.flops for g in graphs] == costs["flops"].tolist()


def test_edges_and_frame_of_the_graph_add_up_to_the_whole() -> None:
    zero, graph = SPACE.graph((0,) * 6, CIFAR), SPACE.graph(arch(INDEX_11), CIFAR)
    assert zero.params + sum(e.params for e in graph.edges) == graph.params
    assert zero.flops + sum(e.flops for e in graph.edges) == graph.flops


def test_the_space_has_15625_cells_of_24_neighbors() -> None:
    near = neighbors(SPACE, (0, 1, 2, 3, 4, 0))
    assert size(SPACE) == 15_625 == len(enumerate_archs(SPACE))
    assert len(near) == 24 == len({a for _, a in near})


def test_there_are_5044_functions_and_6466_published_strings() -> None:
    archs = tuples(enumerate_archs(SPACE))
    assert SPACE.classes() == 5_044 == len({SPACE.canonical(a) for a in archs})
    assert len({SPACE.published(a) for a in archs}) == 6_466


def test_a_canonical_cell_is_its_own_and_has_no_idle_operation() -> None:
    ends = tuple((str(s), str(t)) for s, t in SPACE.cell.edges)
    for a in {SPACE.canonical(a) for a in tuples(enumerate_archs(SPACE))}:
        assert SPACE.canonical(a) == a
        live = live_edges(ends, tuple(i != 0 for i in a), "0", "3")
        assert all(on or i == 0 for i, on in zip(a, live, strict=True))


def test_canonical_never_costs_more() -> None:
    archs = enumerate_archs(SPACE)
    folded = array([SPACE.canonical(a) for a in tuples(archs)], SPACE)
    for name, cost in SPACE.costs(archs, CIFAR).items():
        assert (SPACE.costs(folded, CIFAR)[name] <= cost).all()


def test_cells_of_one_class_compute_the_same_with_the_same_weights() -> None:
    # pool(conv(x) + x) = pool(conv(x)) + pool(x)
    whole = arch("|nor_conv_3x3~0|+|skip_connect~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|")
    parts = arch("|nor_conv_3x3~0|+|none~0|none~1|+|avg_pool_3x3~0|avg_pool_3x3~1|none~2|")
    assert SPACE.canonical(whole) == SPACE.canonical(parts)
    one, two = SMALL.build(whole, DIGITS).eval(), SMALL.build(parts, DIGITS).eval()
    two.load_state_dict(one.state_dict())
    x = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(one(x), two(x))


def test_one_shared_convolution_is_not_two_of_their_own() -> None:
    # both are conv1x1(x) + conv1x1(x), once by two skips out of node 1, once by two convolutions
    shared = arch("|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|skip_connect~1|skip_connect~2|")
    apart = arch("|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_1x1~0|skip_connect~1|none~2|")
    assert SPACE.canonical(shared) != SPACE.canonical(apart)


def test_swapping_the_two_middle_nodes_changes_nothing() -> None:
    one = arch("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|")
    two = arch("|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|")
    assert SPACE.canonical(one) == SPACE.canonical(two)


def test_official_strings_are_read_and_written() -> None:
    for a in tuples(sample(SPACE, 100, np.random.default_rng(1))):
        assert SPACE.read(SPACE.text(a)) == a
    assert SPACE.text(arch(INDEX_11)) == INDEX_11


@pytest.mark.parametrize(
    "text",
    [
        "",
        "|none~0|",
        INDEX_0.replace("avg_pool_3x3", "avg_pool_5x5"),
        INDEX_0.replace("~1|skip_connect~2", "~1|skip_connect~1"),
        INDEX_0.replace("skip_connect~2|", "skip_connect~3|"),
        INDEX_0 + "+|none~0|",
        INDEX_0 + "\x00",
    ],
)
def test_other_strings_are_not_read(text: str) -> None:
    assert SPACE.read(text) is None


def test_the_zero_cell_is_valid_and_all_dead() -> None:
    assert SPACE.invalid((0,) * 6) == ""
    assert all(e.dead for e in SPACE.graph((0,) * 6, CIFAR).edges)


def test_dead_edges_are_marked_in_the_graph() -> None:
    # node 1 gets nothing, so its convolution to the output is dead; node 2 leads nowhere
    graph = SPACE.graph(
        arch("|none~0|+|skip_connect~0|none~1|+|nor_conv_3x3~0|nor_conv_1x1~1|none~2|"), CIFAR
    )
    assert [e.choice for e in graph.edges if not e.dead] == ["edge_3_0"]


def test_the_network_of_the_graph_is_the_official_skeleton() -> None:
    blocks = SPACE.graph((1,) * 6, CIFAR).blocks
    assert [(b.kind, b.repeats, b.shape) for b in blocks] == [
        ("stem", 1, (16, 32, 32)),
        ("cell", 5, (16, 32, 32)),
        ("reduction", 1, (32, 16, 16)),
        ("cell", 5, (32, 16, 16)),
        ("reduction", 1, (64, 8, 8)),
        ("cell", 5, (64, 8, 8)),
        ("head", 1, (10,)),
    ]


def test_the_skeleton_does_not_change_an_arch_key() -> None:
    assert key(SPACE, arch(INDEX_0)) == key(SMALL, arch(INDEX_0))
