from __future__ import annotations

from base64 import b64decode
from xml.etree import ElementTree

import pytest

from nascore.graph import Edge, Graph, Node
from nascore.view import scene, svg
from nascore.view.tokens import DARK, LIGHT
from tests.view.graphs import CONV, cell101, cell201, network

NS = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<script>alert(1)</script>",
    '"/><image href="x"/>',
    "]]>&amp;'",
    "a\x00b\x1bc",
    "\ud800",
    "…" * 90,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    nodes = (Node("a", text), Node(text, "b"))
    graph = Graph(nodes, (Edge("a", text, text),))
    root = ElementTree.fromstring(svg.write(scene.cell(graph, LIGHT, label=text), LIGHT))  # noqa: S314
    tags = {element.tag for element in root.iter()}
    assert tags <= {NS + tag for tag in ("svg", "title", "style", "rect", "path", "text")}
    assert {name for element in root.iter() for name in element.attrib if name.startswith("on")} == set()


def test_text_that_is_escaped_reads_as_it_was() -> None:
    root = ElementTree.fromstring(svg.write(scene.cell(cell201("<b>&", *[CONV] * 5), LIGHT), LIGHT))  # noqa: S314
    assert "<b>&" in [element.text for element in root.iter(NS + "text")]


@pytest.mark.parametrize("t", [LIGHT, DARK], ids=lambda t: t.mode)
def test_a_file_has_its_size_and_its_paper(t) -> None:
    text = svg.write(scene.macro(network(), t), t, paper=True, size=(640, 120))
    assert 'width="640" height="120"' in text
    assert f'fill="{t.paper}"' in text


def test_test_ids_are_in_the_file() -> None:
    assert 'data-testid="edge-1-3"' in svg.write(scene.cell(cell201(*[CONV] * 6), LIGHT), LIGHT)


@pytest.mark.parametrize(
    "graph", [cell201(*[CONV] * 6), cell101(["01", "19"], _1="maxpool3x3"), Graph((), ())]
)
def test_a_thumbnail_is_an_image_address(graph: Graph) -> None:
    address = svg.thumbnail(graph, LIGHT)
    head, body = address.split(",")
    root = ElementTree.fromstring(b64decode(body))  # noqa: S314
    assert head == "data:image/svg+xml;base64"
    assert (root.tag, root.get("width")) == (NS + "svg", "136")


def test_several_drawings_stand_one_below_the_other() -> None:
    one, two = scene.cell(cell201(*[CONV] * 6), LIGHT), scene.macro(network(), LIGHT)
    root = ElementTree.fromstring(svg.sheet([one, two], LIGHT))  # noqa: S314
    inner = root.findall(f"{NS}svg")
    assert [float(e.get("y", 0)) for e in inner] == [28, 28 + one["h"] + 28]
    assert int(root.get("height", 0)) == one["h"] + two["h"] + 3 * 28


def test_a_png_has_words_on_it() -> None:
    with_words = svg.png(svg.sheet([scene.cell(cell201(*[CONV] * 6), LIGHT)], LIGHT), zoom=1)
    without = svg.png(svg.sheet([scene.cell(cell201(*[CONV] * 6), LIGHT, bare=True)], LIGHT), zoom=1)
    assert with_words.startswith(b"\x89PNG")
    assert len(with_words) > 1.5 * len(without)
