from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from nascore.errors import BadInput
from nascore.runs import launch, store
from nascore.runs.journal import NAME
from nascore.runs.state import summary
from nascore.runs.store import Store
from tests.runs.toy_parts import finish, kill, records, spec, until


@pytest.fixture
def opened(home: Path) -> Iterator[Callable[..., Store]]:
    made: list[Store] = []

    def new(**more: object) -> Store:
        made.append(Store(**{"tick": 0, **more}))
        return made[-1]

    yield new
    for s in made:
        s.close()


def finished(n: int = 8, **more: object) -> str:
    run = launch.start(spec(n, **more))
    assert finish(run) == "finished"
    return run


def test_frames_hold_what_the_journal_says(opened: Callable[..., Store]) -> None:
    run = finished(12, fail=3)
    s = opened()
    s.refresh()
    frame, rows = s.tried(run), records(run)
    assert list(frame["index"]) == list(range(1, 13))
    assert list(frame.columns[:4]) == ["index", "key", "error", "params"]
    assert [list(a) for a in frame["arch"]] == [r["arch"] for r in rows]
    wanted = [r["metrics"].get("error", float("nan")) for r in rows]
    np.testing.assert_array_equal(frame["error"], wanted)
    assert list(frame["failed"]) == [r["failed"] for r in rows]
    curves = s.curves(run)
    assert set(curves["epoch"]) == {1, 2}
    assert len(curves) == 2 * (frame["failed"] == "").sum()
    assert set(s.curves(run, [frame["key"][1]])["key"]) <= {frame["key"][1]}


def test_the_summary_is_that_of_the_files_also_after_a_restart(opened: Callable[..., Store]) -> None:
    run = finished(12)
    first = opened()
    first.refresh()
    first.close()
    assert opened().run(run) == summary(run)


def test_the_list_has_every_run_the_newest_first(opened: Callable[..., Store]) -> None:
    runs = [finished(4), finished(4, seed=1)]
    s = opened()
    s.refresh()
    listed = s.list_runs()
    assert list(listed["run"]) == runs[::-1]
    assert list(listed["state"]) == ["finished"] * 2
    assert list(listed["evaluations"]) == [4, 4]
    assert tuple(listed.columns) == store.LISTED


def test_a_run_that_has_just_finished_is_never_called_interrupted(opened: Callable[..., Store]) -> None:
    s = opened()
    run = launch.start(spec(6, seconds=0.02))
    seen = set()
    until(lambda: seen.add(s.run(run).state) or s.list_runs()["state"][0] == "finished")
    assert seen <= {"queued", "running", "finished"}


def test_the_thread_reads_what_is_new(home: Path) -> None:
    s = Store(tick=0.02)
    try:
        run = launch.start(spec(30, seconds=0.02))
        until(lambda: 0 < len(s.tried(run)) < 30)
        until(lambda: len(s.tried(run)) == 30)
    finally:
        s.close()


def test_a_retried_arch_replaces_its_failed_row(home: Path, opened: Callable[..., Store]) -> None:
    run = finished(12, fail=3)
    s = opened()
    s.refresh()
    before = s.tried(run)
    (home.parent / "mended").touch()
    launch.resume(run, retry_failed=True)
    finish(run)
    s.refresh()
    after = s.tried(run)
    assert list(after["key"]) == list(before["key"])
    assert (before["failed"] != "").any()
    assert not (after["failed"] != "").any()
    assert after["error"].notna().all()


def test_a_deleted_run_vanishes_from_every_table(opened: Callable[..., Store]) -> None:
    run, kept = finished(4), finished(4, seed=1)
    s = opened()
    s.refresh()
    launch.delete(run)
    s.refresh()
    assert s.run(run) is None
    assert list(s.list_runs()["run"]) == [kept]
    for table in store.TABLES:
        assert set(s.select(f"select distinct run from {table}")["run"]) <= {kept}  # noqa: S608 -- our names


def test_a_renamed_run_shows_its_title_at_once(opened: Callable[..., Store]) -> None:
    run = finished(2)
    s = opened()
    s.refresh()
    launch.rename(run, "'; drop table runs; --")
    assert s.run(run).title == "'; drop table runs; --"
    assert s.list_runs()["title"][0] == "'; drop table runs; --"


