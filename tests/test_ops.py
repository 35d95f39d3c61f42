"""Operations of cells: what each computes, and that it costs what is counted without building it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from nascore.cost import OPS, operation
from nascore.export import torch_source
from nascore.gates import Softmax, one_hot
from nascore.ops import Separable, init_weights
from nascore.ops import operation as layers
from nascore.space import sample, tuples
from nascore.spaces.cell import Cell
from nascore.task import Shape

SHARP = ("dil_sep_conv_3x3", "dil_sep_conv_5x5", "flood_conv_3x3", "dil_flood_conv_3x3",
         "choke_conv_3x3", "dil_choke_conv_3x3")  # fmt: skip
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
CELL = Cell(3, ops=(("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3", *SHARP),), channels=4, stages=2)


def counted(net: nn.Module, x: Tensor) -> tuple[int, int, Tensor]:
    """Parameters, multiply-adds by what each convolution gave, and the output."""
    flops = 0

    def see(module: nn.Module, _: object, out: Tensor) -> None:
        nonlocal flops
        flops += module.weight[0].numel() * out[0].numel()

    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(see)
    out = net(x)
    return sum(p.numel() for p in net.parameters()), flops, out


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", OPS)
def test_an_operation_costs_what_is_counted_and_keeps_its_size(name: str, stride: int) -> None:
    side = 7 if stride == 1 else 8
    out_side = side // stride
    params, flops, out = counted(layers(name, 6, stride), torch.randn(2, 6, side, side))
    cost = operation(name, (6, out_side, out_side), stride)
    assert out.shape == (2, 6, out_side, out_side)
    assert (params, flops) == (cost.params, cost.flops)


@pytest.mark.parametrize(
    ("name", "middle", "kernel"),
    [("dil_sep_conv_3x3", 8, 3), ("dil_sep_conv_5x5", 8, 5), ("flood_conv_3x3", 32, 3),
     ("dil_flood_conv_3x3", 32, 3), ("choke_conv_3x3", 32, 3), ("dil_choke_conv_3x3", 32, 3)],
)  # fmt: skip
def test_sharp_costs_by_hand(name: str, middle: int, kernel: int) -> None:
    # 8 channels on 6 x 6: depthwise, to the middle, norm, depthwise, back, norm
    weights = 8 * kernel**2 + 8 * middle + middle * kernel**2 + middle * 8
    cost = operation(name, (8, 6, 6))
    assert cost.params == weights + 2 * middle + 2 * 8
    assert cost.flops == weights * 36


def test_a_choke_has_32_channels_whatever_comes_in_and_a_flood_four_times_as_many() -> None:
    for channels in (4, 16, 64):
        for name, middle in (("choke_conv_3x3", 32), ("flood_conv_3x3", 4 * channels)):
            point = layers(name, channels).rounds[0][1]
            assert (point.in_channels, point.out_channels) == (channels, middle)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("name", SHARP)
def test_a_sharp_one_is_two_separable_rounds_of_which_the_first_is_dilated(name: str, stride: int) -> None:
    net, x = init_weights(layers(name, 4, stride)).train(), torch.randn(3, 4, 8, 8)
    op, dilation = OPS[name], 2 if name.startswith("dil") else 1
    (first, up, norm), (second, down, last) = net.rounds
    pad = op.kernel // 2
    y = F.conv2d(x.relu(), first.weight, None, stride, dilation * pad, dilation, groups=4)
    y = F.batch_norm(F.conv2d(y, up.weight), None, None, norm.weight, norm.bias, True)
    y = F.conv2d(y.relu(), second.weight, None, 1, pad, 1, groups=y.shape[1])
    y = F.batch_norm(F.conv2d(y, down.weight), None, None, last.weight, last.bias, True)
    torch.testing.assert_close(net(x), y)


def test_undilated_and_no_wider_it_is_the_separable_one() -> None:
    plain = Separable(6, 3)
    sharp = Separable(6, 3, middle=6)
    sharp.load_state_dict(plain.state_dict())
    x = torch.randn(2, 6, 5, 5)
    torch.testing.assert_close(sharp(x), plain(x))


def test_cells_of_sharp_operations_are_counted_built_shared_and_exported() -> None:
    archs = sample(CELL, 4, np.random.default_rng(0))
    costs = CELL.costs(archs, SHAPE)
    torch.manual_seed(0)
    net = CELL.supernet(SHAPE, "separate", CELL.choices())
    net.at(Softmax(CELL)())(IMAGES)
    net.eval()
    for i, arch in enumerate(tuples(archs)):
        built = sum(p.numel() for p in CELL.build(arch, SHAPE).parameters())
        if not any(e.dead for e in CELL.graph(arch, SHAPE).edges):  # which are counted, and not built
            assert costs["params"][i] == built
        torch.testing.assert_close(net.extract(arch)(IMAGES), net(IMAGES, one_hot(CELL, arch)))
    made = torch_source(CELL, tuples(archs)[0], SHAPE)
    assert made.difference < 1e-6


def test_a_program_of_many_networks_leaves_sharp_operations_out() -> None:
    assert CELL.batched([(3,) * len(CELL.choices())], SHAPE) is None
