"""Active learning (survey of Schroeder and Niekler, 2020): buy the labels that teach most.

Training begins with few labels, spread over the classes. Round after round the network is trained from its
first weights, asks for the labels of some further examples, and gets them. How it asks is `nascore.query`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.events import Step
from nascore.kinds import knob
from nascore.query import QUERIES, Pool
from nascore.recipe import Part, Trainer
from nascore.task import Batch, Metrics, Shape, Split, Task, draws

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem

Rows = NDArray[np.int64]
PIECE = 512  # examples asked about at once


@dataclass(frozen=True)
class ActiveLearning(Part):
    """Labels are bought in rounds, those first that the network should learn most from.

    Source: the pool-based loop that the survey describes (section 2). Every round trains from the same first
    weights with as many updates, however many labels there are. The recipe's epochs do not count; its
    optimizer, batch and schedule do.
    """

    query: str = knob("margin", help="how the network asks", options=tuple(QUERIES))
    first: int = knob(25, 2, 100_000, "labels to begin with, as many of each class as can be")
    ask: int = knob(25, 1, 100_000, "labels bought in a round")
    budget: int = knob(250, 2, 1_000_000, "labels in the end")
    updates: int = knob(150, 1, 1_000_000, "steps of the training in each round")
    draws: int = knob(10, 2, 1000, "passes with dropout that BALD compares")

    def fit(self, problem: Problem, net: nn.Module, name: str) -> Iterator[Step]:
        """A step a round, with the labels there are; the network is left as the last round trained it.

        Raises:
            BadInput: the task has no classes, or fewer examples than there are first labels.
        """
        import copy

        from nascore.problem import State, epochs

        if "class" not in dict(problem.task.shape.outputs):
            raise BadInput("parts: active learning needs a task with classes, such as text")
        n = problem.task.size("train")
        if self.first > n:
            raise BadInput(f"parts.first: {self.first} labels are more than the {n:,} training examples")
        begin = copy.deepcopy(net.state_dict())
        state = State(rows=self.begun(problem).tolist())
        rounds = 1 + math.ceil(max(min(self.budget, n) - self.first, 0) / self.ask)
        for i in epochs(problem, name, rounds, net, state):
            rows = np.array(state["rows"], dtype=np.int64)
            net.load_state_dict(begin)
            loss = self._train(problem, net, rows, f"{name}/{i}")
            told = problem.task.metrics(net.eval(), "validation")
            yield Step(name, i, {"train_loss": loss, "labels": float(len(rows)), **told})
            if i < rounds - 1:
                more = min(self.ask, min(self.budget, n) - len(rows))
                asked = self.asked(problem, net, rows, more, f"{name}/{i}")
                state["rows"] = [*rows.tolist(), *asked.tolist()]

    def begun(self, problem: Problem) -> Rows:
        """(first,) random examples, the classes in turn; the same for every way to ask."""
        labels: Any = problem.task.whole("train").y
        y, rng = labels.cpu().numpy(), problem.rng("active_learning", "first")
        order = rng.permutation(len(y))
        turn = np.empty(len(y), dtype=np.int64)
        for label in np.unique(y):
            mine = np.flatnonzero(y[order] == label)
            turn[mine] = np.arange(len(mine))
        return order[np.argsort(turn, kind="stable")][: self.first]

    def asked(self, problem: Problem, net: nn.Module, rows: Rows, n: int, name: str) -> Rows:
        """(n,) examples to be labeled next; those at `rows` have a label."""
        left = np.setdiff1d(np.arange(problem.task.size("train")), rows)
        pool = self.pool(problem, net, rows, left, name)
        return left[QUERIES[self.query](pool, n)]

    def pool(self, problem: Problem, net: nn.Module, rows: Rows, left: Rows, name: str) -> Pool:
        """What is known of the examples at `left`; only what the way to ask needs."""
        import torch

        points, rng = points_of(problem.task), problem.rng("active_learning", name)
        bare = Pool(points[left], points[rows], rng)
        if self.query in ("random", "density", "core_set", "k_means", "discriminative"):
            return bare
        x: Any = problem.task.whole("train", problem.device).x
        some = x[torch.from_numpy(left).to(x.device)]
        chances, inner = looked(net.eval(), some)
        if self.query != "bald":
            return replace(bare, chances=chances, inner=inner)
        with torch.random.fork_rng(devices=[]), Dropping(net):
            torch.manual_seed(problem.number("active_learning", "dropout", name))
            passes = np.stack([looked(net, some)[0] for _ in range(self.draws)])
        return replace(bare, chances=chances, inner=inner, draws=passes)

    def _train(self, problem: Problem, net: nn.Module, rows: Rows, name: str) -> float:
        """Mean loss of the last pass over the labels."""
        parts = tuple(p for p in problem.recipe.parts if not isinstance(p, ActiveLearning))
        recipe = replace(problem.recipe, parts=parts)  # type: ignore[type-var] -- recipes are dataclasses
        bought = replace(problem, task=Bought(problem.task, tuple(rows.tolist())), recipe=recipe)
        steps = max(len(rows) // min(recipe.batch, len(rows)), 1)
        length, loss = math.ceil(self.updates / steps), math.nan
        trainer = Trainer(bought, net.train(), length, recipe)
        for epoch in range(length):
            for batch in trainer.batches("active_learning", name, epoch):
                trainer.round([net], batch)
            loss = trainer.epoch_done(name).values["train_loss"]
        return loss


class Dropping:
    """While it lasts, dropout drops although the network is judged; norms stay as they are."""

    def __init__(self, net: nn.Module) -> None:
        from torch import nn

        kinds = (nn.Dropout, nn.Dropout1d, nn.Dropout2d)
        net.eval()
        self.layers = [m for m in net.modules() if isinstance(m, kinds)]

    def __enter__(self) -> None:
        for layer in self.layers:
            layer.train()

    def __exit__(self, *_: object) -> None:
        for layer in self.layers:
            layer.eval()


def looked(net: nn.Module, x: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, classes) probabilities, and (n, h) what the last linear layer reads."""
    import torch

    last = [m for m in net.modules() if isinstance(m, torch.nn.Linear)][-1]
    inner: list[Tensor] = []
    hook = last.register_forward_pre_hook(lambda _, given: inner.append(given[0].detach()))
    try:
        with torch.no_grad():
            chances = torch.cat([net(part).softmax(-1) for part in x.split(PIECE)])
    finally:
        hook.remove()
    return chances.cpu().double().numpy(), torch.cat(inner).flatten(1).cpu().double().numpy()


