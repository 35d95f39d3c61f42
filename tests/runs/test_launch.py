from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nascore.errors import BadInput, Busy, NoSpace, NotFound
from nascore.locks import queue
from nascore.runs import launch
from nascore.runs.state import summary
from tests.runs.toy_parts import ROOT, evaluated, finish, kill, records, spec, told, until


def test_a_run_tries_what_its_budget_allows_and_finishes(home: Path) -> None:
    run = launch.start(spec(12))
    assert finish(run) == "finished"
    found = summary(run)
    assert found.evaluations == 12
    assert found.best["metrics"]["error"] == min(r["metrics"]["error"] for r in records(run))
    assert [r["kind"] for k in ("Queued", "Started", "Finished") for r in records(run, k)] == [
        "Queued",
        "Started",
        "Finished",
    ]


def test_starting_twice_with_one_id_makes_one_run(home: Path) -> None:
    token = launch.new_id()
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: launch.start(spec(4), token), range(8)))
    assert made == {token}
    finish(token)
    assert launch.runs() == [token]
    assert len(evaluated()) == 4


def test_new_ids_sort_by_their_time_and_are_never_equal() -> None:
    made = [launch.new_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert made == sorted(made)


def test_pausing_frees_the_slot_and_resuming_repeats_nothing(home: Path) -> None:
    whole = launch.start(spec(16, seed=5))
    finish(whole)
    before = len(evaluated())
    run = launch.start(spec(16, seed=5, seconds=0.05))
    until(lambda: len(records(run)) >= 3)
    launch.pause(run)
    assert finish(run) == "paused"
    other = launch.start(spec(4))
    assert finish(other) == "finished"
    launch.resume(run)
    assert finish(run) == "finished"
    assert [t[0] for t in told(run)] == [t[0] for t in told(whole)]
    asked = evaluated()[before:]
    assert len(asked) - 4 <= 16 + 1  # the one in hand at the pause was told before the generator was closed
    assert len({json.dumps(r["arch"]) for r in records(run)}) == 16


def test_cancelling_stops_for_good(home: Path) -> None:
    run = launch.start(spec(100, seconds=0.05))
    until(lambda: records(run))
    launch.cancel(run)
    assert finish(run) == "stopped"
    assert summary(run).reason == "stopped by hand"
    with pytest.raises(Busy, match="ended already"):
        launch.cancel(run)


def test_an_interrupted_run_can_be_stopped_without_a_worker(home: Path) -> None:
    run = launch.start(spec(100, seconds=0.05))
    kill(run)
    assert summary(run).state == "interrupted"
    launch.cancel(run)
    assert summary(run).state == "stopped"


def test_failed_ones_are_judged_again_and_nothing_else(home: Path) -> None:
    run = launch.start(spec(20, fail=3))
    assert finish(run) == "finished"
    failed = [r["arch"] for r in records(run) if r["failed"]]
    assert len(failed) >= 2
    (home.parent / "mended").touch()
    before = len(evaluated())
    launch.resume(run, retry_failed=True)
    assert finish(run) == "finished"
    assert evaluated()[before:] == failed
    found = summary(run)
    assert (found.evaluations, found.failed) == (20, 0)


def test_retrying_an_unfinished_run_goes_on_with_the_search_first(home: Path) -> None:
    whole = launch.start(spec(20, fail=3, seed=2))
    finish(whole)
    run = launch.start(spec(20, fail=3, seed=2, seconds=0.05))
    until(lambda: len(records(run)) >= 6)
    kill(run)
    (home.parent / "mended").touch()
    launch.resume(run, retry_failed=True)
    assert finish(run) == "finished"
    assert summary(run).failed == 0
    assert [t[0] for t in told(run)][:20] == [t[0] for t in told(whole)]


def test_again_takes_the_next_seed_that_no_equal_run_has_had(home: Path) -> None:
    run = launch.start(spec(2, seed=7))
    second, third = launch.again(run), launch.again(run)
    assert [launch.read_spec(r).seed for r in (second, third)] == [8, 9]
    assert launch.read_spec(launch.again(run, 100)).seed == 100


def test_a_live_run_is_not_deleted_and_a_dead_one_leaves_nothing(home: Path) -> None:
    run = launch.start(spec(100, seconds=0.1))
    with pytest.raises(Busy, match="running"):
        launch.delete(run)
    launch.cancel(run)
    finish(run)
    launch.delete(run)
    assert list((home / "runs").iterdir()) == []
    with pytest.raises(NotFound):
        launch.delete(run)


def test_a_title_is_one_line_of_at_most_120_characters(home: Path) -> None:
    run = launch.start(spec(1))
    launch.rename(run, "a\nb\t\u202ec" + "x" * 100_000)
    assert launch.title(run).startswith("a b c")
    assert len(launch.title(run)) == 120
    assert "\u202e" not in launch.title(run)


def test_a_run_may_be_resumed_the_moment_it_says_that_it_is_paused(home: Path) -> None:
    run = launch.start(spec(60, seconds=0.02))
    until(lambda: summary(run).evaluations > 2)
    launch.pause(run)
    until(lambda: launch.last_life(run) == "Paused")
    launch.resume(run)  # its first worker may still be leaving
    until(lambda: summary(run).state == "finished")


def test_a_finished_run_is_not_resumed(home: Path) -> None:
    run = launch.start(spec(1))
    finish(run)
    with pytest.raises(Busy, match="finished"):
        launch.resume(run)


def test_little_space_refuses_the_start_with_the_number(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = launch.shutil.disk_usage(home)
    monkeypatch.setattr(launch.shutil, "disk_usage", lambda _: usage._replace(free=150 << 20))
    with pytest.raises(NoSpace, match="only 150 MB are free"):
        launch.start(spec(1))
    assert launch.runs() == []


def test_the_fifty_first_run_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "MAX_LIVE", 2)
    for _ in range(2):
        launch.start(spec(100, seconds=0.2))
    with pytest.raises(Busy, match="2 is the limit"):
        launch.start(spec(1))


def test_a_home_that_cannot_be_written_is_told_with_the_remedy(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path / "file" / "home"))
    assert "NASCOPE_HOME" in launch.check_home()
    with pytest.raises(NoSpace, match="cannot be written"):
        launch.start(spec(1))


