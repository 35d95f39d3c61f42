from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from nascore.errors import BadInput
from nascore.gates import Gate, Softmax, one_hot, only
from nascore.ops import init_weights
from nascore.space import restrict, sample, tuples
from nascore.spaces.cell_net import CellSupernet
from nascore.spaces.nasbench201 import Nasbench201
from nascore.supernet import Joint, digest, inherit, recalibrate, through
from nascore.task import Batch, Shape

SPACE = Nasbench201(cells=1, channels=4, stages=2, stem_stride=2)
SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
IMAGES = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
ARCH = (3, 1, 2, 4, 0, 3)


def supernet(space=SPACE):
    torch.manual_seed(0)
    return space.supernet(SHAPE, "separate", space.choices())


def batch(x: torch.Tensor) -> Batch:
    return Batch(x, torch.zeros(len(x), dtype=torch.long), torch.arange(len(x)))


def test_an_extracted_network_equals_the_hard_view() -> None:
    net = supernet()
    net.at(Softmax(SPACE)())(IMAGES)  # so that batch norms have seen something
    for arch in tuples(sample(SPACE, 10, np.random.default_rng(0))):
        for training in (False, True):
            alone = net.train(training).extract(arch)
            expected = net(IMAGES, one_hot(SPACE, arch))
            torch.testing.assert_close(alone(IMAGES), expected, rtol=0, atol=1e-5)


def test_an_extracted_network_has_weights_of_its_own() -> None:
    net = supernet()
    before, alone = digest(net), net.extract(ARCH)
    for p in alone.parameters():
        nn.init.zeros_(p)
    assert digest(net) == before


def test_gradients_reach_the_listed_options_only() -> None:
    net = supernet()
    gates = {**one_hot(SPACE, (3,) * 6), "edge_1_0": Gate((2, 4), torch.tensor([0.0, 1.0]))}
    net.at(gates)(IMAGES).square().sum().backward()
    listed, other = net.own("edge_1_0", 2), net.own("edge_1_0", 3)
    assert all(p.grad is not None for p in listed)  # with weight zero it takes part, so it has a gradient
    assert all(p.grad is None for p in other)
    assert all(p.grad is None for p in net.own("edge_2_0", 2))
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.own("edge_2_0", 3)[:1])


def test_a_mixture_is_the_weighted_sum_of_outputs() -> None:
    net = CellSupernet(SPACE.cell, SHAPE, "separate", SPACE.choices(), fused=False).eval()
    # one live edge in one cell each: the cell's output is what that edge gives
    arch, blocks = (0, 0, 0, 1, 0, 0), "net.blocks.0.edges.edge_3_0"
    mixed = {**one_hot(SPACE, arch), "edge_3_0": Gate((1, 3), torch.tensor([0.25, 0.75]))}
    _, skip = through(net.at(only(one_hot(SPACE, arch), "edge_3_0", 1)), IMAGES, f"*{blocks}")
    _, conv = through(net.at(only(one_hot(SPACE, arch), "edge_3_0", 3)), IMAGES, f"*{blocks}")
    _, both = through(net.at(mixed), IMAGES, f"*{blocks}")
    (a,), (b,), (c,) = skip.values(), conv.values(), both.values()
    torch.testing.assert_close(0.25 * a + 0.75 * b, c)


def test_alphas_learn_through_a_view() -> None:
    net, gating = supernet(), Softmax(SPACE)
    net.at(gating())(IMAGES).square().sum().backward()
    assert all(a.grad is not None and a.grad.abs().sum() > 0 for a in gating.alphas.values())


def test_own_weights_of_all_choices_are_apart() -> None:
    net = supernet()
    owned = [id(p) for c in SPACE.choices() for p in net.own(c.name)]
    assert len(owned) == len(set(owned)) == 2 * 6 * 2 * 3  # cells, edges, convolutions, weight and norm
    assert net.own("edge_1_0", 1) == []


def test_a_narrowed_space_allocates_its_open_options_and_refuses_others() -> None:
    space = restrict(SPACE, {"edge_1_0": ["skip_connect", "nor_conv_1x1"]})
    net = supernet(space)
    assert net.own("edge_1_0", 3) == []
    with pytest.raises(BadInput, match="edge_1_0: option 3 is not part"):
        net.at(one_hot(SPACE, (3,) * 6))(IMAGES)


def test_weights_are_inherited_by_name_from_a_wider_space() -> None:
    wide, narrow = supernet().eval(), supernet(restrict(SPACE, {"edge_1_0": ["nor_conv_3x3"]}))
    init_weights(narrow, torch.Generator().manual_seed(9))
    inherit(narrow, wide)
    gates = one_hot(SPACE, (3, 3, 2, 1, 4, 0))
    torch.testing.assert_close(narrow.eval()(IMAGES, gates), wide(IMAGES, gates))


