"""The life of a measurement: asked for, at work, ended in every way; in a process of its own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nascore.errors import BadInput, Busy
from nascore.locks import hold
from nascore.runs import jobs, robust
from nascore.runs.robust import Asked, Work
from nascore.spaces.nasbench201 import Nasbench201

SPACE = Nasbench201(1, 4, 1, 4)
ARCH = (3, 1, 2, 3, 4, 3)
DONE = {"robustness": {"noise": [1.0]}, "accuracy": 1.0}
Tell = Callable[[robust.Progress], None]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    recipe = {"name": "sgd_cosine", "knobs": {"epochs": 1}}
    return robust.ask(SPACE, ARCH, "digits", recipe=recipe)


def quick(_: Asked) -> Work:
    for i in range(3):
        yield i, 3, f"piece {i}"
    return DONE


def deaf(_: robust.Progress) -> None:
    """Nobody listens."""


def state(asked: Asked) -> str:
    now = robust.standing(asked)
    return now.state if now else ""


def test_a_result_is_kept_and_says_nothing_before(asked: Asked) -> None:
    assert robust.standing(asked) is None
    assert robust.result(asked) is None
    heard: list[robust.Progress] = []
    assert robust.here(asked, quick, heard.append) == DONE
    assert [h[0] for h in heard] == [0, 1, 2]
    assert robust.result(asked) == DONE
    assert state(asked) == "finished"


def test_equal_networks_are_one_and_other_seeds_are_others(asked: Asked) -> None:
    cut, same = (0, 0, 0, 3, 4, 3), (0, 1, 2, 0, 0, 0)
    assert robust.ask(SPACE, cut, "digits").folder != robust.ask(SPACE, ARCH, "digits").folder
    twin = SPACE.canonical(same)
    assert robust.ask(SPACE, same, "digits").folder == robust.ask(SPACE, twin, "digits").folder
    assert robust.ask(SPACE, ARCH, "digits", seed=1).folder != robust.ask(SPACE, ARCH, "digits").folder


def test_a_wish_to_stop_is_heard_between_two_pieces(asked: Asked) -> None:
    def tell(at: robust.Progress) -> None:
        if at[0] == 1:
            robust.cancel(asked)

    assert robust.here(asked, quick, tell) is None
    assert state(asked) == "stopped"
    assert robust.result(asked) is None


def test_time_left_is_what_the_pieces_so_far_took_for_those_to_come(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "TELL_SECONDS", 0.0)
    said: list[float | None] = []

    def slow(_: Asked) -> Work:
        yield 4, 10, "the first"  # four were there before
        time.sleep(0.2)
        yield 6, 10, "another"
        return DONE

    def tell(_: robust.Progress) -> None:
        said.append(jobs.read(asked.folder / "state.json")["left_seconds"])

    robust.here(asked, slow, tell)
    assert said[0] is None
    assert said[1] == pytest.approx(0.4, abs=0.15)


def test_what_fails_says_why(asked: Asked) -> None:
    def broken(_: Asked) -> Work:
        yield 0, 1, "training"
        raise BadInput("the loss is not finite")

    with pytest.raises(BadInput):
        robust.here(asked, broken, deaf)
    now = robust.standing(asked)
    assert now is not None
    assert (now.state, now.error) == ("failed", "the loss is not finite")


def test_what_dies_without_a_word_is_interrupted(asked: Asked) -> None:
    asked.folder.mkdir(parents=True)
    (asked.folder / "state.json").write_text('{"state": "running", "done": 2, "total": 9, "t": 0}')
    now = robust.standing(asked)
    assert now is not None
    assert (now.state, now.done) == ("interrupted", 2)
    (asked.folder / "state.json").write_text("{torn")
    assert robust.standing(asked) is None
    (asked.folder / "result.json").write_text("[]")
    assert robust.result(asked) is None


def test_what_does_not_go_together_is_refused_before_anything_starts(asked: Asked) -> None:
    with pytest.raises(BadInput, match="nothing"):
        robust.start(robust.ask(SPACE, ARCH, "nothing"))
    assert not (asked.folder.parent).exists()


@pytest.mark.slow
def test_a_process_of_its_own_waits_for_its_turn_and_leaves_a_result(asked: Asked) -> None:
    asked.folder.parent.mkdir(parents=True)
    turn = hold(asked.folder.parent / "turn")
    assert turn is not None
    robust.start(asked)
    with pytest.raises(Busy):
        robust.start(asked)
    until = time.monotonic() + 120
    while "another" not in (now := robust.standing(asked)).what and time.monotonic() < until:  # type: ignore[union-attr] -- it was started
        time.sleep(0.1)
    assert now is not None
    assert now.state == "waiting"
    os.close(turn)
    while (now := robust.standing(asked)) is not None and now.live and time.monotonic() < until:
        time.sleep(0.2)
    assert state(asked) == "finished", (asked.folder / "log.txt").read_text()
    for child in jobs._children:
        child.wait(30)
    found = robust.result(asked)
    assert found is not None
    assert found["robustness"]["noise"][0] == found["accuracy"]
    assert json.loads((asked.folder / "asked.json").read_text())["spec"] == asked.spec
