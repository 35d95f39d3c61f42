"""SD-DARTS (Zhu et al., 2023): do earlier states, as teachers, keep the supernet flat, and is that of use?

From each seed the same supernet is searched with teachers and without, with two controls that any such gain
has to beat (labels smoothed to the teachers' own unsureness, the first state as the only teacher), and with
one teacher instead of several. Sharpness is watched in every epoch; the shipped table knows the cells' worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from nascore import stats
from nascore.kinds import knob
from nascore.studies import supernets
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study
from nascore.studies.supernets import Floats, Told

SMALLER = (
    "NAS-Bench-201 cells of 8 channels on 8x8 digits, 24 epochs; the paper's constants could not be read, so "
    "the teachers' number, temperature and weight are ours."
)
PLAIN, OWN, SMOOTH, FIRST = "DARTS", "SD-DARTS", "smoothed labels", "first state teaches"
ONE = "one teacher"
ARMS: dict[str, dict[str, Any]] = {
    PLAIN: {"weight": 0.0},
    OWN: {},
    SMOOTH: {"target": "smooth"},
    FIRST: {"target": "first"},
    ONE: {"teachers": 1},
}
RISE = "rise of the loss one step of length .05 up its slope"


def _flatter(key: str, rival: str) -> Claim:
    return Claim(
        key,
        f"The final supernet is flatter than with {rival}: {RISE}, with {rival} minus SD-DARTS",
        "above 0",
        scale=SMALLER,
    )


@dataclass(frozen=True)
class SdDarts(Study):
    """Sharpness, gap and cells of SD-DARTS against DARTS and against two controls."""

    key: ClassVar[str] = "sd_darts"
    claims: ClassVar[tuple[Claim, ...]] = (
        _flatter("sharpness", PLAIN),
        Claim(
            "equal_loss",
            "The supernet is also flatter where both have come equally far: the same difference in the first "
            "epochs in which each reaches the loss that both reach",
            "above 0",
            scale=SMALLER,
        ),
        _flatter("smoothing", SMOOTH),
        _flatter("frozen", FIRST),
        Claim(
            "eigenvalue",
            "The largest Hessian eigenvalue of the validation loss with respect to the alphas is lower: that "
            "of DARTS minus SD-DARTS",
            "above 0",
            scale=SMALLER,
        ),
        Claim(
            "gap",
            "The gap between the supernet and the cell cut from it is bridged: growth of the validation "
            "error in DARTS minus SD-DARTS",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "premise",
            "Sharp supernets lose more when they are cut down: Spearman's rho of sharpness and gap over the "
            "epochs of DARTS",
            "above 0",
            scale=SMALLER,
        ),
        Claim(
            "accuracy",
            "The cells are better: true test accuracy of SD-DARTS minus DARTS",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "votes",
            "Several teachers are steadier than one: how far the supernet's validation error at the end lies "
            "from the median of all seeds, with one teacher minus with three",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
    )
    left: ClassVar[str] = "CIFAR and ImageNet, and second-order search are not tried."

    seeds: int = knob(8, 2, 1000, "supernets of each kind")
    epochs: int = knob(24, 2, 1000, "of each supernet")
    images: int = knob(1000, 32, 1000, "training images")
    watch: int = knob(64, 8, 397, "validation images on which sharpness is watched")

    def measure(self, kept: Kept) -> Measuring:
        """Searches, compares."""
        rows: list[dict[str, Told]] = [{} for _ in range(self.seeds)]
        for i, arm in enumerate(ARMS):
            for seed, row in enumerate(rows):
                at = self.seeds * i + seed
                yield Progress(at, len(ARMS) * self.seeds, f"{arm}, seed {seed + 1} of {self.seeds}")
                row[arm] = kept.once(f"{arm} {seed}", lambda a=arm, s=seed: self.searched(a, s))
        return judge(rows)

    def searched(self, arm: str, seed: int) -> Told:
        """The search of one arm."""
        from nascore.strategies.sd_darts import SdDarts as Strategy

        strategy = Strategy(epochs=self.epochs, watch=self.watch, **ARMS[arm])
        return supernets.searched(strategy, supernets.problem(seed, self.images))


def curves(rows: Sequence[Mapping[str, Told]], arm: str, name: str) -> Floats:
    """(seeds, epochs) of a watched value."""
    return np.array([row[arm]["values"][name] for row in rows])


def at_equal_loss(row: Mapping[str, Told], arms: tuple[str, str] = (PLAIN, OWN)) -> tuple[float, float]:
    """Sharpness of each arm in the first epoch in which it reaches the loss that both reach."""
    loss = [np.array(row[arm]["values"]["watched_loss"]) for arm in arms]
    goal = max(v.min() for v in loss)
    first, second = (
        row[arm]["values"]["sharpness"][int(np.argmax(v <= goal))] for arm, v in zip(arms, loss, strict=True)
    )
    return first, second


def judge(rows: Sequence[Mapping[str, Told]]) -> Results:
    """Of each seed's searches by arm."""
    sharp = {arm: curves(rows, arm, "sharpness") for arm in ARMS}
    gap = {arm: 100 * curves(rows, arm, "gap_error") for arm in ARMS}
    top = {arm: curves(rows, arm, "alpha_eigenvalue") for arm in ARMS}
    true = {arm: supernets.truth([row[arm]["chosen"] for row in rows]) for arm in ARMS}
    end = {arm: v[:, -1] for arm, v in sharp.items()}
    equal = np.array([at_equal_loss(row) for row in rows])
    error = {arm: 100 * curves(rows, arm, "supernet_error")[:, -1] for arm in (OWN, ONE)}
    apart = {arm: np.abs(v - np.median(v)) for arm, v in error.items()}  # as Brown and Forsythe's test
    rho = [stats.spearman(s, g) for s, g in zip(sharp[PLAIN], gap[PLAIN], strict=True)]

    def more(a: Floats, b: Floats) -> stats.Interval:
        return stats.paired(a, b).difference

    found: dict[str, Measured] = {
        "sharpness": more(end[PLAIN], end[OWN]),
        "equal_loss": more(equal[:, 0], equal[:, 1]),
        "smoothing": more(end[SMOOTH], end[OWN]),
        "frozen": more(end[FIRST], end[OWN]),
        "eigenvalue": more(top[PLAIN][:, -1], top[OWN][:, -1]),
        "gap": more(gap[PLAIN][:, -1], gap[OWN][:, -1]),
        "premise": stats.mean(rho),
        "accuracy": more(true[OWN], true[PLAIN]),
        "votes": more(apart[ONE], apart[OWN]),
    }
    beside: dict[str, Measured] = {}
    for arm in ARMS:
        beside[f"Sharpness at the end, {arm}"] = stats.mean(end[arm])
        beside[f"Gap at the end, {arm} (points)"] = stats.mean(gap[arm][:, -1])
        beside[f"Cells of the table that are better than those of {arm} (%)"] = stats.mean(
            supernets.rank([row[arm]["chosen"] for row in rows])
        )
    for arm, v in error.items():
        beside[f"Validation error of the supernet at the end, {arm} (%)"] = stats.mean(v)
    beside["Skip connections of SD-DARTS minus DARTS (% of edges)"] = more(
        *(100 * supernets.share([row[arm]["chosen"] for row in rows], supernets.SKIP) for arm in (OWN, PLAIN))
    )
    return Results(found, beside, picture(sharp))


def picture(sharp: Mapping[str, Floats]) -> dict[str, Any]:
    """Sharpness over the epochs, the mean of all seeds."""
    epochs = next(iter(sharp.values())).shape[1]
    return {
        "kind": "lines",
        "title": "Sharpness of the supernet as the search goes",
        "how": f"The {RISE}; each line is the mean over seeds, bands reach from the lowest to the highest.",
        "x": "Epoch",
        "y": "Rise of the loss",
        "metric": "sharpness",
        "series": [
            {
                "name": arm,
                "x": list(range(1, epochs + 1)),
                "y": v.mean(0).tolist(),
                **({"low": v.min(0).tolist(), "high": v.max(0).tolist()} if arm in (PLAIN, OWN) else {}),
            }
            for arm, v in sharp.items()
        ],
    }
