"""The fused cell is the plain one: outputs, gradients, statistics, for every kind of gate."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nascore.gates import Gate, Gates, Gumbel, Softmax, one_hot
from nascore.space import sample, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.cell_fused import average
from nascore.spaces.cell_net import CellSupernet
from nascore.task import Shape

SHAPE = Shape((("image", (3, 8, 8)),), (("class", 10),))
SPACE = Cell(
    nodes=4,
    edges=((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)),
    ops=(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3", "max_pool_3x3"),),
)


def pair() -> tuple[CellSupernet, CellSupernet]:
    torch.manual_seed(0)
    plain = CellSupernet(SPACE, SHAPE, "separate", SPACE.choices(), fused=False)
    fused = CellSupernet(SPACE, SHAPE, "separate", SPACE.choices())
    fused.load_state_dict(plain.state_dict())
    return plain, fused


def gatings() -> dict[str, Gates]:
    torch.manual_seed(1)
    soft = Softmax(SPACE, scale=1.0)
    names = [c.name for c in SPACE.choices()]
    few = {n: Gate(((1, 2, 4, 5)[i % 4], 3), torch.tensor([0.3, 1.2])) for i, n in enumerate(names)}
    arch = tuples(sample(SPACE, 1, np.random.default_rng(0)))[0]
    return {"softmax": soft(), "gumbel": Gumbel(SPACE)(), "few": few, "one_hot": one_hot(SPACE, arch)}


@pytest.mark.parametrize("kind", ["softmax", "gumbel", "few", "one_hot"])
@pytest.mark.parametrize("train", [True, False])
def test_outputs_gradients_and_statistics_are_those_of_the_plain_form(kind: str, train: bool) -> None:
    gates, x, y = gatings()[kind], torch.randn(16, 3, 8, 8), torch.randint(0, 10, (16,))
    found = []
    for net in pair():
        net.train(train)
        out = net(x, gates)
        weights = [p for p in net.parameters()]
        leaves = [g.weights for g in gates.values() if g.weights.requires_grad]
        loss = cross_entropy(out, y)
        grads = torch.autograd.grad(loss, [*leaves, *weights], allow_unused=True, retain_graph=True)
        found.append((out, grads, [b.clone().float() for b in net.buffers()]))
    (a, ga, ba), (b, gb, bb) = found
    assert torch.allclose(a, b, atol=1e-5)
    scale = max(float(g.abs().max()) for g in ga if g is not None)
    for one, other in zip(ga, gb, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert float((one - other).abs().max()) <= 1e-4 * scale
    assert all(torch.allclose(p, q, atol=1e-5) for p, q in zip(ba, bb, strict=True))


def test_options_that_the_gates_do_not_list_get_no_gradient() -> None:
    _, net = pair()
    gates = {c.name: Gate((2,), torch.ones(1)) for c in SPACE.choices()}
    net(torch.randn(4, 3, 8, 8), gates).sum().backward()
    others = [p for n, p in net.named_parameters() if ".ops.3." in n]
    assert others
    assert all(p.grad is None for p in others)


@pytest.mark.parametrize(("channels", "side", "k"), [(1, 1, 3), (5, 4, 3), (8, 7, 5)])
def test_the_average_pool_is_that_of_torch_with_first_and_second_gradients(
    channels: int, side: int, k: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, channels, side, side + 1, dtype=torch.float64, requires_grad=True)
    y = average(x.contiguous(memory_format=torch.channels_last), k)
    assert torch.allclose(y, torch.nn.functional.avg_pool2d(x, k, 1, k // 2, count_include_pad=False))
    assert torch.autograd.gradcheck(lambda t: average(t, k), x)
    assert torch.autograd.gradgradcheck(lambda t: average(t, k), x)


def test_the_fused_form_keeps_less_for_the_backward_pass() -> None:
    gates, x, kept = gatings()["softmax"], torch.randn(16, 3, 8, 8), list[int]()
    for net in pair():
        own = {p.untyped_storage().data_ptr() for p in net.parameters()}
        seen: dict[int, int] = {}

        def pack(t: torch.Tensor, own: set[int] = own, seen: dict[int, int] = seen) -> torch.Tensor:
            place = t.untyped_storage()
            if place.data_ptr() not in own:
                seen[place.data_ptr()] = place.nbytes()
            return t

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            loss = net(x, gates).sum()
        kept.append(sum(seen.values()))
        del loss
    assert 1.5 * kept[1] < kept[0]  # 2.2 at NAS-Bench-201's size: scripts/bench_supernet.py
