from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.errors import BadInput, NotSupported
from nascore.gates import one_hot
from nascore.space import sample, size, tuples
from nascore.spaces.cell import Cell
from nascore.task import Shape

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
