"""What a space holds at a glance, against counting it whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nascore import overview as overviews
from nascore.errors import NotSupported
from nascore.graph import Graph
from nascore.overview import Count, distinct, overview, parts_of, wilson
from nascore.product import product
from nascore.space import Arch, Choice, Space, enumerate_archs, restrict, size, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.training import Training
from nascore.task import CIFAR, Shape

OPS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
WIDE = Cell(6, tuple((s, t) for t in range(1, 6) for s in range(t)), (OPS,))  # 5^15 archs


@dataclass(frozen=True)
class Even(Space):
    """Twelve bits, valid where their sum is even and not zero."""

    bits: int = 12

    def choices(self) -> tuple[Choice, ...]:
        return tuple(Choice(f"bit{i}", (0, 1)) for i in range(self.bits))

    def invalid(self, arch: Arch) -> str:
        return f"the sum {sum(arch)} is odd" if sum(arch) % 2 else "" if sum(arch) else "all are zero"

    def canonical(self, arch: Arch) -> Arch:
        return tuple(sorted(arch))

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        return Graph((), ())


@dataclass(frozen=True)
class Branching(Space):
    """One arch behind `stop`, nine behind `go`."""

    def choices(self) -> tuple[Choice, ...]:
        return Choice("way", ("stop", "go")), Choice("how", tuple(range(9)), ("way", ("go",)))

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        return Graph((), ())


def test_params_and_flops_of_all_cells_are_those_of_the_whole_space() -> None:
    found = overview(Nasbench201(), CIFAR)
    costs = Nasbench201().costs(enumerate_archs(Nasbench201()), CIFAR)
    assert (found.ranges["params"].low, found.ranges["params"].high) == (73306, costs["params"].max())
    assert found.ranges["params"].exact
    assert (found.size, found.valid.low) == (15625, 15625)


@pytest.mark.parametrize("space", [NatsSize(), WIDE])
def test_the_ends_of_a_large_space_are_found_by_single_changes(space: Space) -> None:
    found = overview(space, CIFAR)
    rows = np.array([[0] * len(space.choices()), [len(c.options) - 1 for c in space.choices()]])
    most = np.where(np.array([c.options[-1] == OPS[-1] for c in space.choices()]), 3, rows[1])
    for metric in ("params", "flops"):
        ends = space.costs(np.stack([rows[0], most]), CIFAR)[metric]
        assert (found.ranges[metric].low, found.ranges[metric].high) == tuple(ends)


def test_the_supernet_holds_what_torch_allocates() -> None:
    space = Cell(3, ((0, 1), (0, 2), (1, 2)), (OPS,), channels=4, stages=2, cells=2)
    net = space.supernet(CIFAR, "separate", space.choices())
    assert overview(space, CIFAR).shared.separate == sum(p.numel() for p in net.parameters())


def test_a_restricted_supernet_allocates_what_is_open() -> None:
    space = restrict(Cell(channels=4), {"edge_1_0": ["skip_connect"]})
    net = space.supernet(CIFAR, "separate", space.choices())
    assert overview(space, CIFAR).shared.separate == sum(p.numel() for p in net.parameters())


def test_validity_of_a_small_space_is_counted_with_reasons() -> None:
    found = overview(Even(6), CIFAR)
    assert (found.valid.low, found.valid.high) == (31, 31)
    assert found.reasons == (("the sum N is odd", 32), ("all are zero", 1))


def test_validity_of_a_large_space_is_an_interval_that_holds_the_truth() -> None:
    found = overview(Even(16), CIFAR)
    assert found.valid.low < 2**15 - 1 < found.valid.high
    assert not found.valid.exact


def test_samples_are_valid_differ_by_seed_and_repeat() -> None:
    first, again, other = (overview(Even(16), CIFAR, seed=s).samples for s in (0, 0, 1))
    assert first == again != other
    assert not any(Even(16).invalid(a) for a in first)


def test_different_networks_are_counted_exactly_where_that_is_possible() -> None:
    whole = Count(15625, 15625, "")
    assert distinct(Nasbench201(), whole).low == 5044
    assert distinct(NatsSize(), whole).how.startswith("no rule")
    assert distinct(Even(6), Count(31, 31, "")).low == 3


def test_a_lower_bound_of_classes_stays_below_them() -> None:
    found = distinct(Even(16), Count(2**15 - 1, 2**15 - 1, ""))
    assert found.low <= 8  # sums of 2, 4, ..., 16


def test_the_bound_is_near_the_number_of_classes_where_all_are_equally_large() -> None:
    @dataclass(frozen=True)
    class Front(Even):
        def canonical(self, arch: Arch) -> Arch:
            return arch[:9]

    found = distinct(Front(16), Count(2**15 - 1, 2**15 - 1, ""))
    assert 380 < found.low < 680  # 512 of them


def test_a_space_without_a_network_is_refused() -> None:
    @dataclass(frozen=True)
    class Never(Even):
        def invalid(self, arch: Arch) -> str:
            return "never"

    with pytest.raises(NotSupported, match="never"):
        overview(Never(4), CIFAR)


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    assert wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    assert overviews.general("edge 12 to 3") == "edge N to N"
    assert len(tuples(enumerate_archs(Even(3)))) == 8


def test_a_product_is_its_network_times_what_is_added() -> None:
    alone, recipes = Cell(channels=4), Training()
    found = overview(product(arch=alone, training=recipes), CIFAR)
    first = overview(alone, CIFAR)
    assert found.size == first.size * size(recipes)
    assert (found.ranges, found.shared) == (first.ranges, first.shared)
    assert {len(a) for a in found.samples} == {len(alone.choices()) + len(recipes.choices())}
    every = distinct(product(arch=alone, training=recipes), found.valid)
    assert every.low == distinct(alone, first.valid).low * size(recipes)


def test_closing_options_of_a_product_closes_those_of_its_parts() -> None:
    whole = product(arch=Cell(channels=4), training=Training())
    closed = {"arch.edge_1_0": ["skip_connect"], "training.optimizer": ["sgd"]}
    network, recipes = parts_of(restrict(whole, closed))
    assert (size(network), size(recipes)) == (25, 12)
    found = overview(restrict(whole, closed), CIFAR)
    alone = overview(restrict(Cell(channels=4), {"edge_1_0": ["skip_connect"]}), CIFAR)
    assert (found.size, found.ranges) == (25 * 12, alone.ranges)


def test_samples_of_a_small_conditional_space_are_drawn_choice_by_choice() -> None:
    space = Branching()
    drawn = [overview(space, CIFAR, seed=i, samples=1).samples[0] for i in range(300)]
    assert 110 < sum(a[0] == 0 for a in drawn) < 190  # half of them, though it is one arch of ten
