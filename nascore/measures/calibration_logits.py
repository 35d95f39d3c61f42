"""Questions 1, 2, 3, 4 and 6 of the calibration study, asked of the networks whose logits are kept.

Histograms answer them for a whole table with some measures and temperature only; logits answer them for
fewer networks, one training each, with all 102 measures, all numbers of bins and every post-hoc method, and
with the attacks and disturbances that were tried while the weights were there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.agreement import difference
from nascore.measures.agreement import kendall as tau
from nascore.measures.calibration import BINS, short, softmax
from nascore.measures.calibration_kept import AUROCS, STATES, KeptLogits, by_family, mended
from nascore.measures.calibration_matrix import matrix
from nascore.measures.calibration_questions import Answer
from nascore.measures.calibration_report import floors
from nascore.stats import mean

Floats = NDArray[np.float64]
Values = Mapping[str, Floats]
ANSWERED = ("data", "robustness", "measures", "scaling", "bins")
SIZES = (20, 40, 60)
AGREEING = ("ece_em_15", "ksce", "kdece", "mmce", "cwce_15", "cwce_em_15", "mce_15", "nll", "brier")
FAR = 0.7
WHEN = {"pre": "before", "post": "after"}
DISTURBED = ("noise", "blur", "contrast", "translation")
ATTACKS = {"fgsm": "FGSM", "pgd": "PGD"}
DRAWS = 5  # of labels, for the median floor of all networks


def across_data(one: KeptLogits, a: Values, two: KeptLogits, b: Values) -> Answer:
    """Question 1 with every kind of measure: tau of a measure on one data set and on another.

    Args:
        one: networks on one data set.
        a: what `calibration_kept.everything` says of them.
        two: networks on the other; those that both have are compared.
        b: as `a`.

    Figure: `names` and `taus`, (measures,) intervals, accuracy the last.

    Raises:
        BadInput: they share fewer than ten networks.
    """
    _, i, j = np.intersect1d(one.keys, two.keys, return_indices=True)
    if len(i) < 10:
        raise BadInput(f"{one.table} and {two.table} share {len(i)} networks with logits; ten are needed")
    names = {f"{s}_{n}": f"{short(n)}, {WHEN[s]}" for s in STATES for n in ("ece_15", *AGREEING)}
    names |= {n: _outside(n) for n in AUROCS}
    found = {}
    for name, called in names.items():
        use = np.isfinite(a[name][i]) & np.isfinite(b[name][j])
        found[called] = tau(a[name][i[use]], b[name][j[use]]).interval()
    right, ece = tau(a["accuracy"][i], b["accuracy"][j]), tau(a["pre_ece_15"][i], b["pre_ece_15"][j])
    found["accuracy"] = right.interval()
    numbers = found | {"accuracy minus ECE-15, before": difference(right, ece)}
    before = {n: v for n, v in found.items() if n.endswith("before")}
    top, low = (f(before, key=lambda n: before[n].value) for f in (max, min))
    after = found["ECE-15, after"]
    says = (
        f"Of the measures before scaling, {top.removesuffix(', before')} carries over most (tau "
        f"{before[top].value:.2f}) and {low.removesuffix(', before')} least ({before[low].value:.2f}); "
        f"ECE-15 has {ece.value:.2f} before and {after.value:.2f} after, accuracy {right.value:.2f}."
    )
    lacks = "Noise between seeds for all measures (one training is kept of each), and a third data set."
    figure = {"names": list(found), "taus": list(found.values()), "data": (one.data, two.data)}
    return Answer("data", says, len(i), numbers, figure, lacks)


def _outside(name: str) -> str:
    return f"AUROC of {name.removeprefix('auc_')}"


def agreement(kept: KeptLogits, values: Values) -> Answer:
    """Question 3 with all 102 measures.

    Args:
        kept: the networks.
        values: what `calibration_kept.everything` says of them.

    Figure: `square`, a `calibration_matrix.Matrix` in the order of `calibration_kept.by_family`.
    """
    found = matrix(values, by_family())
    numbers = {
        f"ECE-15 and {short(n)}, {when}": found.at(f"{s}_ece_15", f"{s}_{n}")
        for s, when in WHEN.items()
        for n in AGREEING
    }
    numbers |= {f"ECE-15 and {_outside(n)}, before": found.at("pre_ece_15", n) for n in AUROCS}
    before = {n: found.at("pre_ece_15", f"pre_{n}").value for n in AGREEING}
    near = [n for n, v in before.items() if v >= FAR]
    after = sum(found.at("post_ece_15", f"post_{n}").value >= FAR for n in AGREEING)
    em = before["cwce_em_15"]
    says = (
        f"Before scaling, {len(near)} of {len(AGREEING)} other measures agree with ECE-15 (tau of {FAR} or "
        f"more), after scaling {after}. The least agreement before is that of "
        f"{short(min(before, key=before.__getitem__))} (tau {min(before.values()):.2f}). Classwise ECE of "
        f"equal mass, which the study finds unreliable, has {em:.2f} here."
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


def robustness(kept: KeptLogits, values: Values) -> Answer:
    """Question 2 with out-of-distribution AUROC, attacks and disturbances, in growing populations.

    Figure: `sizes`, `lines` name -> intervals of tau with ECE-15 before scaling, the most accurate networks
    first. Accuracy under an attack or disturbance is the mean over its three severities; disturbances are
    the mean of four kinds.
    """
    n = len(kept.keys)
    order = np.argsort(-values["accuracy"], kind="stable")
    sizes = [*(s for s in SIZES if s < n), n]
    rivals = {_outside(name): values[name] for name in AUROCS} | _robust(kept)
    lines = {
        name: [tau(values["pre_ece_15"][order[:s]], v[order[:s]]).interval() for s in sizes]
        for name, v in rivals.items()
    }
    few = f"{sizes[0]} most accurate"
    numbers = {f"{t}, {few}": v[0] for t, v in lines.items()} | {f"{t}, all": v[-1] for t, v in lines.items()}
    numbers |= {f"{t}, all, ECE after": tau(values["post_ece_15"], v).interval() for t, v in rivals.items()}
    told = "; ".join(f"{t} {v[-1].value:.2f} and {v[0].value:.2f}" for t, v in lines.items())
    steady = [t for t, v in lines.items() if all(i.high < 0 for i in v)]
    says = (
        f"Tau of ECE-15 with each, over all and among the {few}: {told}. Useful would be clearly below 0 in "
        f"all populations, which holds for {' and '.join(steady) if steady else 'none'}."
    )
    lacks = "" if kept.robust else "Attacks (FGSM, PGD) on these networks."
    return Answer("robustness", says, n, numbers, {"sizes": sizes, "lines": lines}, lacks)


def _robust(kept: KeptLogits) -> dict[str, Floats]:
    """(networks,) mean accuracy under each attack, and under all disturbances."""
    if not kept.robust:
        return {}

    def over(kinds: Sequence[str]) -> Floats:
        return np.mean([kept.robust[f"{k}_{severity}"] for k in kinds for severity in (1, 2, 3)], 0)

    return {title: over([k]) for k, title in ATTACKS.items()} | {"disturbances": over(DISTURBED)}


def bin_numbers(kept: KeptLogits, values: Values) -> Answer:
    """Question 6 with all nine numbers of bins; figure as of `calibration_questions.bin_numbers`."""
    taus = {s: [tau(values[f"{s}_ece_15"], values[f"{s}_ece_{b}"]) for b in BINS] for s in STATES}
    medians = {s: [float(np.median(values[f"{s}_ece_{b}"])) for b in BINS] for s in STATES}
    test, names = kept.of("test"), [f"ece_{b}" for b in BINS]
    mended_by = {"pre": np.ones(len(test)), "post": values["temperature"]}
    under = []
    for state in STATES:
        drawn = [
            floors(softmax(z / t), names, draws=DRAWS) for z, t in zip(test, mended_by[state], strict=True)
        ]
        under.append([float(np.median([d[n] for d in drawn])) for n in names])
    at = {b: i for i, b in enumerate(BINS)}
    numbers = {
        f"ECE-15 and ECE-{b}, {WHEN[s]}": taus[s][at[b]].interval() for b in (500, 100, 5) for s in STATES
    }
    numbers["ECE-15 and ECE-500, before minus after"] = difference(taus["pre"][-1], taus["post"][-1])
    n, share = len(kept.labels["test"]), under[1][-1] / medians["post"][-1]
    says = (
        f"From 15 to 500 bins: tau {taus['pre'][-1].value:.2f} before, {taus['post'][-1].value:.2f} after "
        f"scaling. The median ECE grows from {medians['post'][0]:.3f} to {medians['post'][-1]:.3f} after "
        f"scaling, and a perfectly calibrated network would get {100 * share:.0f} % of the latter from {n:,} "
        "images."
    )
    figure = {
        "bins": list(BINS),
        "tau": [[t.interval() for t in line] for line in taus.values()],
        "median": list(medians.values()),
        "floor": under,
        "floor_bins": list(BINS),
    }
    return Answer("bins", says, len(kept.keys), numbers, figure, "")
