"""Runs side by side in a browser: curves, another clock in the address, a reload, a dot that opens a run."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Server, idle, keyed
from tests.pages.test_compare import BUDGET, errors, two

CURVES = """() => Object.fromEntries(
  (document.querySelector('.st-key-compare-anytime .js-plotly-plot')?._fullData ?? [])
    .filter(t => t.name && t.line.width > 2)
    .map(t => [t.name, [t.x[t.x.length - 1], t.y[t.y.length - 1]]]))"""
DRAWN = f"() => Object.keys(({CURVES})()).length === 2"
DOT = """() => {
  const g = document.querySelector('.st-key-compare-finals .js-plotly-plot');
  const t = g._fullData[0], l = g._fullLayout, r = g.getBoundingClientRect();
  return {run: t.customdata[0], at: [r.left + l.xaxis._offset + l.xaxis.d2p(t.x[0]),
                                     r.top + l.yaxis._offset + l.yaxis.d2p(t.y[0])]};
}"""
X = "() => document.querySelector('.st-key-compare-anytime .js-plotly-plot')?._fullLayout?.xaxis.title.text"


def test_curves_take_another_clock_keep_it_in_the_link_and_a_dot_opens_its_run(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASCOPE_HOME", str(server.home))
    random, evolution = two(server.home, 3)
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(f"{server.url}/compare?runs={','.join(random + evolution)}")
    page.wait_for_function(DRAWN)
    idle(page)
    cost, mean = page.evaluate(CURVES)["random search"]
    assert cost == BUDGET
    assert mean == pytest.approx(np.mean([errors(r).min() for r in random]))
    keyed(page, "compare_over").get_by_role("combobox").click()
    page.get_by_role("option", name="Simulated training time").click()
    page.wait_for_url(re.compile("over=simulated_seconds"))
    page.reload()
    page.wait_for_function(f"() => ({X})() === 'Simulated training time (s)'")
    page.wait_for_function(DRAWN)
    page.wait_for_function(
        "() => document.querySelector('.st-key-compare-finals .js-plotly-plot')?._fullData"
    )
    idle(page)
    dot = page.evaluate(DOT)
    assert dot["run"] in random
    page.mouse.click(*dot["at"])
    page.wait_for_url(re.compile(f"/runs\\?.*run={dot['run']}"))
