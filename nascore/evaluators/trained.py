"""Real training, many networks as one program where the space has one, one after the other where not.

An answer does not depend on the company: the first weights come from the arch's key, the order of minibatches
from the epoch, members of a program never meet. Equal networks (`space.canonical`) are trained once: what is
trained is always the class's representative, so it does not matter who of the class was asked first.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nascore.errors import BadInput, OutOfBudget
from nascore.events import Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator, knob
from nascore.space import Arch, key

if TYPE_CHECKING:
    from nascore.chunk import Record
    from nascore.problem import Problem
    from nascore.recipe import Recipe

MOST_PARAMS = 50_000_000
OWN = (
    "params",
    "flops",
    "latency_ms",
    "latency_spread_ms",
)  # an arch's own; the rest it shares with its equals


@dataclass(frozen=True)
class Trained(Evaluator):
    """Trains every architecture from new weights and judges it on the validation images.

    `train_seconds` is the CPU time of the program that trained it, shared equally among its members.
    """

    epochs: int = knob(0, 0, 600, "stop after so many epochs of the recipe's schedule; 0 for all of them")
    chunk: int = knob(0, 0, 512, "networks trained as one program; 0 chooses by the size of their maps")
    keep: bool = knob(True, help="keep shortened trainings, so that a longer one goes on from there")
    draw: int = knob(0, 0, 999, "which of many independent trainings: other weights and minibatches each")
    closely: bool = knob(
        False, help="judge calibration, before and after scaling, and accuracy under noise too"
    )

    @property
    def key(self) -> str:
        """`trained`, `trained@3` after 3 epochs, `trained/draw1`; chunk and keep do not change answers."""
        epochs, draw = f"@{self.epochs}" if self.epochs else "", f"/draw{self.draw}" if self.draw else ""
        return f"trained{epochs}{'/closely' if self.closely else ''}{draw}"

    def drawn(self, problem: Problem) -> Problem:
        """The problem with the streams of this draw; of draw 0 itself."""
        return replace(problem, seed=problem.number("draw", self.draw)) if self.draw else problem

    def length(self, problem: Problem) -> int:
        """Epochs that are trained by the problem's recipe; where archs choose theirs, of its own each.

        Raises:
            BadInput: more than the recipe's schedule has.
        """
        if self.epochs > problem.recipe.epochs and not problem.space.trains():
            raise BadInput(
                f"evaluator.knobs.epochs: {self.epochs} is above the recipe's {problem.recipe.epochs} epochs"
            )
        return self.epochs or problem.recipe.epochs

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """Validation part, one seed, trained here."""
        how = "trained here, each by its own recipe" if problem.space.trains() else "trained here"
        return EvaluationProtocol(problem.task.data, "validation", self.length(problem), "1 seed", how)

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """What may be searched for; `test_error` is given too, but nobody may choose by it."""
        self.length(problem)
        free = ("params", "flops", *problem.space.priced())
        close = ("val_ece_15",) if self.closely else ()
        timed = () if "bit_ops" in free else ("latency_ms",)  # floats that act as few bits take another time
        return ("error", "loss", *close, *free, "train_seconds", *timed)

    def at(self, epochs: int) -> Trained:
        """The same judge, stopped after `epochs` of the same schedule.

        Raises:
            BadInput: below 1.
        """
        if epochs < 1:
            raise BadInput(f"epochs: {epochs} is below 1")
        return replace(self, epochs=epochs)

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """A `Step` an epoch of each chunk; `Tried`s in the order of `archs`, a chunk's all at its end."""
        yield from _ordered(archs, _Call(self, problem, archs).events())