def test_an_id_that_is_none_of_ours_is_refused_at_the_start(home: Path) -> None:
    with pytest.raises(BadInput, match="no id"):
        launch.start(spec(1), "../../evil")


def test_a_waiting_worker_is_small(home: Path) -> None:
    launch.start(spec(100, seconds=0.2))
    code = "import sys; import nascore.runs.worker; print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "duckdb", "pandas"} & set(out.stdout.split())


def test_waiting_runs_have_a_place_and_one_that_is_stopped_gives_it_up(home: Path) -> None:
    first = launch.start(spec(1000, seconds=0.05))
    until(lambda: summary(first).state == "running")
    waiting = [launch.start(spec(2)) for _ in range(3)]
    until(lambda: queue(home) == waiting)
    assert [summary(r).place for r in waiting] == [1, 2, 3]
    launch.cancel(waiting[1])
    assert finish(waiting[1]) == "stopped"
    assert [summary(r).place for r in (waiting[0], waiting[2])] == [1, 2]
    launch.cancel(first)
    assert [finish(r) for r in (waiting[0], waiting[2])] == ["finished", "finished"]
    started = {r: records(r, "Started")[0]["m"] for r in (waiting[0], waiting[2])}
    assert started[waiting[0]] < started[waiting[2]]


def test_the_download_holds_only_known_files(home: Path) -> None:
    import io
    import zipfile

    run = launch.start(spec(1))
    finish(run)
    place = launch.folder(run)
    (place / "..evil").write_text("x")
    (place / "id_rsa").symlink_to("/etc/passwd")
    names = zipfile.ZipFile(io.BytesIO(launch.bundle(run))).namelist()
    assert names == [f"{run}/spec.json", f"{run}/journal.jsonl"]
