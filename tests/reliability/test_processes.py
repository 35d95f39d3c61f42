"""RELIABILITY.md, rows 1 to 18 and 25: what a worker's end, its silence and its neighbors do."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nascore.errors import Busy
from nascore.locks import hold, holder, queue
from nascore.runs import launch
from nascore.runs.journal import NAME
from nascore.runs.state import summary
from nascore.runs.store import Store
from tests.runs.toy_parts import ROOT, evaluated, finish, kill, records, spec, told, until


def test_1_and_3_killed_workers_lose_nothing_and_repeat_nothing(home: Path) -> None:
    whole = launch.start(spec(40))
    finish(whole)
    before, kills = len(evaluated()), 0
    rng = random.Random(1)
    run = launch.start(spec(40, seconds=0.01))
    while kills < 8:
        wanted = len(records(run)) + rng.randint(0, 4)
        until(lambda n=wanted: len(records(run)) >= n or not launch.is_live(run))
        if not launch.is_live(run):
            break
        kill(run)
        kills += 1
        found, kept = summary(run), told(run)
        assert found.state == "interrupted"
        assert found.evaluations == len(kept)
        launch.resume(run)
        assert told(run)[: len(kept)] == kept
    assert finish(run) == "finished"
    assert kills >= 5
    assert told(run) == told(whole)
    asked = [json.dumps(a) for a in evaluated()[before:]]
    assert len(asked) <= 40 + kills  # at most the one that each kill cut short


def test_2_a_line_torn_at_any_byte_is_set_aside_and_the_run_ends_as_it_would_have(home: Path) -> None:
    run = launch.start(spec(6))
    finish(run)
    wanted, file = told(run), launch.folder(run) / NAME
    lines = file.read_bytes().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if b'"Tried"' in line)
    whole = b"".join(lines[:last])
    for cut in range(1, len(lines[last]), 25):
        file.write_bytes(whole + lines[last][:cut])
        assert summary(run).evaluations == len(wanted) - 1
        assert summary(run).unreadable == 0
        launch.resume(run)
        assert finish(run) == "finished"
        assert told(run) == wanted
        assert (file.parent / "torn.bin").read_bytes().endswith(lines[last][:cut] + b"\n")


def test_4_a_stopped_worker_is_quiet_but_running(home: Path) -> None:
    run = launch.start(spec(30, seconds=0.02))
    until(lambda: records(run))
    pid = holder(launch.folder(run) / "lock")
    os.kill(pid, signal.SIGSTOP)
    until(lambda: summary(run).quiet_seconds > 0.5)
    assert summary(run).state == "running"
    os.kill(pid, signal.SIGCONT)
    assert finish(run) == "finished"


def test_5_a_worker_that_ignores_the_stop_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "FORCE_SECONDS", 0.5)
    run = launch.start(spec(8, strategy={"name": "rogue", "knobs": {"kind": "hang"}}))
    until(lambda: records(run, "Note"))
    launch.cancel(run)
    assert (summary(run).state, summary(run).reason) == ("running", "stopping")
    assert finish(run) == "stopped"
    assert summary(run).reason == "stopped (forced)"
    assert summary(run).evaluations == 4


def test_6_and_52_a_strategy_that_raises_fails_with_a_sentence_and_an_id_but_no_path(home: Path) -> None:
    run = launch.start(spec(8, strategy={"name": "rogue", "knobs": {"kind": "raise"}}))
    assert finish(run) == "failed"
    found = summary(run)
    mark = found.reason.split("(error ")[1][:-1]
    assert "LookupError" in found.reason
    assert "/etc/secret" not in found.reason
    assert "\n" not in found.reason
    assert found.evaluations == 4
    log = (launch.folder(run) / "worker.log").read_text()
    assert mark in log
    assert "Traceback" in log


def test_7_a_worker_that_cannot_start_is_told_with_its_last_word(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "COMMAND", ("/nowhere/python",))
    run = launch.start(spec(1))
    assert summary(run).state == "failed"
    assert summary(run).reason == "could not start: No such file or directory"
    monkeypatch.setattr(launch, "COMMAND", (sys.executable, "-c", "import no_such_module"))
    run = launch.start(spec(1))
    assert summary(run).reason == "could not start: ModuleNotFoundError: No module named 'no_such_module'"


def test_7_a_spec_that_names_what_is_not_there_fails_and_is_kept(home: Path) -> None:
    run = launch.start(spec(1000, seconds=0.05))
    kill(run)
    file = launch.folder(run) / "spec.json"
    text = file.read_text().replace('"random_search"', '"gone_search"')
    launch.folder(run).joinpath("control").write_text("run")
    file.write_text(text)
    launch._spawn(launch.folder(run))
    launch.ended(run, 20)
    assert "no strategy called 'gone_search'" in summary(run).reason
    assert file.read_text() == text


def test_8_and_9_runs_outlive_the_process_that_started_them(home: Path) -> None:
    code = (
        "import sys, time; from tests.runs import toy_parts; from nascore.runs import launch;"
        "toy_parts.enter();"
        "launch.COMMAND = (sys.executable, '-m', 'tests.runs.toy_worker');"
        "[print(launch.start(toy_parts.spec(20, seconds=0.06, seed=i))) for i in range(3)];"
        "print('up', flush=True); time.sleep(3600)"
    )
    app = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert app.stdout is not None
        for line in app.stdout:
            if line == "up\n":
                break
    finally:
        app.kill()
        app.wait()
        app.stdout.close()
    runs = launch.runs()
    assert len(runs) == 3
    assert all(summary(r).live for r in runs[:2])  # the newest two; the oldest may be through
    store = Store(tick=0)
    assert {store.run(r).live for r in runs[:2]} == {True}
    assert [finish(r) for r in runs[::-1]] == ["finished"] * 3
    store.close()


def test_10_of_ten_resumes_at_once_exactly_one_wins(home: Path) -> None:
    run = launch.start(spec(200, seconds=0.02))
    until(lambda: records(run))
    kill(run)

    def attempt(_: int) -> str:
        try:
            launch.resume(run)
        except Busy as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(attempt, range(10)))
    assert answers.count("") >= 1
    assert set(answers) <= {"", "the run is already running"}
    assert len(records(run, "Queued")) == 2
    launch.cancel(run)
    finish(run)
    seqs = [r["seq"] for k in ("Queued", "Started", "Tried", "Stopped") for r in records(run, k)]
    assert len(seqs) == len(set(seqs))


def test_11_a_stop_reaches_nobody_when_nobody_holds_the_run(home: Path) -> None:
    run = launch.start(spec(100, seconds=0.05))
    kill(run)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    try:
        (launch.folder(run) / "lock").write_text(str(stranger.pid))
        launch.cancel(run)
        assert stranger.poll() is None
        assert summary(run).state == "stopped"
    finally:
        stranger.kill()
        stranger.wait()


def test_12_a_forked_child_does_not_keep_a_dead_run_alive(home: Path) -> None:
    run = launch.start(spec(8, strategy={"name": "rogue", "knobs": {"kind": "fork"}}))
    file = home.parent / "child"
    until(lambda: file.exists() and file.read_text())
    child = int(file.read_text())
    try:
        kill(run)
        os.kill(child, 0)  # the child is still there
        assert summary(run).state == "interrupted"
    finally:
        os.kill(child, signal.SIGKILL)


def test_13_after_a_reboot_what_had_not_ended_is_interrupted(home: Path) -> None:
    done = launch.start(spec(2))
    finish(done)
    cut = launch.start(spec(100, seconds=0.05))
    kill(cut)
    code = (
        "from tests.runs import toy_parts; toy_parts.enter(); from nascore.runs.state import summaries;"
        "print(*[s.state for s in summaries()])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["interrupted", "finished"]


def test_14_of_many_searches_one_runs_and_all_finish_in_order(home: Path) -> None:
    runs = [launch.start(spec(6, seconds=0.05, seed=i)) for i in range(6)]
    found = [summary(r) for r in runs]
    assert sum(f.state == "running" for f in found) <= 1
    assert queue(home) == [f.run for f in found if f.place]
    for r in runs:
        assert finish(r) == "finished"
    started = [records(r, "Started")[0]["m"] for r in runs]
    ended = [records(r, "Finished")[0]["m"] for r in runs]
    assert started == sorted(started)
    assert all(e <= s for e, s in zip(ended[:-1], started[1:], strict=True))


def test_18_a_worker_over_its_limit_fails_with_the_limit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCOPE_MEMORY_GB", "0.5")
    run = launch.start(spec(8, strategy={"name": "rogue", "knobs": {"kind": "grow"}}))
    assert finish(run) == "failed"
    assert "out of memory (limit 0.5 GiB)" in summary(run).reason
    assert summary(run).evaluations == 4


def test_19_the_kernel_takes_workers_before_the_app(home: Path) -> None:
    run = launch.start(spec(100, seconds=0.05))
    until(lambda: records(run))
    pid = holder(launch.folder(run) / "lock")
    assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "500"
    assert os.getsid(pid) == pid  # a session of its own: no signal of a terminal reaches it


def test_20_and_22_odd_numbers_fail_one_row_each_and_leave_valid_json(home: Path) -> None:
    run = launch.start(spec(30, odd=True))
    assert finish(run) == "finished"
    text = (launch.folder(run) / NAME).read_text()
    rows = [json.loads(line, parse_constant=lambda c: pytest.fail(c)) for line in text.splitlines()]
    by_first = {r["arch"][0]: r for r in rows if r["kind"] == "Tried"}
    assert by_first[0]["failed"] == by_first[1]["failed"] == "not finite: error"
    assert by_first[2]["failed"] == ""
    store = Store(tick=0)
    store.refresh()
    assert store.run(run).best["metrics"]["error"] == 1e308
    assert len(store.tried(run)) == 30
    store.close()


def test_a_lock_that_is_held_names_its_holder_and_only_to_others(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from nascore.locks import hold;"
    code += "hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    file = tmp_path / "lock"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == b"held\n"
    assert holder(file) == child.pid
    assert hold(file) is None
    child.kill()
    child.wait()
    child.stdin.close()
    child.stdout.close()
    assert holder(file) is None
