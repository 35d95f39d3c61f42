"""Single-Path NAS (Stamoulis et al., 2019): does one superkernel decide on cheap and good networks?

Small chains of inverted residuals on the digits, with kernel and expansion of each layer and the depth of
each stage to decide. What three weights of the cost leave is trained from scratch, beside random networks and
those whose layers all take the same options, of about the same cost.
"""

from __future__ import annotations

import itertools
import time
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
FOUND, RANDOM, UNIFORM = "Single-Path", "a random network", "equal layers"
SMALLER = (
    "Two stages of up to two layers on 1,000 images of 8x8 digits; 8 epochs of search, 8 of each training; "
    "multiply-adds for runtime."
)
WIDE = (64, 128)


@dataclass(frozen=True)
class SinglePath(Study):
    """Size and decisions of the superkernel, what the cost's weight does, and the networks it decides on."""

    key: ClassVar[str] = "single_path"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "size",
            "The supernet has as many weights as its largest network: their ratio",
            "1",
            holds=(0.99, 1.05),
        ),
        Claim(
            "time",
            "And a step of it takes as long: processor seconds of the supernet with its decisions, as a "
            "share of its largest network's",
            "1, within a few per cent",
            holds=(0.0, 1.1),
            scale="Stages of 64 and 128 channels, where arithmetic outweighs the calls; 64 images, n steps.",
        ),
        Claim(
            "cost",
            "The cost in the loss is that of the network decided on: largest relative difference over 64 "
            "hard decisions",
            "0",
            holds=(0.0, 1e-5),
        ),
        Claim(
            "gradient",
            "Decisions are 0 or 1 and yet move their threshold and their weights: least slope of the cost "
            "among all thresholds and rings",
            "above 0",
            holds=(1e-12, float("inf")),
        ),
        Claim(
            "steering",
            "A heavier cost decides on cheaper networks: Spearman's rho of its weight and the cost, times -1",
            "above 0",
            scale=f"{SMALLER} Weights 0, .1 and .3.",
        ),
        Claim(
            "random",
            "What is decided on beats random networks of the same cost: difference of test accuracy, the "
            "mean over the weights of the cost",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "uniform",
            "And networks whose layers are all alike, of the nearest cost: difference of test accuracy",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
    )
    left: ClassVar[str] = "ImageNet, a phone's runtimes, and the time of whole searches are not tried."

    seeds: int = knob(12, 2, 1000, "supernets with each weight")
    epochs: int = knob(8, 2, 1000, "of each search")
    images: int = knob(1000, 32, 1000, "training images")
    length: int = knob(8, 1, 1000, "epochs of each training from scratch")
    weights: tuple[float, ...] = knob((0.0, 0.1, 0.3), 0.0, 1000.0, "of the cost in the loss")
    lr: float = knob(0.1, 1e-5, 1.0, "learning rate of the weights at the start")
    pairs: int = knob(15, 2, 1000, "steps that are timed")
    threshold_lr: float = knob(3e-3, 1e-6, 1.0, "learning rate of the thresholds")

    def measure(self, kept: Kept) -> Measuring:
        """Exact checks, then searches and trainings."""
        yield Progress(0, self.seeds + 1, "exact checks")
        exact = {**kept.once("exact", checks), "time": kept.once("time", lambda: times(self.pairs))}
        rows: list[Told] = []
        for seed in range(self.seeds):
            yield Progress(seed + 1, self.seeds + 1, f"searches {seed + 1} of {self.seeds}")
            rows.append(kept.once(f"seed {seed}", lambda s=seed: searched(self, s)))
        return judge(exact, rows, self.weights)


def problem(seed: int, images: int, length: int = 4, widths: tuple[int, int] = (8, 16)) -> Problem:
    """Two stages of up to two inverted residuals."""
    from nascore.recipes.sgd_cosine import SgdCosine
    from nascore.spaces.stages import Stage, Stages

    rows = [
        Stage(("mbconv",), (width,), (1, 2), (stride,), (3, 5), (1, 2), per="layer")
        for width, stride in zip(widths, (1, 2), strict=True)
    ]
    space = Stages(tuple(rows), stem=widths[0], stem_stride=2 if widths[0] == 8 else 1)
    return nested.digits_of(space, seed, images, SgdCosine(epochs=length, batch=64, lr=0.1))


def made(own: Problem) -> tuple[Any, Any, Any]:
    """Supernet, decisions and cost in million multiply-adds."""
    from nascore.expected import expected
    from nascore.thresholds import Thresholds

    own.reseed("checks")
    net = own.supernet("entangled")
    return net, Thresholds(own.space, net), expected(own, "flops").scaled(1e6)


def checks() -> Told:
    """The three exact claims."""
    import torch

    from nascore.gates import discretize

    own = problem(0, 64)
    net, gating, cost = made(own)
    largest = tuple(c.open[-1] for c in own.space.choices())
    child = own.space.build(largest, own.task.shape)
    size = [sum(p.numel() for p in m.parameters()) for m in (net, child)]
    value = cost(gating.probabilities())
    names = {n for rings in gating.rings.values() for ring in rings for n in ring}
    weights = [p for n, p in net.named_parameters() if n in names]
    slopes = torch.autograd.grad(value, [*gating.thresholds.values(), *weights])
    worst = 0.0
    generator = torch.Generator().manual_seed(0)
    for _ in range(64):
        with torch.no_grad():
            for t in gating.thresholds.values():
                t.copy_(100.0 * torch.randint(0, 2, t.shape, generator=generator))
        p = {n: v.detach().double() for n, v in gating.probabilities().items()}
        true = float(own.costs([discretize(own.space, p)])["flops"][0]) / 1e6
        worst = max(worst, abs(float(cost(p)) / true - 1))
    return {
        "size": size[0] / size[1],
        "cost": worst,
        "gradient": min(float(s.abs().max()) for s in slopes),
    }


