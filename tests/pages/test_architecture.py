"""The Architecture page: the network that unfolds, the comparison, the exports."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from nascore.codec import arch_to_json, dumps, to_json
from nascore.events import Life, Tried
from nascore.graph import Piece
from nascore.runs import exporting
from nascore.runs.exporting import Made
from nascore.runs.journal import Journal
from nascore.runs.spec import open_spec
from nascore.space import key, keys, neighbors, parse, sample, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.pooling import Pooling
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.task import CIFAR, Shape
from nascore.view import words
from pages.parts import arch as arch_words
from tests.pages.conftest import RUN, Open, asked, said, write_run

SPACE = Nasbench201()
TEXT = "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|none~0|nor_conv_1x1~1|nor_conv_3x3~2|"
ARCH = parse(SPACE, TEXT)
NEAR = key(SPACE, neighbors(SPACE, ARCH)[0][1])
CONV = Piece("b/conv", "conv", "conv_3x3", (4, 8, 8), 90, 5000, 0.5)
BLOCK = Piece(
    "b", "Block", "", (4, 8, 8), 90, 5000, 0.5, (CONV,), (("in0", "b/conv", 0), ("b/conv", "out", 0))
)
HEAD = Piece("head", "head", "mlp", (10,), 10, 50, 0.01)
WHOLE = Piece("", "network", "", (10,), 100, 5050, 0.51, (BLOCK, HEAD),
              (("in0", "b", 0), ("b", "head", 0), ("head", "out", 0)))  # fmt: skip


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files are there at once; making them has tests of its own. What was asked for is in the list."""
    asked_for: list[str] = []

    def made(space: object, arch: tuple[int, ...], shape: Shape, form: str, *, start: bool = True) -> Made:
        asked_for.append(form)
        source = f"class Network:\n    arch = {arch}\n"
        outline = json.dumps({"told": "measured on a toy, one thread, batch of 8", "whole": asdict(WHOLE)})
        return Made("ready", {"torch": source, "outline": outline, "onnx": "onnx"}[form].encode())

    monkeypatch.setattr(exporting, "made", made)
    return asked_for


def parts(at: AppTest) -> list[str]:
    """Names in the table of the parts that are seen."""
    return next(d.value["part"].tolist() for d in at.dataframe if "part" in d.value)


def test_nothing_is_built_before_somebody_asks(visit: Open, ready: list[str]) -> None:
    at = visit("architecture", arch=TEXT)
    assert ready == []
    assert "The source is not written yet" in said(at)


def test_the_graph_is_folded_at_first_and_the_address_unfolds_it(visit: Open, ready: list[str]) -> None:
    assert parts(visit("architecture", arch=TEXT, network="Graph", open="-")) == ["Block", "head"]
    at = visit("architecture", arch=TEXT, network="Graph", open="b,no such,head")
    assert parts(at) == ["conv", "head"]
    at.button(key="fold-b").click().run()
    assert parts(at) == ["Block", "head"]
    assert asked(at, "open") == "-"


def test_unfolding_all_stages_goes_into_the_address(visit: Open, ready: list[str]) -> None:
    at = visit("architecture", arch=TEXT, network="Graph", open="-")
    at.button(key="unfold_all").click().run()
    assert parts(at) == ["conv", "head"]
    assert asked(at, "open") == "b"


def test_measured_time_says_where_and_how_it_was_measured(visit: Open, ready: list[str]) -> None:
    at = visit("architecture", arch=TEXT, network="Graph", paint="Measured time")
    assert "measured on a toy, one thread, batch of 8" in said(at)
    assert "counted exactly" in said(visit("architecture", arch=TEXT, network="Graph"))


def test_a_comparison_has_numbers_with_differences_and_protocols(visit: Open, home: Path) -> None:
    best = write_run(home)
    spec_key = visit("architecture", space="nasbench201", arch=best, run=RUN)
    assert "Compare with another" in said(spec_key)
    at = visit("architecture", arch=TEXT, **{"with": NEAR})
    table = next(d.value for d in at.dataframe if "difference" in d.value)
    assert table["metric"].tolist()[:2] == ["Parameters", "Multiply-adds"]
    assert table["protocol"].str.contains("counted exactly").all()
    assert "became" in said(at)


def test_two_tried_architectures_are_compared_in_points(visit: Open, home: Path) -> None:
    from pages.parts import stores

    best = write_run(home)
    visit("runs", run=RUN)
    other = next(k for k in stores.tried(RUN)["key"] if k != best)
    at = visit("architecture", arch=best, run=RUN, **{"with": other})
    table = next(d.value for d in at.dataframe if "difference" in d.value).set_index("metric")
    row = table.loc["Validation error (%)"]
    assert row["difference"].replace("\u00a0", " ") == "-1.00 points"
    assert "digits · validation · 10 ep" in row["protocol"]


def test_source_of_both_is_compared_line_by_line(visit: Open, ready: list[str]) -> None:
    at = visit("architecture", arch=TEXT, lines="true", **{"with": NEAR})
    diff = next(c.value for c in at.code if c.language == "diff")
    assert f"+    arch = {ARCH}" in diff
    assert diff.count("\n-    arch") == 1
    assert set(ready) == {"torch"}


def test_stopping_the_comparison_takes_it_out_of_the_address(visit: Open) -> None:
    at = visit("architecture", arch=TEXT, **{"with": NEAR})
    at.button(key="with_stop").click().run()
    assert "with" not in at.query_params
    assert not [d for d in at.dataframe if "difference" in d.value]


def test_a_neighbor_is_chosen_from_the_list(visit: Open) -> None:
    at = visit("architecture", arch=TEXT)
    at.selectbox(key="with_near").select(NEAR).run()
    assert asked(at, "with") == NEAR