class _Call:
    """One call of `evaluate`: who stands for whom, what is trained, what it has cost so far."""

    def __init__(self, by: Trained, problem: Problem, archs: Sequence[Arch]) -> None:
        self.by, self.problem, self.space, self.archs = by, problem, problem.space, list(archs)
        self.drawn, self.suffix = by.drawn(problem), f" draw {by.draw}" if by.draw else ""
        by.length(problem)
        self.left = problem.left("seconds")
        self.own: dict[Arch, dict[str, float]] = {}
        self.unshared = {*OWN, *self.space.priced()}

    def events(self) -> Iterator[Step | Tried]:
        """Steps and answers as they come."""
        fit = []
        for arch, own, why in free_metrics(self.archs, self.problem):
            self.own[arch] = own
            if why:
                yield Tried(arch, own, self.by.key, failed=why)
            else:
                fit.append(arch)
        groups: dict[Arch, list[Arch]] = {}
        for arch in fit:
            groups.setdefault(self.space.canonical(arch), []).append(arch)
        twins = self._twins(set(groups))
        for arch in fit:
            if (twin := twins.get(self.space.canonical(arch))) is not None:
                yield self._like(twin, arch)
        yield from self._train({a: g for a, g in groups.items() if a not in twins})

    def _twins(self, wanted: set[Arch]) -> dict[Arch, Tried]:
        """Class -> what this judge has said of one of it before."""
        told = [t for (how, _), t in self.problem.memo.answers.items() if how == self.by.key]
        usable = [t for t in told if not t.failed or t.failed.startswith("diverged")]
        found = {self.space.canonical(t.arch): t for t in usable}
        return {a: t for a, t in found.items() if a in wanted}

    def _like(self, twin: Tried, arch: Arch) -> Tried:
        """The answer for an arch whose network is that of `twin`: nothing is spent."""
        shared = {m: v for m, v in twin.metrics.items() if m not in self.unshared}
        spent = {"seconds": 0.0, "epochs": 0.0}
        return replace(twin, arch=arch, metrics={**shared, **self.own[arch]}, spent=spent, parents=())

    def _recipe(self, arch: Arch) -> Recipe:
        return self.space.recipe(arch, self.problem.recipe)

    def _length(self, recipe: Recipe) -> int:
        """Epochs that are trained of a recipe: all, or as many as this judge asks for if there are more."""
        return min(self.by.epochs or recipe.epochs, recipe.epochs)

    def _train(self, groups: dict[Arch, list[Arch]]) -> Iterator[Step | Tried]:
        """Trains one of each class; those of one recipe that start at the same epoch go together."""
        starts: dict[tuple[Recipe, int], list[tuple[Arch, Any]]] = {}
        for arch in groups:
            if (recipe := self._recipe(arch)).parts:
                yield from self._alone(arch, groups)
            else:
                state = self._kept(arch, self._length(recipe))
                starts.setdefault((recipe, state["epochs"] if state else 0), []).append((arch, state))
        for (recipe, _), together in starts.items():
            yield from self._together(recipe, together, groups)

    def _together(
        self, recipe: Recipe, members: list[tuple[Arch, Any]], groups: dict[Arch, list[Arch]]
    ) -> Iterator[Step | Tried]:
        """One chunk after the other, of about equal size."""
        one = self.space.batched([members[0][0]], self.problem.task.shape)
        if one is None:
            for arch, _ in members:
                yield from self._alone(arch, groups)
            return
        most = self.by.chunk or one.fitting(recipe.batch)
        size = math.ceil(len(members) / math.ceil(len(members) / most))
        for at in range(0, len(members), size):
            yield from self._chunk(recipe, members[at : at + size], groups)

    def _chunk(
        self, recipe: Recipe, members: list[tuple[Arch, Any]], groups: dict[Arch, list[Arch]]
    ) -> Iterator[Step | Tried]:
        from nascore.chunk import Chunk

        archs, length = [a for a, _ in members], self._length(recipe)
        net = self.space.batched(archs, self.problem.task.shape)
        chunk = Chunk(replace(self.drawn, recipe=recipe), net, archs, [state for _, state in members])
        phase = f"train {key(self.space, archs[0])}" + (f" and {len(archs) - 1} more" if archs[1:] else "")
        phase += self.suffix
        spent = 0.0
        while chunk.done < length and chunk.healthy:
            values = chunk.epoch()
            yield Step(phase, chunk.done - 1, values)
            spent = sum(r.wall for r in chunk.records)
            if spent > self.left and chunk.done < length:
                raise OutOfBudget("the budget of seconds is spent")
        chunk.finish(_look if self.by.closely else None)
        self.left -= spent
        if self.by.keep and length < recipe.epochs:
            for i in chunk.healthy:
                self.problem.memo.save(self._name(archs[i], length), chunk.state(i))
        for arch, record in zip(archs, chunk.records, strict=True):
            yield from self._told(record, groups[arch])

    def _told(self, record: Record, archs: list[Arch]) -> Iterator[Tried]:
        """The answers for all of one class; the first pays."""
        curve = {c: tuple(v) for c, v in record.curve.items()}
        spent = {"seconds": record.wall, "epochs": float(record.new)}
        metrics = {} if record.failed else {**{c: v[-1] for c, v in curve.items() if c != "train_loss"}}
        if not record.failed:
            metrics |= {"test_error": record.test_error, "train_seconds": record.seconds, **record.close}
        first = Tried(
            archs[0], {**metrics, **self.own[archs[0]]}, self.by.key, spent, curve, failed=record.failed
        )
        yield first
        yield from (self._like(first, a) for a in archs[1:])

    def _name(self, arch: Arch, epochs: int) -> str:
        return f"trained/{key(self.space, arch)}/{epochs}{self.suffix}"

    def _kept(self, arch: Arch, length: int) -> Any:
        """The longest kept training of an arch that is not longer than what is asked, or None."""
        states = (self.problem.memo.load(self._name(arch, e)) for e in range(length, 0, -1))
        return next((s for s in states if s is not None), None)

    def _alone(self, arch: Arch, groups: dict[Arch, list[Arch]]) -> Iterator[Step | Tried]:
        """The slow way, for recipes with parts and spaces without a program: one module, `recipe.train`."""
        from nascore.chunk import train_alone

        recipe = self._recipe(arch)
        length = self._length(recipe)
        keep = self.by.keep and length < recipe.epochs and not self.suffix
        look = _look if self.by.closely else None
        record = yield from _named(train_alone(self.drawn, arch, length, keep, self.left, look), self.suffix)
        self.left -= record.wall
        yield from self._told(record, groups[arch])


