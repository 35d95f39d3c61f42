"""NATS-Bench's size space counts and builds what the publisher counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nascore.entangle import cover
from nascore.errors import BadInput
from nascore.gates import Gate, Softmax, one_hot
from nascore.space import restrict, sample, size, tuples
from nascore.spaces.nats_size import WIDTHS, NatsSize
from nascore.supernet import through
from nascore.task import CIFAR, Shape

SPACE = NatsSize()
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
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
    arch = SPACE.read("16:8:24:64:32") or ()
    net = SPACE.build(arch, CIFAR)
    assert sum(p.numel() for p in net.parameters()) == SPACE.graph(arch, CIFAR).params
    assert net(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def supernet(sharing, space=SPACE):
    torch.manual_seed(0)
    net = space.supernet(SHAPE, sharing, space.choices()).train()
    with torch.no_grad():
        for arch in tuples(sample(space, 4, np.random.default_rng(3))):
            net(IMAGES, one_hot(space, arch))  # so that batch norms have seen something
    return net


def soft(arch, more=()):
    """All options of every choice, all weight on those of the arch; or these weights."""
    weights = {c.name: torch.eye(8)[i] for c, i in zip(SPACE.choices(), arch, strict=True)}
    return {n: Gate(tuple(range(8)), w) for n, w in {**weights, **dict(more)}.items()}


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
@pytest.mark.parametrize("training", [True, False])
def test_all_weight_on_one_width_gives_the_sliced_network(sharing, training) -> None:
    net = supernet(sharing).train(training)
    for text in ("8:8:40:32:40", "64:8:8:24:24", "24:64:16:48:8"):
        arch = SPACE.read(text) or ()
        alone = net.extract(arch)
        torch.testing.assert_close(net(IMAGES, soft(arch)), alone(IMAGES), atol=1e-5, rtol=1e-5)


def test_the_stem_superposes_the_slices_of_all_widths() -> None:
    net, p = supernet("entangled").eval(), torch.linspace(1, 8, 8).softmax(0)
    gates = soft((7,) * 5, {"stem.channels": p})
    _, seen = through(net.at(gates), IMAGES, "net.places.0.body.0.1")
    _, whole = through(net.at(one_hot(SPACE, (7,) * 5)), IMAGES, "net.places.0.body.0.1")
    (mixed,), (full,) = seen.values(), whole.values()
    slices = [torch.cat([full[:, :w], torch.zeros_like(full[:, w:])], 1) for w in WIDTHS]
    torch.testing.assert_close(mixed, sum(q * y for q, y in zip(p, slices, strict=True)))


def test_the_last_norm_weighs_what_the_head_reads() -> None:
    net, p = supernet("entangled").eval(), torch.linspace(1, 8, 8).softmax(0)
    gates = soft((1, 2, 3, 4, 7), {"cell3.channels": p})
    _, seen = through(net.at(gates), IMAGES, "net.places.4.body.*")
    cell, norm = seen["net.places.4.body.5"], net.places[4].body["6"]
    weighed = cover(Gate(tuple(range(8)), p), WIDTHS, 64)[:, None, None]
    expected = torch.nn.functional.batch_norm(
        cell, norm.running_mean, norm.running_var, norm.weight, norm.bias
    )
    torch.testing.assert_close(seen["net.places.4.body.6"], expected * weighed)


def test_separate_widths_of_the_last_cell_mix_their_logits() -> None:
    net, p = supernet("separate").eval(), torch.linspace(1, 8, 8).softmax(0)
    arch = (1, 2, 3, 4, 5)
    each = [net(IMAGES, one_hot(SPACE, (*arch[:4], i))) for i in range(8)]
    mixed = net(IMAGES, soft(arch, {"cell3.channels": p}))
    torch.testing.assert_close(mixed, sum(q * y for q, y in zip(p, each, strict=True)))


def test_a_skip_is_the_input_as_far_as_the_widths_agree() -> None:
    net, half = supernet("entangled").eval(), torch.tensor([0.0, 0.5, 0, 0, 0, 0.5, 0, 0])
    arch = (3, 5, 5, 2, 2)
    gates = soft(arch, {"cell2.channels": half})
    _, seen = through(net.at(gates), IMAGES, "net.places.2*")
    carried = seen["net.places.2.body.3.edges.3.1"]  # the convolution on the way past
    cell = seen["net.places.2"]
    inside = seen["net.places.2.body.3.edges.4.2"] + seen["net.places.2.body.3.edges.5.2"]
    _, before = through(net.at(gates), IMAGES, "net.places.1")
    x = next(iter(before.values()))[:, :64]
    padded = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, carried.shape[1] - x.shape[1]))
    torch.testing.assert_close(cell, inside + 0.5 * padded + 0.5 * carried)


def test_alphas_learn_in_both_ways_of_sharing() -> None:
    for sharing in ("entangled", "separate"):
        net, gating = supernet(sharing), Softmax(SPACE)
        net.at(gating())(IMAGES).square().sum().backward()
        assert all(a.grad is not None and a.grad.abs().sum() > 0 for a in gating.alphas.values())


def test_separate_widths_share_nothing_and_entangled_ones_all() -> None:
    apart, one = supernet("separate"), supernet("entangled")
    for name in (c.name for c in SPACE.choices()):
        narrow, wide = ({id(p) for p in apart.own(name, i)} for i in (0, 7))
        assert narrow
        assert not narrow & wide
        assert one.own(name) == []
    assert sum(p.numel() for p in one.parameters()) < SPACE.graph((7,) * 5, SHAPE).params * 1.1


@pytest.mark.parametrize("sharing", ["entangled", "separate"])
def test_a_narrowed_space_allocates_its_open_widths(sharing) -> None:
    space = restrict(SPACE, {"cell2.channels": [8, 24], "reduction1.channels": [16]})
    net = supernet(sharing, space)
    whole = supernet(sharing)
    assert sum(p.numel() for p in net.parameters()) < sum(p.numel() for p in whole.parameters())
    arch = (7, 1, 2, 7, 7)
    torch.testing.assert_close(net.eval().extract(arch)(IMAGES), net(IMAGES, one_hot(space, arch)))


def test_a_width_that_is_not_allocated_is_refused() -> None:
    space = restrict(SPACE, {"cell2.channels": [8, 24]})
    with pytest.raises(BadInput, match=r"cell2\.channels: option 7 is not part of this supernet"):
        supernet("separate", space)(IMAGES, one_hot(SPACE, (7, 7, 7, 7, 7)))
