"""sharpDARTS (Hundt et al., 2019): what its learning rate, its mixture and its blocks are worth, one by one.

Curves and weights are looked at exactly. Cosine power annealing trains random cells against a cosine. Max-W
and plain shares search the same small HyperCuboid, and what they find is trained against a path that a person
would draw, 8, 16, 32 channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from nascore import stats
from nascore.errors import Diverged
from nascore.kinds import knob
from nascore.runs.spec import from_document
from nascore.space import from_choices
from nascore.studies import cells, supernets
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study
from nascore.studies.supernets import Floats, Told

WIDTHS = (8, 16, 32)
HAND = {"stem.width": 8, "layer1.width": 16, "layer2.width": 32,
        "layer1.op": "sep_conv_3x3", "layer2.op": "sep_conv_3x3"}  # fmt: skip
POWERS = (1.0, 2.0, 10.0)
NAMES = {"scalar": "plain mixture", "max_w": "Max-W"}
WAYS = tuple(NAMES)
BOX = (
    "A HyperCuboid of two layers, widths 8, 16 and 32, two operations, searched on 300 images of 8x8 digits "
    "for 10 epochs, trained on 1,000 for 12; the paper's has widths up to 256 and more layers, on CIFAR-10."
)
SHORT = "NAS-Bench-201 cells of 8 channels on 8x8 digits, 12 epochs instead of thousands."
WHOLE = 1000  # training images


@dataclass(frozen=True)
class SharpDarts(Study):
    """Cosine power annealing, Max-W and the HyperCuboid, each against what it replaces."""

    key: ClassVar[str] = "sharp_darts"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "ends",
            "Cosine power annealing starts at the largest and ends at the least rate, and power 1 is a "
            "cosine: largest distance",
            "0",
            (0.0, 1e-12),
        ),
        Claim(
            "lower",
            "A larger power gives a lower rate in between: share of epochs where it does",
            "1",
            (1.0, 1.0),
        ),
        Claim(
            "annealing",
            "Networks trained with it end better: test accuracy with power 2, minus with a cosine",
            "above 0",
            unit="points",
            scale=f"{SHORT} The mean over two random cells a seed.",
        ),
        Claim(
            "leader",
            "Max-W gives the leading operation weight 1, and its alpha gains nothing through it: largest "
            "distance from that",
            "0",
            (0.0, 1e-6),
        ),
        Claim(
            "entropy",
            "Max-W keeps shares closer together than the plain mixture: difference of entropy after as many "
            "epochs, as a share of the largest",
            "above 0",
            scale=f"{BOX} Of the 18 shares of a layer, the mean over layers.",
        ),
        Claim(
            "path",
            "Max-W finds a better network than the plain mixture: test accuracy once trained, difference",
            "above 0",
            unit="points",
            scale=BOX,
        ),
        Claim(
            "hand",
            "The plain mixture loses to a network drawn by hand: test accuracy of the latter minus the "
            "former",
            "above 0",
            unit="points",
            scale=BOX,
        ),
        Claim(
            "beats_hand",
            "Max-W beats it: test accuracy of its network minus that of the one drawn by hand",
            "above 0",
            unit="points",
            scale=BOX,
        ),
    )
    left: ClassVar[str] = (
        "CIFAR-10 and ImageNet, AutoAugment, and cells of the DARTS space without a search are not tried."
    )

    seeds: int = knob(6, 2, 1000, "searches, and trainings of each kind")
    epochs: int = knob(10, 2, 1000, "of each search")
    train: int = knob(12, 1, 1000, "epochs of each training")
    images: int = knob(300, 32, 1000, "training images of a search; trainings have all")
    nets: int = knob(2, 1, 100, "random cells that are trained with each learning rate")
    alpha_lr: float = knob(0.1, 1e-5, 1.0, "learning rate of the alphas")
    last: int = knob(32, 1, 1024, "channels of the HyperCuboid's last block")

    def measure(self, kept: Kept) -> Measuring:
        """Looks, trains, searches, compares."""
        total, rows = self.seeds * 2, []
        for seed in range(self.seeds):
            yield Progress(2 * seed, total, f"trainings, seed {seed + 1} of {self.seeds}")
            row: Told = {"annealed": kept.once(f"annealed {seed}", lambda s=seed: self.annealed(s))}
            yield Progress(2 * seed + 1, total, f"searches, seed {seed + 1} of {self.seeds}")
            for way in WAYS:
                row[way] = kept.once(f"{way} {seed}", lambda w=way, s=seed: self.searched(w, s))
            row["hand"] = kept.once(f"hand {seed}", lambda s=seed: self.by_hand(s))
            rows.append(row)
        return judge(rows)

    def annealed(self, seed: int) -> list[float]:
        """Test accuracy of random cells by each power, the mean."""
        table = cells.digits()
        archs = [[int(i) for i in table.archs[row]] for row in cells.some(table, self.nets, seed)]
        out = []
        for power in POWERS:
            falls = {"schedule": "cosine_power", "power": power, "epochs": self.train, "lr": 0.1}
            problem = cells.problem_of(
                table, seed, task=_task(WHOLE), recipe={"name": "tunable", "knobs": falls}
            )
            out.append(float(np.mean([_trained(problem, arch, self.train) for arch in archs])))
        return out

    def searched(self, way: str, seed: int) -> Told:
        """A search through the box by one weighting, and the test accuracy of what it finds."""
        from nascore.strategies.sharp_darts import SharpDarts as Strategy

        problem = self._box(seed, self.images)
        how = Strategy(epochs=self.epochs, weighting=way, alpha_lr=self.alpha_lr)  # type: ignore[arg-type]
        told = supernets.searched(how, problem)
        true = _trained(self._box(seed, WHOLE), told["chosen"], self.train)
        return {**told, "accuracy": true, "entropy": entropy(how, problem)}

    def by_hand(self, seed: int) -> float:
        """Test accuracy of the path drawn by hand, trained in the same way."""
        problem = self._box(seed, WHOLE)
        return _trained(problem, from_choices(problem.space, HAND), self.train)

    def _box(self, seed: int, images: int) -> Any:
        space = {"layers": 2, "widths": list(WIDTHS), "last": self.last}
        document = {
            "v": 1,
            "seed": seed,
            "space": {"name": "hypercuboid", "knobs": space},
            "task": _task(images),
            "recipe": {"name": "sgd_cosine", "knobs": {"epochs": self.train, "lr": 0.1}},
        }
        return replace(from_document(document).problem(), sampled=0)


def _task(images: int) -> dict[str, Any]:
    return {"name": "digits", "knobs": {"train_images": images}}


def entropy(how: Any, problem: Any) -> float:
    """Of the softmax of a layer at the end of a search, 1 where shares are alike; the mean over layers."""
    import torch

    gating = how.gating(problem)
    gating.load_state_dict(problem.memo.load("search")["kept"][2])
    with torch.no_grad():
        rows = [gating.shares(name).flatten() for name in gating.groups]
    own = [-torch.special.xlogy(p, p).sum() / np.log(len(p)) for p in rows]
    return float(torch.stack(own).mean())


def _trained(problem: Any, arch: Sequence[int], epochs: int) -> float:
    """Test accuracy in percent after a training from the first weights of this seed."""
    from nascore.chunk import train_alone

    steps = train_alone(problem, tuple(arch), epochs, False, float("inf"))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            if end.value.failed:
                raise Diverged(f"training {end.value.failed}") from None
            return 100 * (1 - end.value.test_error)


def off_ends(steps: int = 200) -> float:
    """Largest distance of rates from their ends, and of power 1 from a cosine."""
    from nascore.recipes.sgd_cosine import SgdCosine
    from nascore.recipes.tunable import Tunable

    far = [
        abs(rate - end)
        for power in POWERS
        for at, end in ((0, 0.025), (steps, 1e-4))
        for rate in [Tunable(lr=0.025, schedule="cosine_power", power=power, lr_end=1e-4).rate(at, steps)]
    ]
    plain, cosine = Tunable(lr=0.1, schedule="cosine_power", power=1.0), SgdCosine(lr=0.1)
    return max(*far, *(abs(plain.rate(s, steps) - cosine.rate(s, steps)) for s in range(steps)))


def share_lower(steps: int = 200) -> float:
    """In which share of epochs, ends aside, each larger power has the lower rate."""
    from nascore.recipes.tunable import Tunable

    curves = [
        [Tunable(schedule="cosine_power", power=power).rate(s, steps) for s in range(1, steps)]
        for power in (*POWERS, 100.0)
    ]
    return float(np.mean(np.diff(np.array(curves), axis=0) < 0))


def off_leader(draws: int = 50) -> float:
    """Largest distance of the leader's weight from 1, and of its own derivative from 0."""
    import torch

    from nascore.gates import MaxW

    torch.manual_seed(0)
    far = [0.0]
    for _ in range(draws):
        gating = MaxW(cells.problem_of(cells.digits()).space, scale=1.0)
        for weights, alphas in zip((g.weights for g in gating().values()), gating.parameters(), strict=True):
            top = weights[int(weights.argmax())]
            (slope,) = torch.autograd.grad(top, alphas, retain_graph=True)
            far += [abs(float(top.detach()) - 1), float(slope.abs().max())]
    return max(far)


