"""Design spaces by name."""

from __future__ import annotations

from typing import Any

from nascore.spaces import cell, darts, nasbench101, nasbench201, nats_size

SPACES: dict[str, type[Any]] = {
    "cell": cell.Cell,
    "darts": darts.Darts,
    "nasbench101": nasbench101.Nasbench101,
    "nasbench201": nasbench201.Nasbench201,
    "nats_size": nats_size.NatsSize,
}
