from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
import torch

from nascore.errors import BadInput, NotSupported
from nascore.gates import Gate, Softmax, one_hot
from nascore.space import array, enumerate_archs, fixed, from_choices, sample, size, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.cell_drawn_net import DrawnCell
from nascore.spaces.cell_wiring import scheme
from nascore.spaces.nasbench201 import Nasbench201
from nascore.supernet import inherit
from nascore.task import CIFAR, Shape

SHAPE = Shape((("image", (1, 7, 7)),), (("class", 3),))
DIAMOND = Cell(
    4,
    ((0, 1), (0, 2), (1, 3), (2, 3)),
    (("skip_connect", "nor_conv_1x1"), ("none", "nor_conv_3x3"), ("skip_connect",), ("avg_pool_3x3", "none")),
    channels=4,
    stages=3,
)
IMAGES = torch.randn(5, 1, 7, 7, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"nodes": 2}, "does not lead from a lower to a higher node of 2"),
        ({"edges": ()}, "at least one edge"),
        ({"edges": ((1, 0),)}, r"\[1, 0\] does not lead"),
        ({"edges": ((0, 2), (0, 2))}, "listed twice"),
        ({"ops": (("none",), ("none",))}, "2 lists for 3 edges"),
        ({"ops": (("nor_conv_9x9",),)}, "'nor_conv_9x9' is none of none, skip_connect"),
        ({"ops": (("none", "none"),)}, "none twice"),
        ({"ops": ((),)}, "at least one operation"),
    ],
)
def test_a_drawing_that_is_no_cell_is_refused(knobs: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Cell(**knobs)


def test_every_edge_has_its_own_options() -> None:
    assert [c.name for c in DIAMOND.choices()] == ["edge_1_0", "edge_2_0", "edge_3_1", "edge_3_2"]
    assert size(DIAMOND) == 2 * 2 * 1 * 2


def test_a_drawn_cell_goes_through_json() -> None:
    from nascore import codec

    text = codec.dumps(codec.to_json(DIAMOND))
    assert codec.from_json("space", codec.loads(text)) == DIAMOND


def test_a_drawn_cell_has_a_notation_of_its_own() -> None:
    for arch in tuples(sample(DIAMOND, 8, np.random.default_rng(0))):
        assert DIAMOND.read(DIAMOND.text(arch)) == arch
    assert DIAMOND.text((1, 1, 0, 0)) == "|nor_conv_1x1~0|+|nor_conv_3x3~0|+|skip_connect~1|avg_pool_3x3~2|"


def test_maps_of_odd_size_pass_all_stages() -> None:
    assert DIAMOND.sizes(SHAPE) == ((4, 7, 7), (8, 4, 4), (16, 2, 2))
    assert DIAMOND.build((1, 1, 0, 0), SHAPE)(IMAGES).shape == (5, 3)


def test_a_built_network_has_the_counted_parameters_less_its_dead_edges() -> None:
    for arch in ((1, 1, 0, 0), (1, 1, 0, 1), (0, 0, 0, 0)):
        graph, net = DIAMOND.graph(arch, SHAPE), DIAMOND.build(arch, SHAPE)
        dead = sum(e.params for e in graph.edges if e.dead)
        assert sum(p.numel() for p in net.parameters()) == graph.params - dead


def test_multiply_adds_equal_what_the_layers_do() -> None:
    seen = []
    net = DIAMOND.build((1, 1, 0, 0), SHAPE).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda m, _, y: seen.append(m.weight.numel() * y[0, 0].numel()))
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda m, *_: seen.append(m.weight.numel() + m.bias.numel()))
    net(IMAGES)
    assert sum(seen) == DIAMOND.graph((1, 1, 0, 0), SHAPE).flops


