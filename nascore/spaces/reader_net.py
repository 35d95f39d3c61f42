"""The network of the space of text classifiers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class ReaderNet(nn.Module):
    """Words to vectors, an average or a convolution over them, dropout, linear layers.

    Args:
        taken: choice -> value.
        given: `words`, numbers of words with 0 where there is none, or `vectors`, zeros where there is none.
        size: words known, or numbers a word.
        classes: outputs.
    """

    def __init__(self, taken: Mapping[str, Any], given: str, size: int, classes: int) -> None:
        super().__init__()
        width, self.encoder = taken["width"], taken["encoder"]
        self.embed: nn.Module
        if given == "words":
            self.embed = nn.Embedding(size, width, padding_idx=0)
        else:
            self.embed = nn.Linear(size, width)
        features = width if self.encoder != "conv" else 0
        self.conv = None
        if "conv.kernel" in taken:
            kernel, channels = taken["conv.kernel"], taken["conv.channels"]
            self.conv = nn.Conv1d(width, channels, kernel, padding=kernel // 2)
            features += channels
        self.dropout = nn.Dropout(taken["dropout"])
        hidden = taken["hidden"]
        layers = [nn.Linear(features, hidden), nn.ReLU()] if hidden else []
        self.head = nn.Sequential(*layers, nn.Linear(hidden or features, classes))

    def forward(self, x: Tensor) -> Tensor:
        """(n, length) numbers or (n, length, size) vectors -> (n, classes)."""
        there = (x != 0).any(-1) if x.dim() == 3 else x != 0
        words = self.embed(x)
        there = there.unsqueeze(-1).to(words.dtype)
        words = words * there
        found = []
        if self.encoder != "conv":
            found.append(words.sum(1) / there.sum(1).clamp(min=1))
        if self.conv is not None:
            seen = self.conv(words.transpose(1, 2))[..., : words.shape[1]].relu() * there.transpose(1, 2)
            found.append(seen.amax(2))
        return self.head(self.dropout(torch.cat(found, 1)))
