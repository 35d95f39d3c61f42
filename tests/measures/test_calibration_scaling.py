"""Vector scaling against gradients that torch takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from nascore.measures.calibration_scaling import fit


def drawn(classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (600, classes) and labels that another scale and shift of each class tell."""
    gen = torch.Generator().manual_seed(classes)
    logits = 2 * torch.randn(600, classes, generator=gen, dtype=torch.float64)
    scale, shift = (torch.randn(classes, generator=gen, dtype=torch.float64) for _ in range(2))
    chance = (logits * (1 + scale / 4) + shift).softmax(1)
    return logits, torch.multinomial(chance, 1, generator=gen)[:, 0]


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_vector_scaling_ends_where_the_log_loss_is_least(classes: int) -> None:
    logits, y = drawn(classes)
    scaled = torch.as_tensor(fit("vector", logits.numpy(), y.numpy()).apply(logits.numpy())).log()
    scale = torch.ones(classes, dtype=torch.float64, requires_grad=True)
    shift = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    found = cross_entropy(scaled, y)
    # The least loss has no slope in a further shift, and none in a further scale of the given logits.
    cross_entropy(scaled + (scale - 1) * logits + shift, y).backward()
    assert scale.grad is not None
    assert shift.grad is not None
    assert scale.grad.abs().max() < 1e-5
    assert shift.grad.abs().max() < 1e-5
    assert found < cross_entropy(logits, y)


def test_it_has_an_end_where_classes_can_be_told_apart() -> None:
    y = np.arange(60) % 3
    p = fit("vector", 3.0 * np.eye(3)[y], y).apply(3.0 * np.eye(3)[y])
    assert np.isfinite(p).all()
    assert (p.argmax(1) == y).all()
