"""The scores that are sums over layers, against slow ways of computing the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nascore.chunk import fresh, one_batch
from nascore.evaluators.zero_cost import ZeroCost
from nascore.problem import Problem
from nascore.proxies import PROXIES
from nascore.proxies.fisher import Fisher
from nascore.proxies.grasp import Grasp
from nascore.proxies.l2_norm import L2Norm
from nascore.proxies.look import scores
from nascore.proxies.plain import Plain
from nascore.proxies.snip import Snip
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import sample, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Batch
from nascore.tasks.images import Digits

PROBLEM = Problem(Nasbench201(1, 8, 1, 2), Digits(), SgdCosine(), ZeroCost())  # its task gives the loss


def small(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    body = [nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 3)]
    return nn.Sequential(*body, nn.Flatten(), nn.Linear(8, 4))


def batch(n: int = 6) -> Batch:
    draws = torch.Generator().manual_seed(1)
    return Batch(torch.randn(n, 1, 4, 4, generator=draws), torch.arange(n) % 4, torch.arange(n))


def loss(net: nn.Module, b: Batch) -> torch.Tensor:
    return nn.functional.cross_entropy(net(b.x), b.y)  # type: ignore[arg-type]


def layers(net: nn.Module) -> list[Any]:
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def score(proxy: Any, net: nn.Module) -> float:
    return float(proxy.score([net], batch(), PROBLEM))


def test_snip_and_plain_are_sums_of_mask_gradients() -> None:
    net = small()
    loss(net, batch()).backward()
    products = [(m.weight * m.weight.grad).detach() for m in layers(net)]
    net.zero_grad()
    net[1].reset_running_stats()
    assert score(Snip(), net) == pytest.approx(float(sum(p.abs().sum() for p in products)), rel=1e-5)
    assert score(Plain(), net) == pytest.approx(float(sum(p.sum() for p in products)), rel=1e-4)


def test_l2_norm_is_the_sum_of_the_weights_lengths() -> None:
    net = small()
    assert score(L2Norm(), net) == pytest.approx(
        sum(float(m.weight.detach().norm()) for m in layers(net)), rel=1e-6
    )


def test_grasp_is_minus_weight_times_hessian_times_gradient() -> None:
    net = small()
    names = [f"{n}.weight" for n, m in net.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    own = dict(net.named_parameters())
    shapes = [own[n].shape for n in names]
    flat = torch.cat([own[n].detach().flatten() for n in names]).double()
    net64 = small().double()
    net64[1].track_running_stats = False  # type: ignore[assignment]
    net64[1].num_batches_tracked = None  # type: ignore[assignment]

    def at(w: torch.Tensor) -> torch.Tensor:
        cut = w.split([s.numel() for s in shapes])
        given = {n: c.view(s) for n, c, s in zip(names, cut, shapes, strict=True)}
        b = batch()
        out = torch.func.functional_call(net64, given, (b.x.double(),))  # type: ignore[union-attr]
        return nn.functional.cross_entropy(out, b.y)  # type: ignore[arg-type]

    hessian: Any = torch.autograd.functional.hessian(at, flat)
    gradient = torch.func.grad(at)(flat)
    assert score(Grasp(), net) == pytest.approx(float(-(flat @ hessian @ gradient).detach()), rel=1e-3)


def test_fisher_is_the_gradient_of_a_mask_on_each_channel() -> None:
    """The gradient by a factor on one image's channel is the sum over the map of value times gradient."""
    net, b = small(), batch()
    masks = [torch.ones(6, m.weight.shape[0], requires_grad=True) for m in layers(net)]

    def masked(_m: nn.Module, _x: Any, out: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return out * (mask[:, :, None, None] if out.dim() == 4 else mask)

    hooks = [
        m.register_forward_hook(lambda m, x, out, k=k: masked(m, x, out, k))
        for m, k in zip(layers(net), masks, strict=True)
    ]
    grads = torch.autograd.grad(loss(net, b), masks)
    for hook in hooks:
        hook.remove()
    expected = sum(float(g.square().mean(0).sum()) / 2 for g in grads)
    assert score(Fisher(), net) == pytest.approx(expected, rel=1e-4)


def test_fisher_by_weights_counts_a_channel_once_for_each_of_its_weights() -> None:
    net, b = small(), batch()
    once, each = (Fisher(per=p).layers(net, b, PROBLEM) for p in ("channel", "weight"))
    kinds = nn.Conv2d | nn.Linear
    weights = {n: m.weight[0].numel() for n, m in net.named_modules() if isinstance(m, kinds)}
    assert each == pytest.approx({n: v * weights[n] for n, v in once.items()})


def test_networks_that_take_each_other_s_modules_have_the_scores_of_new_ones() -> None:
    """Scores take networks one by one, each before the next is made of its modules."""
    archs = tuples(sample(PROBLEM.space, 6, np.random.default_rng(0)))
    whole = one_batch(PROBLEM, 16)
    proxies = {n: PROXIES[n]() for n in ("params", "snip", "fisher", "synflow", "jacob_cov", "naswot", "zen")}
    build = PROBLEM.space.builder(PROBLEM.task.shape)
    found = scores(proxies, (fresh(PROBLEM, a, build) for a in archs), whole, PROBLEM)
    for name, proxy in proxies.items():
        assert (
            found[name].tolist() == proxy.score([fresh(PROBLEM, a) for a in archs], whole, PROBLEM).tolist()
        )
