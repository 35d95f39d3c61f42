"""Judges by a proxy: a score of the untrained network, in milliseconds instead of a training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nascore.errors import NotSupported
from nascore.events import Step, Tried
from nascore.kinds import EvaluationProtocol, Evaluator, Proxy, knob
from nascore.proxies.synflow import Synflow
from nascore.space import Arch

if TYPE_CHECKING:
    from nascore.problem import Problem

DEFAULT = Synflow()
BATCH = 64  # images that a proxy sees


@dataclass(frozen=True)
class ZeroCost(Evaluator):
    """Scores untrained networks by a proxy; `score` is the higher the better."""

    proxy: Proxy = knob(  # noqa: RUF009 -- a field, as `dataclasses.field` is
        DEFAULT, help="what is computed of the untrained network"
    )

    @property
    def key(self) -> str:
        """Name and knobs of the proxy."""
        return f"zero_cost:{self.proxy}"

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """One batch of training images, nothing is trained."""
        return EvaluationProtocol(problem.task.data, "no training", 0, "1 seed", "computed here")

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """Score, the free costs, and latency if it is asked."""
        return ("score", "params", "flops", "latency_ms")

    def at(self, epochs: int) -> ZeroCost:
        """There is nothing to shorten.

        Raises:
            NotSupported: always.
        """
        raise NotSupported("a zero-cost judge does not train, so it has no other fidelity")

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """One `Tried` an arch; `spent` are its own seconds."""
        import time

        from nascore.chunk import fresh, one_batch
        from nascore.evaluators.trained import free_metrics

        batch = None
        for arch, own, why in free_metrics(archs, problem):
            start = time.monotonic()
            if why:
                yield Tried(arch, own, self.key, failed=why)
                continue
            counted = getattr(self.proxy, "counted", "")
            if counted in own:
                score = own[counted]
            else:
                batch = batch or one_batch(problem, BATCH)
                net = fresh(problem, arch).to(problem.device)
                score = float(self.proxy.score([net], batch, problem)[0])
            spent = {"seconds": time.monotonic() - start, "epochs": 0.0}
            yield Tried(arch, {"score": score, **own}, self.key, spent)
