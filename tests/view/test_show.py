from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from pages.parts.show import STATES, badge, chip, clicked, plain

ZERO = "\u200b"


def test_markup_is_escaped_character_by_character() -> None:
    assert plain("*a* [b](c) $x$ <i>") == r"\*a\* \[b\]\(c\) \$x\$ \<i\>"


@pytest.mark.parametrize("text", [":material/home:", "http://a.example", "me@a.example", "www.a.example"])
def test_what_is_replaced_after_parsing_is_broken_by_a_space_without_width(text: str) -> None:
    said = plain(text)
    assert ZERO in said
    assert said.replace(ZERO, "").replace("\\", "") == text


@pytest.mark.parametrize("text", ["a -> b", "a <- b", "a -- b", "a >= b", "a <= b", "a ~= b", "a <-> b"])
def test_arrows_and_comparisons_stay_as_typed(text: str) -> None:
    said = plain(text).replace("\\", "")
    assert ZERO in said
    assert said.replace(ZERO, "") == text


def test_ordinary_titles_are_left_alone() -> None:
    assert plain("DARTS on CIFAR10, 3 seeds") == "DARTS on CIFAR10, 3 seeds"


def test_long_texts_become_one_line_of_the_limit() -> None:
    assert plain("a\nb\tc\x00  d") == "a b c d"
    assert plain("x" * 200) == "x" * 119 + "…"


def test_a_badge_cannot_be_closed_from_inside() -> None:
    assert badge(STATES, "failed", "x] y") == r":red-badge[:material/error: x\] y]"
    assert badge(STATES, "strange") == ":gray-badge[:material/help: strange]"
    assert chip("a]") == r":gray-badge[a\]]"


@pytest.mark.parametrize(
    ("data", "key"),
    [("k1", "k1"), (["k1", 2], "k1"), ({"0": "k1", "1": 2}, "k1"), (None, None), ([], None)],
)
def test_the_clicked_key_is_found_in_every_form_of_customdata(data: object, key: str | None) -> None:
    assert clicked({"selection": {"points": [{"customdata": data}]}}) == key


@pytest.mark.parametrize("event", [None, {}, {"selection": {"points": []}}])
def test_no_click_is_no_key(event: dict | None) -> None:
    assert clicked(event) is None


def page() -> None:
    import streamlit as st

    from nascore.view.figures import anytime
    from pages.parts import show

    show.style()
    show.head("Runs <b>", "How is it going?", "Read it so.")
    show.number("Latency", "68.4 ms", "Raspberry Pi 4", note="mean")
    show.empty("monitoring", "No run yet.", "Start one.")
    show.error_box("It stopped.", "5 GB asked", "Resume", "7F3A")
    show.panel("Error", "", anytime({"a": [[9.0, 8.0]]}, show.theme()), "chart", "falling error")
    st.markdown(show.badge(show.STATES, "running"))


def test_all_parts_of_a_page_render_together() -> None:
    app = AppTest.from_function(page).run(timeout=30)
    assert not app.exception
    assert app.title[0].value == r"Runs \<b\>"
    assert app.metric[0].value == "68.4 ms"
    assert "5 GB asked" in app.error[0].value
    assert len(app.get("plotly_chart")) == 1