def points_of(task: Task) -> NDArray[np.float64]:
    """(n, d) where the training examples lie: as the task says, else their numbers side by side."""
    own: Callable[[str], NDArray[np.float64]] | None = getattr(task, "points", None)
    if own is not None:
        return own("train")
    x: Any = task.whole("train").x
    return x.flatten(1).cpu().double().numpy()


@dataclass(frozen=True)
class Bought(Task):
    """A task whose training examples are only those with a label.

    Attributes:
        task: the whole.
        rows: of the training examples that have a label.
    """

    task: Task
    rows: Sequence[int]

    @property
    def data(self) -> str:
        """That of the whole."""
        return self.task.data

    @property
    def shape(self) -> Shape:
        """That of the whole."""
        return self.task.shape

    def size(self, split: Split) -> int:
        """Number of labels; of other splits as in the whole."""
        return len(self.rows) if split == "train" else self.task.size(split)

    def whole(self, split: Split, device: str = "cpu") -> Batch:
        """Those with a label, in the order in which they were bought; other splits as in the whole."""
        import torch

        every = self.task.whole(split, device)
        if split != "train":
            return every
        index = torch.tensor(self.rows, device=device)
        x: Any = every.x
        y: Any = every.y
        return Batch(x[index], y[index], every.index[index])

    def batches(
        self,
        split: Split,
        size: int | Callable[[], int],
        rng: np.random.Generator,
        weights: Tensor | None = None,
        device: str = "cpu",
    ) -> Iterator[Batch]:
        """One epoch of shuffled, full batches of those with a label; weights are not for so few."""
        import torch

        if split != "train":
            yield from self.task.batches(split, size, rng, weights, device)
            return
        every = self.whole(split, device)
        x: Any = every.x
        y: Any = every.y
        for rows in draws(len(self.rows), size, rng):
            index = torch.from_numpy(rows).to(device)
            yield Batch(x[index], y[index], every.index[index])

    def losses(self, out: Any, batch: Batch) -> dict[str, Tensor]:
        """Those of the whole."""
        return self.task.losses(out, batch)

    def metrics(self, net: nn.Module, split: Split) -> Metrics:
        """Those of the whole."""
        return self.task.metrics(net, split)
