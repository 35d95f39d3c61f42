"""A real server and a real browser for the tests of this folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from nascore.errors import AppError
from nascore.runs import launch

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
FAILED = pytest.StashKey[bool]()
PATIENCE = 60_000  # milliseconds: the first figure pulls a large script on a loaded machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="no Chromium here: install the package chromium"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="module", autouse=True)
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One browser at a time, whatever number of processes the tests have: two keep each other waiting."""
    with (tmp_path_factory.getbasetemp().parent / "browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass
class Server:
    """The app on a port of its own, with a home folder of its own."""

    home: Path
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self) -> Server:
        if not self.port:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
        env = {**os.environ, "NASCOPE_HOME": str(self.home)}
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)]
        began = time.monotonic()
        with (self.home.parent / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._wait()
        self.starts.append(time.monotonic() - began)
        return self

    def _wait(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.home.parent / "server.log").read_text()[-2000:]
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1),  # noqa: S310 -- ours
            ):
                return
            time.sleep(0.05)
        raise TimeoutError("the server did not answer within 60 seconds")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, sign: int = signal.SIGTERM) -> None:
        """Ends the server alone: workers live in sessions of their own."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(sign)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(15)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    home = tmp_path / "home"
    home.mkdir()
    running = Server(home).start()
    yield running
    running.stop()
    end_workers(home)


def end_workers(home: Path) -> None:
    """Cancels what still runs in a home folder."""
    os.environ["NASCOPE_HOME"] = str(home)
    try:
        for run in launch.runs():
            with contextlib.suppress(AppError):
                launch.cancel(run)
    finally:
        del os.environ["NASCOPE_HOME"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One a module: while it lives, the thread has an event loop, which other tests need for themselves."""
    with sync_playwright() as p:
        found = p.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    shown = context.new_page()
    shown.set_default_timeout(PATIENCE)
    told: list[str] = []
    shown.on("pageerror", lambda error: told.append(f"page error: {error.message}\n{error.stack}"))
    shown.on(
        "console", lambda said: told.append(f"{said.type}: {said.text}") if said.type == "error" else None
    )
    shown.on("crash", lambda _: told.append("the browser's tab crashed"))
    yield shown
    folder = ROOT / "test-results"
    if request.node.stash.get(FAILED, False):
        folder.mkdir(exist_ok=True)
        print(f"{shown.url} {shown.title()!r}", *told[-20:], sep="\n")
        shown.screenshot(path=str(folder / f"{request.node.name}.png"), full_page=True)
    context.close()


def idle(page: Page) -> None:
    """Waits until the page's script has run to its end and nothing is stale."""
    page.wait_for_function(
        "() => document.querySelector('[data-testid=\"stApp\"]')?.dataset.testScriptState === 'notRunning'"
    )


def keyed(page: Page, key: str):
    """The element container of the widget with this key."""
    return page.locator(f".st-key-{key}")
