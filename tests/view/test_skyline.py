"""Bars of chains."""

from __future__ import annotations

import pytest

from nascore.space import parse
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.pooling import Pooling
from nascore.spaces.stages import Stages
from nascore.task import CIFAR
from nascore.view import skyline
from nascore.view.tokens import DARK, LIGHT


def test_a_bar_is_as_high_as_its_layer_has_channels_and_as_wide_as_its_map() -> None:
    graph = Pooling(channels=16).graph((0,), CIFAR)
    rows = skyline.layers(graph)
    assert [y.channels for y in rows] == [int(n.label.split("x")[0]) for n in graph.nodes[1:-1]] + [64]
    bars = [i for i in skyline.draw(graph, LIGHT, label="bars")["items"] if i["cls"] == "bar"]
    assert len(bars) == len(graph.edges)
    assert bars[-1]["height"] > bars[0]["height"]
    assert bars[-1]["width"] < bars[0]["width"]


def test_networks_side_by_side_have_one_scale() -> None:
    small, large = (NatsSize().graph((i,) * 5, CIFAR) for i in (0, 7))
    most = skyline.widest([small, large])
    heights = [
        max(
            i["height"] for i in skyline.draw(g, LIGHT, label="bars", most=most)["items"] if i["cls"] == "bar"
        )
        for g in (small, large)
    ]
    assert most == 64
    assert heights[1] > 3 * heights[0]


def test_a_cell_has_no_bars() -> None:
    space = Nasbench201()
    assert (
        skyline.layers(
            space.graph(
                parse(
                    space,
                    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+"
                    "|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
                ),
                CIFAR,
            )
        )
        == ()
    )


@pytest.mark.parametrize("tokens", [LIGHT, DARK])
def test_a_layer_of_a_stage_has_the_color_of_its_family(tokens) -> None:
    space = Stages()
    graph = space.graph(tuple(0 if c.when is None else -1 for c in space.choices()), CIFAR)
    bars = [i for i in skyline.draw(graph, tokens, label="bars")["items"] if i["cls"] == "bar"]
    families = {
        "conv": tokens.op("conv_3x3"),
        "separable": tokens.op("sep_3x3"),
        "mbconv": tokens.op("sep_3x3"),
    }
    assert [b["fill"] for b in bars] == [families[e.op.split(" ")[0]] for e in graph.edges]
