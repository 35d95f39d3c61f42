"""Judges by name: archs in, metrics out."""

from __future__ import annotations

from typing import Any

from nascore.evaluators import predicted, tabular, trained, zero_cost

EVALUATORS: dict[str, type[Any]] = {
    "predicted": predicted.Predicted,
    "tabular": tabular.Tabular,
    "trained": trained.Trained,
    "zero_cost": zero_cost.ZeroCost,
}
