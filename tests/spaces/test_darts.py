from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from nascore.gates import Gate, Gates, one_hot
from nascore.space import array, sample, size, tuples
from nascore.spaces.darts import OPTIONS, Darts
from nascore.task import CIFAR, Shape

SPACE = Darts()
TINY = Darts(cells=1, channels=4, stages=2)
SHAPE = Shape((("image", (1, 7, 7)),), (("class", 3),))
IMAGES = torch.randn(4, 1, 7, 7, generator=torch.Generator().manual_seed(0))
# the released cell of the second order; its network is said to have 3.349342 M parameters
DARTS_V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), "
    "('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), "
    "('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
SHARED = Path(os.environ.get("NASCOPE_SHARED", "../shared")) / "benchmarks"


def arch(text: str) -> tuple[int, ...]:
    found = SPACE.read(text)
    assert found is not None
    return found


def test_the_space_is_as_large_as_published() -> None:
    # section 3.2 of the paper: two cells; nodes with 2, 3, 4, 5 possible sources keep two; 7 operations
    assert size(SPACE) == (1 * 3 * 6 * 10 * 7**8) ** 2 == 1_037_664_180**2
    assert len([c for c in SPACE.choices() if "edge_" in c.name]) == 2 * 14


def test_sharp_operations_make_a_space_of_their_own() -> None:
    sharp = Darts(cells=1, channels=4, stages=2, ops="sharp")
    assert size(sharp) == (1 * 3 * 6 * 10 * 8**8) ** 2
    for one in tuples(sample(sharp, 4, np.random.default_rng(0))):
        text = sharp.text(one)
        assert sharp.read(text) == one
        assert "sep_conv_5x5" not in text
        net = sharp.build(one, SHAPE).eval()
        assert net(IMAGES).shape == (4, 3)
        assert sharp.graph(one, SHAPE).params == sum(p.numel() for p in net.parameters())
    plain = TINY.text(tuples(sample(TINY, 1, np.random.default_rng(0)))[0]).replace(
        "dil_conv_3x3", "dil_conv_5x5"
    )
    assert "conv_5x5" in plain
    assert sharp.read(plain) is None


def test_the_released_cell_has_the_published_parameters() -> None:
    graph = SPACE.graph(arch(DARTS_V2), CIFAR)
    assert graph.params == 3_349_342
    assert sum(p.numel() for p in SPACE.build(arch(DARTS_V2), CIFAR).parameters()) == 3_349_342


def test_parameters_equal_the_published_ones_of_five_hundred_cells() -> None:
    file = SHARED / "oncenas_darts545.parquet"
    if not file.exists():
        pytest.skip("the shared benchmark files are not here")
    duckdb = pytest.importorskip("duckdb")
    asked = f"SELECT architecture, params_m FROM '{file}'"  # noqa: S608 -- our file
    texts, params = zip(*duckdb.sql(asked).fetchall(), strict=True)
    archs = [arch(t) for t in texts]
    ours = SPACE.costs(array(archs, SPACE), CIFAR)["params"]
    # in the other 17 a node gets nothing by `none`, and we leave out what would read it
    whole = [i for i, a in enumerate(archs) if all(nodes_read(a))]
    assert len(whole) == 528
    np.testing.assert_allclose(ours[whole] / 1e6, np.array(params)[whole], atol=1e-9)


def nodes_read(a: tuple[int, ...]) -> list[bool]:
    """Whether each node of both cells gets something."""
    return [not n.dead for n in SPACE.graph(a, SHAPE).nodes]


def test_a_genotype_is_read_and_written() -> None:
    for a in tuples(sample(SPACE, 20, np.random.default_rng(0))):
        assert SPACE.read(SPACE.text(a)) == a
    again = SPACE.text(arch(DARTS_V2))
    assert "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1)" in again


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Genotype()",
        "open('x')",
        "Genotype(normal=[('sep_conv_3x3', 0)], reduce=[])",
        DARTS_V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 9)"),
        DARTS_V2.replace("dil_conv_3x3", "dil_conv_9x9"),
        DARTS_V2.replace("('sep_conv_3x3', 1)", "('sep_conv_3x3', 0)"),
        "(" * 3000,
    ],
)
def test_another_text_is_no_genotype(text: str) -> None:
    assert SPACE.read(text) is None


