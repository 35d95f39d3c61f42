from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from nascore.proxies.jacob_cov import JacobCov, correlations, eigenvalue_score
from nascore.task import Batch


def test_the_score_follows_numpys_correlations_and_eigenvalues() -> None:
    rows = torch.randn(5, 40, generator=torch.Generator().manual_seed(0)).double()
    v = np.linalg.eigvalsh(np.corrcoef(rows.numpy())) + 1e-5
    assert float(eigenvalue_score(correlations(rows))) == pytest.approx(-np.sum(np.log(v) + 1 / v), rel=1e-9)


def test_unrelated_rows_give_the_highest_score_and_equal_ones_the_lowest() -> None:
    best = float(eigenvalue_score(torch.eye(4, dtype=torch.float64)))
    assert best == pytest.approx(-4 * (math.log(1 + 1e-5) + 1 / (1 + 1e-5)))
    assert float(eigenvalue_score(torch.ones(4, 4, dtype=torch.float64))) < -2.9e5 < best


def test_the_rows_are_gradients_by_each_image() -> None:
    """With out = sum of squares of x, the gradient by an image is twice the image."""

    class Squares(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.square().flatten(1)

    x = torch.randn(4, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    batch = Batch(x, torch.zeros(4), torch.arange(4))
    found = JacobCov().score([Squares()], batch, None)  # type: ignore[arg-type]
    assert float(found) == pytest.approx(float(eigenvalue_score(correlations(x.flatten(1)))), rel=1e-6)


def test_an_output_that_ignores_its_input_scores_lowest() -> None:
    class Nothing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (0 * x).flatten(1)

    batch = Batch(torch.randn(4, 1, 3, 3), torch.zeros(4), torch.arange(4))
    assert float(JacobCov().score([Nothing()], batch, None)) < -2.9e5  # type: ignore[arg-type]
