"""TAS: how two widths meet, how the cost is steered, and what its teacher says."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nascore.align import Own, Two, aligned, stretched
from nascore.entangle import Axis
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Chosen, Note, Step
from nascore.expected import expected
from nascore.gates import one_hot
from nascore.problem import Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import restrict, sample, tuples
from nascore.spaces.conv_macro import ConvMacro
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.strategies.tas import Tas, largest, mflops, softly, steering
from nascore.tasks.images import Digits

torch.set_num_threads(1)
SPACE = PrunedResnet(14, 16)


def problem(space: Any = SPACE, images: int = 64) -> Problem:
    return Problem(space, Digits(train_images=images), SgdCosine(epochs=1, batch=16), Trained())


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 4), (4, 6), (6, 4), (3, 12), (5, 16)])
def test_stretching_keeps_constants_and_equal_widths_and_takes_means_of_what_a_channel_covers(
    inputs: int, outputs: int
) -> None:
    x = torch.randn(2, inputs, 3, 3, generator=torch.Generator().manual_seed(0))
    found = stretched(x, outputs)
    ends = [(a * inputs // outputs, -(-(a + 1) * inputs // outputs)) for a in range(outputs)]
    by_hand = torch.stack([x[:, low:high].mean(1) for low, high in ends], 1)
    torch.testing.assert_close(found, by_hand)
    torch.testing.assert_close(stretched(torch.full_like(x, 7.0), outputs), torch.full_like(found, 7.0))
    if outputs % inputs == 0 or inputs % outputs == 0:
        torch.testing.assert_close(found.mean(1), x.mean(1))
    if inputs == outputs:
        assert found is x


def test_two_unlike_widths_are_drawn_whose_weights_sum_to_one_and_all_depths() -> None:
    torch.manual_seed(0)
    gating, seen = Two(SPACE, 1.0, every=False), set()
    for _ in range(30):
        for c in SPACE.choices():
            gate = gating()[c.name]
            assert float(gate.weights.detach().sum()) == pytest.approx(1)
            assert len(set(gate.options)) == len(gate.options) == 2
            seen |= {(c.name, o) for o in gate.options}
    assert len(seen) == sum(len(c.options) for c in SPACE.choices())
    gate = Two(PrunedResnet(20, 8), 1.0, every=False)()["stage1.depth"]
    assert gate.options == (0, 1, 2)
    assert gating.probabilities()["stem.width"].sum().item() == pytest.approx(1)


def test_shut_widths_are_never_drawn() -> None:
    gating = Two(restrict(SPACE, {"stem.width": (4, 8, 16)}), 5.0, every=False)
    seen = {o for _ in range(50) for o in gating()["stem.width"].options}
    assert seen == {0, 2, 7}  # by index


def test_each_width_has_a_norm_of_its_own_and_the_mixture_is_that_of_both() -> None:
    p = problem()
    torch.manual_seed(0)
    net: Any = p.supernet("entangled")
    aligned(net, p)
    norm: Any = net.stem.bn
    assert isinstance(norm, Own)
    assert sorted(map(int, norm.norms)) == list(SPACE.widths(0))
    x, w = torch.randn(4, 16, 5, 5), torch.tensor([0.3, 0.7])
    found = norm(x, Axis((4, 9), w))
    one, two = norm.norms["4"], norm.norms["9"]
    torch.testing.assert_close(found, 0.3 * stretched(one(x[:, :4]), 9) + 0.7 * two(x[:, :9]))


def test_one_width_each_runs_as_a_network_of_these_widths() -> None:
    p = problem()
    net: Any = p.supernet("entangled")
    aligned(net, p)
    arch = tuples(sample(SPACE, 1, p.rng("one")))[0]
    x = torch.randn(4, 1, 8, 8)
    with torch.no_grad():
        net.train()
        out = net(x, one_hot(SPACE, arch))
        child = net.extract(arch)  # its norms are fresh, as all of the supernet's are
        torch.testing.assert_close(child.train()(x), out, atol=1e-4, rtol=1e-4)


def test_the_cost_term_points_down_above_the_target_up_below_it_and_is_gone_between() -> None:
    p, how = problem(), Tas(target=0.5, tolerance=0.1, weight=2.0)
    cost = expected(p, "flops").scaled(1e6)
    term, gating = steering(p, cost, how), Two(SPACE, 1.0, every=False)
    low, high = how.band(p)
    assert high == pytest.approx(0.5 * mflops(p, largest(p)))
    slopes = {}
    for size, options in {"wide": 7, "narrow": 0}.items():
        with torch.no_grad():
            for c in SPACE.choices():
                gating.alphas[c.name.replace(".", "/")].copy_(
                    torch.nn.functional.one_hot(
                        torch.tensor(min(options, len(c.options) - 1)), len(c.options)
                    )
                )
        value = term(gating.probabilities())
        assert abs(float(value.detach())) == pytest.approx(
            2 * abs(float(cost(gating.probabilities()).detach().log()))
        )
        slopes[size] = torch.autograd.grad(value, gating.alphas["stem/width"])[0]
    assert slopes["wide"][7] > 0 > slopes["wide"][0]  # a step down the slope makes it narrower
    assert slopes["narrow"][7] < 0 < slopes["narrow"][0]
    inside = Tas(target=1.0, tolerance=1.0)
    assert float(steering(p, cost, inside)(gating.probabilities()).detach()) == 0
    assert low > 0


def test_the_shape_that_is_chosen_lies_on_target_where_an_epoch_did() -> None:
    p = problem(PrunedResnet(8, 8), 32)
    how = Tas(epochs=5, target=0.4, tolerance=0.3, alpha_lr=0.1, distill=False)
    events = list(search(how, p))
    steps = [e.values for e in events if isinstance(e, Step) and e.phase == "search"]
    last = [v["mflops"] for v in steps if v["on_target"]]
    chosen = next(e for e in events if isinstance(e, Chosen))
    assert last
    assert mflops(p, chosen.arch) == pytest.approx(last[-1])
    assert "within the tolerance" in chosen.why


def test_a_target_that_no_epoch_meets_is_told() -> None:
    how = Tas(epochs=1, target=0.01, tolerance=0.001, distill=False)
    notes = [e for e in search(how, problem()) if isinstance(e, Note)]
    assert any("no epoch's largest shares lay between" in n.text and n.level == "warning" for n in notes)


def test_what_a_teacher_says_is_zero_where_both_agree_and_hand_computed_where_not() -> None:
    a, b = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    assert softly(a, a, 4.0).tolist() == pytest.approx([0], abs=1e-5)
    p = (a / 2).softmax(-1)[0]
    by_hand = 4 * float((p * (p / 0.5).log()).sum())
    assert softly(a, b, 2.0).tolist() == pytest.approx([by_hand])


def test_distillation_tells_the_errors_of_both() -> None:
    notes = [e.text for e in search(Tas(epochs=1), problem()) if isinstance(e, Note)]
    assert any("of the teacher and" in n and "of the student" in n for n in notes)


def test_cells_are_refused_with_what_would_do() -> None:
    with pytest.raises(
        BadInput, match="such as nats_size, or a strategy for separate weights, such as drnas"
    ):
        Tas().check(problem(Nasbench201(1, 4, 1, 4)))
    Tas().check(problem(ConvMacro(8)))
