"""A data folder of its own for every test, and runs written as a worker would write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from nascore.benchmarks import table
from nascore.events import Chosen, Life, Note, Tried
from nascore.runs import estimate
from nascore.runs.journal import Journal
from nascore.runs.spec import open_spec
from nascore.space import key, sample, tuples

RUN, BROKEN = "20260102-030405-aaaaaa", "20260102-030406-bbbbbb"
MAIN = str(Path(__file__).parents[2] / "pages" / "main.py")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    from pages.parts import stores

    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    monkeypatch.setattr(table, "PROJECT", tmp_path / "program")  # no page depends on what is shipped
    monkeypatch.setattr(estimate, "request", lambda spec: None)  # measuring trains; that has tests of its own
    st.cache_resource.clear()
    yield tmp_path
    stores.owner().close()
    st.cache_resource.clear()


def write_run(home: Path, run: str = RUN, *, title: str = "first", end: str = "Finished", n: int = 12) -> str:
    """A run of n architectures: the last one failed, each third has a parent."""
    spec = open_spec("quick")
    folder = home / "runs" / run
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps({**spec.to_json(), "title": title}))
    journal = Journal(folder)
    about: dict[str, str | float] = {
        "data": "digits",
        "split": "validation",
        "epochs": 10.0,
        "seeds": "1 seed",
    }
    journal.append(Life("Queued"))
    journal.append(Life("Started", about={**about, "source": "trained here"}))
    journal.append(Note("a note <b>of</b> the strategy"))
    archs = tuples(np.unique(sample(spec.space, 4 * n, np.random.default_rng(0)), axis=0))[:n]
    for i, arch in enumerate(archs):
        parents = (key(spec.space, archs[i - 1]),) if i % 3 == 2 else ()
        curve = {"error": (0.9, 0.5, 0.1 + i / 100), "loss": (2.0, 1.0, 0.5)}
        metrics = {"error": 0.1 + i / 100, "loss": 0.5, "params": 1000.0 + i, "flops": 20000.0 + i}
        bad = i == n - 1
        how, spent = spec.evaluator.key, {"seconds": 0.1, "epochs": 10.0}
        journal.append(
            Tried(arch, {} if bad else metrics, how, spent, {} if bad else curve, parents, "diverged" * bad)
        )
    if end:
        journal.append(Chosen(archs[0], "the best"))
        journal.append(Life(end, about={}))  # type: ignore[arg-type]
    return key(spec.space, archs[0])


def written(n: int) -> list[str]:
    """The keys of what `write_run` writes, in order."""
    space = open_spec("quick").space
    archs = tuples(np.unique(sample(space, 4 * n, np.random.default_rng(0)), axis=0))[:n]
    return [key(space, a) for a in archs]


def write_broken(home: Path) -> None:
    """A run whose spec cannot be read."""
    folder = home / "runs" / BROKEN
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text('{"v": 1, "strategy": "no such <script>"')


Open = Callable[..., AppTest]


@pytest.fixture
def visit(home: Path) -> Open:
    """Opens a page inside the navigation, at an address."""

    def open_(name: str = "home", /, **query: str) -> AppTest:
        at = AppTest.from_file(MAIN, default_timeout=30)
        if name != "home":
            at.run()
            at.switch_page(f"{name}.py")
        for field, value in query.items():
            at.query_params[field] = value
        at.run()
        assert not at.exception, [e.value for e in at.exception]
        return at

    return open_


def raw(at: AppTest) -> str:
    """All texts of a page as Markdown."""
    blocks = [*at.markdown, *at.title, *at.error, *at.warning, *at.info, *at.code, *at.caption]
    return "\n".join(str(b.value) for b in blocks)


def read(markdown: str) -> str:
    """Markdown as a person reads it: without what keeps characters from being markup."""
    return markdown.replace("\\", "").replace("\u200b", "").replace("\u00a0", " ")


def said(at: AppTest) -> str:
    """All words of a page."""
    return read(raw(at))


def asked(at: AppTest, name: str) -> str:
    """A value of the address."""
    value = at.query_params[name]
    return value if isinstance(value, str) else value[0]
