"""Robustness: severity 0 is the clean image, attacks stay in their ball, noise is that of the tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nascore.benchmarks.build import closely
from nascore.chunk import fresh
from nascore.errors import NotSupported
from nascore.evaluators.trained import Trained
from nascore.measures import robustness as r
from nascore.measures.robustness import Robustness
from nascore.measures.sharpness import trained
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.single import Single
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Batch
from nascore.tasks.images import Digits

torch.set_num_threads(1)
ARCH = (3, 1, 2, 3, 4, 3)


def problem() -> Problem:
    return Problem(Nasbench201(1, 4, 1, 4), Digits(), SgdCosine(epochs=3, batch=32), Trained())


@pytest.fixture(scope="module")
def made() -> tuple[Problem, nn.Module, Any]:
    p = problem()
    net = trained(p, ARCH)
    return p, net, r.pictures(p, "test", 200, net)


def images() -> Tensor:
    return torch.randn(5, 2, 6, 9, generator=torch.Generator().manual_seed(0)).double()


@pytest.mark.parametrize("kind", r.AMOUNTS)
def test_severity_0_leaves_images_alone_and_others_keep_their_shape(kind: str) -> None:
    x = images()
    for disturb in r.DISTURB[kind]:
        assert torch.equal(disturb(x, 0), x)
        for severity in r.SEVERITIES[1:]:
            y = disturb(x, severity)
            assert y.shape == x.shape
            assert y.dtype == x.dtype
            assert not torch.equal(y, x)


def test_a_blur_keeps_a_constant_image_and_the_weight_of_a_dot() -> None:
    flat = torch.full((2, 3, 8, 8), 0.7).double()
    assert torch.allclose(r.blur(flat, 3), flat)
    dot = torch.zeros(1, 1, 15, 15).double()
    dot[0, 0, 7, 7] = 1
    spread = r.blur(dot, 2)[0, 0]
    assert float(spread.sum()) == pytest.approx(1)
    assert float(spread[7, 8] / spread[7, 7]) == pytest.approx(float(torch.tensor(-0.5 / 0.75**2).exp()))


def test_contrast_keeps_the_mean_and_scales_the_spread() -> None:
    x = images()
    y = r.contrast(x, 2)
    assert torch.allclose(y.mean((1, 2, 3)), x.mean((1, 2, 3)))
    assert torch.allclose(y.std((1, 2, 3)), 0.4 * x.std((1, 2, 3)))


def test_a_shift_moves_whole_pixels_both_ways() -> None:
    x = images()
    right = r.shifted(x, 1, 1, 0)
    assert torch.equal(right[..., 1:], x[..., :-1])
    assert torch.equal(right[..., 0], x[..., 0])
    up = r.shifted(x, 3, 0, -1)  # 30 % of 6 pixels, rounded up, are 2
    assert torch.equal(up[:, :, :-2], x[:, :, 2:])


def test_noise_is_that_of_the_tables(made: tuple[Problem, nn.Module, Any]) -> None:
    p, net, _ = made
    found = Robustness(images=400).measure(p, net)
    wanted = 1 - closely(p, Single(net))["noise_error"][0]
    assert [found[f"noise_{s}"] for s in (1, 2, 3)] == pytest.approx(wanted.tolist())


def test_the_clean_accuracy_is_the_tasks_own(made: tuple[Problem, nn.Module, Any]) -> None:
    p, net, batch = made
    assert Robustness(images=400).measure(p, net)["accuracy"] == pytest.approx(
        1 - p.task.metrics(net, "test")["error"]
    )
    clean = r.accuracy(net, batch.x, batch.y)
    assert all(r.under(net, batch, kind, 0) == clean for kind in r.AMOUNTS)
    assert all(Robustness().attacked(p, net, batch, kind, 0) == clean for kind in r.ATTACKS)


def test_attacks_move_no_pixel_farther_than_allowed(made: tuple[Problem, nn.Module, Any]) -> None:
    p, net, batch = made
    ends, eps = r.bounds(batch.x), 0.2
    for moved in (
        r.fgsm(net, p.task, batch, eps, ends),
        r.pgd(net, p.task, batch, eps, 5, ends, torch.Generator().manual_seed(0)),
    ):
        assert float((moved - batch.x).abs().max()) <= eps + 1e-6
        assert r.bounds(moved)[0] >= ends[0]
        assert r.bounds(moved)[1] <= ends[1]
        assert float((moved - batch.x).abs().mean()) > 0.05


def test_pgd_is_not_weaker_than_fgsm_and_both_hurt(made: tuple[Problem, nn.Module, Any]) -> None:
    p, net, _ = made
    found = Robustness().measure(p, net)
    fgsm, pgd = ([found[f"{kind}_{s}"] for s in (1, 2, 3)] for kind in r.ATTACKS)
    assert sum(pgd) <= sum(fgsm)
    assert fgsm == sorted(fgsm, reverse=True)
    assert fgsm[-1] < found["accuracy"] - 0.1


class Linear(nn.Module):
    """Class scores that are one product with the pixels, so that the best attack is known."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(64, 2, generator=torch.Generator().manual_seed(3)).double())

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.pad(x.flatten(1) @ self.weight, (0, 8), value=-1e3)


def test_on_a_linear_network_both_attacks_find_the_worst_image() -> None:
    x = torch.randn(20, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    net, y = Linear(), torch.arange(20) % 2
    batch, wide = Batch(x, y, torch.arange(20)), (-100.0, 100.0)
    down = net.weight[:, 1] - net.weight[:, 0]
    side = torch.where(y == 0, 1.0, -1.0).double()
    worst = x + 0.3 * (side[:, None] * down.sign()).reshape(20, 1, 8, 8).detach()
    assert torch.allclose(r.fgsm(net, Digits(), batch, 0.3, wide), worst)
    assert torch.allclose(r.pgd(net, Digits(), batch, 0.3, 10, wide, torch.Generator()), worst)


def test_a_network_that_does_not_look_at_its_images_cannot_be_attacked() -> None:
    p = problem()
    blind = fresh(p, (0, 0, 0, 0, 0, 0))
    found = Robustness(images=40, steps=2).measure(p, blind)
    assert len(set(found.values())) == 1


def test_the_network_is_left_as_it_was_and_answers_repeat(made: tuple[Problem, nn.Module, Any]) -> None:
    p, net, _ = made
    net.train()
    before = {n: v.clone() for n, v in net.state_dict().items()}
    small = Robustness(images=64, steps=2)
    first, second = small.measure(p, net), small.measure(p, net)
    assert first == second
    assert net.training
    assert all(torch.equal(v, before[n]) for n, v in net.state_dict().items())
    assert all(q.grad is None or not q.grad.any() for q in net.parameters())
    net.eval()


def test_images_come_in_the_networks_own_precision() -> None:
    p = problem()
    net = p.space.build(ARCH, p.task.shape).double()
    assert r.pictures(p, "test", 4, net).x.dtype == torch.float64
    assert 0 <= Robustness(images=16, steps=1).measure(p, net)["pgd_3"] <= 1


class Soft(Digits):
    """Its labels are probabilities."""

    def whole(self, split: Any, device: str = "cpu") -> Batch:
        found = super().whole(split, device)
        return replace(found, y=torch.zeros(len(found.index), 10))


def test_a_task_without_labels_is_refused() -> None:
    p = problem()
    with pytest.raises(NotSupported, match="no set of images with one label each"):
        Robustness().measure(replace(p, task=Soft()), p.space.build(ARCH, p.task.shape))