@pytest.mark.parametrize("space", [Nasbench201(2, 8, 2, 1), DIAMOND, fixed(DIAMOND, (1, 1, 0, 0))])
def test_networks_from_the_modules_of_those_before_have_the_bits_of_new_ones(space: Any) -> None:
    """Weights, statistics, modes, names and what is left of the stream of random numbers."""
    build = space.builder(SHAPE)
    for seed, arch in enumerate(tuples(sample(space, 12, np.random.default_rng(0))) * 2):
        torch.manual_seed(seed)
        net, left = space.build(arch, SHAPE), torch.rand(3)
        torch.manual_seed(seed)
        again, rest = build(arch), torch.rand(3)
        assert [n for n, _ in again.named_modules()] == [n for n, _ in net.named_modules()]
        assert all(m.training for m in again.modules())
        assert list(again.state_dict()) == list(net.state_dict())
        assert all(torch.equal(again.state_dict()[n], v) for n, v in net.state_dict().items())
        assert torch.equal(rest, left)
        assert torch.equal(again(IMAGES), net(IMAGES))
        again.eval()


def test_the_order_of_edges_does_not_change_the_network() -> None:
    turned = Cell(4, DIAMOND.edges[::-1], DIAMOND.ops[::-1], channels=4, stages=3)
    one, two = DIAMOND.build((1, 1, 0, 0), SHAPE).eval(), turned.build((0, 0, 1, 1), SHAPE).eval()
    two.load_state_dict(one.state_dict())
    torch.testing.assert_close(one(IMAGES), two(IMAGES))


def test_a_cell_that_lets_nothing_through_gives_the_same_for_all_images() -> None:
    cell = Cell()
    out = cell.build((0, 0, 0), SHAPE).eval()(IMAGES)
    assert torch.equal(out, out[:1].expand_as(out))


def test_a_layer_on_an_empty_node_is_left_out_of_the_supernet_too() -> None:
    cell = Cell(ops=(("none", "nor_conv_1x1"),))
    net = cell.supernet(SHAPE, "separate", cell.choices()).eval()
    for name, buffer in net.named_buffers():
        if name.endswith("running_mean"):
            buffer.fill_(1.0)  # then a batch norm makes something out of zeros
    arch = cell.read("|none~0|+|nor_conv_1x1~0|nor_conv_1x1~1|")
    assert arch is not None
    torch.testing.assert_close(net(IMAGES, one_hot(cell, arch)), net.extract(arch)(IMAGES), rtol=0, atol=1e-6)


def test_large_cells_fold_dead_edges_only_and_at_once() -> None:
    edges = tuple((s, t) for t in range(1, 12) for s in range(t))
    cell = Cell(12, edges)
    arch = (4,) * 65 + (0,)  # the last node still hears all others but the one before it
    assert cell.classes() is None
    assert [i for i, (a, b) in enumerate(zip(arch, cell.canonical(arch), strict=True)) if a != b] == [
        i for i, (_, t) in enumerate(edges) if t == 10
    ]


def test_many_equal_layers_do_not_hang_the_count_of_classes() -> None:
    star = Cell(12, tuple((0, t) for t in range(1, 12)), (("nor_conv_3x3",),))
    assert star.classes() is None


def test_operations_of_a_cell_cannot_be_entangled() -> None:
    with pytest.raises(NotSupported, match="choose separate sharing"):
        DIAMOND.supernet(SHAPE, "entangled", DIAMOND.choices())


ALL = tuple((s, t) for t in range(1, 5) for s in range(t))
TWO = tuple((s, t) for t in range(2, 5) for s in range(t))
INNER = tuple((s, t) for s, t in TWO if t < 4)
OPS = (("none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"),)
FEW = (("skip_connect", "nor_conv_1x1"),)
SORTS: dict[str, dict[str, Any]] = {
    "mean": {"edges": ALL, "combine": "mean"},
    "optional": {"edges": ALL, "optional": True, "most_edges": 6},
    "kept": {"edges": ALL, "keep": 2},
    "on nodes": {"edges": ALL, "ops_on": "nodes", "optional": True},
    "joined": {"edges": ALL, "combine": "concat", "keep": 1},
    "unused joined": {"edges": tuple(e for e in ALL if e[1] < 4), "combine": "concat"},
    "optional joined": {"edges": ALL, "combine": "concat", "optional": True, "ops_on": "nodes"},
    "two inputs": {"edges": TWO, "inputs": 2},
    "two kinds": {"edges": INNER, "inputs": 2, "kinds": ("normal", "reduce"), "combine": "concat"},
    "two kinds of sums": {"edges": ALL, "kinds": ("normal", "reduce"), "ops_on": "nodes", "keep": 1},
}
EVERY = [pytest.param(Cell(5, ops=OPS, channels=2, stages=2, **k), id=n) for n, k in SORTS.items()]


