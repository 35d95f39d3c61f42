from __future__ import annotations

import itertools
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

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
    settled,
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


@dataclass(frozen=True)
class Free(Space):
    """Any choices; archs whose indices add up to a multiple of `bad` are invalid."""

    given: tuple[Choice, ...]
    bad: int = 0

    def choices(self) -> tuple[Choice, ...]:
        return self.given

    def invalid(self, arch: tuple[int, ...]) -> str:
        return "a multiple" if self.bad and sum(arch) % self.bad == 0 else ""


@st.composite
def forests(draw: st.DrawFn) -> tuple[Choice, ...]:
    """Up to six choices; each may wait for one before it, and some of its options may be shut."""
    out: list[Choice] = []
    for j in range(draw(st.integers(0, 6))):
        options = tuple(range(draw(st.integers(1, 3))))
        when = None
        if out and draw(st.booleans()):
            parent = draw(st.sampled_from(out))
            values = draw(st.lists(st.sampled_from(parent.options), min_size=1, unique=True))
            when = (parent.name, tuple(values))
        allowed = draw(st.lists(st.sampled_from(options), min_size=0, unique=True))
        out.append(Choice(f"c{j}", options, when, tuple(allowed)))
    return tuple(out)


def brute(choices: tuple[Choice, ...]) -> list[tuple[int, ...]]:
    """Every arch: all products, what is inactive set to -1 by the meaning of `when`, twins dropped."""
    found = set()
    for row in itertools.product(*(c.open for c in choices)):
        taken: dict[str, int] = {}
        for c, i in zip(choices, row, strict=True):
            parent = None if c.when is None else next(p for p in choices if p.name == c.when[0])
            on = parent is None or (
                taken[parent.name] >= 0 and parent.options[taken[parent.name]] in (c.when or ("", ()))[1]
            )
            taken[c.name] = i if on else -1
        found.add(tuple(taken.values()))
    return sorted(found)


quickly = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@given(forests())
@quickly
def test_counting_and_listing_agree_with_going_through_all_products(choices: tuple[Choice, ...]) -> None:
    space, all_ = Free(choices), brute(choices)
    assert size(space) == len(all_)
    assert tuples(enumerate_archs(space)) == all_


@given(forests(), st.integers(0, 3), st.integers(0, 2**32))
@quickly
def test_neighbors_are_those_found_by_brute_force(choices: tuple[Choice, ...], bad: int, seed: int) -> None:
    space, all_ = Free(choices, bad), brute(choices)
    arch = all_[seed % len(all_)]
    near = set()
    for j, c in enumerate(choices):
        for i in set(c.open) - {arch[j]} if arch[j] >= 0 else ():
            new = settled(space, (*arch[:j], i, *arch[j + 1 :]))
            assert new == tuples(settle(space, array([(*arch[:j], i, *arch[j + 1 :])], space)))[0]
            near |= set() if space.invalid(new) else {(c.name, new)}
    assert set(neighbors(space, arch)) == near
    assert {a for _, a in near} <= set(all_)


@given(forests(), st.integers(0, 2**32))
@quickly
def test_a_mutation_is_one_of_the_neighbors(choices: tuple[Choice, ...], seed: int) -> None:
    space = Free(choices)
    archs = sample(space, 3, np.random.default_rng(seed))
    if all(neighbors(space, a) for a in tuples(archs)):
        new = tuples(mutate(space, archs, np.random.default_rng(seed)))
        assert all(b in [x for _, x in neighbors(space, a)] for a, b in zip(tuples(archs), new, strict=True))


def fits(space: Space, draws: int) -> float:
    """The p-value that samples come with the chances that `sampling` tells of."""
    valid = [a for a in tuples(enumerate_archs(space)) if not space.invalid(a)]
    opens = [len(c.open) for c in space.choices()]
    chance = np.array([1 / np.prod([n for n, i in zip(opens, a, strict=True) if i >= 0]) for a in valid])
    found = Counter(tuples(sample(space, draws, rng())))
    assert set(found) <= set(valid)
    return float(chisquare([found[a] for a in valid], chance / chance.sum() * draws).pvalue)


@pytest.mark.parametrize(
    ("space", "says"),
    [
        (Tree(), "Each choice that counts is drawn uniformly"),
        (Tree(odd=True), "what is invalid is drawn again: the more choices count for a valid architecture"),
        (restrict(Tree(odd=True), {"op": ["skip", "conv"], "kernel": [1, 3]}), "the rarer it is"),
        (Free(tuple(Choice(f"c{i}", (1, 2, 3)) for i in range(4)), bad=3), "every valid architecture is equ"),
    ],
)
def test_samples_come_with_the_chances_that_are_told(space: Space, says: str) -> None:
    assert says in space.sampling()
    assert fits(space, 20_000) > 0.01


def test_every_architecture_of_nasbench201_is_equally_likely() -> None:
    from nascore.spaces.nasbench201 import Nasbench201

    space = Nasbench201()
    assert "every architecture is equally likely" in space.sampling() or "valid" in space.sampling()
    drawn = np.ravel_multi_index(tuple(sample(space, 200_000, rng()).T), (5,) * 6)
    assert chisquare(np.bincount(drawn, minlength=5**6)).pvalue > 0.01


def test_a_conditional_space_with_huge_products_but_few_architectures_is_listed() -> None:
    first = Choice("which", tuple(range(30)))
    rest = tuple(Choice(f"c{i}", tuple(range(9)), when=("which", (i,))) for i in range(30))
    space = Free((first, *rest))
    assert size(space) == 30 * 9 == len(set(tuples(enumerate_archs(space))))  # of 30 * 9**30 products


def long_row(n: int) -> tuple[Choice, ...]:
    """A chain: each choice waits for the one before."""
    return tuple(Choice(f"c{i}", (0, 1, 2), None if not i else (f"c{i - 1}", (1, 2))) for i in range(n))


def test_a_long_chain_of_conditions_is_counted_exactly_and_at_once() -> None:
    start, space = time.process_time(), Free(long_row(2000))
    ways = 3
    for _ in range(1999):
        ways = 1 + 2 * ways
    assert size(space) == ways > 10**300
    (arch,) = tuples(sample(space, 1, rng()))
    assert len(neighbors(space, arch)) >= 2
    mutate(space, array([arch] * 10, space), rng())
    assert time.process_time() - start < 3


def test_a_refusal_lists_some_of_many_names() -> None:
    with pytest.raises(BadInput, match=r"wings: no such choice; there are c0, .* and 1980 more$") as caught:
        from_choices(Free(long_row(2000)), {"wings": 1})
    assert len(str(caught.value)) < 200