def times(pairs: int) -> dict[str, list[float]]:
    """(pairs,) processor seconds of steps as shares of the largest network's: of the supernet with its
    decisions, and of one that mixes the outputs of separate weights.
    """
    import torch

    from nascore.gates import Gate

    own = problem(0, 64, widths=WIDE)
    net, gating, _ = made(own)
    apart: Any = own.supernet("separate")
    choices = own.space.choices()
    largest = tuple(c.open[-1] for c in choices)
    even = {c.name: Gate(c.open, torch.full((len(c.open),), 1 / len(c.open))) for c in choices}
    child = own.space.build(largest, own.task.shape)
    x: Any = next(iter(own.batches("train", "times"))).x
    ways = {
        "child": lambda: child(x),
        "supernet": lambda: net.at(gating())(x),
        "mixture": lambda: apart.at(even)(x),
    }
    rows = []
    for _ in range(pairs + 1):
        rows.append([])
        for way in ways.values():
            start = time.thread_time()
            way().sum().backward()
            rows[-1].append(time.thread_time() - start)
    shares = np.array(rows[1:]) / np.array(rows[1:])[:, :1]  # the first step also sets up
    return {name: shares[:, i].tolist() for i, name in enumerate(ways)}


def searched(study: SinglePath, seed: int) -> Told:
    """What each weight of the cost decides on, what of the same cost is beside it, and their accuracies."""
    from nascore.problem import search
    from nascore.strategies.single_path import SinglePath as Strategy

    out: Told = {"cost": [], "on": [], FOUND: [], RANDOM: [], UNIFORM: []}
    for weight in study.weights:
        own = problem(seed, study.images, study.length)
        how = Strategy(epochs=study.epochs, lr=study.lr, weight=weight, threshold_lr=study.threshold_lr)
        own.reseed("search")
        told = nested.until(search(how, own), "search", study.epochs)
        arch = nested.leading(told[-1], own)
        out["cost"].append(flops(own, [arch])[0])
        out["on"].append(told[-1]["on"])
        three = [arch, near(own, arch, drawn(own)), near(own, arch, alike(own))]
        true = nested.accuracies(problem(seed, study.images, study.length), three)
        for name, accuracy in zip((FOUND, RANDOM, UNIFORM), true, strict=True):
            out[name].append(accuracy)
    return out


def flops(own: Problem, archs: list[Arch]) -> list[float]:
    """(n,) multiply-adds."""
    return own.costs(archs)["flops"].tolist()


def drawn(own: Problem) -> list[Arch]:
    """Random networks."""
    return [tuple(int(i) for i in a) for a in own.sample(200, "beside")]


def alike(own: Problem) -> list[Arch]:
    """Networks whose choices of one kind all take the same option."""
    from nascore.space import settled

    choices = own.space.choices()
    kinds = sorted({c.name.split(".")[-1] for c in choices})
    options = [range(len(next(c for c in choices if c.name.endswith(k)).options)) for k in kinds]
    rows = [dict(zip(kinds, taken, strict=True)) for taken in itertools.product(*options)]
    return [settled(own.space, tuple(r[c.name.split(".")[-1]] for c in choices)) for r in rows]


def near(own: Problem, arch: Arch, others: list[Arch]) -> Arch:
    """The other network of the nearest cost; the first where several are as near."""
    rest = [a for a in others if a != arch]
    away = np.abs(np.array(flops(own, rest)) - flops(own, [arch])[0])
    return rest[int(np.argmin(away))]


def judge(exact: Told, rows: list[Told], weights: tuple[float, ...]) -> Results:
    """Of the exact checks and what was decided from each seed."""
    cost = np.array([r["cost"] for r in rows])
    true = {n: np.array([r[n] for r in rows]) for n in (FOUND, RANDOM, UNIFORM)}
    rho = [0.0 if np.ptp(c) == 0 else -stats.spearman(np.array(weights), c) for c in cost]
    found: dict[str, Measured] = {
        **exact,
        "time": stats.mean(exact["time"]["supernet"]),
        "steering": stats.mean(rho),
        "random": stats.paired(true[FOUND].mean(1), true[RANDOM].mean(1)).difference,
        "uniform": stats.paired(true[FOUND].mean(1), true[UNIFORM].mean(1)).difference,
    }
    on = np.array([r["on"] for r in rows])
    text = "A step of a mixture of outputs, as a share of the largest network's"
    beside: dict[str, Measured] = {text: stats.mean(exact["time"]["mixture"])}
    for k, weight in enumerate(weights):
        beside[f"Share of rings in use with weight {weight:g} (%)"] = stats.mean(100 * on[:, k])
        beside[f"Million multiply-adds with weight {weight:g}"] = stats.mean(cost[:, k] / 1e6)
        beside[f"Test accuracy with weight {weight:g} (%)"] = stats.mean(true[FOUND][:, k])
    picture = nested.whiskers(
        {n: stats.mean(v.mean(1)) for n, v in true.items()},
        FOUND,
        "Test accuracy at the same cost",
        "Each dot is the mean over seeds with its 95 % interval; all are trained from scratch.",
        "Test accuracy (%)",
    )
    return Results(found, beside, picture)
