"""RELIABILITY.md, rows 27 to 40 and 62: full disks, damaged files, strange folders, a lost index."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nascore.errors import NoSpace, NotFound
from nascore.events import Life, Note, Tried
from nascore.runs import launch
from nascore.runs.journal import NAME, Journal, Reader, encode
from nascore.runs.state import summaries, summary
from nascore.runs.store import Store
from tests.runs.toy_parts import ROOT, document, finish, kill, records, spec, told, until

FULL = """
import resource, sys
from pathlib import Path
from nascore.errors import NoSpace
from nascore.events import Life, Tried
from nascore.runs.journal import Journal
folder = Path(sys.argv[1])
journal = Journal(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    for i in range(10_000):
        journal.append(Tried((i,), {"error": i / 7}, "judge"))
except NoSpace as error:
    print(error)
"""


def test_27_a_full_disk_keeps_whole_lines_only(tmp_path: Path) -> None:
    out = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout == "disk full\n"
    assert (tmp_path / NAME).read_bytes().endswith(b"}\n")
    reader = Reader(tmp_path / NAME)
    assert [r["arch"][0] for r in reader.read()] == list(range(len(list(Reader(tmp_path / NAME).read()))))
    assert reader.unreadable == 0


def fill(journal: Journal) -> None:
    for i in range(10_000):
        journal.append(Tried((i,), {"error": 0.5}, "judge"))


def test_27_a_run_on_a_full_disk_is_stopped_and_says_so(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mount is refused here")
    try:
        journal = Journal(place)
        journal.append(Life("Started"))
        with pytest.raises(NoSpace, match="disk full"):
            fill(journal)
        journal.last_words(Life("Stopped", "disk full"))
        journal.close()
        rows = list(Reader(place / NAME).read())
        assert rows[-1]["kind"] == "Stopped"
        assert len(rows) > 100
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_27_the_worker_ends_as_stopped_when_its_files_may_not_grow(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, old[1]))
    try:
        run = launch.start(spec(400))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    finish(run)
    kept = told(run)
    assert 10 < len(kept) < 400
    launch.resume(run)  # there is room again
    assert finish(run) == "finished"
    assert told(run)[: len(kept)] == kept
    assert len(told(run)) == 400


def test_30_a_flipped_byte_hides_one_event_at_most(home: Path) -> None:
    run = launch.start(spec(40))
    finish(run)
    file = launch.folder(run) / NAME
    good, rng = file.read_bytes(), random.Random(3)
    seqs = {r["seq"] for r in Reader(file).read()}
    for _ in range(200):
        at = rng.randrange(len(good))
        file.write_bytes(good[:at] + bytes([good[at] ^ (1 << rng.randrange(8))]) + good[at + 1 :])
        reader = Reader(file)
        left = {r["seq"] for r in reader.read()}
        assert left <= seqs
        assert len(seqs - left) <= 2  # a lost line feed joins two lines
        assert reader.unreadable <= 2
        assert reader.unreadable or left == seqs - {max(seqs)}
    assert summary(run).evaluations >= 38


def test_31_bad_lines_in_the_middle_are_counted_and_passed(home: Path) -> None:
    run = launch.start(spec(8))
    finish(run)
    file = launch.folder(run) / NAME
    lines = file.read_bytes().splitlines(keepends=True)
    bad = [b"\n", b"\0" * 500 + b"\n", b'{"seq": 1}\n', b"x" * (10 << 20) + b"\n", b"   \n"]
    bad += [encode({"seq": 10**6, "kind": "Weird", "t": "when", "m": None})]
    file.write_bytes(b"".join([*lines[:5], *bad[:5], *lines[5:], bad[5]]))
    found = summary(run)
    assert found.evaluations == 8
    assert found.unreadable == 3
    store = Store(tick=0)
    assert store.run(run).evaluations == 8
    assert len(store.tried(run)) == 8
    store.close()


@pytest.mark.parametrize("text", [None, "", '{"v": 1', '{"v": 99}', "[]", '{"v": 1, "space": "no"}', "\0"])
def test_33_a_run_without_a_readable_spec_is_unreadable_and_alone(home: Path, text: str | None) -> None:
    good, bad = launch.start(spec(2)), launch.start(spec(2, seed=1))
    finish(good)
    finish(bad)
    file = launch.folder(bad) / "spec.json"
    file.unlink()
    if text is not None:
        file.write_text(text)
    store = Store(tick=0)
    store.refresh()
    assert [s.state for s in summaries()] == ["unreadable", "finished"]
    assert list(store.list_runs()["state"]) == ["unreadable", "finished"]
    assert summary(bad).reason
    assert store.run(bad).reason == summary(bad).reason
    assert len(store.tried(bad)) == 2
    assert file.exists() == (text is not None)
    store.close()


def test_35_a_run_whose_folder_is_deleted_ends_itself(home: Path) -> None:
    run = launch.start(spec(1000, seconds=0.02))
    until(lambda: records(run))
    child = launch._children[-1]
    store = Store(tick=0)
    assert store.run(run).state == "running"
    shutil.rmtree(launch.folder(run))
    child.wait(20)
    assert store.run(run) is None
    with pytest.raises(NotFound):
        summary(run)
    store.close()


def test_37_strange_names_are_ignored_and_links_are_not_followed(home: Path) -> None:
    run = launch.start(spec(1))
    finish(run)
    place = home / "runs"
    for i in range(5000):
        (place / f"strange {i}").mkdir()
    (place / "20260101-000000-00000g").mkdir()
    (place / "20260101-000000-abcdef").symlink_to(launch.folder(run))
    (place / "20260101-000000-abcde0").write_text("a file")
    start = time.monotonic()
    assert launch.runs() == [run]
    assert time.monotonic() - start < 1
    with pytest.raises(NotFound):
        launch.folder("20260101-000000-abcdef")


def test_33_a_run_that_becomes_readable_is_read_again_at_the_next_start(home: Path) -> None:
    run = launch.start(spec(3))
    finish(run)
    code = "from nascore.runs.store import Store; s = Store(tick=0); s.refresh();"
    code += "print(s.list_runs()['state'][0]); s.close()"
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert other.stdout == "unreadable\n"  # that process does not know the toys
    store = Store(tick=0)
    assert store.run(run).state == "finished"
    assert (store.tried(run)["key"] != "").all()
    assert len(store.tried(run)) == 3
    store.close()


@pytest.mark.parametrize("damage", ["zeros", "text", "wal", "newer"])
def test_38_a_damaged_index_is_set_aside_and_built_again(home: Path, damage: str) -> None:
    run = launch.start(spec(6))
    finish(run)
    store = Store(tick=0)
    store.refresh()
    wanted = store.tried(run)
    if damage == "newer":
        store._con.execute("update meta set version = 99")
    store.close()
    file = home / "nascope.duckdb"
    match damage:
        case "zeros":
            file.write_bytes(b"\0" * 4096 + file.read_bytes()[4096:])
        case "text":
            file.write_text("no database")
        case "wal":
            (home / "nascope.duckdb.wal").write_bytes(os.urandom(5000))
    again = Store(tick=0)
    again.refresh()
    assert again.tried(run).equals(wanted)
    if damage != "wal":  # a log of another file may also be dropped in silence
        assert "built again" in again.note
        assert (home / "nascope.duckdb.bad").exists()
    again.close()


def test_39_a_second_app_works_from_memory_and_says_so(home: Path) -> None:
    run = launch.start(spec(6))
    finish(run)
    code = "import sys; from nascore.runs.store import Store; s = Store(tick=0); print('up', flush=True);"
    code += "sys.stdin.read()"
    other = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    assert other.stdin is not None
    assert other.stdout.readline() == b"up\n"
    store = Store(tick=0)
    store.refresh()
    assert "from memory" in store.note
    assert len(store.tried(run)) == 6
    store.close()
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()


def test_40_an_index_killed_while_it_reads_in_ends_up_as_a_full_rebuild(home: Path) -> None:
    runs = [launch.start(spec(60, seconds=0.005, seed=i)) for i in range(2)]
    code = "from tests.runs import toy_parts; toy_parts.enter(); from nascore.runs.store import Store;"
    code += "import time; s = Store(tick=0.005); time.sleep(3600)"
    rng = random.Random(5)
    for _ in range(4):
        reader = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        deadline = time.monotonic() + rng.uniform(0.8, 1.6)
        until(lambda end=deadline: time.monotonic() > end)
        reader.send_signal(signal.SIGKILL)
        reader.wait()
    for r in runs:
        finish(r)
    kept, fresh = Store(tick=0), Store(tick=0, in_memory=True)
    kept.refresh()
    fresh.refresh()
    for sql in (
        'select * from tried order by run, "index"',
        "select * from metric order by run, seq, name",
        "select * from notes order by run, seq, text",
    ):
        assert kept.select(sql).to_dict("records") == fresh.select(sql).to_dict("records")
    assert kept.note == ""
    kept.close()
    fresh.close()


def made(home: Path, number: int, rows: int) -> str:
    """A finished run written by hand."""
    run = f"20260101-{number // 3600:02d}{number // 60 % 60:02d}{number % 60:02d}-{number:06x}"
    place = home / "runs" / run
    place.mkdir(parents=True)
    launch._write(place / "spec.json", launch.dumps(document(rows, seed=number)))
    head = {"t": 1e9, "m": 1.0}
    lines = [encode({"seq": 0, **head, "kind": "Started", "text": "", "about": {}})]
    for i in range(rows):
        arch = [i // 3**j % 3 for j in range(6)]
        about = {"spent": {"seconds": 0.1}, "curve": {}, "parents": [], "failed": ""}
        row = {"kind": "Tried", "arch": arch, "metrics": {"error": i / 7, "params": 1.0}, "how": f"j{i}"}
        lines.append(encode({"seq": i + 1, **head, **row, **about}))
    lines.append(encode({"seq": rows + 1, **head, "kind": "Finished", "text": "", "about": {}}))
    (place / NAME).write_bytes(b"".join(lines))
    return run


@pytest.mark.slow
def test_62_a_thousand_runs_are_listed_in_a_second_and_a_long_one_shown_in_two(home: Path) -> None:
    runs = [made(home, i, 3) for i in range(1000)]
    long = made(home, 2000, 100_000)
    store = Store(tick=0)
    start = time.monotonic()
    store.refresh()
    print(f"read in after {time.monotonic() - start:.1f} s")
    start = time.monotonic()
    assert len(store.list_runs()) == len(runs) + 1
    assert time.monotonic() - start < 1
    start = time.monotonic()
    assert store.run(long).evaluations == 100_000
    store.log(long)
    store.steps(long)
    assert time.monotonic() - start < 2
    store.close()


def test_two_words_of_one_life_survive_a_reopening(tmp_path: Path) -> None:
    for text in ("one", "two"):
        journal = Journal(tmp_path)
        journal.append(Note(text))
        journal.close()
    assert [r["seq"] for r in Reader(tmp_path / NAME).read()] == [0, 1]


def test_an_interrupted_run_tells_how_far_it_came(home: Path) -> None:
    run = launch.start(spec(50, seconds=0.02))
    until(lambda: len(records(run)) >= 3)
    kill(run)
    found = summary(run)
    assert (found.state, found.evaluations) == ("interrupted", len(records(run)))
    assert found.seconds > 0
