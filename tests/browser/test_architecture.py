"""An architecture in a real browser: unfold it, compare it, take its source along and run it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.browser.conftest import Server, idle, keyed

TEXT = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|nor_conv_1x1~1|skip_connect~2|"
SMALL = {"space": "nasbench201", "cells": "2", "channels": "4", "arch": TEXT}


def part(page: Page, id: str):
    """A part of the graph by its id."""
    return page.locator(f'[data-testid="node-{id}"]').first


def top(page: Page, id: str):
    """The uppermost sheet of its card, which a pointer meets."""
    return page.locator(f'rect.tint[data-id="node-{id}"]')


def test_an_architecture_is_unfolded_compared_and_taken_along(
    page: Page, server: Server, tmp_path: Path
) -> None:
    page.goto(f"{server.url}/architecture?{urlencode({**SMALL, 'network': 'Graph'})}")
    part(page, "stem").wait_for()
    idle(page)
    top(page, "blocks.0-1").click()
    part(page, "blocks.0").wait_for()
    page.wait_for_url(re.compile(r"open=blocks\.0-1"))
    top(page, "blocks.0").click()
    part(page, "blocks.0/edges.edge_1_0").wait_for()
    page.reload()
    part(page, "blocks.0/edges.edge_1_0").wait_for()
    idle(page)

    box = keyed(page, "with_near").get_by_role("combobox")
    box.click()
    box.press("ArrowDown")
    box.press("Enter")
    page.wait_for_url(re.compile(r"with=[0-9a-f]{16}"))
    page.get_by_text("The other one").first.wait_for()
    page.locator('svg[aria-label^="Cell of this one"]').get_by_text("→").wait_for()
    idle(page)

    page.get_by_role("tab", name="Export").click()
    page.get_by_text("PyTorch source", exact=True).first.click()
    page.wait_for_url(re.compile("source=true"))
    button = keyed(page, "take_py").get_by_role("button")
    button.wait_for()
    idle(page)
    with page.expect_download() as taken:
        button.click()
    file = tmp_path / "net.py"
    taken.value.save_as(file)
    done = subprocess.run([sys.executable, "-I", str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("output (1, 10)\n")
