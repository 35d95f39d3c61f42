from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch

from nascore.chunk import fresh, row_means
from nascore.errors import BadInput, OutOfBudget
from nascore.evaluators.trained import Trained, too_big
from nascore.events import Note, Step, Tried
from nascore.kinds import knob
from nascore.problem import Budget, Memo, Objective, Problem
from nascore.recipe import Part, train
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
CONV, SMALL, MIXED, POOLS = (3, 3, 3, 3, 3, 3), (2, 0, 1, 0, 2, 1), (3, 2, 1, 4, 3, 2), (4, 4, 4, 4, 4, 4)
ARCHS = [CONV, SMALL, MIXED, POOLS, (0,) * 6]
QUALITY = ("error", "loss", "test_error")


@dataclass(frozen=True)
class Nothing(Part):
    """A part that does nothing: with it, every network is trained alone."""

    strength: float = knob(0.0)


def problem(epochs: int = 3, **about) -> Problem:
    recipe = about.pop("recipe", SgdCosine(epochs=epochs, batch=32))
    by = about.pop("evaluator", Trained())
    return Problem(Nasbench201(1, 8, 1, 2), Digits(train_images=128), recipe, by, **about)


def judged(p: Problem, archs: list[Arch]) -> dict[Arch, Tried]:
    return {e.arch: e for e in p.evaluate(archs) if isinstance(e, Tried)}


def same(a: Tried, b: Tried) -> bool:
    return a.curve == b.curve and all(a.metrics[m] == b.metrics[m] for m in QUALITY)


def test_an_answer_is_the_same_bits_alone_and_in_any_company() -> None:
    together = judged(problem(), ARCHS)
    for chunk, order in ((1, ARCHS), (2, ARCHS[::-1]), (3, ARCHS)):
        other = judged(problem(evaluator=Trained(chunk=chunk)), order)
        assert all(same(together[a], other[a]) for a in ARCHS)


def test_the_mean_of_a_row_has_the_same_bits_in_any_matrix() -> None:
    x = torch.rand(27, 397, generator=torch.Generator().manual_seed(0))
    for rows in (1, 2, 3, 5, 8, 13):
        assert row_means(x[:rows]) == row_means(x)[:rows]


def test_training_together_is_training_alone() -> None:
    p = problem()
    together = judged(p, ARCHS)
    for arch in ARCHS[:3]:
        rep = p.space.canonical(arch)
        losses = [s.values["loss"] for s in train(p, fresh(p, rep), p.recipe, f"alone {arch}")]
        assert together[arch].curve["loss"] == pytest.approx(losses, rel=2e-3)


def test_a_recipe_with_parts_trains_alone_and_agrees() -> None:
    parts = SgdCosine(epochs=3, batch=32, parts=(Nothing(),))
    alone, together = judged(problem(recipe=parts), ARCHS[:3]), judged(problem(), ARCHS[:3])
    for arch in ARCHS[:3]:
        assert alone[arch].curve["loss"] == pytest.approx(together[arch].curve["loss"], rel=2e-3)
        assert alone[arch].spent["epochs"] == 3
        assert not math.isnan(alone[arch].metrics["test_error"])


def test_metrics_are_those_of_the_task_on_the_trained_network() -> None:
    from nascore.chunk import Chunk

    p = problem()
    archs = [MIXED, CONV]
    chunk = Chunk(p, p.space.batched(archs, p.task.shape), archs, [None, None])
    chunk.epoch()
    error, loss = chunk.judge("validation")
    for i, arch in enumerate(archs):
        net = p.space.build(arch, p.task.shape)
        net.load_state_dict(chunk.net.member_state(i))
        own = p.task.metrics(net.eval(), "validation")
        assert error[i] == pytest.approx(own["error"], abs=3e-3)
        assert loss[i] == pytest.approx(own["loss"], rel=1e-4)


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("parts", [(), (Nothing(),)])
def test_a_longer_training_goes_on_from_a_shorter_one_to_the_bit(folder: bool, parts, tmp_path: Path) -> None:
    recipe = SgdCosine(epochs=5, batch=32, parts=parts)
    direct = judged(problem(recipe=recipe, evaluator=Trained().at(4)), ARCHS[:3])
    memo = Memo(tmp_path if folder else None)
    first = judged(problem(recipe=recipe, memo=memo, evaluator=Trained().at(2)), ARCHS[:2])
    then = judged(problem(recipe=recipe, memo=memo, evaluator=Trained().at(4)), ARCHS[:3])
    assert all(same(direct[a], then[a]) for a in ARCHS[:3])
    assert [then[a].spent["epochs"] for a in ARCHS[:3]] == [2, 2, 4]
    assert first[CONV].curve["loss"] == direct[CONV].curve["loss"][:2]


def test_the_whole_training_goes_on_from_a_part_of_it() -> None:
    memo = Memo()
    judged(problem(memo=memo, evaluator=Trained().at(1)), [MIXED])
    whole = judged(problem(memo=memo), [MIXED])[MIXED]
    assert whole.spent["epochs"] == 2
    assert same(whole, judged(problem(), [MIXED])[MIXED])


