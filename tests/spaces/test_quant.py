from __future__ import annotations

import copy
import inspect
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascore.codec import arch_from_json, arch_to_json, dumps, from_json, loads, to_json
from nascore.entangle import Axis, Conv, Linear
from nascore.errors import BadInput, NotSupported
from nascore.evaluators.trained import Trained
from nascore.events import Tried
from nascore.export import onnx_model, torch_source
from nascore.gates import Gate, Softmax, one_hot
from nascore.layers import layers_of, layout, places, trunk_of
from nascore.problem import Constraint, Objective, Problem
from nascore.product import product
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.runs.spec import RunSpec
from nascore.space import array, key, parse, restrict, sample, size, tuples
from nascore.spaces import SPACES
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.quant import Quant
from nascore.spaces.quant_net import Rounding, hold_bits, make_rounding, rounded, rounded_weights
from nascore.spaces.training import Training
from nascore.strategies.random_search import RandomSearch
from nascore.supernet import recalibrate
from nascore.task import Batch
from nascore.tasks.images import Digits
from tests.contracts import test_spaces as promises

torch.set_num_threads(1)
SHAPE = promises.SHAPE
CELL = Nasbench201(1, 4, 2, 2)
ZOO = {name: cls(**promises.SMALL.get(name, {})) for name, cls in SPACES.items()}
BITS = Quant(weights=(2, 4, 32), activations=(3, 8, 32))
BOTH = product(arch=CELL, quant=Quant(groups=2, weights=(2, 32), activations=(4, 32)))
WIDTHS = tuple(range(2, 9))
PROMISES = [f for n, f in vars(promises).items() if n.startswith("test_")]


