from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from nascore.events import Life, Tried, to_record
from nascore.runs.state import ENDS, Tally, derive, results
from tests.runs.toy_parts import spec

LASTS = ("", "Queued", "Started", "Paused", "Stopped", "Finished", "Failed")
NOT_ENDED = {
    (True, "", "run"): ("queued", ""),
    (True, "Queued", "run"): ("queued", ""),
    (True, "Started", "run"): ("running", ""),
    (True, "Started", "retry"): ("running", ""),
    (True, "", "pause"): ("queued", "pausing"),
    (True, "Queued", "pause"): ("queued", "pausing"),
    (True, "Started", "pause"): ("running", "pausing"),
    (True, "", "cancel"): ("queued", "stopping"),
    (True, "Queued", "cancel"): ("queued", "stopping"),
    (True, "Started", "cancel"): ("running", "stopping"),
}


@pytest.mark.parametrize(
    ("held", "last", "control"),
    list(itertools.product((True, False), LASTS, ("run", "retry", "pause", "cancel"))),
)
def test_lock_last_word_and_control_tell_the_state(held: bool, last: str, control: str) -> None:
    state, reason = derive(held, Life(last, "why") if last else None, control)
    if last in ENDS:
        assert (state, reason) == (ENDS[last], "why")
    elif held:
        asked = NOT_ENDED[held, last, "run" if control == "retry" else control]
        assert (state, reason) == asked
    elif control == "cancel":
        assert (state, reason) == ("stopped", "stopped (forced)")
    else:
        assert state == "interrupted"
        assert reason


def test_a_failure_shows_its_error_id() -> None:
    assert derive(False, Life("Failed", "boom", {"error": "ab12"}), "run") == ("failed", "boom (error ab12)")


def play(tally: Tally, *words: tuple[float, Life | Tried]) -> Tally:
    for seq, (m, word) in enumerate(words):
        tally.add({"seq": seq, "t": 1000 + m, "m": m, **to_record(word)})
    return tally


def judged(arch: tuple[int, ...], error: float, params: float = 1.0, failed: str = "") -> Tried:
    metrics = {} if failed else {"error": error, "params": params}
    return Tried(arch, metrics, "toy_lookup", {"seconds": 0.5}, failed=failed)


def test_active_seconds_are_those_of_all_lives_without_the_waiting() -> None:
    tally = play(
        Tally(None),
        (0, Life("Queued")),
        (10, Life("Started")),
        (15, judged((0,), 0.5)),  # killed here
        (100, Life("Queued")),
        (130, Life("Started")),
        (150, Life("Paused")),
    )
    assert tally.clock.active(live=False) == 5 + 20


def test_an_event_that_was_read_before_counts_once() -> None:
    tally = play(Tally(None), (0, Life("Started")), (1, judged((0,), 0.5)))
    tally.add({"seq": 1, "t": 0, "m": 1, **to_record(judged((1,), 0.5))})
    assert len(tally.rows) == 1


def test_a_corrected_arch_keeps_its_index(home: Path) -> None:
    a, b = (0,) * 6, (1,) * 6
    tally = play(
        Tally(spec()), (0, judged(a, 0, failed="diverged")), (1, judged(b, 0.5)), (2, judged(a, 0.1))
    )
    found = results(tally)
    assert (found["evaluations"], found["failed"]) == (2, 0)
    assert found["best"]["index"] == 1


def test_best_and_front_respect_constraints_and_failures(home: Path) -> None:
    archs = [(i, 0, 0, 0, 0, 0) for i in range(3)] + [(0, i, 0, 0, 0, 0) for i in (1, 2)]
    asked = spec(
        objectives=[["error", "min"], ["params", "min"]], constraints=[["params", "<=", 100]], seed=1
    )
    points = ((0.1, 500.0), (0.3, 80.0), (0.2, 90.0), (0.3, 95.0))
    rows = [(float(i), judged(a, *p)) for i, (a, p) in enumerate(zip(archs, points, strict=False))]
    found = results(play(Tally(asked), *rows, (9.0, judged(archs[4], 0, failed="diverged"))))
    assert found["best"]["metrics"] == {"error": 0.2, "params": 90.0}
    assert [(f["metrics"]["error"], f["metrics"]["params"]) for f in found["front"]] == [(0.2, 90), (0.3, 80)]


def test_a_run_of_only_short_trainings_is_judged_by_its_longest(home: Path) -> None:
    short = Tried((0,) * 6, {"error": 0.1}, "toy@1", {"epochs": 1.0})
    longer = Tried((1,) * 6, {"error": 0.2}, "toy@3", {"epochs": 3.0})
    found = results(play(Tally(spec()), (0, short), (1, longer)))
    assert found["best"]["metrics"]["error"] == 0.2