def some(cell: Cell, n: int = 3) -> list[tuple[int, ...]]:
    return tuples(sample(cell, n, np.random.default_rng(0)))


@pytest.mark.parametrize("cell", EVERY)
def test_what_is_extracted_equals_the_one_hot_view(cell: Cell) -> None:
    torch.manual_seed(0)
    net = cell.supernet(SHAPE, "separate", cell.choices())
    net.at(Softmax(cell)())(IMAGES).sum().backward()
    for a in some(cell):
        alone = net.eval().extract(a)
        torch.testing.assert_close(alone(IMAGES), net(IMAGES, one_hot(cell, a)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", EVERY)
def test_live_parts_are_counted_as_they_are_built(cell: Cell) -> None:
    archs = some(cell)
    costs = cell.costs(array(archs, cell), SHAPE)
    for i, a in enumerate(archs):
        seen: list[int] = []
        net, graph = cell.build(a, SHAPE).eval(), cell.graph(a, SHAPE)
        assert sum(p.numel() for p in net.parameters()) == graph.params == costs["params"][i]
        for m in net.modules():
            if isinstance(m, torch.nn.Conv2d):
                m.register_forward_hook(lambda m, _, y, s=seen: s.append(m.weight.numel() * y[0, 0].numel()))
            if isinstance(m, torch.nn.Linear):
                m.register_forward_hook(lambda m, *_, s=seen: s.append(m.weight.numel()))
        net(IMAGES)
        assert sum(seen) + SHAPE.classes == graph.flops == costs["flops"][i]


@pytest.mark.parametrize("cell", EVERY)
def test_settling_dead_parts_changes_no_number(cell: Cell) -> None:
    for a in some(cell, 3):
        folded = cell.canonical(a)
        assert cell.invalid(folded) == ""
        assert cell.canonical(folded) == folded
        assert cell.graph(folded, SHAPE).params == cell.graph(a, SHAPE).params
        torch.manual_seed(0)
        one = cell.build(a, SHAPE).eval()
        two = inherit(cell.build(folded, SHAPE), one).eval()
        torch.testing.assert_close(one(IMAGES), two(IMAGES), rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", EVERY)
def test_texts_and_json_of_any_cell_come_back(cell: Cell) -> None:
    from nascore import codec

    assert codec.from_json("space", codec.loads(codec.dumps(codec.to_json(cell)))) == cell
    for a in some(cell):
        assert cell.read(cell.text(a)) == a
        assert codec.arch_from_json(codec.arch_to_json(cell, a)) == (cell, a)


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"inputs": 2, "edges": ((0, 1), (1, 2))}, "leads into node 1, which is an input"),
        ({"nodes": 2, "inputs": 2, "edges": ((0, 1),)}, "2 inputs and an output need at least 3"),
        ({"nodes": 4, "edges": ((0, 1), (2, 3), (1, 3))}, "no path leads from the input to node 2"),
        ({"edges": ((0, 1),)}, "no path leads from the input to the output, node 2"),
        ({"nodes": 2, "edges": ((0, 1),), "ops_on": "nodes"}, "no inner node"),
        ({"ops_on": "nodes", "ops": (("none",),) * 3}, "3 lists for 1 inner nodes; give one, or one a node"),
        ({"kinds": ("a", "b")}, "neither"),
        ({"kinds": ("normal", "reduce")}, "at least 2 stages"),
        ({"optional": True, "keep": 1}, "choose one of the two"),
        ({"most_edges": 3}, "every edge is always there"),
    ],
)
def test_knobs_that_do_not_fit_are_refused(knobs: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Cell(**knobs)


def test_sizes_are_those_worked_out_by_hand() -> None:
    knobs = {n: Cell(5, ops=OPS, stages=3, **k) for n, k in SORTS.items()}
    assert size(knobs["optional"]) == (1 + 4) ** 10
    # nodes 2, 3 choose among 1, 3 pairs; the output keeps its four edges: 1 + 2 + 2 + 4 operations
    assert size(knobs["kept"]) == 3 * 4**9
    assert size(knobs["on nodes"]) == 2**10 * 4**3
    assert size(knobs["joined"]) == (1 * 2 * 3) * 4**3
    assert size(knobs["two kinds"]) == (4**5) ** 2


def test_the_number_of_valid_graphs_is_that_of_brute_force() -> None:
    cell = Cell(5, ALL, (("nor_conv_1x1",),), ops_on="nodes", optional=True)
    valid = sum(not cell.invalid(a) for a in tuples(enumerate_archs(cell)))
    reached = 0
    for bits in itertools.product((0, 1), repeat=10):
        found = {0}
        for (s, t), on in zip(ALL, bits, strict=True):
            found |= {t} if on and s in found else set()
        reached += 4 in found
    assert valid == reached


def test_too_many_edges_are_counted_where_they_matter() -> None:
    cell = Cell(4, ((0, 1), (0, 2), (1, 2), (0, 3), (2, 3)), FEW, optional=True, most_edges=2)
    names = [c.name for c in cell.choices()]
    on = dict.fromkeys(["use_1_0", "use_2_0", "use_3_0"], "present")
    values = {n: on.get(n, "absent") for n in names if n.startswith("use")}
    ops = {n.replace("use", "edge"): "skip_connect" for n in on}
    assert cell.invalid(from_choices(cell, {**values, **ops})) == ""  # two of three lead nowhere
    values |= {"use_3_2": "present"}
    ops |= {"edge_3_2": "skip_connect"}
    said = cell.invalid(from_choices(cell, {**values, **ops}))
    assert said == "3 edges matter; at most 2 may"


def test_a_mean_is_over_the_edges_that_bring_something() -> None:
    cell = Cell(4, ((0, 1), (0, 2), (0, 3), (1, 3), (2, 3)), (("none", "skip_connect"),), "mean")
    module = DrawnCell(cell, scheme(cell, "cell"), 2, 1, None, cell.choices())
    x = torch.rand(1, 2, 3, 3)
    full = {c.name: Gate((1,), torch.ones(1)) for c in cell.choices()}
    torch.testing.assert_close(module([x], full)[0], x)
    less = {**full, "edge_1_0": Gate((0,), torch.ones(1))}  # then node 1 brings nothing
    torch.testing.assert_close(module([x], less)[0], x)
    half = {**full, "edge_3_0": Gate((0, 1), torch.tensor([0.5, 0.5]))}
    torch.testing.assert_close(module([x], half)[0], (0.5 * x + x + x) / 2.5)


def test_the_output_joins_what_nothing_uses() -> None:
    edges = ((0, 1), (0, 2), (1, 2), (0, 3))
    cell = Cell(5, edges, (("none", "skip_connect"),), "concat", stages=2, channels=4)
    width = [cell.graph(a, SHAPE).blocks[1].shape[0] // 4 for a in ((1, 1, 1, 1), (1, 1, 0, 1), (1, 0, 0, 0))]
    assert width == [2, 3, 1]
    assert "nothing leads" in cell.invalid((0, 0, 0, 0))


def test_a_large_cell_is_looked_through_at_once() -> None:
    edges = tuple((s, t) for t in range(1, 8) for s in range(max(0, t - 3), t))[:20]
    cell = Cell(
        8, (*edges[:17], (0, 7), (1, 7), (2, 7)), (FEW[0], *[OPS[0]] * 19), optional=True, channels=16
    )
    begun = time.process_time()
    archs = sample(cell, 20, np.random.default_rng(0))
    assert size(cell) == (1 + len(FEW[0])) * (1 + len(OPS[0])) ** 19
    assert cell.classes() is None
    cell.costs(archs, CIFAR)
    assert time.process_time() - begun < 1  # 0.02 s on an idle core


def test_a_node_in_part_used_is_joined_in_part() -> None:
    cell = Cell(4, ((0, 1), (1, 2)), (("none", "skip_connect"),), "concat")
    module = DrawnCell(cell, scheme(cell, "cell"), 2, 1, None, cell.choices())
    x = torch.rand(1, 2, 3, 3)
    mixed = {
        "edge_1_0": Gate((1,), torch.ones(1)),
        "edge_2_1": Gate((0, 1), torch.tensor([0.25, 0.75])),
    }
    one, two = module([x], mixed)
    torch.testing.assert_close(one, 0.25 * x)
    torch.testing.assert_close(two, 0.75 * x)
