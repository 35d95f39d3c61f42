from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from nascore.errors import BadInput, NotSupported
from nascore.gates import Gate, Softmax
from nascore.space import array, sample, size, tuples
from nascore.spaces.nasbench101 import OPERATIONS, Module, Nasbench101, module_hash
from nascore.spaces.nasbench101_count import unique, whole
from nascore.task import CIFAR, Shape

SPACE = Nasbench101()
TINY = Nasbench101(cells=1, channels=8, stages=2)
SHAPE = Shape((("image", (1, 7, 7)),), (("class", 3),))
IMAGES = torch.randn(4, 1, 7, 7, generator=torch.Generator().manual_seed(0))
C3, C1, MP = OPERATIONS
# text of the records, its hash, its parameters
RECORD = (
    "0110001000010000:input,maxpool3x3,maxpool3x3,output",
    "001a6fcc8b38cbc515be788a86bdc804",
    1_756_298,
)
SHARED = Path(os.environ.get("NASCOPE_SHARED", "../shared")) / "benchmarks"


def arch(text: str, space: Nasbench101 = SPACE) -> tuple[int, ...]:
    found = space.read(text)
    assert found is not None
    return found


def records() -> list[tuple[str, str, int]]:
    """(text, hash, parameters) of all modules of at most five nodes, as published."""
    file = SHARED / "ecnas_nb101_energy.parquet"
    if not file.exists():
        pytest.skip("the shared benchmark files are not here")
    duckdb = pytest.importorskip("duckdb")
    asked = f"SELECT DISTINCT adjacency, op_labels, module_hash, params FROM '{file}'"  # noqa: S608 -- our file
    names = {"-1": "input", "-2": "output", **{str(i): op for i, op in enumerate(OPERATIONS)}}
    return [
        (f"{bits}:{','.join(names[o] for o in ops.split(','))}", h, params)
        for bits, ops, h, params in duckdb.sql(asked).fetchall()
    ]


def test_a_record_has_its_hash_and_parameters() -> None:
    text, name, params = RECORD
    a = arch(text)
    assert (SPACE.module_hash(a), SPACE.graph(a, CIFAR).params) == (name, params)
    assert sum(p.numel() for p in SPACE.build(a, CIFAR).parameters()) == params


def test_all_published_small_modules_have_their_hashes_and_parameters() -> None:
    texts, hashes, params = zip(*records(), strict=True)
    archs = [arch(t) for t in texts]
    assert len(set(hashes)) == 2_532
    assert [SPACE.module_hash(a) for a in archs] == list(hashes)
    assert SPACE.costs(array(archs, SPACE), CIFAR)["params"].tolist() == list(params)
    assert len({SPACE.canonical(a) for a in archs}) == 2_532


def test_there_are_as_many_modules_as_published() -> None:
    assert size(SPACE) == 2**21 * 3**5 == 509_607_936
    assert SPACE.classes() == 423_624
    # EC-NAS lists 91 and 2,532 modules of at most 4 and 5 nodes
    assert (Nasbench101(nodes=4).classes(), Nasbench101(nodes=5).classes()) == (91, 2_532)


def listed(nodes: int) -> Iterator[tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]]:
    pairs = [(s, t) for s in range(nodes) for t in range(s + 1, nodes)]
    for code in whole(nodes, 9).tolist():
        on = {pair for j, pair in enumerate(pairs) if code >> j & 1}
        matrix = tuple(tuple(int((s, t) in on) for t in range(nodes)) for s in range(nodes))
        for ops in product(OPERATIONS, repeat=nodes - 2):
            yield matrix, ("input", *ops, "output")


@pytest.mark.parametrize("nodes", [2, 3, 4, 5])
def test_the_count_is_that_of_listing_all(nodes: int) -> None:
    assert unique(nodes, 9, 3) == len({module_hash(m, ops) for m, ops in listed(nodes)})


