"""Slices superposed in one weight give the mixture of their outputs; one option gives the slice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from nascore.entangle import (
    Attention,
    Axis,
    Conv,
    LayerNorm,
    Linear,
    Norm,
    Widths,
    add,
    axis,
    cover,
    either,
    is_hard,
    joint,
    mixed_depth,
    rings,
    same,
)
from nascore.errors import BadInput
from nascore.gates import Gate

WIDTHS = (2, 4, 6)
P = torch.tensor([0.5, 0.3, 0.2])
Q = torch.tensor([0.1, 0.6, 0.3])
ALL = Gate((0, 1, 2), P)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def pad(x: Tensor, channels: int) -> Tensor:
    """(n, c, h, w) -> (n, channels, h, w), zeros behind."""
    return F.pad(x, (0, 0, 0, 0, 0, channels - x.shape[1]))


def made(kind: Any, *args: Any, **more: Any) -> Any:
    torch.manual_seed(3)
    layer = kind(*args, **more)
    for p in layer.parameters():
        nn.init.normal_(p, std=0.3)
    return layer


def test_a_cover_is_the_weight_of_all_options_that_include_an_index() -> None:
    expected = torch.tensor([1.0, 1.0, 0.5, 0.5, 0.2, 0.2, 0.0])
    torch.testing.assert_close(cover(ALL, WIDTHS, 7), expected)


def test_a_hard_cover_is_a_prefix_of_ones() -> None:
    assert cover(Gate((1,), torch.ones(1)), WIDTHS, 6).tolist() == [1, 1, 1, 1, 0, 0]


def test_a_size_beyond_the_whole_is_refused() -> None:
    with pytest.raises(BadInput, match="6 does not fit into 5"):
        cover(ALL, WIDTHS, 5)


def test_the_joint_cover_counts_pairs_by_their_common_size() -> None:
    ratios = axis(Gate((0, 1), torch.tensor([0.25, 0.75])), (1, 2))
    both = joint(axis(ALL, WIDTHS), ratios, lambda width, ratio: width * ratio)
    found = both.cover(torch.zeros(1))
    by_hand = [
        sum(
            float(p * r)
            for p, w in zip(P, WIDTHS, strict=True)
            for r, e in ((0.25, 1), (0.75, 2))
            if w * e > i
        )
        for i in range(12)
    ]
    torch.testing.assert_close(found, torch.tensor(by_hand))


@pytest.mark.parametrize("bias", [True, False])
def test_a_convolution_over_superposed_outputs_equals_the_mixture(bias: bool) -> None:
    conv, x = made(Conv, 3, 6, 3, padding=1, bias=bias), draw(2, 3, 5, 5)
    each = [
        pad(F.conv2d(x, conv.weight[:c], None if not bias else conv.bias[:c], padding=1), 6) for c in WIDTHS
    ]
    mixture = sum(p * y for p, y in zip(P, each, strict=True))
    torch.testing.assert_close(conv(x, outputs=axis(ALL, WIDTHS)), mixture, atol=1e-5, rtol=0)


def test_a_convolution_over_superposed_inputs_equals_the_mixture() -> None:
    conv, x = made(Conv, 6, 4, 3, padding=1), draw(2, 6, 5, 5)
    each = [F.conv2d(x[:, :c], conv.weight[:, :c], padding=1) for c in WIDTHS]
    mixture = sum(p * y for p, y in zip(P, each, strict=True)) + conv.bias[:, None, None]
    torch.testing.assert_close(conv(x, inputs=axis(ALL, WIDTHS)), mixture, atol=1e-5, rtol=0)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("groups", [1, 4])
def test_superposed_kernels_equal_the_mixture(stride: int, groups: int) -> None:
    conv = made(Conv, 4, 4, 7, stride, 3, groups=groups, bias=False)
    x, sides = draw(2, 4, 9, 9), (3, 5, 7)
    mixture = 0
    for p, k in zip(P, sides, strict=True):
        cut = (7 - k) // 2
        weight = conv.weight[..., cut : 7 - cut, cut : 7 - cut]
        mixture = mixture + p * F.conv2d(x, weight, None, stride, k // 2, 1, groups)
    torch.testing.assert_close(conv(x, kernel=axis(ALL, sides)), mixture, atol=1e-5, rtol=0)


def test_outputs_inputs_and_kernels_together_equal_the_mixture_of_all_products() -> None:
    conv, x, sides = made(Conv, 6, 6, 5, padding=2, bias=False), draw(2, 6, 6, 6), (1, 3, 5)
    mixture = 0
    for p, i in zip(P, WIDTHS, strict=True):
        for q, o in zip(Q, WIDTHS, strict=True):
            for r, k in zip(P, sides, strict=True):
                cut = (5 - k) // 2
                weight = conv.weight[:o, :i, cut : 5 - cut, cut : 5 - cut]
                mixture = mixture + p * q * r * pad(F.conv2d(x[:, :i], weight, padding=k // 2), 6)
    found = conv(x, axis(Gate((0, 1, 2), Q), WIDTHS), axis(ALL, WIDTHS), axis(ALL, sides))
    torch.testing.assert_close(found, mixture, atol=1e-4, rtol=0)


def test_a_linear_layer_over_superposed_features_equals_the_mixture() -> None:
    linear, x = made(Linear, 6, 6), draw(3, 6)
    mixture = 0
    for p, o in zip(P, WIDTHS, strict=True):
        for q, i in zip(Q, WIDTHS, strict=True):
            y = F.linear(x[:, :i], linear.weight[:o, :i], linear.bias[:o])
            mixture = mixture + p * q * F.pad(y, (0, 6 - o))
    found = linear(x, axis(ALL, WIDTHS), axis(Gate((0, 1, 2), Q), WIDTHS))
    torch.testing.assert_close(found, mixture, atol=1e-5, rtol=0)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_a_norm_over_superposed_channels_equals_the_mixture(training: bool, affine: bool) -> None:
    norm = made(Norm, 6, affine=affine)
    norm.running_mean.normal_()
    norm.train(training)
    x = draw(4, 6, 3, 3)
    whole = norm(x.clone()) if not training else F.batch_norm(x, None, None, norm.weight, norm.bias, True)
    mixture = sum(p * pad(whole[:, :c], 6) for p, c in zip(P, WIDTHS, strict=True))
    torch.testing.assert_close(norm(x, axis(ALL, WIDTHS)), mixture)


def test_running_statistics_move_in_proportion_to_the_cover() -> None:
    norm, x = Norm(6, momentum=0.5), draw(4, 6, 3, 3) + 2
    norm(x, axis(ALL, WIDTHS))
    mean = 0.5 * cover(ALL, WIDTHS, 6) * x.mean((0, 2, 3))
    torch.testing.assert_close(norm.running_mean, mean)


def test_one_option_equals_the_sliced_layer_in_training_and_its_statistics() -> None:
    for weights in (torch.ones(1), torch.ones(1, requires_grad=True)):
        norm, alone, x = Norm(6), nn.BatchNorm2d(4), draw(4, 4, 3, 3)
        out = norm(x, axis(Gate((1,), weights), WIDTHS))
        torch.testing.assert_close(out, alone(x))
        torch.testing.assert_close(norm.running_mean[:4], alone.running_mean)
        torch.testing.assert_close(norm.running_var[:4], alone.running_var)
        assert norm.running_mean[4:].tolist() == [0, 0]


def test_one_option_of_a_layer_norm_equals_the_norm_of_the_slice() -> None:
    norm, x = made(LayerNorm, 6), draw(3, 6)
    expected = F.layer_norm(x[:, :4], (4,), norm.weight[:4], norm.bias[:4])
    soft = norm(x, Axis((4, 6), torch.tensor([1.0, 0.0])))
    torch.testing.assert_close(norm(x[:, :4], Axis((4,))), expected)
    torch.testing.assert_close(soft[:, :4], expected)
    assert soft[:, 4:].abs().max() == 0


def test_one_option_of_attention_equals_attention_with_fewer_heads() -> None:
    wide, narrow = made(Attention, 8, 2, nested=True), Attention(4, 2)
    for name, p in narrow.named_parameters():
        p.data.copy_(wide.get_parameter(name)[:4, :4])
    x = draw(2, 5, 4)
    torch.testing.assert_close(wide(x, Axis((4,))), narrow(x))


def test_the_gradient_of_a_gate_is_that_of_the_mixture() -> None:
    conv, x, gate = made(Conv, 3, 6, 3, bias=False), draw(2, 3, 5, 5), P.clone().requires_grad_()
    conv(x, outputs=axis(Gate((0, 1, 2), gate), WIDTHS)).square().sum().backward()
    other = P.clone().requires_grad_()
    each = [pad(F.conv2d(x, conv.weight[:c]), 6) for c in WIDTHS]
    torch.stack([p * y for p, y in zip(other, each, strict=True)]).sum(0).square().sum().backward()
    torch.testing.assert_close(gate.grad, other.grad)


def test_what_no_listed_option_needs_is_not_computed() -> None:
    conv = made(Conv, 6, 6, 5, padding=2)
    two, sides = Gate((0, 1), torch.tensor([0.5, 0.5])), (1, 3, 5)
    out = conv(draw(2, 2, 5, 5), axis(two, WIDTHS), kernel=axis(two, sides))
    out.square().sum().backward()
    assert out.shape == (2, 4, 5, 5)
    assert conv.weight.grad is not None
    assert conv.weight.grad[4:].abs().sum() == conv.weight.grad[:, 2:].abs().sum() == 0
    assert conv.weight.grad[:4, :2, 1:4, 1:4].abs().min() > 0
    assert conv.weight.grad[..., 0, :].abs().max() == 0


def test_a_straight_through_gate_is_soft_but_gives_the_slice() -> None:
    gate = Gate((0,), torch.ones(1, requires_grad=True))
    conv, x = made(Conv, 3, 6, 3), draw(2, 3, 5, 5)
    assert not is_hard(gate)
    torch.testing.assert_close(conv(x, axis(gate, WIDTHS)), F.conv2d(x, conv.weight[:2], conv.bias[:2]))


def test_same_is_the_chance_of_equal_sizes() -> None:
    a, b = axis(ALL, WIDTHS), axis(Gate((0, 1, 2), Q), (6, 2, 5))
    assert same(a, a) == 1
    assert float(same(a, b)) == pytest.approx(0.2 * 0.1 + 0.5 * 0.6)
    assert same(Axis((2,)), Axis((2,))) == 1
    assert same(Axis((2,)), Axis((4,))) == 0
    assert float(same(Axis((4,)), a)) == pytest.approx(0.3)


def test_after_a_mixture_of_depths_the_axis_is_that_of_each_with_its_weight() -> None:
    both = either([Axis((2,)), axis(ALL, WIDTHS)], torch.tensor([0.4, 0.6]))
    assert both.sizes == (2, 2, 4, 6)
    torch.testing.assert_close(both.weights, torch.tensor([0.4, 0.3, 0.18, 0.12]))


def test_depths_are_mixed_with_narrow_maps_in_the_first_channels() -> None:
    maps = [draw(1, c, 2, 2, seed=c) for c in (2, 4, 3)]
    mixed = mixed_depth(maps, Gate((0, 1), torch.tensor([0.3, 0.7])), (1, 2))
    torch.testing.assert_close(mixed, 0.3 * maps[1] + 0.7 * pad(maps[2], 4))
    assert mixed_depth(maps, Gate((1,), torch.ones(1)), (1, 2)) is maps[2]
    torch.testing.assert_close(add(maps[0], maps[1]), pad(maps[0], 4) + maps[1])


def test_rings_are_centered() -> None:
    assert rings(3).tolist() == [[2, 2, 2], [2, 0, 2], [2, 2, 2]]


def test_one_option_is_hard_only_with_weight_one() -> None:
    assert is_hard(Gate((1,), torch.ones(1)))
    assert not is_hard(Gate((1,), torch.tensor([0.5])))
    conv, x = made(Conv, 3, 6, 3), draw(2, 3, 5, 5)
    half = conv(x, axis(Gate((2,), torch.tensor([0.5])), WIDTHS))
    torch.testing.assert_close(half, 0.5 * conv(x))


def test_separate_widths_are_weighed_and_narrow_ones_stand_first() -> None:
    ops = {i: made(nn.Conv2d, 3, w, 1) for i, w in enumerate(WIDTHS)}
    x, gate = draw(2, 3, 4, 4), Gate((0, 2), torch.tensor([0.25, 0.75]))
    mixed = Widths("width", ops)(x, gate)
    torch.testing.assert_close(mixed, 0.25 * pad(ops[0](x), 6) + 0.75 * ops[2](x))
    with pytest.raises(BadInput, match="width: option 3 is not part of this supernet"):
        Widths("width", ops)(x, Gate((3,), torch.ones(1)))


def test_what_a_head_without_weight_has_seen_does_not_reach_the_others() -> None:
    wide, narrow = made(Attention, 8, 2, nested=True), Attention(4, 2)
    for name, p in narrow.named_parameters():
        p.data.copy_(wide.get_parameter(name)[:4, :4])
    x = draw(2, 5, 8)
    x[..., 4:] = 0  # as a norm leaves channels that no weight covers
    soft = wide(x, Axis((4, 8), torch.tensor([1.0, 0.0])))
    torch.testing.assert_close(soft[..., :4], narrow(x[..., :4]))
    torch.testing.assert_close(soft[..., 4:], torch.zeros(2, 5, 4))


def test_heads_are_weighed_before_and_behind_the_output_layer() -> None:
    """By hand: values times the cover of their head, and the output times that of its channels."""
    layer, x, p = made(Attention, 4, 2, nested=True), draw(2, 5, 4), torch.tensor([0.4, 0.6])
    sizes = Axis((2, 4), p)
    cover_ = torch.tensor([1.0, 1.0, 0.6, 0.6])
    q, k, v = (m(x).unflatten(2, (2, 2)).transpose(1, 2) for m in (layer.query, layer.key, layer.value))
    seen = (q @ k.transpose(2, 3) / 2**0.5).softmax(-1) @ v
    expected = layer.out(seen.transpose(1, 2).flatten(2) * cover_) * cover_
    torch.testing.assert_close(layer(x, sizes), expected)
