"""The court in a real browser: a click puts an evaluator in the picture, a truth turns the order."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page
from scipy.stats import kendalltau

from nascore.benchmarks.table import open_table
from tests.benchmarks.small import write_small
from tests.browser.conftest import Server, idle

COURT = """() => {
  const g = document.querySelector('.st-key-rank-court .js-plotly-plot');
  const t = g?._fullData?.find(d => d.mode === 'markers');
  if (!t) return null;
  const l = g._fullLayout, r = g.getBoundingClientRect();
  return Object.fromEntries([...t.customdata].map((name, i) => [name, {
    value: t.x[i], at: [r.left + l.xaxis._offset + l.xaxis.d2p(t.x[i]),
                        r.top + l.yaxis._offset + l.yaxis.d2p(t.y[i])]}]));
}"""
SCATTER = """() => document.querySelector('[class*=st-key-rank-scatter] .js-plotly-plot')
  ?._fullLayout?.xaxis.title.text"""


def test_a_click_in_the_court_shows_that_evaluator_and_the_address_keeps_it(
    page: Page, server: Server
) -> None:
    write_small(server.home)
    table = open_table("small", server.home)
    page.goto(f"{server.url}/ranking?source=table:small&by=params,other_accuracy,phone_latency_ms")
    page.wait_for_function(f"() => ({SCATTER})()?.startsWith('other_accuracy')")
    idle(page)
    court = page.evaluate(COURT)
    assert list(court) == ["other_accuracy", "params", "phone_latency_ms"]  # best first
    truth = table.values("test_accuracy")
    tau = kendalltau(table.values("params"), truth)
    assert court["params"]["value"] == pytest.approx(getattr(tau, "statistic"))  # noqa: B009
    page.mouse.click(*court["params"]["at"])
    page.wait_for_url(re.compile("pick=params"))
    page.wait_for_function(f"() => ({SCATTER})()?.startsWith('params')")
    page.reload()
    page.wait_for_function(f"() => ({SCATTER})()?.startsWith('params')")
    idle(page)
    page.get_by_text("Cost", exact=True).click()
    page.wait_for_url(re.compile("view=cost"))
    page.get_by_text("Nobody has timed these evaluators").wait_for()
    with page.expect_download() as found:
        page.get_by_role("button", name="CSV of the rows").click()
    head = found.value.path().read_text().splitlines()[0]
    assert head == "key,test_accuracy,other_accuracy,params,phone_latency_ms"
