"""The steps of differentiable search, against differences of the loss itself."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from nascore.binary import Binary
from nascore.engines.bilevel import bilevel, step_alphas
from nascore.engines.oneshot import sampled
from nascore.errors import Diverged
from nascore.evaluators.trained import Trained
from nascore.events import Note
from nascore.gates import Dirichlet, Softmax
from nascore.problem import Memo, Problem
from nascore.recipe import Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import key, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
EPS = 1e-4


class Setting:
    """A supernet in double precision with one training and one validation batch."""

    def __init__(self) -> None:
        self.problem = Problem(
            Nasbench201(1, 4, 1, 4),
            Digits(train_images=32),
            SgdCosine(epochs=1, batch=16, lr=0.05),
            Trained(),
        )
        torch.manual_seed(0)
        self.net = self.problem.supernet("separate").double().train()
        self.gating = Softmax(self.problem.space, scale=0.3).double()
        self.trainer = Trainer(self.problem, self.net, 1)
        self.batch, self.held = (self.double(s) for s in ("train", "validation"))

    def double(self, split):  # type: ignore[no-untyped-def]
        one = next(iter(self.problem.batches(split, "one")))
        return replace(one, x=one.x.double())

    def loss(self, net, batch) -> torch.Tensor:  # type: ignore[no-untyped-def]
        out = net(batch.x, self.gating())
        return sum(t.mean() for t in self.problem.task.losses(out, batch).values())  # type: ignore[return-value]

    def ahead(self) -> float:
        """The validation loss after one plain gradient step of the weights."""
        net = copy.deepcopy(self.net)
        grads = torch.autograd.grad(self.loss(net, self.batch), list(net.parameters()), allow_unused=True)
        with torch.no_grad():
            for p, g in zip(net.parameters(), grads, strict=True):
                if g is not None:
                    p -= 0.05 * g
            return float(self.loss(net, self.held))


@pytest.mark.parametrize("order", [1, 2])
def test_a_step_moves_alphas_down_the_slope_of_the_validation_loss(order: int) -> None:
    s = Setting()
    name = next(iter(s.gating.alphas))
    alphas = s.gating.alphas[name]
    slopes = []
    for i in range(len(alphas)):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                alphas[i] += sign * EPS
                ends.append(float(s.loss(copy.deepcopy(s.net), s.held)) if order == 1 else 0.0)
            if order == 2:
                ends[-1] = s.ahead()
            with torch.no_grad():
                alphas[i] -= sign * EPS
        slopes.append((ends[0] - ends[1]) / (2 * EPS))
    before, weights = alphas.detach().clone(), [p.detach().clone() for p in s.net.parameters()]
    step_alphas(s.trainer, s.gating, torch.optim.SGD(s.gating.parameters(), 1.0), s.batch, s.held, order)
    moved = (before - alphas.detach()).tolist()
    assert max(map(abs, slopes)) > 1e-4
    assert moved == pytest.approx(slopes, rel=1e-3, abs=1e-7)
    assert all(torch.equal(p, q) for p, q in zip(weights, s.net.parameters(), strict=True))


def test_the_same_networks_are_judged_with_shared_weights_after_each_epoch() -> None:
    s = Setting()
    problem, net = s.problem, s.problem.supernet("separate").train()
    before = copy.deepcopy(net.state_dict())
    told = sampled(problem, net)
    assert len(told) == problem.sampled
    assert sampled(problem, net) == told
    assert all(torch.equal(before[n], v) for n, v in net.state_dict().items())
    arch = tuples(problem.sample(problem.sampled, "sampled"))[3]
    child = net.extract(arch)
    batch = next(iter(problem.batches("train", "sampled")))
    for m in child.modules():
        if isinstance(m, torch.nn.BatchNorm2d):
            m.reset_running_stats()
            m.momentum = 1.0
    child.train()
    child(batch.x)
    error = problem.task.metrics(child.eval(), "validation")["error"]
    assert told[f"sample/{key(problem.space, arch)}"] == pytest.approx(error)
    assert sampled(replace(problem, sampled=0), net) == {}
    assert len(set(told.values())) > 5


def test_the_loss_of_the_alphas_is_told_as_the_mean_over_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    s = Setting()
    expected = float(s.loss(copy.deepcopy(s.net), s.held).detach())
    still = torch.optim.SGD(s.gating.parameters(), 0.0)
    assert float(step_alphas(s.trainer, s.gating, still, s.batch, s.held)) == pytest.approx(expected)
    told: list[torch.Tensor] = []

    def noted(*given: object) -> torch.Tensor:
        told.append(torch.tensor(1.0 + len(told)))
        return told[-1]

    monkeypatch.setattr("nascore.engines.bilevel.step_alphas", noted)
    net, gating = s.problem.supernet("separate"), Softmax(s.problem.space)
    steps = list(bilevel(s.problem, Trainer(s.problem, net, 2), gating, still, 2))
    each = len(told) // 2
    assert each > 1
    assert [e.values["alpha_loss"] for e in steps] == pytest.approx(  # type: ignore[union-attr]
        [(1 + each) / 2, each + (1 + each) / 2]
    )


def test_a_penalty_is_part_of_what_the_alphas_descend() -> None:
    moved = []
    for weight in (0.0, 10.0):
        s = Setting()
        name, choice = next(iter(s.gating.alphas)), s.problem.space.choices()[0]
        before = s.gating.probabilities()[choice.name][3].item()
        step_alphas(
            s.trainer,
            s.gating,
            torch.optim.SGD(s.gating.parameters(), 0.1),
            s.batch,
            s.held,
            penalty=lambda p, weight=weight, name=choice.name: weight * p[name][3],
        )
        moved.append(s.gating.probabilities()[choice.name][3].item() - before)
        assert name
    assert moved[1] < moved[0] - 0.01


def broken_at(epoch: int, memo: Memo, kind: type[Softmax] = Softmax) -> list[Any]:
    """The events of three epochs; in one of them, counted from 0, the alphas become no numbers."""
    s = Setting()
    problem = replace(s.problem, memo=memo)
    net, gating = problem.supernet("separate"), kind(problem.space)
    alphas = torch.optim.Adam(gating.parameters(), 0.01)

    def spoil(at: int) -> None:
        if at == epoch:
            with torch.no_grad():
                next(iter(gating.parameters())).fill_(float("nan"))

    events = list(bilevel(problem, Trainer(problem, net, 3), gating, alphas, 3, begin=spoil))
    return [*events, {n: a.detach().clone() for n, a in gating.alphas.items()}]


def test_alphas_that_are_no_numbers_end_the_phase_at_its_last_good_epoch() -> None:
    memo = Memo()
    first, second, note, left = broken_at(2, memo)
    assert (first.index, second.index) == (0, 1)
    assert isinstance(note, Note)
    assert note.level == "warning"
    assert "epoch 3" in note.text
    assert "epoch 2" in note.text
    saved = memo.load("search")
    assert saved["epoch"] == 2
    assert all(a.isfinite().all() for a in left.values())
    assert all(torch.equal(left[n], saved["kept"][2][f"alphas.{n}"]) for n in left)
    again, told = broken_at(2, memo)  # another life ends in the same way
    assert again == note
    assert all(torch.equal(left[n], told[n]) for n in left)


@pytest.mark.parametrize("kind", [Softmax, partial(Binary, pairs=True), Dirichlet])
def test_alphas_that_are_no_numbers_at_once_are_an_error(kind: Any) -> None:
    with pytest.raises(Diverged, match="first epoch"):
        broken_at(0, Memo(), kind)  # some draw by them, which fails before the epoch is over


def test_weights_may_learn_from_other_losses_and_what_is_watched_is_told() -> None:
    s = Setting()
    problem = replace(s.problem, memo=Memo())
    net, gating = problem.supernet("separate"), Softmax(problem.space)

    def losses(view: Any, batch: Any) -> Any:
        out = view(batch.x)
        return out, {"seven": 0 * out.sum(1) + 7}

    asked = {"losses": losses, "watch": lambda epoch: {"seen": 10.0 + epoch}}
    alphas = torch.optim.Adam(gating.parameters(), 0.01)
    steps: Any = list(bilevel(problem, Trainer(problem, net, 2), gating, alphas, 2, **asked))
    assert [e.values["train_loss"] for e in steps] == pytest.approx([7, 7])
    assert [e.values["seen"] for e in steps] == [10, 11]
