"""SD-DARTS: who teaches what, and that a look at sharpness and at teachers changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from nascore.errors import BadInput
from nascore.events import Step
from nascore.gates import Softmax
from nascore.hessian import dense, flat
from nascore.measures.sharpness import first
from nascore.problem import Memo, search
from nascore.recipe import Trainer
from nascore.strategies.darts import Darts
from nascore.strategies.sd_darts import (
    Lesson,
    SdDarts,
    alpha_product,
    divergence,
    entropy,
    smoothed,
    voted,
    watched,
)  # fmt: skip
from nascore.task import Batch, Shape
from tests.strategies.test_darts_pt import problem
from tests.toys import ToyTask, untimed

torch.set_num_threads(1)


def steps(strategy: Any) -> list[Step]:
    events = search(strategy, problem())
    return [untimed(e) for e in events if isinstance(e, Step) and e.phase == "search"]


class Setting:
    """A lesson about a fresh supernet, before any epoch."""

    def __init__(self, **knobs: Any) -> None:
        torch.manual_seed(0)
        self.problem = problem()
        self.net = self.problem.supernet("separate").train()
        self.gating = Softmax(self.problem.space, scale=1.0)
        self.trainer = Trainer(self.problem, self.net, 4)
        self.lesson = Lesson(SdDarts(epochs=4, **knobs), self.trainer, self.net)
        self.batch = next(iter(self.problem.batches("train", "one")))

    def epoch(self, number: int) -> None:
        """Begins an epoch, then moves weights and alphas at random."""
        self.lesson.begin(number, self.gating())
        with torch.no_grad():
            for p in [*self.net.parameters(), *self.gating.parameters()]:
                p += 0.1 * torch.randn_like(p)

    def out(self) -> Tensor:
        return self.net(self.batch.x, self.gating()).detach()


def test_without_weight_it_is_darts() -> None:
    plain, own = steps(Darts(epochs=3)), steps(SdDarts(epochs=3, weight=0.0))
    for a, b in zip(plain, own, strict=True):
        assert {k: b.values[k] for k in a.values} == a.values
        added = {"watched_loss", "sharpness", "alpha_eigenvalue", "gap_error"}
        assert added == set(b.values) - set(a.values)
    taught = steps(SdDarts(epochs=3, watch=0))
    assert taught[0].values == plain[0].values  # nobody teaches yet
    assert taught[2].values["train_loss"] != plain[2].values["train_loss"]
    assert set(taught[0].values) == set(plain[0].values)


def test_a_teacher_is_a_copy_with_its_own_weights_and_alphas() -> None:
    s = Setting()
    s.epoch(0)
    then = s.out()
    s.epoch(1)
    buffers = {n: b.clone() for n, b in s.net.named_buffers()}
    found = s.lesson.ask(s.lesson.teachers[0], s.batch)
    torch.testing.assert_close(found, then)
    assert not torch.allclose(s.out(), then, atol=1e-2)
    assert not found.requires_grad
    kept = s.lesson.ask(s.lesson.teachers[0], s.batch)
    torch.testing.assert_close(kept, found)
    s.net.load_state_dict({**s.net.state_dict(), **buffers})
    s.lesson.ask(s.lesson.teachers[0], s.batch)
    assert all(torch.equal(b, buffers[n]) for n, b in s.net.named_buffers())


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"teachers": 2}, [0, 1, 2, 2, 2, 2]),
        ({"teachers": 3, "every": 2}, [0, 0, 1, 1, 2, 2]),
        ({"teachers": 3, "target": "first"}, [0, 1, 1, 1, 1, 1]),
    ],
)
def test_the_latest_states_teach(knobs: dict[str, Any], told: list[int]) -> None:
    s, seen, states = Setting(**knobs), [], []
    for epoch in range(6):
        states.append(flat(list(s.net.parameters())).detach().clone())
        s.epoch(epoch)
        seen.append(len(s.lesson.teachers))
    assert seen == told
    newest = flat(list(s.lesson.teachers[-1]["net"].values()))
    at = 1 if knobs.get("target") else 4 if knobs.get("every") else 5
    assert torch.equal(newest, states[at])


def test_the_teachers_term_is_what_the_formula_says_and_its_weight_rises() -> None:
    s = Setting(temperature=2.0, weight=0.6, teachers=2)
    view = s.net.at(s.gating())
    s.epoch(0)
    assert set(s.lesson.losses(view, s.batch)[1]) == {"class"}
    s.epoch(1)
    s.epoch(2)
    view = s.net.at(s.gating())
    _, terms = s.lesson.losses(view, s.batch)
    z = s.out()
    old = torch.stack([s.lesson.ask(t, s.batch) for t in s.lesson.teachers])
    p, q = (old / 2).softmax(-1).mean(0), (z / 2).softmax(-1)
    expected = 0.6 * (2 / 3) * 4 * (p * (p / q).log()).sum(1)
    torch.testing.assert_close(terms["teachers"], expected, rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(terms["class"].detach(), torch.nn.functional.cross_entropy(
        z, torch.as_tensor(s.batch.y), reduction="none"))  # fmt: skip
    grads = torch.autograd.grad(terms["teachers"].sum(), list(s.net.parameters()), allow_unused=True)
    assert any(g is not None and g.abs().max() > 0 for g in grads)


def test_votes() -> None:
    p = torch.tensor([[[0.6, 0.4, 0.0]], [[0.5, 0.4, 0.1]], [[0.0, 0.3, 0.7]]])
    torch.testing.assert_close(voted(p, "soft"), torch.tensor([[1.1 / 3, 1.1 / 3, 0.8 / 3]]))
    assert voted(p, "hard").tolist() == [[1, 0, 0]]
    tie = torch.tensor([[[0.6, 0.4]], [[0.1, 0.9]]])
    assert voted(tie, "hard").tolist() == [[0, 1]]


def test_the_divergence_has_the_target_first() -> None:
    p = torch.tensor([[0.5, 0.5, 0.0]])
    q = torch.tensor([[0.25, 0.25, 0.5]])
    assert divergence(p, q.log()).tolist() == pytest.approx([torch.tensor(2.0).log().item()])


def test_smoothed_labels_are_as_unsure_as_the_votes_and_know_nothing_else() -> None:
    torch.manual_seed(0)
    votes = (3 * torch.randn(20, 10)).softmax(-1)
    batch = Batch(torch.zeros(20, 1), torch.arange(20) % 10, torch.arange(20))
    found = smoothed(batch, votes)
    assert found.sum(1).tolist() == pytest.approx([1.0] * 20, abs=1e-5)
    assert float(entropy(found).mean()) == pytest.approx(float(entropy(votes).mean()), abs=1e-4)
    assert found.argmax(1).tolist() == [i % 10 for i in range(20)]
    assert torch.equal(found[0].sort().values, found[1].sort().values)


def test_the_alphas_curvature_is_that_of_differences() -> None:
    s = Setting()
    batch = first(s.problem, "validation", 32)
    s.net.double()
    s.gating.double()
    batch = replace(batch, x=batch.x.double())  # type: ignore[union-attr]
    alphas = list(s.gating.parameters())
    found = dense(alpha_product(s.problem, s.net, s.gating, batch), flat(alphas).detach())
    torch.testing.assert_close(found, found.T)

    def slope() -> Tensor:
        loss = sum(t.mean() for t in s.problem.task.losses(s.net(batch.x, s.gating()), batch).values())
        assert isinstance(loss, Tensor)
        return flat(torch.autograd.grad(loss, alphas))

    ends = []
    for sign in (1, -1):
        with torch.no_grad():
            alphas[0][2] += sign * 1e-4
        ends.append(slope())
        with torch.no_grad():
            alphas[0][2] -= sign * 1e-4
    torch.testing.assert_close(found[2], (ends[0] - ends[1]) / 2e-4, rtol=1e-4, atol=1e-7)


def test_watching_changes_nothing_and_says_the_same_again() -> None:
    s = Setting()
    before = {n: t.clone() for n, t in s.net.state_dict().items()}
    chance = torch.get_rng_state()
    told = watched(s.problem, s.net, s.gating, 32)
    assert told == watched(s.problem, s.net, s.gating, 32)
    assert all(torch.equal(before[n], t) for n, t in s.net.state_dict().items())
    assert torch.equal(chance, torch.get_rng_state())
    assert all(p.grad is None for p in [*s.net.parameters(), *s.gating.parameters()])
    assert told["sharpness"] > 0
    assert -1 <= told["gap_error"] <= 1


class Numbers(ToyTask):
    """A task that tells a number, no class."""

    @property
    def shape(self) -> Shape:
        return Shape((("image", (1, 8, 8)),), (("y", 1),))


def test_it_refuses_a_task_without_classes() -> None:
    with pytest.raises(BadInput, match="classes"):
        SdDarts().check(replace(problem(), task=Numbers()))


def test_a_second_life_has_the_teachers_of_the_first() -> None:
    whole, memo = steps(SdDarts(epochs=4, watch=0)), Memo()
    first = search(SdDarts(epochs=4, watch=0), replace(problem(), memo=memo))
    said = [e for e in (next(first), next(first), next(first)) if isinstance(e, Step)]
    assert [untimed(e) for e in said] == whole[:3]
    first.close()  # the third epoch was told and not kept: its teachers are those of two epochs
    again = [
        e for e in search(SdDarts(epochs=4, watch=0), replace(problem(), memo=memo)) if isinstance(e, Step)
    ]
    assert [untimed(e) for e in again if e.phase == "search"] == whole[2:]
    assert len(memo.load("search")["kept"][-1]["teachers"]) == 3
