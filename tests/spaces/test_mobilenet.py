"""The mobile space has the sub-networks of the released supernet, with their parameters and multiply-adds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.gates import one_hot
from nascore.space import array, from_choices, restrict, sample, size, tuples
from nascore.spaces.mobilenet import Mobilenet, rounded
from nascore.task import Shape

SPACE = Mobilenet()
SMALL = Mobilenet(width=0.125, stages_used=2, depths=(1, 2), stem_stride=1)
IMAGENET = Shape((("image", (3, 224, 224)),), (("class", 1000),))
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
# notebooks/data/mbnv3w10_{linasnsga2_acc_macs,evoga_acc}.csv of IntelLabs/DyNAS-T, some of their first rows:
# kernels, expansions, depths, parameters, multiply-adds. A depth below four leaves places unused.
LOGGED = [
    (
        [7, 3, 3, 7, 5, 3, 3, 3, 7, 3, 7, 7, 7, 3, 7, 5, 3, 3, 3, 3],
        [3, 6, 6, 3, 6, 3, 6, 6, 6, 6, 4, 3, 4, 6, 4, 3, 3, 6, 4, 4],
        [3, 2, 2, 3, 2],
        4_536_768,
        244_945_104,
    ),
    (
        [5, 7, 5, 5, 3, 3, 3, 7, 5, 5, 3, 7, 7, 3, 3, 3, 5, 5, 5, 5],
        [4, 3, 4, 4, 4, 6, 3, 4, 4, 3, 4, 3, 3, 6, 6, 6, 4, 3, 4, 4],
        [2, 3, 2, 4, 3],
        5_029_656,
        255_502_624,
    ),
    (
        [5, 5, 5, 5, 3, 7, 7, 7, 7, 5, 7, 3, 3, 3, 5, 5, 5, 7, 5, 5],
        [4, 3, 6, 3, 6, 6, 3, 3, 6, 4, 4, 6, 3, 4, 3, 6, 4, 4, 3, 4],
        [3, 3, 3, 4, 3],
        4_761_632,
        297_261_792,
    ),
]


def arch(kernels: list[int], expansions: list[int], depths: list[int]) -> tuple[int, ...]:
    values: dict[str, int] = {}
    for s, depth in enumerate(depths):
        values[f"stage{s + 2}.depth"] = depth
        for j in range(depth):
            values[f"stage{s + 2}.layer{j + 1}.kernel"] = kernels[4 * s + j]
            values[f"stage{s + 2}.layer{j + 1}.expansion"] = expansions[4 * s + j]
    return from_choices(SPACE, values)


@pytest.mark.parametrize(("kernels", "expansions", "depths", "params", "macs"), LOGGED)
def test_costs_are_those_of_the_logged_sub_networks(
    kernels: list[int], expansions: list[int], depths: list[int], params: int, macs: int
) -> None:
    costs = SPACE.costs(array([arch(kernels, expansions, depths)], SPACE), IMAGENET)
    assert costs["params"].tolist() == [params]
    assert costs["flops"].tolist() == [macs + 1000]  # the log leaves out the bias of the classifier


def test_there_are_as_many_networks_as_once_for_all_counts() -> None:
    assert size(SPACE) == (9**2 + 9**3 + 9**4) ** 5  # 2 x 10^19


def test_the_network_has_the_parameters_that_are_counted() -> None:
    for one in tuples(sample(SMALL, 3, np.random.default_rng(0))):
        net = SMALL.build(one, SHAPE)
        assert sum(p.numel() for p in net.parameters()) == SMALL.graph(one, SHAPE).params


def test_widths_are_multiples_of_eight() -> None:
    assert [rounded(w * 1.2) for w in (16, 24, 40, 80, 112, 160)] == [24, 32, 48, 96, 136, 192]


def test_a_fixed_kernel_is_no_choice_and_a_restricted_one_is_narrow() -> None:
    names = [c.name for c in Mobilenet(kernels=(5,)).choices()]
    assert not any("kernel" in n for n in names)
    narrow = restrict(SMALL, {"stage2.layer1.kernel": [3], "stage3.depth": [1]})
    net = narrow.supernet(SHAPE, "entangled", narrow.choices()).eval()
    one = tuples(sample(narrow, 1, np.random.default_rng(0)))[0]
    torch.testing.assert_close(net.extract(one)(IMAGES), net(IMAGES, one_hot(narrow, one)))
