from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from nascore.errors import BadInput, NotSupported
from nascore.space import (
    Archs,
    Choice,
    Space,
    array,
    crossover,
    describe,
    encode,
    enumerate_archs,
    fixed,
    from_choices,
    key,
    mutate,
    neighbors,
    parse,
    restrict,
    sample,
    settle,
    size,
    tuples,
)


@dataclass(frozen=True)
class Tree(Space):
    """`kernel` counts only for a convolution, `bias` only for its kernel 3; `odd` forbids one arch."""

    odd: bool = False

    def choices(self) -> tuple[Choice, ...]:
        return (
            Choice("op", ("skip", "conv", "pool")),
            Choice("kernel", (1, 3, 5), when=("op", ("conv",))),
            Choice("bias", (False, True), when=("kernel", (3,))),
            Choice("width", (8, 16)),
        )

    def invalid(self, arch: tuple[int, ...]) -> str:
        return "skip at width 16 is forbidden" if self.odd and arch == (0, -1, -1, 1) else ""


@dataclass(frozen=True)
class Dead(Space):
    """No arch is valid."""

    def choices(self) -> tuple[Choice, ...]:
        return (Choice("a", (1, 2)),)

    def invalid(self, arch: tuple[int, ...]) -> str:
        return "nothing goes"


SPACE = Tree()
ALL = tuples(enumerate_archs(SPACE))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def changed(a: tuple[int, ...], b: tuple[int, ...], space: Space) -> list[str]:
    """Choices that differ and are active on both sides."""
    return [c.name for c, i, j in zip(space.choices(), a, b, strict=True) if i != j and min(i, j) >= 0]


def test_inactive_choices_are_counted_once() -> None:
    # skip, pool: 2 widths each; conv: kernel 1 and 5 alone, kernel 3 with 2 biases, each with 2 widths
    assert size(SPACE) == 2 * 2 + (2 + 2) * 2 == len(ALL) == len(set(ALL))


def test_a_restricted_space_is_counted_as_it_is_open() -> None:
    assert size(restrict(SPACE, {"op": ["conv"], "kernel": [1, 3]})) == 3 * 2
    assert size(restrict(SPACE, {"width": [16]})) == 6
    assert size(fixed(SPACE, ALL[5])) == 1


def test_settling_closes_what_is_inactive_and_opens_what_is_not() -> None:
    rows: Archs = np.array([[0, 2, 1, 0], [1, -1, -1, 1], [1, 1, -1, 0]])
    assert tuples(settle(SPACE, rows)) == [(0, -1, -1, 0), (1, 0, -1, 1), (1, 1, 0, 0)]


def test_samples_are_valid_and_reach_every_arch() -> None:
    found = set(tuples(sample(Tree(odd=True), 500, rng())))
    assert found == set(ALL) - {(0, -1, -1, 1)}


def test_the_same_seed_draws_the_same_archs() -> None:
    assert np.array_equal(sample(SPACE, 9, rng()), sample(SPACE, 9, rng()))


def test_a_space_without_valid_archs_is_refused_and_does_not_hang() -> None:
    with pytest.raises(NotSupported, match="only 0 of"):
        sample(Dead(), 1, rng())


def test_a_mutation_changes_exactly_one_active_choice() -> None:
    for _ in range(20):
        before = sample(SPACE, 20, rng())
        after = mutate(SPACE, before, rng())
        pairs = list(zip(tuples(before), tuples(after), strict=True))
        assert all(len(changed(a, b, SPACE)) == 1 for a, b in pairs)
        assert np.array_equal(settle(SPACE, after), after)


def test_a_mutation_stays_valid_and_within_the_open_options() -> None:
    space = restrict(Tree(odd=True), {"op": ["skip", "conv"], "kernel": [1]})
    out = mutate(space, sample(space, 100, rng()), rng())
    assert not [a for a in tuples(out) if space.invalid(a)]


