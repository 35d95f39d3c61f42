"""Post-hoc calibration: probabilities mended after training, by what a validation set shows.

A method is fitted on validation predictions only and then applied to any others. Temperature keeps the
predicted class of every example, the others may change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput
from nascore.measures.calibration import measures, places, softmax

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Method = Literal["temperature", "vector", "histogram", "isotonic"]
METHODS: dict[str, str] = {
    "temperature": "Logits divided by one number, the one of least log loss. Guo et al. 2017, section 4.2.",
    "vector": "Logits times one number a class, plus one a class, of least log loss. Guo et al. 2017.",
    "histogram": "Each class's probability replaced by how often the class was right in its bin (15 bins of "
    "equal width), rows scaled to 1. Zadrozny and Elkan 2001, one class against the rest.",
    "isotonic": "Each class's probability replaced by a rising step function, rows scaled to 1. Zadrozny and "
    "Elkan 2002, one class against the rest.",
}
SPAN = 4.0  # log T is sought in [-4, 4]
BINS = 15
GRID = np.arange(1, 101) / 10


@dataclass(frozen=True)
class Scaling:
    """A fitted method.

    Attributes:
        method: one of `METHODS`.
        temperature: of the method temperature; NaN else.
        at_edge: the temperature lies at the end of where it was sought.
        state: what the method keeps.
    """

    method: Method
    temperature: float
    at_edge: bool
    state: Any

    def apply(self, logits: Floats) -> Floats:
        """(n, classes) logits -> mended probabilities."""
        match self.method:
            case "temperature":
                return softmax(logits / self.temperature)
            case "vector":
                return softmax(logits * self.state[0] + self.state[1])
            case "histogram":
                place = places(softmax(logits), BINS)
                return _scaled(np.take_along_axis(self.state, place, 0))
        p = softmax(logits)
        return _scaled(np.stack([f.predict(p[:, k]) for k, f in enumerate(self.state)], 1))


def fit(method: str, logits: Floats, labels: Ints) -> Scaling:
    """Fits a method on validation predictions.

    Args:
        method: one of `METHODS`.
        logits: (n, classes); logarithms of probabilities serve as well.
        labels: (n,).

    Raises:
        BadInput: there is no such method.
    """
    if method == "temperature":
        found = float(temperatures(logits[None], labels)[0])
        return Scaling("temperature", found, bool(abs(np.log(found)) > SPAN - 1e-3), None)
    if method == "vector":
        return Scaling("vector", np.nan, False, _vector(logits, labels))
    if method == "histogram":
        return Scaling("histogram", np.nan, False, _histogram(softmax(logits), labels))
    if method == "isotonic":
        return Scaling("isotonic", np.nan, False, _isotonic(softmax(logits), labels))
    raise BadInput(f"method: {method[:40]!r} is none of {', '.join(METHODS)}")


def temperatures(logits: Floats, labels: Ints) -> Floats:
    """(m,) temperatures of least log loss, of logits (m, n, classes) and labels (n,).

    The loss is convex in 1 / T: bisection of the sign of its derivative there, for all networks at once.
    A network that never errs wants T = 0 and gets the smallest, exp(-4).
    """
    z = logits - logits.max(-1, keepdims=True)
    true = np.take_along_axis(z, np.broadcast_to(labels, z.shape[:2])[..., None], 2)[..., 0].mean(1)
    low, high = np.full(len(z), -SPAN), np.full(len(z), SPAN)  # of log(1 / T)
    for _ in range(48):
        middle = (low + high) / 2
        p = softmax(z * np.exp(middle)[:, None, None])
        rising = (p * z).sum(-1).mean(1) > true  # the derivative of the loss by 1 / T
        high, low = np.where(rising, middle, high), np.where(rising, low, middle)
    return np.exp(-(low + high) / 2)


def temperature_by_grid(logits: Floats, labels: Ints) -> float:
    """The first T of 0.1, 0.2, ... 10 with the least ECE of 15 bins: the study's other way.

    Args:
        logits: (n, classes).
        labels: (n,).
    """
    found = [measures(softmax(logits / t)[None], labels, ["ece_15"])["ece_15"][0] for t in GRID]
    return float(GRID[int(np.argmin(found))])


def _vector(logits: Floats, labels: Ints) -> tuple[Floats, Floats]:
    """Scale and shift of each class by Newton steps in a trust region from (1, 0); the loss is convex."""
    from scipy.optimize import minimize

    n, k = logits.shape
    hot, at = np.eye(k)[labels], np.arange(k)

    def loss(w: Floats) -> tuple[float, Floats]:
        p = softmax(logits * w[:k] + w[k:])
        off = (p - hot) / n
        value = -np.log(np.maximum(p[np.arange(n), labels], 1e-300)).mean()
        return float(value), np.concatenate([(off * logits).sum(0), off.sum(0)])

    def hessian(w: Floats) -> Floats:
        p = softmax(logits * w[:k] + w[k:])
        inputs = np.concatenate([logits * p, p], 1)
        out = -inputs.T @ inputs
        out[at, at] += (p * logits**2).sum(0)
        out[at, at + k] += (p * logits).sum(0)
        out[at + k, at] += (p * logits).sum(0)
        out[at + k, at + k] += p.sum(0)
        return out / n

    begin = np.r_[np.ones(k), np.zeros(k)]
    most = {"gtol": 1e-6, "maxiter": 100}  # where classes can be told apart, the scale would grow forever
    found = minimize(loss, begin, jac=True, hess=hessian, method="trust-exact", options=most)
    w = np.asarray(found.x)
    return w[:k], w[k:]


def _histogram(p: Floats, labels: Ints) -> Floats:
    """(bins, classes) how often each class was right; an empty bin keeps its middle."""
    k = p.shape[1]
    place = places(p, BINS)
    out = np.empty((BINS, k))
    for c in range(k):
        count = np.bincount(place[:, c], minlength=BINS)
        hit = np.bincount(place[:, c], labels == c, BINS)
        out[:, c] = np.where(count > 0, hit / np.maximum(count, 1), (np.arange(BINS) + 0.5) / BINS)
    return out


def _isotonic(p: Floats, labels: Ints) -> list[Any]:
    from sklearn.isotonic import IsotonicRegression

    return [
        IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(p[:, k], labels == k)
        for k in range(p.shape[1])
    ]


def _scaled(p: Floats) -> Floats:
    """Rows that sum to 1; one of zeros only becomes uniform."""
    total = p.sum(1, keepdims=True)
    return np.where(total > 0, p / np.where(total > 0, total, 1), 1 / p.shape[1])
