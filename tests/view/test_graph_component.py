from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest

SCRIPT = Path(__file__).parents[2] / "pages/parts/graph/graph.js"


def page() -> None:
    import streamlit as st

    from nascore.graph import Edge, Graph, Node
    from nascore.view import scene
    from nascore.view.tokens import LIVE
    from pages.parts.graph import graph

    cell = Graph((Node("0", "input"), Node("1", "output")), (Edge("0", "1", "nor_conv_3x3"),))
    drawn = graph(scene.cell(cell, LIVE), key="cell", pick=True)
    st.text(f"picked {drawn.picked}")


def test_nothing_is_picked_at_first_and_a_pick_arrives() -> None:
    app = AppTest.from_function(page).run(timeout=30)
    assert not app.exception
    assert app.text[0].value == "picked None"
    app.session_state["cell"] = {"picked": "edge-0-1"}
    assert app.run(timeout=30).text[0].value == "picked edge-0-1"


def test_the_script_writes_text_nodes_only() -> None:
    source = SCRIPT.read_text(encoding="utf-8")
    assert "textContent" in source
    assert not [
        word for word in ("innerHTML", "outerHTML", "insertAdjacent", "eval(", "import(") if word in source
    ]


def test_what_the_browser_runs_is_the_source_itself() -> None:
    """There is no bundle to rebuild: one module that imports nothing and exports its one function."""
    source = SCRIPT.read_text(encoding="utf-8")
    assert "import " not in source
    assert "require(" not in source
    assert source.count("export default function") == 1
    assert {p.suffix for p in SCRIPT.parent.iterdir() if p.is_file()} <= {".py", ".js", ".css"}
