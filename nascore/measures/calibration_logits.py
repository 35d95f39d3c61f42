"""Questions 2, 3 and 4 of the calibration study, asked of the networks whose logits are kept.

Histograms answer them for a whole table with some measures and temperature only; logits answer them for
fewer networks, one training each, with all 102 measures and every post-hoc method.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nascore.measures.agreement import difference
from nascore.measures.agreement import kendall as tau
from nascore.measures.calibration import title
from nascore.measures.calibration_kept import AUROCS, KeptLogits, by_family, mended
from nascore.measures.calibration_matrix import matrix
from nascore.measures.calibration_questions import Answer
from nascore.measures.calibration_scaling import METHODS
from nascore.stats import Interval, mean

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
ANSWERED = ("robustness", "measures", "scaling")
SIZES = (25, 50, 75)
AGREEING = ("ece_em_15", "ksce", "kdece", "mmce", "cwce_15", "cwce_em_15", "mce_15", "nll", "brier")
FAR = 0.7
OUTSIDE_ONLY = "Attacks (FGSM, PGD) are not kept: Architecture measures them for one network at a time."


def agreement(kept: KeptLogits, values: Values) -> Answer:
    """Question 3 with all 102 measures.

    Args:
        kept: the networks.
        values: what `calibration_kept.everything` says of them.

    Figure: `square`, a `calibration_matrix.Matrix` in the order of `calibration_kept.by_family`.
    """
    found = matrix(values, by_family())
    numbers = {
        f"ece_15 and {n}, {when}": found.at(f"{s}_ece_15", f"{s}_{n}")
        for s, when in (("pre", "before"), ("post", "after"))
        for n in AGREEING
    }
    numbers |= {f"ece_15 and {n}, before": found.at("pre_ece_15", n) for n in AUROCS}
    before = {n: numbers[f"ece_15 and {n}, before"].value for n in AGREEING}
    near = [n for n, v in before.items() if v >= FAR]
    after = sum(numbers[f"ece_15 and {n}, after"].value >= FAR for n in AGREEING)
    em = numbers["ece_15 and cwce_em_15, before"]
    says = (
        f"Before scaling, {len(near)} of {len(AGREEING)} other measures agree with ECE-15 (tau of {FAR} or "
        f"more), after scaling {after}. The least agreement before is that of "
        f"{title(min(before, key=before.__getitem__))} (tau {min(before.values()):.2f}). Classwise ECE of "
        f"equal mass, which the study finds unreliable, has {em.value:.2f} here."
    )
    lacks = ""
    if found.lost:
        images = len(kept.labels["test"])
        lacks = (
            f"{len(found.lost)} of {len(found.names)} measures have no value: 500 bins of equal mass need "
            f"500 images, and there are {images:,}. Their rows stay empty."
        )
    return Answer("measures", says, found.n, numbers, {"square": found}, lacks)


def scaling(kept: KeptLogits, method: str) -> Answer:
    """Question 4 for any post-hoc method, fitted to each network's own validation images.

    Figure: `x` ECE-15 before, `y` after, `accuracy`, `keys`; and `change` of accuracy in shares.
    """
    return scaled(kept, method, mended(kept, method))


def scaled(kept: KeptLogits, method: str, v: Values) -> Answer:
    """The same from what `calibration_kept.mended` said."""
    before, after = v["ece_15"], v["post_ece_15"]
    same = tau(before, after)
    held, y = kept.of("validation"), kept.labels["validation"]
    splits = tau((held.argmax(-1) == y).mean(1), v["accuracy"])
    worse, change = (after > before).astype(float), v["post_accuracy"] - v["accuracy"]
    numbers = {
        "ECE before and after": same.interval(),
        "accuracy on validation and test": splits.interval(),
        "accuracy's minus ECE's": difference(splits, same),
        "mean ECE before": mean(before),
        "mean ECE after": mean(after),
        "share that got worse": mean(worse),
        "change of accuracy, points": mean(100 * change),
    }
    low = difference(splits, same).low > 0
    says = (
        f"{method.capitalize()} brings the median ECE from {np.median(before):.3f} to {np.median(after):.3f}"
        f", and {100 * worse.mean():.0f} % of the networks get worse. Accuracy changes by "
        f"{100 * change.mean():+.2f} points. Who is good before tells "
        f"{'little' if low else 'as much'} of who is good after: tau {same.value:.2f}, against "
        f"{splits.value:.2f} for accuracy on two splits."
    )
    figure = {"x": before, "y": after, "accuracy": v["accuracy"], "keys": kept.keys, "change": change}
    lacks = "More than one training of each network: these are kept for one seed."
    return Answer("scaling", says, len(kept.keys), numbers, figure, lacks)


def methods(kept: KeptLogits) -> dict[str, Answer]:
    """Question 4 for every method."""
    return {m: scaling(kept, m) for m in METHODS}


def robustness(kept: KeptLogits, values: Values) -> Answer:
    """Question 2 with out-of-distribution AUROC: tau of it and ECE-15 in growing populations.

    Figure: `sizes`, `lines` name -> intervals, the most accurate networks first.
    """
    n = len(kept.keys)
    order = np.argsort(-values["accuracy"], kind="stable")
    sizes = [*(s for s in SIZES if s < n), n]
    lines: dict[str, list[Interval]] = {}
    for name in AUROCS:
        for state, when in (("pre", "before"), ("post", "after")):
            ece = values[f"{state}_ece_15"]
            lines[f"{name.removeprefix('auc_')}, {when}"] = [
                tau(ece[order[:s]], values[name][order[:s]]).interval() for s in sizes
            ]
    numbers = {f"AUROC {t} scaling, {sizes[i]} of {n}": v[i] for t, v in lines.items() for i in (0, -1)}
    kinds = [(k, lines[f"{k.removeprefix('auc_')}, before"]) for k in AUROCS]
    told = "; ".join(
        f"{k.removeprefix('auc_')} {v[-1].value:.2f} over all and {v[0].value:.2f} among the {sizes[0]} most "
        "accurate"
        for k, v in kinds
    )
    steady = all(i.high < 0 for _, v in kinds for i in v)
    says = (
        f"Tau of ECE-15 and AUROC against images from outside: {told}. Useful would be clearly below 0 "
        f"everywhere: {'it is' if steady else 'it is not'}."
    )
    return Answer("robustness", says, n, numbers, {"sizes": sizes, "lines": lines}, OUTSIDE_ONLY)