def _look(problem: Problem, net: Any) -> list[dict[str, float]]:
    """The close look at each member of a trained program."""
    from nascore.benchmarks.build import closely, numbers

    return numbers(closely(problem, net), problem)


def _named(events: Generator[Step, None, Record], suffix: str) -> Generator[Step, None, Record]:
    """The events with a longer name: steps of two draws are not the same."""
    while True:
        try:
            step = next(events)
        except StopIteration as end:
            return end.value
        yield replace(step, phase=step.phase + suffix)


def free_metrics(archs: Sequence[Arch], problem: Problem) -> list[tuple[Arch, dict[str, float], str]]:
    """What is known of archs without training them.

    Returns:
        For each arch: itself; params, flops and, where an objective or a constraint asks for it, the measured
        latency; "" or why it is too big to be built.
    """
    costs = problem.costs(archs) if archs else {}
    own = {arch: {m: float(v[i]) for m, v in costs.items()} for i, arch in enumerate(archs)}
    why = {arch: too_big(problem, arch, own[arch]["params"]) for arch in archs}
    fit = [a for a in archs if not why[a]]
    if "latency_ms" in problem.wanted() and fit:
        from nascore.measures.hardware import Hardware

        for arch, found in zip(fit, Hardware().latency(fit, problem), strict=True):
            own[arch] |= {"latency_ms": found.latency_ms, "latency_spread_ms": found.spread_ms}
    return [(a, own[a], why[a]) for a in archs]


def _ordered(archs: Sequence[Arch], events: Iterable[Step | Tried]) -> Iterator[Step | Tried]:
    """Holds answers back until all before them in the order of `archs` are there."""
    waiting, there = deque(archs), {}
    for event in events:
        if isinstance(event, Step):
            yield event
            continue
        there[event.arch] = event
        while waiting and waiting[0] in there:
            yield there.pop(waiting.popleft())


def too_big(problem: Problem, arch: Arch, params: float) -> str:
    """Why a network is not even built, or "": too many parameters, or activations beyond half the memory."""
    if params > MOST_PARAMS:
        return f"too big: {params:,.0f} parameters; the limit is {MOST_PARAMS:,}"
    graph = problem.space.graph(arch, problem.task.shape)
    inner = len(graph.nodes) + 3 * sum(
        not e.dead for e in graph.edges
    )  # a convolution keeps its input thrice
    maps = sum(b.repeats * math.prod(b.shape) * (inner if b.kind == "cell" else 4) for b in graph.blocks)
    batch = problem.space.recipe(arch, problem.recipe).batch
    need, limit = maps * batch * 4, memory_bytes() // 2
    if need > limit:
        return f"too big: about {need / 2**20:,.0f} MiB of activations; the limit is {limit / 2**20:,.0f} MiB"
    return ""


def memory_bytes() -> int:
    """The machine's memory, or this process's own limit where that is lower."""
    import os
    import resource

    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    own = resource.getrlimit(resource.RLIMIT_AS)[0]
    return machine if own == resource.RLIM_INFINITY else min(machine, own)
