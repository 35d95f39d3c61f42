"""What several runs with several objectives attain: the empirical attainment function, by moocore.

A point of the objective space is attained by a run that has found something at least as good in everything.
The surfaces bound what the best run, half of all runs, and every run attains (Fonseca and others 2011; the
mean of fronts has no meaning, their attainment has).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.pareto import nondominated

Points = NDArray[np.float64]
LEVELS = {"best": 0, "median": 50, "worst": 100}  # percent of the runs


def surfaces(runs: Sequence[Points]) -> dict[str, Points]:
    """Attainment surfaces, name -> (k, objectives) corner points, sorted by the first objective.

    Args:
        runs: (n, objectives) costs of each run, lower is better; two or three objectives. Rows that are not
            finite are left out.

    Returns:
        `best` (at least one run), `median` (at least half of them), `worst` (all of them). Empty where no
        run has a point; a run without any attains nothing, so it has a part in median and worst.

    Raises:
        BadInput: neither two nor three objectives.
    """
    sides = {r.shape[1] for r in runs if r.ndim == 2}
    if len(sides) != 1 or not sides <= {2, 3}:
        raise BadInput(f"objectives: attainment needs two or three, the same of every run; got {sides}")
    fronts = [r[nondominated(r)] for r in runs]
    with_points = [f for f in fronts if len(f)]
    if not with_points:
        return {name: np.zeros((0, max(sides))) for name in LEVELS}
    return {name: _surface(with_points, len(runs), share) for name, share in LEVELS.items()}


def _surface(fronts: Sequence[Points], n: int, percent: int) -> Points:
    """The surface of so many percent of n runs, of which only some have points."""
    import moocore

    need = max(-(-n * percent // 100), 1)
    if need > len(fronts):
        return np.zeros((0, fronts[0].shape[1]))
    points = np.concatenate(fronts)
    sets = np.repeat(np.arange(1, len(fronts) + 1), [len(f) for f in fronts])
    # moocore rounds n * percent / 100 up; half a run less leaves no room for rounding
    asked = 100 * (need - 0.5) / len(fronts)
    found = np.asarray(moocore.eaf(points, sets, percentiles=[asked]), np.float64)[:, :-1]
    return found[np.lexsort(found.T[::-1])]