def test_architectures_of_two_spaces_stand_side_by_side(visit: Open) -> None:
    at = visit("architecture", arch=TEXT, with_space="nats_size", **{"with": "8:8:40:32:40"})
    assert not at.error
    assert "NATS size against NAS-Bench-201" in said(at)
    table = next(d.value for d in at.dataframe if "difference" in d.value).set_index("metric")
    size = NatsSize()
    there = size.graph(size.read("8:8:40:32:40") or (), CIFAR).params
    gap = SPACE.graph(ARCH, CIFAR).params - there
    assert table.loc["Parameters", "difference"].startswith(
        ("+" if gap > 0 else "-") + words.compact(abs(gap))
    )
    assert "became" not in said(at)


def test_a_saved_file_of_another_space_is_compared_with_its_own_knobs(visit: Open) -> None:
    other = Nasbench201(cells=1, channels=4)
    near = neighbors(SPACE, ARCH)[0][1]
    at = visit("architecture", arch=TEXT, **{"with": dumps(arch_to_json(other, near))})
    assert not at.error
    assert "NAS-Bench-201 with cells 1, channels 4 against NAS-Bench-201" in said(at)
    assert "became" in said(at), "the same choices, so edges can be compared"


def test_the_source_of_two_spaces_is_compared(visit: Open, ready: list[str]) -> None:
    at = visit("architecture", arch=TEXT, lines="true", with_space="nats_size", **{"with": "8:8:40:32:40"})
    diff = next(c.value for c in at.code if c.language == "diff")
    assert "-    arch = (0, 0, 4, 3, 4)" in diff
    assert f"+    arch = {ARCH}" in diff


def test_another_space_to_compare_with_takes_the_old_text_out(visit: Open) -> None:
    at = visit("architecture", arch=TEXT, **{"with": NEAR})
    at.selectbox(key="with_space").select("pooling").run()
    assert "with" not in at.query_params
    at.button(key="with_random").click().run()
    assert asked(at, "with") in keys(Pooling())
    assert not at.error
    assert f"{arch_words.named('pooling')} against NAS-Bench-201" in said(at)


def test_a_key_of_a_space_too_large_to_list_is_found_in_its_run(visit: Open, home: Path) -> None:
    space = PrunedResnet(depth=14)
    data = {**open_spec("quick").to_json(), "space": to_json(space)}
    folder = home / "runs" / RUN
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(dumps(data))
    archs = tuples(sample(space, 2, np.random.default_rng(0)))
    journal = Journal(folder)
    for event in (Life("Queued"), Life("Started"), *(Tried(a, {"error": 0.5}, "x", {}) for a in archs)):
        journal.append(event)
    a, b = (key(space, arch) for arch in archs)
    at = visit("architecture", space="pruned_resnet", arch=a, run=RUN, **{"with": b})
    assert not at.error
    assert a in said(at)
    assert "Compare with another" in said(at)
    table = next(d.value for d in at.dataframe if "difference" in d.value)
    assert "Validation error (%)" in table["metric"].tolist()
    lost = visit("architecture", space="pruned_resnet", depth="14", arch="0" * 16)
    assert "no architecture of this space has this key" in lost.error[0].value


def test_neighbors_of_a_large_space_open_by_what_they_are(visit: Open) -> None:
    space = PrunedResnet(depth=14)
    arch = tuples(sample(space, 1, np.random.default_rng(0)))[0]
    at = visit("architecture", space="pruned_resnet", depth="14", arch=space.text(arch))
    first = at.selectbox(key="with_near").options
    assert len(first) == len(neighbors(space, arch))
    at.selectbox(key="with_near").select_index(0).run()
    assert asked(at, "with").startswith('{"stem.width"')
    assert not at.error
    at.button(key="random").click().run()
    assert not at.error


def test_a_random_one_of_a_chosen_space_opens(visit: Open) -> None:
    at = visit("architecture")
    at.selectbox(key="space").select("nats_size").run()
    at.button(key="random").click().run()
    assert not at.error
    assert asked(at, "arch") in keys(NatsSize())


@pytest.mark.parametrize("evil", ["<script>", "../../etc", "|none~0|", "x" * 3000, '{"choices": {"a": 1}}'])
def test_nonsense_to_compare_with_is_one_sentence(visit: Open, evil: str) -> None:
    at = visit("architecture", arch=TEXT, **{"with": evil})
    assert len(at.error) == 1
    assert evil not in at.error[0].value or evil == "|none~0|"


def test_a_refusal_of_the_exporter_is_a_sentence(visit: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "made", lambda *_, **__: Made("failed", why="the forward of X is odd"))
    at = visit("architecture", arch=TEXT, source="true", network="Graph")
    assert [e.value.count("the forward of X is odd") for e in at.error] == [1, 1]


def test_while_it_is_made_the_page_says_so_and_the_rest_stands(
    visit: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "made", lambda *_, **__: Made("working", seconds=3.0))
    at = visit("architecture", arch=TEXT, network="Graph")
    assert "Building the network and measuring its parts" in said(at)
    assert at.metric


def test_the_page_makes_the_real_outline_in_another_process(visit: Open, home: Path) -> None:
    run = write_run(home)
    at = visit("architecture", space="nasbench201", arch=run, run=RUN, network="Graph")
    until = time.monotonic() + 90
    while not [d for d in at.dataframe if "part" in d.value] and time.monotonic() < until:
        for process, _ in list(exporting._live.values()):
            process.wait(60)
        at.run()
    assert "stem" in parts(at)
    assert "head" in parts(at)
