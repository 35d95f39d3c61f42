"""A latency model that gates can descend: one number an option, fitted to networks timed on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nascore.measures.hardware import Hardware

if TYPE_CHECKING:
    from nascore.expected import Expected
    from nascore.problem import Problem


def measured(problem: Problem, nets: int) -> Expected:
    """The mean latency in milliseconds, additive over the options of random networks that are timed.

    Two lives of a run read the same times, two runs do not: clocks differ. Source: section 3.3.1 of
    ProxylessNAS (Cai et al., 2019), which times single operations; ours times whole networks, so that what
    stands between operations counts, and splits the time by least squares. `error` tells how well.
    """
    from nascore.expected import additive, some

    archs = some(problem, nets, "latency")
    times = problem.memo.once(
        f"latency model {nets}", lambda: [t.latency_ms for t in Hardware().latency(archs, problem)]
    )
    return additive(problem.space, archs, times)
