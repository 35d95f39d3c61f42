"""Judges by name: archs in, metrics out."""

from __future__ import annotations

from typing import Any

from nascore.evaluators import trained, zero_cost

EVALUATORS: dict[str, type[Any]] = {"trained": trained.Trained, "zero_cost": zero_cost.ZeroCost}
