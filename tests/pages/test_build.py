"""Build: edits as functions of documents, and the page without a browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from nascore.codec import arch_to_json, dumps, from_json, to_json
from nascore.errors import BadInput
from nascore.runs import drafts
from nascore.space import size
from nascore.spaces.cell import Cell
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tables import table
from pages.parts import builddoc, buildedit, buildscene, draftbar, stageedit
from tests.pages.conftest import Open, asked, said
from tests.pages.conftest import read as shown

needs_stages = pytest.mark.skipif("stages" not in table("space"), reason="spaces of stages are not there")
OPS = ("none", "skip_connect", "nor_conv_1x1")


def drawn(count: int, *links: tuple[int, int]) -> dict[str, Any]:
    """A cell with these edges, drawn one by one."""
    document = buildedit.blank()
    for _ in range(count - 2):
        document = buildedit.add_node(document)
    for source, target in links:
        document = buildedit.join(document, source, target)
    return document


def test_a_cell_drawn_edge_by_edge_is_the_one_written_as_data() -> None:
    document = drawn(3, (0, 1), (1, 2), (0, 2))
    assert from_json("space", document) == Cell(3, ((0, 1), (0, 2), (1, 2)))
    assert buildedit.faults(document) == []


def test_an_edit_leaves_the_document_before_as_it_was() -> None:
    document = drawn(3, (0, 1), (1, 2))
    before = json.dumps(document)
    buildedit.join(document, 0, 2)
    buildedit.tick(document, (0, 1), OPS)
    buildedit.remove(document, "node-1")
    assert json.dumps(document) == before


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        (2, 1, "would close a circle"),
        (1, 1, "cannot lead to itself"),
        (1, 0, "into an input"),
        (3, 1, "out of the output"),
        (0, 1, "there already"),
        (0, 9, "there is no node 9"),
    ],
)
def test_an_edge_that_cannot_be_is_refused(source: int, target: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        buildedit.join(drawn(4, (0, 1), (1, 2)), source, target)


def test_an_edge_back_numbers_the_nodes_anew_and_operations_go_with_them() -> None:
    document = buildedit.tick(drawn(4, (0, 2), (2, 3)), (0, 2), OPS)
    new = buildedit.join(document, 2, 1)
    assert buildedit.edges(new) == [(0, 1), (1, 2), (1, 3)]
    assert buildedit.operations(new)[0, 1] == OPS


def test_removing_a_node_takes_its_edges_and_numbers_the_rest() -> None:
    new = buildedit.remove(drawn(4, (0, 1), (1, 3), (0, 2), (2, 3)), "node-1")
    assert (buildedit.nodes(new), buildedit.edges(new)) == (3, [(0, 1), (1, 2)])
    with pytest.raises(BadInput, match="keeps its input and output"):
        buildedit.remove(new, "node-2")


def test_moving_a_node_past_one_that_it_feeds_is_refused() -> None:
    document = drawn(4, (0, 1), (1, 2), (2, 3))
    with pytest.raises(BadInput, match="stays left of it"):
        buildedit.move(document, 1, 2)
    free = buildedit.tick(drawn(4, (0, 1), (0, 2), (1, 3), (2, 3)), (0, 1), OPS)
    assert buildedit.operations(buildedit.move(free, 1, 2))[0, 2] == OPS


def test_what_is_missing_is_said_of_its_part() -> None:
    document = drawn(4, (0, 1), (1, 3))
    assert [(f.part, "reached by nothing" in f.text) for f in buildedit.faults(document)] == [
        ("node-2", True)
    ]
    lone = buildedit.join(document, 0, 2)
    assert "leads nowhere" in buildedit.faults(lone)[0].text
    empty = buildedit.tick(drawn(2, (0, 1)), (0, 1), ())
    assert "has no operation" in buildedit.faults(empty)[0].text
    assert "no edge" in buildedit.faults(buildedit.blank())[0].text


def test_a_ready_space_stays_itself_until_its_drawing_is_edited() -> None:
    document = builddoc.whole("nasbench201")
    assert from_json("space", document) == Nasbench201()
    assert from_json("space", builddoc.core(document)) == Nasbench201().cell
    assert from_json("space", buildedit.set_knob(document, "cells", 2)) == Nasbench201(cells=2)
    one = buildedit.tick(document, (0, 3), ("skip_connect", "nor_conv_3x3"))
    assert one["name"] == "cell"
    assert size(from_json("space", one)) == 5**5 * 2


def test_what_a_ready_space_keeps_closed_stays_closed_when_it_is_edited() -> None:
    document = builddoc.whole("darts")
    assert builddoc.is_cell(document)
    edited = buildedit.set_knob(document, "combine", "concat")
    assert edited["knobs"]["space"]["name"] == "cell"
    assert size(from_json("space", edited)) == size(from_json("space", document))


def test_a_skeleton_with_other_choices_is_no_drawing_of_a_space() -> None:
    document = builddoc.whole("nasnet")  # has a cell of its own, which is only the network around it
    assert builddoc.core(document) == document
    assert not builddoc.is_cell(document)


RECIPES = {"name": "training", "knobs": {"rates": [0.1], "optimizers": ["sgd"], "schedules": ["cosine"]}}


def test_added_choices_make_a_product_and_go_again() -> None:
    document = builddoc.whole("nasbench201")
    assert "training" in builddoc.addable()
    more = builddoc.add_part(document, "training")
    assert size(from_json("space", more)) == 15625 * size(table("space")["training"]())
    more = builddoc.set_part(more, "training", "epochs", [1, 2, 3])
    assert size(from_json("space", more)) == 3 * 15625 * size(table("space")["training"]())
    assert builddoc.drop_part(more, "training") == document


def test_what_is_closed_stays_closed_when_choices_are_added_and_taken_away() -> None:
    document = builddoc.shrink(builddoc.whole("nasbench201"), "edge_1_0", ["none", "skip_connect"])
    more = builddoc.add_part(document, "training")
    assert builddoc.allowed(more) == {"arch.edge_1_0": ["none", "skip_connect"]}
    less = builddoc.shrink(more, "training.optimizer", ["sgd"])
    assert size(from_json("space", less)) * 4 == 2 * 5**5 * (3 * 2 * 2) * 4
    assert builddoc.drop_part(less, "training") == document


def test_a_drawing_is_edited_inside_a_product_and_names_of_its_parts_stay() -> None:
    parts = [{"name": "nasbench201"}, RECIPES]
    document = builddoc.whole({"name": "product", "knobs": {"parts": parts, "names": ["net", "how"]}})
    closed = builddoc.shrink(document, "how.smoothing", [0.1])
    new = buildedit.tick(closed, (0, 1), ("none", "skip_connect"))
    assert new["knobs"]["space"]["knobs"]["names"] == ["net", "how"]
    assert size(from_json("space", new)) == 2 * 5**5
    assert builddoc.set_part(new, "training", "epochs", [1, 2])["knobs"]["allowed"] == {
        "how.smoothing": [0.1]
    }


def test_restrictions_inside_a_product_come_out_of_it() -> None:
    inside = {"name": "restrict", "knobs": {"space": RECIPES, "allowed": {"smoothing": [0.1]}}}
    document = {"name": "product", "knobs": {"parts": ["nasbench201", inside]}}
    found = builddoc.whole(document)
    assert (found["name"], found["knobs"]["allowed"]) == ("restrict", {"training.smoothing": [0.1]})
    assert size(from_json("space", found)) == size(from_json("space", document))


def test_closing_options_restricts_and_opening_all_ends_it() -> None:
    document = builddoc.whole("nasbench201")
    small = builddoc.shrink(document, "edge_1_0", ["none", "skip_connect"])
    assert size(from_json("space", small)) == 2 * 5**5
    every = list(Nasbench201().choices()[0].options)
    assert builddoc.shrink(small, "edge_1_0", every) == document
    assert buildedit.remove(small, "edge-0-3")["name"] == "restrict"
    other = builddoc.shrink(document, "edge_3_0", ["none", "skip_connect"])
    assert buildedit.remove(other, "edge-0-3")["name"] == "cell"  # the choice is gone, and so is its closing


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (15625, "15,625"),
        (10**15, "1.00 × 10¹⁵"),
        (25 * 10**30, "2.50 × 10³¹"),
        (10**300, "1.00 × 10³⁰⁰"),
        pytest.param(5**10_000, "5.01 × 10⁶⁹⁸⁹", id="huge"),
    ],
)
def test_counts_of_any_size_are_written_in_words(n: int, text: str) -> None:
    assert buildscene.big(n).replace("\u00a0", " ") == text


def test_a_choice_that_keeps_only_its_open_options_is_closed_no_more() -> None:
    small = builddoc.shrink(builddoc.whole("nasbench201"), "edge_3_0", ["none", "skip_connect"])
    assert buildedit.tick(small, (0, 3), ("none", "skip_connect"))["name"] == "cell"
    assert buildedit.tick(small, (0, 1), ("none", "skip_connect"))["name"] == "restrict"


def test_versions_are_compared_in_sentences() -> None:
    a = builddoc.whole("nasbench201")
    b = buildedit.set_knob(buildedit.tick(a, (0, 1), OPS), "cells", 3)
    lines = draftbar.differences(a, b)
    assert "architectures: 15,625 became 9,375" in lines
    assert "edge_1_0: now without nor_conv_3x3, avg_pool_3x3" in lines
    assert "cells: 5 became 3" in lines
    assert draftbar.differences(a, a) == []


def test_a_second_input_comes_in_and_goes_with_its_edges() -> None:
    document = drawn(3, (0, 1), (1, 2))
    two = buildedit.set_knob(document, "inputs", 2)
    assert (buildedit.nodes(two), buildedit.edges(two)) == (4, [(0, 2), (2, 3)])
    assert "Input 2 leads nowhere" in buildedit.faults(two)[0].text
    joined = buildedit.join(two, 1, 2)
    assert [buildedit.label(joined, n) for n in range(4)] == ["input 1", "input 2", "2", "output"]
    assert buildedit.set_knob(joined, "inputs", 1) == document


def test_operations_move_from_edges_to_nodes_and_back() -> None:
    document = buildedit.tick_all(drawn(4, (0, 1), (0, 2), (1, 3), (2, 3)), OPS)
    there = buildedit.set_knob(document, "ops_on", "nodes")
    assert buildedit.operations(there) == {1: OPS, 2: OPS}
    assert size(from_json("space", there)) == 9
    assert buildedit.set_knob(there, "ops_on", "edges") == document


def test_a_concatenation_takes_what_nothing_uses() -> None:
    document = buildedit.set_knob(drawn(4, (0, 1), (1, 2)), "combine", "concat")
    assert buildedit.implied(document) == [(2, 3)]
    assert buildedit.faults(document) == []
    lines = buildscene.graph(document).edges
    assert [(e.source, e.target, e.op, e.dead) for e in lines][-1] == ("2", "3", "concat", False)


@needs_stages
def test_stages_are_added_moved_changed_and_removed() -> None:
    document = builddoc.whole("stages")
    before = stageedit.stages(document)
    more = stageedit.add(document, 0)
    assert [s["strides"] for s in stageedit.stages(more)][:2] == [before[0]["strides"], [1]]
    wide = stageedit.set_option(more, 1, "widths", [8, 16, 24])
    assert size(from_json("space", wide)) * 2 == size(from_json("space", more)) * 3
    assert stageedit.stages(stageedit.move(wide, 1, 1))[2]["widths"] == [8, 16, 24]
    assert from_json("space", stageedit.remove(more, 1)) == from_json("space", document)
    with pytest.raises(BadInput, match="is even"):
        stageedit.set_option(document, 0, "kernels", [4])


@needs_stages
def test_a_space_of_stages_is_edited_on_the_page(visit: Open) -> None:
    draft = drafts.create(builddoc.whole("stages"))
    at = visit("build", space=draft.id)
    first = at.metric[0].value
    at.text_input(key="build_stage_0_widths").input("8, 16, 24").run()
    assert not at.exception
    assert at.metric[0].value != first
    at.text_input(key="build_stage_0_kernels").input("4").run()
    assert "4 is even" in said(at)
    at.button(key="build_stage_add").click().run()
    assert len(stageedit.stages(drafts.open_draft(draft.id).document)) == 3


# The page ----------------------------------------------------------------------------------------------


def test_the_empty_page_says_how_to_begin_and_a_preset_opens(visit: Open) -> None:
    at = visit("build")
    assert "Nothing was drawn yet" in said(at)
    at.button(key="build_from").click().run()
    assert not at.exception
    assert at.metric[0].value == "15,625"
    assert "an edit of the drawing makes it one of your own" in said(at)
    assert drafts.open_draft(asked(at, "space")).document == builddoc.whole("nasbench201")


def test_an_edit_drawn_before_nodes_got_other_numbers_is_refused(home: Path) -> None:
    draft = drafts.create(drawn(2, (0, 1)))

    def page(id: str, revision: int) -> None:
        import streamlit as st

        from pages.parts import buildedit, buildstate

        st.query_params["space"] = id
        buildstate.opened()
        buildstate.change(buildedit.add_node)
        buildstate.change(lambda d: buildedit.join(d, 0, 1), since=revision)
        st.markdown(buildstate.refusal("drawing"))

    at = AppTest.from_function(page, args=(draft.id, draft.revision)).run()
    assert not at.exception
    assert "the drawing had changed" in at.markdown[0].value
    assert buildedit.edges(drafts.open_draft(draft.id).document) == [(0, 2)]


@pytest.mark.parametrize("name", draftbar.presets())
def test_every_ready_space_opens_and_can_be_saved(visit: Open, name: str) -> None:
    draft = drafts.create(builddoc.whole(name))
    at = visit("build", space=draft.id)
    assert not at.error
    assert at.metric[0].value == buildscene.big(size(from_json("space", draft.document)))
    at.button(key="build_save").click().run()
    assert "Saved as version 1." in said(at)


def test_an_edit_is_kept_over_a_reload_and_undone(visit: Open) -> None:
    draft = drafts.create(builddoc.whole("nasbench201"))
    at = visit("build", space=draft.id)
    at.number_input(key="build_knob_cells").set_value(2).run()
    assert not at.exception
    again = visit("build", space=draft.id)
    assert again.number_input(key="build_knob_cells").value == 2
    again.button(key="build_undo").click().run()
    assert drafts.open_draft(draft.id).document == draft.document
    assert again.number_input(key="build_knob_cells").value == 5


def test_a_picked_edge_shows_its_operations_and_an_edge_without_any_is_said(visit: Open) -> None:
    draft = drafts.create(drawn(2, (0, 1)))
    at = visit("build", space=draft.id)
    at.session_state["build_graph"] = {"picked": "edge-0-1"}
    at.run()
    assert "input to output may be" in said(at).replace("**", "")
    at.get("button_group")[0].set_value([]).run()  # pyright: ignore[reportAttributeAccessIssue] (pills)
    assert "has no operation" in said(at)
    assert at.button(key="build_save").disabled


def test_saved_versions_and_a_taken_name(visit: Open) -> None:
    drafts.create(buildedit.blank(), "taken")
    draft = drafts.create(drawn(2, (0, 1)), "mine")
    at = visit("build", space=draft.id)
    at.button(key="build_save").click().run()
    assert "Saved as version 1." in said(at)
    at.text_input(key="build_name").input("Taken").run()
    assert "another space is called" in said(at)
    assert drafts.open_draft(draft.id).name == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"name": "cell", "knobs": {"nodes": 3, "edges": [[0, 1], [1, 0]]}}', "does not lead from"),
        ('{"name": "cell", "knobs": {"nodes": 3, "edges": []}}', "needs at least one edge"),
        ('{"name": "cell", "knobs": {"nodes": 2, "edges": [[0, 1]], "ops": [[]]}}', "at least one operation"),
        ('{"name": "cell", "knobs": {"channels": 99999}}', "is above"),
        ('{"name": "os.system"}', "no space called"),
        ("[1, 2]", "expected"),
        ("{", "not JSON"),
    ],
)
def test_a_wrong_file_is_refused_in_words(visit: Open, text: str, words: str) -> None:
    at = visit("build")
    at.text_area(key="build_text").input(text).run()
    at.button(key="build_paste").click().run()
    assert words in shown(at.error[0].value)
    assert drafts.drafts() == []


def test_an_exported_space_comes_back_and_a_link_makes_a_draft_of_ones_own(visit: Open) -> None:
    document = builddoc.whole("nasbench201")
    draft = drafts.create(document, "a <b>name</b>")
    name, found = draftbar.read(draftbar.export(draft, document))
    assert (name, found) == (draft.name, document)
    at = visit("build", doc=json.dumps({"title": "from a link", "space": document}))
    mine = drafts.open_draft(asked(at, "space"))
    assert (mine.name, mine.document) == ("from a link", document)
    assert len(drafts.drafts()) == 2


def test_a_space_too_large_for_this_machine_is_said(visit: Open) -> None:
    huge = {"nodes": 8, "edges": [[a, b] for b in range(1, 8) for a in range(b)]}
    space = Cell(**{**huge, "edges": tuple(map(tuple, huge["edges"]))}, cells=20, channels=512, stages=5)
    at = visit("build", space=drafts.create(to_json(space)).id)
    assert "too large" in said(at)
    assert at.metric[0].value == "3.73\u00a0×\u00a010¹⁹"


def test_a_single_network_of_60_gb_is_counted_and_said(visit: Open) -> None:
    """Nothing to choose, and nothing is built: 25 thousand million weights are only counted."""
    stage = {"blocks": ["conv"], "widths": [4096], "depths": [32], "strides": [1], "kernels": [7]}
    space = {"name": "stages", "knobs": {"stages": [stage], "stem": 4}}
    at = visit("build", doc=json.dumps({"title": "wide", "space": space}))
    assert at.metric[0].value == "1"
    assert "25.5 G" in said(at)
    assert "too large" in said(at)


def test_a_draft_that_is_gone_or_damaged_is_said(visit: Open, home: Path) -> None:
    assert "is no space that was drawn here" in shown(visit("build", space="0123456789ab").error[0].value)
    draft = drafts.create(buildedit.blank())
    (home / "spaces" / f"{draft.id}.json").write_text('{"steps": [')
    assert "damaged" in shown(visit("build", space=draft.id).error[0].value)


def test_a_saved_space_is_chosen_in_the_form_of_a_new_search(visit: Open) -> None:
    draft = drafts.create(drawn(3, (0, 1), (1, 2), (0, 2)), "mine")
    drafts.save(draft.id, draft.revision)
    at = visit("search")
    at.text_input(key="form_title").input("kept").run()
    at.selectbox(key="saved_space").select("mine@1").run()
    assert "125 architectures" in said(at)
    assert at.text_input(key="form_title").value == "kept"
    assert at.selectbox(key="form_space").value == "cell"


def test_a_search_of_a_space_of_any_size_is_said_in_words(visit: Open) -> None:
    links = [[a, b] for b in range(1, 12) for a in range(b)]
    space = {"name": "cell", "knobs": {"nodes": 12, "edges": links}}
    assert "× 10" in said(visit("search", spec=draftbar.spec(space, "large")))


def test_a_search_opens_with_the_space_filled_in(visit: Open) -> None:
    document = drawn(3, (0, 1), (1, 2), (0, 2))
    at = visit("search", spec=draftbar.spec(document, "drawn by hand"))
    assert not at.error
    assert at.text_input(key="form_title").value == "drawn by hand"
    assert "125 architectures" in said(at)


def test_a_benchmark_is_made_of_what_is_drawn_or_of_a_sample_of_it(visit: Open) -> None:
    small = visit("build", space=drafts.create(drawn(3, (0, 1), (1, 2), (0, 2)), "drawn by hand").id)
    small.button(key="build_make").click().run()
    assert not small.exception
    assert "Benchmark of drawn by hand" in [t.value for t in small.text_input]
    assert "125 architectures" in said(small)
    large = visit("build", space=drafts.create(builddoc.whole("darts")).id)
    large.button(key="build_make").click().run()
    assert "200 x 3 = 600 trainings" in said(large)
    assert large.segmented_control(key="make_many_of_large").options == ["A sample"]


def test_recipe_choices_are_added_and_closed_on_the_page(visit: Open) -> None:
    draft = drafts.create(builddoc.whole("pooling"))
    at = visit("build", space=draft.id)
    assert "Pooling is opened by its knobs" in said(at)
    at.toggle(key="build_with_training").set_value(True).run()
    assert at.metric[0].value == str(36 * 24)
    assert "36 of arch x 24 of training" in said(at)
    at.text_input(key="build_knob_training_smoothings").input("0, 0.1, 0.2").run()
    assert at.metric[0].value == f"{36 * 36:,}"
    at.text_input(key="build_knob_training_smoothings").input("2").run()
    assert "above 0.9" in said(at)
    at.selectbox(key="build_choice").select("training.optimizer").run()
    at.get("button_group")[0].set_value(["sgd"]).run()  # pyright: ignore[reportAttributeAccessIssue] (pills)
    assert at.metric[0].value == str(36 * 18)
    assert drafts.open_draft(draft.id).document["name"] == "restrict"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nasbench201", "Architectures that make equal networks are drawn apart."),
        ("pruned_resnet", "Each choice that counts is drawn uniformly"),
        ("nats_size", "so every architecture is equally likely"),
    ],
)
def test_the_page_says_what_drawing_is_uniform_over(visit: Open, name: str, words: str) -> None:
    assert words in said(visit("build", space=drafts.create(builddoc.whole(name)).id))


def test_a_sample_opens_as_an_architecture(visit: Open) -> None:
    space = from_json("space", drawn(3, (0, 1), (1, 2), (0, 2)))
    at = visit("architecture", arch=dumps(arch_to_json(space, (3, 1, 2))))
    assert not at.error
    assert "conv" in said(at)
