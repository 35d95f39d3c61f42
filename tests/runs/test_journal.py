from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from nascore.events import Chosen, Life, Note, Step, Tried
from nascore.runs import journal as module
from nascore.runs.journal import NAME, Journal, Reader, decode, encode


def tried(i: int, failed: str = "", error: float = 0.5) -> Tried:
    return Tried((i, 0), {} if failed else {"error": error}, "judge", {"seconds": 0.1}, failed=failed)


def read(folder: Path) -> list[dict]:
    return list(Reader(folder / NAME).read())


def test_a_line_comes_back_as_it_was_and_a_changed_byte_is_noticed() -> None:
    line = encode({"seq": 3, "kind": "Note", "text": 'a "quoted" – line\n'})
    assert line.count(b"\n") == 1
    assert decode(line[:-1])["text"] == 'a "quoted" – line\n'
    for i in range(len(line) - 1):
        assert decode(line[:i] + bytes([line[i] ^ 1]) + line[i + 1 : -1]) is None


def test_every_line_is_plain_json_with_seq_times_and_crc(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(Life("Started"))
    journal.append(tried(1, error=float("nan")))
    journal.close()
    rows = [json.loads(line) for line in (tmp_path / NAME).read_text().splitlines()]
    assert [r["seq"] for r in rows] == [0, 1]
    assert all({"t", "m", "kind", "crc"} <= set(r) for r in rows)
    assert rows[1]["metrics"] == {"error": None}
    assert rows[1]["nonfinite"] == ["error"]


def test_what_is_said_again_is_not_written_again_in_any_life(tmp_path: Path) -> None:
    words = [tried(1), Note("hello"), Chosen((1, 0), "best"), Step("a", 0, {"x": 1.0})]
    for life in range(2):
        journal = Journal(tmp_path)
        new = [journal.append(w) for w in words]
        assert new == [life == 0] * 4
        journal.close()
    assert [r["kind"] for r in read(tmp_path)] == ["Tried", "Note", "Chosen", "Step"]


def test_turns_of_life_are_always_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.append(Life("Queued"))
    assert journal.append(Life("Queued"))


def test_a_tried_that_failed_is_corrected_once_and_a_good_one_never(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert journal.append(tried(1, "diverged"))
    assert journal.append(tried(1, error=0.25))
    assert not journal.append(tried(1, error=0.75))
    journal.close()
    assert [r["failed"] for r in read(tmp_path)] == ["diverged", ""]


def test_steps_are_thinned_and_the_last_of_each_phase_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for i in range(500):
        journal.append(Step("a", i, {"x": float(i)}))
        journal.append(Step("b", i, {"x": float(i)}))
    journal.append(Note("end"))
    journal.close()
    steps = [r for r in read(tmp_path) if r["kind"] == "Step"]
    assert len(steps) < 100
    assert {r["phase"]: r["index"] for r in steps} == {"a": 499, "b": 499}
    assert read(tmp_path)[-1]["kind"] == "Note"


def test_results_that_come_together_share_their_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, real = [], module.os.fsync
    monkeypatch.setattr(module.os, "fsync", lambda fd: (calls.append(fd), real(fd)))
    journal = Journal(tmp_path)
    for i in range(200):
        journal.append(tried(i))
    assert len(read(tmp_path)) == 200  # with the kernel already: a killed worker loses none
    journal.close()
    assert len(calls) < 50


def test_a_result_is_on_the_disk_soon_without_another_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(tried(0))
    journal.append(tried(1))
    deadline = time.monotonic() + 5
    while journal._dirty.is_set() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert not journal._dirty.is_set()
    journal.close()


def test_wall_time_may_jump_without_harm_to_order_or_durations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    for i, day in enumerate((1e9, 1e9 - 86400, 1e9 + 86400)):
        monkeypatch.setattr(module.time, "time", lambda day=day: day)
        journal.append(tried(i))
    journal.close()
    rows = read(tmp_path)
    assert [r["seq"] for r in rows] == [0, 1, 2]
    assert [r["m"] for r in rows] == sorted(r["m"] for r in rows)
    assert rows[1]["t"] < rows[0]["t"]


def test_a_reader_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    line = encode({"seq": 0, "kind": "Note"})
    file, reader = tmp_path / NAME, Reader(tmp_path / NAME)
    file.write_bytes(line[:10])
    assert list(reader.read()) == []
    with file.open("ab") as f:
        f.write(line[10:])
    assert [r["seq"] for r in reader.read()] == [0]
    assert list(reader.read()) == []
    assert reader.unreadable == 0


def test_a_journal_longer_than_a_block_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    lines = [encode({"seq": i, "kind": "Note", "text": "x" * (i * 7)}) for i in range(50)]
    (tmp_path / NAME).write_bytes(b"".join(lines))
    reader = Reader(tmp_path / NAME)
    assert [r["seq"] for r in reader.read()] == list(range(50))
    assert reader.offset == sum(map(len, lines))
