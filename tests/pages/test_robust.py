"""Robustness and sharpness on the Architecture page: nothing known, at work, measured, failed."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from nascore.runs import launch, robust
from nascore.runs.robust import Asked
from nascore.spaces.nasbench201 import Nasbench201
from nascore.view import figures_robust
from nascore.view.tokens import DARK, LIGHT
from pages.parts.archrobust import NAMES
from tests.pages.conftest import Open, said

SHIPPED = Path(__file__).parents[2] / "data" / "tables" / "nasbench_digits"
SPACE = Nasbench201(1, 4, 1, 4)
ARCH = (3, 1, 2, 3, 4, 3)
TEXT = "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_3x3~2|"
ADDRESS = {
    "space": "nasbench201", "cells": "1", "channels": "4", "stages": "1", "stem_stride": "4",
    "task": "digits", "arch": TEXT,
}  # fmt: skip
FOUND: dict[str, Any] = {
    "space": "nasbench201", "key": "k", "table": "", "data": "digits", "epochs": 10, "seed": 0, "images": 400,
    "accuracy": 0.9, "robustness": {k: [0.9, 0.8, 0.6, 0.25] for k in NAMES},
    "attack_eps": [0, 0.05, 0.1, 0.2], "sharpness_images": 256,
    "sharpness": {"loss": 0.3, "top_eigenvalue": 12.3, "eigenvalue_residual": 1e-9, "trace": 120.0,
                  "trace_error": 4.0, "rise": 0.1},
    "line": {"at": [-1, 0, 1], "losses": [2.0, 0.3, None]},
    "plane": {"at": [-1, 0, 1], "losses": [[2, 1, 2], [1, 0.3, 1], [2, 1, None]]},
    "seconds": {"training": 1.0, "robustness": 1.0, "sharpness": 1.0},
}  # fmt: skip


@pytest.fixture
def asked(home: Path) -> Asked:
    return robust.ask(SPACE, ARCH, "digits")


def write(asked: Asked, name: str, data: object) -> None:
    asked.folder.mkdir(parents=True, exist_ok=True)
    (asked.folder / name).write_text(json.dumps(data))


def labels(at: AppTest) -> list[str]:
    return [b.label for b in at.button]


def test_nothing_is_known_at_first_and_one_click_begins(
    visit: Open, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Asked] = []
    monkeypatch.setattr(robust, "start", begun.append)
    at = visit("architecture", **ADDRESS)
    assert "are not known yet" in said(at)
    assert "10 epochs on digits, seed 0" in said(at)
    at.button(key="robust_run").click().run()
    assert begun == [asked]
    at = visit("architecture", **ADDRESS, training="2")
    at.button(key="robust_run").click().run()
    assert begun[-1].spec["seed"] == 2


def test_a_table_of_another_size_does_not_stand_for_this_network(visit: Open, asked: Asked) -> None:
    shutil.copytree(SHIPPED, launch.home() / "tables" / "nasbench_digits")
    at = visit("architecture", **ADDRESS)
    assert "10 epochs on digits, seed 0" in said(at)
    assert at.selectbox(key="robust_as").options == [
        "this network, usual recipe", "NAS-Bench-digits, in its size",
    ]  # fmt: skip
    at = visit("architecture", **{**ADDRESS, "channels": "8", "stem_stride": "2"})
    assert "10 epochs on digits as in NAS-Bench-digits, seed 0" in said(at)


def test_what_is_measured_is_shown_with_protocol_and_errors(visit: Open, asked: Asked) -> None:
    write(asked, "result.json", FOUND)
    at = visit("architecture", **ADDRESS)
    assert "robust_run" not in [b.key for b in at.button]
    words = said(at)
    assert "digits · 10 epochs · seed 0 · trained here · test · 400 images" in words
    assert "± 4.00 standard error" in words
    assert "converged" in words
    assert {m.label: m.value for m in at.metric}["Top Hessian eigenvalue"] == "12.3"


def test_work_in_progress_can_be_canceled(visit: Open, asked: Asked) -> None:
    write(asked, "state.json", {"state": "waiting", "t": time.time(), "what": "another network"})
    at = visit("architecture", **ADDRESS)
    assert "another network" in said(at)
    at.button(key="robust_cancel").click().run()
    assert (asked.folder / "stop").exists()


def test_work_in_progress_tells_how_far_it_is_and_what_is_left(visit: Open, asked: Asked) -> None:
    write(asked, "state.json", {"state": "waiting", "t": time.time(), "done": 3, "total": 40,
                                "what": "training", "left_seconds": 110})  # fmt: skip
    at = visit("architecture", **ADDRESS)
    told = at.get("progress")[0].proto.text
    assert told == "3 of 40 · training · about 2\u00a0min left"


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (
            {"state": "failed", "t": 0, "error": "the loss is not <b>finite</b>"},
            "the loss is not <b>finite</b>",
        ),
        ({"state": "running", "t": 0, "done": 3, "total": 9}, "its process ended without a result"),
    ],
)
def test_an_end_without_a_result_says_why_and_offers_another_try(
    visit: Open, asked: Asked, state: dict[str, Any], told: str
) -> None:
    write(asked, "state.json", state)
    at = visit("architecture", **ADDRESS)
    assert told in said(at)
    assert at.button(key="robust_run").label == "Try again"


def test_a_refusal_is_a_sentence(visit: Open, asked: Asked) -> None:
    asked.folder.parent.parent.mkdir(exist_ok=True)
    asked.folder.parent.write_text("a file where the folder should be")
    at = visit("architecture", **ADDRESS)
    at.button(key="robust_run").click().run()
    assert "the measurement cannot be noted" in said(at)


@pytest.mark.parametrize("t", [LIGHT, DARK], ids=["light", "dark"])
def test_figures_hold_every_number_and_leave_gaps(t: Any) -> None:
    rows = figures_robust.severities(FOUND["robustness"], NAMES, t).data[0]
    assert list(rows.y) == list(NAMES.values())
    assert rows.z[0].tolist() == [90, 80, 60, 25]
    line = figures_robust.line(FOUND["line"], t).data[0]
    assert line.y[1] == 0.3
    assert line.y[2] != line.y[2]
    plane = figures_robust.plane(FOUND["plane"], t).data[0]
    assert plane.customdata[1][1] == 0.3
    assert plane.z[2][2] != plane.z[2][2]


def test_a_plane_without_any_value_is_empty() -> None:
    found = {"at": [-1, 0, 1], "losses": [[None] * 3] * 3}
    assert figures_robust.plane(found, LIGHT).data[0].colorbar.tickvals == ()
