"""Robustness and sharpness in a real browser: one click trains, the page follows and shows what was found."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from nascore.runs import robust
from nascore.spaces.nasbench201 import Nasbench201
from nascore.view.words import three
from tests.browser.conftest import PATIENCE, Server, idle

SPACE, ARCH = Nasbench201(1, 4, 1, 4), (0, 0, 0, 2, 0, 0)
ADDRESS = {
    "space": "nasbench201", "cells": "1", "channels": "4", "stages": "1", "stem_stride": "4",
    "task": "digits", "arch": SPACE.text(ARCH),
}  # fmt: skip
SHARES = """() => {
  const g = document.querySelector('.st-key-robust-severities .js-plotly-plot');
  return g?._fullData ? Array.from(g._fullData[0].z, row => Array.from(row)) : [];
}"""


@pytest.mark.slow
def test_a_network_is_trained_watched_and_its_numbers_shown(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(f"{server.url}/architecture?{urlencode(ADDRESS)}")
    page.get_by_role("tab", name="Robustness and sharpness").click()
    page.get_by_text("are not known yet").wait_for()
    idle(page)
    page.get_by_role("button", name="Train and measure").click()
    page.get_by_role("button", name="Cancel").wait_for()
    page.get_by_text(re.compile(r"of 51 · .* left")).wait_for()
    page.wait_for_function(f"() => ({SHARES})().length == 6", timeout=2 * PATIENCE)
    monkeypatch.setenv("NASCOPE_HOME", str(server.home))
    asked = robust.ask(SPACE, ARCH, "digits")
    found = json.loads(Path(asked.folder / "result.json").read_text())
    rows = [[100 * v for v in values] for values in found["robustness"].values()]
    for shown, kept in zip(page.evaluate(SHARES), rows, strict=True):
        assert shown == pytest.approx(kept)
    top = page.get_by_test_id("stMetric").filter(has_text="Top Hessian eigenvalue")
    expect(top).to_contain_text(three(found["sharpness"]["top_eigenvalue"]))
    page.get_by_text("One step of length 0.05 up its slope").wait_for()
    expect(page.get_by_role("button", name="Train and measure")).to_have_count(0)
