from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from nascore.graph import Piece
from nascore.view import pieces, svg
from nascore.view.tokens import DARK, LIGHT


def leaf(id: str, op: str = "", flops: int = 0, label: str = "") -> Piece:
    return Piece(id, label or id.rpartition("/")[2], op, (4, 8, 8), flops // 10, flops, flops / 1e6)


def row(id: str, *inside: Piece, extra: tuple[tuple[str, str, int], ...] = ()) -> Piece:
    """Parts one after the other, and more links."""
    chain = [("in0", inside[0].id, 0), *((a.id, b.id, 0) for a, b in pairwise(inside))]
    links = (*chain, (inside[-1].id, "out", 0), *extra)
    flops = sum(p.flops for p in inside)
    return Piece(
        id, id.rpartition("/")[2] or "network", "", (4, 8, 8), flops // 10, flops, flops / 1e6, inside, links
    )


def block(id: str, flops: int = 900_000) -> Piece:
    one, two = leaf(f"{id}/conv", "conv_3x3", flops), leaf(f"{id}/pool", "avg_pool")
    return row(id, one, two, leaf(f"{id}/~add", label="+"), extra=(("in0", f"{id}/~add", 1),))


def network(blocks: int = 3) -> Piece:
    return row(
        "",
        leaf("stem", "conv_3x3", 100_000),
        *(block(f"b{i}") for i in range(blocks)),
        leaf("head", "mlp", 10),
    )


def words(drawing: dict) -> list[str]:
    return [item["s"] for item in drawing["items"] if item["t"] == "text"]


def rects(drawing: dict, cls: str) -> list[dict]:
    return [item for item in drawing["items"] if item["t"] == "rect" and item["cls"].split()[0] == cls]


def test_folded_pieces_say_shape_and_cost_and_can_be_picked() -> None:
    drawing = pieces.draw(network(), [], LIGHT)
    assert "4 x 8 x 8 · 900\u00a0k" in words(drawing)
    ids = {item["id"] for item in drawing["items"] if "id" in item}
    assert {"node-b0", "node-stem", "node-input", "node-output"} <= ids
    assert pieces.picked_id("node-b0") == "b0"
    assert pieces.picked_id("edge-b0-b1") == pieces.picked_id(None) == ""


def test_unfolding_shows_what_is_inside_and_the_skip_past_it() -> None:
    drawing = pieces.draw(network(), ["b1"], LIGHT)
    assert {"conv: conv 3x3", "pool: avg pool 3x3", "+"} <= set(words(drawing))
    skip = [i for i in drawing["items"] if i.get("id") == "edge-b0-b1/~add"]
    assert skip[0]["stroke-dasharray"]
    assert "past others" in skip[0]["tip"]


def test_what_costs_more_is_darker_and_has_the_longer_bar() -> None:
    drawing = pieces.draw(network(), [], LIGHT, paint="params")
    bars = [r["width"] for r in rects(drawing, "bar")]
    tints = [r["fill-opacity"] for r in rects(drawing, "tint")]
    assert max(bars) > 5 * min(bars)
    assert max(tints) > min(tints)


@pytest.mark.parametrize(
    ("paint", "said"), [("ms", "0.900\u00a0ms"), ("params", "90.0\u00a0k"), ("size", "4 x 8 x 8")]
)
def test_the_number_on_a_card_is_the_one_it_is_painted_by(paint: str, said: str) -> None:
    assert any(w.endswith(said) for w in words(pieces.draw(network(), [], LIGHT, paint=paint)))


def test_what_was_not_measured_has_no_number_and_no_paint() -> None:
    drawing = pieces.draw(
        row("", replace(leaf("a"), ms=None), replace(leaf("b"), ms=None)), [], LIGHT, paint="ms"
    )
    assert "4 x 8 x 8" in words(drawing)
    assert not rects(drawing, "tint")


def test_cards_do_not_overlap() -> None:
    drawing = pieces.draw(network(4), ["b0", "b2"], LIGHT)
    cards = [r for r in rects(drawing, "stage") + rects(drawing, "node") if r["height"] == pieces.HIGH]
    front = {r["id"]: r for r in cards}.values()
    for a in front:
        for b in front:
            apart = a is b or a["x"] + a["width"] <= b["x"] or b["x"] + b["width"] <= a["x"]
            assert apart or a["y"] + a["height"] <= b["y"] or b["y"] + b["height"] <= a["y"]
    assert all(r["x"] >= 0 and r["x"] + r["width"] <= drawing["w"] for r in cards)


def test_sixty_parts_are_drawn_in_under_half_a_second() -> None:
    opened = [f"b{i}" for i in range(19)]
    whole = network(19)
    took = []
    for _ in range(3):
        began = time.process_time()
        drawing = pieces.draw(whole, opened, LIGHT)
        took.append(time.process_time() - began)
    assert len({i["id"] for i in drawing["items"] if str(i.get("id", "")).startswith("node-")}) == 61
    print(f"61 parts laid out and drawn in {sorted(took)[1] * 1e3:.0f} ms of processor time")
    assert sorted(took)[1] < 0.5


def test_a_difference_is_told_by_sign_and_color_and_the_rest_fades() -> None:
    was = network(2)
    other = block("b1", 100_000)
    now = row("", *was.pieces[:2], other, leaf("new", "skip"), was.pieces[-1])
    states = pieces.compared(now, was)
    assert (states["b0"], states["b1"], states["b1/conv"], states["new"]) == (
        "same",
        "changed",
        "changed",
        "added",
    )
    drawing = pieces.draw(now, [], LIGHT, states=states)
    assert {"≠ b1", "+ new: skip"} <= set(words(drawing))
    faded = [i for i in drawing["items"] if i.get("id") == "node-b0"]
    assert all(i["opacity"] == 0.4 for i in faded)


def test_equal_networks_have_no_difference() -> None:
    assert set(pieces.compared(network(), network()).values()) == {"same"}


def test_a_change_deep_inside_marks_what_holds_it() -> None:
    assert pieces.compared(row("", block("a", 1)), row("", block("a", 2)))["a"] == "changed"


def test_a_network_in_one_wrapping_is_unfolded_at_first() -> None:
    whole = row("", row("body", *(block(f"body/{i}") for i in range(3))), leaf("head", "mlp", 5))
    assert pieces.at_first(whole) == ["body"]
    assert pieces.at_first(network()) == []


def test_hostile_names_stay_text_in_the_file() -> None:
    whole = row("", leaf('x"/><script>', "conv_3x3", 5), leaf("</svg>", label="<b>&\x00"))
    root = ElementTree.fromstring(svg.sheet([pieces.draw(whole, [], DARK)], DARK))  # noqa: S314
    assert {e.tag.rpartition("}")[2] for e in root.iter()} == {
        "svg",
        "style",
        "rect",
        "title",
        "path",
        "text",
    }


def test_a_picked_piece_is_ringed() -> None:
    drawing = pieces.draw(network(), [], LIGHT, picked="node-b1")
    assert {i["id"] for i in drawing["items"] if "pick" in i["cls"].split()} == {"node-b1"}
