"""TAS (Dong and Yang, 2019): does a search of widths and depths meet its target, and is its shape worth it?

A small ResNet on the digits is searched for two targets of multiply-adds. What is found for the first one is
trained with the unpruned network as its teacher, beside a shape of equal shares and a random shape of about
the same cost, and once more without a teacher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nascore import stats
from nascore.kinds import knob
from nascore.studies import nested
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

Told = dict[str, Any]
FOUND, ALONE, UNIFORM, RANDOM = "TAS", "TAS, no teacher", "equal shares", "a random shape"
WHOLE = "the unpruned network"
SMALLER = (
    "A ResNet of 14 layers and 8 to 32 channels on 1,000 images of 8x8 digits; 6 epochs of search, 8 of each "
    "training."
)


@dataclass(frozen=True)
class Tas(Study):
    """Targets that are met, shapes of the same cost, the teacher's worth, memory of two widths."""

    key: ClassVar[str] = "tas"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "target",
            "The multiply-adds of the shape that is taken lie at most 5 % of the whole network below the "
            "target: share of searches, over two targets",
            "at least 80 %",
            holds=(79.9, 100.1),
            unit="%",
            scale=SMALLER,
        ),
        Claim(
            "uniform",
            "The shape that is found beats one with the same share of channels everywhere: difference of "
            "test accuracy, the same teacher for both",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "random",
            "And a random shape of about the same cost: difference of test accuracy, the same teacher",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "teacher",
            "The unpruned network as teacher helps: difference of test accuracy on the found shape",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "memory",
            "All widths at once keep more in memory than two: bytes for the backward pass, as a ratio",
            "above 1; up to 8 widths against 2",
            holds=(1.0, float("inf")),
            scale="The mean over four draws, 32 images.",
        ),
    )
    left: ClassVar[str] = "ResNet-56 and deeper, CIFAR and ImageNet are not tried."

    seeds: int = knob(10, 2, 1000, "searches for each target")
    epochs: int = knob(6, 1, 1000, "of each search")
    images: int = knob(1000, 32, 1000, "training images")
    length: int = knob(8, 1, 1000, "epochs of each training from scratch")
    targets: tuple[float, ...] = knob((0.5, 0.35), 0.05, 1.0, "shares of the whole network's multiply-adds")
    alpha_lr: float = knob(0.1, 1e-5, 1.0, "learning rate of the alphas")

    def measure(self, kept: Kept) -> Measuring:
        """Memory, then searches and trainings."""
        yield Progress(0, self.seeds + 1, "memory")
        exact = kept.once("memory", memory)
        rows: list[Told] = []
        for seed in range(self.seeds):
            yield Progress(seed + 1, self.seeds + 1, f"searches {seed + 1} of {self.seeds}")
            rows.append(kept.once(f"seed {seed}", lambda s=seed: searched(self, s)))
        return judge(exact, rows)

    def strategy(self, target: float) -> Any:
        """The search for one target."""
        from nascore.strategies.tas import Tas as Strategy

        return Strategy(
            epochs=self.epochs, lr=0.05, alpha_lr=self.alpha_lr, target=target, hot=5.0, distill=False
        )


def problem(seed: int, images: int, length: int = 5) -> Problem:
    """A ResNet of 14 layers."""
    from nascore.recipes.sgd_cosine import SgdCosine
    from nascore.spaces.pruned_resnet import PrunedResnet

    recipe = SgdCosine(epochs=length, batch=32, lr=0.05)
    return nested.digits_of(PrunedResnet(14, 8), seed, images, recipe)


def memory() -> float:
    """Bytes that all widths keep, over those of two; means over four draws."""
    from nascore.align import Two, aligned

    own = problem(0, 64)
    own.reseed("memory")
    net: Any = own.supernet("entangled")
    aligned(net, own)
    net.train()
    x = own.task.whole("train", own.device).x[:32]  # type: ignore[index] -- images
    kept = []
    for every in (True, False):
        gating = Two(own.space, 1.0, every)
        gates = [gating() for _ in range(4)]
        kept.append(float(np.mean([nested.saved_bytes(lambda g=g: net(x, g), net) for g in gates])))
    return kept[0] / kept[1]


