"""What every strategy promises that trains a supernet, over every such entry, on a tiny real problem."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from nascore import codec
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Chosen, Event, Step, Tried
from nascore.kinds import check_knobs, knobs, summary
from nascore.problem import Memo, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Space, restrict
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.spaces.pruned_resnet import PrunedResnet
from nascore.spaces.stages import Stage, Stages
from nascore.strategies import STRATEGIES
from nascore.tasks.images import Digits
from tests import toys

torch.set_num_threads(1)
CELLS = Nasbench201(1, 4, 1, 4)
NARROW = restrict(NatsSize(4), {c.name: (8, 16, 24) for c in NatsSize().choices()})
LAYERS = Stages((Stage(("mbconv",), (8,), (1, 2), (2,), (3, 5), (1, 2), per="layer"),), stem=8, stem_stride=2)
NESTED: dict[str, Space] = {  # where options lie inside one weight
    "single_path": LAYERS,
    "tangle_nas": NARROW,
    "tas": PrunedResnet(8, 4),
}


def on_supernets(name: str) -> bool:
    try:
        STRATEGIES[name]().check(toys.problem())
    except BadInput as error:
        return "holds all others" in str(error)
    return False


NAMES = sorted(n for n in STRATEGIES if on_supernets(n))


@pytest.fixture(params=NAMES)
def strategy(request: pytest.FixtureRequest) -> Any:
    """Short: two epochs and, where it evolves, one generation of three."""
    cls = STRATEGIES[request.param]
    short = {"epochs": 2, "population": 3, "cycles": 1, "warmup": 1}
    return cls(**{f.name: short[f.name] for f in knobs(cls) if f.name in short})


def space_of(strategy: Any) -> Space:
    """The cells, or what the strategy needs instead."""
    return next((NESTED[n] for n in NESTED if STRATEGIES[n] is type(strategy)), CELLS)


def problem(strategy: Any, seed: int = 0, memo: Memo | None = None) -> Problem:
    recipe, task = SgdCosine(epochs=1, batch=16), Digits(train_images=32)
    return Problem(space_of(strategy), task, recipe, Trained(), seed=seed, memo=memo or Memo())


def words(events: list[Event]) -> list[tuple[Any, ...]]:
    return [e.identity() for e in events]


def plain(events: list[Event]) -> list[Any]:
    """Without what a clock says."""
    out: list[Any] = []
    for e in events:
        if isinstance(e, Tried):
            e = replace(e, spent={}, metrics={m: v for m, v in e.metrics.items() if "seconds" not in m})
        elif isinstance(e, Step):
            e = toys.untimed(e)
        out.append(e)
    return out


@cache
def ended(strategy: Any) -> list[Event]:
    """What a whole search says; tests that only read it share it."""
    return list(search(strategy, problem(strategy, 1)))


def test_there_are_some() -> None:
    assert {"darts", "drnas", "gdas", "spos"} <= set(NAMES)


def test_it_ends_with_a_choice_that_was_judged(strategy: Any) -> None:
    events = ended(strategy)
    judged = [e for e in events if isinstance(e, Tried) and not e.failed]
    assert isinstance(events[-1], Chosen)
    assert events[-1].arch in {t.arch for t in judged}
    assert all(t.how == problem(strategy).evaluator.key for t in judged)


def test_the_same_seed_gives_the_same_events_and_another_does_not(strategy: Any) -> None:
    first = plain(ended(strategy))
    again, other = (plain(list(search(strategy, problem(strategy, s)))) for s in (1, 2))
    assert first == again
    assert first != other


def test_each_epoch_tells_shares_that_sum_to_one(strategy: Any) -> None:
    steps = [e for e in ended(strategy) if isinstance(e, Step) and "train_loss" in e.values]
    told = [s.values for s in steps if any(v.startswith("gate/") for v in s.values)]
    assert len(told) >= strategy.epochs
    for values in told:
        for choice in space_of(strategy).choices():
            shares = [values[f"gate/{choice.name}/{o}"] for o in choice.options]
            assert sum(shares) == pytest.approx(1, abs=1e-5)
        assert 0 <= values["supernet_error"] <= 1
        assert 0 <= values["entropy"] <= 1 + 1e-6
        assert values["step_ms"] > 0
        assert values["backward_mib"] > 0


def test_a_second_life_says_the_same_from_where_the_first_was_cut(strategy: Any, tmp_path: Path) -> None:
    whole = plain(ended(strategy))
    for cut in (2, len(whole) - 1):
        memo, first = Memo(tmp_path / str(cut)), []
        events = search(strategy, problem(strategy, 1, memo))
        for event in events:
            first.append(event)
            if len(first) == cut:
                events.close()
                break
        known = Memo(tmp_path / str(cut))
        for event in first:
            if isinstance(event, Tried):
                known.record(space_of(strategy), event)
        second = plain(list(search(strategy, problem(strategy, 1, known))))
        merged = {tuple(map(str, e.identity())): e for e in [*plain(first), *second]}
        assert list(merged.values()) == whole


def test_it_refuses_a_space_whose_networks_share_no_weights(strategy: Any) -> None:
    with pytest.raises(BadInput, match="holds all others"):
        strategy.check(toys.problem())


@pytest.mark.parametrize("name", NAMES)
def test_its_knobs_have_help_and_ranges_and_json(name: str) -> None:
    cls = STRATEGIES[name]
    check_knobs(cls())
    assert summary(cls)
    assert all(f.metadata["help"] for f in knobs(cls))
    assert codec.from_json("strategy", codec.to_json(cls())) == cls()
