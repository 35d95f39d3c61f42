"""Calibration: 45 measures over bins and 5 others of probabilities and labels, for many networks at once.

A network is calibrated when it is right in a share p of the cases in which it says p. Names are those of the
study in lower case: `ece_15`, `ece_em_50`, `cwce_100`, `cwce_em_5`, `mce_20`, `ksce`, `kdece`, `mmce`, `nll`,
`brier`. Bins are (low, high], a probability of 0 goes to the first. Equal mass cuts ranks, never quantiles.

Source: A Benchmark Study on Calibration (Tao et al., ICLR 2024), and the papers that `FAMILIES` names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.kinds import knob
from nascore.measures.calibration_alone import brier, kdece, ksce, mmce, nll, of_label

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BINS = (5, 10, 15, 20, 25, 50, 100, 200, 500)
CHUNK = 2_000_000  # probabilities that are looked at together


@dataclass(frozen=True)
class Family:
    """A measure, or one for each number of bins.

    Attributes:
        title: what people call it.
        short: the same within a sentence, `{}` for its number of bins.
        says: its definition in one or two sentences.
        binned: whether a number of bins follows its name.
        source: who defined it.
    """

    title: str
    short: str
    says: str
    binned: bool
    source: str


FAMILIES: dict[str, Family] = {
    "ece": Family(
        "ECE",
        "ECE-{}",
        "Bins of equal width over the confidence of the predicted class: the gap between accuracy and mean "
        "confidence, averaged over bins by how many predictions they hold.",
        True,
        "Naeini et al. 2015; Guo et al. 2017, equation 3",
    ),
    "ece_em": Family(
        "ECE, equal mass",
        "ECE-{} of equal mass",
        "As ECE, with bins that hold equally many predictions.",
        True,
        "Nixon et al. 2019",
    ),
    "cwce": Family(
        "Classwise ECE",
        "classwise ECE-{}",
        "For each class, bins of equal width over its probability of all predictions: the gap between how "
        "often it was the label and its mean probability, averaged over bins and classes.",
        True,
        "Kull et al. 2019",
    ),
    "cwce_em": Family(
        "Classwise ECE, equal mass",
        "classwise ECE-{} of equal mass",
        "As classwise ECE, with bins that hold equally many predictions.",
        True,
        "Nixon et al. 2019",
    ),
    "mce": Family(
        "MCE",
        "MCE-{}",
        "The largest gap between accuracy and mean confidence of a bin that is not empty; equal width.",
        True,
        "Guo et al. 2017, equation 5",
    ),
    "ksce": Family(
        "KS error",
        "KS error",
        "The largest distance of the cumulated confidence from the cumulated accuracy, in the order of "
        "confidence. Needs no bins.",
        False,
        "Gupta et al. 2021",
    ),
    "kdece": Family(
        "KDE error",
        "KDE error",
        "The mean distance of accuracy from confidence, with accuracy as a smooth function of confidence "
        "from two kernel densities.",
        False,
        "Zhang et al. 2020",
    ),
    "mmce": Family(
        "MMCE",
        "MMCE",
        "The length of the mean of (confidence - right) in a kernel space: gaps at near confidences with "
        "one sign add up.",
        False,
        "Kumar et al. 2018",
    ),
    "nll": Family(
        "Log loss",
        "log loss",
        "The mean of minus the logarithm of the label's probability, in nats. A proper score: it counts "
        "accuracy as well.",
        False,
        "",
    ),
    "brier": Family(
        "Brier score",
        "Brier score",
        "The squared distance of the probabilities from the label's one-hot vector, summed over classes. A "
        "proper score: it counts accuracy as well.",
        False,
        "Brier 1950",
    ),
}
BINNED = tuple(f for f, about in FAMILIES.items() if about.binned)
ALONE = tuple(f for f, about in FAMILIES.items() if not about.binned)
NAMES: tuple[str, ...] = (*(f"{f}_{b}" for f in BINNED for b in BINS), *ALONE)


@dataclass(frozen=True)
class Calibration:
    """How far the probabilities of a network can be taken at their word."""

    bins: int = knob(15, 1, 500, "bins of the measures that have them")

    def measure(self, probabilities: ArrayLike, labels: ArrayLike) -> dict[str, float]:
        """The measures of one network with this number of bins; (n, classes) and (n,)."""
        names = [*(f"{f}_{self.bins}" for f in BINNED), *ALONE]
        return measure(probabilities, labels, names)


def softmax(logits: ArrayLike) -> Floats:
    """Probabilities of logits over the last axis, in double precision."""
    z = np.asarray(logits, np.float64)
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def family(name: str) -> tuple[str, int]:
    """`("ece_em", 50)` of `ece_em_50`; no bins are 0. A prefix `post_` is left out."""
    stem = name.removeprefix("post_")
    head, _, tail = stem.rpartition("_")
    return (head, int(tail)) if tail.isdigit() else (stem, 0)


def title(name: str) -> str:
    """What people call a measure: `ECE, 15 bins`."""
    stem, bins = family(name)
    named = FAMILIES[stem].title if stem in FAMILIES else stem
    return f"{named}, {bins} bins" if bins else named


def short(name: str) -> str:
    """The same within a sentence: `ECE-15 of equal mass`, `KS error of 100 bins`."""
    stem, bins = family(name)
    about = FAMILIES[stem]
    return about.short.format(bins) if about.binned or not bins else f"{about.short} of {bins} bins"


def measure(probabilities: ArrayLike, labels: ArrayLike, names: Sequence[str] = NAMES) -> dict[str, float]:
    """The measures of one network.

    Args:
        probabilities: (n, classes), rows that sum to 1.
        labels: (n,) class indices.
        names: which; by default all 50.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    return {name: float(v[0]) for name, v in measures(p[None], y[None], names).items()}


