"""A recipe says how to train; the Trainer is the one place where weights move, alone or inside any engine.

torch is imported where it is used: the app imports this module and does without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol

from nascore.errors import Diverged, NotSupported
from nascore.events import Step

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from nascore.problem import Problem
    from nascore.task import Batch, Shape, Task

Losses = Callable[["nn.Module", "Batch"], tuple[Any, dict[str, "Tensor"]]]


class Part(Protocol):
    """One training idea; inherits this and fills only the moments that it is about."""

    second_order = False  # gradients keep their graph

    def start(self, trainer: Trainer) -> Part:
        """A live copy, where the part has state to keep."""
        return self

    def data(self, task: Task, problem: Problem) -> Task:
        """Other data: a subset, a condensation, labels bought."""
        return task

    def losses(self, terms: dict[str, Tensor], out: Any, batch: Batch, net: nn.Module) -> dict[str, Tensor]:
        """Further or changed loss terms."""
        return terms

    def gradient(self, trainer: Trainer) -> None:
        """Changes gradients before the optimizer's step."""
        return

    def optimizer(self, params: Sequence[nn.Parameter]) -> Optimizer | None:
        """Another optimizer; the first part that answers is heard."""
        return None

    def batch_size(self, trainer: Trainer, size: int) -> int:
        """Asked before every batch."""
        return size

    def fit(self, problem: Problem, net: nn.Module, name: str) -> Iterator[Step] | None:
        """A whole training of its own."""
        return None


class Recipe(Protocol):
    """How a network is trained: a frozen dataclass of knobs."""

    epochs: int
    batch: int
    parts: tuple[Part, ...]

    def optimizer(self, params: Sequence[Any]) -> Optimizer:
        """An optimizer over tensors of any shape; batched training stacks many networks in one."""
        ...

    def rate(self, done: float, total: float) -> float:
        """The learning rate after `done` of `total` steps."""
        ...

    def teach(self, batch: Batch, shape: Shape) -> Batch:
        """The batch as it is learned from, such as one with smoothed labels; judging sees it as it is."""
        return batch

    def changed(self, **settings: Any) -> Recipe:
        """The same recipe with other settings, as an arch of a space of recipes asks for them.

        Raises:
            NotSupported: this recipe has no such setting.
        """
        known = {f.name for f in fields(self)}  # type: ignore[arg-type] -- recipes are dataclasses
        if unknown := [n for n in settings if n not in known]:
            raise NotSupported(f"{type(self).__name__} has no {unknown[0]} that could be chosen")
        return replace(self, **settings)  # type: ignore[type-var] -- as above


