"""How soon tables are on screen and how soon a filter answers, in Chromium, with the real app.

python scripts/bench_pages.py [TABLE ...]     tables by name, `large` for 400,000 made-up rows; all by default

Prints a line a table: first paint of all figures, and from a changed filter to the new count and figures.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from nascore.benchmarks.table import Column, Draft, list_tables, write_table
from nascore.kinds import EvaluationProtocol

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"]
LARGE, METRICS = 400_000, 40
TIMES = 5
PARTS = ("a1", "b2c", "d4", "e5f", "3a")  # of keys: each leaves another number of cells
IDLE = "() => document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'"


def large(home: Path) -> None:
    """A table of 400,000 rows and 40 metrics."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=LARGE)
    frame: dict[str, Any] = {
        "key": [f"{i:016x}" for i in range(LARGE)],
        "text": [f"arch{i}" for i in range(LARGE)],
    }
    columns = []
    about = EvaluationProtocol("made up", "test", 10, "1 seed", "random numbers")
    for j in range(METRICS):
        spread = np.exp(0.5 * (quality + rng.normal(size=LARGE)))
        frame[f"m{j}"] = np.clip(100 - 8 * spread, 10, 99.9) if j % 4 == 0 else spread
        columns.append(Column(f"m{j}", f"Metric {j}", "" if j % 4 else "%", "min" if j % 4 else "max", about))
    write_table(Draft(pd.DataFrame(frame), columns), "large", home)


def serve(home: Path, port: int) -> subprocess.Popen[bytes]:
    """The app with its data in `home`."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    env = {**os.environ, "NASCOPE_HOME": str(home)}
    child = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return child
    raise SystemExit("the app did not start within 60 s")


def ready(page: Page) -> None:
    """Waits until a count and a figure are there and the script has ended."""
    page.get_by_text("cells chosen").first.wait_for()
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.wait_for_function(IDLE)


def paint(page: Page, url: str) -> float:
    """Seconds until the page of a table is complete."""
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(url)
    ready(page)
    return time.perf_counter() - begun


def answer(page: Page, text: str) -> float:
    """Seconds from Enter in the text filter to the new count and figures."""
    if not page.get_by_test_id("stPopoverBody").count():
        page.get_by_role("button", name="Filters").click()
    field = page.get_by_role("textbox", name="Key, official string or number")
    field.wait_for()
    before = page.get_by_text("cells chosen").first.inner_text()
    field.fill(text)
    begun = time.perf_counter()
    field.press("Enter")
    page.wait_for_function(
        "b => [...document.querySelectorAll('p')].map(e => e.innerText)"
        ".some(text => text.includes('cells chosen') && text !== b)",
        arg=before,
    )
    page.wait_for_function(IDLE)
    return time.perf_counter() - begun


def measure(page: Page, base: str, name: str, rows: int) -> None:
    """Prints one table's line."""
    url = f"{base}/benchmarks?table={name}"
    first = paint(page, url)
    paints = [paint(page, url) for _ in range(TIMES)]
    waits = [answer(page, text) for text in PARTS]
    print(
        f"{name}: {rows:,} rows: first time {first:.2f} s, on screen {statistics.median(paints):.2f} s "
        f"({min(paints):.2f} to {max(paints):.2f}), a filter {statistics.median(waits):.2f} s "
        f"({min(waits):.2f} to {max(waits):.2f}), {TIMES} times each"
    )


def main() -> None:
    """Serves, opens, measures, stops."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium here: install the package chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for found in list_tables():
            if not sys.argv[1:] or found.name in sys.argv[1:]:
                (home / "tables").mkdir(exist_ok=True)
                shutil.copytree(found.folder, home / "tables" / found.name)
        if not sys.argv[1:] or "large" in sys.argv[1:]:
            large(home)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        child = serve(home, port)
        try:
            with sync_playwright() as p:
                browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(60_000)
                for found in list_tables(home):
                    if found.folder.is_relative_to(home):
                        measure(page, f"http://127.0.0.1:{port}", found.name, found.rows)
                browser.close()
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(15)


if __name__ == "__main__":
    main()
