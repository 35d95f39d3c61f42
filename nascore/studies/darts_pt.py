"""DARTS-PT (Wang et al., 2021): does the supernet of DARTS fail, or the way a cell is taken from it?

From each trained supernet two cells are taken, by the largest alphas and by perturbation; the shipped table
knows what both are worth. On the same supernet every operation of every edge is then tried for real: the edge
is cut down to it, all else is tuned for a little, and the accuracy that comes out is its strength.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nascore import stats
from nascore.kinds import knob
from nascore.studies import supernets
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study
from nascore.studies.supernets import NONE, SKIP, Floats, Told

if TYPE_CHECKING:
    from nascore.problem import Problem

SMALLER = "NAS-Bench-201 cells of 8 channels on 8x8 digits, 30 epochs instead of 100."
MAGNITUDE, PERTURBED, BLANK = "largest alphas", "DARTS-PT", "DARTS-PT, alphas never trained"


@dataclass(frozen=True)
class DartsPt(Study):
    """Perturbation against magnitude on the same supernets, and without any training of alphas."""

    key: ClassVar[str] = "darts_pt"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "selection",
            "From the same supernet perturbation takes a better cell than the largest alphas: difference of "
            "true test accuracy",
            "above 0; 54.30 to 88.11 % on NAS-Bench-201",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "strength",
            "How much an operation is missed tells its strength better than its alpha: difference of "
            "Spearman's rho with the accuracy after its edge is cut down to it and the rest tuned",
            "above 0",
            scale=f"{SMALLER} The mean over six edges of a supernet; tuned for three epochs.",
        ),
        Claim(
            "skips",
            "The largest alphas go to skip connections as the search goes on: their share of the cell after "
            "the last epoch, minus after the first",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "fewer_skips",
            "Perturbation takes fewer skip connections from the same supernet: their share by the largest "
            "alphas, minus by perturbation",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "blank",
            "Alphas need no training: true test accuracy of perturbation with alphas as they start, minus "
            "that of DARTS",
            "above 0; 93.80 against 54.30 % on NAS-Bench-201",
            unit="points",
            scale=SMALLER,
        ),
    )
    left: ClassVar[str] = "The spaces of DARTS and S1 to S4, SDARTS and SGAS, and ImageNet are not tried."

    seeds: int = knob(12, 2, 1000, "supernets")
    tried: int = knob(4, 2, 1000, "of them on which every operation is tried, which takes longest")
    epochs: int = knob(30, 2, 1000, "of each supernet")
    tune: int = knob(3, 0, 100, "after each edge that is settled")
    settle: int = knob(3, 0, 100, "epochs of tuning before the strength of an operation is measured")
    images: int = knob(1000, 32, 1000, "training images")
    lr: float = knob(0.025, 1e-5, 1.0, "learning rate of the weights at the start")
    alpha_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the alphas")

    def measure(self, kept: Kept) -> Measuring:
        """Searches, tries every operation, compares."""
        rows: list[Told] = []
        for seed in range(self.seeds):
            row: Told = {}
            for i, (name, how) in enumerate({"own": self._own, "blank": self._blank}.items()):
                yield Progress(2 * seed + i, 2 * self.seeds, f"supernet {seed + 1} of {self.seeds}, {name}")
                row[name] = kept.once(f"{name} {seed}", lambda f=how, s=seed: f(s))
            rows.append(row)
        return judge(rows)

    def strategy(self, *, blank: bool = False) -> Any:
        """The search of one supernet."""
        from nascore.strategies.darts_pt import DartsPt as Strategy

        return Strategy(self.epochs, self.tune, self.lr, self.alpha_lr, blank=blank)

    def _blank(self, seed: int) -> Told:
        return supernets.searched(self.strategy(blank=True), self._problem(seed))

    def _own(self, seed: int) -> Told:
        own = self._problem(seed)
        told = supernets.searched(self.strategy(), own)
        return {**told, "strength": strengths(self, own)} if seed < self.tried else told

    def _problem(self, seed: int) -> Problem:
        return supernets.problem(seed, self.images)


def strengths(study: DartsPt, own: Problem) -> Told:
    """Of each choice and option: alpha's share, error when left out, error when alone and the rest is tuned.

    The supernet is taken from where the search left it, before anything was settled.
    """
    import copy
    from dataclasses import replace

    from nascore.engines.bilevel import bilevel
    from nascore.engines.oneshot import weights_recipe
    from nascore.gates import Softmax
    from nascore.problem import Memo
    from nascore.recipe import Trainer
    from nascore.strategies.darts import adam
    from nascore.strategies.darts_pt import drops, judged

    net, gating = own.supernet("separate"), Softmax(own.space)
    state = own.memo.load("search")["kept"]
    net.load_state_dict(state[0])
    gating.load_state_dict(state[2])
    shares = gating.probabilities()
    out: Told = {"alpha": [], "missed": [], "alone": []}
    for choice in own.space.choices():
        out["alpha"].append(shares[choice.name].tolist())
        out["missed"].append([_broken(pair) for pair in drops(own, net, gating(), choice)])
        alone = []
        for option in choice.open:
            supernet, gates = copy.deepcopy(net), copy.deepcopy(gating)
            gates.fix(choice.name, option)
            apart = replace(own, memo=Memo())
            trainer = Trainer(apart, supernet, study.settle, weights_recipe(apart, study.lr / 10))
            alphas = adam(gates, study.alpha_lr)
            for _ in bilevel(apart, trainer, gates, alphas, study.settle, f"settle/{choice.name}"):
                pass
            alone.append(_broken(judged(apart, supernet, [gates()])[0]))
        out["alone"].append(alone)
    return out


def _broken(pair: tuple[float, float]) -> float:
    """The error, ties broken by the loss."""
    return pair[0] + 1e-6 * pair[1]


def correlations(strength: Mapping[str, Any]) -> tuple[float, float]:
    """Spearman's rho of alphas and of being missed with strength, the mean over edges."""
    alpha, missed, alone = (np.array(strength[k]) for k in ("alpha", "missed", "alone"))
    rho = [
        (stats.spearman(a, -s), stats.spearman(m, -s)) for a, m, s in zip(alpha, missed, alone, strict=True)
    ]
    first, second = np.nanmean(np.array(rho), 0)
    return float(first), float(second)


