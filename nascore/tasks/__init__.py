"""Tasks by name."""

from __future__ import annotations

from typing import Any

from nascore.tasks import images, ranking, text

TASKS: dict[str, type[Any]] = {
    "digits": images.Digits,
    "mnist5k": images.Mnist5k,
    "ranking": ranking.Ranking,
    "text": text.Text,
}
