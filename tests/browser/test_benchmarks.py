"""Tables in a real browser: a dot leads to its architecture, a box chooses, an upload becomes a table."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from nascore.spaces.nasbench201 import Nasbench201
from tests.benchmarks.small import write_small
from tests.browser.conftest import Server, idle

WHERE = """() => {
  const g = document.querySelector('.js-plotly-plot'), l = g._fullLayout;
  const t = g._fullData.find(d => d.type === 'scattergl' && d.customdata), r = g.getBoundingClientRect();
  const x = i => r.left + l.xaxis._offset + l.xaxis.d2p(t.x[i]);
  const y = i => r.top + l.yaxis._offset + l.yaxis.d2p(t.y[i]);
  let best = 0;
  for (let i = 1; i < t.y.length; i++) if (t.y[i] > t.y[best]) best = i;
  return [x(best), y(best)];
}"""


def drawn(page: Page) -> None:
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    idle(page)
    page.wait_for_function("() => document.querySelector('.js-plotly-plot')?._fullData?.length > 0")


def test_a_click_on_the_best_dot_of_home_opens_its_architecture(page: Page, server: Server) -> None:
    write_small(server.home, shipped=True)
    page.goto(server.url)
    drawn(page)
    x, y = page.evaluate(WHERE)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(re.compile(r"/architecture\?.*arch=[0-9a-f]{16}"))
    page.get_by_text("rank 1 of").first.wait_for()


def test_a_box_in_the_scatter_chooses_and_choose_all_takes_it_away(page: Page, server: Server) -> None:
    write_small(server.home)
    page.goto(f"{server.url}/benchmarks?table=small")
    drawn(page)
    page.get_by_text("300 of 300 cells chosen").wait_for()
    box = page.locator(".js-plotly-plot").first.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 70, box["y"] + 45)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 200, steps=5)
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 350, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile("box="))
    expect(page.get_by_text("cells chosen")).not_to_have_text("300 of 300 cells chosen")
    page.get_by_role("button", name="Choose all").click()
    page.get_by_text("300 of 300 cells chosen").wait_for()


def test_an_uploaded_csv_becomes_a_table_that_opens(page: Page, server: Server, tmp_path: Path) -> None:
    space = Nasbench201()
    lines = [f"{space.text((i % 5, i // 5, 1, 2, 3, 4))},{50 + i}" for i in range(25)]
    file = tmp_path / "mine.csv"
    file.write_text("arch,test_acc\n" + "\n".join(lines) + "\n")
    page.goto(f"{server.url}/benchmarks")
    idle(page)
    page.get_by_role("button", name="Import").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Upload").or_(dialog.get_by_text("Upload", exact=True)).first.click()
    dialog.locator("input[type=file]").set_input_files(str(file))
    dialog.get_by_role("textbox", name="Name of the table").wait_for()
    idle(page)
    dialog.get_by_role("button", name="Import", exact=False).last.click()
    page.get_by_text("25 architectures in").wait_for()
    page.get_by_role("button", name="Open it").click()
    page.get_by_text("25 of 25 cells chosen").wait_for()
