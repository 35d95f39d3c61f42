"""Design spaces by name."""

from __future__ import annotations

from typing import Any

from nascore.spaces import cell, nasbench201

SPACES: dict[str, type[Any]] = {
    "cell": cell.Cell,
    "nasbench201": nasbench201.Nasbench201,
}
