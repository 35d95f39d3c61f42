"""Imports in processes of their own: to the end, refused, stopped and resumed, killed."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from nascore.benchmarks import jobs, table
from nascore.errors import BadInput, Busy, NoSpace, NotFound
from nascore.spaces.nasbench201 import Nasbench201

DEADLINE = 60.0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NASCOPE_IMPORT_ROOTS", str(tmp_path))
    return tmp_path / "home"


def csv(folder: Path, rows: int = 20, name: str = "made.csv") -> str:
    space = Nasbench201()
    lines = [f"{space.text((i % 5, i // 5 % 5, 1, 2, 3, 4))},{50 + i}" for i in range(rows)]
    (folder / name).write_text("arch,test_acc\n" + "\n".join(lines) + "\n")
    return str(folder / name)


def ended(name: str) -> jobs.Job:
    until = time.monotonic() + DEADLINE
    while (job := jobs.job(name)).live:
        assert time.monotonic() < until, job
    return job


def test_a_job_makes_a_table_and_says_what_it_did(home: Path, tmp_path: Path) -> None:
    jobs.start("made", csv(tmp_path))
    job = ended("made")
    assert (job.state, job.what, job.report["rows"]) == ("finished", "made.csv", 20)
    assert table.open_table("made").rows == 20
    jobs.forget("made")
    assert jobs.jobs() == []
    assert table.open_table("made").rows == 20


def test_a_refusal_is_one_sentence_and_leaves_no_table(home: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("arch,test_acc\nfirst,90\nsecond,ninety\n")
    jobs.start("bad", str(tmp_path / "bad.csv"))
    job = ended("bad")
    assert job.state == "failed"
    assert "ninety" in job.error
    with pytest.raises(NotFound):
        table.open_table("bad")


def test_a_job_that_was_asked_to_stop_goes_on_when_resumed(home: Path, tmp_path: Path) -> None:
    place = jobs.folder("long")
    path = csv(tmp_path)
    place.mkdir(parents=True)
    jobs._write(place / "job.json", {"path": path, "mapping": None})
    jobs.cancel("long")
    assert jobs.work("long") == 0  # in this process, so that the wish is there first
    assert jobs.job("long").state == "stopped"
    (place / "lock").unlink()
    jobs.resume("long")
    assert ended("long").state == "finished"


def test_a_job_whose_process_is_gone_was_interrupted(home: Path, tmp_path: Path) -> None:
    place = jobs.folder("gone")
    place.mkdir(parents=True)
    jobs._write(place / "job.json", {"path": csv(tmp_path), "mapping": None})
    jobs._write(place / "state.json", {"state": "running", "done": 3, "total": 9, "t": time.time()})
    assert jobs.job("gone").state == "interrupted"
    jobs.resume("gone")
    assert ended("gone").state == "finished"


def test_a_path_outside_is_refused(home: Path, tmp_path: Path) -> None:
    jobs.start("outside", "/etc/hostname")
    assert "outside" in ended("outside").error
    with pytest.raises(BadInput, match="outside"):
        jobs.preview("/etc/hostname")


def test_a_name_that_is_taken_or_no_name_is_refused(home: Path, tmp_path: Path) -> None:
    jobs.start("made", csv(tmp_path))
    ended("made")
    with pytest.raises(BadInput, match="already"):
        jobs.start("made", csv(tmp_path))
    for name in ("../x", "", "A B"):
        with pytest.raises(BadInput, match="cannot name"):
            jobs.start(name, csv(tmp_path))


def test_a_preview_shows_rows_and_the_guessed_mapping(home: Path, tmp_path: Path) -> None:
    found = jobs.preview(csv(tmp_path))
    assert found["mapping"]["arch"] == "arch"
    assert found["space"] == "nasbench201"
    assert len(found["rows"]) == 10


def test_an_upload_is_kept_under_a_plain_name(home: Path) -> None:
    kept = jobs.keep_upload("../../evil/x.csv", io.BytesIO(b"a,b\n"), 4)
    assert kept.name == "x.csv"
    assert kept.is_relative_to(home / jobs.UPLOADS)
    for bad in ("..", "", "a\x00b"):
        with pytest.raises((BadInput, NoSpace)):
            jobs.keep_upload(bad, io.BytesIO(b""), 0)


def test_an_uploaded_folder_keeps_its_shape_and_goes_away_with_its_import(home: Path, tmp_path: Path) -> None:
    text = Path(csv(tmp_path)).read_bytes()
    files = [("bench/a.csv", text), ("bench/sub/b.txt", b"x")]
    kept = jobs.keep_folder([(n, io.BytesIO(b), len(b)) for n, b in files])
    assert kept.name == "bench"
    assert (kept / "sub" / "b.txt").read_bytes() == b"x"
    assert kept.is_relative_to(home / jobs.UPLOADS)
    loose = jobs.keep_folder([("a.csv", io.BytesIO(b"1"), 1), ("b.csv", io.BytesIO(b"2"), 1)])
    assert sorted(p.name for p in loose.iterdir()) == ["a.csv", "b.csv"]
    for bad in ("bench/../../x", "/etc/x", "a//b", "bench/\x00"):
        with pytest.raises(BadInput):
            jobs.keep_folder([(bad, io.BytesIO(b""), 0)])
    with pytest.raises(BadInput, match="no file"):
        jobs.keep_folder([])


def test_a_refused_path_says_what_is_allowed_and_how_to_allow_more(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, other = tmp_path / "allowed", tmp_path / "other"
    allowed.mkdir()
    other.mkdir()
    monkeypatch.setenv("NASCOPE_IMPORT_ROOTS", str(allowed))
    with pytest.raises(BadInput) as refusal:
        jobs.preview(csv(other))
    said = str(refusal.value)
    assert f"({allowed})" in said
    assert f"NASCOPE_IMPORT_ROOTS={other}" in said
    assert "upload it" in said


def test_a_job_at_work_cannot_be_started_twice_or_put_away(home: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    place = jobs.folder("busy")
    place.mkdir(parents=True)
    jobs._write(place / "job.json", {"path": csv(tmp_path), "mapping": None})
    lock = str(place / "lock")
    code = (
        "import pathlib; from nascore.locks import hold; "
        f"hold(pathlib.Path({lock!r})); print(1, flush=True); input()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        with pytest.raises(Busy):
            jobs.start("busy", csv(tmp_path))
        with pytest.raises(Busy):
            jobs.forget("busy")
    finally:
        child.communicate(b"\n")
