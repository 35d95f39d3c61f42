from __future__ import annotations

from pathlib import Path

import pytest

from nascore.runs.timeline import times, times_of


def record(seq: int, m: float, kind: str, **more: object) -> dict[str, object]:
    return {"seq": seq, "m": m, "kind": kind, **more}


def test_pauses_and_lives_cut_short_do_not_count() -> None:
    records = [
        record(0, 100, "Queued"),
        record(1, 110, "Started"),
        record(2, 113, "Tried", spent={"simulated_seconds": 40.0}),
        record(3, 115, "Paused"),
        record(4, 500, "Queued"),
        record(5, 510, "Started"),
        record(6, 511, "Tried", spent={"simulated_seconds": 2.0}),
        record(7, 3, "Queued"),  # killed, and the machine was restarted
        record(8, 4, "Started"),
        record(9, 6, "Tried", spent={}),
    ]
    found = times(records)
    assert found.seconds == {2: 3, 6: 6, 9: 8}
    assert found.simulated == {2: 40, 6: 2}


def test_a_journal_is_read_from_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore.events import Life, Tried
    from nascore.runs.journal import Journal

    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    folder = tmp_path / "runs" / "20260102-030405-aaaaaa"
    folder.mkdir(parents=True)
    journal = Journal(folder)
    journal.append(Life("Started"))
    journal.append(Tried((0,), {"error": 0.1}, "x", {"seconds": 1.0}))
    journal.close()
    found = times_of(folder.name)
    assert list(found.seconds) == [1]
    assert found.simulated == {}
