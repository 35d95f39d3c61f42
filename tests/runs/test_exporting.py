"""Files of a built network are made once, in a process of their own."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nascore.graph import read_piece
from nascore.runs import exporting
from nascore.runs.exporting import Made, made
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Shape

SMALL = Shape((("image", (1, 8, 8)),), (("class", 10),))
TINY = Nasbench201(cells=2, channels=2)
WHICH = (3, 1, 4, 0, 2, 3)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    return tmp_path


def wait(form: str, arch: tuple[int, ...] = WHICH) -> Made:
    """What comes in the end; there is nothing to be notified of, so it looks again."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = made(TINY, arch, SMALL, form)
        if found.state in ("ready", "failed"):
            return found
        exporting._live[next(iter(exporting._live))][0].wait(60)
    raise TimeoutError(form)


def test_an_outline_is_made_once_and_adds_up(home: Path) -> None:
    assert made(TINY, WHICH, SMALL, "outline", start=False).state == "none"
    found = json.loads(wait("outline").data)
    whole = read_piece(found["whole"])
    graph = TINY.graph(WHICH, SMALL)
    assert (whole.params, whole.flops) == (graph.params, graph.flops)
    assert whole.ms is not None
    assert "one thread, batch of 8" in found["told"]
    assert made(TINY, WHICH, SMALL, "outline", start=False).state == "ready"
    assert [f.suffix for f in (home / "exports").iterdir()] == [".outline"]


def test_source_is_what_the_exporter_writes_and_one_waits_for_the_other() -> None:
    assert made(TINY, WHICH, SMALL, "torch").state == "working"
    assert made(TINY, (3,) * 6, SMALL, "torch").state == "waiting"
    assert b"class Network(nn.Module)" in wait("torch").data


def test_a_refusal_is_kept_as_a_sentence(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    asked = json.dumps(
        {"arch": {"space": "no such"}, "shape": {"inputs": [], "outputs": []}, "form": "torch"}
    )
    file = home / "x.torch"
    assert exporting.main(str(file), asked) == 0
    assert file.read_bytes().startswith(b"-space: no space called")


def test_a_process_that_dies_is_a_failure_not_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "COMMAND", ("/bin/false",))
    assert wait("onnx") == Made("failed", why=exporting.BROKE)
