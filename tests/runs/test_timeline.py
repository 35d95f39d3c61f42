from __future__ import annotations

from pathlib import Path

import pytest

from nascore.events import Life, Tried
from nascore.runs.journal import Journal
from nascore.runs.timeline import moments, moments_of


def record(m: float, kind: str, **more: object) -> dict[str, object]:
    return {"m": m, "kind": kind, **more}


def tried(m: float, arch: int, **more: object) -> dict[str, object]:
    return record(m, "Tried", arch=[arch], how="x", metrics={"error": 0.1}, **more)


def test_pauses_and_lives_cut_short_do_not_count() -> None:
    records = [
        record(100, "Queued"),
        record(110, "Started"),
        tried(113, 0, spent={"simulated_seconds": 40.0, "epochs": 3.0}),
        record(115, "Paused"),
        record(500, "Queued"),
        record(510, "Started"),
        tried(511, 1, spent={"simulated_seconds": 2.0}),
        record(3, "Queued"),  # killed, and the machine was restarted
        record(4, "Started"),
        tried(6, 2),
    ]
    found = moments(records)
    assert [f.seconds for f in found] == [3, 6, 8]
    assert [f.simulated for f in found] == [40, 2, None]
    assert [f.epochs for f in found] == [3, 0, 0]


def test_what_is_told_again_stands_at_its_first_place() -> None:
    found = moments([record(0, "Started"), tried(1, 0, failed="diverged"), tried(2, 1), tried(5, 0)])
    assert [(f.seconds, f.failed) for f in found] == [(1, ""), (2, "")]


def test_a_journal_is_read_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "20260102-030405-aaaaaa"
    folder.mkdir(parents=True)
    journal = Journal(folder)
    journal.append(Life("Started"))
    journal.append(Tried((0,), {"error": 0.1, "loss": float("inf")}, "x", {"seconds": 1.0}))
    journal.close()
    (found,) = moments_of(folder.name)
    assert found.metrics == {"error": 0.1, "loss": None}
    assert found.how == "x"