def numbers(*sizes: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def ends(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x.min().clamp(max=0), x.max().clamp(min=0)


# Grids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", WIDTHS)
def test_inputs_take_values_of_a_grid_of_2_to_the_bits(bits: int) -> None:
    x = numbers(2000)
    low, high = ends(x)
    step = float(high - low) / (2**bits - 1)
    places_ = rounded(x, low, high, bits) / step
    assert torch.allclose(places_, places_.round(), atol=1e-4)
    assert len(places_.round().unique()) <= 2**bits
    assert float((rounded(x, low, high, bits) - x).abs().max()) <= step * 1.01, (
        "half a step, and zero's place"
    )


@pytest.mark.parametrize("bits", WIDTHS)
def test_weights_take_values_around_zero_with_a_scale_for_each_output(bits: int) -> None:
    w = numbers(5, 3, 3, 3) * torch.tensor([0.01, 1, 3, 100, 0]).view(5, 1, 1, 1)
    out, top = rounded_weights(w, bits), 2 ** (bits - 1) - 1
    for row, made in zip(w, out, strict=True):
        step = float(row.abs().max()) / top
        expected = (row / step).round() * step if step else row
        torch.testing.assert_close(made, expected, rtol=1e-5, atol=0)
        assert len(made.unique()) <= 2**bits - 1


def test_a_grid_worked_by_hand() -> None:
    x = torch.tensor([-1.0, -0.2, 0.0, 0.3, 0.9, 2.0, 5.0])
    out = rounded(x, torch.tensor(-1.0), torch.tensor(2.0), 2)  # steps of 1: -1, 0, 1, 2
    assert out.tolist() == [-1, 0, 0, 0, 1, 2, 2]
    w = torch.tensor([[3.0, -2.0, 1.4, 0.4], [0.4, -1.0, 0.14, 0.0]])
    assert rounded_weights(w, 3).tolist() == [[3, -2, 1, 0], pytest.approx([1 / 3, -1, 0, 0])]


def test_what_follows_a_relu_has_no_level_below_zero() -> None:
    x = numbers(500).relu()
    out = rounded(x, *ends(x), 4)
    assert float(out.min()) == 0
    assert float(out.max()) == pytest.approx(float(x.max()))


def test_zero_stays_zero_however_odd_the_ends() -> None:
    for low, high in ((-0.37, 1.91), (-3.0, 0.0), (0.0, 7.7), (-1e-3, 1e3)):
        for bits in WIDTHS:
            assert float(rounded(torch.zeros(1), torch.tensor(low), torch.tensor(high), bits)) == 0


def test_the_error_shrinks_with_every_bit() -> None:
    x, w = numbers(4000), numbers(8, 100, seed=1)
    for apart in (
        [float((rounded(x, *ends(x), b) - x).square().mean()) for b in WIDTHS],
        [float((rounded_weights(w, b) - w).square().mean()) for b in WIDTHS],
    ):
        assert all(b < a / 2 for a, b in itertools.pairwise(apart))


def test_the_gradient_passes_within_the_grid_and_not_outside() -> None:
    x = torch.tensor([-3.0, -1.4, -0.3, 0.1, 1.9, 2.6, 9.0], requires_grad=True)
    weights = torch.arange(1.0, 8.0)
    (rounded(x, torch.tensor(-1.0), torch.tensor(2.0), 2) * weights).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 2, 3, 4, 5, 0, 0], "-1.4 rounds to the end -1, 2.6 beyond the end 2"
    w = numbers(4, 10).requires_grad_()
    (rounded_weights(w, 2) * torch.arange(40.0).view(4, 10)).sum().backward()
    assert torch.equal(w.grad, torch.arange(40.0).view(4, 10))  # type: ignore[arg-type]


def test_numbers_that_are_none_stay_so() -> None:
    x = torch.tensor([1.0, float("nan"), 2.0])
    assert rounded(x, *torch.aminmax(x), 4).isnan().any()
    assert rounded_weights(x.view(1, 3), 4).isnan().any()


# Layers ----------------------------------------------------------------------------------------------------


def layer(module: nn.Module, weights: int = 4, activations: int = 4) -> nn.Module:
    """A module whose layers all have these bits."""
    space = Quant(weights=(weights,), activations=(activations,), ends=0)
    return space.wrap(module, one_hot(space, ()))


@pytest.mark.parametrize(
    "made",
    [
        nn.Conv2d(4, 6, 3, 2, 1),
        nn.Conv2d(4, 4, 3, padding=1, groups=4, bias=False),
        nn.Linear(8, 5),
        Conv(4, 6, 3, padding=1),
        Linear(8, 5),
    ],
    ids=["conv", "depthwise", "linear", "nested conv", "nested linear"],
)
def test_a_layer_computes_with_rounded_inputs_and_weights(made: Any) -> None:
    x = numbers(3, 4, 8, 8)
    plain = copy.deepcopy(made)
    plain.weight.data = rounded_weights(made.weight.detach(), 3)
    mine = layer(copy.deepcopy(made), 3, 5)
    assert torch.equal(mine(x), plain(rounded(x, *ends(x), 5)))
    assert isinstance(mine, type(made)), "what asks for a convolution finds one"


def test_a_part_of_a_nested_weight_is_rounded_as_the_small_layer_s_own() -> None:
    torch.manual_seed(0)
    wide, small = Conv(6, 8, 5, padding=2), nn.Conv2d(3, 4, 3, padding=1)
    small.weight.data = wide.weight.data[:4, :3, 1:4, 1:4].clone()
    small.bias.data = wide.bias.data[:4].clone()  # type: ignore[union-attr]
    x = numbers(2, 3, 8, 8)
    nested: Any = layer(wide)
    torch.testing.assert_close(nested(x, Axis((4,)), None, Axis((3,))), layer(small)(x))
    torch.manual_seed(0)
    wide2, small2 = Linear(6, 8), nn.Linear(3, 4)
    small2.load_state_dict({"weight": wide2.weight[:4, :3], "bias": wide2.bias[:4]})
    nested = layer(wide2)
    torch.testing.assert_close(nested(x[..., :3], Axis((4,))), layer(small2)(x[..., :3]))


def test_depthwise_channels_have_scales_of_their_own() -> None:
    conv = nn.Conv2d(2, 2, 3, groups=2, bias=False)
    conv.weight.data[1] *= 1e-4
    with torch.no_grad():
        out = layer(copy.deepcopy(conv), 8, 32)(numbers(1, 2, 5, 5))
        exact = conv(numbers(1, 2, 5, 5))
    assert float((out - exact)[:, 1].abs().max()) < 0.02 * float(exact[:, 1].abs().max())


def test_judging_takes_the_range_that_training_has_seen() -> None:
    mine: Any = layer(nn.Linear(4, 2), 32, 4)
    mine.train()
    batches = [numbers(16, 4, seed=s) for s in range(3)]
    for x in batches:
        mine(x)
    both = torch.stack([torch.stack(ends(x)) for x in batches])
    assert torch.allclose(mine.input_range, both.mean(0)), "the first ten batches count alike"
    for _ in range(12):
        mine(batches[0])
    before = mine.input_range.clone()
    mine(batches[1])
    assert torch.allclose(mine.input_range, 0.9 * before + 0.1 * both[1])
    mine.eval()
    x = 100 * batches[0]
    alone, company = mine(x[:1]), mine(x)[:1]
    assert torch.equal(alone, company), "an answer does not depend on who else is asked"
    plain = nn.Linear(4, 2)
    plain.load_state_dict({n: p for n, p in mine.state_dict().items() if n in ("weight", "bias")})
    torch.testing.assert_close(mine(x), plain(rounded(x, *mine.input_range, 4)))


def test_a_layer_that_was_never_trained_takes_the_range_of_what_comes() -> None:
    mine = layer(nn.Linear(4, 2), 32, 4).eval()
    x = numbers(16, 4)
    first = mine(x)
    assert torch.equal(first, mine.train()(x))


def test_recalibrating_forgets_the_ranges_of_before() -> None:
    mine: Any = nn.Sequential(layer(nn.Linear(4, 2), 32, 4))
    mine.train()(1000 * numbers(64, 4))
    x = numbers(64, 4, seed=1)
    made: Any = recalibrate(
        mine, [Batch(x[:32], x[:32], torch.arange(32)), Batch(x[32:], x, torch.arange(32))]
    )
    both = torch.stack([torch.stack(ends(part)) for part in (x[:32], x[32:])])
    assert torch.allclose(made[0].input_range, both.mean(0))
    assert made[0].momentum == mine[0].momentum == 0.1


def test_a_layer_of_an_unknown_kind_is_refused() -> None:
    class Odd(nn.Linear):
        pass

    with pytest.raises(NotSupported, match="a layer of class Odd cannot have fewer bits"):
        make_rounding(nn.Sequential(Odd(2, 2)), {"0": 0})


# Networks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ZOO)
def test_with_32_bits_a_network_is_what_it_is_without(name: str) -> None:
    space, bits = ZOO[name], Quant(weights=(2, 32), activations=(2, 32), ends=32)
    both = product(arch=space, quant=bits)
    arch = promises.some(space, 1)[0]
    torch.manual_seed(0)
    plain = space.build(arch, SHAPE)
    torch.manual_seed(0)
    mine = both.build((*arch, 1, 1), SHAPE)
    assert not any(isinstance(m, Rounding) for m in mine.modules())
    assert list(mine.state_dict()) == list(plain.state_dict())
    for training in (True, False):
        torch.manual_seed(0)
        a = plain.train(training)(promises.images())
        torch.manual_seed(0)
        assert torch.equal(mine.train(training)(promises.images()), a)


@pytest.mark.parametrize("name", ZOO)
def test_every_layer_rounds_by_its_part_of_the_network(name: str) -> None:
    space = ZOO[name]
    groups = min(2, trunk_of(layout(space, SHAPE)).blocks)
    bits = Quant(groups=groups, weights=(2, 4), activations=(3, 8), ends=7)
    arch = promises.some(space, 1)[0]
    net = product(arch=space, quant=bits).build((*arch, *[0, 1, 1, 0][: 2 * groups]), SHAPE)
    own = {n: m.bits for n, m in net.named_modules() if isinstance(m, Rounding)}
    where = places(net)
    assert own.keys() == where.keys()
    for n, told in own.items():
        assert told is not None
        late = where[n].block * 2 >= where[n].blocks if groups == 2 else False
        expected = (7, 7) if where[n].end else (4, 3) if late else (2, 8)
        assert (told.weights[0][0], told.inputs[0][0]) == expected
    first, *_, last = where
    assert where[first].end
    assert where[last].end


@pytest.mark.parametrize("name", ZOO)
def test_blocks_are_the_same_in_all_networks_of_a_space_and_its_supernets(name: str) -> None:
    space, known = ZOO[name], dict[str, Any]()
    nets = [space.build(a, SHAPE) for a in promises.some(space, 6)]
    trunk = trunk_of(nets[0])
    assert {trunk_of(n) for n in nets} == {trunk}
    for net in nets:
        for layer_name, place in places(net).items():
            assert known.setdefault(layer_name, place) == place
    for sharing in ("separate", "entangled"):
        try:
            net = space.supernet(SHAPE, sharing, space.choices())
        except NotSupported:
            continue
        found = places(net, trunk)
        assert {p.block for p in found.values()} >= {p.block for p in known.values()}
        assert all(known[n] == p for n, p in found.items() if n in known)


def test_a_network_without_a_list_of_modules_has_one_block() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)

    assert [(p.block, p.blocks, p.end) for p in places(Net()).values()] == [
        (0, 1, True),
        (0, 1, False),
        (0, 1, True),
    ]


