"""NASNet (Zoph et al., 2018): the space as it decodes, what transfers, and ScheduledDropPath.

Exact claims are counted on our space. Transfer is tried where cells are known on two data sets: those of the
shipped tables, which have one cell and not NASNet's two. ScheduledDropPath trains small networks of the
NASNet space on few images, with and without it, from the same first weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.benchmarks.table import open_table
from nascore.codec import from_json
from nascore.errors import Diverged
from nascore.kinds import knob
from nascore.runs.spec import from_document
from nascore.space import sample, tuples
from nascore.spaces.nasnet import NASNET_A, NASNET_A_JOINED
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

Floats = NDArray[np.float64]
KEEP = 0.6  # chance that a path of the last cell is kept at the end; the paper's for CIFAR-10
SMALL = {"cells": 1, "channels": 8, "stages": 2}
BEST = 10


@dataclass(frozen=True)
class Nasnet(Study):
    """The space's decisions and published cell, transfer between data sets, ScheduledDropPath."""

    key: ClassVar[str] = "nasnet"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "decisions",
            "Five decisions make a block, five blocks a cell, two cells a network: choices of the space",
            "50",
            (50, 50),
        ),
        Claim(
            "published",
            "NASNet-A is in the space: blocks of both published cells that come back the same after being "
            "decoded, numbered in our canonical way, written and read",
            "10 of 10",
            (10, 10),
            scale="The canonical way swaps sides and renumbers blocks; the network stays the same.",
        ),
        Claim(
            "schedule",
            "ScheduledDropPath drops paths with a chance that grows linearly over training and with depth: "
            "largest distance of our layers' chance from that line",
            "0",
            (0.0, 1e-12),
        ),
        Claim(
            "transfer",
            "A cell searched on a small data set is good on a larger one: test accuracy on 14x14 MNIST of "
            f"the {BEST} best cells of 8x8 digits, minus that of the average cell",
            "above 0",
            unit="points",
            scale="NAS-Bench-201 cells, known on both, and networks of one size; not NASNet's own cells "
            "stacked deeper on ImageNet.",
        ),
        Claim(
            "drop_path",
            "ScheduledDropPath significantly improves generalization: test accuracy with it, minus without",
            "above 0",
            unit="points",
            scale="Small networks on 300 images of 8x8 digits for 25 epochs; the paper trains large ones "
            "for hundreds.",
        ),
    )
    left: ClassVar[str] = (
        "The controller, CIFAR-10 and ImageNet accuracies and detection on COCO are not tried."
    )

    seeds: int = knob(12, 2, 1000, "pairs of trainings, each of another random architecture")
    epochs: int = knob(25, 1, 10_000, "epochs of each training")
    images: int = knob(300, 64, 1000, "training images")
    blocks: int = knob(3, 1, 7, "blocks of a cell that is trained")
    resamples: int = knob(1000, 10, 100_000, "of the bootstrap over cells")

    def measure(self, kept: Kept) -> Measuring:
        """Counts, compares the tables, trains."""
        gains, total = [], 2 * self.seeds + 1
        for seed in range(self.seeds):
            pair = []
            for i, keep in enumerate((1.0, KEEP)):
                how = "with" if i else "without"
                yield Progress(
                    2 * seed + i, total, f"training {seed + 1} of {self.seeds} {how} dropped paths"
                )
                pair.append(kept.once(f"trained {seed} {keep}", lambda s=seed, k=keep: self._train(s, k)))
            gains.append(pair)
        yield Progress(total - 1, total, "counting")
        found: dict[str, Measured] = {
            "decisions": float(len(from_json("space", "nasnet").choices())),
            "published": float(published()),
            "schedule": off_schedule(),
        }
        small, large = both()
        found["transfer"] = stats.bootstrap(gain_of_best, small, large, resamples=self.resamples)
        trained = np.array(gains)
        found["drop_path"] = stats.paired(trained[:, 1], trained[:, 0]).difference
        beside: dict[str, Measured] = {
            "Spearman of both data sets over all cells known on both": stats.bootstrap(
                stats.spearman, small, large, resamples=self.resamples
            )
        }
        return Results(found, beside, _picture(small, large))

    def _train(self, seed: int, keep: float) -> float:
        """Test accuracy in percent of one random architecture."""
        from nascore.chunk import train_alone

        document = {
            "v": 1,
            "seed": seed,
            "space": {
                "name": "nasnet",
                "knobs": {**SMALL, "blocks": self.blocks, "keep_path": keep, "path_batches": self._batches()},
            },
            "task": {"name": "digits", "knobs": {"train_images": self.images}},
            "recipe": {"name": "sgd_cosine", "knobs": {"epochs": self.epochs, "batch": 32}},
        }
        problem = from_document(document).problem()
        arch = tuples(sample(problem.space, 1, np.random.default_rng(seed)))[0]
        steps = train_alone(problem, arch, self.epochs, False, float("inf"))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                if end.value.failed:
                    raise Diverged(f"training {seed} {end.value.failed}") from None
                return 100 * (1 - end.value.test_error)

    def _batches(self) -> int:
        return max(self.images // 32, 1) * self.epochs


def published() -> int:
    """Blocks of NASNet-A that come back through text, canonical form and text again as the same network."""
    space: Any = from_json(
        "space", {"name": "nasnet", "knobs": {"joined": [list(j) for j in NASNET_A_JOINED]}}
    )
    arch = space.read(NASNET_A)
    again = space.read(space.text(space.canonical(arch)))
    mine, other = space.decoded(arch), space.decoded(again)
    same = [
        sorted(a[:2]) == sorted(b[:2]) and a[2] == b[2]
        for kind in mine
        for a, b in zip(mine[kind], other[kind], strict=True)
    ]
    return sum(same)


def off_schedule(cells_: int = 12, over: int = 100) -> float:
    """Largest distance of the layers' chance to keep from 1 - (time) (depth) (1 - keep), at every batch."""
    import torch

    from nascore.ops import ScheduledDropPath

    far, x = 0.0, torch.zeros(1, 1, 1, 1)
    for index in range(cells_):
        depth = (index + 1) / cells_
        layer = ScheduledDropPath(KEEP, depth, over).train()
        for batch in range(over + 1):
            line = 1 - (batch / over) * depth * (1 - KEEP)
            far = max(far, abs(layer.kept - line))
            layer(x)
    return far


def both() -> tuple[Floats, Floats]:
    """(n,) test accuracies on digits and on MNIST of the cells that were trained on both."""
    small, large = open_table("nasbench_digits"), open_table("nasbench_mnist5k")
    rows = cells.own_rows(large)
    first = small.value("test_accuracy", large.archs[rows])
    second = large.values("test_accuracy")[rows]
    known = np.isfinite(first) & np.isfinite(second)
    return first[known], second[known]


def gain_of_best(small: Floats, large: Floats, best: int = BEST) -> float:
    """Mean on the large data of those best on the small one, minus the mean of all."""
    return float(large[np.argsort(-small, kind="stable")[:best]].mean() - large.mean())


def _picture(small: Floats, large: Floats) -> dict[str, Any]:
    order = np.argsort(-small, kind="stable")
    best = set(order[:BEST].tolist())
    return {
        "kind": "dots",
        "title": "Does a cell's accuracy transfer?",
        "how": f"Each dot is a cell trained on both data sets; the {BEST} best on digits are marked.",
        "x": "Test accuracy on digits (%)",
        "y": "Test accuracy on MNIST, 14x14 (%)",
        "xs": small.round(3).tolist(),
        "ys": large.round(3).tolist(),
        "marked": sorted(best),
        "mark": f"{BEST} best on digits",
        "crowd": "all cells",
    }
