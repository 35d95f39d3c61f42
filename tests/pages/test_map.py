"""The map of a table, by edits and by paths."""

from __future__ import annotations

import json
from pathlib import Path

from tests.benchmarks.small import write_small
from tests.pages.conftest import Open, home, said, visit

__all__ = ["home", "visit"]


def test_each_way_to_draw_the_map_says_what_it_keeps(visit: Open, home: Path) -> None:
    write_small(home)
    at = visit("benchmarks", table="small", bench_view="Map")
    assert "distance on the map to number of edits: Spearman 0." in said(at)
    assert "% of the variance is in the plane · 300 cells on" in said(at)
    at.segmented_control(key="map_by").set_value("By paths").run()
    assert not at.exception
    assert "distance on the map to number of paths that differ: Spearman 0." in said(at)
    spec = json.loads(at.get("plotly_chart")[-1].proto.spec)
    sizes = spec["data"][1]["marker"]["size"]
    assert sizes  # some places hold several cells
    again = visit("benchmarks", table="small", bench_view="Map", map_by="By paths")
    assert "paths that differ" in said(again)
