"""ProxylessNAS (Cai et al., 2019): search at the memory of one path, with the device's latency in the loss.

Searches run on the cells of the shipped table, which knows their true accuracy and their latency; those with
a zero operation, which the paper has only beside a shortcut, are left out. Two devices are made of the table:
this machine's CPU, whose latency is a table of one number an operation fitted to the measured ones, and one
where only multiply-adds count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nascore import stats
from nascore.kinds import knob
from nascore.space import restrict
from nascore.strategies.proxyless import Proxyless as Strategy
from nascore.studies import cells, nested, supernets
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

if TYPE_CHECKING:
    from nascore.expected import Expected
    from nascore.problem import Problem

Told = dict[str, Any]
DEVICES = ("latency_ms", "flops")
SMALLER = (
    "NAS-Bench-201 cells of 8 channels without none, on 8x8 digits, 15 epochs of warm-up and 10 of search; "
    "the paper searches MobileNets on ImageNet."
)
CLOSE = 0.05  # how near a random cell's latency must be to be compared


@dataclass(frozen=True)
class Tabled(Strategy):
    """The strategy on a device whose costs a table knows."""

    def model(self, problem: Problem) -> Expected:
        """One number an operation, fitted to the table's column."""
        return device(self.cost)


@dataclass(frozen=True)
class Proxyless(Study):
    """Memory and gradients of two paths, what latency in the loss does, and networks for two devices."""

    key: ClassVar[str] = "proxyless"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "memory",
            "A step of the weights keeps no more than one network, however many options there are: bytes for "
            "the backward pass of the drawn path, as a share of those of the path alone",
            "1",
            holds=(0.0, 1.05),
            scale=SMALLER,
        ),
        Claim(
            "pair",
            "A step of the alphas keeps at most twice as much: bytes with two paths, as a share of one path",
            "about 2",
            holds=(0.0, 2.2),
            scale=f"{SMALLER} The mean over 16 draws; both paths keep what the backward pass needs.",
        ),
        Claim(
            "gradient",
            "Two drawn paths give the direction of all: cosine of mean gradients of the alphas",
            "above 0.5",
            holds=(0.5, 1.01),
            scale="Means over 1,000 draws on one batch of 64 images, of a supernet after its warm-up.",
        ),
        Claim(
            "steering",
            "A heavier latency gives faster cells: Spearman's rho of its weight with the latency of what is "
            "found, times -1",
            "above 0",
            scale=f"{SMALLER} Weights 0, .1 and .3.",
        ),
        Claim(
            "accuracy",
            "At the same latency the cell that is found is better than a random one: difference of true test "
            "accuracy, the mean over weights",
            "above 0",
            unit="points",
            scale=SMALLER,
        ),
        Claim(
            "devices",
            "Each of two devices is served best by its own cell: how much more the other's costs there, the "
            "mean over both",
            "above 0",
            unit="%",
            scale=f"{SMALLER} Measured latency against multiply-adds, weight .1.",
        ),
    )
    left: ClassVar[str] = (
        "ImageNet, MobileNets, GPUs and phones, and recomputing the path that is off, are not tried."
    )

    seeds: int = knob(12, 2, 1000, "supernets of each setting")
    epochs: int = knob(10, 1, 1000, "of each search")
    warmup: int = knob(15, 0, 1000, "epochs of weights alone before it")
    images: int = knob(1000, 32, 1000, "training images")
    draws: int = knob(1000, 2, 10_000, "gradients that are averaged")
    weights: tuple[float, ...] = knob((0.0, 0.1, 0.3), 0.0, 1000.0, "of the latency in the loss")
    lr: float = knob(0.1, 1e-5, 1.0, "learning rate of the weights at the start")
    alpha_lr: float = knob(0.02, 1e-5, 1.0, "learning rate of the alphas")

    def measure(self, kept: Kept) -> Measuring:
        """Memory, gradients, searches."""
        total = 1 + 2 * self.seeds
        yield Progress(0, total, "memory")
        exact = kept.once("memory", memory)
        rows: list[Told] = []
        for seed in range(self.seeds):
            yield Progress(1 + 2 * seed, total, f"gradients, seed {seed + 1} of {self.seeds}")
            row = kept.once(f"gradient {seed}", lambda s=seed: {"cosine": cosine(self, s)})
            yield Progress(2 + 2 * seed, total, f"searches, seed {seed + 1} of {self.seeds}")
            rows.append({**row, **kept.once(f"search {seed}", lambda s=seed: searched(self, s))})
        return judge(exact, rows, self.weights)


def problem(seed: int, images: int) -> Problem:
    """A search of cells without zero operations."""
    own = supernets.problem(seed, images)
    some = {c.name: [o for o in c.options if o != supernets.NONE] for c in own.space.choices()}
    return own.within(restrict(own.space, some))


def whole() -> Any:
    """(n,) whether a cell of the table has no zero operation."""
    table = cells.digits()
    none = table.choices[0].options.index(supernets.NONE)
    return (table.archs != none).all(1)


def device(column: str) -> Expected:
    """A device: additive costs of the shipped table's column."""
    from nascore.expected import additive

    table = cells.digits()
    rows = cells.some(table, 400)
    archs = [tuple(int(i) for i in table.archs[r]) for r in rows]
    space = cells.problem_of(table).space
    return additive(space, archs, table.values(column)[rows].tolist())


def costs(column: str, archs: Sequence[Sequence[int]]) -> Any:
    """(n,) a column of the table."""
    return cells.digits().value(column, archs)


