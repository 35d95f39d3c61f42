from __future__ import annotations

import numpy as np

from nascore.encode import adjacency_encoding, path_encoding, paths
from nascore.graph import Edge, Graph, Node
from nascore.space import enumerate_archs, sample, tuples
from nascore.spaces.darts import Darts
from nascore.spaces.nasbench101 import Nasbench101
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR

C3, C1, MP = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"


def test_paths_of_a_cell_with_operations_on_nodes() -> None:
    space = Nasbench101()
    arch = space.place([(0, 1), (0, 2), (1, 3), (2, 3), (3, 4), (0, 4)], [C3, C1, MP])
    assert dict(paths(space.graph(arch, CIFAR))) == {
        ("input", C3, MP): 1,
        ("input", C1, MP): 1,
        ("input",): 1,
    }


def test_paths_of_a_cell_with_operations_on_edges() -> None:
    space = Nasbench201()
    text = "|nor_conv_1x1~0|+|none~0|skip_connect~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    arch = space.read(text)
    assert arch is not None
    assert dict(paths(space.graph(arch, CIFAR))) == {
        ("input", "nor_conv_1x1", "avg_pool_3x3"): 1,
        ("input", "nor_conv_1x1", "skip_connect", "nor_conv_3x3"): 1,
    }


def test_equal_paths_are_counted() -> None:
    nodes = tuple(Node(str(i), str(i)) for i in range(4))
    edges = tuple(Edge(s, t, "a") for s, t in (("0", "1"), ("0", "2"), ("1", "3"), ("2", "3")))
    assert dict(paths(Graph(nodes, edges))) == {("0", "a", "a"): 2}


def test_a_cell_that_lets_nothing_through_has_no_path() -> None:
    space = Nasbench201()
    counts, names = path_encoding([space.graph((0,) * 6, CIFAR), space.graph((1,) * 6, CIFAR)])
    assert counts[0].tolist() == [0] * len(names)
    assert counts[1].sum() == 4  # 0-3, 0-1-3, 0-2-3, 0-1-2-3


def test_adjacency_tells_all_cells_apart() -> None:
    space = Nasbench201()
    archs = tuples(enumerate_archs(space)[::41])
    rows, names = adjacency_encoding([space.graph(a, CIFAR) for a in archs])
    assert rows.shape == (len(archs), 30) == (len(archs), len(names))
    assert len(np.unique(rows, axis=0)) == len(archs)


def test_both_cells_and_both_inputs_of_darts_have_paths_of_their_own() -> None:
    space = Darts()
    graphs = [space.graph(a, CIFAR) for a in tuples(sample(space, 5, np.random.default_rng(0)))]
    starts = {path[0] for g in graphs for path in paths(g)}
    assert starts == {"normal input 1", "normal input 2", "reduce input 1", "reduce input 2"}