def test_without_keep_nothing_is_kept() -> None:
    memo = Memo()
    judged(problem(memo=memo, evaluator=Trained(1, keep=False)), [MIXED])
    assert not memo.states
    assert judged(problem(memo=memo), [MIXED])[MIXED].spent["epochs"] == 3


def test_fidelities_have_keys_of_their_own() -> None:
    assert len({Trained().key, Trained().at(3).key, Trained().at(4).key}) == 3
    assert Trained().key == Trained(chunk=4, keep=False).key


def test_more_epochs_than_the_schedule_has_are_refused() -> None:
    with pytest.raises(BadInput, match="9 is above the recipe's 3"):
        Trained(9).metrics(problem())


def test_equal_networks_are_trained_once() -> None:
    skip, twin = (1, 0, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0)  # skip then conv, and the conv at once
    p = problem()
    assert p.space.canonical(skip) == p.space.canonical(twin)
    found = judged(p, [skip, twin])
    assert same(found[skip], found[twin])
    assert [found[a].spent["epochs"] for a in (skip, twin)] == [3, 0]


def test_an_equal_of_a_known_network_takes_its_answer_with_its_own_costs() -> None:
    bare, dead = (0, 0, 0, 3, 0, 0), (3, 0, 0, 3, 0, 0)  # the second has a convolution that leads nowhere
    p = problem()
    known = judged(p, [bare])[bare]
    found = judged(p, [dead])[dead]
    assert same(known, found)
    assert found.spent["epochs"] == 0
    assert found.metrics["params"] == known.metrics["params"] + 8 * 8 * 9 + 16


def test_who_of_a_class_comes_first_does_not_matter() -> None:
    a, b = (1, 0, 0, 0, 3, 0), (0, 0, 0, 3, 0, 0)
    assert same(judged(problem(), [a])[a], judged(problem(), [b])[b])


def test_answers_come_in_the_order_asked_and_steps_between() -> None:
    p = problem(evaluator=Trained(chunk=2))
    events = list(p.evaluate(ARCHS))
    assert [e.arch for e in events if isinstance(e, Tried)] == ARCHS
    steps = [e for e in events if isinstance(e, Step)]
    assert len({e.identity() for e in steps}) == len(steps) == 9
    assert set(steps[0].values) == {"train_loss", "error_mean", "error_best", "archs"}


def test_a_diverging_network_fails_alone() -> None:
    from nascore.chunk import Chunk

    p = problem()
    healthy = judged(problem(), [MIXED])[MIXED]
    archs = [CONV, MIXED]
    chunk = Chunk(p, p.space.batched(archs, p.task.shape), archs, [None, None])
    with torch.no_grad():
        next(part for name, _, part in chunk.net.slots(0) if name.endswith("linear.weight")).fill_(math.inf)
    for _ in range(3):
        chunk.epoch()
    assert chunk.records[0].failed == "diverged in epoch 1"
    assert tuple(chunk.records[1].curve["loss"]) == healthy.curve["loss"]


def test_a_rate_beyond_all_reason_is_a_failed_row() -> None:
    found = judged(problem(recipe=SgdCosine(epochs=2, batch=32, lr=1e30)), [CONV, MIXED])
    assert {t.failed for t in found.values()} == {"diverged in epoch 1"}


def test_a_network_that_is_too_big_is_a_row_and_is_not_built() -> None:
    p = replace(problem(), space=Nasbench201(20, 512, 5, 1))
    found = judged(p, [CONV])[CONV]
    assert found.failed.startswith("too big: ")
    assert "50,000,000" in found.failed


def test_activations_beyond_the_memory_are_too_big() -> None:
    p = replace(problem(), recipe=SgdCosine(batch=4096), space=Nasbench201(20, 512, 1, 1))
    assert "MiB of activations" in too_big(p, (4,) * 6, 1000.0)
    assert too_big(problem(), CONV, 1000.0) == ""


def test_the_budget_of_seconds_ends_a_chunk_between_epochs() -> None:
    p = problem(epochs=50, budget=Budget(evaluations=0, seconds=0.05))
    events = []
    with pytest.raises(OutOfBudget):
        events.extend(p.evaluate(ARCHS))  # takes what came before the refusal
    assert any(isinstance(e, Note) for e in events)
    assert 1 <= sum(isinstance(e, Step) for e in events) < 50


def test_latency_is_measured_only_where_it_is_wanted() -> None:
    plain = judged(problem(1), [SMALL])[SMALL]
    asked = judged(problem(1, objectives=(Objective("error"), Objective("latency_ms"))), [SMALL])[SMALL]
    assert "latency_ms" not in plain.metrics
    assert 0 < asked.metrics["latency_ms"] < 1000


def test_training_learns_digits() -> None:
    p = replace(problem(6), task=Digits())
    found = judged(p, [MIXED])[MIXED]
    assert found.metrics["error"] < 0.5
    assert found.curve["train_loss"][-1] < found.curve["train_loss"][0]
    assert found.metrics["error"] == found.curve["error"][-1]
