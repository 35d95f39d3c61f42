"""How soon tables are on screen and how soon a filter answers, in Chromium, with the real app.

python scripts/bench_pages.py [TABLE ...]     tables by name; all by default, with two that are made up:
                                              `wide` (15,625 x 40 metrics) and `large` (400,000 x 40)

On screen: from opening the address to the end of the script, with count and figures there. A filter: from
the key press of Enter in its text field, timed inside the page, to two frames after there stand
(1) the new count, (2) the list of the rows that it leaves, (3) the marks of these rows in the scatter,
painted above it or drawn by it, and (4) everything, the script at its end. Medians with their ends, and how
busy the machine was. The floor is a filter that changes nothing: the same field, the same run, no figure
drawn anew.
"""

from __future__ import annotations

import hashlib
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
from playwright.sync_api import Locator, Page, sync_playwright

from nascore.benchmarks.table import Column, Draft, list_tables, write_table
from nascore.kinds import EvaluationProtocol
from nascore.view.figures_table import MANY, SAMPLE

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"]
LARGE, METRICS = 400_000, 40
WIDE = 15_625
LEAST = 3000  # rows: of fewer, two filters may keep equally many, and no change of the count can be seen
TIMES = 7
PARTS = ("a1", "b2", "d4", "e5", "3a", "7c", "09")  # of keys: each leaves another number of cells
STEPS = ("count", "list", "marks", "all")
# From Enter on, looks at every frame; a step's time is that of the second frame after it was found done, when
# what was drawn has been handed to the screen.
WATCH = """() => {
  const all = s => [...document.querySelectorAll(s)];
  const count = () =>
    all('.st-key-bench-count p').map(e => e.innerText).find(t => t.includes('cells chosen')) ?? '';
  const dots = figure => {
    const painted = figure.querySelector('canvas.live');
    const traces = figure._fullData.filter(t => t.meta === 'dots' && t.visible === true);
    return painted ? +painted.dataset.dots : traces.reduce((sum, t) => sum + t.x.length, 0);
  };
  const before = count(), seen = new Set(), at = window.steps = {};
  const look = begun => {
    const mark = (name, done) => {
      if (!done || seen.has(name)) return;
      seen.add(name);
      requestAnimationFrame(() => requestAnimationFrame(() => { at[name] = performance.now() - begun; }));
    };
    const said = count(), n = said.split(' ')[0];
    mark('count', said && said !== before);
    if (seen.has('count')) {
      mark('list', all('[data-testid=stDataFrame]').some(e => e.outerHTML.includes(`of ${n} chosen cells`)));
      const figure = document.querySelector('.st-key-bench_cloud .js-plotly-plot');
      mark('marks', figure?._fullData && dots(figure) === Math.min(+n.replaceAll(',', ''), MOST));
      mark('all', seen.has('list') && seen.has('marks') && IDLE());
    }
    if (!seen.has('all')) requestAnimationFrame(() => look(begun));
  };
  document.addEventListener('keydown', () => look(performance.now()), {once: true, capture: true});
}"""
FLOOR = """() => {
  window.floor = null;
  const look = (begun, ran) => {
    const idle = IDLE();
    if (ran && idle) { window.floor = performance.now() - begun; return; }
    requestAnimationFrame(() => look(begun, ran || !idle));
  };
  document.addEventListener('keydown', () => look(performance.now(), false), {once: true, capture: true});
}"""
IDLE = "() => document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'"


def made_up(home: Path, name: str, rows: int) -> None:
    """A table of 40 metrics, with keys like those of real ones."""
    rng = np.random.default_rng(0)
    quality = rng.normal(size=rows)
    frame: dict[str, Any] = {
        "key": [hashlib.sha256(str(i).encode()).hexdigest()[:16] for i in range(rows)],
        "text": [f"arch{i}" for i in range(rows)],
    }
    columns = []
    about = EvaluationProtocol("made up", "test", 10, "1 seed", "random numbers")
    for j in range(METRICS):
        spread = np.exp(0.5 * (quality + rng.normal(size=rows)))
        frame[f"m{j}"] = np.clip(100 - 8 * spread, 10, 99.9) if j % 4 == 0 else spread
        columns.append(Column(f"m{j}", f"Metric {j}", "" if j % 4 else "%", "min" if j % 4 else "max", about))
    write_table(Draft(pd.DataFrame(frame), columns), name, home)


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


def field_of(page: Page) -> Locator:
    """The text filter, its popover open."""
    if not page.get_by_test_id("stPopoverBody").count():
        page.get_by_role("button", name="Filters").click()
    field = page.get_by_role("textbox", name="Key, official string or number")
    field.wait_for()
    return field


def answer(page: Page, text: str, rows: int) -> dict[str, float]:
    """Seconds from Enter in the text filter of a table with so many rows to each of `STEPS`."""
    field = field_of(page)
    page.wait_for_function(IDLE)
    field.fill(text)
    most = SAMPLE if rows > MANY else rows
    page.evaluate(WATCH.replace("IDLE", f"({IDLE})").replace("MOST", str(most)))
    field.press("Enter")
    page.wait_for_function("() => 'all' in window.steps")
    return {name: ms / 1000 for name, ms in page.evaluate("() => window.steps").items()}


def floor(page: Page, text: str) -> float:
    """Seconds of a run for a filter that means the same: a space more behind its text."""
    field = field_of(page)
    page.wait_for_function(IDLE)
    field.fill(text)
    page.evaluate(FLOOR.replace("IDLE", f"({IDLE})"))
    field.press("Enter")
    page.wait_for_function("() => window.floor !== null")
    return page.evaluate("() => window.floor") / 1000


def told(seconds: list[float]) -> str:
    """Median and ends."""
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def measure(page: Page, base: str, name: str, rows: int) -> None:
    """Prints one table's lines."""
    url = f"{base}/benchmarks?table={name}"
    first = paint(page, url)
    paints = [paint(page, url) for _ in range(TIMES)]
    print(
        f"{name}: {rows:,} rows, {TIMES} times each, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(f"  on screen {told(paints)}, the first time {first:.2f} s")
    waits = [answer(page, text, rows) for text in PARTS]
    print("  a filter: " + ", ".join(f"{step} {told([w[step] for w in waits])}" for step in STEPS))
    same = [floor(page, PARTS[-1] + " " * (1 + i % 2)) for i in range(TIMES)]
    print(f"  a filter that changes nothing {told(same)}, load {os.getloadavg()[0]:.1f}", flush=True)


def main() -> None:
    """Serves, opens, measures, stops."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium here: install the package chromium")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        for found in list_tables():
            if found.rows >= LEAST and (not sys.argv[1:] or found.name in sys.argv[1:]):
                (home / "tables").mkdir(exist_ok=True)
                shutil.copytree(found.folder, home / "tables" / found.name)
        for name, rows in (("wide", WIDE), ("large", LARGE)):
            if not sys.argv[1:] or name in sys.argv[1:]:
                made_up(home, name, rows)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        child = serve(home, port)
        try:
            with sync_playwright() as p:
                browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(180_000)
                for found in list_tables(home):
                    if found.folder.is_relative_to(home):
                        measure(page, f"http://127.0.0.1:{port}", found.name, found.rows)
                browser.close()
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(15)


if __name__ == "__main__":
    main()
