"""A long import in a real browser: seen on its way, canceled, resumed, opened."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from nascore.spaces.nasbench201 import Nasbench201
from tests.browser.conftest import Server, idle, keyed
from tests.browser.test_benchmarks import look_into

SEEDS, CELLS = 20, 5**6


@pytest.fixture
def long_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """312,500 trainings, of which 20,000 are read at a time, in a folder that the app may read."""
    space = Nasbench201()
    texts = [space.text(arch) for arch in itertools.product(range(5), repeat=6)]
    file = tmp_path / "files" / "long.csv"
    file.parent.mkdir()
    with file.open("w") as out:
        out.write("arch,seed,test_acc\n")
        for seed in range(SEEDS):
            out.writelines(f"{text},{seed},{50 + i % 40 + seed / 10}\n" for i, text in enumerate(texts))
    monkeypatch.setenv("NASCOPE_IMPORT_ROOTS", str(file.parent))
    return file


def begin(page: Page, server: Server, file: Path) -> None:
    page.goto(f"{server.url}/benchmarks")
    idle(page)
    page.get_by_role("button", name="Import").first.click()
    look_into(page, file)
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("space: nasbench201").first.wait_for()
    idle(page)
    dialog.get_by_role("button", name="Import", exact=False).last.click()


def test_a_long_import_says_how_far_it_is_and_goes_on_after_a_cancel(
    page: Page, long_file: Path, server: Server
) -> None:
    begin(page, server, long_file)
    card = keyed(page, "import-long")
    line = card.get_by_text(re.compile(r"^[\d,]+ of [\d,]+ read · .+ left$"))
    line.wait_for()
    done, total = (int(n.replace(",", "")) for n in re.findall(r"[\d,]+", line.inner_text())[:2])
    assert done % 20_000 == 0
    assert total == pytest.approx(SEEDS * CELLS, rel=0.05)
    card.get_by_role("button", name="Cancel").click()
    card.get_by_text(re.compile(r"^stopped at [\d,]+ of [\d,]+; the same import goes on")).wait_for()
    stopped = int(re.findall(r"[\d,]+", card.get_by_text("stopped at").inner_text())[0].replace(",", ""))
    assert 0 < stopped < SEEDS * CELLS
    page.reload()
    idle(page)
    card.get_by_role("button", name="Resume").click()
    card.get_by_text("15,625 architectures in").wait_for()
    expect(card.get_by_text("0 left out")).to_be_visible()
    card.get_by_role("button", name="Open it").click()
    page.get_by_text("15,625 of 15,625 cells chosen").wait_for()
    page.get_by_text(f"test · mean of {SEEDS} seeds").first.wait_for()
