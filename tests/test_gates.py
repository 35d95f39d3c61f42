from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from nascore.errors import BadInput
from nascore.gates import Gate, Gating, Gumbel, Softmax, Sparsemax, discretize, one_hot, only, without
from nascore.space import Choice, Space, restrict


@dataclass(frozen=True)
class Letters(Space):
    """Three choices; the last is active only while the first is "a"."""

    def choices(self) -> tuple[Choice, ...]:
        return (
            Choice("one", ("a", "b")),
            Choice("two.size", (1, 2, 3)),
            Choice("three", ("x", "y"), when=("one", ("a",))),
        )


SPACE = Letters()


def gates(*weights: float) -> dict[str, Gate]:
    return {"two.size": Gate(tuple(range(len(weights))), torch.tensor(weights))}


def test_one_hot_gates_take_one_option_with_weight_one() -> None:
    found = one_hot(SPACE, (1, 2, -1))
    assert {n: (g.options, g.weights.tolist()) for n, g in found.items()} == {
        "one": ((1,), [1.0]),
        "two.size": ((2,), [1.0]),
        "three": ((0,), [1.0]),
    }


def test_leaving_an_option_out_scales_the_rest_to_one() -> None:
    before = gates(0.5, 0.3, 0.2)
    after = without(before, "two.size", 1)["two.size"]
    assert after.options == (0, 2)
    torch.testing.assert_close(after.weights, torch.tensor([0.5, 0.2]) / 0.7)
    assert before["two.size"].options == (0, 1, 2)


def test_leaving_out_what_takes_no_part_changes_nothing() -> None:
    before = only(gates(0.5, 0.5), "two.size", 1)
    assert without(before, "two.size", 0) == before


def test_leaving_out_all_weight_shares_it_evenly() -> None:
    assert without(gates(1.0, 0.0, 0.0), "two.size", 0)["two.size"].weights.tolist() == [0.5, 0.5]


def test_leaving_out_the_last_option_is_refused() -> None:
    with pytest.raises(BadInput, match="the last one"):
        without(gates(1.0), "two.size", 0)


def test_reading_off_takes_the_likeliest_open_option_and_settles() -> None:
    p = {
        "one": torch.tensor([0.1, 0.9]),
        "two.size": torch.tensor([0.2, 0.7, 0.1]),
        "three": torch.tensor([0, 1]),
    }
    assert discretize(SPACE, p) == (1, 1, -1)
    assert discretize(restrict(SPACE, {"one": ["a"], "two.size": [1, 3]}), p) == (0, 0, 1)


def test_the_plain_gating_draws_open_options_evenly() -> None:
    torch.manual_seed(0)
    gating = Gating(restrict(SPACE, {"two.size": [1, 3]}))
    drawn = [gating()["two.size"].options[0] for _ in range(400)]
    assert gating.probabilities()["two.size"].tolist() == [0.5, 0.0, 0.5]
    assert set(drawn) == {0, 2}
    assert abs(drawn.count(0) - 200) < 50


