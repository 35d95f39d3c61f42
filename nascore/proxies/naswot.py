"""NASWOT (Mellor et al., 2021): how differently an untrained network's ReLUs fire on different images.

Each image has a code of zeros and ones, one a ReLU unit. K counts in how many units two images agree. The
score is log |det K|: a network that tells the images apart scores high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.proxies.look import Looking, Seen

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Naswot(Looking):
    """Log-determinant of how alike the ReLU codes of images are; higher is better."""

    needs = ("codes",)

    def read(self, seen: Seen) -> Tensor:
        """The log |det K|, in training mode as published; -1e10 where two images have one code."""
        import torch

        if not seen.codes:
            return torch.tensor(-1e10, dtype=torch.float64)
        return log_determinant(agreement(seen.codes))


def agreement(codes: list[Tensor]) -> Tensor:
    """K (n, n), double: in how many ReLU units two images agree; in `codes` a unit that fires is positive.

    With codes c (n, D) and their row sums s, ones and zeros that agree are 2cc' + D - s - s'; the diagonal of
    cc' is s, so one product says all.
    """
    import torch

    n = len(codes[0])
    both = torch.zeros(n, n, dtype=torch.float64, device=codes[0].device)
    for c in codes:
        fires = c.sign()  # floats: their sums below 2^24 are exact
        both += fires @ fires.T
    s, units = both.diagonal(), sum(c.shape[1] for c in codes)
    return 2 * both + units - s[:, None] - s[None]


def log_determinant(k: Tensor) -> Tensor:
    """The value log |det K|, at least -1e10: where two images have one code, the determinant is zero."""
    import torch

    return torch.linalg.slogdet(k)[1].clamp(min=-1e10)
