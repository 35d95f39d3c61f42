"""Every page in both themes: it draws, nothing raises, nothing is asked from outside, and soon."""

from __future__ import annotations

import time
from urllib.parse import urlparse

import psutil
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import PATIENCE, Server, idle

PAGES = ("", "search", "runs", "architecture?space=nasbench201&arch=0b7d9b8e0a5d2d5e")
MEGABYTE = 1 << 20


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_draws_without_an_error(browser: Browser, server: Server, theme: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    hosts: set[str | None] = set()
    page.on("request", lambda r: hosts.add(urlparse(r.url).hostname))
    for path in PAGES:
        page.goto(f"{server.url}/{path}")
        page.locator("h1").first.wait_for()
        idle(page)
        assert page.get_by_test_id("stException").count() == 0, path
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280, path
    assert hosts <= {"127.0.0.1", None, ""}
    context.close()


def test_home_is_painted_soon_and_the_app_stays_small(page: Page, server: Server) -> None:
    """Generous limits: a loaded machine must not turn this red; scripts/bench_start.py prints the figures."""
    began = time.monotonic()
    page.goto(server.url)
    page.locator("h1").first.wait_for()
    assert server.starts[-1] + time.monotonic() - began < 30
    assert server.process is not None
    process = psutil.Process(server.process.pid)
    assert process.memory_info().rss < 400 * MEGABYTE
    assert not [m for m in process.memory_maps() if "libtorch" in m.path]
