"""Sharpness against the whole Hessian and plain steps of the weights; nothing is left changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascore.evaluators.trained import Trained
from nascore.gates import Softmax
from nascore.hessian import dense
from nascore.measures.sharpness import Sharpness, Surface, by_batch, first, sum_of_means, trained
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
ARCH = (3, 1, 2, 3, 4, 3)
SMALL = Sharpness(images=48, steps=8, draws=4, points=5)


def problem(epochs: int = 2) -> Problem:
    return Problem(
        Nasbench201(1, 4, 1, 4), Digits(train_images=64), SgdCosine(epochs=epochs, batch=16), Trained()
    )


def net(p: Problem) -> nn.Module:
    torch.manual_seed(0)
    return p.space.build(ARCH, p.task.shape)


class Tiny(nn.Module):
    """One linear layer on the mean of each image's rows: its Hessian is small enough to be written down."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.mean(2).flatten(1))


def test_eigenvalue_and_trace_are_those_of_the_whole_hessian() -> None:
    p, tiny = problem(), Tiny().double()
    p = replace(p, task=Doubled())
    found = Sharpness(images=32, steps=40, draws=200, norms="running").measure(p, tiny)
    surface = Surface(tiny, p.task, first(p, "train", 32))
    times, like = surface.curvature()
    whole = dense(times, like)
    assert found["top_eigenvalue"] == pytest.approx(float(torch.linalg.eigvalsh(whole)[-1]), rel=1e-5)
    assert abs(found["trace"] - float(whole.trace())) < 4 * found["trace_error"]
    assert found["trace_error"] < 0.1 * found["trace"]


class Doubled(Digits):
    """Digits in double precision."""

    def whole(self, split: Any, device: str = "cpu") -> Any:
        batch = super().whole(split, device)
        return replace(batch, x=batch.x.double())  # type: ignore[union-attr]


def test_the_rise_is_that_of_one_step_up_the_slope() -> None:
    p, tiny = problem(), Tiny()
    found = Sharpness(images=32, rho=0.1).measure(p, tiny)["rise"]
    batch = first(p, "train", 32)
    loss = sum_of_means(p.task, tiny(batch.x), batch)
    loss.backward()
    slopes = [q.grad for q in tiny.parameters() if q.grad is not None]
    length = torch.cat([g.flatten() for g in slopes]).norm()
    with torch.no_grad():
        for q in tiny.parameters():
            assert q.grad is not None
            q += 0.1 * q.grad / length
        after = sum_of_means(p.task, tiny(batch.x), batch)
    assert found == pytest.approx(float(after - loss.detach()), rel=1e-4)
    assert found > 0


def test_every_filter_of_a_direction_is_as_long_as_the_weights_own() -> None:
    p, n = problem(), net(problem())
    surface = Surface(n, p.task, first(p, "train", 16))
    found = surface.direction(torch.Generator().manual_seed(0))
    for name, w in surface.weights.items():
        if w.dim() < 2:
            assert not found[name].any()
        else:
            torch.testing.assert_close(found[name].flatten(1).norm(dim=1), w.flatten(1).norm(dim=1))
            assert not torch.allclose(found[name], w)


def test_a_line_does_not_change_when_filters_before_a_batch_norm_grow() -> None:
    p, n = problem(), net(problem())
    before = SMALL.line(p, n)
    with torch.no_grad():
        for m in n.modules():
            if isinstance(m, nn.Conv2d):
                m.weight *= 10
    after = SMALL.line(p, n)
    assert after.losses == pytest.approx(before.losses, rel=2e-2)
    assert max(before.losses) > 1.05 * before.losses[2]


def test_lines_and_planes_meet_at_the_weights_and_agree() -> None:
    p, n = problem(), net(problem())
    line, plane, loss = SMALL.line(p, n), SMALL.plane(p, n), SMALL.measure(p, n)["loss"]
    assert line.at == plane.at == [-1, -0.5, 0, 0.5, 1]
    assert line.losses[2] == pytest.approx(loss, rel=1e-5)
    assert plane.losses[2] == pytest.approx(line.losses, rel=1e-5)
    assert [row[2] for row in plane.losses] != pytest.approx(line.losses, rel=1e-3)


@pytest.mark.parametrize("norms", ["batch", "running"])
def test_looking_leaves_weights_statistics_and_modes_alone(norms: Any) -> None:
    p, n = problem(), net(problem())
    n(first(p, "train", 16).x)
    before = {k: v.clone() for k, v in n.state_dict().items()}
    n.train()
    by = replace(SMALL, norms=norms)
    numbers = by.measure(p, n)
    by.plane(p, n)
    assert all(m.training for m in n.modules())
    assert all(torch.equal(v, n.state_dict()[k]) for k, v in before.items())
    assert all(q.grad is None for q in n.parameters())
    assert numbers == by.measure(p, n)


def test_batch_statistics_are_those_of_the_examples() -> None:
    p, n = problem(), net(problem())
    batch = first(p, "train", 48)
    with torch.no_grad():
        plain = float(sum_of_means(p.task, by_batch(net(p).eval())(batch.x), batch))
        kept = float(sum_of_means(p.task, net(p).eval()(batch.x), batch))
    assert SMALL.measure(p, n)["loss"] == pytest.approx(plain, rel=1e-5)
    assert replace(SMALL, norms="running").measure(p, n)["loss"] == pytest.approx(kept, rel=1e-5)
    assert plain != pytest.approx(kept, rel=1e-4)


def test_a_supernet_under_gates_is_looked_at_like_any_network() -> None:
    p = problem()
    supernet = p.supernet("separate")
    view = supernet.at(Softmax(p.space)())
    found = SMALL.measure(p, view)
    assert all(v == v for v in found.values())
    assert found["rise"] > 0


def test_training_makes_a_network_that_can_be_looked_at() -> None:
    p = problem(epochs=6)
    early, late = (SMALL.measure(p, trained(p, ARCH, epochs))["loss"] for epochs in (1, 0))
    assert late < early
