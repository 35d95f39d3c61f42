"""The pooling positions of ResNet-20: 36 in the order of the paper's files, counted as they are built."""

from __future__ import annotations

import pytest
import torch

from nascore.errors import BadInput, NotSupported
from nascore.gates import Gate, one_hot
from nascore.space import enumerate_archs, restrict, size, tuples
from nascore.spaces.pooling import Pooling
from nascore.task import CIFAR, Shape

SPACE = Pooling()
SMALL = Pooling(layers=7, scales=3, channels=4)
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def test_there_are_36_splits_in_the_order_of_the_published_file() -> None:
    # rn20_lookup_space.csv numbers them from 1; 34 is the best by brute force, 24 the usual network
    assert size(SPACE) == 36 == SPACE.classes()
    for number, text in ((1, "[1,1,8]"), (9, "[2,1,7]"), (24, "[4,3,3]"), (29, "[5,3,2]"), (34, "[7,1,2]")):
        assert SPACE.read(text) == (number - 1,)
        assert SPACE.text((number - 1,)) == text


def test_channels_stay_where_they_are() -> None:
    assert SPACE.widths == (16,) * 4 + (32,) * 3 + (64,) * 3


def test_the_usual_network_by_hand() -> None:
    # 3x3 convolutions and two 1x1 bridges; the norms have no parameters
    weights = [27 * 16 + 6 * 9 * 16 * 16, 16 * 32 + 9 * 16 * 32 + 5 * 9 * 32 * 32]
    weights += [32 * 64 + 9 * 32 * 64 + 5 * 9 * 64 * 64]
    graph = SPACE.graph(SPACE.read("[4,3,3]") or (), CIFAR)
    assert graph.params == sum(weights) + 650
    assert graph.flops == sum(w * s * s for w, s in zip(weights, (32, 16, 8), strict=True)) + 650


def test_every_split_has_the_same_weights_and_its_own_cost() -> None:
    graphs = [SPACE.graph(a, CIFAR) for a in tuples(enumerate_archs(SPACE))]
    assert len({g.params for g in graphs}) == 1
    assert min(g.flops for g in graphs) == SPACE.graph((0,), CIFAR).flops
    net = SPACE.build((0,), CIFAR)
    assert sum(p.numel() for p in net.parameters()) == graphs[0].params


def test_maps_halve_where_the_split_says() -> None:
    blocks = SPACE.graph(SPACE.read("[7,1,2]") or (), CIFAR).blocks
    assert [(b.repeats, b.shape) for b in blocks[:3]] == [
        (7, (32, 32, 32)),
        (1, (64, 16, 16)),
        (2, (64, 8, 8)),
    ]


@pytest.mark.parametrize("mode", ["running", "batch"])
@pytest.mark.parametrize("training", [True, False])
def test_an_extracted_network_equals_the_one_hot_view(mode: str, training: bool) -> None:
    space = Pooling(layers=6, scales=3, channels=4, batch_norm=mode)
    net = space.supernet(SHAPE, "entangled", space.choices()).train(training)
    for arch in tuples(enumerate_archs(space))[:4]:
        alone = net.extract(arch)
        torch.testing.assert_close(alone(IMAGES), net(IMAGES, one_hot(space, arch)), rtol=0, atol=1e-6)


def test_several_splits_mix_their_logits() -> None:
    net = SMALL.supernet(SHAPE, "entangled", SMALL.choices()).eval()
    a, b = (net(IMAGES, one_hot(SMALL, (i,))) for i in (0, 5))
    both = net(IMAGES, {"split": Gate((0, 5), torch.tensor([0.25, 0.75]))})
    torch.testing.assert_close(both, 0.25 * a + 0.75 * b)
    assert not torch.allclose(a, b)


def test_separate_splits_share_nothing_and_mix_their_logits() -> None:
    torch.manual_seed(0)
    net = SMALL.supernet(SHAPE, "separate", SMALL.choices()).eval()
    a, b = ({id(p) for p in net.own("split", i)} for i in (0, 5))
    assert len(a) == len(b) == len(list(SMALL.build((0,), SHAPE).parameters()))
    assert not a & b
    first, sixth = (net.extract((i,)) for i in (0, 5))
    both = net(IMAGES, {"split": Gate((0, 5), torch.tensor([0.25, 0.75]))})
    torch.testing.assert_close(both, 0.25 * first(IMAGES) + 0.75 * sixth(IMAGES))
    assert (sixth.split, first.split) == (SMALL.split((5,)), SMALL.split((0,)))


def test_only_open_splits_have_separate_weights() -> None:
    few = restrict(SMALL, {"split": ["[1,1,5]", "[3,2,2]"]})
    net = few.supernet(SHAPE, "separate", few.choices())
    alone = SMALL.graph((0,), SHAPE).params
    assert sum(p.numel() for p in net.parameters()) == 2 * alone


def test_separate_networks_of_too_many_numbers_are_refused() -> None:
    large = Pooling(layers=24, scales=4, channels=256)
    with pytest.raises(NotSupported, match=r"1,771 splits have .* billion numbers; choose entangled"):
        large.supernet(SHAPE, "separate", large.choices())


def test_splits_that_cannot_be_are_refused() -> None:
    with pytest.raises(BadInput, match="scales: 4 resolutions need as many layers, and there are 3"):
        Pooling(layers=3, scales=4)
    assert SPACE.read("[4,3,4]") is SPACE.read("4-3-3") is None
