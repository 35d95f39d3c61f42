"""Seconds and memory of a step, and which batch would fit when there is too little."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from nascore.engines.bilevel import bilevel
from nascore.engines.meter import MIB, Meter, fullest, is_full, part
from nascore.engines.oneshot import oneshot
from nascore.errors import NoMemory
from nascore.evaluators.trained import Trained
from nascore.gates import Gating, Softmax
from nascore.problem import Memo, Problem
from nascore.recipe import Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import restrict
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
CELLS = Nasbench201(1, 4, 1, 4)
FULL = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"


def problem(batch: int = 16) -> Problem:
    space = restrict(CELLS, {c.name: c.options[1:4:2] for c in CELLS.choices()})
    return Problem(space, Digits(train_images=64), SgdCosine(epochs=1, batch=batch), Trained(), memo=Memo())


def test_what_is_held_for_the_backward_pass_is_counted_once_and_only_while_it_is_held() -> None:
    x, w = torch.randn(50, 10, requires_grad=True), torch.randn(10, 10, requires_grad=True)
    held = {w.untyped_storage().data_ptr()}
    with fullest(held) as found:
        y = (x @ w).sigmoid()  # keeps x and its own result; w is there anyway
        assert found[0] == 2 * 50 * 10 * 4
        y.sum().backward()
        del y
        (x.detach() @ w).sum().backward()  # keeps x again, after the first is gone
    assert found[0] == 2 * 50 * 10 * 4
    with fullest(held) as twice:
        x.square().sum().backward()
        x.square().sum().backward()
    assert twice[0] == 50 * 10 * 4


def test_memory_of_a_step_grows_with_the_batch() -> None:
    told: dict[int, dict[str, float]] = {}
    for size in (8, 16, 32):
        p = problem(size)
        net, gating = p.supernet("separate").train(), Softmax(p.space)
        trainer, batch = Trainer(p, net, 1), next(iter(p.batches("train", "one")))
        meter = Meter("cpu", net.parameters(), lambda b: None)
        for _ in range(2):
            with meter.step(batch):
                trainer.round([net.at(gating())], batch)
        told[size] = meter.told()
        assert told[size]["step_ms"] > 0
    first, second, third = (told[n]["backward_mib"] for n in (8, 16, 32))
    assert third - second == pytest.approx(2 * (second - first), rel=0.02)
    assert 0 < first < second < 1


def test_a_watched_step_moves_weights_as_any_other() -> None:
    ends = []
    for watched in (True, False):
        p = problem()
        torch.manual_seed(0)
        net = p.supernet("separate").train()
        trainer, batch = Trainer(p, net, 1), next(iter(p.batches("train", "one")))
        meter = Meter("cpu", net.parameters(), lambda b: None)
        meter.steps = 0 if watched else 1
        with meter.step(batch):
            trainer.round([net.at(Softmax(p.space)())], batch)
        ends.append([v.detach().clone() for v in net.parameters()])
        assert (meter.most > 0) is watched
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def greedy(net: nn.Module, most: int, seen: list[int]) -> nn.Module:
    """The network on a machine that has memory for `most` examples at once."""

    def enter(module: nn.Module, args: tuple[Any, ...]) -> None:
        seen.append(len(args[0]))
        if len(args[0]) > most:
            raise RuntimeError(FULL)

    net.register_forward_pre_hook(enter)
    return net


@pytest.mark.parametrize("engine", ["bilevel", "second", "oneshot"])
def test_out_of_memory_is_told_with_the_batch_that_fits(engine: str) -> None:
    p, seen = problem(16), list[int]()
    net: Any = greedy(p.supernet("separate"), 5, seen)
    gating = Gating(p.space) if engine == "oneshot" else Softmax(p.space)
    trainer = Trainer(p, net, 1)
    if engine == "oneshot":
        work = oneshot(p, trainer, gating, 1)
    else:
        alphas = torch.optim.Adam(gating.parameters(), 0.01)
        work = bilevel(p, trainer, gating, alphas, 1, order=2 if engine == "second" else 1)
    said = "out of memory with a batch of 16; 4 would fit: set recipe.batch to 4"
    with pytest.raises(NoMemory, match=said):
        list(work)
    assert set(seen) == {16, 8, 4}, "halves are tried, down to one that is done"


def test_where_not_even_one_fits_that_is_said() -> None:
    p = problem(16)
    net: Any = greedy(p.supernet("separate"), 0, [])
    with pytest.raises(NoMemory, match="batch of 16, and no smaller one fits now; lower"):
        list(oneshot(p, Trainer(p, net, 1), Gating(p.space), 1))


def test_what_only_may_be_memory_is_told_as_memory_where_less_of_it_works() -> None:
    batch = next(iter(problem().batches("train", "one")))
    vague = RuntimeError("could not create a primitive")

    def refuse(_: Any) -> None:
        raise vague

    meter = Meter("cpu", [], lambda b: None)
    with pytest.raises(NoMemory, match="batch of 16; 8 would fit"), meter.step(batch):
        raise vague
    meter = Meter("cpu", [], refuse)
    with pytest.raises(RuntimeError, match="primitive"), meter.step(batch):
        raise vague


def test_other_errors_stay_what_they_are() -> None:
    meter = Meter("cpu", [], lambda b: None)
    batch = next(iter(problem().batches("train", "one")))
    with pytest.raises(RuntimeError, match="shapes"), meter.step(batch):
        raise RuntimeError("shapes do not match")
    assert meter.told() == {}
    assert is_full(MemoryError())
    assert is_full(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert is_full(RuntimeError(FULL))
    assert not is_full(ValueError("out of memory"))


class Fails(torch.autograd.Function):
    """Passes on; memory is used up on the way back."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 1

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        raise RuntimeError(FULL)


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_a_step_that_fails_lets_go_of_its_tensors_before_less_is_tried(way: str) -> None:
    batch = next(iter(problem().batches("train", "one")))
    left: list[int] = []
    x = torch.randn(8, requires_grad=True)

    def step() -> None:
        kept = (x * 2).sigmoid()
        if way == "forward":
            raise RuntimeError(FULL)
        (kept.exp() + Fails.apply(kept)).sum().backward()  # the other branch is left waiting

    def attempt(_: Any) -> None:
        left.append(sum(type(o).__name__ == "_Saved" for o in gc.get_objects()))

    meter = Meter("cpu", [x], attempt)
    with pytest.raises(NoMemory, match="8 would fit"), meter.step(batch):
        step()
    assert left == [0]


