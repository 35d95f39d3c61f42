"""Random search on published numbers comes to the row that RoBoT's table prints."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_random_search.py"


def test_a_hundred_cells_give_the_printed_row_and_twenty_give_less(shared: Path) -> None:
    spec = importlib.util.spec_from_file_location("check_random_search", SCRIPT)
    assert spec is not None and spec.loader is not None  # noqa: PT018 -- for the types
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {r["text"]: r for r in module.rows(pd.read_parquet(shared / "nb201_topology.parquet"), 2000)}
    for name, (printed, spread) in module.PRINTED.items():
        title = module.SETS[name]
        hundred = found[f"Random search, 100 cells: test accuracy on {title} (%)"]
        assert hundred["measured"] == pytest.approx(printed, abs=0.2)
        assert hundred["spread"] == pytest.approx(spread, rel=0.15)
        twenty = found[f"Random search, 20 cells: test accuracy on {title} (%)"]
        assert twenty["interval"][1] < hundred["interval"][0]
    assert 100 < found["Random search, 12,000 seconds: test accuracy on CIFAR-10 (%)"]["mean_cells"] < 120
