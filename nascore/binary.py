"""Binary gates: one path at a time in memory, and gradients for its alternatives.

In a step of the weights one option of each choice takes part. In a step of the alphas two do, one with weight
1 and one with weight 0; both weights have the gradient of the softmax over the two, so that the alphas feel
what the path that is off would have changed (ProxylessNAS; Cai et al., 2019, section 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor

from nascore.gates import Gate, Gates, Softmax
from nascore.space import Choice, Space


class Binary(Softmax):
    """One option a choice, drawn by the softmax of the alphas.

    Args:
        space: whose open options count.
        pairs: two options take part in a step of the alphas; else all do, one of them with weight 1.
    """

    def __init__(self, space: Space, *, pairs: bool) -> None:
        super().__init__(space)
        self.pairs = pairs
        self.drawn: dict[str, Gate] = {}  # soft, of the last probe
        self.before: dict[str, Tensor] = {}  # log of the sum of exponents of those drawn, before the step

    def forward(self) -> Gates:
        """One drawn option a choice, with weight 1 and no gradient."""
        return {c.name: self._one(c) for c in self.choices}

    def _one(self, choice: Choice) -> Gate:
        p = self.logits(choice).detach().softmax(0)
        return Gate((int(torch.multinomial(p, 1)),), p.new_ones(1))

    def probe(self) -> Gates:
        """The options of a step of the alphas; one has weight 1, the others 0, all have gradients."""
        gates = {}
        for c in self.choices:
            logits = self.logits(c)
            options = c.open
            if self.pairs and len(options) > 2:
                options = tuple(torch.multinomial(logits.detach().softmax(0), 2).tolist())
            soft = logits[list(options)].softmax(0)
            hard = torch.zeros_like(soft)
            hard[torch.multinomial(soft.detach(), 1)] = 1
            self.drawn[c.name] = Gate(options, soft)
            self.before[c.name] = logits.detach()[list(options)].logsumexp(0)
            gates[c.name] = Gate(options, hard - soft.detach() + soft)
        return gates

    @torch.no_grad()
    def settle(self) -> None:
        """Moves what was drawn by one number, so that all others keep their probabilities (appendix B)."""
        for c in self.choices:
            if c.name in self.drawn:
                alphas, options = self.alphas[c.name.replace(".", "/")], list(self.drawn[c.name].options)
                alphas[options] -= alphas[options].logsumexp(0) - self.before[c.name]
        self.drawn, self.before = {}, {}