def test_more_groups_than_blocks_are_refused_with_both_numbers() -> None:
    space = product(arch=CELL, quant=Quant(groups=4))
    with pytest.raises(BadInput, match=r"quant\.groups: 4 is more than this network has: 3 blocks"):
        space.build(tuples(sample(space, 1, np.random.default_rng(0)))[0], SHAPE)


def test_weights_are_trained_through_the_grid() -> None:
    space = product(arch=CELL, quant=Quant(weights=(2, 4), activations=(4,), ends=8))
    p = Problem(space, Digits(train_images=96), SgdCosine(epochs=5, batch=16), Trained())
    found = [t for t in p.evaluate([(3, 3, 0, 3, 3, 3, 0), (3, 3, 0, 3, 3, 3, 1)]) if isinstance(t, Tried)]
    for t in found:
        assert t.curve["train_loss"][-1] < 0.8 * t.curve["train_loss"][0]
    assert found[0].curve != found[1].curve


# Supernets -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharing", ["separate", "entangled"])
@pytest.mark.parametrize("name", ZOO)
def test_an_extracted_network_equals_the_one_hot_view_in_every_space(name: str, sharing: Any) -> None:
    space = product(arch=ZOO[name], quant=Quant(weights=(2, 4, 32), activations=(4, 32)))
    net = promises.supernet(space, sharing)
    net.at(Softmax(space)())(promises.images())
    for arch, training in zip(promises.some(space, 3), (False, False, True), strict=True):
        alone, outputs = net.train(training).extract(arch), []
        for view in (alone, net.at(one_hot(space, arch))):
            torch.manual_seed(0)  # where there is dropout
            outputs.append(view(promises.images()))
        torch.testing.assert_close(*outputs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "space",
    [
        product(arch=ZOO["stages"], bits=BITS, recipe=Training()),
        restrict(BOTH, {"quant.group1.weights": [2]}),
    ],
    ids=["stages", "restricted cell"],
)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda f: f.__name__)
def test_a_product_with_bits_keeps_what_every_space_promises(promise: Any, space: Any) -> None:
    if "sharing" in inspect.signature(promise).parameters:
        promise(space, "separate")
    else:
        promise(space)


