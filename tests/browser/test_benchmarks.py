"""Tables in a real browser: a dot leads to its architecture, a box chooses, an upload becomes a table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as Late

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


def choose(page: Page, label: str, option: str) -> None:
    """Picks an option of a select box in the dialog; a list closes when the page is drawn, then again."""
    wanted = page.get_by_role("option", name=option, exact=True)
    for _ in range(10):
        idle(page)
        page.get_by_role("dialog").get_by_role("combobox", name=label, exact=True).click()
        try:
            wanted.click(timeout=4000)
        except Late:
            continue
        break
    idle(page)


@pytest.fixture
def publishers(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files as their publishers give them, in a folder that the app may read."""
    folder = (Path(__file__).parents[2].parent / "shared" / "benchmarks" / "original").resolve()
    if not folder.is_dir():
        pytest.skip("../shared/benchmarks/original is not there")
    monkeypatch.setenv("NASCOPE_IMPORT_ROOTS", str(folder))
    return folder


def look_into(page: Page, path: Path) -> None:
    field = page.get_by_role("dialog").get_by_role("textbox", name="File or folder")
    field.fill(str(path))
    field.press("Enter")


def test_a_publishers_folder_is_imported_by_its_path_and_another_is_refused(
    page: Page, publishers: Path, server: Server, tmp_path: Path
) -> None:
    page.goto(f"{server.url}/benchmarks")
    idle(page)
    page.get_by_role("button", name="Import").first.click()
    dialog = page.get_by_role("dialog")
    look_into(page, tmp_path)
    dialog.get_by_text(f"NASCOPE_IMPORT_ROOTS={tmp_path}").wait_for()
    expect(dialog.get_by_text("lies outside of the folders").first).to_contain_text(str(publishers))
    look_into(page, publishers / "NATS-tss-v1_0-3ffb9-simple")
    dialog.get_by_text("format: nats").wait_for()
    idle(page)
    dialog.get_by_role("button", name="Import", exact=False).last.click()
    page.get_by_text("2 architectures in").wait_for()
    page.get_by_role("button", name="Open it").click()
    page.get_by_text("2 of 2 cells chosen").wait_for()


def test_an_uploaded_csv_is_read_as_its_columns_are_named(page: Page, server: Server, tmp_path: Path) -> None:
    """`try` is no word for a seed: left to itself it would be a metric."""
    space = Nasbench201()
    texts = [space.text((i % 5, i // 5, 1, 2, 3, 4)) for i in range(25)]
    lines = [f"{text},{trial},{50 + i + trial}" for i, text in enumerate(texts) for trial in (0, 1)]
    file = tmp_path / "twice.csv"
    file.write_text("network,try,test_acc\n" + "\n".join(lines) + "\n")
    page.goto(f"{server.url}/benchmarks")
    idle(page)
    page.get_by_role("button", name="Import").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Upload a file", exact=True).click()
    dialog.locator("input[type=file]").set_input_files(str(file))
    dialog.get_by_role("textbox", name="Name of the table").wait_for()
    choose(page, "Seed", "try")
    dialog.get_by_role("button", name="Check this reading").click()
    dialog.get_by_text("space: nasbench201").last.wait_for()
    dialog.get_by_role("button", name="Import", exact=False).last.click()
    page.get_by_text("25 architectures in").wait_for()
    page.get_by_role("button", name="Open it").click()
    page.get_by_text("25 of 25 cells chosen").wait_for()
    page.get_by_text("test · mean of 2 seeds").first.wait_for()
    expect(page.get_by_text("Try", exact=True)).to_have_count(0)


def test_an_uploaded_csv_becomes_a_table_that_opens(page: Page, server: Server, tmp_path: Path) -> None:
    space = Nasbench201()
    lines = [f"{space.text((i % 5, i // 5, 1, 2, 3, 4))},{50 + i}" for i in range(25)]
    file = tmp_path / "mine.csv"
    file.write_text("arch,test_acc\n" + "\n".join(lines) + "\n")
    page.goto(f"{server.url}/benchmarks")
    idle(page)
    page.get_by_role("button", name="Import").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Upload a file", exact=True).click()
    dialog.locator("input[type=file]").set_input_files(str(file))
    dialog.get_by_role("textbox", name="Name of the table").wait_for()
    idle(page)
    dialog.get_by_role("button", name="Import", exact=False).last.click()
    page.get_by_text("25 architectures in").wait_for()
    page.get_by_role("button", name="Open it").click()
    page.get_by_text("25 of 25 cells chosen").wait_for()
