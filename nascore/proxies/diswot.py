"""DisWOT (Dong et al., 2023): which student resembles the teacher before anything is trained?

One batch goes through student and teacher, both at their first weights, in training mode.

- relation: with the features before pooling as rows F (n, d), the matrices F F' have their rows divided by
  their lengths; M_r is the squared distance of the two, divided by n squared. Any widths go together.
- semantic: the gradient of the loss by the last layer's weight, a row a (of c channels) a class, becomes the
  c x c matrix a a' with rows divided by their lengths; M_s is the summed squared distance divided by c times
  the number of classes. It needs last layers of equal width.

The score is minus their plain sum. M_s spans hundreds of times more than M_r, so the sum is nearly the
semantic term; both parts can be asked for alone. The teacher is an untrained network of the same space.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nascore.errors import NotSupported
from nascore.kinds import knob
from nascore.proxies.look import Looking, Need, Seen, look

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.space import Arch
    from nascore.task import Batch


@dataclass(frozen=True)
class Diswot(Looking):
    """Likeness of a student's first semantic and relation matrices to a teacher's; higher is better."""

    part: Literal["both", "semantic", "relation"] = knob(
        "both", help="which similarity counts", options=("both", "semantic", "relation")
    )
    teacher: str = knob("", help="the teacher's architecture; empty takes the dearest option of every choice")

    @property
    def needs(self) -> tuple[Need, ...]:  # type: ignore[override] -- it depends on the part
        """Features for the relation, gradients for the semantics."""
        parts = {"relation": ("features",), "semantic": ("gradients",), "both": ("features", "gradients")}
        return parts[self.part]

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) scores.

        Raises:
            NotSupported: the semantic term with last layers of unlike widths.
        """
        import torch

        read = self.reader(batch, problem)
        return torch.stack([read(look(net, batch, problem, self.needs)) for net in nets])

    def reader(self, batch: Batch, problem: Problem) -> Callable[[Seen], Tensor]:
        """What reads a student's look; the teacher is looked at once."""
        import torch

        from nascore.chunk import fresh
        from nascore.space import parse

        arch = parse(problem.space, self.teacher) if self.teacher else dearest(problem)
        theirs = look(fresh(problem, arch).to(problem.device), batch, problem, self.needs)
        related = _related(theirs) if self.part != "semantic" else None
        meant = _meant(theirs) if self.part != "relation" else None

        def read(seen: Seen) -> Tensor:
            total = 0.0
            if related is not None:
                total -= float((_related(seen) - related).square().mean())
            if meant is not None:
                total -= float(_apart(_meant(seen), meant))
            return torch.tensor(total, dtype=torch.float64)

        return read


def dearest(problem: Problem) -> Arch:
    """The arch that takes, choice by choice, the open option with most multiply-adds."""
    import numpy as np

    from nascore.space import array, settle, tuples

    space = problem.space
    arch = tuples(settle(space, array([tuple(c.open[0] for c in space.choices())], space)))[0]
    for j, choice in enumerate(space.choices()):
        if arch[j] >= 0:
            tried = settle(space, array([(*arch[:j], i, *arch[j + 1 :]) for i in choice.open], space))
            arch = tuples(tried)[int(np.argmax(problem.costs(tuples(tried))["flops"]))]
    return arch


def relation(net: nn.Module, batch: Batch, problem: Problem | None = None) -> Tensor:
    """(n, n) double: products of the images' features, each row of length one."""
    return _related(look(net, batch, problem, ("features",)))  # type: ignore[arg-type] -- no loss is asked


def semantic(net: nn.Module, batch: Batch, problem: Problem) -> Tensor:
    """(classes, channels) double: the loss's gradient by the weight of the last linear layer."""
    return _meant(look(net, batch, problem, ("gradients",)))


def _related(seen: Seen) -> Tensor:
    import torch

    assert seen.features is not None  # noqa: S101 -- they were asked for
    rows = seen.features.double().flatten(1)
    return torch.nn.functional.normalize(rows @ rows.T)


def _meant(seen: Seen) -> Tensor:
    import torch

    last = [n for n, w in seen.weights.items() if w.dim() == 2][-1]
    return seen.gradients.get(last, torch.zeros_like(seen.weights[last])).double()


def _apart(mine: Tensor, theirs: Tensor) -> Tensor:
    """M_s of two gradients (classes, channels)."""
    import torch

    if mine.shape != theirs.shape:
        raise NotSupported(
            f"the last layers of student and teacher have {mine.shape[1]} and {theirs.shape[1]} channels; "
            "the semantic term needs equal ones: choose the relation term"
        )

    def outer(a: Tensor) -> Tensor:
        return torch.nn.functional.normalize(a[:, :, None] * a[:, None, :], dim=1)

    return (outer(mine) - outer(theirs)).square().sum() / mine.numel()
