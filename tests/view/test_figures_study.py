"""Pictures of studies: what the result file says is what is drawn."""

from __future__ import annotations

import math

import pytest

from nascore.studies import STUDIES, results
from nascore.view.figures_study import study
from nascore.view.tokens import DARK, LIGHT

WHISKERS = {
    "kind": "whiskers", "x": "rho", "names": ["a", "b"], "values": [0.5, -0.1], "low": [0.4, -0.2],
    "high": [0.7, 0.1], "marked": "a",
}  # fmt: skip


def test_a_whisker_reaches_from_low_to_high() -> None:
    fig = study(WHISKERS, LIGHT)
    assert fig is not None
    first = fig.data[0]
    assert first.x[0] + first.error_x.array[0] == pytest.approx(0.7)
    assert first.x[0] - first.error_x.arrayminus[0] == pytest.approx(0.4)
    assert first.marker.color == LIGHT.accent
    assert fig.data[1].marker.color == LIGHT.muted
    assert len(fig.layout.shapes) == 1  # zero lies among them


def test_a_log_scale_has_no_zero() -> None:
    fig = study({**WHISKERS, "log": True}, LIGHT)
    assert fig is not None
    assert fig.layout.xaxis.type == "log"
    assert not fig.layout.shapes


def test_marked_dots_are_told_apart() -> None:
    made = {"kind": "dots", "x": "a", "y": "b", "xs": [1, 2, 3], "ys": [4, 5, 6], "marked": [1, 99]}
    fig = study(made, DARK)
    assert fig is not None
    assert [list(trace.x) for trace in fig.data] == [[1, 3], [2]]


def test_a_line_ends_where_its_numbers_do_and_has_a_band() -> None:
    one = {"name": "ours", "x": [1, 2, 3], "y": [1, 2, 4], "low": [0, 1, 3], "high": [2, 3, 5]}
    fig = study({"kind": "lines", "x": "t", "y": "v", "series": [one]}, LIGHT)
    assert fig is not None
    assert list(fig.data[-1].y) == [1, 2, 4]
    assert list(fig.data[0].y) == [2, 3, 5]


def test_names_from_a_file_are_no_markup() -> None:
    fig = study({**WHISKERS, "names": ["<b>a</b>", "b"]}, LIGHT)
    assert fig is not None
    assert "<b>" not in fig.to_json()


@pytest.mark.parametrize(
    "broken", [{}, {"kind": "cake"}, {"kind": "whiskers"}, {**WHISKERS, "low": [None, "x"]}]
)
def test_what_cannot_be_drawn_is_no_figure(broken: dict[str, object]) -> None:
    assert study(broken, LIGHT) is None


@pytest.mark.parametrize("key", STUDIES)
def test_every_shipped_picture_can_be_drawn(key: str) -> None:
    known = results.shipped(key)
    assert known is not None
    fig = study(known["picture"], LIGHT)
    assert fig is not None
    assert all(math.isfinite(v) for trace in fig.data for v in trace.x)
