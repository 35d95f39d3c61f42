"""The movie of the gates in a real browser: it opens on the last epoch, slider and Play show the others."""

from __future__ import annotations

from playwright.sync_api import Page

from nascore.runs.spec import open_spec
from tests.browser.conftest import Server, idle, keyed
from tests.pages.test_runwatch import RUN, write_shared

RINGS = "document.querySelector('.st-key-gates .js-plotly-plot').data.at(-1).x.join()"


def test_the_movie_of_the_gates_plays(page: Page, server: Server) -> None:
    archs = [(i,) * 6 for i in (3, 1, 4, 2)]
    write_shared(server.home, open_spec("quick").to_json()["space"], archs, 4, end="Finished")
    page.goto(f"{server.url}/runs?run={RUN}")
    figure = keyed(page, "gates").locator(".js-plotly-plot")
    figure.locator(".slider-label").get_by_text("epoch 4").wait_for(state="attached")
    idle(page)
    assert page.evaluate(f"() => {RINGS}") == "2,2,2,2,2,2"
    rail = figure.locator(".slider-rail-touch-rect").bounding_box()
    assert rail is not None
    page.mouse.click(rail["x"] + 2, rail["y"] + rail["height"] / 2)
    page.wait_for_function(f"() => {RINGS} === '3,3,3,3,3,3'")
    figure.locator(".slider-label").get_by_text("epoch 1").wait_for(state="attached")
    figure.get_by_text("Play", exact=True).click()
    page.wait_for_function(f"() => {RINGS} === '1,1,1,1,1,1'")
    page.wait_for_function(f"() => {RINGS} === '2,2,2,2,2,2'")
    figure.locator(".slider-label").get_by_text("epoch 4").wait_for(state="attached")
