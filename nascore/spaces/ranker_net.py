"""The networks of the space of ranking models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- torch's own habit
from torch import Tensor, nn

from nascore.spaces.ranker import INTERACTS, POOLED, PYRAMID, REPRESENTS, TERM

EXACT = 1e-3  # width of the kernel that sees equal words only
SOFT = 0.1  # width of the others (KNRM, section 4)


class Tower(nn.Module):
    """Words to a vector: their mean, or a convolution of three words and its maximum; a linear map, tanh."""

    def __init__(self, encoder: str, width: int, size: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(width, width, 3, padding=1) if encoder == "conv" else None
        self.out = nn.Linear(width, size)

    def forward(self, words: Tensor, there: Tensor) -> Tensor:
        """(n, length, width) and (n, length) -> (n, size) of length 1."""
        mask = there.unsqueeze(-1).to(words.dtype)
        if self.conv is None:
            seen = (words * mask).sum(1) / mask.sum(1).clamp(min=1)
        else:
            seen = (self.conv(words.transpose(1, 2)).relu() * mask.transpose(1, 2)).amax(2)
        return F.normalize(self.out(seen).tanh(), dim=-1)


class Representation(nn.Module):
    """A vector of the query, one of each document, their cosine times a learned scale."""

    def __init__(self, taken: Mapping[str, Any]) -> None:
        super().__init__()
        make = (taken["representation.encoder"], taken["width"], taken["representation.vector"])
        self.query = Tower(*make)
        self.document = Tower(*make) if taken["representation.towers"] == "separate" else self.query
        self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, words: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor], rarity: Tensor) -> Tensor:
        """Words of queries (n, q, width) and documents (n, k, d, width) -> (n, k)."""
        n, k = words[1].shape[:2]
        query = self.query(words[0], there[0])
        documents = self.document(words[1].flatten(0, 1), there[1].flatten(0, 1)).unflatten(0, (n, k))
        return self.scale * (documents @ query.unsqueeze(-1)).squeeze(-1)


class Interaction(nn.Module):
    """The cosine of every word of the query with every word of a document, and what looks at that grid."""

    def __init__(self, taken: Mapping[str, Any]) -> None:
        super().__init__()
        self.match, bins = taken["interaction.match"], taken.get("interaction.bins", 0)
        self.gate = nn.Parameter(torch.tensor(1.0)) if taken.get("interaction.words") == "by_rarity" else None
        if self.match == "pyramid":
            self.conv = nn.Conv2d(1, PYRAMID, 3, padding=1)
            self.out = nn.Linear(PYRAMID * POOLED[0] * POOLED[1], 1)
        elif self.match == "kernels":
            self.out = nn.Linear(bins, 1)
            soft = -1 + (torch.arange(bins - 1) + 0.5) * 2 / (bins - 1)  # middles of equal parts of [-1, 1]
            self.register_buffer("centers", torch.cat([soft, torch.ones(1)]), persistent=False)
            widths = torch.full((bins,), SOFT)
            widths[-1] = EXACT
            self.register_buffer("widths", widths, persistent=False)
        else:
            self.bins = bins
            self.out = nn.Sequential(nn.Linear(bins, TERM), nn.Tanh(), nn.Linear(TERM, 1), nn.Tanh())
            self.scale = nn.Parameter(torch.tensor(5.0))

    def forward(self, words: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor], rarity: Tensor) -> Tensor:
        """Words of queries (n, q, width) and documents (n, k, d, width), rarities (n, q) -> (n, k)."""
        query, documents = (F.normalize(w, dim=-1) for w in words)
        grid = torch.einsum("nqw,nkdw->nkqd", query, documents)
        both = there[0][:, None, :, None] & there[1][:, :, None, :]
        if self.match == "pyramid":
            seen = self.conv((grid * both).flatten(0, 1).unsqueeze(1)).relu()
            found = self.out(F.adaptive_max_pool2d(seen, POOLED).flatten(1))
            return found.view(grid.shape[:2])
        weights = self.weights(there[0], rarity)[:, None, :]  # (n, 1, q)
        if self.match == "kernels":
            centers: Any = self.centers
            widths: Any = self.widths
            found = kernels(grid, both, centers, widths)
            return self.out((found * weights.unsqueeze(-1)).sum(2)).squeeze(-1)
        found = self.out(histogram(grid.detach(), both, self.bins)).squeeze(-1)
        return self.scale * (found * weights).sum(-1)

    def weights(self, there: Tensor, rarity: Tensor) -> Tensor:
        """(n, q) shares of the words of a query: alike, or a softmax of their rarity."""
        how = torch.zeros_like(rarity) if self.gate is None else self.gate * rarity
        return how.masked_fill(~there, -torch.inf).softmax(-1).nan_to_num()


def kernels(grid: Tensor, both: Tensor, centers: Tensor, widths: Tensor) -> Tensor:
    """(n, k, q, d) cosines -> (n, k, q, kernels): log of how many words lie near each center.

    KNRM, section 3; scaled by .1, our choice.
    """
    near = torch.exp(-((grid.unsqueeze(-1) - centers) ** 2) / (2 * widths**2))
    return (near * both.unsqueeze(-1)).sum(3).clamp(min=1e-10).log() * 0.1


def histogram(grid: Tensor, both: Tensor, bins: int) -> Tensor:
    """(n, k, q, d) cosines -> (n, k, q, bins): log(1 + how many words fall in each bin) (DRMM, section 4.1).

    The last bin holds equal words alone, the others are equal parts of [-1, 1).
    """
    place = ((grid + 1) / 2 * (bins - 1)).floor().clamp(0, bins - 2).long()
    place = torch.where(grid > 1 - EXACT, torch.full_like(place, bins - 1), place)
    counts = torch.zeros(*grid.shape[:3], bins, dtype=grid.dtype, device=grid.device)
    return counts.scatter_add(3, place, both.to(grid.dtype)).log1p()


class RankerNet(nn.Module):
    """Scores of documents: of one way, or the sum of both, and of BM25."""

    def __init__(self, taken: Mapping[str, Any], words: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, taken["width"], padding_idx=0)
        ways: list[nn.Module] = []
        if taken["form"] in REPRESENTS:
            ways.append(Representation(taken))
        if taken["form"] in INTERACTS:
            ways.append(Interaction(taken))
        self.ways = nn.ModuleList(ways)
        self.bm25 = nn.Parameter(torch.tensor(1.0)) if taken["bm25"] == "with" else None

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        """Queries (n, q), documents (n, k, d), weights (n, q), bm25 (n, k) -> scores (n, k)."""
        ids = (x["query"], x["documents"])
        words, there = tuple(self.embed(i) for i in ids), tuple(i > 0 for i in ids)
        found = torch.stack([way(words, there, x["weights"]) for way in self.ways]).sum(0)
        return found if self.bm25 is None else found + self.bm25 * x["bm25"]
