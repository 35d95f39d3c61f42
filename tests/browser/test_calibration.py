"""Calibration in a real browser: a file is uploaded, its diagram read, a bad one refused by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from nascore.measures.calibration import softmax
from nascore.measures.calibration_curves import reliability
from tests.browser.conftest import Server, idle

BARS = """() => {
  const g = document.querySelector('.st-key-calib-diagram .js-plotly-plot');
  const gap = g?._fullData?.find(d => d.name === 'gap to confidence');
  const scaled = g?._fullData?.some(d => d.name === 'after scaling');
  const right = [...(gap?.hovertext || [])].map(t => +t.match(/accuracy ([\\d.]+)/)[1]);
  const count = [...(gap?.hovertext || [])].map(t => +t.match(/: ([\\d,]+) samples/)[1].replace(',', ''));
  return {right, count, scaled};
}"""


def saved(file: Path, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, n)
    logits = 3 * (rng.normal(size=(n, 4)) + 1.2 * np.eye(4)[labels])
    np.savez(file, logits=logits, labels=labels)
    return softmax(logits), labels


def test_an_uploaded_file_is_measured_and_a_bad_one_refused(
    page: Page, server: Server, tmp_path: Path
) -> None:
    p, y = saved(tmp_path / "test.npz", 500, 0)
    saved(tmp_path / "held.npz", 500, 1)
    page.goto(f"{server.url}/calibration?source=file&bins=12")
    page.get_by_text("No predictions yet.").wait_for()
    idle(page)
    files = page.locator("input[type=file]")
    files.nth(0).set_input_files(tmp_path / "test.npz")
    page.wait_for_function(f"() => ({BARS})().count.length > 0")
    idle(page)
    found = reliability(p.max(1), p.argmax(1) == y, 12)
    full = found.count > 0
    shown = page.evaluate(BARS)
    assert shown["count"] == found.count[full].tolist()
    assert shown["right"] == pytest.approx(found.accuracy[full], abs=6e-4)
    assert not shown["scaled"]
    files.nth(1).set_input_files(tmp_path / "held.npz")
    page.wait_for_function(f"() => ({BARS})().scaled")
    expect(page.get_by_text("Accuracy after scaling")).to_be_visible()
    bad = p.copy()
    bad[7] /= 2
    np.savez(tmp_path / "bad.npz", probabilities=bad, labels=y)
    files.nth(0).set_input_files(tmp_path / "bad.npz")
    page.get_by_text("row 7 sums to 0.5, not to 1").wait_for()