def memory() -> Told:
    """Bytes that steps keep, as shares of one path's; means over 16 draws."""
    import torch

    from nascore.binary import Binary

    own = problem(0, 64)
    torch.manual_seed(0)
    net: Any = own.supernet("separate").train()
    gating = Binary(own.space, pairs=True)
    full = Binary(own.space, pairs=False)
    x: Any = next(iter(own.batches("train", "memory"))).x
    one, path, pair, every = [], [], [], []
    for _ in range(16):
        arch = tuple(g.options[0] for g in gating().values())
        child = net.extract(arch).train()
        one.append(nested.saved_bytes(lambda c=child: c(x), child))
        hard = fixed(own, arch)
        path.append(nested.saved_bytes(lambda g=hard: net(x, g), net))
        for binary, out in ((gating, pair), (full, every)):
            gates = binary.probe()
            out.append(nested.saved_bytes(lambda g=gates: net(x, g), net))
    base = float(np.mean(one))
    return {"memory": np.mean(path) / base, "pair": np.mean(pair) / base, "every": np.mean(every) / base}


def fixed(own: Problem, arch: Any) -> Any:
    """Gates of one arch."""
    from nascore.gates import one_hot

    return one_hot(own.space, arch)


def cosine(study: Proxyless, seed: int) -> float:
    """Of the mean gradient by two paths with that by all, on one batch of a supernet after its warm-up."""
    import torch

    from nascore.binary import Binary
    from nascore.engines.oneshot import oneshot, weights_recipe
    from nascore.recipe import Trainer

    own = problem(seed, study.images)
    own.reseed("gradient")
    net: Any = own.supernet("separate")
    gatings = {pairs: Binary(own.space, pairs=pairs) for pairs in (True, False)}
    gatings[False].load_state_dict(gatings[True].state_dict())
    trainer = Trainer(own, net, max(study.warmup, 1), weights_recipe(own, study.lr))
    nested.end(oneshot(own, trainer, gatings[True], max(study.warmup, 1)))
    batch = next(iter(own.batches("validation", "gradient")))
    net.train().requires_grad_(requires_grad=False)
    means = []
    for gating in gatings.values():
        params, total = list(gating.parameters()), 0
        for _ in range(study.draws):
            out = net(batch.x, gating.probe())
            loss = sum(t.mean() for t in own.task.losses(out, batch).values())
            grads = torch.autograd.grad(loss, params, allow_unused=True)  # type: ignore[arg-type] -- a tensor
            total = total + torch.cat(
                [torch.zeros_like(p) if g is None else g for p, g in zip(params, grads, strict=True)]
            )
        means.append(total)
    return float(torch.cosine_similarity(means[0], means[1], 0))


def searched(study: Proxyless, seed: int) -> Told:
    """What is found with each weight of the latency, and for the other device with the middle one."""
    out: Told = {"cells": [], "other": []}
    for weight in study.weights:
        out["cells"].append(found(study, seed, DEVICES[0], weight))
    out["other"] = found(study, seed, DEVICES[1], study.weights[len(study.weights) // 2])
    return out


def found(study: Proxyless, seed: int, cost: Any, weight: float) -> list[int]:
    """The cell of the largest alphas."""
    how = Tabled(
        epochs=study.epochs, warmup=study.warmup, lr=study.lr, every=1, alpha_lr=study.alpha_lr, cost=cost,
        weight=weight,
    )  # fmt: skip
    return list(supernets.searched(how, problem(seed, study.images))["chosen"])


def beyond(archs: Sequence[Sequence[int]]) -> Any:
    """(n,) true accuracy minus the mean of all cells of the space that are about as fast, in points."""
    table, ours = cells.digits(), whole()
    every, accuracy = table.values("latency_ms"), table.values("test_accuracy")
    out = []
    for arch in archs:
        own = float(costs("latency_ms", [arch])[0])
        near = ours & (np.abs(every / own - 1) < CLOSE)
        out.append(float(supernets.truth([arch])[0]) - float(np.nanmean(accuracy[near])))
    return np.array(out)


def judge(exact: Told, rows: list[Told], weights: Sequence[float]) -> Results:
    """Of memory and of what was found from each seed."""
    latency = np.array([costs("latency_ms", r["cells"]) for r in rows])
    ahead = np.array([beyond(r["cells"]) for r in rows])
    rho = [0.0 if np.ptp(ms) == 0 else -stats.spearman(np.array(weights), ms) for ms in latency]
    middle = len(weights) // 2
    own = {d: np.array([float(costs(d, [r["cells"][middle]])[0]) for r in rows]) for d in DEVICES}
    other = {d: np.array([float(costs(d, [r["other"]])[0]) for r in rows]) for d in DEVICES}
    more = 50 * (other[DEVICES[0]] / own[DEVICES[0]] + own[DEVICES[1]] / other[DEVICES[1]]) - 100
    measured: dict[str, Measured] = {
        "memory": float(exact["memory"]),
        "pair": float(exact["pair"]),
        "gradient": stats.mean([r["cosine"] for r in rows]),
        "steering": stats.mean(rho),
        "accuracy": stats.mean(ahead.mean(1)),
        "devices": stats.mean(more),
    }
    beside: dict[str, Measured] = {"Bytes with all paths, as a share of one path": float(exact["every"])}
    for k, weight in enumerate(weights):
        ms = stats.mean(latency[:, k])
        beside[f"Latency of what is found with weight {weight:g} (ms)"] = ms
        beside[f"Its true accuracy minus that of cells as fast (points), weight {weight:g}"] = stats.mean(
            ahead[:, k]
        )
    picture = nested.whiskers(
        {f"weight {w:g}": stats.mean(latency[:, k]) for k, w in enumerate(weights)},
        f"weight {weights[-1]:g}",
        "Latency of the cells that are found",
        "Each dot is the mean over seeds with its 95 % interval.",
        "Latency (ms)",
    )
    return Results(measured, beside, picture)