def test_soft_gates_mix_rounded_weights_and_inputs_in_one_convolution() -> None:
    conv: Any = nn.Conv2d(3, 4, 3, padding=1)
    space = Quant(weights=(2, 4, 32), activations=(3, 32), ends=0)
    share, part = torch.tensor([0.5, 0.2, 0.3]), torch.tensor([0.75, 0.25])
    gates = {"weights": Gate((0, 1, 2), share), "activations": Gate((0, 1), part)}
    x, w = numbers(2, 3, 6, 6), conv.weight.detach().clone()
    mine = space.wrap(conv, gates)
    # a convolution is linear in either: the mix of factors is the mix of all six outputs
    each = 0
    for (a, i), (b, j) in itertools.product(zip(share, (2, 4, 32)), zip(part, (3, 32))):  # noqa: B905
        weight = w if i == 32 else rounded_weights(w, i)
        given = x if j == 32 else rounded(x, *ends(x), j)
        each = each + a * b * nn.functional.conv2d(given, weight, conv.bias, padding=1)
    torch.testing.assert_close(mine(x), each, rtol=1e-4, atol=1e-5)


def test_alphas_of_bits_have_a_gradient_and_shut_bits_none() -> None:
    torch.manual_seed(0)
    net, gating = BOTH.supernet(SHAPE, "separate", BOTH.choices()), Softmax(BOTH)
    net.at(gating())(promises.images()).square().sum().backward()
    grads = {n: p.grad for n, p in gating.alphas.items()}
    for name in ("quant/group1/weights", "quant/group1/activations", "quant/group2/weights"):
        assert grads[name] is not None
        assert float(grads[name].abs().sum()) > 0