def test_a_renumbered_module_is_the_same() -> None:
    one = SPACE.place([(0, 1), (0, 2), (1, 3), (2, 4), (3, 4)], [C3, C1, MP])
    two = SPACE.place([(0, 1), (0, 2), (2, 3), (1, 4), (3, 4)], [C1, C3, MP])
    other = SPACE.place([(0, 1), (0, 2), (1, 3), (2, 4), (3, 4)], [C1, C3, MP])
    assert SPACE.module_hash(one) == SPACE.module_hash(two) != SPACE.module_hash(other)
    assert SPACE.canonical(one) == SPACE.canonical(two) != SPACE.canonical(other)
    assert one != two


def test_canonical_modules_keep_their_hash() -> None:
    for a in tuples(sample(SPACE, 100, np.random.default_rng(0))):
        folded = SPACE.canonical(a)
        assert SPACE.module_hash(folded) == SPACE.module_hash(a)
        assert SPACE.canonical(folded) == folded


def test_what_no_path_meets_is_cut_away() -> None:
    # node 2 leads nowhere, node 3 hears nothing
    a = arch(f"0110000001000000000100000:input,{C3},{C1},{MP},output")
    module = SPACE.module(a)
    assert (module.nodes, module.ops) == ((1,), (C3,))
    assert SPACE.canonical(a) == arch(f"010001000:input,{C3},output")
    graph = SPACE.graph(a, CIFAR)
    assert [n.id for n in graph.nodes if n.dead] == ["2", "3", "4", "5"]
    assert [(e.source, e.target) for e in graph.edges if e.dead] == [("0", "2"), ("3", "6")]


def test_channels_are_shared_out_and_the_first_ones_get_the_rest() -> None:
    into = Module((1, 2, 3), ((0, 1), (0, 2), (0, 3), (1, 6), (2, 6), (3, 6)), (C3,) * 3, 6)
    assert into.widths(128) == {1: 43, 2: 43, 3: 42}
    chain = Module((1, 2, 3), ((0, 1), (1, 2), (1, 3), (2, 6), (3, 6)), (C3,) * 3, 6)
    assert chain.widths(7) == {1: 4, 2: 4, 3: 3}


def test_no_path_or_ten_edges_are_refused() -> None:
    assert "nothing leads" in SPACE.invalid((0,) * 26)
    with pytest.raises(BadInput, match="nothing leads from the input to the output"):
        SPACE.build((0,) * 26, CIFAR)
    assert "at most 9 may" in SPACE.invalid((1,) * 21 + (0,) * 5)
    assert Nasbench101(most_edges=21).invalid((1,) * 21 + (0,) * 5) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "010001000:input,output",
        f"010001001:input,{C3},output",
        "010001000:input,conv9x9,output",
        f"010001000:output,{C3},input",
        RECORD[0][1:],
    ],
)
def test_another_text_is_no_module(text: str) -> None:
    assert SPACE.read(text) is None


def multiply_adds(net: torch.nn.Module) -> int:
    """What convolutions and linear layers do in one pass."""
    seen: list[int] = []
    for m in net.eval().modules():
        if isinstance(m, torch.nn.Conv2d):
            m.register_forward_hook(lambda m, _, y: seen.append(m.weight.numel() * y[0, 0].numel()))
        if isinstance(m, torch.nn.Linear):
            m.register_forward_hook(lambda m, *_: seen.append(m.weight.numel() + m.bias.numel()))
    net(IMAGES)
    return sum(seen)


def test_multiply_adds_equal_what_the_layers_do() -> None:
    for a in tuples(sample(TINY, 5, np.random.default_rng(3))):
        assert multiply_adds(TINY.build(a, SHAPE)) == TINY.graph(a, SHAPE).flops


def test_mixed_gates_train_all_they_list_and_an_empty_graph_is_refused() -> None:
    net = TINY.supernet(SHAPE, "separate", TINY.choices())
    gating = Softmax(TINY)
    net(IMAGES, gating()).square().sum().backward()
    assert all(p.grad is not None for p in gating.parameters())
    none = {c.name: Gate((0,), torch.ones(1)) for c in TINY.choices()}
    with pytest.raises(NotSupported, match="no path"):
        net(IMAGES, none)
