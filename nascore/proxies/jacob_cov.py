"""Jacobian covariance (Mellor et al., 2020, first version; zero-cost-nas, 2021): do images pull differently?

The gradient of the summed outputs by each input image is one row; with the correlations of the rows and their
eigenvalues v, the score is -sum(log(v + k) + 1 / (v + k)), k = 1e-5. Near-singular matrices make the last
digits depend on precision, so all is in double precision with the symmetric solver, and eigenvalues are at
least zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Looking, Seen

if TYPE_CHECKING:
    from torch import Tensor

K = 1e-5


@dataclass(frozen=True)
class JacobCov(Looking):
    """How uncorrelated the input gradients of different images are; higher is better."""

    needs = ("input",)

    def read(self, seen: Seen) -> Tensor:
        """The score; the lowest possible where no output depends on the input."""
        assert seen.input_gradient is not None  # noqa: S101 -- it was asked for
        return eigenvalue_score(correlations(seen.input_gradient.flatten(1)))


def correlations(rows: Tensor) -> Tensor:
    """(n, n) double correlations of rows (n, d); rows without variance count as all alike."""
    import torch

    centered = rows.double() - rows.double().mean(1, keepdim=True)
    length = torch.linalg.vector_norm(centered, dim=1)
    if not bool((length > 0).all()):
        return torch.ones(len(rows), len(rows), dtype=torch.float64, device=rows.device)
    unit = centered / length[:, None]
    return unit @ unit.T


def eigenvalue_score(matrix: Tensor) -> Tensor:
    """The score of a symmetric matrix: -sum(log(v + k) + 1 / (v + k)) over its eigenvalues v, at least 0."""
    import torch

    v = torch.linalg.eigvalsh(matrix).clamp(min=0) + K
    return -(v.log() + 1 / v).sum()
