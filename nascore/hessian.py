"""The Hessian as a product with vectors: the ends of its spectrum, its trace, its diagonal; never formed.

A product differentiates the gradient once more along a vector (Pearlmutter, 1994) and costs about two
gradients. Vectors are flat: all tensors end to end, on their device and in their dtype.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Product = Callable[[Tensor], Tensor]
TINY = 1e-6  # a Lanczos step this small, relative to the largest value, has found all there is


@dataclass(frozen=True)
class Spectrum:
    """What Lanczos found.

    Attributes:
        largest, smallest: eigenvalues at the ends, exact once `steps` reaches the number of different ones.
        vector: (n,) of length 1, of the largest.
        residual: length of H v - largest * v; an eigenvalue lies no farther from `largest` than this.
    """

    largest: float
    smallest: float
    vector: Tensor
    residual: float


@dataclass(frozen=True)
class Estimate:
    """A mean over random vectors; `error` is its standard error, NaN of a single one."""

    value: float
    error: float


def flat(tensors: Sequence[Tensor]) -> Tensor:
    """(n,) all numbers end to end."""
    return torch.cat([t.reshape(-1) for t in tensors])


def product(loss: Tensor, at: Sequence[Tensor]) -> Product:
    """The map v (n,) -> H v (n,) of the Hessian of a loss with respect to these tensors.

    Args:
        loss: one number; its graph is kept for as long as the product is.
        at: leaves of the graph; one that the loss does not depend on brings zeros.
    """
    slopes = torch.autograd.grad(loss, at, create_graph=True, allow_unused=True)
    slope = flat([torch.zeros_like(t) if g is None else g for t, g in zip(at, slopes, strict=True)])

    def times(v: Tensor) -> Tensor:
        if not slope.requires_grad:  # the loss is linear
            return torch.zeros_like(v)
        found = torch.autograd.grad(slope, at, v, retain_graph=True, allow_unused=True)
        return flat([torch.zeros_like(t) if h is None else h for t, h in zip(at, found, strict=True)])

    return times


def dense(times: Product, like: Tensor) -> Tensor:
    """(n, n) the whole matrix, by n products; `like` (n,) gives size, device and dtype."""
    return torch.stack([times(row) for row in torch.eye(len(like), device=like.device, dtype=like.dtype)])


def normal(like: Tensor, generator: torch.Generator) -> Tensor:
    """Normal numbers in the form of `like`, drawn on the CPU so that every device draws alike."""
    return torch.randn(like.shape, generator=generator).to(like)


def signs(like: Tensor, generator: torch.Generator) -> Tensor:
    """-1 and 1, each with chance 1/2, in the form of `like`."""
    return (2 * torch.randint(0, 2, like.shape, generator=generator) - 1).to(like)


def lanczos(times: Product, start: Tensor, steps: int) -> Spectrum:
    """The ends of the spectrum of a symmetric map, by this many products or fewer.

    Every vector is made orthogonal to all before it, twice, so that rounding brings no value back.

    Args:
        times: the map.
        start: (n,) not zero; a random one meets every eigenvector.
        steps: products, at least 1; beyond n there is nothing new.

    Source: Golub and Van Loan, Matrix Computations, section 10.1.
    """
    basis, diagonal, beside = [start / start.norm()], list[float](), list[float]()
    for i in range(min(steps, len(start))):
        w = times(basis[i])
        diagonal.append(float(w @ basis[i]))
        known = torch.stack(basis)
        for _ in range(2):
            w = w - known.T @ (known @ w)
        beside.append(float(w.norm()))
        if beside[-1] <= TINY * max(map(abs, [*diagonal, *beside[:-1]])):
            break
        basis.append(w / w.norm())
    k = len(diagonal)
    small = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    for i, b in enumerate(beside[: k - 1]):
        small[i, i + 1] = small[i + 1, i] = b
    values, vectors = torch.linalg.eigh(small)
    top = vectors[:, -1]
    vector = torch.stack(basis[:k]).T @ top.to(start)
    residual = beside[k - 1] * abs(float(top[-1]))
    return Spectrum(float(values[-1]), float(values[0]), vector / vector.norm(), residual)


def trace(times: Product, like: Tensor, draws: int, generator: torch.Generator) -> Estimate:
    """The trace by Hutchinson's estimator, the mean of z . H z over random signs z.

    Exact with one draw where the matrix is diagonal.

    Args:
        times: the map.
        like: (n,) gives size, device and dtype.
        draws: products, at least 1.
        generator: on the CPU.
    """
    found = []
    for _ in range(draws):
        z = signs(like, generator)
        found.append(float(z @ times(z)))
    each = torch.tensor(found, dtype=torch.float64)
    return Estimate(float(each.mean()), float(each.std() / draws**0.5) if draws > 1 else float("nan"))


def diagonal(times: Product, like: Tensor, draws: int, generator: torch.Generator) -> Tensor:
    """(n,) the diagonal, the mean of z * H z over random signs z; as `trace`.

    Source: AdaHessian (Yao et al., 2021), equation 7.
    """
    total = torch.zeros_like(like)
    for _ in range(draws):
        z = signs(like, generator)
        total += z * times(z)
    return total / draws
