"""Ways to judge by name."""

from __future__ import annotations

from typing import Any

from nascore.measures import hardware

MEASURES: dict[str, type[Any]] = {"hardware": hardware.Hardware}
