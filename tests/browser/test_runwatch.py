"""The movie of the gates in a real browser: it opens on the last epoch, slider and Play show the others."""

from __future__ import annotations

from playwright.sync_api import Page

from nascore.runs.spec import open_spec
from tests.browser.conftest import Server, idle, keyed
from tests.pages.test_runwatch import RUN, write_shared

FIGURE = ".st-key-gates .js-plotly-plot"
CORNERS = (
    f"[...(document.querySelector('{FIGURE}')?.data.at(-1).x ?? [])].filter(x => x !== null && !isNaN(x))"
)
FRAMED = f"[...new Set({CORNERS}.map(Math.round))].join()"  # the options whose fields are framed
EPOCH = f"[...document.querySelectorAll('{FIGURE} .slider-label')].map(e => e.textContent)"


def shows(page: Page, epoch: int, option: int) -> None:
    """Waits until the slider stands on an epoch and all frames on an option."""
    page.wait_for_function(f"() => {FRAMED} === '{option}' && {EPOCH}.includes('epoch {epoch}')")


def test_the_movie_of_the_gates_plays(page: Page, server: Server) -> None:
    archs = [(i,) * 6 for i in (3, 1, 4, 2)]
    write_shared(server.home, open_spec("quick").to_json()["space"], archs, 4, end="Finished")
    page.goto(f"{server.url}/runs?run={RUN}")
    shows(page, 4, 2)
    idle(page)
    page.wait_for_function(f"() => document.querySelector('{FIGURE}')._transitionData?._frames.length === 4")
    figure = keyed(page, "gates").locator(".js-plotly-plot")
    rail = figure.locator(".slider-rail-touch-rect").bounding_box()
    assert rail is not None
    page.mouse.click(rail["x"] + 2, rail["y"] + rail["height"] / 2)
    shows(page, 1, 3)
    figure.get_by_text("Play", exact=True).click()
    page.wait_for_function(f"() => {FRAMED} === '1'")
    shows(page, 4, 2)
