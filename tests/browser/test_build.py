"""Build in a real browser: a cell drawn from nothing, kept over a reload, searched; presets; two people."""

from __future__ import annotations

import json
import re
from typing import Literal
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from nascore.benchmarks.table import open_table
from tests.browser.conftest import PATIENCE, Server, idle, keyed

expect.set_options(timeout=PATIENCE)


def press(page: Page, key: str) -> None:
    """Clicks a button when the page has come to rest."""
    idle(page)
    keyed(page, key).get_by_role("button").first.click()


def center(page: Page, part: str) -> tuple[float, float]:
    box = page.get_by_test_id(part).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, source: str, target: str | tuple[float, float]) -> None:
    """From the middle of a part to the middle of another one, or to a point."""
    idle(page)
    keyed(page, "build-drawing").scroll_into_view_if_needed()
    x, y = center(page, source)
    to = center(page, target) if isinstance(target, str) else target
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + to[0]) / 2, (y + to[1]) / 2 + 8, steps=3)
    page.mouse.move(*to, steps=3)
    page.mouse.up()


def pick(page: Page, edge: str) -> None:
    """Clicks the label of an edge."""
    idle(page)
    page.locator(f'[data-id="{edge}"].pill').first.click()
    keyed(page, "build-picked").get_by_text("may be").wait_for()


def tick(page: Page, *labels: str) -> None:
    """Clicks operations of the picked part."""
    for label in labels:
        idle(page)
        keyed(page, "build-picked").get_by_role("button", name=label, exact=True).click()


def size_is(page: Page, text: str) -> None:
    expect(keyed(page, "build-counts").get_by_test_id("stMetricValue")).to_have_text(text)


