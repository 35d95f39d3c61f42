"""Pareto fronts: which points nothing beats, how they are ranked, how much they cover.

Points are costs (n, objectives), lower is better; `costs` turns metrics with directions into them. A row with
a number that is not finite is never on a front. Hypervolume, IGD and dominance are moocore's, crowding is
pymoo's; both are imported where they are used.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.errors import BadInput

Points = NDArray[np.float64]
Rows = NDArray[np.int64]


def costs(values: ArrayLike, directions: Sequence[str]) -> Points:
    """Values (n, objectives) with those to maximize negated.

    Raises:
        BadInput: a direction is neither min nor max, or there is not one a column.
    """
    out = _points(values)
    out = out if len(out) else out.reshape(0, len(directions))
    if bad := [d for d in directions if d not in ("min", "max")]:
        raise BadInput(f"direction: {bad[0]!r} is none of min, max")
    if len(directions) != out.shape[1]:
        raise BadInput(f"directions: {len(directions)} were given for {out.shape[1]} objectives")
    return out * np.where(np.array(directions) == "min", 1.0, -1.0)


def _points(values: ArrayLike) -> Points:
    out = np.asarray(values, dtype=np.float64)
    return out if out.ndim == 2 else out.reshape(-1, 1)


def nondominated(points: ArrayLike) -> NDArray[np.bool_]:
    """(n,) whether no other point is as good in all objectives and better in one; equal points all stay."""
    import moocore

    rows = _points(points)
    mask = np.atleast_1d(np.isfinite(rows).all(1))
    if mask.any():
        mask[mask] = moocore.is_nondominated(rows[mask], keep_weakly=True)
    return mask


def front(points: ArrayLike) -> Rows:
    """(k,) indices of the non-dominated points, sorted by the first objective, then the second."""
    rows = _points(points)
    found = np.flatnonzero(nondominated(rows))
    return found[np.lexsort(rows[found].T[::-1])]


def crowding(points: ArrayLike) -> Points:
    """(n,) crowding distance within one front; infinite for the extremes, 0 for all but one of equal points.

    Source: Deb et al. 2002, section III-B; divided by the number of objectives, as pymoo does.
    """
    from pymoo.operators.survival.rank_and_crowding.metrics import (
        calc_crowding_distance,
        get_crowding_function,
    )

    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(get_crowding_function(calc_crowding_distance).do(_points(points)))


def order(points: ArrayLike, violations: ArrayLike) -> Rows:
    """(n,) indices from best to worst under constraint domination.

    Feasible points come first, front by front and within a front the less crowded first; then the infeasible
    by how far they miss; points that failed (a cost or violation that is not finite) come last.

    Args:
        points: (n, objectives).
        violations: (n,) 0 where all constraints are met.

    Source: Deb et al. 2002, sections III-A to III-C and VI-A.
    """
    rows, missed = _points(points), np.asarray(violations, dtype=np.float64)
    lost = ~(np.isfinite(rows).all(1) & np.isfinite(missed))
    good = np.flatnonzero(~lost & (missed == 0))
    far = np.flatnonzero(~lost & (missed > 0))
    ranked = [level[np.argsort(-crowding(rows[level]), kind="stable")] for level in _levels(rows, good)]
    return np.concatenate([*ranked, far[np.argsort(missed[far], kind="stable")], np.flatnonzero(lost)])


def _levels(rows: Points, among: Rows) -> list[Rows]:
    """Fronts of fronts, as indices of rows."""
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    return [among[np.sort(level)] for level in NonDominatedSorting().do(rows[among])] if len(among) else []


def reference(points: ArrayLike) -> Points | None:
    """(objectives,) a tenth of the range beyond the worst finite values; None where there are none.

    It lies outside, so that the extremes of a front count too. Our choice; print it beside every hypervolume.
    """
    rows = _points(points)
    rows = rows[np.isfinite(rows).all(1)]
    if not len(rows):
        return None
    worst, best = rows.max(0), rows.min(0)
    with np.errstate(over="ignore"):
        span = np.where(worst > best, worst - best, np.maximum(np.abs(worst), 1.0))
        return worst + 0.1 * span


def hypervolume(points: ArrayLike, ref: ArrayLike) -> float:
    """What the points cover up to the reference point (objectives,); 0 for points that do not reach it."""
    import moocore

    rows = _points(points)
    rows = rows[np.isfinite(rows).all(1)]
    return float(moocore.hypervolume(rows, ref=np.asarray(ref, dtype=np.float64))) if len(rows) else 0.0


def contributions(points: ArrayLike, ref: ArrayLike) -> Points:
    """(n,) what of the hypervolume each point alone covers."""
    import moocore

    return moocore.hv_contributions(_points(points), ref=np.asarray(ref, dtype=np.float64))


def igd(points: ArrayLike, true_front: ArrayLike) -> float:
    """Inverted generational distance: mean distance from a true front point to the nearest of the points."""
    import moocore

    return float(moocore.igd(_points(points), ref=_points(true_front)))


def knee(points: ArrayLike) -> int | None:
    """Index of the front's knee; None where no point is finite.

    With each objective scaled to the front's range, the point whose sum is least. With two objectives that is
    the one farthest from the line between the extremes (Das 1999); with more, from the plane of unit
    intercepts.
    """
    rows = _points(points)
    if not len(found := front(rows)):
        return None
    low, high = rows[found].min(0), rows[found].max(0)
    scaled = (rows[found] - low) / np.where(high > low, high - low, 1.0)
    return int(found[scaled.sum(1).argmin()])


def front_over_time(
    points: ArrayLike, ref: ArrayLike | None = None, moments: Sequence[int] | None = None
) -> tuple[list[Rows], Points]:
    """How the front grew.

    Args:
        points: (n, objectives) in the order in which they were found.
        ref: reference point; by default `reference(points)`.
        moments: (m,) after how many points to look, rising; by default after each.

    Returns:
        For each moment the front's indices, and (m,) the hypervolume that they cover.
    """
    rows = _points(points)
    at = reference(rows) if ref is None else np.asarray(ref, dtype=np.float64)
    ends = range(1, len(rows) + 1) if moments is None else moments
    fronts: list[Rows] = []
    covered = np.zeros(len(ends))
    held, begin = np.zeros(0, dtype=np.int64), 0
    for i, end in enumerate(ends):
        pool = np.concatenate([held, np.arange(begin, end)])
        new = pool[front(rows[pool])]
        same = len(new) == len(held) and not (new >= begin).any()
        covered[i] = covered[i - 1] if same and i else (0.0 if at is None else hypervolume(rows[new], at))
        held, begin = new, end
        fronts.append(held)
    return fronts, covered
