from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from nascore.errors import BadInput, NotSupported
from nascore.gates import Gate, Gates, Softmax, one_hot
from nascore.ops import ScheduledDropPath
from nascore.space import array, sample, size, tuples
from nascore.spaces.nasnet import NASNET_A, NASNET_A_JOINED, OPTIONS, Nasnet, unused
from nascore.task import CIFAR, Shape

SPACE = Nasnet()
PUBLISHED = replace(SPACE, joined=NASNET_A_JOINED)
TINY = Nasnet(blocks=2, cells=1, channels=4, stages=2)
SHAPE = Shape((("image", (1, 7, 7)),), (("class", 3),))
IMAGES = torch.randn(4, 1, 7, 7, generator=torch.Generator().manual_seed(0))


def arch(text: str, space: Nasnet = SPACE) -> tuple[int, ...]:
    found = space.read(text)
    assert found is not None
    return found


def some(n: int, space: Nasnet = TINY, seed: int = 0) -> list[tuple[int, ...]]:
    return tuples(sample(space, n, np.random.default_rng(seed)))


def test_fifty_decisions_make_the_space() -> None:
    # 5 blocks of 2 states out of 2, 3, 4, 5, 6, two of 13 operations, 2 combinations; two such cells
    one = (2 * 3 * 4 * 5 * 6) ** 2 * 13**10 * 2**5
    assert size(SPACE) == one**2
    assert len(SPACE.choices()) == 50
    assert len(OPTIONS) == 13


def test_the_published_cells_are_decoded_from_their_fifty_decisions() -> None:
    a = arch(NASNET_A)
    assert len(a) == 50
    assert SPACE.text(a) == NASNET_A
    graph = PUBLISHED.graph(a, CIFAR)
    into = [e.source for e in graph.edges if e.target == "reduce.output"]
    assert into == ["reduce.3", "reduce.4", "reduce.5", "reduce.6"]
    assert len([e for e in graph.edges if e.target == "normal.output"]) == 6
    # the fourth block of the reducing cell: an identity of the second and a pool of the first
    fourth = {e.source for e in graph.edges if e.target in ("reduce.3a", "reduce.3b")}
    assert fourth == {"reduce.3", "reduce.2"}


def test_the_published_network_has_about_as_many_parameters() -> None:
    a = arch(NASNET_A)
    graph = PUBLISHED.graph(a, CIFAR)
    assert graph.blocks[-2].shape[0] == 768  # it is called 6 @ 768, and said to have 3.3 M parameters
    assert graph.params == pytest.approx(3.3e6, rel=0.02)
    assert sum(p.numel() for p in PUBLISHED.build(a, CIFAR).parameters()) == graph.params


def test_states_that_no_block_takes_are_concatenated() -> None:
    text = "normal: skip_connect(0)+skip_connect(0), nor_conv_1x1(2)&skip_connect(0); "
    a = arch(text + text[:-2].replace("normal", "reduce"), TINY)
    cells = TINY.decoded(a)
    assert unused(cells["normal"]) == (1, 3)
    assert TINY.graph(a, SHAPE).blocks[1].shape == (8, 7, 7)


def test_built_networks_have_the_counted_parameters_and_multiply_adds() -> None:
    for a in some(6):
        seen: list[int] = []
        net, graph = TINY.build(a, SHAPE).eval(), TINY.graph(a, SHAPE)
        assert sum(p.numel() for p in net.parameters()) == graph.params
        for m in net.modules():
            if isinstance(m, torch.nn.Conv2d):
                m.register_forward_hook(lambda m, _, y, s=seen: s.append(m.weight.numel() * y[0, 0].numel()))
            if isinstance(m, torch.nn.Linear):
                m.register_forward_hook(lambda m, *_, s=seen: s.append(m.weight.numel()))
        net(IMAGES)
        assert sum(seen) + 3 == graph.flops


