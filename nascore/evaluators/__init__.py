"""Judges by name: archs in, metrics out."""

from __future__ import annotations

from typing import Any

from nascore.evaluators import trained

EVALUATORS: dict[str, type[Any]] = {"trained": trained.Trained}
