"""From starting the server to the first paint of Home, and what the app's process holds then.

    python scripts/bench_start.py [--home FOLDER] [--repeats 3]

Prints one JSON document: seconds until the server answers, until Home's title and until its first figure are
drawn in a fresh browser, resident megabytes of the app, and whether torch is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def once(home: str) -> dict[str, float]:
    """One cold start."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        began = time.monotonic()
        server = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "NASCOPE_HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            out = {"server_seconds": answered(port) - began}
            page.goto(f"http://127.0.0.1:{port}")
            page.locator("h1").first.wait_for()
            out["title_seconds"] = time.monotonic() - began
            page.locator(".js-plotly-plot .main-svg").first.wait_for()
            out["figure_seconds"] = time.monotonic() - began
            process = psutil.Process(server.pid)
            out["app_mb"] = process.memory_info().rss / 2**20
            out["holds_torch"] = float(any("libtorch" in m.path for m in process.memory_maps()))
            return out
        finally:
            server.terminate()
            server.wait(15)
            browser.close()


def answered(port: int) -> float:
    """The moment at which the server answers."""
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1):
                return time.monotonic()
        except OSError:
            time.sleep(0.02)


def main() -> None:
    """Medians over several cold starts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", default="", help="a data folder; by default an empty one")
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as empty:
        rows = [once(args.home or empty) for _ in range(args.repeats)]
    print(json.dumps({name: round(statistics.median(r[name] for r in rows), 2) for name in rows[0]}))


if __name__ == "__main__":
    main()