def test_sides_and_numbers_of_blocks_do_not_matter() -> None:
    text = "{}: sep_conv_3x3(0)+sep_conv_5x5(1), max_pool_3x3(0)&avg_pool_3x3(0)"
    swap = "{}: avg_pool_3x3(0)&max_pool_3x3(0), sep_conv_5x5(1)+sep_conv_3x3(0)"
    other = "{}: avg_pool_3x3(0)+max_pool_3x3(0), sep_conv_5x5(1)+sep_conv_3x3(0)"
    one, two, three = (arch(f"{t.format('normal')}; {t.format('reduce')}", TINY) for t in (text, swap, other))
    assert one != two
    assert TINY.canonical(one) == TINY.canonical(two) != TINY.canonical(three)


def test_equal_cells_cost_the_same() -> None:
    archs = some(50, SPACE)
    folded = [SPACE.canonical(a) for a in archs]
    before, after = (SPACE.costs(array(x, SPACE), CIFAR)["params"] for x in (archs, folded))
    np.testing.assert_array_equal(before, after)


def test_texts_come_back_and_others_are_refused() -> None:
    for a in some(20, SPACE):
        assert SPACE.read(SPACE.text(a)) == a
    bad = ("", "normal: ", NASNET_A[:-1], NASNET_A.replace("(3)", "(9)"), NASNET_A + "; reduce: ")
    assert [SPACE.read(t) for t in bad] == [None] * len(bad)


@pytest.mark.parametrize(
    ("joined", "said"),
    [
        (((2,),), "1 lists; give none"),
        (((2, 2), (2,)), "no rising list"),
        (((), (2,)), "no rising list"),
        (((7,), (2,)), "has no state of 0 to 6"),
    ],
)
def test_an_output_of_no_states_is_refused(joined: tuple[tuple[int, ...], ...], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Nasnet(joined=joined)


def test_a_supernet_with_a_given_output_equals_what_is_extracted() -> None:
    space = replace(TINY, joined=((0, 2), (1, 3)))
    net = space.supernet(SHAPE, "separate", space.choices())
    net(IMAGES, Softmax(space)())
    for a in some(5, space):
        alone = net.eval().extract(a)
        torch.testing.assert_close(alone(IMAGES), net(IMAGES, one_hot(space, a)), rtol=0, atol=1e-6)


def test_a_state_is_joined_by_how_much_it_is_left() -> None:
    net = TINY.supernet(SHAPE, "separate", TINY.choices()).eval()
    text = "normal: skip_connect(0)+skip_connect(0), skip_connect(0)+skip_connect(0); "
    gates = one_hot(TINY, arch(text + text[:-2].replace("normal", "reduce"), TINY))
    half: Gates = {**gates, "normal.block_1.in_a": Gate((0, 1), torch.tensor([0.75, 0.25]))}
    x, y = torch.rand(1, 4, 5, 5), torch.rand(1, 4, 5, 5)
    cell = net.net.blocks[0].cell
    parts = cell([x, y], half)
    assert parts[0] is None
    torch.testing.assert_close(parts[1], 0.75 * y)
    torch.testing.assert_close(parts[3], 0.75 * x + 0.25 * y + x)


def test_paths_are_dropped_deeper_and_later_and_scaled() -> None:
    drop = ScheduledDropPath(0.6, depth=0.5, over=10)
    x = torch.ones(4000, 1, 1, 1)
    assert torch.equal(drop(x), x)  # the first batch
    for _ in range(9):
        drop(x)
    torch.manual_seed(0)
    assert drop.kept == pytest.approx(0.8)  # 1 - 0.5 * (1 - 0.6)
    y = drop(x)
    assert sorted({round(v, 4) for v in y.flatten().tolist()}) == [0, 1.25]
    assert float(y.mean()) == pytest.approx(1, abs=0.05)
    assert torch.equal(drop.eval()(x), x)


def test_identities_are_never_dropped_and_the_count_survives() -> None:
    space = replace(TINY, keep_path=0.5, path_batches=3)
    net = space.build(some(1, space)[0], SHAPE).train()
    drops = [m for m in net.modules() if isinstance(m, ScheduledDropPath)]
    assert drops
    net(IMAGES)
    again = space.build(some(1, space)[0], SHAPE)
    again.load_state_dict(net.state_dict())
    assert {int(m.seen) for m in again.modules() if isinstance(m, ScheduledDropPath)} == {1}


def test_entangled_sharing_is_refused() -> None:
    with pytest.raises(NotSupported, match="choose separate"):
        TINY.supernet(SHAPE, "entangled", TINY.choices())
