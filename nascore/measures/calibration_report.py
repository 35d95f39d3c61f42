"""Everything that files of predictions say: measures, noise floors, what scaling changes, AUROC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nascore.errors import BadInput
from nascore.measures.calibration import NAMES, family, measure, measures
from nascore.measures.calibration_alone import TINY
from nascore.measures.calibration_checks import Predictions
from nascore.measures.calibration_scaling import Scaling, fit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
DRAWS = 30
TOGETHER = 4_000_000  # labels that are drawn at once


def drawn_labels(probabilities: Floats, draws: int, rng: np.random.Generator) -> Ints:
    """(draws, n) labels as a perfectly calibrated network of these probabilities (n, classes) would meet."""
    up = np.cumsum(probabilities, 1)
    up /= up[:, -1:]
    chance = rng.random((draws, len(probabilities)))
    return np.stack([(up <= c[:, None]).sum(1) for c in chance]).clip(0, probabilities.shape[1] - 1)


def floors(
    probabilities: ArrayLike, names: Sequence[str] = NAMES, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, float]:
    """What each measure is on average for a perfectly calibrated network with these probabilities.

    Labels are drawn from the probabilities themselves. A measure near its floor says nothing against the
    network: bins hold few examples, and chance alone gives as much. NaN draws are left out.

    Args:
        probabilities: (n, classes).
        names: measures.
        draws: sets of labels.
        seed: of the drawing.
    """
    p, rng = np.asarray(probabilities, np.float64), np.random.default_rng(seed)
    each = max(1, TOGETHER // len(p))
    parts: list[dict[str, Floats]] = []
    for i in range(0, draws, each):
        labels = drawn_labels(p, min(each, draws - i), rng)
        parts.append(measures(p[None], labels, names))
    every = {n: np.concatenate([part[n] for part in parts]) for n in names}
    return {n: float(np.nanmean(v)) if np.isfinite(v).any() else np.nan for n, v in every.items()}


def entropy(probabilities: ArrayLike) -> Floats:
    """(n,) entropy of the rows of (n, classes), nats."""
    p = np.asarray(probabilities, np.float64)
    return -(p * np.log(np.maximum(p, TINY))).sum(1)


def auroc(inside: ArrayLike, outside: ArrayLike) -> float:
    """How well a score tells out-of-distribution examples (high) from others: 0.5 is chance; ties count half.

    Args:
        inside: (n,) scores of examples of the distribution.
        outside: (m,) of the others.
    """
    from scipy.stats import rankdata

    low, high = np.asarray(inside, np.float64), np.asarray(outside, np.float64)
    ranks = rankdata(np.concatenate([low, high]))[len(low) :].sum()
    return float((ranks - len(high) * (len(high) + 1) / 2) / (len(low) * len(high)))


def fitted(test: Predictions, validation: Predictions, method: str) -> Scaling:
    """A post-hoc method fitted on validation predictions, which are not those of the test.

    Raises:
        BadInput: other classes, the same file twice, or no such method.
    """
    if validation.classes != test.classes:
        raise BadInput(
            f"{validation.name}: has {validation.classes} classes, {test.name} has {test.classes}; "
            "both must come from one network"
        )
    same = validation.n == test.n and np.array_equal(validation.labels, test.labels)
    if same and np.array_equal(validation.logits, test.logits):
        raise BadInput(
            f"{validation.name}: holds the test predictions themselves; fit on validation examples only"
        )
    return fit(method, validation.logits, validation.labels)


def aurocs(
    test: Predictions, validation: Predictions | None, outside: Predictions, method: str = "temperature"
) -> dict[str, float]:
    """How well entropy tells the outside from the test and the validation examples.

    Returns:
        `test`, and with validation predictions `validation`, and both with `post_` before them for the
        entropy after scaling by this method.
    """
    parts = {"test": test} | ({"validation": validation} if validation is not None else {})
    far = entropy(outside.probabilities)
    out = {name: auroc(entropy(p.probabilities), far) for name, p in parts.items()}
    if validation is not None:
        scaling = fitted(test, validation, method)
        far = entropy(scaling.apply(outside.logits))
        out |= {f"post_{n}": auroc(entropy(scaling.apply(p.logits)), far) for n, p in parts.items()}
    return out


def report(
    test: Predictions,
    validation: Predictions | None = None,
    outside: Predictions | None = None,
    *,
    method: str = "temperature",
    draws: int = DRAWS,
) -> dict[str, Any]:
    """One document of numbers.

    Args:
        test: what is judged.
        validation: what the scaling is fitted on; none without.
        outside: predictions of the same network for out-of-distribution examples.
        method: of scaling.
        draws: of labels for the floors; 0 for none.

    Returns:
        `n`, `classes`, `accuracy`, `mean_confidence`, `measures` (with `post_` before those after scaling),
        `floors`, `notes`, and as far as asked `method`, `temperature`, `post_accuracy`, `auroc`. A value that
        does not exist is None, and its name stands in `nonfinite`.
    """
    p, y = test.probabilities, test.labels
    out: dict[str, Any] = {
        "n": test.n,
        "classes": test.classes,
        "accuracy": float((p.argmax(1) == y).mean()),
        "mean_confidence": float(p.max(1).mean()),
    }
    found, under = measure(p, y), floors(p, draws=draws) if draws else {}
    notes = list(test.notes)
    if validation is not None:
        scaling = fitted(test, validation, method)
        post = scaling.apply(test.logits)
        out |= {"method": method, "post_accuracy": float((post.argmax(1) == y).mean())}
        out["temperature"] = scaling.temperature if method == "temperature" else None
        found |= {f"post_{n}": v for n, v in measure(post, y).items()}
        under |= {f"post_{n}": v for n, v in floors(post, draws=draws).items()} if draws else {}
        notes += [f"{validation.name}: {note}" for note in validation.notes]
        if scaling.at_edge:
            notes.append(f"The temperature {scaling.temperature:.4g} lies at the end of the search.")
    if outside is not None:
        if outside.classes != test.classes:
            raise BadInput(f"{outside.name}: has {outside.classes} classes, {test.name} has {test.classes}")
        out["auroc"] = found["auc_ood"] = auroc(entropy(p), entropy(outside.probabilities))
        out["aurocs"] = aurocs(test, validation, outside, method)
    missing = [n for n, v in found.items() if not np.isfinite(v)]
    if any(family(n)[0] == "kdece" for n in missing):
        notes.append(
            "The KDE error has no value: right predictions' confidences hardly differ, or none is right."
        )
    out["measures"] = {n: None if n in missing else v for n, v in found.items()}
    out["floors"] = {n: v if np.isfinite(v) else None for n, v in under.items()}
    return out | {"notes": notes, "nonfinite": missing}