def judge(rows: list[Told]) -> Results:
    """Of what was searched from each seed: `own`, for some of them with `strength`, and `blank`."""
    largest = [r["own"]["largest"][-1] for r in rows]
    start = [r["own"]["largest"][0] for r in rows]
    taken = {
        MAGNITUDE: largest,
        PERTURBED: [r["own"]["chosen"] for r in rows],
        BLANK: [r["blank"]["chosen"] for r in rows],
    }
    true = {name: supernets.truth(archs) for name, archs in taken.items()}
    skips = {name: 100 * supernets.share(archs, SKIP) for name, archs in taken.items()}
    rho = np.array([correlations(r["own"]["strength"]) for r in rows if "strength" in r["own"]])
    found: dict[str, Measured] = {
        "selection": stats.paired(true[PERTURBED], true[MAGNITUDE]).difference,
        "strength": stats.paired(rho[:, 1], rho[:, 0]).difference,
        "skips": stats.paired(skips[MAGNITUDE], 100 * supernets.share(start, SKIP)).difference,
        "fewer_skips": stats.paired(skips[MAGNITUDE], skips[PERTURBED]).difference,
        "blank": stats.paired(true[BLANK], true[MAGNITUDE]).difference,
    }
    random = supernets.of_random()
    better = 100.0 * (true[PERTURBED] > true[MAGNITUDE])
    beside: dict[str, Measured] = {
        "Supernets from which perturbation takes the better cell (%)": stats.mean(better),
        "Spearman's rho of alphas with strength": stats.mean(rho[:, 0]),
        "Spearman's rho of being missed with strength": stats.mean(rho[:, 1]),
        "Blank minus trained alphas, both by perturbation (points)": stats.paired(
            true[BLANK], true[PERTURBED]
        ).difference,
    }
    for name, archs in taken.items():
        beside[f"Cells of the table that are better than the one by {name} (%)"] = stats.mean(
            supernets.rank(archs)
        )
        beside[f"By {name}, minus one random cell (points)"] = stats.mean(true[name] - random.mean())
        beside[f"Share of none by {name} (%)"] = stats.mean(100 * supernets.share(archs, NONE))
    return Results(found, beside, picture(true, random))


def picture(true: Mapping[str, Floats], random: Floats) -> dict[str, Any]:
    """A dot with its interval for each way to take a cell, and for a random cell."""
    rows = {name: stats.mean(v) for name, v in true.items()}
    low, high = (float(v) for v in np.quantile(random, [0.25, 0.75]))
    rows = {"a random cell": stats.Interval(float(random.mean()), low, high, len(random)), **rows}
    return {
        "kind": "whiskers",
        "title": "True accuracy of the cells that are taken",
        "how": "Each dot is the mean over supernets with its 95 % interval; of a random cell, the middle "
        "half.",
        "x": "Test accuracy (%)",
        "names": list(rows),
        "values": [r.value for r in rows.values()],
        "low": [r.low for r in rows.values()],
        "high": [r.high for r in rows.values()],
        "marked": PERTURBED,
    }
