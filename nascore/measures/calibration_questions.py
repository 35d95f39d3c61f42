"""The seven questions of the calibration study, asked of our tables: data of a figure, n and intervals each.

Architectures are classes of equal networks, each once, and values are means over seeds where nothing else is
said. Agreement is Kendall's tau-b with 95 % over architectures; they are fixed, so the interval says how far
a sample of this size would scatter, and seeds stand beside it where noise could be the answer.

Source: A Benchmark Study on Calibration (Tao et al., ICLR 2024), whose findings `PAPER` tells in short.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.agreement import Measured as Tau
from nascore.measures.agreement import average, difference, measured
from nascore.measures.agreement import kendall as tau
from nascore.measures.calibration import short
from nascore.measures.calibration_table import AVAILABLE, DIVISORS, Histograms, Measured, floors, hcs
from nascore.stats import Interval, kendall, mean

if TYPE_CHECKING:
    from nascore.benchmarks.table import Table

Floats = NDArray[np.float64]
SIZES = (50, 100, 200, 500, 1000, 2000)
TOP, FEW = 100, 20
SWEEP = (5, 10, 15, 20, 25, 50, 100)
TRAININGS = 400  # whose noise floors are drawn
KERNEL = re.compile(r"conv\D*(\d)x\1")
QUESTIONS = {
    "data": "Does calibration carry over from one data set to another?",
    "robustness": "Can robustness stand for calibration?",
    "measures": "Do the measures agree?",
    "scaling": "Does scaling after training help all alike?",
    "accuracy": "Are accurate networks better calibrated?",
    "bins": "What does the number of bins change?",
    "designs": "Which designs are better calibrated?",
}
PAPER = {
    "data": "Little. Tau of ECE-15 is 0.36 between CIFAR-10 and CIFAR-100, 0.14 and 0.66 of these with "
    "ImageNet16; among the 100 most accurate 0.14, -0.23 and 0.12.",
    "robustness": "Only among accurate networks; AUROC is unreliable. The released curve, "
    "from 0.5 falling to 0, takes the least accurate networks first.",
    "measures": "All agree (tau with ECE-15 of 0.79 to 0.98) but classwise ECE with bins of equal mass, 0.26 "
    "on CIFAR-10 and -0.35 on ImageNet16, which is not reliable.",
    "scaling": "No: tau of ECE-15 before and after is 0.07 on CIFAR-10. Who is good before need not be good "
    "after.",
    "accuracy": "Among networks above 90 % on CIFAR-10 yes; over all there is no clear relation.",
    "bins": "Much after scaling, little before: tau of ECE-15 and ECE-500 is 0.70 before, 0.21 after on "
    "CIFAR-10, that of ECE-5 and ECE-15 0.99 and 0.58. Tell post-hoc results for several numbers of bins.",
    "designs": "It depends on size and data. From width 8 to 64 ECE-15 grows from 1.6 to 10.7 % on CIFAR-100 "
    "and from 1.8 to 7.7 % on ImageNet16; on CIFAR-10 it stays between 3.5 and 4.5 %.",
}
MISSING = {
    "data": "A third data set is not in the tables.",
    "robustness": "Attacks (FGSM, PGD) and out-of-distribution images are not in the histograms; noise is.",
    "measures": "Equal mass, classwise and kernel density errors need probabilities, which tables keep of "
    "some networks at most.",
    "scaling": "Vector scaling, histogram binning and isotonic regression need probabilities of validation "
    "images, which tables keep of some networks at most.",
    "bins": "Tables keep 100 bins, so only numbers that divide 100, and 15; 200 and 500 are not there.",
    "designs": "Width does not vary in this space.",
}


@dataclass(frozen=True)
class Answer:
    """What our tables say to one question.

    Attributes:
        key: of `QUESTIONS`.
        says: one or two sentences, made of the numbers.
        n: architectures.
        numbers: what -> value with its interval.
        figure: arrays to draw, by name; what they are stands with each function.
        lacks: what cannot be measured, where that is not what histograms cannot give.
    """

    key: str
    says: str
    n: int
    numbers: dict[str, Interval]
    figure: dict[str, Any]
    lacks: str | None = None

    @property
    def missing(self) -> str:
        """What cannot be measured from the tables; empty where nothing is missing."""
        return MISSING.get(self.key, "") if self.lacks is None else self.lacks


def complete(m: Measured, names: Sequence[str]) -> Measured:
    """The archs that have all these values for every seed.

    Raises:
        BadInput: the table has none of a name, or fewer than ten such archs.
    """
    if lost := [n for n in names if n not in m.values]:
        raise BadInput(f"{m.table}: keeps no {lost[0]} of its trainings")
    use = np.all([np.isfinite(m.values[n]).all(1) for n in names], axis=0)
    if use.sum() < 10:
        raise BadInput(f"{m.table}: fewer than ten architectures have {', '.join(names)}")
    return m.only(use)


def populations(n: int) -> list[int]:
    """Sizes of growing populations, up to all."""
    return [*(s for s in SIZES if s < n), n]


def by_accuracy(m: Measured) -> NDArray[np.int64]:
    """Places of the archs, the most accurate first."""
    return np.argsort(-m.mean("accuracy"), kind="stable")


def between_seeds(m: Measured, name: str) -> Tau:
    """Agreement of two trainings of the same archs, the mean over pairs of seeds."""
    v = m.values[name]
    return average([tau(v[:, i], v[:, j]) for i, j in itertools.combinations(range(v.shape[1]), 2)])


def across_data(one: Measured, two: Measured) -> Answer:
    """Question 1. One seed against one seed everywhere, so that the comparison is fair.

    Figure: `x`, `y` mean ECE-15 of each arch on the two data sets, `accuracy` on the first; `keys`.
    """
    names = ("ece_15", "post_ece_15", "accuracy")
    one, two = complete(one, names), complete(two, names)
    _, i, j = np.intersect1d(one.keys, two.keys, return_indices=True)
    if len(i) < 10:
        raise BadInput(f"{one.table} and {two.table} share {len(i)} architectures; ten are needed")
    a, b = one.only(i), two.only(j)
    seeds = range(min(len(a.seeds), len(b.seeds)))

    def over(name: str, rows: Any = slice(None)) -> Tau:
        return average([tau(a.values[name][rows, s], b.values[name][rows, s]) for s in seeds])

    best = np.argsort(-(a.mean("accuracy") + b.mean("accuracy")), kind="stable")[:TOP]
    ece, accuracy = over("ece_15"), over("accuracy")
    numbers = {
        f"ECE, {a.data} and {b.data}": ece.interval(),
        f"accuracy, {a.data} and {b.data}": accuracy.interval(),
        f"ECE after scaling, {a.data} and {b.data}": over("post_ece_15").interval(),
        f"ECE among the {len(best)} most accurate": over("ece_15", best).interval(),
    }
    noise = [between_seeds(m, "ece_15") for m in (a, b) if len(m.seeds) > 1]
    for m, t in zip((a, b), noise, strict=False):
        numbers[f"ECE, two seeds of {m.data}"] = t.interval()
    numbers["accuracy minus ECE"] = difference(accuracy, ece)
    seeds_agree = average(noise) if noise else None
    if seeds_agree is not None:
        numbers["ECE, two seeds minus two data sets"] = difference(seeds_agree, ece)
    says = _carried(ece, accuracy, seeds_agree)
    figure = {"x": a.mean("ece_15"), "y": b.mean("ece_15"), "accuracy": a.mean("accuracy"), "keys": a.keys}
    return Answer("data", says, len(i), numbers, figure | {"data": (a.data, b.data)})


def _carried(ece: Tau, accuracy: Tau, seeds: Tau | None) -> str:
    gap = difference(accuracy, ece)
    first = (
        "carries over less than accuracy"
        if gap.low > 0
        else ("carries over more than accuracy" if gap.high < 0 else "carries over as much as accuracy")
    )
    if seeds is None:
        return f"ECE {first} (tau {ece.value:.2f} against {accuracy.value:.2f})."
    rest = difference(seeds, ece)
    why = (
        f"Two seeds of one data set agree better (tau {seeds.value:.2f}), so data matter beyond noise."
        if rest.low > 0
        else f"Two seeds of one data set agree no better (tau {seeds.value:.2f}): noise explains the loss."
    )
    return f"ECE {first} (tau {ece.value:.2f} against {accuracy.value:.2f}). {why}"


def robustness(m: Measured) -> Answer:
    """Question 2: tau of ECE-15 and accuracy under noise, in growing populations.

    Figure: `sizes`, and `lines` name -> list of intervals; the best first, and for one noise the worst first.
    """
    noises = sorted(n for n in m.values if n.startswith("noise_"))
    m = complete(m, ["ece_15", "accuracy", *noises])
    if not noises:
        raise BadInput(f"{m.table}: keeps no accuracy under noise")
    order, ece, sizes = by_accuracy(m), m.mean("ece_15"), populations(len(m.keys))
    lines: dict[str, list[Interval]] = {}
    for name in noises:
        values, title = m.mean(name), f"noise {int(name.split('_')[1]) / 100:g}"
        lines[title] = [tau(ece[order[:s]], values[order[:s]]).interval() for s in sizes]
    middle = m.mean(noises[len(noises) // 2])
    title = list(lines)[len(noises) // 2]
    lines[f"{title}, worst first"] = [tau(ece[order[-s:]], middle[order[-s:]]).interval() for s in sizes]
    at = sizes.index(TOP) if TOP in sizes else 0
    numbers = {f"{t}, {sizes[at]} most accurate": v[at] for t, v in lines.items() if "worst" not in t}
    numbers |= {f"{t}, all": v[-1] for t, v in lines.items() if "worst" not in t}
    numbers[f"{title}, all minus {sizes[at]} most accurate"] = _against_best(ece, middle, order[: sizes[at]])
    best, every = lines[title][at], lines[title][-1]
    says = (
        f"Accuracy under {title} and ECE have a tau of {every.value:.2f} over all networks and of "
        f"{best.value:.2f} among the {sizes[at]} most accurate. Useful would be clearly below 0 in both: "
        + ("it is." if max(best.high, every.high) < 0 else "it is not.")
    )
    return Answer("robustness", says, len(m.keys), numbers, {"sizes": sizes, "lines": lines})


def _against_best(a: Floats, b: Floats, best: NDArray[np.int64]) -> Interval:
    """Tau over all minus tau among some; above 0 where those some have the lower one.

    To those some, the others are without influence.
    """
    few = tau(a[best], b[best])
    spread = np.zeros(len(a))
    spread[best] = few.influence
    return difference(tau(a, b), measured(few.value, spread))


def agreement(m: Measured) -> Answer:
    """Question 3. Figure: `names`, `matrix` (names, names) of tau; both before scaling."""
    names = [n for n in AVAILABLE if n in m.values]
    m = complete(m, names)
    values = [m.mean(n) for n in names]
    matrix = np.eye(len(names))
    for i, j in itertools.combinations(range(len(names)), 2):
        matrix[i, j] = matrix[j, i] = kendall(values[i], values[j])
    first = m.mean("ece_15")
    told = [n for n in ("ece_100", "mce_20", "ksce_100", "mmce_100", "nll", "brier") if n in names]
    numbers = {f"ECE-15 and {short(n)}": tau(first, m.mean(n)).interval() for n in told}
    low = min(numbers, key=lambda n: numbers[n].value)
    far = [n for n, v in numbers.items() if v.value < 0.7]
    says = (
        f"The least agreement with ECE-15 is that of {low.removeprefix('ECE-15 and ')} (tau "
        f"{numbers[low].value:.2f}). "
        + (f"{len(far)} of {len(numbers)} compared here are below 0.7." if far else "All are above 0.7.")
    )
    return Answer("measures", says, len(m.keys), numbers, {"names": names, "matrix": matrix})


def scaling(m: Measured) -> Answer:
    """Question 4. Figure: `x` ECE-15 before, `y` after, `accuracy`, `keys`."""
    m = complete(m, ["ece_15", "post_ece_15", "accuracy", "val_accuracy"])
    before, after = m.mean("ece_15"), m.mean("post_ece_15")
    same = tau(before, after)
    splits = tau(m.mean("val_accuracy"), m.mean("accuracy"))
    worse = (after > before).astype(float)
    numbers = {
        "ECE before and after": same.interval(),
        "accuracy on validation and test": splits.interval(),
        "accuracy's minus ECE's": difference(splits, same),
        "share that got worse": mean(worse),
    }
    says = (
        f"The median ECE falls from {np.median(before):.3f} to {np.median(after):.3f}; "
        f"{100 * worse.mean():.0f} % of the networks get worse. Who is good before tells little of who is "
        f"good after: tau {same.value:.2f}, against {splits.value:.2f} for accuracy on two splits."
        if difference(splits, same).low > 0
        else f"Order before and after agree (tau {same.value:.2f}) as well as accuracy on two splits does."
    )
    figure = {"x": before, "y": after, "accuracy": m.mean("accuracy"), "keys": m.keys}
    return Answer("scaling", says, len(m.keys), numbers, figure)


def accuracy(m: Measured) -> Answer:
    """Question 5: tau of accuracy and ECE-15; below 0, accurate networks are better calibrated.

    Figure: `sizes`, `lines` name -> intervals; `x` accuracy, `y` ECE-15 before, `keys`.
    """
    m = complete(m, ["ece_15", "post_ece_15", "accuracy"])
    order, right, sizes = by_accuracy(m), m.mean("accuracy"), populations(len(m.keys))
    lines = {
        title: [tau(right[order[:s]], m.mean(name)[order[:s]]).interval() for s in sizes]
        for title, name in (("before scaling", "ece_15"), ("after scaling", "post_ece_15"))
    }
    half = tau(right[order[: len(order) // 2]], m.mean("ece_15")[order[: len(order) // 2]]).interval()
    at = sizes.index(TOP) if TOP in sizes else 0
    every, best = lines["before scaling"][-1], lines["before scaling"][at]
    numbers = {"all": every, "upper half": half, f"{sizes[at]} most accurate": best}
    numbers["all, after scaling"] = lines["after scaling"][-1]
    says = f"Over all, accurate networks are {_side(every)}; in the upper half {_side(half)}; " + (
        f"among the {sizes[at]} most accurate {_side(best)}."
    )
    figure = {"sizes": sizes, "lines": lines, "x": right, "y": m.mean("ece_15"), "keys": m.keys}
    return Answer("accuracy", says, len(m.keys), numbers, figure)


def _side(t: Interval) -> str:
    if t.high < 0:
        return f"better calibrated (tau {t.value:.2f})"
    return f"worse calibrated (tau {t.value:.2f})" if t.low > 0 else f"no different (tau {t.value:.2f})"


def bin_numbers(m: Measured, kept: Histograms) -> Answer:
    """Question 6: tau of ECE-15 and ECE of other numbers of bins, medians and floors.

    Figure: `bins`, `tau` and `median` (before, after), `floor` (before, after) of `floor_bins`.
    """
    names = [f"{p}ece_{b}" for p in ("", "post_") for b in SWEEP]
    m = complete(m, names)
    taus = [[tau(m.mean(f"{p}ece_15"), m.mean(f"{p}ece_{b}")) for b in SWEEP] for p in ("", "post_")]
    every = [[t.interval() for t in line] for line in taus]
    medians = [[float(np.median(m.values[f"{p}ece_{b}"])) for b in SWEEP] for p in ("", "post_")]
    some = np.arange(0, len(kept.keys), max(1, len(kept.keys) // TRAININGS))
    under = []
    for scaled in (False, True):
        count, _, said = kept.of(scaled, some)
        drawn = floors(count, said, draws=10)
        under.append([float(np.median(drawn[f"ece_{b}"])) for b in DIVISORS])
    numbers = {
        "ECE-15 and ECE-100, before": every[0][-1],
        "ECE-15 and ECE-100, after": every[1][-1],
        "ECE-15 and ECE-5, before": every[0][0],
        "ECE-15 and ECE-5, after": every[1][0],
        "ECE-15 and ECE-100, before minus after": difference(taus[0][-1], taus[1][-1]),
    }
    share = under[1][-1] / medians[1][-1]
    says = (
        f"From 15 to 100 bins: tau {every[0][-1].value:.2f} before, {every[1][-1].value:.2f} after scaling. "
        f"After scaling the median ECE-100 is {medians[1][-1]:.3f}, and a perfectly calibrated network "
        f"would get {100 * share:.0f} % of that from {m.n:,} images."
    )
    figure = {
        "bins": list(SWEEP),
        "tau": every,
        "median": medians,
        "floor": under,
        "floor_bins": list(DIVISORS),
    }
    return Answer("bins", says, len(m.keys), numbers, figure)


def designs(m: Measured, table: Table) -> Answer:
    """Question 7: ECE-15 by kernel size in all (9 a 3x3, 1 a 1x1) or by total width, and by option.

    Figure: `x`, `ece` (groups of equal x, means with intervals) and `title`; `choices`, `options` and
    `effect` (choices, options): mean ECE of the archs with this option minus that of all, NaN where there is
    none; `top` (choices, options): how many of the 20 best by HCS have it.
    """
    m = complete(m, ["ece_15", "accuracy"])
    archs, ece = table.archs[m.rows], m.mean("ece_15")
    size, title = sizes_of(table, archs)
    values = np.unique(size)
    groups = values if len(values) <= 30 else np.unique(np.quantile(size, np.linspace(0, 1, 13)))
    of = np.clip(np.searchsorted(groups, size, "right") - 1, 0, len(groups) - 1)
    means = [mean(ece[of == g]) for g in range(len(groups))]
    best = np.argsort(-hcs(m.mean("accuracy"), ece), kind="stable")[:FEW]
    options = list(dict.fromkeys(str(o) for c in table.choices for o in c.options))
    effect = np.full((len(table.choices), len(options)), np.nan)
    top = np.zeros(effect.shape, np.int64)
    for i, choice in enumerate(table.choices):
        for j, option in enumerate(choice.options):
            has = archs[:, i] == j
            at = options.index(str(option))
            effect[i, at] = ece[has].mean() - ece.mean() if has.any() else np.nan
            top[i, at] = int(has[best].sum())
    params = table.values("params")[m.rows] if "params" in table.columns else size
    found = {"size": tau(size, ece), "params": tau(params, ece), "accuracy": tau(params, m.mean("accuracy"))}
    numbers = {
        f"{title} and ECE": found["size"].interval(),
        "parameters and ECE": found["params"].interval(),
        "parameters and accuracy": found["accuracy"].interval(),
    }
    grown = numbers[f"{title} and ECE"]
    word = "worse" if grown.low > 0 else "better" if grown.high < 0 else "neither better nor worse"
    says = f"Larger networks ({title}) are {word} calibrated: tau {grown.value:.2f}."
    figure = {"x": groups, "ece": means, "title": title, "choices": [c.name for c in table.choices]}
    return Answer(
        "designs", says, len(m.keys), numbers, figure | {"options": options, "effect": effect, "top": top}
    )


def sizes_of(table: Table, archs: NDArray[np.int64]) -> tuple[Floats, str]:
    """(n,) how large archs are by their choices, and what that is: total width, or kernel parameters."""
    total, numeric = np.zeros(len(archs)), True
    for i, choice in enumerate(table.choices):
        numbers = [
            o if isinstance(o, int | float) and not isinstance(o, bool) else None for o in choice.options
        ]
        numeric &= None not in numbers
        kernels = [int(hit[1]) ** 2 if (hit := KERNEL.search(str(o))) else 0 for o in choice.options]
        worth = np.array(
            [float(v) if v is not None else k for v, k in zip(numbers, kernels, strict=True)] + [0.0]
        )
        total += worth[archs[:, i]]
    return total, "total width" if numeric else "kernel parameters"


ONE_TABLE: dict[str, Callable[[Measured], Answer]] = {
    "robustness": robustness,
    "measures": agreement,
    "scaling": scaling,
    "accuracy": accuracy,
}
