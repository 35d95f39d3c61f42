"""ProxylessNAS: gradients through binary gates by hand, what does not move, and what cost and rewards do."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from nascore.binary import Binary
from nascore.engines.bilevel import bilevel
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Note, Step
from nascore.expected import Expected, Term, expected, whole
from nascore.gates import discretize
from nascore.problem import Problem, State, search
from nascore.recipe import Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.proxyless import Proxyless, adam, gated, rewarded
from nascore.tasks.images import Digits
from tests import toys

torch.set_num_threads(1)
SPACE = Nasbench201(1, 4, 1, 4)
NAME = "edge_3_2"


def problem(images: int = 64) -> Problem:
    return Problem(SPACE, Digits(train_images=images), SgdCosine(epochs=1, batch=16), Trained())


def made(*, pairs: bool = True, seed: int = 0) -> tuple[Problem, Any, Binary]:
    p = problem()
    torch.manual_seed(seed)
    net, gating = p.supernet("separate").train(), Binary(SPACE, pairs=pairs)
    with torch.no_grad():
        for alphas in gating.parameters():
            alphas.normal_()
    return p, net, gating


@pytest.mark.parametrize("pairs", [True, False])
def test_alphas_get_the_gradient_of_the_paths_that_are_off(pairs: bool) -> None:
    p, net, gating = made(pairs=pairs)
    gates = gating.probe()
    batch: Any = next(iter(p.batches("validation", "one")))
    gate = gates[NAME]
    assert sorted(gate.weights.tolist()) == pytest.approx([0.0] * (len(gate.options) - 1) + [1.0])
    loss = torch.nn.functional.cross_entropy(net(batch.x, gates), batch.y)
    by_gate = torch.autograd.grad(loss, gate.weights, retain_graph=True)[0]
    found = torch.autograd.grad(loss, gating.alphas[NAME])[0]
    soft = gating.drawn[NAME].weights.detach()
    by_hand = torch.zeros(5)
    for i, option in enumerate(gate.options):
        by_hand[option] = sum(
            g * q * (float(i == j) - soft[i]) for j, (g, q) in enumerate(zip(by_gate, soft, strict=True))
        )
    torch.testing.assert_close(found, by_hand, atol=1e-7, rtol=1e-4)


def test_the_gradient_of_a_gate_is_what_turning_the_path_up_would_change() -> None:
    p, net, gating = made()
    net.double()
    gates = gating.probe()
    batch: Any = next(iter(p.batches("validation", "one")))

    def loss(shift: float, at: int) -> torch.Tensor:
        weights = gates[NAME].weights.double()
        moved = {n: replace(g, weights=g.weights.double()) for n, g in gates.items()}
        moved[NAME] = replace(
            gates[NAME], weights=weights + shift * torch.eye(len(weights), dtype=weights.dtype)[at]
        )
        out = copy.deepcopy(net)(batch.x.double(), moved)
        return torch.nn.functional.cross_entropy(out, batch.y)

    for at in range(2):
        slope = torch.autograd.grad(loss(0.0, at), gates[NAME].weights, retain_graph=True)[0][at]
        with torch.no_grad():
            by_difference = (loss(1e-5, at) - loss(-1e-5, at)) / 2e-5
        assert float(slope) == pytest.approx(float(by_difference), rel=1e-3, abs=1e-8)


def test_a_step_of_the_alphas_leaves_what_was_not_drawn_as_likely_as_it_was() -> None:
    p, net, gating = made()
    cost = expected(p, "flops")
    trainer = Trainer(p, net, 1)
    how = Proxyless(weight=1.0)
    step = gated(trainer, gating, adam(gating, 0.05), cost, how.term(how.goal(p, cost)))
    batch, pairs = next(iter(p.batches("validation", "one"))), {}
    probe = gating.probe

    def noted() -> Any:
        gates = probe()
        pairs.update({n: g.options for n, g in gates.items()})
        return gates

    gating.probe = noted  # type: ignore[method-assign] -- to see what is drawn
    before = {n: q.detach().clone() for n, q in gating.probabilities().items()}
    weights = copy.deepcopy(net.state_dict())
    step(batch, batch)
    after = gating.probabilities()
    moved = 0
    for name, pair in pairs.items():
        rest = [i for i in range(5) if i not in pair]
        torch.testing.assert_close(after[name][rest].detach(), before[name][rest], atol=1e-6, rtol=0)
        moved += int(not torch.allclose(after[name], before[name], atol=1e-4))
    assert moved == len(pairs)
    assert all(torch.equal(weights[n], q) for n, q in net.named_parameters())


def test_weights_that_were_not_drawn_do_not_even_decay() -> None:
    p, net, gating = made()
    trainer = Trainer(p, net, 1, SgdCosine(epochs=1, batch=16, decay=0.1))
    before = {n: q.detach().clone() for n, q in net.named_parameters()}
    gates = gating()
    trainer.round([net.at(gates)], next(iter(trainer.batches("one"))))
    off = {f".{n}.ops.{i}." for n, g in gates.items() for i in range(5) if i not in g.options}
    still = [n for n in before if any(o in n for o in off)]
    assert still
    assert all(torch.equal(before[n], q) for n, q in net.named_parameters() if n in still)
    assert any(not torch.equal(before[n], q) for n, q in net.named_parameters() if n not in still)


def last_cost(how: Proxyless) -> float:
    steps = [e for e in search(how, problem()) if isinstance(e, Step) and e.phase == "search"]
    return steps[-1].values["cost"]


def short(**more: Any) -> Proxyless:
    return Proxyless(**{"epochs": 6, "warmup": 1, "every": 1, "alpha_lr": 0.1, **more})


def test_a_heavier_cost_gives_cheaper_networks() -> None:
    free, dear = last_cost(short(weight=0.0)), last_cost(short(weight=50.0))
    assert dear < 0.7 * free


@pytest.mark.parametrize("mode", ["full", "reinforce"])
def test_other_modes_feel_the_cost_too(mode: Any) -> None:
    p, net, gating = made(pairs=False)
    with torch.no_grad():
        for alphas in gating.parameters():
            alphas.zero_()
    # one option is very dear: rewards and gradients both turn away from it
    cost = Expected(1.0, (Term((NAME,), torch.tensor([0.0, 0, 0, 1e6, 0]).numpy().astype("float64")),))
    trainer, alphas = Trainer(p, net, 3), adam(gating, 0.1)
    if mode == "full":
        step = gated(trainer, gating, alphas, cost, Proxyless(weight=10.0).term(1e4))
    else:
        step = rewarded(trainer, gating, alphas, cost, 1e4, 6, State({"baseline": None}))
    for _ in bilevel(p, trainer, gating, alphas, 3, step=step):
        pass
    assert float(gating.probabilities()[NAME][3].detach()) < 0.15


def test_rewards_are_compared_with_the_mean_of_now_not_of_long_ago() -> None:
    def baseline(before: float | None) -> float:
        p, net, gating = made(pairs=False)
        told = State({"baseline": before})
        step = rewarded(Trainer(p, net, 1), gating, adam(gating, 0.1), Expected(1.0, ()), 1.0, 6, told)
        batch: Any = next(iter(p.batches("validation", "one")))
        torch.manual_seed(1)
        step(batch, batch)
        return told["baseline"]

    now = baseline(None)
    assert now > 0
    assert baseline(0.0) == pytest.approx(0.99 * now)


def test_without_gradients_to_alphas_cost_moves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Binary.probe

    def detached(self: Binary) -> Any:
        gates = plain(self)
        self.drawn = {n: replace(g, weights=g.weights.detach()) for n, g in self.drawn.items()}
        zero = {n: 0 * self.alphas[n].sum() for n in gates}
        return {n: replace(g, weights=g.weights.detach() + zero[n]) for n, g in gates.items()}

    monkeypatch.setattr(Binary, "probe", detached)
    steps = [
        e.values for e in search(short(weight=50.0), problem()) if isinstance(e, Step) and e.phase == "search"
    ]
    assert steps[0]["cost"] == pytest.approx(steps[-1]["cost"])


def test_the_warm_up_trains_weights_and_leaves_alphas() -> None:
    events = [e for e in search(Proxyless(epochs=1, warmup=2), problem()) if isinstance(e, Step)]
    warm = [e for e in events if e.phase == "warm"]
    assert len(warm) == 2
    gates = [{n: v for n, v in e.values.items() if n.startswith("gate/")} for e in warm]
    assert gates[0] == gates[1]
    assert warm[0].values["train_loss"] != warm[1].values["train_loss"]


def test_forms_of_the_loss_by_hand() -> None:
    loss, mean = torch.tensor(2.0), torch.tensor(50.0)
    assert float(Proxyless(weight=0.5).term(100.0)(loss, mean)) == pytest.approx(2 + 0.5 * (0.5 - 1))
    assert float(Proxyless(weight=0.5, form="hinge").term(100.0)(loss, mean)) == pytest.approx(2)
    assert float(Proxyless(weight=0.5, form="hinge").term(25.0)(loss, mean)) == pytest.approx(2.5)
    log = Proxyless(weight=0.3, form="log").term(100.0)(loss, mean)
    assert float(log) == pytest.approx(2 * (mean.log() / torch.tensor(100.0).log()).item() ** 0.3)


def test_the_pair_s_cost_is_the_mean_over_its_two_options() -> None:
    p, _, gating = made()
    cost = expected(p, "flops")
    gating.probe()
    by_hand = cost.base
    for c in SPACE.choices():
        term = next((t for t in cost.terms if t.names == (c.name,)), None)
        if term is not None:
            drawn = gating.drawn[c.name]
            by_hand += sum(
                float(w) * term.table[o] for o, w in zip(drawn.options, drawn.weights.detach(), strict=True)
            )
    found = cost(whole(gating.drawn, SPACE.choices()))
    assert float(found.detach()) == pytest.approx(by_hand, rel=1e-5)


def test_a_space_that_shares_nothing_and_a_rewarded_task_without_classes_are_refused() -> None:
    with pytest.raises(BadInput, match="holds all others"):
        Proxyless().check(toys.problem())
    Proxyless().check(problem())


@pytest.mark.slow
def test_latency_as_timed_can_be_the_cost() -> None:
    events = list(search(Proxyless(epochs=1, warmup=0, cost="latency_ms", nets=8), problem()))
    assert any(isinstance(e, Note) and "latency model is off by" in e.text for e in events)
    assert len(discretize(SPACE, Binary(SPACE, pairs=True).probabilities())) == 6
