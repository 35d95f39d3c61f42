"""Robustifying and Boosting Training-Free Neural Architecture Search (RoBoT, He et al., 2024).

No training-free score is good on every task. So learn a weighted sum of several: Bayesian optimization draws
weights, the architecture that a sum likes best is judged, and that judgment is the sum's worth. Then walk
down the ranking of the best sum.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nascore.engines.acquire import ranked, ucb
from nascore.engines.draw import choose, fresh, progress
from nascore.engines.surrogate import candidates
from nascore.errors import BadInput, OutOfBudget
from nascore.events import Event, Note, Step, Tried
from nascore.kinds import Proxy, Strategy, knob
from nascore.predictors.gp import process
from nascore.problem import Problem
from nascore.proxies.fisher import Fisher
from nascore.proxies.grad_norm import GradNorm
from nascore.proxies.grasp import Grasp
from nascore.proxies.jacob_cov import JacobCov
from nascore.proxies.score import Scores
from nascore.proxies.snip import Snip
from nascore.proxies.synflow import Synflow
from nascore.space import Arch, size

Floats = NDArray[np.float64]
RELEASED = (GradNorm(), Snip(), Grasp(), Fisher(), Synflow(), JacobCov())
TOGETHER = 64  # architectures scored between two signs of life
JITTER = 1e-6  # the released process has no other noise


class Trial(NamedTuple):
    """Weights (metrics,) and what the architecture was worth that they like best, higher is better."""

    weights: Floats
    worth: float
    tried: Tried | None


@dataclass(frozen=True)
class Robot(Strategy):
    """Learns how to add up training-free scores by Bayesian optimization, then follows the best sum.

    Source: He et al. 2024, algorithm 1, and the released settings: every metric scaled to [0, 1] over the
    pool, weights in [-1, 1], UCB on a Gaussian process (Matern 5/2, no noise, 5 restarts), maximized over
    10,000 random weights and by climbing from 10; as many trials as the budget has evaluations, of which
    only new architectures cost any; of equally good weights the latest. The paper scores all of
    NAS-Bench-201; by default we score a random part of so large a space.
    """

    metrics: tuple[Proxy, ...] = knob(RELEASED, help="training-free scores that are added up")
    trials: int = knob(0, 0, 10_000, "draws of weights; 0 for as many as the budget has evaluations, else 20")
    pool: int = knob(1000, 2, 100_000, "random architectures where the space is larger than `listed`")
    listed: int = knob(2000, 0, 100_000, "spaces up to this size are scored whole")
    scale: str = knob("range", help="scores to [0, 1] by their range, or by rank", options=("range", "rank"))
    explore: str = knob(
        "bayes", help="draw weights by Bayesian optimization or at random", options=("bayes", "random")
    )
    exploit: bool = knob(True, help="follow the ranking of the best sum with what is left of the budget")
    kappa: float = knob(2.576, 0, 100, "deviations that UCB adds to the mean")
    restarts: int = knob(5, 0, 20, "further starts of the fit of the process")
    draws: int = knob(10_000, 10, 1_000_000, "random weights that UCB looks at")
    climbs: int = knob(10, 0, 100, "starts from which UCB is climbed")
    batch: int = knob(64, 2, 1024, "images that the scores see")

    def search(self, problem: Problem) -> Iterator[Event]:
        """Trials, then the ranking until the budget ends or the space is exhausted."""
        self.check(problem)
        archs = self._pool(problem)
        yield Note(f"{len(archs):,} architectures are scored by {len(self.metrics)} metrics")
        metrics = self.scaled((yield from self._scored(problem, archs)))
        seen: dict[Arch, Tried | None] = {}
        trials: list[Trial] = []
        try:
            yield from self._explore(problem, archs, metrics, seen, trials)
        except OutOfBudget:
            yield Note("budget spent while weights were learned")
        if top := best_trial(trials):
            told = ", ".join(f"{_name(p)} {w:.2f}" for p, w in zip(self.metrics, top.weights, strict=True))
            yield Note(f"{len(seen)} architectures judged in {len(trials)} trials; weights: {told}")
        if self.exploit or not top:
            yield from self._exploit(problem, archs, metrics, seen, top)
        yield from choose(problem, [t for t in seen.values() if t], "best of all that were judged")

    def scaled(self, raw: Floats) -> Floats:
        """(n, metrics) in [0, 1] over the pool; a constant or missing score adds nothing."""
        out = np.zeros_like(raw)
        for j, column in enumerate(raw.T):
            known = np.isfinite(column)
            if not known.any() or np.ptp(column[known]) == 0:
                continue
            values = column[known]
            if self.scale == "rank":
                values = np.unique(values, return_inverse=True)[1].astype(np.float64)
            out[known, j] = (values - values.min()) / np.ptp(values)
        return out

    def _pool(self, problem: Problem) -> list[Arch]:
        if size(problem.space) <= self.listed:
            return candidates(problem, self.listed, (), "robot")
        return fresh(problem, self.pool, (), "robot", "pool")

    def _scored(self, problem: Problem, archs: list[Arch]) -> Generator[Event, None, Floats]:
        """(n, metrics) scores; kept, since they take longer than anything but the judgments."""
        raw = problem.memo.load("robot/scores")
        if raw is None:
            scores, raw = Scores(problem, {str(i): p for i, p in enumerate(self.metrics)}, self.batch), []
            for i in range(0, len(archs), TOGETHER):
                raw += scores.of(archs[i : i + TOGETHER]).tolist()
                yield Step("robot/score", i // TOGETHER, {"scored": float(len(raw))})
            problem.memo.save("robot/scores", raw)
        return np.array(raw, dtype=np.float64).reshape(len(archs), len(self.metrics))

    def check(self, problem: Problem) -> None:
        """There must be something to add up."""
        if not self.metrics:
            raise BadInput("strategy.knobs.metrics: none is given; choose at least one score")

    def _explore(
        self,
        problem: Problem,
        archs: list[Arch],
        metrics: Floats,
        seen: dict[Arch, Tried | None],
        trials: list[Trial],
    ) -> Iterator[Event]:
        """Adds a trial after the other; only an architecture that is new costs an evaluation."""
        limit = problem.budget.evaluations
        for i in range(self.trials or limit or 20):
            if limit and len(seen) >= limit:
                return
            weights = self._draw(problem, trials, i)
            liked = archs[ranked(metrics @ weights, problem.rng("robot", "ties", i))[0]]
            if liked not in seen:
                yield from _judge(problem, [liked], seen)
            tried = seen[liked]
            worth = -problem.cost(tried)[0] if tried and not tried.failed else math.nan
            trials.append(Trial(weights, worth, tried))
            yield Step("robot/explore", i, {"distinct": float(len(seen)), **_progress(problem, seen)})

    def _draw(self, problem: Problem, trials: list[Trial], i: int) -> Floats:
        """Weights (metrics,) of trial i: at random, or where UCB on the trials so far is highest."""
        rng, d = problem.rng("robot", i), len(self.metrics)
        known = [t for t in trials if math.isfinite(t.worth)]
        if self.explore == "random" or not known:
            return rng.uniform(-1, 1, d)
        x, y = np.array([t.weights for t in known]), np.array([t.worth for t in known])
        model = process(x, y, int(rng.integers(2**31)), restarts=self.restarts, noise=JITTER)
        return highest(model, y.max(), d, rng, draws=self.draws, climbs=self.climbs, kappa=self.kappa)

    def _exploit(
        self,
        problem: Problem,
        archs: list[Arch],
        metrics: Floats,
        seen: dict[Arch, Tried | None],
        top: Trial | None,
    ) -> Iterator[Event]:
        """Down the ranking of the best sum; where a sampled pool is done, further random architectures."""
        rng = problem.rng("robot", "ranking")
        worth = np.zeros(len(archs)) if top is None else metrics @ top.weights
        waiting = [archs[j] for j in ranked(worth, rng) if archs[j] not in seen]
        rounds = 0
        while waiting:
            for at in range(0, len(waiting), 8):
                yield from _judge(problem, waiting[at : at + 8], seen)
                yield Step("robot/exploit", rounds, _progress(problem, seen))
                rounds += 1
            waiting = fresh(problem, 64, seen, "robot", "more", rounds)
        yield Note("every architecture that is allowed has been tried")


def _judge(
    problem: Problem, archs: list[Arch], seen: dict[Arch, Tried | None]
) -> Generator[Event, None, None]:
    for tried in (yield from problem.evaluate(archs)):
        seen[tried.arch] = tried
    for arch in archs:
        seen.setdefault(arch, None)


def _progress(problem: Problem, seen: dict[Arch, Tried | None]) -> dict[str, float]:
    return progress(problem, [t for t in seen.values() if t])


def best_trial(trials: list[Trial]) -> Trial | None:
    """The latest of those with the highest worth; None where all failed."""
    top = None
    for trial in trials:
        if math.isfinite(trial.worth) and (top is None or trial.worth >= top.worth):
            top = trial
    return top


def highest(
    model: Any, best: float, d: int, rng: np.random.Generator, *, draws: int, climbs: int, kappa: float
) -> Floats:
    """(d,) weights in [-1, 1] where mean + kappa deviations is highest: of random ones, then by climbing.

    As in the released package's maximization: `draws` random weights, then L-BFGS-B from `climbs` others.
    """
    from scipy.optimize import minimize

    def value(w: Floats) -> Floats:
        mean, std = model.predict(np.atleast_2d(w), return_std=True)
        return ucb(mean, std, best, rng, kappa)

    random = rng.uniform(-1, 1, (draws, d))
    found = random[int(value(random).argmax())]
    top = float(value(found)[0])
    for start in rng.uniform(-1, 1, (climbs, d)):
        end = minimize(lambda w: -float(value(w)[0]), start, method="L-BFGS-B", bounds=[(-1, 1)] * d)
        if -float(end.fun) > top:
            top, found = -float(end.fun), end.x
    return np.clip(found, -1, 1)


def _name(proxy: Proxy) -> str:
    return type(proxy).__name__
