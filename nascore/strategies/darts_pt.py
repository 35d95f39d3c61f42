"""DARTS-PT: Rethinking Architecture Selection in Differentiable NAS (Wang et al., 2021).

A large alpha need not mean a useful operation. So: train the supernet as DARTS does, then settle choice by
choice, keeping the option whose removal hurts the validation accuracy of the supernet most, and tune a little
in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from nascore.engines.draw import choose
from nascore.events import Event, Note
from nascore.kinds import Strategy, knob
from nascore.problem import Problem
from nascore.strategies.darts import adam

if TYPE_CHECKING:
    from nascore.gates import Gates
    from nascore.space import Choice
    from nascore.supernet import Supernet


@dataclass(frozen=True)
class DartsPt(Strategy):
    """Settles choice by choice what the trained supernet misses most when it is left out.

    Source: Wang et al. 2021, section 4.2 and algorithm 1. The masked option's weight becomes zero, the others
    are not scaled up; the whole validation part is judged, batch norms using each batch's own statistics.
    Ties are broken by the larger loss. Choices come in random order, as section 4.2 found to suffice, with
    `tune` epochs of bilevel search at a tenth of the rate after each but the last. Differences: the rate
    falls to zero within each of these, with new optimizers, while the paper's tuning is one stretch of 5
    epochs a choice at a constant rate on NAS-Bench-201; cells are settled choice by choice, not both at once;
    the pruning of edges in DARTS's own space is not here (its choices of inputs are settled like any other).
    """

    epochs: int = knob(30, 1, 1000, "epochs of the search")
    tune: int = knob(3, 0, 100, "epochs after each choice that is settled")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start", log=True)
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas; 3e-4 suits long searches", log=True)
    select: Literal["perturbation", "magnitude"] = knob(
        "perturbation", help="magnitude takes the largest alphas, as DARTS does, on the same supernet",
        options=("perturbation", "magnitude"),
    )  # fmt: skip
    blank: bool = knob(False, help="leave the alphas as they start: the paper's test whether they are needed")

    def check(self, problem: Problem) -> None:
        """The space's networks can share weights.

        Raises:
            BadInput: they cannot.
        """
        from nascore.engines.oneshot import check_sharing

        check_sharing(problem)

    def ending(self, problem: Problem) -> tuple[str, ...]:
        """Every decision, and the tuning after it."""
        return tuple(f"{what}/{c.name}" for c in problem.space.choices() for what in ("left out", "tune"))

    def shared_epochs(self, choices: int) -> int:
        """Those of the tuning too."""
        return self.epochs + (self.tune * choices if self.select == "perturbation" else 0)

    def search(self, problem: Problem) -> Iterator[Event]:
        """Bilevel (or, blank, one-shot) epochs, the settling, then the cell that is left, judged."""
        from nascore.engines.bilevel import bilevel
        from nascore.engines.oneshot import oneshot, weights_recipe
        from nascore.gates import Softmax, discretize
        from nascore.recipe import Trainer

        def tuned(lr: float, n: int, name: str) -> Iterator[Event]:
            trainer = Trainer(problem, net, n, weights_recipe(problem, lr))
            if self.blank:
                return oneshot(problem, trainer, gating, n, name)
            return bilevel(problem, trainer, gating, adam(gating, self.alpha_lr), n, name)

        net, gating = problem.supernet("separate"), Softmax(problem.space).to(problem.device)
        yield from tuned(self.lr, self.epochs, "search")
        order = [c for c in _shuffled(problem) if len(c.open) > 1]
        for i, choice in enumerate(order if self.select == "perturbation" else ()):
            found = problem.memo.once(
                f"left out/{choice.name}", lambda c=choice: drops(problem, net, gating(), c)
            )
            kept = max(zip(found, choice.open, strict=True), key=lambda pair: pair[0])[1]
            gating.fix(choice.name, kept)
            told = ", ".join(
                f"{choice.options[o]} {100 * error:.2f} %"
                for (error, _), o in zip(found, choice.open, strict=True)
            )
            yield Note(f"{choice.name} keeps {choice.options[kept]}; errors without each: {told}")
            if i + 1 < len(order) and self.tune:
                yield from tuned(self.lr / 10, self.tune, f"tune/{choice.name}")
        arch = discretize(problem.space, gating.probabilities())
        tried = yield from problem.evaluate([arch])
        why = "missed most when left out" if self.select == "perturbation" else "largest alphas"
        yield from choose(problem, tried, why)


def _shuffled(problem: Problem) -> list[Choice]:
    choices = problem.space.choices()
    return [choices[i] for i in problem.rng("order").permutation(len(choices))]


def drops(problem: Problem, net: Supernet, gates: Gates, choice: Choice) -> list[tuple[float, float]]:
    """(error, loss) of the supernet without each open option of a choice, as `judged`."""
    return judged(problem, net, [masked(gates, choice.name, option) for option in choice.open])


def judged(problem: Problem, net: Supernet, many: Sequence[Gates]) -> list[tuple[float, float]]:
    """(error, loss) of the supernet on the validation part under each of these gates.

    Batch norms use the statistics of each batch; their running ones stay as they are.
    """
    import torch
    from torch import nn

    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [{n: b.clone() for n, b in m.named_buffers()} for m in norms]
    net.train()
    out = []
    with torch.no_grad():
        for gates in many:
            view, wrong, loss, n = net.at(gates), 0.0, 0.0, 0
            for batch in problem.batches("validation", "left out"):
                y = view(batch.x)
                wrong += float(y.argmax(-1).ne(batch.y).sum())  # type: ignore[arg-type] -- labels
                loss += float(sum(t.sum() for t in problem.task.losses(y, batch).values()))
                n += len(y)
            out.append((wrong / n, loss / n))
    for m, kept in zip(norms, before, strict=True):
        for name, b in m.named_buffers():
            b.copy_(kept[name])
    return out


def masked(gates: Gates, choice: str, option: int) -> Gates:
    """Gates where one option of one choice has weight zero and takes no part; the others keep theirs.

    Source: section 4.2; unlike `gates.without`, which scales the rest to one.
    """
    from nascore.gates import Gate

    gate = gates[choice]
    keep = [i for i, o in enumerate(gate.options) if o != option]
    return {**gates, choice: Gate(tuple(gate.options[i] for i in keep), gate.weights[keep])}