def measures(probabilities: ArrayLike, labels: ArrayLike, names: Sequence[str] = NAMES) -> dict[str, Floats]:
    """The measures of many networks on the same examples, or of one network with many sets of labels.

    Args:
        probabilities: (networks, n, classes), rows that sum to 1; or (1, n, classes) for all sets of labels.
        labels: (n,), or (sets, n), class indices.
        names: which; any number of bins may follow a family (`ece_37`).

    Returns:
        Name -> (networks or sets,). NaN where a measure does not exist: more bins of equal mass than
        examples, or a kernel density of confidences that do not differ.
    """
    p, y = np.asarray(probabilities, np.float64), np.atleast_2d(np.asarray(labels, np.int64))
    if len(p) == 1:
        return _measures(p, y, names)
    each = max(1, CHUNK // p[0].size)
    parts = []
    for i in range(0, len(p), each):
        parts.append(_measures(p[i : i + each], y if len(y) == 1 else y[i : i + each], names))
    return {name: np.concatenate([part[name] for part in parts]) for name in names}


def _measures(p: Floats, y: Ints, names: Sequence[str]) -> dict[str, Floats]:
    """Both with a first axis of networks or sets of labels; one of the two may be 1 long."""
    top, right = confidence(p), (p.argmax(-1) == y).astype(np.float64)
    ranks: dict[str, Ints] = {}
    out: dict[str, Floats] = {}
    for name in names:
        if name in out:
            continue
        stem, bins = family(name)
        if bins and stem in BINNED:
            out |= _binned(stem, bins, (p, y, top, right), ranks)
        elif stem in ALONE:
            out[name] = _alone(stem, p, y, top, right)
        else:
            raise KeyError(name)
    return {name: out[name] for name in names}


def _alone(stem: str, p: Floats, y: Ints, top: Floats, right: Floats) -> Floats:
    match stem:
        case "nll":
            return nll(p, y)
        case "brier":
            return brier(p, y)
        case "ksce":
            return ksce(top, right)
        case "mmce":
            return mmce(top, right)
    return kdece(top, right)


def _binned(
    stem: str, bins: int, given: tuple[Floats, Ints, Floats, Floats], ranks: dict[str, Ints]
) -> dict[str, Floats]:
    """One measure; ECE and MCE of the same bins come together."""
    p, y, top, right = given
    n = top.shape[1]
    if stem in ("ece", "mce"):
        count, gap = gaps(places(top, bins), top, right, bins)
        with np.errstate(invalid="ignore", divide="ignore"):
            mce = np.where(count > 0, np.abs(gap) / count, 0).max(1)
        return {f"ece_{bins}": np.abs(gap).sum(1) / n, f"mce_{bins}": mce}
    if stem.endswith("_em") and bins > n:
        return {f"{stem}_{bins}": np.full(max(len(p), len(y)), np.nan)}
    if stem == "ece_em":
        ranks.setdefault("top", ranked(top))
        gap = gaps(runs(ranks["top"], n, bins), top, right, bins)[1]
        return {f"ece_em_{bins}": np.abs(gap).sum(1) / n}
    if stem == "cwce_em":
        if "class" not in ranks:
            ranks["class"] = np.stack([ranked(p[..., k]) for k in range(p.shape[2])], -1)
        place = runs(ranks["class"], n, bins)
    else:
        place = places(p, bins)
    return {f"{stem}_{bins}": classwise(place, p, y, bins)}


def confidence(probabilities: Floats) -> Floats:
    """The probability of the predicted class."""
    return probabilities.max(-1)


def places(values: Floats, bins: int) -> Ints:
    """The bin of equal width that each value lies in, (low, high]; edges are k / bins, rounded once.

    The product `values * bins` may round over an edge (0.7 * 10 is above 7), so it is corrected against the
    edges themselves. That keeps bins nested where one number of bins divides the other.
    """
    place = np.ceil(values * bins).astype(np.int64) - 1
    place -= values <= place / bins
    place += values > (place + 1) / bins
    return np.clip(place, 0, bins - 1, out=place)


def ranked(values: Floats) -> Ints:
    """(m, n) rank of each value in its row, 0 the smallest; equals in the order in which they stand."""
    order = np.argsort(values, 1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(values.shape[1])[None], 1)
    return ranks


def runs(ranks: Ints, n: int, bins: int) -> Ints:
    """The run of each rank where n ranks are cut into `bins` runs, the first n modulo `bins` one longer."""
    size, more = divmod(n, bins)
    of = np.repeat(np.arange(bins), [size + (i < more) for i in range(bins)])
    return of[ranks]


def gaps(place: Ints, top: Floats, right: Floats, bins: int) -> tuple[Ints, Floats]:
    """(m, bins) how many predictions each bin holds, and the sum of their (confidence - right).

    `place` and `top` may be (1, n) for all rows of `right`, or the other way round.
    """
    count, said = _sums(place, None, bins), _sums(place, top, bins)
    return count.astype(np.int64), said - _sums(np.broadcast_to(place, right.shape), right, bins)


def _sums(place: Ints, weight: Floats | None, bins: int) -> Floats:
    """(m, bins) counts, or sums of weights, of each row's bins."""
    m = len(place)
    flat = (place + bins * np.arange(m)[:, None]).ravel()
    found = np.bincount(flat, None if weight is None else weight.ravel(), m * bins)
    return found.reshape(m, bins).astype(np.float64)


def classwise(place: Ints, p: Floats, y: Ints, bins: int) -> Floats:
    """(m,) mean over classes of the gaps of bins (m, n, classes), weighted by what they hold."""
    m, n, k = p.shape
    at = np.arange(k) * bins
    wide = (place + at).reshape(m, n * k)
    said = _sums(wide, p.reshape(m, n * k), k * bins)
    mine = of_label(place, y)
    labels = np.broadcast_to(y, mine.shape)
    true = _sums(mine + labels * bins, None, k * bins)
    return np.abs(said - true).sum(1) / (n * k)
