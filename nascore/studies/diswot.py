"""DisWOT (Dong et al., 2023): does likeness to an untrained teacher tell who learns best from it?

Students are random cells of the shipped table's space; the teacher is the cell that takes the dearest
operation on every edge, trained. Each student is trained alone and by distillation from the same first
weights, over several seeds, and scored before any training.

Distillation here learns from the mean of the label and the teacher's softened probabilities; the paper's
students also see the teacher's features. Winners are chosen by all seeds but one and judged by that one, so
that luck which made a winner does not count for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.kinds import knob
from nascore.measures.ranking import partial_spearman
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study
from nascore.task import Batch, Shape

if TYPE_CHECKING:
    from torch import Tensor

    from nascore.problem import Problem
    from nascore.space import Arch

Floats = NDArray[np.float64]
HEAT = 4.0  # the teacher's logits are divided by it
HOURS_EPOCHS = 240  # epochs of a distillation in the paper
SMALLER = (
    "NAS-Bench-201 cells of 8 channels on 8x8 digits, 10 epochs; the paper distills ResNets on CIFAR-100."
)


@dataclass(frozen=True)
class Diswot(Study):
    """Winners of vanilla training and of distillation, the score against distilled accuracy, and its cost."""

    key: ClassVar[str] = "diswot"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "winner",
            "The best model under vanilla training is not the winner in distillation: how far it stays "
            "below the winner in distilled accuracy",
            "above 0; 0.42 among the 64 ResNets released",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "correlation",
            "Similarity to a random teacher correlates well with distilled accuracy: Spearman's rho",
            "above 0",
            scale=SMALLER,
        ),
        Claim(
            "acceleration",
            "Scoring students takes at least 180 times less than distilling them: seconds of distilling "
            f"{HOURS_EPOCHS} epochs by seconds of scoring",
            "180 or more",
            (180.0, float("inf")),
            unit="times",
            scale=f"10 epochs are measured and multiplied to {HOURS_EPOCHS}; our networks train side by side "
            "as one program, which makes training cheap.",
        ),
    )
    left: ClassVar[str] = (
        "The evolutionary search, the similarities as losses of distillation and other distillers as scores "
        "are not tried."
    )

    students: int = knob(40, 10, 5044, "random cells")
    seeds: int = knob(12, 2, 1000, "first weights; each is trained alone and by distillation")
    epochs: int = knob(10, 1, 600, "of every training")
    resamples: int = knob(500, 10, 100_000, "of the bootstrap over students")

    def measure(self, kept: Kept) -> Measuring:
        """Trains the teacher and the students, scores them, compares."""
        table = cells.digits()
        rows = cells.some(table, self.students)
        archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
        total = 3 * self.seeds + 1
        columns: dict[str, list[list[float]]] = {"vanilla": [], "distilled": [], "score": []}
        times: list[float] = []
        for seed in range(self.seeds):
            problem = cells.problem_of(table, seed, recipe=_recipe(table.about["recipe"], self.epochs))
            taught: dict[str, Any] = {}
            for i, (name, go) in enumerate(self._steps(problem, archs).items()):
                yield Progress(3 * seed + i, total, f"{name}, seed {seed + 1} of {self.seeds}")
                taught[name] = kept.once(f"{name} {seed}", go)
                columns[name].append(taught[name]["values"])
            each = {n: taught[n]["seconds"] for n in ("distilled", "score")}
            times.append(each["distilled"] * HOURS_EPOCHS / self.epochs / each["score"])
        yield Progress(total - 1, total, "comparing")
        found = {name: np.array(v).T for name, v in columns.items()}
        return self.judge(found, np.array(times), table.values("params")[rows])

    def _steps(self, problem: Problem, archs: list[Arch]) -> dict[str, Any]:
        return {
            "vanilla": lambda: trained(problem, archs),
            "distilled": lambda: distilled(problem, archs),
            "score": lambda: scored(problem, archs),
        }

    def judge(self, columns: Mapping[str, Floats], times: Floats, size: Floats) -> Results:
        """Of columns (students, seeds), ratios of seconds (seeds,) and parameters (students,)."""
        truth, scores = columns["distilled"].mean(1), columns["score"].mean(1)
        vanilla = columns["vanilla"].mean(1)

        def rho(a: Floats, b: Floats) -> stats.Interval:
            return stats.bootstrap(stats.spearman, a, b, resamples=self.resamples)

        found: dict[str, Measured] = {
            "winner": stats.mean(behind(columns["vanilla"], columns["distilled"])),
            "correlation": rho(scores, truth),
            "acceleration": stats.mean(times),
        }
        given = stats.bootstrap(partial_spearman, scores, truth, size, resamples=self.resamples)
        beside: dict[str, Measured] = {
            "Spearman of the number of parameters with distilled accuracy": rho(size, truth),
            "Spearman of the score given the number of parameters": given,
            "Spearman of vanilla and distilled accuracy": rho(vanilla, truth),
        }
        return Results(found, beside, _picture(vanilla, truth))


def behind(vanilla: Floats, distilled: Floats) -> Floats:
    """(seeds,) distilled accuracy of the distillation's winner minus that of the vanilla winner.

    Both (students, seeds), in percent. Each seed judges winners that the other seeds chose.
    """
    out = []
    for seed in range(vanilla.shape[1]):
        others = np.arange(vanilla.shape[1]) != seed
        alone, taught = (int(c[:, others].mean(1).argmax()) for c in (vanilla, distilled))
        out.append(distilled[taught, seed] - distilled[alone, seed])
    return np.array(out)


@dataclass(frozen=True)
class Taught(SgdCosine):
    """The recipe with, for each training image, the mean of its label and what a teacher says of it."""

    said: Any = None  # (images, classes) probabilities

    def teach(self, batch: Batch, shape: Shape) -> Batch:
        """The batch with such targets."""
        import torch

        y: Tensor = batch.y  # type: ignore[assignment] -- labels of images
        hard = torch.nn.functional.one_hot(y, self.said.shape[1]).to(self.said)
        return replace(batch, y=(hard + self.said[batch.index]) / 2)


def _recipe(given: Mapping[str, Any], epochs: int) -> dict[str, Any]:
    return {"name": given["name"], "knobs": {**given["knobs"], "epochs": epochs}}


def trained(problem: Problem, archs: list[Arch]) -> dict[str, Any]:
    """Test accuracies in percent of networks trained side by side, and CPU seconds of one."""
    from nascore.chunk import Chunk

    chunk = Chunk(problem, problem.space.batched(archs, problem.task.shape), archs, [None] * len(archs))
    for _ in range(problem.recipe.epochs):
        chunk.epoch()
    chunk.finish()
    values = [100 * (1 - r.test_error) for r in chunk.records]
    return {"values": values, "seconds": float(np.mean([r.seconds for r in chunk.records]))}


def distilled(problem: Problem, archs: list[Arch]) -> dict[str, Any]:
    """As `trained`, with a teacher of the same space that was trained first; its seconds do not count."""
    own = {f.name: getattr(problem.recipe, f.name) for f in fields(SgdCosine)}
    return trained(replace(problem, recipe=Taught(**own, said=teacher(problem))), archs)


def teacher(problem: Problem) -> Tensor:
    """(images, classes) softened probabilities of the trained teacher on the training images."""
    import torch

    from nascore.chunk import fresh
    from nascore.proxies.diswot import dearest
    from nascore.recipe import train

    net = fresh(problem, dearest(problem))
    for _ in train(problem, net, problem.recipe, "teacher"):
        pass
    with torch.no_grad():
        whole: Any = problem.task.whole("train")
        return (net.eval()(whole.x) / HEAT).softmax(1)


def scored(problem: Problem, archs: list[Arch]) -> dict[str, Any]:
    """DisWOT's scores of untrained students by an untrained teacher, and CPU seconds of one."""
    import time

    from nascore.chunk import fresh, one_batch
    from nascore.evaluators.zero_cost import BATCH
    from nascore.proxies.diswot import Diswot as Proxy

    nets, batch = [fresh(problem, arch) for arch in archs], one_batch(problem, BATCH)
    start = time.process_time()
    values = Proxy().score(nets, batch, problem).tolist()
    return {"values": values, "seconds": (time.process_time() - start) / len(archs)}


def _picture(vanilla: Floats, truth: Floats) -> dict[str, Any]:
    return {
        "kind": "dots",
        "title": "Alone or taught",
        "how": "Each dot is a student: test accuracy when trained alone, and when taught; mean over seeds. "
        "The best of each way are marked.",
        "x": "Test accuracy, trained alone (%)",
        "y": "Test accuracy, distilled (%)",
        "xs": vanilla.round(3).tolist(),
        "ys": truth.round(3).tolist(),
        "marked": sorted({int(vanilla.argmax()), int(truth.argmax())}),
        "mark": "best of a way",
        "crowd": "students",
    }
