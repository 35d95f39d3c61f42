"""Losses for predictors that learn to order: pointwise, pairwise and listwise (Guo et al., 2020, section 3).

Every loss takes scores and numbers of lists, (..., n), higher is better, and gives one value a list, (...).
Lists never mix. Of a pair with equal numbers nothing is learned; a list without such pairs has loss 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nascore.kinds import knob

if TYPE_CHECKING:
    from torch import Tensor

Loss = Callable[["Tensor", "Tensor"], "Tensor"]
GRADES = 5  # grades 0 to 4 by quantile, the relevance that NDCG speaks of


def grades(y: Tensor) -> Tensor:
    """(..., n) whole numbers 0 to 4: how many fifths of the list lie strictly below; ties have one grade."""
    below = (y[..., :, None] > y[..., None, :]).sum(-1)
    return (below * GRADES).div(y.shape[-1], rounding_mode="floor").to(y.dtype)


def mse(scores: Tensor, y: Tensor) -> Tensor:
    """Mean squared error."""
    return (scores - y).square().mean(-1)


def hinge(scores: Tensor, y: Tensor) -> Tensor:
    """Mean over pairs of max(0, 1 - f+ + f-), f+ the score of the better one."""
    return _over_pairs((1 - _differences(scores)).clamp(min=0), y)


def ranknet(scores: Tensor, y: Tensor) -> Tensor:
    """Mean over pairs of log(1 + exp(-(f+ - f-))) (Burges et al. 2005)."""
    from torch.nn.functional import softplus

    return _over_pairs(softplus(-_differences(scores)), y)


def lambdarank(scores: Tensor, y: Tensor) -> Tensor:
    """RankNet, each pair weighed by how much NDCG its exchange would change (Burges et al. 2006).

    Ranks are those of the current scores; the weight has no gradient. Gains are 2^grade - 1.
    """
    from torch.nn.functional import softplus

    return _over_pairs(softplus(-_differences(scores)) * exchange(scores.detach(), y), y)


def exchange(scores: Tensor, y: Tensor) -> Tensor:
    """(..., n, n) |change of NDCG| when two trade places in the order of the scores."""
    import torch

    gain, places = 2 ** grades(y) - 1, scores.argsort(dim=-1, descending=True, stable=True).argsort(-1)
    discount = 1 / torch.log2(places.to(scores.dtype) + 2)
    change = (_differences(gain) * _differences(discount)).abs()
    return change / _ideal(gain)[..., None, None]


def listnet(scores: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of the chances to be first, by scores and by numbers (Cao et al. 2007, top one)."""
    return -(y.softmax(-1) * scores.log_softmax(-1)).sum(-1)


def listmle(scores: Tensor, y: Tensor) -> Tensor:
    """Minus the log-likelihood of the true order under Plackett-Luce (Xia et al. 2008).

    -log prod_i exp(f_(i)) / sum_{j >= i} exp(f_(j)), (i) the i-th best; ties stay in their given order.
    """
    order = y.argsort(dim=-1, descending=True, stable=True)
    best_first = scores.gather(-1, order)
    return (best_first.flip(-1).logcumsumexp(-1).flip(-1) - best_first).sum(-1)


def approx_ndcg(scores: Tensor, y: Tensor, temperature: float = 0.1) -> Tensor:
    """1 - NDCG with soft ranks 1 + sum_{j != i} sigmoid((f_j - f_i) / temperature) (Qin et al. 2010)."""
    import torch

    gain = 2 ** grades(y) - 1
    above = torch.sigmoid(-_differences(scores) / temperature)
    rank = 0.5 + above.sum(-1)  # the sum holds j = i, which is one half
    found = (gain / torch.log2(1 + rank)).sum(-1)
    return (gain.sum(-1) > 0) * (1 - found / _ideal(gain))


def diffkendall(scores: Tensor, y: Tensor, slope: float = 0.5) -> Tensor:
    """1 - tau, where tau's signs are tanh(slope x / 2) (Zheng et al. 2023, as in ParZC).

    tau = sum over i < j of tanh(slope (f_i - f_j) / 2) tanh(slope (y_i - y_j) / 2), by n (n - 1) / 2. The
    released sum runs over all i and j, with the same divisor, and so is twice this.
    """
    n = scores.shape[-1]
    signs = (_differences(scores) * slope / 2).tanh() * (_differences(y) * slope / 2).tanh()
    return 1 - signs.sum((-2, -1)) / max(n * (n - 1), 1)


def _differences(x: Tensor) -> Tensor:
    """(..., n) -> (..., n, n): x_i - x_j."""
    return x[..., :, None] - x[..., None, :]


def _over_pairs(each: Tensor, y: Tensor) -> Tensor:
    """(..., n, n) values of (better, worse) -> (...) mean over the pairs of each list."""
    ordered = _differences(y) > 0
    return (each * ordered).sum((-2, -1)) / ordered.sum((-2, -1)).clamp(min=1)


def _ideal(gain: Tensor) -> Tensor:
    """(..., n) gains -> (...) the largest DCG; 1 where there is no gain at all."""
    import torch

    best = gain.sort(-1, descending=True).values
    places = torch.arange(gain.shape[-1], device=gain.device, dtype=gain.dtype)
    total = (best / torch.log2(places + 2)).sum(-1)
    return torch.where(total > 0, total, torch.ones_like(total))


LOSSES: dict[str, Callable[..., Any]] = {
    "mse": mse,
    "hinge": hinge,
    "ranknet": ranknet,
    "lambdarank": lambdarank,
    "listnet": listnet,
    "listmle": listmle,
    "approx_ndcg": approx_ndcg,
    "diffkendall": diffkendall,
}
SUMS = ("mse+ranknet", "mse+diffkendall", "ranknet+diffkendall", "mse+ranknet+diffkendall")


def loss_knob(default: str) -> Any:
    """The knob that names a loss."""
    return knob(
        default,
        help="squared error, an order of pairs or of lists, or a sum of these",
        options=(*LOSSES, *SUMS),
    )


def slope_knob(default: float) -> Any:
    """The knob of DiffKendall's slope."""
    return knob(default, 1e-3, 1e4, "how sharply diffkendall tells better from worse", log=True)


def loss(name: str, slope: float = 0.5) -> Loss:
    """The loss of this name, or the sum of those joined by `+`; slope is DiffKendall's."""
    parts = [partial(diffkendall, slope=slope) if n == "diffkendall" else LOSSES[n] for n in name.split("+")]

    def total(scores: Tensor, y: Tensor) -> Tensor:
        return sum((part(scores, y) for part in parts[1:]), start=parts[0](scores, y))

    return total