def test_softmax_gates_are_the_softmax_of_the_open_alphas() -> None:
    gating = Softmax(restrict(SPACE, {"two.size": [1, 3]}))
    with torch.no_grad():
        gating.alphas["two/size"].copy_(torch.tensor([0.0, 50.0, math.log(3)]))
    gate = gating()["two.size"]
    assert gate.options == (0, 2)
    torch.testing.assert_close(gate.weights, torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(gating.probabilities()["two.size"], torch.tensor([0.25, 0.0, 0.75]))


def test_gradients_reach_the_alphas_of_open_options_only() -> None:
    gating = Softmax(restrict(SPACE, {"two.size": [1, 3]}))
    (gating()["two.size"].weights * torch.tensor([1.0, 2.0])).sum().backward()
    grad = gating.alphas["two/size"].grad
    assert grad is not None
    assert grad[1] == 0
    torch.testing.assert_close(grad[[0, 2]], torch.tensor([-0.25, 0.25]), atol=1e-3, rtol=0)


def test_gumbel_draws_by_the_softmax_and_its_hard_weight_has_a_gradient() -> None:
    torch.manual_seed(0)
    gating = Gumbel(SPACE)
    with torch.no_grad():
        gating.alphas["one"].copy_(torch.tensor([0.0, math.log(3)]))
    drawn = [gating()["one"] for _ in range(400)]
    assert {g.weights.item() for g in drawn} == {1.0}
    assert abs(sum(g.options[0] for g in drawn) - 300) < 40
    drawn[0].weights.sum().backward()
    assert gating.alphas["one"].grad is not None


def test_what_is_fixed_stays_fixed_after_a_restart() -> None:
    gating, again = Softmax(SPACE), Softmax(SPACE)
    gating.fix("two.size", 2)
    again.load_state_dict(gating.state_dict())
    assert again()["two.size"].options == (2,)
    assert again.probabilities()["two.size"].tolist() == [0.0, 0.0, 1.0]
    torch.testing.assert_close(again.alphas["one"], gating.alphas["one"])


def test_dirichlet_shares_start_uniform_on_average_and_learn() -> None:
    from nascore.gates import Dirichlet

    torch.manual_seed(0)
    gating = Dirichlet(SPACE)
    draws = torch.stack([gating()["two.size"].weights.detach() for _ in range(4000)])
    assert torch.allclose(draws.sum(1), torch.ones(4000), atol=1e-5)
    assert torch.allclose(draws.mean(0), gating.probabilities()["two.size"], atol=0.02)
    assert torch.allclose(draws.var(0), torch.full((3,), 2 / 9 / 4), atol=0.01)  # of Dirichlet(1, 1, 1)
    gating()["two.size"].weights[1].backward()
    slope = gating.alphas["two/size"].grad
    assert slope is not None
    assert float(slope[1]) > 0
    assert float(slope[0]) < 0


def test_dirichlet_leaves_shut_options_out() -> None:
    from nascore.gates import Dirichlet

    gating = Dirichlet(SPACE)
    gating.fix("two.size", 2)
    assert gating()["two.size"].options == (2,)
    assert gating.probabilities()["two.size"].tolist() == [0, 0, 1]


def test_sparsemax_is_the_nearest_point_of_the_simplex() -> None:
    from scipy.optimize import minimize

    torch.manual_seed(0)
    gating = Sparsemax(SPACE, scale=0.6)
    for choice in SPACE.choices():
        alpha = gating.logits(choice).detach().double().numpy()
        start = [1 / len(alpha)] * len(alpha)
        found = minimize(
            lambda p, a=alpha: ((p - a) ** 2).sum(),
            start,
            bounds=[(0, 1)] * len(alpha),
            constraints={"type": "eq", "fun": lambda p: p.sum() - 1},
        )
        assert gating.probabilities()[choice.name].tolist() == pytest.approx(found.x.tolist(), abs=1e-4)


def test_sparsemax_gives_small_alphas_nothing_and_keeps_to_what_is_open() -> None:
    gating = Sparsemax(SPACE)
    with torch.no_grad():
        gating.alphas["two/size"].copy_(torch.tensor([2.0, 0.1, 0.0]))
    assert gating.probabilities()["two.size"].tolist() == [1, 0, 0]
    gating.fix("two.size", 2)
    assert gating.probabilities()["two.size"].tolist() == [0, 0, 1]
    assert gating()["two.size"].options == (2,)
    with torch.no_grad():
        gating.alphas["one"].zero_()
    slope = torch.autograd.grad(gating.probabilities()["one"][0], gating.alphas["one"])[0]
    assert slope.tolist() == [0.5, -0.5]


def test_the_leader_of_max_w_has_weight_one_and_gets_nothing_through_its_own_option() -> None:
    from nascore.gates import MaxW

    gating = MaxW(restrict(SPACE, {"two.size": [1, 3]}))
    alphas = gating.alphas["two/size"]
    with torch.no_grad():
        alphas.copy_(torch.tensor([math.log(3), 50.0, 0.0]))
    gate = gating()["two.size"]
    assert gate.options == (0, 2)
    torch.testing.assert_close(gate.weights, torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(gating.probabilities()["two.size"], torch.tensor([0.75, 0.0, 0.25]))
    (own,) = torch.autograd.grad(gate.weights[0], alphas, retain_graph=True)
    assert own.tolist() == pytest.approx([0, 0, 0], abs=1e-7)
    (other,) = torch.autograd.grad(gate.weights[1], alphas)  # of 1 - p0 + p1: both derivatives of a softmax
    assert other.tolist() == pytest.approx([-2 * 3 / 16, 0, 2 * 3 / 16])
