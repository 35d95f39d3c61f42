"""What a network costs on this machine: parameters, multiply-adds, measured latency.

Latency is measured in rounds. Each times every network once, in a new random order, after an untimed call
of the same network, so that slow drifts of the machine hit all alike. The median over rounds of CPU time on
one thread is reported, with the wall-clock median beside it. Rounds end when odd and even ones rank the
networks alike. Reference networks that never change are timed too: their median rescales the numbers of
different times and clock speeds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from nascore.kinds import knob
from nascore.space import Arch, sample, tuples

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem

FEWEST = 12  # rounds before the ranking may end them
ALIKE = 0.95  # Spearman's rank correlation of odd and even rounds that ends them
REFERENCES = 3


@dataclass(frozen=True)
class Latency:
    """Of one network, milliseconds a call.

    Attributes:
        latency_ms: median CPU time (on a GPU: wall time), rescaled by the references.
        spread_ms: half the distance between the quartiles over rounds.
        wall_ms: median wall time, as it was.
        rounds: how many there were.
        threads, batch: the conditions.
    """

    latency_ms: float
    spread_ms: float
    wall_ms: float
    rounds: int
    threads: int
    batch: int


@dataclass(frozen=True)
class Hardware:
    """Parameters, multiply-adds and latency measured on this machine."""

    batch: int = knob(8, 1, 1024, "examples in a timed call")
    rounds: int = knob(36, 2, 1000, "rounds at most; every network is timed once in each")
    threads: int = knob(1, 1, 64, "threads that torch may use while timing")

    def params(self, archs: Sequence[Arch], problem: Problem) -> NDArray[np.float64]:
        """(n,) trainable numbers."""
        return problem.costs(archs)["params"]

    def flops(self, archs: Sequence[Arch], problem: Problem) -> NDArray[np.float64]:
        """(n,) multiply-adds of one example."""
        return problem.costs(archs)["flops"]

    def protocol(self) -> str:
        """How latency is measured, in one line for people."""
        return (
            f"median CPU time of {FEWEST} to {self.rounds} shuffled rounds, batch {self.batch}, "
            f"threads {self.threads}, one warm-up before each call, rescaled by {REFERENCES} references"
        )

    def latency(self, archs: Sequence[Arch], problem: Problem) -> list[Latency]:
        """Each arch's stand-alone network, timed in turn with all others and the references."""
        import torch

        references = tuples(sample(problem.space, REFERENCES, np.random.default_rng(0)))
        nets = [_built(a, problem) for a in [*references, *archs]]
        c, h, w = problem.task.shape.image
        x = torch.randn(self.batch, c, h, w, generator=torch.Generator().manual_seed(0)).to(problem.device)
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            times = self._rounds(nets, x, problem)
        finally:
            torch.set_num_threads(before)
        return self._read(times, problem)

    def _rounds(self, nets: Sequence[nn.Module], x: Tensor, problem: Problem) -> NDArray[np.float64]:
        """(rounds, nets, 2): CPU and wall seconds of single calls."""
        import torch

        rng, rows = problem.rng("latency"), []
        with torch.no_grad():
            for done in range(1, self.rounds + 1):
                row = np.zeros((len(nets), 2))
                for i in rng.permutation(len(nets)):
                    nets[i](x)
                    row[i] = _timed(nets[i], x)
                rows.append(row)
                if done >= FEWEST and alike(np.array(rows)[:, :, 0]) > ALIKE:
                    break
        return np.array(rows)

    def _read(self, times: NDArray[np.float64], problem: Problem) -> list[Latency]:
        """Medians, rescaled to the first campaign of the run by the references in the first columns."""
        here = float(np.median(times[:, :REFERENCES, 0]))
        first = problem.memo.once(f"latency/{self}", lambda: here)
        low, middle, high = (
            np.quantile(times[:, REFERENCES:, 0], (0.25, 0.5, 0.75), axis=0) * 1e3 * first / here
        )
        wall = np.median(times[:, REFERENCES:, 1], axis=0) * 1e3
        return [
            Latency(float(m), float((b - a) / 2), float(w), len(times), self.threads, self.batch)
            for a, m, b, w in zip(low, middle, high, wall, strict=True)
        ]


def _built(arch: Arch, problem: Problem) -> nn.Module:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return problem.space.build(arch, problem.task.shape).to(problem.device).eval()


def _timed(net: nn.Module, x: Tensor) -> tuple[float, float]:
    """CPU and wall seconds of one call; a GPU is waited for, and its CPU time is its wall time."""
    import torch

    if x.is_cuda:
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    net(x)
    if x.is_cuda:
        torch.cuda.synchronize()
        seconds = time.perf_counter() - wall
        return seconds, seconds
    return time.process_time() - cpu, time.perf_counter() - wall


def alike(times: NDArray[np.float64]) -> float:
    """Spearman's correlation over networks of odd and even rounds' medians; times are (rounds, nets)."""
    from scipy.stats import rankdata

    odd, even = (rankdata(np.median(part, 0)) for part in (times[::2], times[1::2]))
    if np.ptp(odd) == 0 or np.ptp(even) == 0:
        return 0.0
    return float(np.corrcoef(odd, even)[0, 1])
