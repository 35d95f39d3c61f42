"""TangleNAS (Sukthanker et al., 2024): one weight for all sizes, searched by gradients.

Two supernets of entangled weights train on the same images for as many epochs: one with shares that learn,
one on uniformly drawn paths, from which the best of random networks is taken by inherited weights. Networks
are those of the shipped table, which knows what all of them are worth.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nascore import stats
from nascore.events import Step
from nascore.kinds import knob
from nascore.problem import Budget
from nascore.studies import cells, nested
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

Told = dict[str, Any]
SMALLER = (
    "NATS-Bench's size space on 8x8 digits, 6 epochs on 1,000 images; the likeliest of 1,024 networks of a "
    "table is taken. The paper's spaces are larger."
)
TANGLED, SPOS, LARGEST, RANDOM = "TangleNAS", "SPOS and random search", "the largest network", "a random one"


@dataclass(frozen=True)
class TangleNas(Study):
    """Superposition against mixing outputs, and DrNAS in entangled weights against SPOS."""

    key: ClassVar[str] = "tangle_nas"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "equal",
            "Mixing slices of one weight gives what mixing outputs gives: largest difference over a "
            "convolution with 9 options",
            "0 up to rounding",
            holds=(0.0, 1e-5),
        ),
        Claim(
            "memory",
            "Mixing outputs keeps more in memory than mixing slices: bytes for the backward pass, as a ratio",
            "at least 2 for 9 options",
            holds=(2.0, float("inf")),
            scale="One convolution of up to 32 channels and 7x7 on 64 maps of 8x8, with its ReLU.",
        ),
        Claim(
            "largest",
            "The entangled supernet keeps little more than its largest network: bytes for the backward pass, "
            "as a ratio",
            "at most 1.1",
            holds=(0.0, 1.1),
            scale="NATS-Bench's size space, 64 digits.",
        ),
        Claim(
            "spos",
            "Search by gradients takes a better network than SPOS with random search after as many epochs: "
            "difference of true test accuracy",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "beats_largest",
            "It takes a better network than the largest one of the space: difference of true test accuracy",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "anytime",
            "At any time of the search it has the better network at hand: true test accuracy of what would "
            "be taken, the mean over processor seconds, minus that of SPOS with random search",
            "above 0",
            unit="points",
            scale=f"{SMALLER} A random network before the first epoch is over; SPOS may choose after each.",
        ),
        Claim(
            "inherited",
            "The network it takes does better with inherited weights than the one of SPOS: difference of "
            "validation accuracy after the norms are calibrated",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
    )
    left: ClassVar[str] = (
        "AutoFormer, nanoGPT, MobileNetV3, DARTS's space, kernels, and fine-tuning are not tried."
    )

    seeds: int = knob(12, 2, 1000, "pairs of supernets")
    epochs: int = knob(6, 1, 1000, "of each supernet")
    images: int = knob(1000, 32, 1000, "that supernets train on")
    draws: int = knob(20, 2, 1000, "random networks that SPOS chooses from")
    lr: float = knob(0.1, 1e-5, 1.0, "learning rate of the weights of both at the start")
    alpha_lr: float = knob(0.05, 1e-5, 1.0, "learning rate of the alphas")

    def measure(self, kept: Kept) -> Measuring:
        """Exact checks, then searches."""
        yield Progress(0, self.seeds + 1, "exact checks")
        exact = kept.once("exact", checks)
        rows: list[Told] = []
        for seed in range(self.seeds):
            yield Progress(seed + 1, self.seeds + 1, f"supernets {seed + 1} of {self.seeds}")
            rows.append(kept.once(f"seed {seed}", lambda s=seed: searched(self, s)))
        return judge(exact, rows)


def problem(seed: int, images: int) -> Problem:
    """The size space of the shipped table, with no end of looks at inherited weights."""
    table = cells.open_table("natssize_digits")
    task = {"name": "digits", "knobs": {"train_images": images}}
    own = cells.problem_of(table, seed, evaluator={"name": "trained"}, task=task)
    return replace(own, budget=Budget(0), sampled=0)


def checks() -> Told:
    """The three exact claims."""
    import torch

    from nascore.gates import Gate, Softmax
    from nascore.spaces.conv_macro import ConvMacro

    torch.manual_seed(0)
    own = nested.digits_of(ConvMacro(8, 0.0), 0, 64, problem(0, 64).recipe)
    net: Any = own.supernet("entangled")
    gates = Softmax(own.space, scale=1.0)()
    x = next(iter(own.batches("train", "checks"))).x
    conv, role = net.convs[0], net.roles[0]

    def slices() -> torch.Tensor:
        return net._one(conv, role, x, gates).relu()

    def outputs() -> torch.Tensor:
        return mixed(net, x, gates).relu()

    size = problem(0, 64)
    supernet: Any = size.supernet("entangled").train()
    choices = size.space.choices()
    soft = {c.name: Gate(c.open, torch.full((8,), 1 / 8, requires_grad=True)) for c in choices}
    images: Any = next(iter(size.batches("train", "checks"))).x
    child = supernet.extract(tuple(c.open[-1] for c in choices)).train()
    return {
        "equal": float((slices() - outputs()).detach().abs().max()),
        "memory": nested.saved_bytes(outputs, net) / nested.saved_bytes(slices, net),
        "largest": nested.saved_bytes(lambda: supernet(images, soft), supernet)
        / nested.saved_bytes(lambda: child(images), child),
    }


def mixed(net: Any, x: Any, gates: Any) -> Any:
    """The first layer of the small convolutional space, its nine outputs computed one by one and mixed."""
    import torch.nn.functional as F  # noqa: N812 -- torch's own habit

    conv, total = net.convs[0], None
    width, kernel = gates["layer1.channels"], gates["layer1.kernel"]
    full = conv.weight.shape[-1]
    for a, channels in zip(width.weights, (8, 16, 32), strict=True):
        for b, side in zip(kernel.weights, (3, 5, 7), strict=True):
            cut = (full - side) // 2
            weight = conv.weight[:channels, :, cut : full - cut, cut : full - cut]
            y = F.conv2d(x, weight, conv.bias[:channels], padding=side // 2)
            y = a * b * F.pad(y, (0, 0, 0, 0, 0, conv.out_channels - channels))
            total = y if total is None else total + y
    return total


def searched(study: TangleNas, seed: int) -> Told:
    """Both supernets of one seed, what they take after each epoch, and what that is worth."""
    from nascore.engines.oneshot import oneshot, weights_recipe
    from nascore.gates import Gating
    from nascore.problem import search
    from nascore.recipe import Trainer
    from nascore.strategies.tangle_nas import TangleNas as Strategy

    table = cells.open_table("natssize_digits")
    drawn = [tuple(int(i) for i in table.archs[r]) for r in cells.some(table, study.draws, seed)]
    own = problem(seed, study.images)
    how = Strategy(epochs=study.epochs, lr=study.lr, alpha_lr=study.alpha_lr)
    own.reseed("search")
    values, path, clock = timed(
        search(how, own), "search", study.epochs, lambda v: likeliest(nested.shares(v, own))
    )
    tangled = own.supernet("entangled")
    tangled.load_state_dict(own.memo.load("search")["kept"][0])

    other = problem(seed, study.images)
    other.reseed("spos")
    paths = other.supernet("entangled")
    trainer = Trainer(other, paths, study.epochs, weights_recipe(other, how.lr))
    steps = oneshot(other, trainer, Gating(other.space), study.epochs)
    _, judged, spent = timed(steps, "oneshot", study.epochs, lambda _: inherited(other, paths, drawn))

    best = [drawn[int(np.argmax(v))] for v in judged]
    by = {TANGLED: inherited(other, tangled, drawn), SPOS: judged[-1]}
    archs = {TANGLED: path[-1], SPOS: best[-1], LARGEST: largest(), RANDOM: drawn[0]}
    true = table.value("test_accuracy", list(archs.values())).tolist()
    curves = {
        name: [seconds, table.value("test_accuracy", taken).tolist()]
        for name, seconds, taken in ((TANGLED, clock, path), (SPOS, spent, best))
    }
    return {
        "archs": {n: list(a) for n, a in archs.items()},
        "true": dict(zip(archs, true, strict=True)),
        "curves": curves,
        "inherited": {TANGLED: inherited(own, tangled, path[-1:])[0], SPOS: max(by[SPOS])},
        "rank": {n: stats.spearman(v, table.value("test_accuracy", drawn)) for n, v in by.items()},
        "entropy": [v["entropy"] for v in values],
    }


def timed(
    events: Iterator[Any], phase: str, n: int, look: Callable[[dict[str, float]], Any]
) -> tuple[list[dict[str, float]], list[Any], list[float]]:
    """Of n epochs of a phase: its values, what a look at them gives, and the processor seconds of all
    training so far and of this one look.
    """
    values, found, seconds, looks, start = [], [], [], 0.0, time.process_time()
    for event in events:
        if isinstance(event, Step) and event.phase == phase:
            at = time.process_time()
            values.append(event.values)
            found.append(look(event.values))
            now = time.process_time()
            seconds.append(now - start - looks)
            looks += now - at
        elif len(values) == n:
            break
    return values, found, seconds


def over_time(curves: Mapping[str, Sequence[Sequence[float]]], first: float) -> dict[str, float]:
    """The mean over time of step functions, until the sooner of them ends.

    Args:
        curves: name -> times, ascending, and the value from each on.
        first: the value of all before their first time.
    """
    end, out = min(times[-1] for times, _ in curves.values()), {}
    for name, (times, values) in curves.items():
        ends = np.clip([0.0, *times, end], 0, end)
        out[name] = float(np.diff(ends) @ np.array([first, *values])) / end
    return out


def likeliest(shares: dict[str, list[float]]) -> Arch:
    """The network of the table that is drawn most often by these shares."""
    table = cells.open_table("natssize_digits")
    logs = [np.log(np.maximum(shares[c.name], 1e-12)) for c in table.choices]
    total = sum(own[table.archs[:, i]] for i, own in enumerate(logs))
    return tuple(int(i) for i in table.archs[int(np.argmax(total))])


def largest() -> Arch:
    """The network of the table with the most parameters."""
    table = cells.open_table("natssize_digits")
    return tuple(int(i) for i in table.archs[int(np.argmax(table.values("params")))])


def inherited(own: Problem, net: Any, archs: list[Arch]) -> list[float]:
    """(n,) validation accuracies in percent with a supernet's weights, norms calibrated."""
    from nascore.evaluators.inherited import Inherited

    tried = nested.end(own.evaluate(archs, by=Inherited(net)))
    return [100 * (1 - t.metrics["error"]) for t in tried]


