"""What studies of nested weights share: memory of a step, networks trained from scratch, searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nascore.events import Chosen, Step, Tried

if TYPE_CHECKING:
    from torch import Tensor

    from nascore.problem import Problem
    from nascore.space import Arch


def digits_of(space: Any, seed: int, images: int, recipe: Any) -> Problem:
    """A search on the digits whose answers are trained from scratch on as many images."""
    from nascore.evaluators.trained import Trained
    from nascore.problem import Budget, Problem
    from nascore.tasks.images import Digits

    return Problem(space, Digits(images), recipe, Trained(), seed=seed, budget=Budget(0), sampled=0)


def saved_bytes(call: Callable[[], Tensor], net: Any) -> int:
    """Bytes that a forward pass keeps for its backward pass, without the network's own weights."""
    import torch

    own = {p.untyped_storage().data_ptr() for p in [*net.parameters(), *net.buffers()]}
    kept: dict[int, int] = {}
    alive: list[Tensor] = []  # what is freed could lend its address to the next

    def pack(x: Tensor) -> Tensor:
        storage = x.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
            alive.append(x.detach())
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        call()
    return sum(kept.values())


def accuracies(problem: Problem, archs: Sequence[Sequence[int]]) -> list[float]:
    """(n,) test accuracies in percent, each network trained from scratch; NaN where it failed."""
    rows: list[Arch] = [tuple(int(i) for i in a) for a in archs]
    tried = end(problem.evaluate(rows))
    found = {t.arch: t for t in tried}
    return [100 * (1 - found[a].metrics.get("test_error", float("nan"))) for a in rows]


def end(generator: Any) -> Any:
    """Runs a generator to its end; what it returns."""
    while True:
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value


def until(events: Iterator[Any], phase: str, epochs: int) -> list[dict[str, float]]:
    """The values of a phase's epochs; the search ends once the memo holds the last of them."""
    out: list[dict[str, float]] = []
    for event in events:
        if len(out) == epochs or isinstance(event, Chosen | Tried):
            break
        if isinstance(event, Step) and event.phase == phase:
            out.append(event.values)
    events.close()  # type: ignore[attr-defined] -- a generator
    return out


def shares(values: dict[str, float], problem: Problem) -> dict[str, list[float]]:
    """Choice name -> shares of its options, of the values of an epoch."""
    return {c.name: [values[f"gate/{c.name}/{o}"] for o in c.options] for c in problem.space.choices()}


def leading(values: dict[str, float], problem: Problem) -> Arch:
    """The arch of the largest shares of an epoch."""
    import torch

    from nascore.gates import discretize

    return discretize(problem.space, {n: torch.tensor(p) for n, p in shares(values, problem).items()})


def whiskers(rows: dict[str, Any], marked: str, title: str, how: str, x: str) -> dict[str, Any]:
    """The picture of a dot with its interval for each way."""
    return {
        "kind": "whiskers",
        "title": title,
        "how": how,
        "x": x,
        "names": list(rows),
        "values": [r.value for r in rows.values()],
        "low": [r.low for r in rows.values()],
        "high": [r.high for r in rows.values()],
        "marked": marked,
    }