def test_the_compact_form_of_surrogates_is_read() -> None:
    # (source, operation) with the operations counted without none
    pairs = "((0, 3), (1, 3), (0, 3), (1, 3), (1, 3), (0, 2), (0, 2), (2, 5))"
    reduce = "((0, 0), (1, 0), (2, 2), (1, 0), (0, 0), (2, 2), (2, 2), (1, 0))"
    assert SPACE.read(f"({pairs}, {reduce})") == arch(DARTS_V2)


def test_nodes_may_be_numbered_in_any_order() -> None:
    swapped = DARTS_V2.replace("('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)", "@")
    # node 4 and node 5 of the normal cell do not read each other
    other = swapped.replace(
        "('sep_conv_3x3', 1), @", "('skip_connect', 0), ('dil_conv_3x3', 2), ('sep_conv_3x3', 1), @"
    ).replace("@", "('skip_connect', 0)")
    assert arch(other) != arch(DARTS_V2)
    assert SPACE.canonical(arch(other)) == SPACE.canonical(arch(DARTS_V2))


def test_equal_cells_cost_the_same_and_others_are_not_folded() -> None:
    archs = tuples(sample(SPACE, 200, np.random.default_rng(1)))
    folded = [SPACE.canonical(a) for a in archs]
    before, after = (SPACE.costs(array(x, SPACE), CIFAR)["params"] for x in (archs, folded))
    np.testing.assert_array_equal(before, after)
    assert len(set(folded)) == 200
    assert [SPACE.canonical(a) for a in folded] == folded


def test_none_is_mixed_in_though_it_is_not_open() -> None:
    net = TINY.supernet(SHAPE, "separate", TINY.choices()).eval()
    a = tuples(sample(TINY, 1, np.random.default_rng(0)))[0]
    whole = one_hot(TINY, a)
    name = next(c.name for c, i in zip(TINY.choices(), a, strict=True) if "edge_5" in c.name and i > 0)
    half: Gates = {**whole, name: Gate((0, *whole[name].options), torch.tensor([0.5, 0.5]))}
    gone: Gates = {**whole, name: Gate((0,), torch.ones(1))}
    assert not torch.allclose(net(IMAGES, half), net(IMAGES, whole))
    assert not torch.allclose(net(IMAGES, gone), net(IMAGES, whole))
    assert TINY.invalid(without_op(a, name)) == f"{name}: none is not open here"


def without_op(a: tuple[int, ...], name: str) -> tuple[int, ...]:
    return tuple(0 if c.name == name else i for c, i in zip(TINY.choices(), a, strict=True))


def test_all_pairs_of_sources_together_take_every_edge_whole() -> None:
    net = TINY.supernet(SHAPE, "separate", TINY.choices()).eval()
    ops: Gates = {
        c.name: Gate((3,), torch.ones(1)) for c in TINY.choices() if "edge_" in c.name
    }  # skip connections only
    whole = {
        c.name: Gate(c.open, torch.full((len(c.options),), 1 / (int(c.name[-1]) - 1)))
        for c in TINY.choices()
        if "keep_" in c.name
    }
    cell = net.net.blocks[0].cell
    x, y = torch.rand(1, 4, 5, 5), torch.rand(1, 4, 5, 5)
    parts = cell([x, y], {**ops, **whole})
    two, three = x + y, (x + y) * 2
    torch.testing.assert_close(parts[0], two)
    torch.testing.assert_close(parts[1], three)
    torch.testing.assert_close(parts[2], x + y + two + three)


def test_opening_none_keeps_indices() -> None:
    opened = replace(SPACE, none=True)
    assert size(opened) == (180 * 8**8) ** 2
    assert opened.choices()[0].options == SPACE.choices()[0].options == OPTIONS
    assert "none" in opened.text(without_op(arch(DARTS_V2), "normal.edge_2_0"))


def test_every_sample_and_its_costs_are_there_at_once() -> None:
    import time

    begun = time.process_time()
    archs = sample(SPACE, 500, np.random.default_rng(0))
    SPACE.costs(archs, CIFAR)
    assert time.process_time() - begun < 2
