"""How soon Ranking and Calibration answer, in Chromium, with the real app and its shipped tables.

python scripts/bench_court.py

Each time is that from the last press of a key or button to the end of the script, two frames after it, with
the figures of the answer drawn: on Ranking another truth or view, on Calibration another architecture.
Medians with their ends, and how busy the machine was.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench_pages import FLAGS, IDLE, serve, told
from playwright.sync_api import Page, sync_playwright

TIMES = 7
# Two frames after the script has run and no figure has changed for 100 ms; that wait is not counted.
WATCH = """() => {
  window.waited = null;
  const look = begun => {
    let ran = false, ended = 0;
    const drawn = new MutationObserver(() => { if (ran) ended = performance.now(); });
    drawn.observe(document.body, {subtree: true, childList: true, attributes: true});
    const step = () => {
      const idle = IDLE(), now = performance.now();
      if (!idle) { ran = true; ended = now; }
      if (ran && idle && now - ended > 100) { drawn.disconnect(); window.waited = ended - begun; return; }
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  };
  for (const kind of ['keydown', 'pointerdown']) document.addEventListener(kind, () => {
    window.began = performance.now();
  }, {capture: true});
  const until = () => (IDLE() ? requestAnimationFrame(until) : look(window.began));
  requestAnimationFrame(until);
}"""


def waited(page: Page, act: Callable[[], None]) -> float:
    """Seconds from the last press in `act` until its answer is drawn."""
    page.wait_for_function(IDLE)
    page.wait_for_timeout(300)
    page.evaluate(WATCH.replace("IDLE", f"({IDLE})"))
    act()
    page.wait_for_function("() => window.waited !== null")
    return page.evaluate("() => window.waited") / 1000


def chosen(page: Page, label: str, text: str) -> None:
    """Takes an option of a selectbox by typing it."""
    page.get_by_label(label, exact=False).first.click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def opened(page: Page, url: str) -> float:
    """Seconds until a page is complete."""
    page.goto("about:blank")
    begun = time.perf_counter()
    page.goto(url)
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    page.wait_for_function(IDLE)
    return time.perf_counter() - begun


def line(what: str, seconds: list[float]) -> None:
    """Prints one kind of answer."""
    print(f"  {what}: {told(seconds)}, the first {seconds[0]:.2f}", flush=True)


def ranking(page: Page, base: str) -> None:
    """The judges of the shipped table of digits: another truth, another view."""
    url = f"{base}/ranking?source=table:nasbench_digits"
    print(f"Ranking, on screen {opened(page, url):.2f} s, again {opened(page, url):.2f}", flush=True)
    truths = ["Test accuracy", "Validation accuracy"] * 4
    line("another truth", [waited(page, lambda t=t: chosen(page, "Truth", t)) for t in truths[1 : TIMES + 1]])
    views = ["Cost", "Rank changes"] * 4
    press = [waited(page, lambda v=v: page.get_by_text(v, exact=True).first.click()) for v in views[:TIMES]]
    line("another view", press)


def calibration(page: Page, base: str) -> None:
    """One architecture after another of the same table."""
    url = f"{base}/calibration?source=nasbench_digits"
    print(f"Calibration, on screen {opened(page, url):.2f} s, again {opened(page, url):.2f}", flush=True)
    page.get_by_role("button", name="Others").click()
    button = page.get_by_role("button", name="Random")
    button.wait_for()

    def press() -> None:
        if not button.is_visible():
            page.get_by_role("button", name="Others").click()
        button.click()

    line("another architecture", [waited(page, press) for _ in range(TIMES)])


def main() -> None:
    """Serves, opens, measures, stops."""
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
                print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
                ranking(page, f"http://127.0.0.1:{port}")
                calibration(page, f"http://127.0.0.1:{port}")
                browser.close()
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(15)


if __name__ == "__main__":
    main()