def blank(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/build")
    press(page, "build_blank")
    page.get_by_test_id("node-1").first.wait_for()


def edge(page: Page, name: str) -> None:
    page.get_by_test_id(f"edge-{name}").first.wait_for(state="attached")


def three_nodes(page: Page, server: Server) -> None:
    """input -> 1 -> output and input -> output."""
    blank(page, server)
    expect(page.get_by_text("The cell has no edge").first).to_be_visible()
    press(page, "build_add")
    page.get_by_test_id("node-2").first.wait_for()
    for source, target in ((0, 1), (1, 2), (0, 2)):
        drag(page, f"node-{source}", f"node-{target}")
        edge(page, f"{source}-{target}")


def test_a_cell_drawn_from_nothing_is_kept_saved_searched_and_its_best_opens(
    page: Page, server: Server
) -> None:
    three_nodes(page, server)
    size_is(page, "125")
    pick(page, "edge-0-2")
    tick(page, "none", "conv 1x1", "avg pool 3x3")
    size_is(page, "50")
    expect(page.get_by_text("every node lies on a path")).to_be_visible()
    press(page, "build_save")
    expect(page.get_by_text("Saved as version 1.")).to_be_visible()
    assert "space=" in page.url
    page.reload()
    size_is(page, "50")
    edge(page, "0-2")
    expect(page.get_by_text("Saved as version 1.")).to_be_visible()
    idle(page)
    page.get_by_role("link", name="Search it").click()
    page.wait_for_url(re.compile(r"/search\?"))
    budget = page.get_by_role("spinbutton", name="Evaluations")
    budget.wait_for()
    idle(page)
    expect(page.get_by_text("50 architectures")).to_be_visible()
    budget.fill("4")
    budget.press("Enter")
    idle(page)
    press(page, "start")
    page.wait_for_url(re.compile(r"/runs\?.*run="))
    page.get_by_text(re.compile(r"\bfinished$")).first.wait_for(timeout=120_000)
    page.get_by_role("link", name="Open the best architecture").click()
    page.wait_for_url(re.compile(r"/architecture\?"))
    edge(page, "0-2")
    assert page.get_by_test_id("stException").count() == 0


def test_circles_are_refused_and_keys_undo_and_redo(page: Page, server: Server) -> None:
    three_nodes(page, server)
    press(page, "build_add")
    page.get_by_test_id("node-3").first.wait_for()
    drag(page, "node-2", "node-1")
    edge(page, "1-2")  # numbered anew along the edge: what was 2 feeds what was 1
    drag(page, "node-2", "node-1")
    expect(page.get_by_text("would close a circle")).to_be_visible()
    idle(page)
    page.keyboard.press("Control+z")
    expect(page.get_by_test_id("edge-1-2")).to_have_count(0)
    idle(page)
    page.keyboard.press("Control+Shift+z")
    edge(page, "1-2")


def test_the_keyboard_alone_connects_moves_and_deletes(page: Page, server: Server) -> None:
    blank(page, server)
    press(page, "build_add")
    page.get_by_test_id("node-2").first.wait_for()
    idle(page)
    page.get_by_test_id("node-0").first.focus()
    page.keyboard.press("c")
    page.get_by_test_id("node-1").first.focus()
    page.keyboard.press("Enter")
    edge(page, "0-1")
    press(page, "build_add")
    page.get_by_test_id("node-3").first.wait_for()
    idle(page)
    page.get_by_test_id("node-2").first.focus()
    page.keyboard.press("Alt+ArrowLeft")
    edge(page, "0-2")
    idle(page)
    page.get_by_test_id("edge-0-2").first.focus()
    page.keyboard.press("Delete")
    expect(page.get_by_test_id("edge-0-2")).to_have_count(0)


def test_clicks_connect_and_a_drag_to_an_empty_place_moves(page: Page, server: Server) -> None:
    blank(page, server)
    press(page, "build_add")
    page.get_by_test_id("node-2").first.wait_for()
    idle(page)
    keyed(page, "build_connect").locator("label").first.click()
    page.locator("svg.connects").wait_for()
    for part in ("node-0", "node-1"):
        page.mouse.click(*center(page, part))
    edge(page, "0-1")
    idle(page)
    keyed(page, "build_connect").locator("label").first.click()
    expect(page.locator("svg.connects")).to_have_count(0)
    press(page, "build_add")
    page.get_by_test_id("node-3").first.wait_for()
    x, y = center(page, "node-2")
    drag(page, "node-1", (x + 45, y + 60))
    edge(page, "0-2")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_preset_opens_is_edited_and_counts_its_different_networks(
    browser: Browser, server: Server, theme: Literal["light", "dark"]
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{server.url}/build")
    press(page, "build_from")
    size_is(page, "15,625")
    expect(keyed(page, "build-counts").get_by_text("5,044")).to_be_visible()
    pick(page, "edge-0-3")
    tick(page, "none")
    size_is(page, "12,500")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.get_by_test_id("stException").count() == 0
    context.close()


def test_two_people_at_one_space_lose_nothing(page: Page, server: Server) -> None:
    three_nodes(page, server)
    pick(page, "edge-0-2")
    idle(page)
    other = page.context.new_page()
    other.set_default_timeout(PATIENCE)
    other.goto(page.url)
    edge(other, "0-2")
    press(other, "build_add")
    other.get_by_test_id("node-3").first.wait_for()
    tick(page, "none")
    expect(page.get_by_text("somebody else changed this space")).to_be_visible()
    expect(page.get_by_text("Yours was kept as")).to_be_visible()
    page.get_by_test_id("node-3").first.wait_for()
    page.get_by_role("link", name="Yours was kept as").click()
    size_is(page, "100")


def test_names_and_files_with_markup_stay_their_characters(page: Page, server: Server) -> None:
    said: list[str] = []

    def seen(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", seen)
    name = "<img src=x onerror=alert(1)> **b** <script>alert(2)</script>"
    space = {"name": "cell", "knobs": {"nodes": 2, "edges": [[0, 1]]}}
    page.goto(f"{server.url}/build?doc={quote(json.dumps({'title': name, 'space': space}))}")
    edge(page, "0-1")
    size_is(page, "5")
    idle(page)
    page.get_by_role("link", name="All spaces").click()
    page.get_by_text("<script>").first.wait_for()
    assert said == []
    assert page.locator("img[src='x']").count() == 0


def test_a_benchmark_of_a_drawn_space_is_made_and_browsed_while_it_grows(page: Page, server: Server) -> None:
    ops = [["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]]
    knobs = {"nodes": 3, "edges": [[0, 1], [0, 2], [1, 2]], "ops": ops, "channels": 4, "stem_stride": 2}
    space = {"name": "cell", "knobs": knobs}
    page.goto(f"{server.url}/build?doc={quote(json.dumps({'title': 'tiny', 'space': space}))}")
    size_is(page, "125")
    press(page, "build_make")
    page.get_by_role("dialog").wait_for()
    page.get_by_role("radio", name="A sample").click()
    fill(page, "Architectures, drawn uniformly", "60")
    fill(page, "Trainings of each, with seeds of their own", "1")
    keyed(page, "make-knobs-recipe").get_by_role("button").click()
    fill(page, "Epochs", "5")
    page.keyboard.press("Escape")
    expect(page.get_by_text("60 x 1 = 60 trainings")).to_be_visible()
    press(page, "make_start")
    page.get_by_role("link", name="Its run").click()
    page.wait_for_url(re.compile(r"/runs\?.*run="))
    run = page.url.partition("run=")[2].partition("&")[0]
    page.get_by_text(re.compile(r"\b[1-9]\d* of 60 architectures|\bfinished$")).first.wait_for(
        timeout=120_000
    )
    save_and_browse(page)
    page.goto(f"{server.url}/runs?run={run}")
    page.get_by_text(re.compile(r"\bfinished$")).first.wait_for(timeout=180_000)
    save_and_browse(page)
    assert open_table(f"made-{run}", server.home).about["trained"] == 60
    assert page.get_by_test_id("stException").count() == 0


def save_and_browse(page: Page) -> None:
    """The table of what a run has judged so far, and its page."""
    idle(page)
    keyed(page, "as_table").get_by_role("button").first.click()
    keyed(page, "save_table").get_by_role("button").click()
    expect(page.get_by_text(re.compile("rows are in made"))).to_be_visible()
    page.get_by_role("link", name="Browse it").click()
    page.wait_for_url(re.compile(r"table=made"))
    page.get_by_text("cells chosen").first.wait_for()


def fill(page: Page, label: str, value: str) -> None:
    """Types a number, when the page has come to rest."""
    idle(page)
    box = page.get_by_role("spinbutton", name=label)
    box.fill(value)
    box.press("Enter")
    idle(page)