def test_a_view_inherits_and_bequeaths_like_its_supernet() -> None:
    net, child = supernet(), SPACE.build(ARCH, SHAPE)
    inherit(child, net.at(one_hot(SPACE, ARCH)))
    assert digest(child) == digest(net.extract(ARCH))


def test_smaller_tensors_take_the_leading_block_and_the_central_kernel() -> None:
    large, small = nn.Conv2d(4, 4, 5), nn.Conv2d(2, 3, 3)
    inherit(small, large)
    torch.testing.assert_close(small.weight, large.weight[:3, :2, 1:4, 1:4])
    torch.testing.assert_close(small.bias, large.bias[:3])


def test_a_digest_changes_with_any_weight_and_comes_back() -> None:
    net = supernet()
    state, before = copy.deepcopy(net.state_dict()), digest(net)
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] += 1e-3
    assert digest(net) != before
    net.load_state_dict(state)
    assert digest(net) == before


def test_no_hook_outlives_a_look_through() -> None:
    net = supernet().eval()
    view = net.at(one_hot(SPACE, ARCH))
    plain = view(IMAGES)
    edited, seen = through(view, IMAGES, "*.stem", {"*.head": torch.neg})
    torch.testing.assert_close(edited, -plain)
    assert [n.rsplit(".", 1)[-1] for n in seen] == ["stem", "head"]
    torch.testing.assert_close(view(IMAGES), plain)


def test_recalibrated_norms_hold_the_mean_statistics_of_the_batches() -> None:
    net = nn.Sequential(nn.BatchNorm2d(1, momentum=0.3))
    parts = [batch(IMAGES[:8]), batch(IMAGES[8:] + 4)]
    found = recalibrate(net, parts)[0]
    torch.testing.assert_close(found.running_mean, torch.stack([b.x.mean() for b in parts]).mean().view(1))
    assert found.momentum == 0.3
    assert float(net[0].running_mean) == 0


def test_a_seed_gives_the_same_weights_and_another_one_others() -> None:
    a, b, c = (init_weights(SPACE.build(ARCH, SHAPE), torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert digest(a) == digest(b) != digest(c)


def test_weights_start_with_the_documented_variance() -> None:
    net = init_weights(
        nn.Sequential(nn.Conv2d(32, 64, 3), nn.Linear(400, 100)), torch.Generator().manual_seed(0)
    )
    assert net[0].weight.std().item() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.03)
    assert net[1].weight.std().item() == pytest.approx((1 / 400) ** 0.5, rel=0.03)
    assert not net[0].bias.any()


def test_recalibration_forgets_what_was_seen_before() -> None:
    net, seen = nn.Sequential(nn.BatchNorm2d(1)), IMAGES + 3
    for _ in range(5):
        net(100 * IMAGES - 50)
    fresh = recalibrate(net, [batch(seen)])
    norm = fresh[0]
    torch.testing.assert_close(norm.running_mean, seen.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, seen.var((0, 2, 3)))


def test_what_several_choices_decide_is_weighed_by_the_product_of_their_weights() -> None:
    pairs = {(i, j): nn.Identity() for i in (0, 1) for j in (0, 2)}
    joint = Joint(("a", "b"), pairs)
    gates = {"a": Gate((0, 1), torch.tensor([0.25, 0.75])), "b": Gate((0, 2), torch.tensor([0.1, 0.9]))}
    found = {options: float(weight) for options, weight, _ in joint.taken(gates)}
    assert found == pytest.approx({(0, 0): 0.025, (0, 2): 0.225, (1, 0): 0.075, (1, 2): 0.675})
    with pytest.raises(BadInput, match="options a 0, b 1 are not part of this supernet"):
        joint.taken({"a": Gate((0,), torch.ones(1)), "b": Gate((1,), torch.ones(1))})


def test_an_option_owns_the_combinations_that_it_is_part_of() -> None:
    pairs = {(i, j): nn.Linear(1, 1) for i in (0, 1) for j in (0, 2)}
    joint = Joint(("a", "b"), pairs)
    assert joint.owned("a", 1) == [pairs[1, 0], pairs[1, 2]]
    assert joint.owned("b", 2) == [pairs[0, 2], pairs[1, 2]]
    assert len(joint.owned("a", None)) == 4
    assert joint.owned("c", 0) == []


def test_a_digest_is_of_names_too() -> None:
    one, other = nn.ModuleDict({"a": nn.Linear(2, 2)}), nn.ModuleDict({"b": nn.Linear(2, 2)})
    other["b"].load_state_dict(one["a"].state_dict())
    assert digest(one) != digest(other)
