"""The main job in a real browser: launch a search, watch it, open what it found."""

from __future__ import annotations

import json
import re
import signal
import time
from urllib.parse import quote

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server, idle, keyed

SMALL = {
    "v": 1,
    "title": "browser test",
    "space": {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}},
    "strategy": {"name": "regularized_evolution", "knobs": {"population": 6, "children": 4}},
    "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 2}},
    "budget": {"evaluations": 12},
}
LONG = SMALL | {
    "title": "a long one",
    "budget": {"evaluations": 400},
    "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 10}},
}
LONG["strategy"] = {"name": "random_search", "knobs": {"batch": 4}}


def open_form(page: Page, server: Server, spec: dict) -> None:
    page.goto(f"{server.url}/search?spec={quote(json.dumps(spec))}")
    keyed(page, "start").get_by_role("button").wait_for()
    idle(page)


def launch(page: Page, server: Server, spec: dict) -> str:
    """Starts a search from the form; the run's id out of the address."""
    open_form(page, server, spec)
    keyed(page, "start").get_by_role("button").click()
    page.wait_for_url(re.compile(r"/runs\?.*run="))
    return re.search(r"run=([0-9a-f-]+)", page.url)[1]


def press(page: Page, key: str) -> None:
    """Clicks a button when the page has come to rest."""
    idle(page)
    keyed(page, key).get_by_role("button").click()


def wait_for_state(page: Page, state: str) -> None:
    page.get_by_text(re.compile(rf"\b{state}$")).first.wait_for(timeout=120_000)


def test_a_search_launched_from_the_form_finishes_and_its_best_opens(page: Page, server: Server) -> None:
    launch(page, server, SMALL)
    wait_for_state(page, "finished")
    expect(page.get_by_text("12 of 12 architectures")).to_be_visible()
    page.get_by_role("link", name="Open the best architecture").click()
    page.wait_for_url(re.compile(r"/architecture\?"))
    for edge in ("edge-0-1", "edge-0-2", "edge-1-2", "edge-0-3", "edge-1-3", "edge-2-3"):
        expect(page.get_by_test_id(edge).first).to_be_attached()
    expect(page.get_by_text("digits · validation · 2 ep · 1 seed · trained here").first).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0


def test_a_deep_link_opens_first_on_a_fresh_server_with_the_navigation(page: Page, server: Server) -> None:
    page.goto(
        f"{server.url}/architecture?space=nasbench201&arch={quote('|skip_connect~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|avg_pool_3x3~2|')}"
    )
    page.get_by_test_id("node-0").first.wait_for()
    idle(page)
    navigation = page.get_by_test_id("stSidebarNav")
    for section in ("Explore", "Search"):
        expect(navigation.get_by_text(section, exact=True)).to_be_visible()


def test_a_double_click_starts_one_run(page: Page, server: Server) -> None:
    open_form(page, server, SMALL)
    keyed(page, "start").get_by_role("button").dblclick()
    page.wait_for_url(re.compile(r"/runs\?.*run="))
    idle(page)
    assert len(list((server.home / "runs").iterdir())) == 1
    wait_for_state(page, "finished")
    assert len(list((server.home / "runs").iterdir())) == 1


def test_pause_and_resume_by_the_buttons(page: Page, server: Server) -> None:
    launch(page, server, LONG)
    wait_for_state(page, "running")
    press(page, "pause")
    wait_for_state(page, "paused")
    press(page, "resume")
    wait_for_state(page, "running")
    press(page, "cancel")
    wait_for_state(page, "stopped")


def test_a_reload_and_a_closed_tab_show_the_same_run(page: Page, server: Server) -> None:
    run = launch(page, server, SMALL)
    page.reload()
    page.get_by_text("browser test").first.wait_for()
    other = page.context.new_page()
    page.goto("about:blank")
    other.goto(f"{server.url}/runs?run={run}")
    wait_for_state(other, "finished")


def test_the_app_killed_in_mid_run_comes_back_with_the_run_going_on(page: Page, server: Server) -> None:
    run = launch(page, server, LONG)
    page.get_by_text(re.compile(r"\b[1-9]\d* of 400 architectures")).wait_for(timeout=120_000)
    server.stop(signal.SIGKILL)
    journal = server.home / "runs" / run / "journal.jsonl"
    size, deadline = journal.stat().st_size, time.monotonic() + 60
    while journal.stat().st_size == size:  # the worker goes on without the app
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.start()
    page.goto(f"{server.url}/runs?run={run}")
    wait_for_state(page, "running")
    page.get_by_text(re.compile(r"\b[1-9]\d* of 400 architectures")).wait_for()
    press(page, "cancel")
    wait_for_state(page, "stopped")


def test_hostile_titles_are_shown_as_their_characters(page: Page, server: Server) -> None:
    said: list[str] = []
    page.on("dialog", lambda d: (said.append(d.message), d.dismiss()))
    title = "<img src=x onerror=alert(1)> **bold** $x$ <script>alert(2)</script>"
    launch(page, server, SMALL | {"title": title})
    page.get_by_text("<script>alert(2)</script>").first.wait_for()
    wait_for_state(page, "finished")
    page.goto(server.url)
    page.get_by_text("Latest runs").wait_for()
    idle(page)
    assert said == []
    assert page.locator("img[src='x']").count() == 0


def test_a_spec_with_a_wrong_value_is_refused_with_its_path(page: Page, server: Server) -> None:
    wrong = SMALL | {"recipe": {"name": "sgd_cosine", "knobs": {"epochs": -3}}}
    page.goto(f"{server.url}/search?spec={quote(json.dumps(wrong))}")
    page.get_by_text(re.compile(r"recipe\.knobs\.epochs:.? -3 is below")).first.wait_for()
    assert not (server.home / "runs").exists() or not list((server.home / "runs").iterdir())
