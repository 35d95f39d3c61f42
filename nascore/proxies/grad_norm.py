"""The gradient norm at the start of training, as zero-cost-nas counts it (Abdelfattah et al., 2021).

One backward pass of the mean loss of one batch, in training mode; the Euclidean norm of the gradient of each
convolution's and linear layer's weight, summed over layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.kinds import Proxy

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch


@dataclass(frozen=True)
class GradNorm(Proxy):
    """Sum over layers of the norm of the first gradient; higher is better."""

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) sums of norms; a layer that the loss does not reach adds nothing."""
        import torch

        return torch.stack([grad_norm(net, batch, problem) for net in nets])


def grad_norm(net: nn.Module, batch: Batch, problem: Problem) -> Tensor:
    """The score of one network."""
    import copy

    import torch

    twin = copy.deepcopy(net).train()  # a copy: batch statistics of the network must not move
    weights = [m.weight for m in twin.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    terms = problem.task.losses(twin(batch.x), batch)
    loss = sum((t.mean() for t in terms.values()), start=torch.zeros((), device=weights[0].device))
    grads = torch.autograd.grad(loss, weights, allow_unused=True)
    norms = [torch.linalg.vector_norm(g).double() for g in grads if g is not None]
    return torch.stack(norms).sum()