def test_an_architecture_is_found_by_its_key(opened: Callable[..., Store]) -> None:
    run = finished(4)
    s = opened()
    s.refresh()
    row = s.tried(run).iloc[2]
    found = s.architecture(run, row["key"])
    assert found["metrics"]["error"] == row["error"]
    assert found["index"] == 3
    assert found["curve"]["error"][0] == 0.9
    assert s.architecture(run, "' or 1=1 --") is None


def test_the_log_ends_with_the_latest_and_tells_of_failures(opened: Callable[..., Store]) -> None:
    run = finished(12, fail=3)
    s = opened()
    s.refresh()
    log = s.log(run)
    assert list(log["seq"]) == sorted(log["seq"])
    assert log.iloc[-1]["kind"] == "Finished"
    assert any("diverged at step 37" in t for t in log["text"])
    assert len(s.log(run, limit=2)) == 2


def test_the_best_of_finished_runs_are_named(opened: Callable[..., Store]) -> None:
    run = finished(4)
    s = opened()
    s.refresh()
    row = s.best().iloc[0]
    assert (row["run"], row["objective"]) == (run, "error")
    assert row["value"] == s.tried(run)["error"].min()


def test_events_since_gives_only_later_ones(opened: Callable[..., Store]) -> None:
    run = finished(4)
    assert [r["seq"] for r in opened().events_since(run, 3, limit=2)] == [4, 5]


def test_many_threads_may_ask_while_it_reads_in(home: Path) -> None:
    s, run = Store(tick=0.01), launch.start(spec(40, seconds=0.01))
    troubles: list[Exception] = []

    def ask() -> None:
        try:
            for _ in range(20):
                s.run(run)
                s.tried(run)
                s.list_runs()
        except Exception as error:
            troubles.append(error)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    finish(run)
    s.close()
    assert troubles == []


@pytest.mark.parametrize(
    "sql",
    [
        "drop table runs",
        "select 1; drop table runs",
        "insert into runs select * from runs",
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "copy runs to '/tmp/out.csv'",
        "attach '/tmp/x.duckdb'",
        "set enable_external_access = true",
        "pragma database_list",
        "select * from nothing_here",
        "selec",
        "",
    ],
)
def test_only_one_select_over_our_tables_is_answered(opened: Callable[..., Store], sql: str) -> None:
    s = opened()
    with pytest.raises(BadInput, match=r"^sql: "):
        s.select(sql)
    assert s.select("select count(*) n from runs")["n"][0] == 0


def test_a_slow_query_is_cut_off_after_two_seconds(opened: Callable[..., Store]) -> None:
    start = time.monotonic()
    with pytest.raises(BadInput, match="cut off"):
        opened().select(
            "select count(*) from range(10000000) a, range(1000000) b where a.range + b.range = 3"
        )
    assert time.monotonic() - start < 4


def test_too_many_rows_are_refused(opened: Callable[..., Store]) -> None:
    with pytest.raises(BadInput, match="100,000 rows"):
        opened().select("select * from range(100001)")


def test_an_interrupted_run_says_so(opened: Callable[..., Store]) -> None:
    run = launch.start(spec(1000, seconds=0.02))
    until(lambda: records(run))
    s = opened()
    assert s.run(run).state == "running"
    kill(run)
    assert s.run(run).state == "interrupted"


def test_the_stored_tables_do_not_know_a_line_twice_after_the_journal_was_rewritten(
    opened: Callable[..., Store],
) -> None:
    run = finished(8)
    s = opened()
    s.refresh()
    file = launch.folder(run) / NAME
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[: len(lines) // 2]))
    s.refresh()
    few = s.select("select count(*) n, count(distinct seq) d from tried").iloc[0]
    assert few["n"] == few["d"] == sum(b'"Tried"' in line for line in lines[: len(lines) // 2])
    file.write_bytes(b"".join(lines))
    s.refresh()
    assert len(s.tried(run)) == 8
    assert json.loads(lines[0])["seq"] == 0
