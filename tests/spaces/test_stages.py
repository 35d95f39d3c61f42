"""Stages count what they build, share weights exactly, and say what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.errors import BadInput
from nascore.gates import Gate, Softmax, one_hot
from nascore.space import array, describe, enumerate_archs, from_choices, restrict, sample, size, tuples
from nascore.spaces.stages import Stage, Stages, presets
from nascore.spaces.stages_layer import BLOCKS, Layer, reduced
from nascore.task import Shape

SHAPE = Shape((("image", (2, 8, 8)),), (("class", 5),))
IMAGES = torch.randn(6, 2, 8, 8, generator=torch.Generator().manual_seed(0))
ALL = tuple(b for b in BLOCKS)


def of_kind(kind: str, per: Any = "layer") -> Stages:
    """Everything is searched, one kind of block."""
    first = Stage((kind,), (8, 16), (1, 2), (1, 2), (3, 5), (1, 2), (False, True), per)
    second = Stage((kind,), (8, 16, 24), (1, 3), (2,), (1, 3), (2, 3), (True,), per, "hardswish")
    return Stages((first, second), stem=8, head=12, features=10, resolutions=(0, 6))


EVERY = [
    pytest.param(of_kind(k, p), id=f"{k}-{p}") for k, p in zip(BLOCKS, ("stage", "layer") * 3, strict=True)
]
MIXED = Stages(
    (
        Stage(("conv", "mbconv"), (8, 16), (1, 2), (2,), (3, 5), (2, 3), (False, True), "layer"),
        Stage(ALL, (8, 16), (1, 2), (1,), (3, 5), (1, 2)),
    ),
    stem=4,
)
EVERY += [pytest.param(MIXED, id="mixed"), pytest.param(Stages(), id="default")]


def some(space: Stages, n: int = 12) -> list[tuple[int, ...]]:
    return tuples(sample(space, n, np.random.default_rng(0)))


def supernet(space: Any, sharing: Any = "entangled") -> Any:
    torch.manual_seed(0)
    return space.supernet(SHAPE, sharing, space.choices())


@pytest.mark.parametrize("space", EVERY)
def test_a_network_has_the_parameters_and_multiply_adds_that_are_counted(space: Stages) -> None:
    for arch in some(space, 4):
        net = space.build(arch, SHAPE).eval()
        seen = counted(net)
        graph = space.graph(arch, SHAPE)
        assert sum(p.numel() for p in net.parameters()) == graph.params
        assert sum(seen) == graph.flops


def counted(net: torch.nn.Module) -> list[int]:
    seen: list[int] = []
    for module in net.modules():
        module.register_forward_hook(lambda m, x, y: seen.append(multiply_adds(m, x[0], y)))
    net(IMAGES[:1])
    return seen


def multiply_adds(module: Any, x: torch.Tensor, y: torch.Tensor) -> int:
    """By the shapes that went through, independent of the counting code."""
    match type(module).__name__:
        case "Conv2d":
            return module.weight.numel() * y.shape[2] * y.shape[3]
        case "Linear":
            tokens = x[..., 0].numel()
            bias = module.bias is not None and y.shape[-1] == 5  # the classifier; others are convolutions
            return module.weight.numel() * tokens + (module.bias.numel() if bias else 0)
        case "Attention":
            return 2 * x.shape[1] ** 2 * x.shape[2]
    return 0


@pytest.mark.parametrize("space", EVERY)
def test_costs_of_a_population_are_those_of_each_graph(space: Stages) -> None:
    archs = some(space, 40)
    costs = space.costs(array(archs, space), SHAPE)
    graphs = [space.graph(a, SHAPE) for a in archs]
    assert costs["params"].tolist() == [g.params for g in graphs]
    assert costs["flops"].tolist() == [g.flops for g in graphs]
    for g in graphs:
        frame = [b for b in g.blocks if b.kind in ("stem", "head")]
        assert sum(e.params for e in g.edges) + sum(b.params for b in frame) == g.params


@torch.no_grad()
def check_extracted(net: Any, space: Any) -> None:
    """In training and, with the statistics that this leaves, in evaluation."""
    for arch in some(space, 3):
        alone, gates = net.train().extract(arch), one_hot(space, arch)
        torch.testing.assert_close(alone(IMAGES), net(IMAGES, gates), rtol=0, atol=1e-6)
        torch.testing.assert_close(alone.eval()(IMAGES), net.eval()(IMAGES, gates), rtol=0, atol=1e-6)


@pytest.mark.parametrize("space", EVERY)
def test_a_network_out_of_entangled_weights_equals_the_one_hot_view(space: Stages) -> None:
    check_extracted(supernet(space), space)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_network_out_of_separate_weights_equals_the_one_hot_view(kind: str) -> None:
    first = Stage((kind,), (8, 16), (1, 2), (1, 2), (3, 5), (2,), (False, True), "layer")
    space = Stages(
        (first, Stage((kind, "conv" if kind != "conv" else "basic"), (8, 16), (2,))), stem=8, head=12
    )
    check_extracted(supernet(space, "separate"), space)


@pytest.mark.parametrize("space", EVERY)
def test_soft_gates_of_one_taken_option_equal_the_hard_ones(space: Stages) -> None:
    net, arch = supernet(space).eval(), some(space, 1)[0]
    hard = one_hot(space, arch)
    soft = {
        c.name: Gate(
            tuple(c.open),
            torch.tensor([float(i == hard[c.name].options[0]) for i in c.open], requires_grad=True),
        )
        for c in space.choices()
    }
    torch.testing.assert_close(net(IMAGES, soft), net(IMAGES, hard), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("space", [p for p in EVERY if p.id in ("basic-layer", "mbconv-stage", "mixed")])
def test_alphas_learn_through_entangled_weights(space: Stages) -> None:
    net, gating = supernet(space), Softmax(space)
    net.at(gating())(IMAGES).square().sum().backward()
    assert all(a.grad is not None and a.grad.abs().sum() > 0 for a in gating.alphas.values())


def test_only_kinds_of_block_own_weights_when_sizes_are_entangled() -> None:
    net = supernet(MIXED)
    assert net.own("stage1.width") == net.own("stage1.layer1.kernel") == []
    assert len(net.own("stage2.block", 0)) < len(net.own("stage2.block"))


def test_an_entangled_supernet_has_the_size_of_the_largest_network() -> None:
    space = Stages((Stage(("mbconv",), (8, 16), (1, 2), (1,), (3, 5), (2, 3), (False, True)),), stem=8)
    largest = tuple(len(c.options) - 1 for c in space.choices())
    ours = sum(p.numel() for p in supernet(space).parameters())
    apart = sum(p.numel() for p in supernet(space, "separate").parameters())
    assert ours == space.graph(largest, SHAPE).params
    assert apart > 2 * ours


def test_a_narrowed_space_allocates_its_open_options_and_refuses_others() -> None:
    space = restrict(of_kind("basic"), {"stage1.width": [8], "stage2.depth": [1]})
    narrow, wide = supernet(space), supernet(of_kind("basic"))
    assert sum(p.numel() for p in narrow.parameters()) < sum(p.numel() for p in wide.parameters())
    assert len(narrow.stages[1]) == 1


def test_choices_are_made_where_there_is_more_than_one_option() -> None:
    assert Stages((Stage(),)).choices() == ()
    names = [c.name for c in of_kind("mbconv").choices()]
    assert names[:7] == [
        "resolution",
        "stage1.width",
        "stage1.depth",
        "stage1.stride",
        "stage1.layer1.kernel",
        "stage1.layer1.expansion",
        "stage1.layer1.squeeze",
    ]
    assert not any("kernel" in c.name for c in of_kind("attention").choices())


def test_settings_of_layers_that_are_not_there_are_inactive() -> None:
    space = Stages((Stage(("mbconv",), (8,), (1, 2), (1,), (3, 5), (2,), per="layer"),))
    assert size(space) == 2 + 4
    assert describe(space, tuples(enumerate_archs(space))[0]) == {
        "stage1.depth": 1,
        "stage1.layer1.kernel": 3,
    }
    with pytest.raises(BadInput, match=r"stage1\.layer2\.kernel: this choice is inactive"):
        from_choices(space, {"stage1.depth": 1, "stage1.layer1.kernel": 3, "stage1.layer2.kernel": 3})


def test_settings_that_a_kind_of_block_lacks_are_inactive_with_it() -> None:
    space = Stages((Stage(("conv", "attention"), (8,), kernels=(3, 5), expansions=(1, 2)),))
    assert size(space) == 2 + 2
    arch = from_choices(space, {"stage1.block": "attention", "stage1.expansion": 2})
    assert describe(space, arch) == {"stage1.block": "attention", "stage1.expansion": 2}


def test_a_space_with_kinds_for_each_layer_is_counted_at_once() -> None:
    one = Stage(("conv", "mbconv", "attention"), (8,), (6, 12), (1,), (3, 5), (2, 3), per="layer")
    each = 2 + 4 + 2
    assert size(Stages((one,) * 3)) == (each**6 + each**12) ** 3


def test_an_mbconv_by_hand() -> None:
    layer = Layer("mbconv", 8, 16, 5, 3, True, 2)
    cost = layer.cost((8, 8))
    weights = 8 * 24, 24 * 25, 24 * 16
    excite = 2 * 24 * 8
    assert cost.params == sum(weights) + 2 * (24 + 24 + 16) + excite + 24 + 8
    assert cost.flops == weights[0] * 64 + (weights[1] + weights[2]) * 16 + excite


def test_squeezed_channels_are_multiples_of_eight() -> None:
    assert [reduced(c) for c in (16, 72, 120, 240, 480, 672, 960)] == [8, 24, 32, 64, 120, 168, 240]


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"widths": ()}, "widths: no option is given"),
        ({"widths": (0,)}, "widths: 0 is below 1"),
        ({"kernels": (3, 4)}, "kernels: 4 is even"),
        ({"depths": (0, 1)}, "depths: 0 is below 1"),
        ({"expansions": (2, 2)}, "expansions: an option is listed twice"),
        ({"blocks": ("conv", "swin")}, "blocks: 'swin' is none of conv, separable"),
        ({"blocks": ("attention",), "widths": (12,)}, "widths: 12 is no multiple of 8"),
    ],
)
def test_a_stage_that_cannot_be_is_refused(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Stage(**knobs)


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"stages": ()}, "stages: none is given"),
        ({"resolutions": (0, 4), "stages": (Stage(strides=(4,)),) * 2}, "resolutions: 4 is down-sampled 16"),
        ({"stem": 0}, "stem: 0 is below 1"),
    ],
)
def test_stages_that_cannot_be_are_refused(knobs: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        Stages(**knobs)


def test_presets_are_spaces_of_stages() -> None:
    for name, space in presets().items():
        assert isinstance(space, Stages), name
        assert size(space) > 50
        assert space.graph(some(space, 1)[0], SHAPE).params > 0
