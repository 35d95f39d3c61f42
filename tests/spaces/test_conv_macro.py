"""TangleNAS's small space: 6,561 networks, read as its table writes them, counted as they are built."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nascore.gates import Gate, one_hot
from nascore.space import array, sample, size, tuples
from nascore.spaces.conv_macro import ConvMacro
from nascore.task import CIFAR, Shape

SPACE = ConvMacro()
SMALL = ConvMacro(last=8, dropout=0.5)
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
TABLE = Path(os.environ.get("NASCOPE_SHARED", "../shared")) / "benchmarks" / "tangle_toy_convmacro.parquet"


def test_there_are_6561_networks() -> None:
    assert size(SPACE) == 6_561 == SPACE.classes()


def test_the_largest_network_by_hand() -> None:
    graph = SPACE.graph(SPACE.read("[[32, 64, 128, 256], [7, 7, 7, 7]]") or (), CIFAR)
    weights = 49 * np.array([3 * 32, 32 * 64, 64 * 128, 128 * 256, 256 * 256])
    head = 9216 * 256 + 256 * 128 + 128 * 64 + 64 * 10 + 256 + 128 + 64 + 10
    assert graph.params == weights.sum() + 32 + 64 + 128 + 256 + 256 + head
    assert graph.flops == (weights * [1024, 1024, 256, 64, 36]).sum() + head


@pytest.mark.skipif(not TABLE.is_file(), reason="the shared benchmark files are not here")
def test_every_text_of_the_published_table_is_an_arch_of_its_own() -> None:
    import pandas as pd

    frame = pd.read_parquet(TABLE)
    archs = {SPACE.read(t) for t in frame["arch"]}
    assert None not in archs
    assert len(archs) == 6_561
    best = frame.loc[frame["test_acc"].idxmax(), "arch"]
    assert SPACE.text(SPACE.read(best) or ()) == "[[32, 64, 128, 128], [3, 7, 5, 7]]"


def test_costs_of_a_population_are_those_of_each_graph_and_network() -> None:
    for space, shape in ((SPACE, CIFAR), (SMALL, SHAPE)):
        archs = sample(space, 10, np.random.default_rng(0))
        costs, graphs = space.costs(archs, shape), [space.graph(a, shape) for a in tuples(archs)]
        assert costs["params"].tolist() == [g.params for g in graphs]
        assert costs["flops"].tolist() == [g.flops for g in graphs]
        net = space.build(tuples(archs)[0], shape)
        assert sum(p.numel() for p in net.parameters()) == graphs[0].params


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
def test_an_extracted_network_equals_the_one_hot_view(sharing: Any) -> None:
    net = SMALL.supernet(SHAPE, sharing, SMALL.choices()).eval()
    for arch in tuples(sample(SMALL, 4, np.random.default_rng(0))):
        alone = net.extract(arch)
        torch.testing.assert_close(alone(IMAGES), net(IMAGES, one_hot(SMALL, arch)), rtol=0, atol=1e-6)


@torch.no_grad()
def test_superposed_slices_equal_the_mixture_of_outputs_in_one_layer() -> None:
    net = SMALL.supernet(SHAPE, "entangled", SMALL.choices()).eval()
    p, q = torch.tensor([0.2, 0.3, 0.5]), torch.tensor([0.6, 0.1, 0.3])
    gates = {"layer1.channels": Gate((0, 1, 2), p), "layer1.kernel": Gate((0, 1, 2), q)}
    mixed = net._one(net.convs[0], net.roles[0], IMAGES, gates)
    total = torch.zeros_like(mixed)
    for i, j in np.ndindex(3, 3):
        hard = {"layer1.channels": Gate((i,), torch.ones(1)), "layer1.kernel": Gate((j,), torch.ones(1))}
        y = net._one(net.convs[0], net.roles[0], IMAGES, hard)
        total[:, : y.shape[1]] += p[i] * q[j] * y
    torch.testing.assert_close(mixed, total, atol=1e-5, rtol=0)


def test_other_texts_are_not_read() -> None:
    for text in (
        "",
        "[[8, 16, 32, 65], [3, 3, 3, 3]]",
        "[[8, 16, 32], [3, 3, 3]]",
        "[[8,16,32,64],[3,3,3,9]]",
    ):
        assert SPACE.read(text) is None
    assert SPACE.read("[[8,16,32,64],[3,3,3,3]]") == (0,) * 8
    assert array([], SPACE).shape == (0, 8)