LIMITED = """
import resource, torch
torch.set_num_threads(1)
from nascore.engines.bilevel import bilevel
from nascore.errors import NoMemory
from nascore.evaluators.trained import Trained
from nascore.gates import Softmax
from nascore.problem import Memo, Problem
from nascore.recipe import Trainer
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

def searched(batch):
    recipe = SgdCosine(epochs=1, batch=batch)
    p = Problem(Nasbench201(2, 16, 1, 1), Digits(1000), recipe, Trained(), memo=Memo())
    net, gating = p.supernet("separate"), Softmax(p.space)
    alphas = torch.optim.Adam(gating.parameters(), 0.01)
    trainer = Trainer(p, net, 1)
    events = bilevel(p, trainer, gating, alphas, 1)
    trainer.batches = lambda *_: list(p.batches("train", "one"))[:1]
    return next(events)

searched(4)
used = next(int(s.split()[1]) for s in open("/proc/self/status") if s.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (1024 * used + 200 * 2**20, resource.RLIM_INFINITY))
try:
    searched(1000)
except NoMemory as error:
    print(error)
"""


def test_a_process_short_of_memory_tells_a_batch_that_fits() -> None:
    out = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False)
    said = r"out of memory with a batch of 1000; (500|250|125) would fit: set recipe.batch to \1"
    assert re.search(said, out.stdout), out.stdout + out.stderr[-2000:]


def test_a_part_of_a_batch_is_its_first_examples() -> None:
    batch = next(iter(problem().batches("train", "one")))
    named = replace(batch, x={"image": batch.x}, weight=torch.arange(16.0))  # type: ignore[dict-item]
    small = part(named, 3)
    assert torch.equal(small.x["image"], batch.x[:3])  # type: ignore[index]
    assert (len(small.y), len(small.index)) == (3, 3)
    assert small.weight is not None
    assert small.weight.tolist() == [0, 1, 2]
    assert MIB == 1048576