def test_two_views_of_a_supernet_do_not_disturb_each_other() -> None:
    torch.manual_seed(0)
    net = BOTH.supernet(SHAPE, "separate", BOTH.choices()).eval()
    x, arch = promises.images(), (3, 3, 0, 3, 3, 3)
    few, many = (net.at(one_hot(BOTH, (*arch, *bits))) for bits in ((0, 0, 0, 0), (1, 1, 1, 1)))
    first = few(x)
    other = many(x)
    assert torch.equal(few(x), first)
    assert not torch.allclose(first, other, atol=1e-3)


def test_an_extracted_network_takes_the_ranges_along() -> None:
    torch.manual_seed(0)
    net = BOTH.supernet(SHAPE, "separate", BOTH.choices())
    arch = (3, 3, 0, 3, 3, 3, 0, 0, 0, 0)
    for s in range(3):
        net.at(one_hot(BOTH, arch))(numbers(8, 1, 8, 8, seed=s))
    alone: Any = net.eval().extract(arch)
    ranges = {n: b for n, b in alone.named_buffers() if n.endswith("input_range")}
    assert ranges
    assert all(torch.equal(b, net.inner.get_buffer(n)) for n, b in ranges.items())
    assert all(float(b.abs().sum()) > 0 for b in ranges.values())


def test_a_player_less_view_without_bits_is_the_plain_network() -> None:
    net = nn.Sequential(nn.Linear(3, 3))
    x, plain = numbers(2, 3), net(numbers(2, 3))
    Quant().prepare(net)
    assert torch.equal(net(x), plain)
    with pytest.raises(IndexError):
        hold_bits(net, [])


# Prices ----------------------------------------------------------------------------------------------------


