"""Gates say which options take part now and with what weight; a Gating draws them.

A gate lists the options that take part. What is not listed is not computed and gets no gradient; what is
listed with weight zero is computed and does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from nascore.errors import BadInput
from nascore.space import Arch, Choice, Space, array, settle, tuples


@dataclass(frozen=True)
class Gate:
    """The options of one choice that take part.

    Attributes:
        options: (k,) indices into `choice.options`.
        weights: (k,) the weight of each.
    """

    options: tuple[int, ...]
    weights: Tensor


Gates = Mapping[str, Gate]


def one_hot(space: Space, arch: Arch) -> Gates:
    """The gates of one arch, weight 1 each. An inactive choice takes its first open option."""
    pairs = zip(space.choices(), arch, strict=True)
    return {c.name: Gate((c.open[0] if i < 0 else i,), torch.ones(1)) for c, i in pairs}


def without(gates: Gates, choice: str, option: int) -> Gates:
    """Gates with one option of one choice left out and the rest scaled to sum to one; `gates` is untouched.

    Args:
        gates: choice name -> Gate.
        choice: name of the choice to change.
        option: index into its options; where it takes no part, nothing changes.

    Raises:
        BadInput: it was the last option.
    """
    gate = gates[choice]
    keep = [j for j, o in enumerate(gate.options) if o != option]
    if not keep:
        raise BadInput(f"{choice}: option {option} is the last one that takes part; it cannot be left out")
    if len(keep) == len(gate.options):
        return gates
    left = gate.weights[keep]
    total = left.sum()
    # weights that are all zero have no scale: the rest then takes part alike
    scaled = left / total if float(total) > 0 else torch.full_like(left, 1 / len(keep))
    return {**gates, choice: Gate(tuple(gate.options[j] for j in keep), scaled)}


def only(gates: Gates, choice: str, option: int) -> Gates:
    """Gates where one choice takes this option alone, with weight 1; `gates` is untouched."""
    return {**gates, choice: Gate((option,), torch.ones(1))}


def discretize(space: Space, probabilities: Mapping[str, Tensor]) -> Arch:
    """The arch of the likeliest open option of each choice.

    Args:
        space: whose open options count.
        probabilities: choice name -> (n_options,).
    """
    best = tuple(c.open[int(probabilities[c.name][list(c.open)].argmax())] for c in space.choices())
    return tuples(settle(space, array([best], space)))[0]


class Gating(nn.Module):
    """Draws gates, here one path uniformly.

    Its parameters are the alphas, its buffers what else must survive a restart.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.choices: tuple[Choice, ...] = space.choices()

    def probabilities(self) -> dict[str, Tensor]:
        """Choice name -> (n_options,): how much each option takes part on average; zero where it is shut."""
        return {c.name: _uniform(c) for c in self.choices}

    def forward(self) -> Gates:
        """Gates for a step on the weights: one path, drawn by the probabilities."""
        drawn = {n: int(torch.multinomial(p.detach(), 1)) for n, p in self.probabilities().items()}
        return {n: Gate((i,), torch.ones(1)) for n, i in drawn.items()}

    def probe(self) -> Gates:
        """Gates for a step on the alphas; most kinds draw them in the same way."""
        return self()

    def fix(self, choice: str, option: int) -> None:
        """From now on only this option of this choice is open."""
        self.choices = tuple(replace(c, allowed=(option,)) if c.name == choice else c for c in self.choices)

    def settle(self) -> None:
        """Called after each step on the alphas."""

    def get_extra_state(self) -> list[list[int]]:
        """The open options, so that what was fixed stays fixed after a restart."""
        return [list(c.allowed) for c in self.choices]

    def set_extra_state(self, state: list[list[int]]) -> None:
        """Back to the open options of `get_extra_state`."""
        self.choices = tuple(replace(c, allowed=tuple(a)) for c, a in zip(self.choices, state, strict=True))


def _uniform(choice: Choice) -> Tensor:
    p = torch.zeros(len(choice.options))
    p[list(choice.open)] = 1 / len(choice.open)
    return p


