"""The mean cost against the mean over every arch, and its slope against differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nascore.errors import NotSupported
from nascore.expected import additive, exact, whole
from nascore.gates import Dirichlet, Gate, Gumbel, Softmax, one_hot
from nascore.space import Space, enumerate_archs, restrict, sample, settle, tuples
from nascore.spaces.conv_macro import ConvMacro
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.spaces.stages import Stage, Stages
from nascore.task import Shape
from tests.toys import ToySpace

SHAPE = Shape((("image", (1, 8, 8)),), (("class", 10),))
LAYERED = Stages(
    (
        Stage(("mbconv",), (8, 16), (1, 2, 3), (2,), (3, 5), (2, 4), (False, True), "layer"),
        Stage(("conv", "separable"), (8, 16), (1, 2), (1, 2), (3,)),
    ),
)
SPACES: dict[str, Space] = {
    "cell": Nasbench201(1, 4, 1, 2),
    "sizes": NatsSize(2),
    "kernels": ConvMacro(16),
    "pruned": PrunedResnet(20, 4),
    "stages": LAYERED,
    "narrowed": restrict(PrunedResnet(14, 8), {"stem.width": (2, 4), "stage2.depth": (1,)}),
}


def model(space: Space, metric: str = "flops") -> Any:
    return exact(space, lambda rows: space.costs(rows, SHAPE)[metric], np.random.default_rng(0))


@pytest.mark.parametrize("metric", ["flops", "params"])
@pytest.mark.parametrize("name", SPACES)
def test_one_hot_gates_cost_what_the_arch_costs(name: str, metric: str) -> None:
    space = SPACES[name]
    found, archs = model(space, metric), sample(space, 40, np.random.default_rng(1))
    true = space.costs(archs, SHAPE)[metric]
    for arch, cost in zip(tuples(archs), true, strict=True):
        p = {n: p.double() for n, p in whole(one_hot(space, arch), space.choices()).items()}
        assert float(found(p)) == pytest.approx(cost, rel=1e-6)


@pytest.mark.parametrize("space", [restrict(NatsSize(2), {"cell3.channels": (8, 64)}), PrunedResnet(8, 8)])
def test_the_mean_is_that_over_every_arch(space: Space) -> None:
    space = restrict(space, {c.name: c.options[:2] for c in space.choices()})
    torch.manual_seed(0)
    p = {n: v.double() for n, v in Softmax(space, scale=1.0).probabilities().items()}
    archs = enumerate_archs(space)
    weight = np.ones(len(archs))
    for i, c in enumerate(space.choices()):
        weight *= p[c.name].detach().numpy()[archs[:, i]]
    assert weight.sum() == pytest.approx(1, abs=1e-6)
    true = float((weight * space.costs(archs, SHAPE)["flops"]).sum())
    assert float(model(space)(p).detach()) == pytest.approx(true, rel=1e-6)


def test_inactive_choices_add_nothing_to_the_mean() -> None:
    space = LAYERED
    torch.manual_seed(1)
    p = {n: v.double() for n, v in Softmax(space, scale=1.0).probabilities().items()}
    drawn = [torch.multinomial(v.detach(), 100_000, replacement=True).numpy() for v in p.values()]
    rows = np.stack(drawn, 1)
    true = space.costs(settle(space, rows), SHAPE)["flops"]
    half = 4 * true.std() / np.sqrt(len(true))
    assert float(model(space)(p).detach()) == pytest.approx(true.mean(), abs=half)


@pytest.mark.parametrize("kind", [Softmax, Dirichlet])
def test_alphas_feel_the_slope_of_the_mean(kind: Any) -> None:
    space = SPACES["sizes"]
    torch.manual_seed(0)
    gating, cost = kind(space).double(), model(space).scaled(1e6)
    value = cost(gating.probabilities())
    alpha = gating.alphas["cell2.channels".replace(".", "/")]
    slope = torch.autograd.grad(value, alpha)[0]
    with torch.no_grad():
        for i in (0, 7):
            alpha[i] += 1e-5
            more = float(cost(gating.probabilities()))
            alpha[i] -= 1e-5
            assert (more - float(value.detach())) / 1e-5 == pytest.approx(float(slope[i]), rel=1e-3)
    assert slope[0] < 0 < slope[7]  # a larger share of the narrow width costs less


def test_gates_of_some_options_are_spread_over_all() -> None:
    choices = NatsSize().choices()[:1]
    weights = torch.tensor([0.25, 0.75], requires_grad=True)
    found = whole({choices[0].name: Gate((5, 1), weights)}, choices)[choices[0].name]
    assert found.tolist() == [0, 0.75, 0, 0, 0, 0.25, 0, 0]
    assert torch.autograd.grad(found[5], weights)[0].tolist() == [1, 0]


def test_a_straight_through_gate_costs_the_arch_and_has_a_slope() -> None:
    space = SPACES["sizes"]
    torch.manual_seed(0)
    gating = Gumbel(space)
    gates = gating()
    arch = tuple(gates[c.name].options[0] for c in space.choices())
    value = model(space)(whole(gates, space.choices()))
    assert float(value.detach()) == pytest.approx(space.costs(np.array([arch]), SHAPE)["flops"][0], rel=1e-5)
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(value, list(gating.parameters())))


def test_a_cost_that_ties_all_choices_together_has_no_exact_mean() -> None:
    space: Any = ToySpace()  # type: ignore[abstract] -- no graph is asked
    with pytest.raises(NotSupported, match="more than 5 choices"):
        exact(space, lambda rows: np.prod(rows + 1.0, 1), np.random.default_rng(0))


def test_an_additive_fit_finds_what_is_additive_and_tells_what_is_not() -> None:
    space = SPACES["cell"]
    archs = sample(space, 200, np.random.default_rng(0))
    true = space.costs(archs, SHAPE)["flops"]
    fitted = additive(space, tuples(archs), true.tolist())
    assert fitted.error < 1e-6
    assert fitted.of(archs, space) == pytest.approx(true, rel=1e-6)
    rough = additive(space, tuples(archs), (true**3).tolist())
    assert rough.error > 0.01


@pytest.mark.parametrize("seed", range(10))
def test_choices_that_rarely_meet_are_found_whatever_places_are_drawn(seed: int) -> None:
    row = Stage(("mbconv",), (8,), (1, 2), (1,), (3, 5), (1, 2), per="layer")
    space = Stages((row, row), stem=8)
    found = exact(space, lambda rows: space.costs(rows, SHAPE)["flops"], np.random.default_rng(seed))
    assert max(len(t.names) for t in found.terms) == 3
