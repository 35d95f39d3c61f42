"""Reading figures that pages drew."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest


def spec(at: AppTest, i: int) -> dict[str, Any]:
    """The i-th plotly figure of a page."""
    found: dict[str, Any] = json.loads(at.get("plotly_chart")[i].proto.spec)
    return found
