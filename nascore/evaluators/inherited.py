"""Judges with inherited weights: a sub-network of a trained supernet, without any training of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from nascore.errors import NotSupported
from nascore.events import Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator
from nascore.space import Arch

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.supernet import Supernet


@dataclass(frozen=True)
class Inherited(Evaluator):
    """The validation error of archs with the weights that a supernet holds for them.

    Args:
        net: trained; it is not changed.
        calibrate: so many training batches set the batch norms of each sub-network anew; 0 judges by the
            batch's own statistics, and leaves the supernet's as they are.
        keep: judge by the running statistics as the supernet holds them, with nothing set anew.

    Attributes:
        weights: digest of the supernet's.
    """

    net: Supernet
    calibrate: int = 4
    keep: bool = False
    weights: str = field(init=False, default="")

    def __post_init__(self) -> None:
        from nascore.supernet import digest

        object.__setattr__(self, "weights", digest(self.net))

    @property
    def key(self) -> str:
        """What the weights were when this judge was made: the same weights give the same answers."""
        return f"inherited:{self.weights}/{'kept' if self.keep else self.calibrate}"

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """The validation part, no training of its own."""
        return EvaluationProtocol(problem.task.data, "validation", 0, "1 supernet", "inherited weights")

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """Errors, and the free costs."""
        return ("error", "params", "flops")

    def at(self, epochs: int) -> Inherited:
        """There is nothing to shorten.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("inherited weights are as they are; there is no other fidelity")

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """One `Tried` an arch."""
        import time

        from nascore.evaluators.trained import free_metrics

        for arch, own, why in free_metrics(archs, problem):
            start = time.monotonic()
            if why:
                yield Tried(arch, own, self.key, failed=why)
                continue
            found = problem.task.metrics(self.child(arch, problem), "validation")
            spent = {"seconds": time.monotonic() - start, "epochs": 0.0}
            yield Tried(arch, {**found, **own}, self.key, spent)

    def child(self, arch: Arch, problem: Problem) -> Any:
        """The stand-alone network of an arch with the supernet's weights, ready to be judged."""
        from nascore.supernet import recalibrate

        child = self.net.extract(arch)
        if self.keep:
            return child.eval()
        batches = problem.batches("train", "calibrate")
        return recalibrate(child, islice(batches, self.calibrate)) if self.calibrate else _by_batch(child)


def _by_batch(net: Any) -> Any:
    """In evaluation mode, with batch norms that use each batch's own statistics."""
    from torch import nn

    net.eval()
    for m in net.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.track_running_stats = False
            m.running_mean = m.running_var = None
    return net
