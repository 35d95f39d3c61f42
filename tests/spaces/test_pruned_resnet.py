"""The shapes that TAS published cost what its authors say; slices of one network are the plain ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.errors import BadInput
from nascore.gates import Gate, Softmax, one_hot
from nascore.space import Sharing, array, restrict, sample, size, tuples
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.supernet import through
from nascore.task import CIFAR, Shape

SMALL = PrunedResnet(depth=14, channels=8)
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
# configs/NeurIPS-2019/C010-ResNet*.config of D-X-Y/AutoDL-Projects: widths, millions of multiply-adds, and
# the listed width of the last block of each stage, dropped or not
PUBLISHED = [
    (
        20,
        "3-3-3|16:6:4:4:4:4:4:32:32:12:19:32:28:64:64:64:64:64:44",
        22.444472,
        (4, 28, 44),
    ),
    (
        32,
        "5-5-5|16:6:4:12:4:4:16:9:9:6:14:32:32:9:19:28:9:32:19:32:9:64:64:64:64:64:64:64:32:38:32",
        34.945344,
        (14, 9, 32),
    ),
    (
        56,
        "5-5-5|16:16:16:14:11:9:16:12:16:6:16:32:32:32:32:32:32:22:28:32:32:64:64:64:64:64:64:64:64:64:51",
        57.93305,
        (4, 9, 25),
    ),
    (
        110,
        "11-11-9|16"
        ":14:16:14:16:16:16:16:16:14:16:16:16:12:16:16:16:9:16:8:16:4:16"
        ":32:32:32:32:32:32:32:32:28:32:32:28:22:22:22:32:32:25:28:9:9:28"
        ":64:64:64:64:64:64:64:64:64:64:64:64:64:64:64:38:64:25",
        117.498238,
        (4, 9, 51),
    ),
]
WHOLE = [(20, 40.81), (32, 69.12), (56, 125.75), (110, 253.15)]


@pytest.mark.parametrize(("depth", "text", "millions", "listed"), PUBLISHED)
def test_published_shapes_have_the_published_multiply_adds(
    depth: int, text: str, millions: float, listed: tuple[int, ...]
) -> None:
    """The authors' estimate takes the width of a stage's last block for the next input even if it is dropped.

    Their network, as ours, takes that of the last block that is there; the difference is added by hand.
    Nothing is dropped in the first two.
    """
    space = PrunedResnet(depth=depth)
    arch = space.read(text)
    assert arch is not None
    assert space.text(arch) == text
    _, rows = space.taken(arch)
    theirs = round(millions * 1e6) + 10  # and the classifier's bias
    for row, after, listed_width, area in zip(rows, rows[1:], listed, (256, 64), strict=False):
        theirs += (row[-1][1] - listed_width) * (9 * after[0][0] + after[0][1]) * area
    theirs += (rows[2][-1][1] - listed[2]) * 10
    assert space.graph(arch, CIFAR).flops == theirs


@pytest.mark.parametrize(("depth", "millions"), WHOLE)
def test_whole_networks_have_the_published_multiply_adds(depth: int, millions: float) -> None:
    space = PrunedResnet(depth=depth)
    whole = tuple(len(c.options) - 1 for c in space.choices())
    assert space.graph(whole, CIFAR).flops == pytest.approx(millions * 1e6, abs=5e3)


def test_widths_are_tenths_of_the_channels() -> None:
    assert PrunedResnet().widths(0) == (4, 6, 8, 9, 11, 12, 14, 16)
    assert PrunedResnet().widths(2) == (19, 25, 32, 38, 44, 51, 57, 64)
    assert len(SMALL.widths(0)) == 7


def test_depths_are_all_or_odd() -> None:
    assert PrunedResnet(depth=14).depths == (1, 2)
    assert PrunedResnet(depth=20).depths == (1, 2, 3)
    assert PrunedResnet(depth=32).depths == (1, 3, 5)
    assert PrunedResnet(depth=110).depths == (1, 3, 5, 7, 9, 11, 13, 15, 17, 18)


def test_sizes_by_hand() -> None:
    widths = [len(SMALL.widths(s)) ** 2 for s in range(3)]
    assert size(SMALL) == 7 * int(np.prod([w + w**2 for w in widths]))


def test_costs_of_a_population_are_those_of_each_graph_and_network() -> None:
    for space in (SMALL, PrunedResnet(depth=8, channels=8)):
        archs = sample(space, 20, np.random.default_rng(0))
        costs, graphs = space.costs(archs, SHAPE), [space.graph(a, SHAPE) for a in tuples(archs)]
        assert costs["params"].tolist() == [g.params for g in graphs]
        assert costs["flops"].tolist() == [g.flops for g in graphs]
        nets = [space.build(a, SHAPE) for a in tuples(archs)[:6]]
        assert [sum(p.numel() for p in n.parameters()) for n in nets] == [g.params for g in graphs[:6]]


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
@pytest.mark.parametrize("training", [True, False])
def test_an_extracted_network_equals_the_one_hot_view(training: bool, sharing: Sharing) -> None:
    torch.manual_seed(0)
    net = SMALL.supernet(SHAPE, sharing, SMALL.choices())
    with torch.no_grad():
        for arch in tuples(sample(SMALL, 8, np.random.default_rng(0))):
            alone = net.train(training).extract(arch)
            torch.testing.assert_close(alone(IMAGES), net(IMAGES, one_hot(SMALL, arch)), rtol=0, atol=1e-6)


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
def test_soft_gates_of_one_taken_option_equal_the_hard_ones(sharing: Sharing) -> None:
    net = SMALL.supernet(SHAPE, sharing, SMALL.choices()).eval()
    for arch in tuples(sample(SMALL, 4, np.random.default_rng(1))):
        hard = one_hot(SMALL, arch)
        soft = {
            c.name: Gate(c.open, torch.tensor([float(i == hard[c.name].options[0]) for i in c.open]))
            for c in SMALL.choices()
        }
        torch.testing.assert_close(net(IMAGES, soft), net(IMAGES, hard), atol=1e-5, rtol=1e-5)


def test_separate_widths_share_nothing() -> None:
    net = SMALL.supernet(SHAPE, "separate", SMALL.choices())
    for choice in SMALL.choices():
        if not choice.name.endswith("depth"):
            narrow, wide = ({id(p) for p in net.own(choice.name, i)} for i in (0, 6))
            assert narrow
            assert not narrow & wide


def test_separate_outer_widths_mix_what_each_gives() -> None:
    """In the last block both the convolution and the way past it are weighed; ReLU and pooling come after."""
    torch.manual_seed(0)
    net = SMALL.supernet(SHAPE, "separate", SMALL.choices()).eval()
    arch, name = tuples(sample(SMALL, 1, np.random.default_rng(2)))[0], "stage3.block1.outer"
    hard = {**one_hot(SMALL, arch), "stage3.depth": Gate((0,), torch.ones(1))}
    p = torch.linspace(0.5, 1.5, len(SMALL.widths(2))).softmax(0)
    _, mixed = through(net.at({**hard, name: Gate(tuple(range(len(p))), p)}), IMAGES, "net.stages.2.0.last")
    total = torch.zeros(())
    for i, weight in enumerate(p):
        _, one = through(net.at({**hard, name: Gate((i,), torch.ones(1))}), IMAGES, "net.stages.2.0.last")
        (y,) = one.values()
        total = total + weight * torch.nn.functional.pad(y, (0, 0, 0, 0, 0, SMALL.widths(2)[-1] - y.shape[1]))
    torch.testing.assert_close(next(iter(mixed.values())), total)


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
def test_a_shortcut_is_the_input_as_far_as_widths_agree(sharing: Sharing) -> None:
    """The widths of both ends are one of two, so half of all pairs agree: block 2 of stage 1, with no norm.

    Its convolutions give zero, so what is left is the shortcut.
    """
    torch.manual_seed(0)
    net = SMALL.supernet(SHAPE, sharing, SMALL.choices()).eval()
    half, wide = torch.tensor([0.5, 0.5]), len(SMALL.widths(0)) - 1
    hard = one_hot(SMALL, tuple(len(c.options) - 1 for c in SMALL.choices()))
    both = {f"stage1.block{b}.outer": Gate((0, wide), half) for b in (1, 2)}
    gates = {**hard, **both, "stage1.depth": Gate((1,), torch.ones(1))}
    none = {"*stages.0.1.last": torch.zeros_like}
    _, seen = through(net.at(gates), IMAGES, "net.stages.0.*", none)
    x, found = seen["net.stages.0.0"], seen["net.stages.0.1"]
    narrow = SMALL.widths(0)[0]
    if sharing == "entangled":
        expected = 0.5 * x + 0.5 * seen["net.stages.0.1.bridge"]
    else:
        ways = [seen[f"net.stages.0.1.bridge.ops.{i}.layers"] for i in (0, wide)]
        expected = 0.25 * (x + ways[1])
        expected[:, :narrow] += 0.25 * (x[:, :narrow] + ways[0])
    torch.testing.assert_close(found, expected.relu())


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
def test_alphas_learn(sharing: Sharing) -> None:
    net, gating = SMALL.supernet(SHAPE, sharing, SMALL.choices()), Softmax(SMALL)
    net.at(gating())(IMAGES).square().sum().backward()
    assert all(a.grad is not None and a.grad.abs().sum() > 0 for a in gating.alphas.values())


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
def test_a_narrowed_space_allocates_its_open_options(sharing: Sharing) -> None:
    half = restrict(SMALL, {"stage3.block1.outer": [9], "stage2.depth": [1]})
    net = half.supernet(SHAPE, sharing, half.choices())
    assert len(net.stages[1]) == 1
    arch = tuples(sample(half, 1, np.random.default_rng(0)))[0]
    torch.testing.assert_close(net.extract(arch).eval()(IMAGES), net.eval()(IMAGES, one_hot(half, arch)))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(BadInput, match="depth: 21 is not 6 n \\+ 2; 20 and 26 are"):
        PrunedResnet(depth=21)
    for text in ("", "2-2-2|8:2", "9-2-2|8", "2-2-2|" + ":".join(["3"] * 13)):
        assert SMALL.read(text) is None
    assert array([], SMALL).shape == (0, len(SMALL.choices()))
