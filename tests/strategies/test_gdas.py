"""GDAS: its temperature falls in a line."""

from __future__ import annotations

import pytest

from nascore.events import Step
from nascore.problem import search
from nascore.strategies.gdas import Gdas
from tests.strategies.test_darts_pt import problem


def test_the_temperature_falls_in_a_line_from_hot_to_cold() -> None:
    steps = [e for e in search(Gdas(epochs=3, hot=8.0, cold=2.0), problem()) if isinstance(e, Step)]
    assert [s.values["tau"] for s in steps if s.phase == "search"] == pytest.approx([8.0, 5.0, 2.0])
