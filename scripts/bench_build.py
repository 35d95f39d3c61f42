"""How soon an edit of a space is answered on screen, in Chromium, and how soon a graph is laid out.

python scripts/bench_build.py

From a click on an operation to the new count and three new samples, for NAS-Bench-201 and for a cell of 20
edges; the layout of a graph of 60 nodes and 119 edges, with operations on edges and on nodes.
"""

from __future__ import annotations

import itertools
import json
import random
import shutil
import signal
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Page, sync_playwright

from nascore.codec import to_json
from nascore.graph import Edge, Graph, Node
from nascore.spaces.cell import Cell
from nascore.spaces.nasbench201 import OPTIONS, Nasbench201
from nascore.view import scene
from nascore.view.tokens import LIVE
from scripts.bench_pages import FLAGS, IDLE, serve

TIMES = 15
NODES, LINKS = 60, 119
PAIRS = [p for p in itertools.combinations(range(8), 2) if p not in ((0, 5), (0, 6), (1, 5), (1, 6))]
TWENTY = Cell(8, tuple(sorted(PAIRS, key=lambda e: (e[1] - e[0], e))[:20]), (OPTIONS,), "sum", 5, 16, 3)
COUNT = '.st-key-build-counts [data-testid="stMetricValue"]'
# The count is another one, three samples are there, and the script has ended.
ANSWERED = f"""old => document.querySelector('{COUNT}')?.innerText !== old
  && document.querySelectorAll('[class*="st-key-build-sample-"]').length === 3 && ({IDLE})()"""


def toggle(page: Page) -> float:
    """Seconds from a click on `none` of the picked edge to another count and new samples, all settled."""
    before = page.locator(COUNT).inner_text()
    button = page.locator(".st-key-build-picked").get_by_role("button", name="none", exact=True)
    begun = time.perf_counter()
    button.click()
    page.wait_for_function(ANSWERED, arg=before, polling=10)
    return time.perf_counter() - begun


def measure(page: Page, base: str, title: str, space: Cell, edge: str) -> None:
    """Prints one space's line."""
    document = json.dumps({"title": title, "space": to_json(space)}, separators=(",", ":"))
    page.goto(f"{base}/build?doc={quote(document)}")
    page.locator(f'[data-id="{edge}"].pill').first.click()
    page.locator(".st-key-build-picked").get_by_text("may be").wait_for()
    waits = []
    for _ in range(TIMES):
        page.wait_for_function(IDLE)
        page.wait_for_timeout(400)
        waits.append(toggle(page))
    print(
        f"{title}, {len(space.edges)} edges: an edit is answered in {statistics.median(waits):.2f} s "
        f"({min(waits):.2f} to {max(waits):.2f}), {TIMES} edits"
    )


def layouts() -> None:
    """Prints how long drawing a large graph takes, in time of the processor."""
    rng = random.Random(0)
    links = {(i, i + 1) for i in range(NODES - 1)}
    while len(links) < LINKS:
        a, b = sorted(rng.sample(range(NODES), 2))
        links.add((a, b))
    for where in ("edges", "nodes"):
        inner = "3 ops" if where == "nodes" else ""
        nodes = tuple(Node(str(i), str(i), inner if 0 < i < NODES - 1 else "") for i in range(NODES))
        edges = tuple(Edge(str(a), str(b), "3 ops" if where == "edges" else "") for a, b in sorted(links))
        begun = time.process_time()
        scene.cell(Graph(nodes, edges), LIVE)
        took = time.process_time() - begun
        print(f"layout of {NODES} nodes and {LINKS} edges, operations on {where}: {took:.3f} s")


def main() -> None:
    """Serves, edits, measures, stops."""
    layouts()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("no Chromium here: install the package chromium")
    with tempfile.TemporaryDirectory() as folder, socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        s.close()
        child = serve(Path(folder), port)
        try:
            with sync_playwright() as p:
                browser = p.chromium.launch(executable_path=chromium, args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                page.set_default_timeout(60_000)
                base = f"http://127.0.0.1:{port}"
                measure(page, base, "NAS-Bench-201", Nasbench201().cell, "edge-0-3")
                measure(page, base, "a larger cell", TWENTY, "edge-0-1")
                browser.close()
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(15)


if __name__ == "__main__":
    main()