def by_hand(space: Any, arch: tuple[int, ...]) -> tuple[float, float]:
    """Bytes and bit operations of a network, from the network itself."""
    net, ops, size = space.build(arch, SHAPE).eval(), 0.0, 0.0
    counted = set()

    def watch(module: Any, _: Any, out: Any) -> None:
        nonlocal ops
        bits = module.bits if isinstance(module, Rounding) else None
        w, a = (bits.weights[0][0], bits.inputs[0][0]) if bits else (32, 32)
        spots = out[0, 0].numel() if out.dim() == 4 else out[0, ..., 0].numel()
        ops += module.weight.numel() * spots * w * a

    for module in net.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        module.register_forward_hook(watch)
        bits = module.bits if isinstance(module, Rounding) else None
        w, a = (bits.weights[0][0], bits.inputs[0][0]) if bits else (32, 32)
        size += -(-module.weight.numel() * w // 8) + (4 * len(module.weight) if w < 32 else 0) + 8 * (a < 32)
        counted.add(id(module.weight))
    size += 4 * sum(p.numel() for p in net.parameters() if id(p) not in counted)
    net(numbers(1, 1, 8, 8))
    return size, ops


@pytest.mark.parametrize("name", ["nasbench201", "mobilenet", "pruned_resnet", "stages", "darts"])
def test_prices_are_those_of_the_built_network(name: str) -> None:
    space = product(arch=ZOO[name], quant=Quant(weights=(3, 8, 32), activations=(4, 32)))
    archs = sample(space, 6, np.random.default_rng(0))
    found = space.counted(archs, SHAPE)
    assert found.keys() == set(space.priced()) == {"size_bytes", "bit_ops"}
    for i, arch in enumerate(tuples(archs)):
        assert (found["size_bytes"][i], found["bit_ops"][i]) == by_hand(space, arch)


def test_prices_of_groups_are_those_of_the_built_network() -> None:
    archs = sample(BOTH, 30, np.random.default_rng(1))
    found = BOTH.counted(archs, SHAPE)
    expected = [by_hand(BOTH, a) for a in tuples(archs)]
    assert list(zip(found["size_bytes"], found["bit_ops"], strict=True)) == expected
    assert all(len(v) == 0 for v in BOTH.counted(array([], BOTH), SHAPE).values())


def test_without_rounding_a_network_has_4_bytes_a_parameter_and_1024_operations_a_multiply_add() -> None:
    space = product(arch=CELL, quant=Quant(weights=(), activations=(), ends=32))
    archs = sample(space, 5, np.random.default_rng(0))
    costs, found = space.costs(archs, SHAPE), space.counted(archs, SHAPE)
    real = [sum(y.flops for y in layers_of(CELL, a, SHAPE)) for a in tuples(archs)]
    params = [sum(p.numel() for p in CELL.build(a, SHAPE).parameters()) for a in tuples(archs)]
    assert found["size_bytes"].tolist() == [4.0 * n for n in params]
    assert found["bit_ops"].tolist() == [1024.0 * n for n in real]
    assert (costs["params"] >= params).all(), "records count edges that carry nothing"


def test_prices_grow_with_every_bit() -> None:
    space = product(arch=CELL, quant=Quant(weights=(2, 3, 4, 8, 32), activations=(2, 4, 8, 32)))
    net = (3, 3, 0, 3, 3, 3)
    found = space.counted(array([(*net, w, 1) for w in range(5)], space), SHAPE)
    assert all((np.diff(found[m]) > 0).all() for m in found)
    found = space.counted(array([(*net, 1, a) for a in range(4)], space), SHAPE)
    assert (np.diff(found["bit_ops"]) > 0).all()
    assert np.diff(found["size_bytes"]).tolist() == [0, 0, found["size_bytes"][3] - found["size_bytes"][2]]


def test_prices_are_objectives_and_constraints_that_cost_no_training() -> None:
    aims = (Objective("error"), Objective("size_bytes"), Objective("bit_ops"))
    p = Problem(
        BOTH,
        Digits(train_images=64),
        SgdCosine(epochs=1, batch=32),
        Trained(),
        aims,
        (Constraint("size_bytes", "<=", 4000),),
    )
    assert {"size_bytes", "bit_ops"} <= set(p.evaluator.metrics(p))
    drawn = tuples(p.sample(10, "few"))
    assert all(p.costs([a])["size_bytes"][0] <= 4000 for a in drawn)
    told = next(t for t in p.evaluate(drawn[:1]) if isinstance(t, Tried))
    assert told.metrics["bit_ops"] == p.costs([told.arch])["bit_ops"][0]


def test_the_time_of_simulated_bits_is_no_objective() -> None:
    """Rounded layers are floats that act as few bits: what they take here says nothing of them."""
    spec = RunSpec(BOTH, Digits(), SgdCosine(epochs=1, batch=32), Trained(), RandomSearch())
    assert "latency_ms" not in Trained().metrics(spec.problem())
    with pytest.raises(BadInput, match=r"^objectives\[0\]: 'latency_ms' is not given by this evaluator"):
        replace(spec, objectives=(Objective("latency_ms"),)).checked()


def test_two_archs_of_one_network_keep_their_own_prices() -> None:
    p = Problem(BOTH, Digits(train_images=64), SgdCosine(epochs=1, batch=32), Trained())
    skip, twin, bits = (1, 0, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0), (0, 1, 0, 1)
    first, second = (t for t in p.evaluate([(*skip, *bits), (*twin, *bits)]) if isinstance(t, Tried))
    assert second.spent["epochs"] == 0
    assert second.metrics["error"] == first.metrics["error"]
    assert [t.metrics["size_bytes"] for t in (first, second)] == p.costs([first.arch, second.arch])[
        "size_bytes"
    ].tolist()


# Export ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nasbench201", "mobilenet"])
def test_plain_source_rounds_as_we_do(name: str) -> None:
    space = product(arch=ZOO[name], quant=Quant(groups=2, weights=(2, 4), activations=(4, 32)))
    arch = (*promises.some(ZOO[name], 3)[-1], 0, 0, 1, 1)
    made = torch_source(space, arch, SHAPE)
    assert made.difference <= 1e-6
    assert "nascore" not in made.text
    assert made.text.count("class RoundingConv2d(nn.Conv2d):") == 1
    home: dict[str, Any] = {"__name__": "exported"}
    exec(compile(made.text, "exported", "exec"), home)  # noqa: S102 -- made by us
    net, theirs = space.build(arch, SHAPE), home["Network"]()
    for s in range(3):
        net.train()(numbers(8, 1, 8, 8, seed=s))
    theirs.load_state_dict(home["rename"](net.state_dict()))
    grads = []
    for each in (net, theirs):
        out = each.eval()(10 * promises.images())
        out.square().sum().backward()
        grads.append([out, *(p.grad for p in each.parameters())])
    torch.testing.assert_close(*grads)


def test_source_says_bits_by_name_and_never_by_a_width_that_is_as_large() -> None:
    space = product(arch=CELL, quant=Quant(groups=2, weights=(4, 8), activations=(4, 8)))
    text = torch_source(space, (3, 2, 1, 3, 2, 3, 0, 0, 1, 1), SHAPE).text
    assert "def __init__(self, channels, weight_bits):" in text or "weight_bits, input_bits):" in text
    assert "weight_bits=channels" not in text
    assert "weight_bits=kernel" not in text
    assert "bits // 2" not in text


def test_onnx_of_few_bits_is_refused_in_a_sentence() -> None:
    space = product(arch=CELL, quant=Quant())
    with pytest.raises(
        NotSupported, match=r"^ONNX: layers of few bits have no form there yet; take plain PyT"
    ):
        onnx_model(space, (3, 2, 1, 3, 2, 3, 0, 0), SHAPE)


# A space ---------------------------------------------------------------------------------------------------


def test_choices_are_as_many_as_groups_ask_for_whatever_the_network() -> None:
    assert [c.name for c in Quant().choices()] == ["weights", "activations"]
    assert [c.name for c in Quant(groups=2, activations=(8,)).choices()] == [
        "group1.weights",
        "group2.weights",
    ]
    assert size(Quant(groups=3)) == (3 * 2) ** 3
    assert Quant(weights=(), activations=(8,)).choices() == ()
    assert BOTH.classes() == 5044 * 4**2


def test_only_a_space_that_rounds_nothing_leaves_the_program_of_many_networks() -> None:
    nothing = product(arch=CELL, quant=Quant(weights=(32,), activations=(), ends=32))
    assert nothing.batched(promises.some(nothing, 2), SHAPE) is not None
    for knobs in ({"weights": (8, 32)}, {"activations": (8,)}, {"ends": 8}):
        space = product(arch=CELL, quant=Quant(**{"weights": (), "activations": (), "ends": 0, **knobs}))  # type: ignore[arg-type]
        assert space.batched(promises.some(space, 2), SHAPE) is None
    assert product(arch=CELL, quant=restrict(BITS, {"weights": [32]})).batched([(0,) * 8], SHAPE) is None


def test_json_text_and_keys_go_through_all_doors() -> None:
    data = loads(dumps(to_json(BOTH)))
    assert from_json("space", data) == BOTH
    assert from_json("space", {"name": "product", "knobs": {"parts": ["nasbench201", "quant"]}}).names == (
        "arch",
        "quant",
    )
    for arch in tuples(sample(BOTH, 10, np.random.default_rng(2))):
        assert arch_from_json(loads(dumps(arch_to_json(BOTH, arch)))) == (BOTH, arch)
        assert parse(BOTH, BOTH.text(arch)) == arch
        assert key(BOTH, arch) != key(CELL, arch[:6])
    text = "arch: |none~0|+|none~0|none~1|+|none~0|none~1|none~2|; quant: "
    text += "group1.weights=2 group1.activations=32 group2.weights=32 group2.activations=4"
    assert parse(BOTH, text) == (0,) * 6 + (0, 1, 1, 0)


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"weights": [1]}, r"weights\[0\]: 1 is below 2"),
        ({"weights": [4, 9]}, r"weights\[1\]: 9 bits; use 2 to 8, or 32"),
        ({"activations": [8, 8]}, r"activations: an option stands twice"),
        ({"activations": [33]}, r"activations\[0\]: 33 is above 32"),
        ({"ends": 1}, r"ends: 1 bits; use 2 to 8, 32, or 0"),
        ({"groups": 0}, r"groups: 0 is below 1"),
    ],
)
def test_bits_that_there_are_not_are_refused_by_their_path(knobs: Any, says: str) -> None:
    with pytest.raises(BadInput, match=rf"^space\.knobs\.{says}"):
        from_json("space", {"name": "quant", "knobs": knobs})


def test_alone_it_makes_no_network() -> None:
    with pytest.raises(NotSupported, match="quant makes no network; put it behind a space"):
        Quant().graph((), SHAPE)
    with pytest.raises(BadInput, match=r"parts\[0\]: quant makes no network"):
        product(quant=Quant(), arch=CELL)
    with pytest.raises(BadInput, match=r"parts\[2\]: quant is added twice"):
        product(arch=CELL, quant=Quant(), more=Quant(groups=2))