class Softmax(Gating):
    """All open options, weighed by the softmax of the alphas (DARTS; Liu et al., 2019, equation 2)."""

    def __init__(self, space: Space, scale: float = 1e-3) -> None:
        super().__init__(space)
        start = {c.name: scale * torch.randn(len(c.options)) for c in self.choices}
        # a name in a ParameterDict may hold no dot
        self.alphas = nn.ParameterDict({_slot(n): nn.Parameter(a) for n, a in start.items()})

    def logits(self, choice: Choice) -> Tensor:
        """(n_options,) alphas, minus infinity where an option is shut."""
        alphas = self.alphas[_slot(choice.name)]
        shut = alphas.new_full((len(choice.options),), -torch.inf)
        shut[list(choice.open)] = 0
        return alphas + shut

    def probabilities(self) -> dict[str, Tensor]:
        """The softmax over the open options."""
        return {c.name: self.logits(c).softmax(0) for c in self.choices}

    def forward(self) -> Gates:
        """Every open option with its probability."""
        p = self.probabilities()
        return {c.name: Gate(c.open, p[c.name][list(c.open)]) for c in self.choices}


class Gumbel(Softmax):
    """One option a choice; its weight is 1 and has the gradient of the Gumbel softmax (Jang et al., 2017).

    `tau` is the temperature; a strategy lowers it by `gating.tau.fill_(...)`.
    """

    def __init__(self, space: Space, scale: float = 1e-3, tau: float = 1.0) -> None:
        super().__init__(space, scale)
        self.tau: Tensor
        self.register_buffer("tau", torch.tensor(tau))

    def forward(self) -> Gates:
        """One option a choice, with a straight-through weight of 1."""
        gates = {}
        for c in self.choices:
            hard = nn.functional.gumbel_softmax(self.logits(c), float(self.tau), hard=True)
            option = int(hard.argmax())
            gates[c.name] = Gate((option,), hard[[option]])
        return gates


class Dirichlet(Softmax):
    """All open options, weighed by a draw from a Dirichlet distribution (DrNAS; Chen et al., 2021).

    Its concentration is elu(alpha) + 1, one at the start; the draw is reparametrized.
    """

    def concentration(self, choice: Choice) -> Tensor:
        """(open options,) positive."""
        return nn.functional.elu(self.alphas[_slot(choice.name)][list(choice.open)]) + 1

    def probabilities(self) -> dict[str, Tensor]:
        """The distribution's mean."""
        out = {}
        for c in self.choices:
            own = self.concentration(c)
            out[c.name] = own.new_zeros(len(c.options)).index_put(
                (torch.tensor(c.open, device=own.device),), own / own.sum()
            )
        return out

    def forward(self) -> Gates:
        """Every open option with its share of one draw."""
        return {
            c.name: Gate(c.open, torch.distributions.Dirichlet(self.concentration(c)).rsample())
            for c in self.choices
        }


class Sparsemax(Softmax):
    """All open options, weighed by the nearest point of the simplex: small alphas give no share at all.

    Source: Martins and Astudillo 2016, algorithm 1. An option without a share stays listed, so that it comes
    back once its alpha is moved by others of its choice.
    """

    def probabilities(self) -> dict[str, Tensor]:
        """The projection of the open alphas on the simplex."""
        return {c.name: _projected(self.logits(c)) for c in self.choices}


def _projected(logits: Tensor) -> Tensor:
    """(n,) the point of the simplex nearest to the finite logits (n,)."""
    ordered = logits.sort(descending=True).values
    counts = torch.arange(1, len(logits) + 1, device=logits.device)
    shown = ordered.isfinite() & (1 + counts * ordered > ordered.cumsum(0))
    most = int(shown.sum())
    return (logits - (ordered[:most].sum() - 1) / most).clamp(min=0)


class MaxW(Softmax):
    """All open options, each with 1 minus its distance from the largest share: the leader's weight is 1.

    The leader's alpha gains nothing through its own option, and no other option starves. At the start the
    weights sum to the number of options, n times those of the softmax.

    Source: sharpDARTS (Hundt et al., 2019), section 3. The gradient flows through the maximum, as in the
    released code.
    """

    def forward(self) -> Gates:
        """Every open option with 1 - max(p) + p."""
        return {n: Gate(g.options, 1 - g.weights.max() + g.weights) for n, g in super().forward().items()}


def _slot(name: str) -> str:
    return name.replace(".", "/")