def judge(exact: Told, rows: list[Told]) -> Results:
    """Of the exact checks and what was searched from each seed."""
    true = {n: np.array([r["true"][n] for r in rows]) for n in (TANGLED, SPOS, LARGEST, RANDOM)}
    kept = {n: np.array([r["inherited"][n] for r in rows]) for n in (TANGLED, SPOS)}
    ever = [over_time(r["curves"], r["true"][RANDOM]) for r in rows]
    found: dict[str, Measured] = {
        **exact,
        "spos": stats.paired(true[TANGLED], true[SPOS]).difference,
        "beats_largest": stats.paired(true[TANGLED], true[LARGEST]).difference,
        "anytime": stats.paired([e[TANGLED] for e in ever], [e[SPOS] for e in ever]).difference,
        "inherited": stats.paired(kept[TANGLED], kept[SPOS]).difference,
    }
    beside: dict[str, Measured] = {
        f"Spearman's rho of inherited with true accuracy, supernet of {n}": stats.mean(
            [r["rank"][n] for r in rows]
        )
        for n in (TANGLED, SPOS)
    }
    text = f"Test accuracy of TangleNAS's network minus that of {RANDOM} (points)"
    beside[text] = stats.paired(true[TANGLED], true[RANDOM]).difference
    for name in (TANGLED, SPOS):
        seconds = [r["curves"][name][0][-1] for r in rows]
        beside[f"Processor seconds of {name}"] = stats.mean(seconds)
    picture = nested.whiskers(
        {n: stats.mean(v) for n, v in true.items()},
        TANGLED,
        "Test accuracy of what is taken",
        "Each dot is the mean over seeds with its 95 % interval; accuracies are those of the table.",
        "Test accuracy (%)",
    )
    return Results(found, beside, picture)
