"""Fronts in a real browser: read, clicked, limited, zoomed, played."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from nascore import pareto
from nascore.benchmarks.imports import import_path
from nascore.benchmarks.table import open_table
from tests.benchmarks.small import write_small
from tests.browser.conftest import Server, idle, keyed

FRONT = """() => {
  const g = document.querySelector('.st-key-front-plane .js-plotly-plot'), l = g._fullLayout;
  const t = g._fullData.find(d => (d.name || '').startsWith('front')), r = g.getBoundingClientRect();
  return {rows: [...t.customdata], ringed: g._fullData.some(d => d.marker?.size === 15),
          at: [...t.x].map((x, i) => [r.left + l.xaxis._offset + l.xaxis.d2p(x),
                                      r.top + l.yaxis._offset + l.yaxis.d2p(t.y[i])])};
}"""
DRAWN = "() => document.querySelector('.st-key-front-plane .js-plotly-plot')?._fullData?.length > 0"
KINDS = "() => document.querySelector('.st-key-front-plane .js-plotly-plot')._fullData.map(d => d.type)"


def opened(page: Page, server: Server, query: str) -> None:
    page.goto(f"{server.url}/pareto?{query}")
    page.wait_for_function(DRAWN)
    idle(page)


def number(page: Page, label: str) -> str:
    """What a card of the page says."""
    card = page.get_by_test_id("stMetric").filter(has_text=label)
    return card.get_by_test_id("stMetricValue").inner_text()


def test_the_front_of_a_table_is_read_and_a_click_opens_the_cell(page: Page, server: Server) -> None:
    write_small(server.home)
    table = open_table("small", server.home)
    opened(page, server, "source=table:small&obj=params:min,test_accuracy:max&ref=5000,20")
    costs = pareto.costs(table.frame[["params", "test_accuracy"]].to_numpy(float), ["min", "max"])
    rows, shown = pareto.front(costs), page.evaluate(FRONT)
    assert shown["rows"] == rows.tolist()
    assert number(page, "On the front") == str(len(rows))
    area = pareto.hypervolume(costs[rows], (5000, -20))
    said = re.fullmatch(r"([\d.]+)\s*([kM]?)", number(page, "Hypervolume").strip())
    assert said is not None, number(page, "Hypervolume")
    factor = {"": 1, "k": 1e3, "M": 1e6}[said[2]]
    assert float(said[1]) * factor == pytest.approx(area, rel=0.01)
    page.get_by_text("up to 5 k, 20.00").or_(page.get_by_text("up to 5.00 k, 20.00")).first.wait_for()
    knee: Any = pareto.knee(costs)
    assert shown["ringed"]
    page.get_by_role("link", name=re.compile(f"cell {knee}$")).wait_for()
    x, y = shown["at"][0]
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(re.compile(f"/architecture\\?.*arch={table.frame['key'].iloc[rows[0]]}"))
    page.get_by_test_id("node-0").first.wait_for()


def test_a_zoom_into_a_crowd_draws_what_is_in_sight_anew(page: Page, server: Server, tmp_path: Path) -> None:
    a, b = 1 + np.random.default_rng(0).random((2, 24_000))
    file = tmp_path / "crowd.csv"
    pd.DataFrame({"arch": [f"net {i}" for i in range(len(a))], "a": a, "b": b}).to_csv(file, index=False)
    metrics = {m: {"direction": "min"} for m in "ab"}
    mapping = {"arch": "arch", "format": "text", "metrics": metrics}
    import_path(file, "crowd", server.home, mapping)
    opened(page, server, "source=table:crowd")
    assert "heatmap" in page.evaluate(KINDS)
    plot = page.locator(".st-key-front-plane .js-plotly-plot")
    plot.hover()
    plot.locator(".modebar-btn[data-title='Zoom']").click()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 330, box["y"] + 260, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile("zoom="))
    page.get_by_text(re.compile(r"^[1-9],?\d* in sight\.")).wait_for()
    page.wait_for_function(f"() => !({KINDS})().includes('heatmap')")
    keyed(page, "front_whole").get_by_role("button").click()
    page.get_by_text("24,000 in sight, as a histogram").wait_for()
    expect(page).not_to_have_url(re.compile("zoom="))
