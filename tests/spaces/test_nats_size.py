"""NATS-Bench's size space counts and builds what the publisher counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascore.space import size
from nascore.spaces.nats_size import NatsSize
from nascore.task import CIFAR, Shape

SPACE = NatsSize()
INDEX = Path(__file__).parents[2].parent / "shared" / "benchmarks" / "nats_sss_archs.parquet"


def test_there_are_32768_archs() -> None:
    assert size(SPACE) == 32_768


def test_texts_are_official_and_others_are_none() -> None:
    arch = SPACE.read("8:8:40:32:40")
    assert arch == (0, 0, 4, 3, 4)
    assert SPACE.text(arch) == "8:8:40:32:40"
    for text in ("8:8:40:32", "8:8:40:32:41", "8:8:40:32:40:8", "", "a:b:c:d:e", "|none~0|"):
        assert SPACE.read(text) is None


@pytest.mark.parametrize(
    ("text", "params", "flops"), [("8:8:8:8:8", 11_714, 4_481_114), ("8:8:8:16:32", 49_202, 6_840_650)]
)
def test_costs_are_those_of_the_official_records(text: str, params: int, flops: int) -> None:
    arch = SPACE.read(text) or ()
    graph = SPACE.graph(arch, CIFAR)
    assert (graph.params, graph.flops) == (params, flops)


@pytest.mark.skipif(not INDEX.is_file(), reason="../shared is not there")
def test_params_of_every_arch_equal_the_published_index() -> None:
    import pandas as pd

    frame = pd.read_parquet(INDEX)
    archs = np.array([SPACE.read(t) for t in frame["arch_str"]])
    for name, classes, side in (("cifar10", 10, 32), ("cifar100", 100, 32), ("imagenet16_120", 120, 16)):
        shape = Shape((("image", (3, side, side)),), (("class", classes),))
        np.testing.assert_allclose(
            SPACE.costs(archs, shape)["params"], frame[f"params_m_{name}"] * 1e6, atol=0.5
        )


def test_the_graph_and_the_fast_count_agree() -> None:
    rng = np.random.default_rng(0)
    archs = rng.integers(0, 8, (20, 5))
    counted = SPACE.costs(archs, CIFAR)
    graphs = [SPACE.graph(tuple(a), CIFAR) for a in archs.tolist()]
    assert counted["params"].tolist() == [g.params for g in graphs]
    assert counted["flops"].tolist() == [g.flops for g in graphs]


def test_the_network_has_as_many_parameters_as_are_counted() -> None:
    torch = pytest.importorskip("torch")
    arch = SPACE.read("16:8:24:64:32") or ()
    net = SPACE.build(arch, CIFAR)
    assert sum(p.numel() for p in net.parameters()) == SPACE.graph(arch, CIFAR).params
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
