"""The built network as pieces: costs add up, stages are found, and no way is lost by folding."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import networkx as nx
import pytest
import torch
from torch import Tensor, nn

from nascore import export
from nascore.graph import Piece, find, read_piece, unfold
from nascore.outline import outline, timed
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.task import Shape
from nascore.trace import inputs_of, trace

SMALL = Shape((("image", (1, 8, 8)),), (("class", 10),))
WHICH = (3, 1, 4, 0, 2, 3)


def whole_of(net: nn.Module) -> Piece:
    return outline(trace(net.eval(), inputs_of(SMALL)))


@pytest.fixture(scope="module")
def whole() -> Piece:
    with export.one_thread():
        return whole_of(Nasbench201(cells=3, channels=2, stages=2).build(WHICH, SMALL))


def everything(piece: Piece) -> Iterator[Piece]:
    yield piece
    for inner in piece.pieces:
        yield from everything(inner)


def test_costs_of_the_parts_add_up_to_the_exact_ones_of_the_space(whole: Piece) -> None:
    graph = Nasbench201(cells=3, channels=2, stages=2).graph(WHICH, SMALL)
    assert (whole.params, whole.flops) == (graph.params, graph.flops)
    for piece in everything(whole):
        if piece.pieces:
            assert piece.params == sum(p.params for p in piece.pieces)
            assert piece.flops == sum(p.flops for p in piece.pieces)


def test_the_size_space_is_counted_exactly_too() -> None:
    space, arch = NatsSize(), (0, 1, 2, 3, 4)
    graph = space.graph(arch, SMALL)
    found = whole_of(space.build(arch, SMALL))
    assert (found.params, found.flops) == (graph.params, graph.flops)


def test_equal_cells_in_a_row_are_a_stage(whole: Piece) -> None:
    assert [p.label for p in whole.pieces] == ["stem", "3 × Cell", "Reduction · 3", "3 × Cell", "head"]
    stage = whole.pieces[1]
    assert [p.label for p in stage.pieces] == ["Cell · 0", "Cell · 1", "Cell · 2"]
    assert stage.shape == (2, 8, 8)


def test_operations_keep_their_names_and_shapes(whole: Piece) -> None:
    edge = find(whole, "blocks.0/edges.edge_3_2")
    assert edge is not None
    assert (edge.op, edge.shape, edge.label) == ("conv_3x3", (2, 8, 8), "edge 3 2")
    pool = find(whole, "blocks.0/edges.edge_2_1")
    assert pool is not None
    assert pool.op == "avg_pool"


def test_every_choice_of_unfolding_is_one_flow_from_input_to_output(whole: Piece) -> None:
    can = [p.id for p in everything(whole) if p.pieces and p.id]
    for opened in ([], can, can[::2], can[1::2], can[:3], ["no such"]):
        seen, links = unfold(whole, opened)
        flow = nx.DiGraph(links)
        assert set(flow) == {p.id for p in seen}
        assert nx.is_directed_acyclic_graph(flow)
        assert (
            nx.descendants(flow, "input") | {"input"}
            == set(flow)
            == nx.ancestors(flow, "output") | {"output"}
        )


class Skips(nn.Module):
    """A block around which its input goes, and one that takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.both, self.out = Plain(), Plain(), Both(), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        y = self.first(x)
        z = self.second(y)
        return self.out(self.both(z, x))


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(x).relu()


class Both(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(64, 64), nn.Linear(64, 64, bias=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.left(x) + self.right(y)


def test_a_skip_past_folded_blocks_stays() -> None:
    links = unfold(whole_of(Skips()), [])[1]
    assert ("input", "both") in links
    assert ("second", "both") in links


def test_each_input_of_a_block_arrives_where_it_is_used() -> None:
    links = unfold(whole_of(Skips()), ["both"])[1]
    assert {("second", "both/left"), ("input", "both/right")} <= set(links)
    assert ("input", "both/left") not in links


class Two(nn.Module):
    """Gives two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.left(x), self.right(x)


class Joined(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.two, self.both, self.out = Two(), Both(), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        pair = self.two(x.flatten(1))
        return self.out(torch.cat([self.both(*pair), pair[1]], 1))


def test_each_of_several_outputs_goes_its_own_way() -> None:
    whole = whole_of(Joined())
    links = set(unfold(whole, ["two", "both"])[1])
    assert {("two/left", "both/left"), ("two/right", "both/right")} <= links
    assert not {("two/left", "both/right"), ("two/right", "both/left")} & links
    join = next(t for s, t in links if s == "two/right" and "cat" in t)
    assert ("two/left", join) not in links


def test_a_skip_inside_a_block_is_seen_when_it_is_unfolded() -> None:
    links = unfold(whole_of(Skips()), ["first"])[1]
    add = next(t for s, t in links if s == "input" and "add" in t)
    assert [t for s, t in links if s == add] == ["second"]


def test_pieces_survive_json(whole: Piece) -> None:
    assert read_piece(json.loads(json.dumps(asdict(whole)))) == whole


def test_times_are_measured_for_every_module_and_say_how() -> None:
    net = Skips().eval()
    with export.one_thread():
        times, told = timed(net, SMALL)
    assert set(times) == {n for n, _ in net.named_modules()}
    assert all(t >= 0 for t in times.values())
    assert times[""] >= times["both"]
    assert "batch of 8" in told
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_a_block_that_works_longer_is_measured_longer() -> None:
    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.short, self.long = nn.Linear(64, 8), nn.Sequential(*[nn.Linear(512, 512) for _ in range(6)])

        def forward(self, x: Tensor) -> Tensor:
            return (
                self.short(x.flatten(1)).sum() + self.long(torch.zeros(8, 512)).sum() + x.flatten(1)[:, :10]
            )

    with export.one_thread():
        times, _ = timed(Uneven().eval(), SMALL)
    assert times["long"] > 3 * times["short"]