def searched(study: Tas, seed: int) -> Told:
    """Whether both targets are met, and what the shape of the first one is worth."""
    from nascore.problem import search

    met, shapes, costs = [], [], []
    for target in study.targets:
        own, how = problem(seed, study.images, study.length), study.strategy(target)
        own.reseed("search")
        told = nested.until(search(how, own), "search", study.epochs)
        state = own.memo.load("search")["kept"][-1]["arch"]
        met.append(bool(state))
        shapes.append(list(state) or list(nested.leading(told[-1], own)))
        costs.append([v["expected_mflops"] for v in told])
    own, how = problem(seed, study.images, study.length), study.strategy(study.targets[0])
    return {"met": met, "shapes": shapes, "costs": costs, **worth(own, tuple(shapes[0]), how)}


def worth(own: Problem, arch: Arch, how: Any) -> Told:
    """Test accuracies in percent of a shape, of others of about its cost, of it without a teacher, and of the
    teacher; and what the others cost as shares of what the shape costs.
    """
    from nascore.chunk import fresh
    from nascore.recipe import train
    from nascore.strategies.tas import largest

    teacher = fresh(own, largest(own)).to(own.device)
    for _ in train(own, teacher, own.recipe, "teacher"):
        pass
    teacher.eval()
    shapes = {FOUND: arch, UNIFORM: near(own, arch, uniform(own)), RANDOM: near(own, arch, drawn(own))}
    out = {name: taught(own, shape, teacher, how) for name, shape in shapes.items()}
    whole = 100 * (1 - own.task.metrics(teacher, "test")["error"])
    cost = flops(own, list(shapes.values()))
    share = dict(zip(shapes, (cost / cost[0]).tolist(), strict=True))
    return {"true": {**out, ALONE: taught(own, arch, None, how), WHOLE: whole}, "share": share}


def taught(own: Problem, arch: Arch, teacher: Any, how: Any) -> float:
    """The test accuracy of a shape that is trained with a teacher, or without one, in percent."""
    from dataclasses import replace

    from nascore.chunk import fresh
    from nascore.problem import Memo
    from nascore.recipe import train
    from nascore.strategies.tas import distilled

    alone = replace(own, memo=Memo())
    net = fresh(alone, arch).to(own.device)
    steps = (
        train(alone, net, own.recipe, "student") if teacher is None else distilled(alone, net, teacher, how)
    )
    for _ in steps:
        pass
    return 100 * (1 - own.task.metrics(net.eval(), "test")["error"])


def flops(own: Problem, archs: list[Arch]) -> Any:
    """(n,) multiply-adds."""
    return own.costs(archs)["flops"]


def uniform(own: Problem) -> list[Arch]:
    """Shapes with the same share of channels in every layer and the same share of blocks in every stage."""
    from nascore.space import settled

    choices, out = own.space.choices(), []
    for depth in (0.0, 1.0):
        for share in np.linspace(0, 1, 8):
            part = {c.name: depth if c.name.endswith("depth") else share for c in choices}
            row = tuple(round(part[c.name] * (len(c.options) - 1)) for c in choices)
            out.append(settled(own.space, row))
    return list(dict.fromkeys(out))


def drawn(own: Problem) -> list[Arch]:
    """Random shapes."""
    return [tuple(int(i) for i in a) for a in own.sample(400, "beside")]


def near(own: Problem, arch: Arch, others: list[Arch]) -> Arch:
    """The other shape of the nearest cost."""
    rest = [a for a in others if a != arch]
    return rest[int(np.argmin(np.abs(flops(own, rest) - flops(own, [arch])[0])))]


def judge(ratio: float, rows: list[Told]) -> Results:
    """Of memory and of what was searched from each seed."""
    true = {n: np.array([r["true"][n] for r in rows]) for n in (FOUND, UNIFORM, RANDOM, ALONE, WHOLE)}
    found: dict[str, Measured] = {
        "target": stats.mean([100 * float(np.mean(r["met"])) for r in rows]),
        "uniform": stats.paired(true[FOUND], true[UNIFORM]).difference,
        "random": stats.paired(true[FOUND], true[RANDOM]).difference,
        "teacher": stats.paired(true[FOUND], true[ALONE]).difference,
        "memory": float(ratio),
    }
    beside: dict[str, Measured] = {f"Test accuracy of {n} (%)": stats.mean(v) for n, v in true.items()}
    for name in (UNIFORM, RANDOM):
        text = f"Multiply-adds of {name}, as a share of those of what is found"
        beside[text] = stats.mean([r["share"][name] for r in rows])
    picture = nested.whiskers(
        {n: stats.mean(v) for n, v in true.items()},
        FOUND,
        "Test accuracy at about half of the multiply-adds",
        "Each dot is the mean over seeds with its 95 % interval; the unpruned network does all of them.",
        "Test accuracy (%)",
    )
    return Results(found, beside, picture)
