"""A Gaussian process on the encoding (Rasmussen and Williams, 2006): exact, with an honest deviation.

Learning takes time with the cube of the pairs: seconds at some hundreds, minutes at some thousands.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nascore.errors import BadInput
from nascore.kinds import Fitted, Predictor, knob
from nascore.predictors.features import Encoder, Floats, encoding, pairs, with_costs

if TYPE_CHECKING:
    from nascore.problem import Problem
    from nascore.space import Arch

MOST = 5_000  # pairs; a matrix of their squares is held


@dataclass(frozen=True)
class Gp(Predictor):
    """A Gaussian process, Matern 5/2 with one length for all columns and noise; the deviation includes none.

    Length, height and noise maximize the marginal likelihood (Rasmussen and Williams 2006, section 5.4.1),
    from the first guess and from `restarts` random ones; scikit-learn does the work.
    """

    encoding: str = encoding()
    costs: bool = with_costs()
    kernel: str = knob("matern", help="how likeness fades with distance", options=("matern", "rbf"))
    restarts: int = knob(1, 0, 50, "further starts of the search for length and noise")

    def fit(self, problem: Problem, archs: Sequence[Arch], y: Sequence[float] | Floats) -> Fitted:
        """The process given n pairs.

        Raises:
            BadInput: fewer than two pairs or more than 5,000, or a number that is not finite.
        """
        rows, target = pairs(archs, y)
        if len(rows) > MOST:
            raise BadInput(f"pairs: {len(rows):,} are too many for a Gaussian process; {MOST:,} are the most")
        encoder = Encoder(problem, self.encoding, self.costs, rows)
        seed = problem.number("gp") % 2**32
        found = process(encoder.rows(rows), target, seed, kernel=self.kernel, restarts=self.restarts)
        return _Process(encoder, found)


def process(
    x: Floats, y: Floats, seed: int, *, kernel: str = "matern", restarts: int = 0, noise: float | None = None
) -> Any:
    """scikit-learn's regressor, fitted: `predict(x, return_std=True)`.

    Args:
        x: (n, d).
        y: (n,), normalized inside.
        seed: of the restarts.
        kernel: matern (5/2) or rbf.
        restarts: further starts.
        noise: variance of the noise in units of y's; None to learn it.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel

    start = max(1.0, np.sqrt(x.shape[1] / 2))
    lengths = (1e-2, 1e3)
    like = Matern(start, lengths, nu=2.5) if kernel == "matern" else RBF(start, lengths)
    whole = ConstantKernel(1.0, (1e-2, 1e3)) * like if noise is None else like
    if noise is None:
        whole = whole + WhiteKernel(0.1, (1e-5, 10.0))
    model = GaussianProcessRegressor(
        whole,
        alpha=1e-8 if noise is None else noise,
        normalize_y=True,
        n_restarts_optimizer=restarts,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a bound reached is an answer too
        return model.fit(x, y)


class _Process(Fitted):
    def __init__(self, encoder: Encoder, model: Any) -> None:
        self.encoder, self.model = encoder, model
        self.noise = float(model.kernel_.k2.noise_level) * float(model._y_train_std) ** 2

    def predict(self, archs: Sequence[Arch]) -> tuple[Floats, Floats]:
        """Mean and deviation of the process, the noise taken out, (n,) each."""
        if not len(archs):
            return np.zeros(0), np.zeros(0)
        mean, std = self.model.predict(self.encoder.rows(archs), return_std=True)
        return mean, np.sqrt(np.maximum(std**2 - self.noise, 0.0))