def test_where_nothing_can_change_a_mutation_is_refused() -> None:
    space = fixed(SPACE, (0, -1, -1, 0))
    with pytest.raises(NotSupported, match="one change away"):
        mutate(space, np.array([[0, -1, -1, 0]]), rng())


def test_neighbors_are_all_archs_one_change_away() -> None:
    assert neighbors(SPACE, (1, 1, 0, 0)) == [
        ("op", (0, -1, -1, 0)),
        ("op", (2, -1, -1, 0)),
        ("kernel", (1, 0, -1, 0)),
        ("kernel", (1, 2, -1, 0)),
        ("bias", (1, 1, 1, 0)),
        ("width", (1, 1, 0, 1)),
    ]
    assert neighbors(SPACE, (0, -1, -1, 0)) == [
        ("op", (1, 0, -1, 0)),
        ("op", (2, -1, -1, 0)),
        ("width", (0, -1, -1, 1)),
    ]
    assert ("width", (0, -1, -1, 1)) not in neighbors(Tree(odd=True), (0, -1, -1, 0))


def test_a_child_takes_each_choice_from_a_parent() -> None:
    a, b = array([(1, 1, 0, 0)] * 50, SPACE), array([(1, 2, -1, 1)] * 50, SPACE)
    found = set(tuples(crossover(SPACE, a, b, rng())))
    assert found == {(1, 1, 0, 0), (1, 1, 0, 1), (1, 2, -1, 0), (1, 2, -1, 1)}


def test_an_encoding_is_one_hot_and_zero_where_inactive() -> None:
    assert encode(SPACE, np.array([[1, 2, -1, 0]])).tolist() == [[0, 1, 0, 0, 0, 1, 0, 0, 1, 0]]


def test_keys_differ_and_a_restriction_keeps_them() -> None:
    narrow = restrict(SPACE, {"op": ["conv"]})
    assert len({key(SPACE, a) for a in ALL}) == len(ALL)
    assert all(key(SPACE, a) == key(narrow, a) for a in ALL)


@pytest.mark.parametrize("arch", ALL)
def test_an_arch_is_found_by_its_key_and_by_its_choices(arch: tuple[int, ...]) -> None:
    assert parse(SPACE, key(SPACE, arch)) == arch
    assert from_choices(SPACE, describe(SPACE, arch)) == arch


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0123456789abcdef", "no architecture of this space has this key"),
        ("{", "not JSON"),
        ("hello", "is no key, no official string and no JSON"),
        ('{"op": "conv", "width": 8}', "kernel: no option was given; one of 1, 3, 5"),
        ('{"op": "skip", "kernel": 3, "width": 8}', "kernel: this choice is inactive here"),
        ('{"op": "fly", "width": 8}', "op: 'fly' is none of skip, conv, pool"),
        ('{"wings": 2}', "wings: no such choice; there are op"),
        ("[" * 5000, "is no key"),
        ('{"a":' * 5000, "not JSON"),
    ],
)
def test_what_is_no_arch_is_refused_with_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        parse(SPACE, text)


@pytest.mark.parametrize(
    ("allowed", "said"),
    [
        ({"wings": [1]}, "wings: no such choice"),
        ({"op": ["fly"]}, "op: 'fly' is none of"),
        ({"op": []}, "op: no option is left open"),
    ],
)
def test_a_restriction_that_makes_no_sense_is_refused(allowed: dict[str, list[str]], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        restrict(SPACE, allowed)


def test_a_restriction_says_which_option_is_shut() -> None:
    assert restrict(SPACE, {"op": ["conv"]}).invalid((0, -1, -1, 0)).startswith("op: this option is not open")


def test_a_space_too_large_is_not_listed() -> None:
    @dataclass(frozen=True)
    class Large(Space):
        def choices(self) -> tuple[Choice, ...]:
            return tuple(Choice(f"c{i}", tuple(range(9))) for i in range(80))

    assert size(Large()) == 9**80
    with pytest.raises(NotSupported, match="too many to list"):
        enumerate_archs(Large())
