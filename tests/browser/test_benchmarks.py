"""Tables in a real browser: a dot leads to its architecture, a box chooses, an upload becomes a table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as Late

from nascore.benchmarks.table import Column, Draft, write_table
from nascore.spaces.nasbench201 import Nasbench201
from tests.benchmarks.small import write_small
from tests.browser.conftest import Server, idle, keyed

WHERE = """() => {
  const g = document.querySelector('.js-plotly-plot'), l = g._fullLayout, r = g.getBoundingClientRect();
  const dots = g._fullData.filter(d => d.meta === 'dots').flatMap(t => [...t.y].map((y, i) => [t.x[i], y]));
  const [x, y] = dots.reduce((best, dot) => dot[1] > best[1] ? dot : best);
  return [r.left + l.xaxis._offset + l.xaxis.d2p(x), r.top + l.yaxis._offset + l.yaxis.d2p(y)];
}"""
CLOUD = "document.querySelector('.st-key-bench_cloud .js-plotly-plot')"
# What the scatter's own traces hold, and what is painted above it before they do.
SHOWN = f"""() => {{
  const traces = {CLOUD}?._fullData ?? [], size = t => t.visible === true ? t.x.length : 0;
  const sum = some => some.reduce((n, t) => n + size(t), 0);
  return {{dots: sum(traces.filter(t => t.meta === 'dots')),
          faded: sum(traces.filter(t => t.marker?.size === 3)),
          rings: traces.filter(t => t.marker?.size === 15).length,
          crowd: traces.some(t => t.type === 'heatmap'),
          painted: +({CLOUD}?.querySelector('canvas.live')?.dataset.dots ?? -1)}};
}}"""


# The chart whose dots open, with its ring, which follows the drawing by a moment and ends a click under way.
DRAWN_OPEN = """() => {
  const g = document.querySelector('.st-key-bench_cloud_open .js-plotly-plot');
  return g?._fullData?.some(t => t.marker?.size === 15) && !g.querySelector('canvas.live');
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
    n = int(page.get_by_text("cells chosen").inner_text().split()[0])
    page.wait_for_function(f"n => {{ const s = ({SHOWN})(); return s.dots === n && s.painted < 0; }}", arg=n)
    assert page.evaluate(f"() => {CLOUD}.layout.selections.length") == 0
    page.get_by_role("button", name="Choose all").click()
    page.get_by_text("300 of 300 cells chosen").wait_for()
    page.wait_for_function(f"() => ({SHOWN})().dots === 300")


def test_a_filter_changes_the_dots_of_a_scatter_that_stays(page: Page, server: Server) -> None:
    found = write_small(server.home)
    n = int((found.archs[:, 0] == 3).sum())
    page.goto(
        f"{server.url}/benchmarks?table=small&where=edge_1_0=nor_conv_3x3&pick={found.frame['key'].iloc[0]}"
    )
    drawn(page)
    settled = f"n => {{ const s = ({SHOWN})(); return s.dots === n && s.painted < 0; }}"
    page.wait_for_function(settled, arg=n)
    assert page.evaluate(SHOWN) == {"dots": n, "faded": 300 - n, "rings": 1, "crowd": False, "painted": -1}
    page.evaluate(f"() => {{ {CLOUD}.mine = true; }}")
    page.evaluate(
        f"() => {{ const look = () => {{ const n = ({SHOWN})().painted;"
        " if (n < 0) requestAnimationFrame(look); else window.painted = n; }; look(); }"
    )
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Take all filters away").click()
    page.wait_for_function(settled, arg=300)
    assert page.evaluate("() => window.painted") == 300
    assert page.evaluate(f"() => {CLOUD}.mine")  # the very same chart
    assert page.evaluate(SHOWN)["faded"] == 0
    page.keyboard.press("Escape")
    page.get_by_text("Click opens", exact=True).click()
    page.wait_for_function(DRAWN_OPEN)
    idle(page)
    x, y = page.evaluate(WHERE)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    page.wait_for_url(re.compile(r"/architecture\?.*arch=[0-9a-f]{16}"))


def test_a_zoom_into_a_large_scatter_draws_what_is_in_sight_anew(page: Page, server: Server) -> None:
    a, b = 1 + np.random.default_rng(0).random((2, 24_000))
    frame = pd.DataFrame({"key": [f"{i:016x}" for i in range(len(a))], "text": "net", "a": a, "b": b})
    write_table(Draft(frame, [Column(m, m.upper(), "", "min") for m in "ab"]), "crowd", server.home)
    page.goto(f"{server.url}/benchmarks?table=crowd&x=a&y=b")
    drawn(page)
    page.get_by_text("24,000 in sight, as a histogram").wait_for()
    plot = page.locator(".st-key-bench_cloud .js-plotly-plot")
    plot.hover()
    plot.locator(".modebar-btn[data-title='Zoom']").click()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 200, box["y"] + 150)
    page.mouse.down()
    page.mouse.move(box["x"] + 330, box["y"] + 260, steps=6)
    page.mouse.up()
    page.wait_for_url(re.compile("zoom="))
    line = page.get_by_text(re.compile(r"^[1-9],?\d* in sight\."))
    line.wait_for()
    n = int(line.inner_text().split()[0].replace(",", ""))
    zoomed = f"n => {{ const s = ({SHOWN})(); return s.dots === n && !s.crowd && s.painted < 0; }}"
    page.wait_for_function(zoomed, arg=n)
    part = page.evaluate(f"() => {CLOUD}._fullLayout.xaxis.range")
    page.reload()
    page.wait_for_function(f"() => {CLOUD}?._fullData?.length > 0")
    page.wait_for_function(zoomed, arg=n)
    assert page.evaluate(f"() => {CLOUD}._fullLayout.xaxis.range") == pytest.approx(part, rel=1e-4)
    keyed(page, "bench_whole").get_by_role("button").click()
    page.get_by_text("24,000 in sight, as a histogram").wait_for()
    page.wait_for_function(f"() => {{ const s = ({SHOWN})(); return s.crowd && s.dots === 4000; }}")
    low, high = page.evaluate(f"() => {CLOUD}._fullLayout.xaxis.range")
    assert low < a.min()
    assert high > a.max()


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
