"""Judges by name: archs in, metrics out."""

from __future__ import annotations

from typing import Any

from nascore.evaluators import tabular, trained, zero_cost

EVALUATORS: dict[str, type[Any]] = {
    "tabular": tabular.Tabular,
    "trained": trained.Trained,
    "zero_cost": zero_cost.ZeroCost,
}
