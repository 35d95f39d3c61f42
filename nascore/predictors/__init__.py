"""What learns from pairs of architecture and number, by name."""

from __future__ import annotations

from typing import Any

from nascore.predictors import gbdt, ridge

PREDICTORS: dict[str, type[Any]] = {
    "gbdt": gbdt.Gbdt,
    "ridge": ridge.Ridge,
}
