"""A chunk of networks in training as one program: epochs, judging, and what must be kept to go on later."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nascore.errors import Diverged, OutOfBudget
from nascore.events import Step
from nascore.recipe import train
from nascore.single import Single
from nascore.space import key
from nascore.task import Batch

if TYPE_CHECKING:
    from torch import nn

    from nascore.batched import Batched
    from nascore.problem import Problem
    from nascore.space import Arch
    from nascore.task import Split

Look = Callable[[Any, Any], list[dict[str, float]]]  # problem, program -> metrics of each member
PIECE = 256  # examples judged at once; fixed, so that an answer does not depend on the company


@dataclass
class Record:
    """What is known of one network in training.

    Attributes:
        epochs: trained so far.
        new: of them in this call.
        seconds: CPU seconds of all its epochs, its share of the program's.
        wall: seconds of the new ones as the budget counts them.
        curve: error, loss, train_loss -> one value an epoch.
        test_error: at the end.
        failed: "" or why it ended early.
        close: what a close look at the end says, by metric.
    """

    epochs: int = 0
    new: int = 0
    seconds: float = 0.0
    wall: float = 0.0
    curve: dict[str, list[float]] = field(default_factory=dict)
    test_error: float = math.nan
    failed: str = ""
    close: dict[str, float] = field(default_factory=dict)

    def add(self, index: int, values: Mapping[str, float]) -> None:
        """Notes epoch `index`, also when it is repeated."""
        for name, v in values.items():
            self.curve[name] = [*self.curve.get(name, [])[:index], v]
        self.epochs, self.new = index + 1, self.new + 1


def fresh(problem: Problem, arch: Arch, build: Callable[[Arch], nn.Module] | None = None) -> nn.Module:
    """The stand-alone network with the initial weights that belong to its key, whoever asks.

    `build`, a `space.builder`, takes less time; its network is good until the next one.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(problem.number("init", key(problem.space, arch)))
        return build(arch) if build else problem.space.build(arch, problem.task.shape)


def one_batch(problem: Problem, size: int) -> Batch:
    """The first `size` training images: the same for every arch."""
    whole = problem.task.whole("train", problem.device)
    return Batch(whole.x[:size], whole.y[:size], whole.index[:size])  # type: ignore[index] -- images


def train_alone(
    problem: Problem, arch: Arch, length: int, keep: bool, seconds: float, look: Look | None = None
) -> Generator[Step, None, Record]:
    """One network by `recipe.train`: the slow twin of `Chunk`, and the way for recipes with parts.

    Args:
        problem: gives everything.
        arch: what is trained.
        length: epochs.
        keep: go on from and keep states in the problem's memo.
        seconds: end with OutOfBudget when more are spent.
        look: judges the trained network closely.
    """
    name = f"train {key(problem.space, arch)}"
    told = problem.memo.load(f"{name}/record") if keep else None
    keep = keep and (told is None or told["epochs"] <= length)  # a longer training is of no use
    record = replace(record_of(told), new=0, wall=0.0) if keep and told else Record()
    inner = problem if keep else replace(problem, memo=type(problem.memo)())
    recipe = problem.space.recipe(arch, problem.recipe)
    net = fresh(problem, arch).to(problem.device)
    cpu, wall = time.process_time(), time.monotonic()
    try:
        for step in train(inner, net, recipe, name, length):
            record.add(step.index, step.values)
            record.seconds += time.process_time() - cpu
            record.wall += time.monotonic() - wall
            if keep:
                problem.memo.save(f"{name}/record", vars(record))
            yield Step(name, step.index, {**step.values, "archs": 1.0})
            if record.wall > seconds and record.epochs < length:
                raise OutOfBudget("the budget of seconds is spent")
            cpu, wall = time.process_time(), time.monotonic()
    except Diverged as error:
        record.failed = str(error)
        return record
    record.test_error = problem.task.metrics(net.eval(), "test").get("error", math.nan)
    if look is not None:
        record.close = look(problem, Single(net))[0]
    return record


