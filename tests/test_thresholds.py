"""Rings of weights and the decisions over them, on a network small enough to look at."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nascore.errors import BadInput
from nascore.gates import discretize, one_hot
from nascore.space import Choice, restrict
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.stages import Stage, Stages
from nascore.task import Shape
from nascore.thresholds import Thresholds, decided, rings

SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
SPACE = Stages((Stage(("mbconv",), (8,), (1, 2), (2,), (3, 5), (1, 2), per="layer"),), stem=8)
KERNEL, CHANNELS = "stage1.layer1.kernel", "stage1.layer1.expansion"
DEPTHWISE = "stages.0.0.ops.0.depthwise.conv.weight"


def made(space: Any = SPACE) -> tuple[Any, Thresholds]:
    torch.manual_seed(0)
    net = space.supernet(SHAPE, "entangled", space.choices())
    return net, Thresholds(space, net)


def limit(gating: Thresholds, name: str, value: float) -> None:
    with torch.no_grad():
        gating.thresholds[name.replace(".", "/")].fill_(value)


def test_a_decision_is_hard_and_has_the_slope_of_a_sigmoid() -> None:
    x = torch.tensor([-2.0, 0.0, 0.5], requires_grad=True)
    found = decided(x)
    assert found.tolist() == [0, 1, 1]
    slope = torch.autograd.grad(found.sum(), x)[0]
    s = x.detach().sigmoid()
    torch.testing.assert_close(slope, s * (1 - s))


def test_rings_are_what_a_larger_option_has_more_of_the_depthwise_kernel() -> None:
    _, gating = made()
    (ring,) = gating.rings[KERNEL]
    assert list(ring) == [DEPTHWISE]
    mask = ring[DEPTHWISE]
    assert mask.shape == (16, 1, 5, 5)
    assert mask[:, :, 1:4, 1:4].sum() == 0
    assert mask.sum() == 16 * (25 - 9)
    (half,) = gating.rings[CHANNELS]
    assert half[DEPTHWISE].flatten(1).mean(1).tolist() == [0] * 8 + [1] * 8
    (layer,) = gating.rings["stage1.depth"]
    assert list(layer) == [DEPTHWISE.replace("0.0.ops", "0.1.ops")]
    assert bool(layer[DEPTHWISE.replace("0.0.ops", "0.1.ops")].all())


def test_kernels_are_decided_first_then_channels_then_layers() -> None:
    _, gating = made()
    kinds = [c.name.split(".")[-1] for c in gating.sequence]
    assert kinds == ["kernel", "kernel", "expansion", "expansion", "depth"]


def test_at_the_start_everything_is_in_use_and_high_thresholds_leave_the_least() -> None:
    _, gating = made()
    assert discretize(SPACE, gating.probabilities()) == (1, 1, 1, 1, 1)
    for name in gating.thresholds:
        limit(gating, name, 100.0)
    assert discretize(SPACE, gating.probabilities()) == (0, 0, 0, -1, -1)


def test_the_norm_of_channels_is_that_of_the_kernel_that_is_left() -> None:
    net, gating = made()
    weight = dict(net.named_parameters())[DEPTHWISE].detach()
    whole = float(weight[8:].square().mean().sqrt())
    inner = float((weight[8:, :, 1:4, 1:4].square().sum() / (8 * 25)).sqrt())
    assert float(gating.norms()[CHANNELS].detach()) == pytest.approx(whole, rel=1e-4)
    limit(gating, KERNEL, 100.0)
    assert float(gating.norms()[CHANNELS].detach()) == pytest.approx(inner, rel=1e-4)


@pytest.mark.parametrize("shut", [(), (KERNEL,), (CHANNELS,), (KERNEL, CHANNELS), ("stage1.depth",)])
def test_decisions_run_as_the_network_that_they_stand_for(shut: tuple[str, ...]) -> None:
    net, gating = made()
    net.eval()
    for name in shut:
        limit(gating, name, 100.0)
    arch = discretize(SPACE, gating.probabilities())
    x = torch.randn(3, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(net(x, gating()), net(x, one_hot(SPACE, arch)), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(net(x, gating()), net.extract(arch)(x), atol=1e-5, rtol=1e-4)


def test_thresholds_and_ring_weights_have_gradients_through_the_decisions_alone() -> None:
    net, gating = made()
    value: Any = sum((w * torch.arange(len(w))).sum() for w in gating.probabilities().values())
    slopes = torch.autograd.grad(value, list(gating.thresholds.values()), retain_graph=True)
    assert all(float(s) < 0 for s in slopes)  # a higher threshold, a smaller option
    weight = torch.autograd.grad(value, dict(net.named_parameters())[DEPTHWISE])[0]
    assert weight.abs().sum() > 0


def test_in_the_warm_up_decisions_drop_out_and_the_rest_counts_more() -> None:
    _, gating = made()
    gating.keep.fill_(0.5)
    seen = {round(float(gating()[KERNEL].weights[1].detach()), 4) for _ in range(30)}
    assert seen == {0.0, 2.0}
    assert gating.probabilities()[KERNEL].tolist() == [0, 1]  # what is told is without chance


def test_options_that_do_not_nest_are_refused() -> None:
    blocks = Stages((Stage(("conv", "separable"), (8,)),))
    with pytest.raises(BadInput, match=r"stage1\.block does not nest"):
        made(blocks)
    made(restrict(blocks, {"stage1.block": ("conv",)}))
    many: Any = Choice("many", tuple("abcdef"))
    with pytest.raises(BadInput, match=r"many does not nest \(a, b, c, d, \.\.\.\); keep one"):
        rings(blocks, made()[0], many, range(6))
    with pytest.raises(BadInput, match="tell 8 from 16; choose a space of kernels"):
        made(NatsSize(4))