class Trainer:
    """Optimizers, schedule and live parts around a network: `learn` adds gradients, `step` uses them."""

    def __init__(
        self,
        problem: Problem,
        net: nn.Module,
        epochs: int,
        recipe: Recipe | None = None,
        extra: Sequence[nn.Parameter] = (),
    ) -> None:
        self.problem, self.net, self.task = problem, net, problem.task
        self.recipe = recipe or problem.recipe
        for part in self.recipe.parts:
            self.task = part.data(self.task, problem)
        self.epochs, self.done, self.total, self.count = epochs, 0, 0.0, 0
        self.params = {p: [*self._own(p), *extra] for p in self.task.players}
        self.optimizers = {p: self._optimizer(q) for p, q in self.params.items()}
        self.parts = [part.start(self) for part in self.recipe.parts]
        self.steps = max(self.task.size("train") // min(self.recipe.batch, self.task.size("train")), 1)
        self.moved = 0

    def _own(self, player: str) -> list[nn.Parameter]:
        module = self.net if player == "net" else getattr(self.net, player)
        return [p for p in module.parameters() if p.requires_grad]

    def _optimizer(self, params: Sequence[nn.Parameter]) -> Optimizer:
        own = [o for part in self.recipe.parts if (o := part.optimizer(params)) is not None]
        return own[0] if own else self.recipe.optimizer(params)

    def batches(self, *stream: str | int, weights: Tensor | None = None) -> Iterator[Batch]:
        """The training batches of one epoch, drawn by the named stream."""
        rng, device = self.problem.rng(*stream), self.problem.device
        return self.task.batches("train", self.size, rng, weights, device)

    def size(self) -> int:
        """The size of the next batch."""
        size = self.recipe.batch
        for part in self.parts:
            size = part.batch_size(self, size)
        return size

    def _plain(self, view: nn.Module, batch: Batch) -> tuple[Any, dict[str, Tensor]]:
        out = view(batch.x)
        return out, self.task.losses(out, self.recipe.teach(batch, self.task.shape))

    def learn(self, view: nn.Module, batch: Batch, player: str = "", losses: Losses | None = None) -> Any:
        """Forward, losses, the recipe's terms, backward. Returns the output."""
        out, terms = (losses or self._plain)(view, batch)
        for part in self.parts:
            terms = part.losses(terms, out, batch, view)
        self.backward(terms, batch, player)
        return out

    def backward(self, terms: dict[str, Tensor], batch: Batch, player: str = "") -> None:
        """Adds gradients of a player's terms: term -> (n,) per example, weighted by the batch's weights."""
        player = player or self.task.players[0]
        mine = terms if len(self.task.players) == 1 else {player: terms[player]}
        weighted = [t if batch.weight is None else t * batch.weight for t in mine.values()]
        loss = sum((t.mean() for t in weighted[1:]), start=weighted[0].mean())
        keep = any(p.second_order for p in self.parts)
        loss.backward(inputs=self.params[player], create_graph=keep)
        self.total = self.total + loss.detach()  # a tensor: no wait for the device within an epoch
        self.count += 1

    def step(self, player: str = "") -> None:
        """One step of a player's optimizer at the schedule's rate; gradients back to None."""
        for part in self.parts:
            part.gradient(self)
        optimizer = self.optimizers[player or self.task.players[0]]
        rate = self.recipe.rate(self.moved, self.epochs * self.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        self.moved += player in ("", self.task.players[-1])

    def round(self, views: Sequence[nn.Module], batch: Batch, losses: Losses | None = None) -> None:
        """One step of every player on the sum over views."""
        for player in self.task.players:
            for view in views:
                self.learn(view, batch, player, losses)
            self.step(player)

    def epoch_done(self, name: str, gating: Any = None, **values: float) -> Step:
        """Ends an epoch; the event to yield, with the mean loss and the gates.

        Raises:
            Diverged: the loss is not finite.
        """
        loss = float(self.total) / max(self.count, 1)
        self.total, self.count = 0.0, 0
        if not math.isfinite(loss):
            raise Diverged(f"diverged in epoch {self.done + 1}")
        self.done += 1
        return Step(name, self.done - 1, {"train_loss": loss, **_gates(gating), **values})

    def state_dict(self) -> dict[str, Any]:
        """Everything that a restart needs."""
        keeping: list[Any] = [p for p in self.parts if hasattr(p, "state_dict")]
        live = [p.state_dict() for p in keeping]
        steppers = {p: o.state_dict() for p, o in self.optimizers.items()}
        return {"done": self.done, "moved": self.moved, "parts": live, "optimizers": steppers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Back to where `state_dict` was taken."""
        self.done, self.moved = state["done"], state["moved"]
        live: list[Any] = [p for p in self.parts if hasattr(p, "state_dict")]
        for part, s in zip(live, state["parts"], strict=True):
            part.load_state_dict(s)
        for player, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][player])


def _gates(gating: Any) -> dict[str, float]:
    if gating is None:
        return {}
    p = gating.probabilities()
    return {
        f"gate/{c.name}/{o}": v
        for c in gating.choices
        for o, v in zip(c.options, p[c.name].detach().tolist(), strict=True)
    }


def train(problem: Problem, net: nn.Module, recipe: Recipe, name: str, stop: int = 0) -> Iterator[Step]:
    """Ordinary training, streamed; `name` keeps and resumes it in the problem's memo.

    Args:
        problem: gives data, streams and memo.
        net: trained in place.
        recipe: how; its schedule always spans `recipe.epochs`.
        name: the phase.
        stop: end after this many epochs of the schedule; 0 for all.
    """
    from nascore.problem import epochs

    for part in recipe.parts:
        if (own := part.fit(problem, net, name)) is not None:
            yield from own
            return
    trainer = Trainer(problem, net, recipe.epochs, recipe)
    for epoch in epochs(problem, name, stop or recipe.epochs, net, trainer):
        net.train()
        for batch in trainer.batches("train", epoch):
            trainer.round([net], batch)
        net.eval()
        yield trainer.epoch_done(name, **problem.task.metrics(net, "validation"))
