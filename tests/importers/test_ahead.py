"""Members of a folder read by helper processes: the same table, and nothing left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest

from nascore.benchmarks import ahead, imports, nats
from nascore.benchmarks.imports import Progress, Stopped, import_path
from nascore.benchmarks.table import open_table
from nascore.errors import NoSpace

TSS = "original/NATS-tss-v1_0-3ffb9-simple"


BEFORE: set[int] = set()  # children of this process that are others': a browser, a server


def helpers() -> list[psutil.Process]:
    """The children that an import has started."""
    return [c for c in psutil.Process().children() if c.pid not in BEFORE]


@pytest.fixture
def folder(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Twelve members, one of them damaged, read two at a time; helpers from four members on."""
    made = tmp_path / "many-simple"
    made.mkdir()
    shutil.copyfile(shared / TSS / "meta.pickle.pbz2", made / "meta.pickle.pbz2")
    for index in range(12):
        of = ("000000", "000011")[index % 2]
        shutil.copyfile(shared / TSS / f"{of}.pickle.pbz2", made / f"{index:06d}.pickle.pbz2")
    (made / "000007.pickle.pbz2").write_bytes(b"BZh9 and nothing else")
    monkeypatch.setattr(nats, "EACH_FILE", 2)
    monkeypatch.setattr(nats, "MANY", 4)
    monkeypatch.setattr(imports, "PART_CURVES", 100)
    monkeypatch.setattr(ahead, "helpers", lambda: 2)
    BEFORE.clear()
    BEFORE.update(c.pid for c in psutil.Process().children())
    yield made
    assert helpers() == []


def test_helpers_give_the_same_table_in_the_same_order(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Progress] = []
    helped = import_path(folder, "helped", tmp_path, on_progress=seen.append)
    monkeypatch.setattr(ahead, "helpers", lambda: 1)
    alone = import_path(folder, "alone", tmp_path)
    assert [p.done for p in seen if p.step == "reading"] == [2, 4, 6, 8, 10, 12]
    assert (helped.rows, helped.skipped, helped.reasons) == (alone.rows, alone.skipped, alone.reasons)
    assert any("000007.pickle.pbz2" in reason for reason in helped.reasons)
    one, other = (open_table(n, tmp_path) for n in ("helped", "alone"))
    pd.testing.assert_frame_equal(one.frame, other.frame)
    for part in ("runs", "curves"):
        pd.testing.assert_frame_equal(one.whole(part), other.whole(part))


def test_an_import_stopped_among_helpers_ends_them_and_goes_on(folder: Path, tmp_path: Path) -> None:
    whole = import_path(folder, "whole", tmp_path)
    seen: list[Progress] = []
    with pytest.raises(Stopped, match="6 of 12"):
        import_path(folder, "parts", tmp_path, on_progress=seen.append, should_stop=lambda: len(seen) >= 3)
    assert helpers() == []
    again: list[Progress] = []
    report = import_path(folder, "parts", tmp_path, on_progress=again.append)
    assert (report.resumed > 0, again[0].done) == (True, 8)
    assert (report.rows, report.skipped) == (whole.rows, whole.skipped)
    a, b = (open_table(n, tmp_path).frame for n in ("whole", "parts"))
    pd.testing.assert_frame_equal(a, b)


def test_a_helper_that_is_killed_is_one_sentence_and_the_import_goes_on(folder: Path, tmp_path: Path) -> None:
    """More members than are read ahead: whenever the blow falls, some were not yet asked for."""
    for index in range(12, 32):
        shutil.copyfile(folder / "000000.pickle.pbz2", folder / f"{index:06d}.pickle.pbz2")

    def kill(progress: Progress) -> None:
        for child in helpers():
            child.kill()

    with pytest.raises(NoSpace, match="ended early"):
        import_path(folder, "killed", tmp_path, on_progress=kill)
    assert not (tmp_path / "tables" / "killed").exists()
    assert import_path(folder, "killed", tmp_path).rows == 2


def test_a_helper_ends_with_its_input() -> None:
    helper = ahead.Helper("nascore.benchmarks.nats")
    assert helper.ask({"folder": os.devnull, "files": []}).runs == []
    assert helper.process.stdin is not None
    helper.process.stdin.close()
    assert helper.process.wait(10) == 0
    helper.close()