class Chunk:
    """Networks that share minibatches, optimizer and schedule.

    Args:
        problem: gives data and streams; its recipe has no parts.
        net: the program of `archs`.
        archs: the members.
        kept: for each member the state to go on from, or None; all of the same epoch.
        watch: is shown the outputs (members, n, classes) and the batch of every training step.
    """

    def __init__(
        self,
        problem: Problem,
        net: Batched,
        archs: Sequence[Arch],
        kept: Sequence[Any],
        watch: Callable[[Tensor, Batch], None] | None = None,
    ) -> None:
        self.watch = watch
        self.problem, self.recipe, self.net = problem, problem.recipe, net.to(problem.device)
        self.archs, self.records = list(archs), [Record() for _ in archs]
        self.optimizer = self.recipe.optimizer(list(net.parameters()))
        for i, (arch, state) in enumerate(zip(archs, kept, strict=True)):
            if state is None:
                net.load(i, fresh(problem, arch).state_dict())
            else:
                net.load(i, state["net"])
                net.load_momentum(i, self.optimizer, state["optimizer"])
                self.records[i] = replace(record_of(state), new=0, wall=0.0)
        self.done = self.records[0].epochs
        n = problem.task.size("train")
        self.steps = max(n // min(self.recipe.batch, n), 1)

    @property
    def healthy(self) -> list[int]:
        """Members whose losses are finite."""
        return [i for i, r in enumerate(self.records) if not r.failed]

    def epoch(self) -> dict[str, float]:
        """Trains one epoch, judges on the validation part, returns the chunk's means."""
        cpu, wall = time.process_time(), time.monotonic()
        train = self._train()
        error, loss = self.judge("validation")
        self.done += 1
        for i in self.healthy:
            self.records[i].add(self.done - 1, {"error": error[i], "loss": loss[i], "train_loss": train[i]})
            if not math.isfinite(loss[i]) or not math.isfinite(train[i]):
                self.records[i].failed = f"diverged in epoch {self.done}"
        self._count(cpu, wall)
        return self._means()

    def _train(self) -> list[float]:
        """One epoch; mean loss of each member."""
        task, recipe, k = self.problem.task, self.recipe, self.net.members
        self.net.train()
        total, count = torch.zeros(k, 1, device=self.problem.device), 0
        rng = self.problem.rng("train", self.done)
        for batch in task.batches("train", recipe.batch, rng, None, self.problem.device):
            out = self.net(batch.x)
            if self.watch is not None:
                self.watch(out.detach(), batch)
            each = self._losses(out, recipe.teach(batch, task.shape))
            rate = recipe.rate(self.done * self.steps + count, recipe.epochs * self.steps)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            each.mean(1).sum().backward()  # members are independent: each has the gradient of its own mean
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
            total = total + each.detach()
            count += 1
        return row_means(total / max(count, 1))

    def _losses(self, out: Tensor, batch: Batch) -> Tensor:
        """(members, n, classes) -> (members, n) losses."""
        k = len(out)
        y = _repeated(batch.y, k)
        terms = self.problem.task.losses(out.flatten(0, 1), Batch(batch.x, y, batch.index.repeat(k)))
        return sum((t.view(k, -1) for t in terms.values()), start=out.new_zeros(k, 1))

    @torch.no_grad()
    def judge(self, split: Split) -> tuple[list[float], list[float]]:
        """Error and loss of each member on a split, in evaluation mode."""
        self.net.eval()
        batch = self.problem.task.whole(split, self.problem.device)
        pieces = [self.net(x) for x in batch.x.split(PIECE)]  # type: ignore[union-attr] -- images, one tensor
        out = torch.cat(pieces, 1)
        wrong = out.argmax(-1).ne(batch.y)  # type: ignore[arg-type] -- labels
        return row_means(wrong.float()), row_means(self._losses(out, batch))

    def finish(self, look: Look | None = None) -> None:
        """Judges on the test part, and closely where a look is given."""
        cpu, wall = time.process_time(), time.monotonic()
        for record, error in zip(self.records, self.judge("test")[0], strict=True):
            record.test_error = error
        if look is not None:
            for record, close in zip(self.records, look(self.problem, self.net), strict=True):
                record.close = close
        self._count(cpu, wall)

    def state(self, i: int) -> dict[str, Any]:
        """All that member i needs to go on later as if nothing had been between."""
        net, memory = self.net.member_state(i), self.net.momentum(i, self.optimizer)
        return {"net": net, "optimizer": memory, **vars(self.records[i])}

    def _count(self, cpu: float, wall: float) -> None:
        """Shares the time since then equally among the members."""
        for record in self.records:
            record.seconds += (time.process_time() - cpu) / len(self.records)
            record.wall += (time.monotonic() - wall) / len(self.records)

    def _means(self) -> dict[str, float]:
        rows = [self.records[i].curve for i in self.healthy]
        if not rows:
            return {"archs": float(len(self.records))}
        last = {c: [r[c][-1] for r in rows] for c in rows[0]}
        return {
            "train_loss": sum(last["train_loss"]) / len(rows),
            "error_mean": sum(last["error"]) / len(rows),
            "error_best": min(last["error"]),
            "archs": float(len(self.records)),
        }


def record_of(state: dict[str, Any]) -> Record:
    """The record in a kept state."""
    curve = {c: list(v) for c, v in state["curve"].items()}
    return replace(Record(**{n: state[n] for n in vars(Record()) if n in state}), curve=curve)


def _repeated(y: Any, k: int) -> Tensor:
    """Targets of k members one after the other."""
    return y.repeat(k, *[1] * (y.dim() - 1))


def row_means(x: Tensor) -> list[float]:
    """Row by row: how a matrix is summed depends on its layout, and so may the last bits."""
    return torch.stack([row.mean() for row in x]).tolist()