def judge(rows: Sequence[Mapping[str, Any]]) -> Results:
    """Of each seed's trainings and searches."""
    annealed = np.array([r["annealed"] for r in rows])
    true: dict[str, Floats] = {way: np.array([r[way]["accuracy"] for r in rows]) for way in WAYS}
    true["hand"] = np.array([r["hand"] for r in rows])
    curve = {way: np.array([r[way]["values"]["entropy"] for r in rows]) for way in WAYS}

    def more(a: Floats, b: Floats) -> stats.Interval:
        return stats.paired(a, b).difference

    found: dict[str, Measured] = {
        "ends": off_ends(),
        "lower": share_lower(),
        "annealing": more(annealed[:, 1], annealed[:, 0]),
        "leader": off_leader(),
        "entropy": more(*(np.array([r[w]["entropy"] for r in rows]) for w in ("max_w", "scalar"))),
        "path": more(true["max_w"], true["scalar"]),
        "hand": more(true["hand"], true["scalar"]),
        "beats_hand": more(true["max_w"], true["hand"]),
    }
    beside: dict[str, Measured] = {
        "Test accuracy with power 10, minus with a cosine (points)": more(annealed[:, 2], annealed[:, 0]),
        "Test accuracy of the network found by Max-W (%)": stats.mean(true["max_w"]),
        "Test accuracy of the network found by the plain mixture (%)": stats.mean(true["scalar"]),
        "Test accuracy of the network drawn by hand (%)": stats.mean(true["hand"]),
        "Validation error of the supernet at the end, Max-W minus plain mixture (points)": more(
            *(100 * np.array([r[w]["values"]["supernet_error"][-1] for r in rows]) for w in reversed(WAYS))
        ),
    }
    for way in WAYS:
        shared = 100 * (1 - np.array([r[way]["values"]["supernet_error"][-1] for r in rows]))
        text = "Test accuracy of what is found minus validation accuracy of the supernet (points)"
        beside[f"{text}, {NAMES[way]}"] = more(true[way], shared)
    return Results(found, beside, picture(curve))


def picture(curve: Mapping[str, Floats]) -> dict[str, Any]:
    """Entropy of the shares over the epochs, by weighting."""
    return {
        "kind": "lines",
        "title": "How undecided the search is",
        "how": "Entropy of the shares of each choice, the mean over choices and seeds, 1 where all are "
        "alike; bands reach from the lowest seed to the highest.",
        "x": "Epoch",
        "y": "Entropy",
        "metric": "entropy",
        "series": [
            {
                "name": NAMES[way],
                "x": list(range(1, v.shape[1] + 1)),
                "y": v.mean(0).tolist(),
                "low": v.min(0).tolist(),
                "high": v.max(0).tolist(),
            }
            for way, v in curve.items()
        ],
    }
