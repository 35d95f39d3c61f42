"""ParZC: Parametric Zero-Cost Proxies for Efficient NAS (Dong et al., 2025).

A training-free score adds up a number a layer, as if all layers counted alike. Keep the numbers: a small
network with uncertain weights learns from a few known accuracies what each of them is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.errors import BadInput
from nascore.kinds import Predictor, Proxy, knob
from nascore.predictors.features import ENCODINGS, Encoder, Floats, pairs
from nascore.predictors.learn import Members, Pace, learn, scaled
from nascore.predictors.losses import loss, loss_knob, slope_knob
from nascore.predictors.nodewise import Nodewise
from nascore.proxies.grad_norm import GradNorm
from nascore.proxies.snip import Snip
from nascore.proxies.synflow import Synflow

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.space import Arch

RELEASED = (GradNorm(), Snip(), Synflow())


@dataclass(frozen=True)
class Parzc(Predictor):
    """A Bayesian mixer on the layers' shares of training-free scores.

    Source: Dong et al. 2025, section 3, and the released code, from which this differs where that is a knob:
    columns are places of the network (released: packed), logarithms standardized by the pairs (raw), and the
    mixer mixes segments (channels only). The deviation is that of `draws` passes, the mean their mean. The
    paper's sizes are width 256, 16 segments, 512 channels, 4 blocks, 300 epochs of batches of 10 at rate
    .0001; the defaults are smaller and faster. Its graph transformer over the cell is not here: `also` puts
    an encoding beside the scores. Weight decay is AdamW's.
    """

    proxies: tuple[Proxy, ...] = knob(RELEASED, help="training-free scores that have a value for each layer")
    also: str = knob("none", help="an encoding beside the scores", options=("none", *ENCODINGS))
    columns: str = knob("aligned", help="places, or positions in the network", options=("aligned", "packed"))
    raw: bool = knob(False, help="values as they are, without logarithm and scale")
    network: str = knob(
        "mabn", help="mixer and Bayesian part, or less", options=("mabn", "mixer", "bayesian", "mlp")
    )
    mixing: str = knob("segments", help="what the mixer mixes first", options=("segments", "channels"))
    loss: str = loss_knob("diffkendall")
    slope: float = slope_knob(0.5)
    width: int = knob(64, 2, 1024, "numbers after the projection; 256 in the paper")
    segments: int = knob(8, 1, 64, "parts that they are cut into; 16 in the paper")
    hidden: int = knob(64, 2, 1024, "channels of the mixer; 512 in the paper")
    blocks: int = knob(2, 0, 12, "blocks of the mixer; 4 in the paper")
    rho: float = knob(-3.0, -20, 5, "where the Bayesian weights' noise, softplus(rho), begins")
    draws: int = knob(16, 1, 256, "passes with weights drawn anew; their spread is the deviation")
    steps: int = knob(300, 1, 100_000, "updates")
    rate: float = knob(0.003, 1e-6, 1, "first step size; 0.0001 in the paper", log=True)
    decay: float = knob(0.001, 0, 10, "weight decay")
    list_size: int = knob(10, 2, 1024, "pairs in a list")
    batch: int = knob(64, 2, 1024, "images that the scores see")

    def fit(self, problem: Problem, archs: Sequence[Arch], y: Sequence[float] | Floats) -> Learned:
        """The network of n pairs.

        Raises:
            BadInput: fewer than two pairs, a number that is not finite, no proxy, or one without layers.
        """
        import torch

        rows, target = pairs(archs, y)
        if not self.proxies:
            raise BadInput("proxies: none is given; choose at least one that has a value for each layer")
        columns: list[Nodewise | Encoder] = [
            Nodewise(
                problem,
                self.proxies,
                aligned=self.columns == "aligned",
                raw=self.raw,
                batch=self.batch,
                archs=rows,
            )
        ]
        if self.also != "none":
            columns.append(Encoder(problem, self.also, False, rows))
        seed, device = problem.number("parzc"), problem.device

        def numbers(some: Sequence[Arch]) -> Tensor:
            found = np.concatenate([c.rows(some) for c in columns], 1)
            return torch.as_tensor(found, dtype=torch.float32, device=device)

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            x = numbers(rows)
            net = self.net(x.shape[1]).to(device)
            known = torch.as_tensor(scaled(target)[0], dtype=x.dtype, device=device)
            learn(
                lambda at: net(x[at[0]])[None],
                list(net.parameters()),
                known,
                loss(self.loss, self.slope),
                Pace(self.steps, self.rate, self.decay, self.list_size),
                1,
                torch.Generator().manual_seed(seed),
            )
        draws = self.draws if self.network in ("mabn", "bayesian") else 1
        ranks = self.loss.split("+")[0] != "mse"
        return Learned(
            net.eval(), numbers, [n for c in columns for n in c.names], seed, draws, rows, target, ranks
        )

    def net(self, inputs: int) -> nn.Module:
        """The untrained network."""
        from nascore.predictors.parzc_net import Mabn, Perceptron

        bayes = self.network in ("mabn", "bayesian")
        if self.network in ("mlp", "bayesian"):
            return Perceptron(inputs, width=self.width, hidden=self.hidden, bayes=bayes, rho=self.rho)
        return Mabn(
            inputs,
            width=self.width,
            segments=self.segments,
            hidden=self.hidden,
            blocks=self.blocks,
            bayes=bayes,
            rho=self.rho,
            across=self.mixing == "segments",
        )


class Learned(Members):
    """The network with its columns; every draw of weights is a member."""

    def __init__(
        self,
        net: nn.Module,
        numbers: Any,
        names: list[str],
        seed: int,
        draws: int,
        archs: Sequence[Arch],
        target: Floats,
        ranks: bool,
    ) -> None:
        self.net, self.numbers, self.names, self.seed, self.draws = net, numbers, names, seed, draws
        super().__init__(self._scores, archs, target, ranks)

    def importance(self, archs: Sequence[Arch]) -> dict[str, float]:
        """Column -> mean absolute gradient of the score over archs, in the first draw of weights."""
        import torch

        x = self.numbers(archs).requires_grad_(True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            (grad,) = torch.autograd.grad(self.net(x).sum(), x)
        return dict(zip(self.names, grad.abs().mean(0).tolist(), strict=True))

    def _scores(self, archs: Sequence[Arch]) -> Floats:
        """(draws, n); the weights of a draw are the same for whatever is asked."""
        import torch

        x, out = self.numbers(archs), []
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for draw in range(self.draws):
                torch.manual_seed(self.seed + draw)
                out.append(self.net(x).cpu().numpy().astype(np.float64))
        return np.stack(out)
