"""TangleNAS: one operation for all options, its samplers, and what it says where weights do not nest."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from nascore.engines.bilevel import step_alphas
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Note, Step
from nascore.gates import Dirichlet, Gumbel, Softmax, Sparsemax
from nascore.problem import Problem, search
from nascore.recipe import Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import restrict
from nascore.spaces.conv_macro import ConvMacro
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.strategies.tangle_nas import TangleNas
from nascore.tasks.images import Digits

torch.set_num_threads(1)
SMALL = restrict(
    ConvMacro(8, 0.0), {"layer3.channels": (32, 64), "layer4.channels": (64,), "layer4.kernel": (3,)}
)


def problem(space: Any = None) -> Problem:
    recipe = SgdCosine(epochs=1, batch=16)
    return Problem(space or NatsSize(4), Digits(train_images=32), recipe, Trained())


def test_one_superposed_convolution_gives_the_mixture_of_all_nine_outputs() -> None:
    p = problem(SMALL)
    torch.manual_seed(0)
    net: Any = p.supernet("entangled")
    gates = Softmax(p.space, scale=1.0)()
    conv, x = net.convs[0], torch.randn(4, 1, 8, 8)
    width, kernel = gates["layer1.channels"], gates["layer1.kernel"]
    mixture: Any = 0
    for a, c in zip(width.weights, (8, 16, 32), strict=True):
        for b, k in zip(kernel.weights, (3, 5, 7), strict=True):
            cut = (7 - k) // 2
            weight = conv.weight[:c, :, cut : 7 - cut, cut : 7 - cut]
            one = F.conv2d(x, weight, conv.bias[:c], padding=k // 2)
            mixture = mixture + a * b * F.pad(one, (0, 0, 0, 0, 0, 32 - c))
    calls: list[Any] = []
    plain = F.conv2d
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(F, "conv2d", lambda *args: calls.append(1) or plain(*args))
        mixed = net._one(conv, net.roles[0], x, gates)
    torch.testing.assert_close(mixed, mixture, atol=1e-5, rtol=0)
    assert len(calls) == 1
    slopes = torch.autograd.grad(mixed.square().sum(), [width.weights, kernel.weights], retain_graph=True)
    other = torch.autograd.grad(mixture.square().sum(), [width.weights, kernel.weights])
    for a, b in zip(slopes, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("sampler", "sharing", "kind"),
    [
        ("drnas", "entangled", Dirichlet),
        ("gdas", "entangled", Gumbel),
        ("darts", "entangled", Sparsemax),
        ("darts", "separate", Softmax),
    ],
)
def test_each_sampler_draws_in_its_own_way_and_moves_every_alpha(
    sampler: Any, sharing: Any, kind: Any
) -> None:
    p, how = problem(), TangleNas(sampler=sampler, sharing=sharing)
    torch.manual_seed(0)
    net, gating = p.supernet(sharing), how.gating(p)
    assert type(gating) is kind
    before = {n: a.detach().clone() for n, a in gating.alphas.items()}
    trainer = Trainer(p, net, 1)
    batch = next(iter(p.batches("train", "one")))
    step_alphas(trainer, gating, torch.optim.SGD(gating.parameters(), 0.1), batch, batch)
    assert all(not torch.equal(before[n], a.detach()) for n, a in gating.alphas.items())


def test_the_temperature_of_gdas_falls_in_a_line() -> None:
    how = TangleNas(epochs=3, sampler="gdas", hot=8.0, cold=2.0)
    steps = [e for e in search(how, problem()) if isinstance(e, Step) and e.phase == "search"]
    assert [s.values["tau"] for s in steps] == pytest.approx([8.0, 5.0, 2.0])


def test_it_tells_what_the_chosen_network_does_with_inherited_weights() -> None:
    notes = [e.text for e in search(TangleNas(epochs=1), problem()) if isinstance(e, Note)]
    assert any(n.startswith("with inherited weights, norms set by 4 batches: error 0.") for n in notes)


def test_a_cell_is_refused_with_the_sharing_that_works() -> None:
    with pytest.raises(BadInput, match=r"no weights in common.*sharing: separate works here"):
        TangleNas().check(problem(Nasbench201(1, 4, 1, 4)))
    TangleNas(sharing="separate").check(problem(Nasbench201(1, 4, 1, 4)))
