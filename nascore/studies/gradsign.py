"""GradSign (Zhang and Jia, 2022): does the agreement of single gradients' signs tell good cells from bad?

Random cells of the shipped table are scored by GradSign and by the gradient scores that it is compared with,
from several first weights; the truth is the table's test accuracy. The link between signs and optima is
tried on squares, where the chance is known. Assisted searches draw ten cells for each one that they
evaluate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.benchmarks.table import Table
from nascore.events import Tried
from nascore.kinds import knob
from nascore.measures.ranking import partial_spearman
from nascore.problem import search
from nascore.strategies.proxy_assisted import ProxyAssisted
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study
from nascore.tables import entry
from nascore.task import Batch, Shape, Task

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
RIVALS = ("grad_norm", "snip", "grasp")
PIECE = 20  # cells scored between two signs of life
SMALLER = "NAS-Bench-201 cells of 8 channels on 8x8 digits, trained 10 epochs, instead of seven benchmarks."


def _beats(rival: str) -> Claim:
    return Claim(
        rival,
        f"GradSign ranks networks better than {rival}: difference of Spearman's rho with test accuracy",
        "above 0",
        scale=SMALLER,
    )


@dataclass(frozen=True)
class Gradsign(Study):
    """GradSign against other gradient scores, its theory on squares, and a search that it assists."""

    key: ClassVar[str] = "gradsign"
    claims: ClassVar[tuple[Claim, ...]] = (
        *map(_beats, RIVALS),
        Claim(
            "signs",
            "At a random start in a range 2a wide, two squares' gradients agree in sign with chance "
            "1 - (distance of their optima) / 2a: simulated chance minus that",
            "0, within 0.03",
            (-0.03, 0.03),
            scale="Our implementation on networks of one weight, where the chance is exact.",
        ),
        Claim(
            "search",
            "GradSign-assisted random search finds better networks than plain random search",
            "above 0; up to 0.3, 1.1 and 1.0 points on three tasks",
            unit="points",
            scale="One host of the paper's four; both judge 20 of the scored cells, the assisted one the "
            "best of ten proposals each time.",
        ),
        Claim(
            "evolution",
            "GradSign-assisted evolution finds the best cell with fewer queries than evolution alone: how "
            "many fewer, the same seed and first population",
            "above 0",
            unit="queries",
            scale="By validation accuracy on 15,625 cells trained on digits; the paper compares accuracies "
            "after equal time.",
        ),
    )
    left: ClassVar[str] = (
        "The hosts REINFORCE and BOHB, other spaces and the bound on the loss are not tried."
    )

    cells: int = knob(100, 10, 5044, "random cells that are scored")
    seeds: int = knob(4, 1, 1000, "first weights of each cell")
    searches: int = knob(20, 2, 1000, "paired searches for the best cell")
    most: int = knob(1500, 60, 15_625, "queries after which a search has failed; it counts as so many")
    draws: int = knob(4000, 10, 1_000_000, "starts of the squares")
    resamples: int = knob(500, 10, 100_000, "of the bootstrap intervals")

    def measure(self, kept: Kept) -> Measuring:
        """Scores, then compares."""
        table = cells.digits()
        rows = cells.some(table, self.cells)
        proxies = {name: entry("proxy", name)() for name in ("gradsign", *RIVALS)}
        pieces = [rows[at : at + PIECE] for at in range(0, len(rows), PIECE)]
        found: dict[str, list[list[float]]] = {name: [] for name in proxies}
        total = self.seeds * len(pieces) + self.searches + 1
        for seed in range(self.seeds):
            column: dict[str, list[float]] = {name: [] for name in proxies}
            for i, piece in enumerate(pieces):
                yield Progress(seed * len(pieces) + i, total, f"scores from start {seed + 1} of {self.seeds}")
                one = kept.once(
                    f"scores {seed} {i}", lambda p=piece, s=seed: cells.scored(table, p, proxies, s)
                )
                for name, values in one.items():
                    column[name] += values
            for name, values in column.items():
                found[name].append(values)
        counts: list[list[int]] = []
        for seed in range(self.searches):
            done = self.seeds * len(pieces) + seed
            yield Progress(done, total, f"evolution, search {seed + 1} of {self.searches}")
            counts.append(kept.once(f"search {seed}", lambda s=seed: queries(table, s, self.most)))
        yield Progress(total - 1, total, "comparing")
        scores = {name: np.array(v).T for name, v in found.items()}
        truth, size = table.values("test_accuracy")[rows], table.values("params")[rows]
        return self.judge(scores, truth, size, np.array(counts))

    def judge(
        self, scores: Mapping[str, Floats], truth: Floats, size: Floats, counts: NDArray[np.int64]
    ) -> Results:
        """What scores (cells, starts) are worth against truth and size (cells,).

        `counts` (searches, 2) are queries to the best cell with GradSign's help and without.
        """
        own = scores["gradsign"]
        found: dict[str, Measured] = {
            rival: stats.bootstrap(_advantage, truth, own, scores[rival], resamples=self.resamples)
            for rival in RIVALS
        }
        found["signs"] = agreement(self.draws)
        found["search"] = stats.bootstrap(assisted, truth, own.mean(1), resamples=self.resamples)
        found["evolution"] = stats.mean(counts[:, 1] - counts[:, 0])
        alone = {n: stats.bootstrap(_rho, truth, s, resamples=self.resamples) for n, s in scores.items()}
        alone["params"] = stats.bootstrap(_rho, truth, size[:, None], resamples=self.resamples)
        beside: dict[str, Measured] = {
            "Queries of evolution with GradSign, mean": stats.mean(counts[:, 0]),
            "Queries of evolution alone, mean": stats.mean(counts[:, 1]),
            f"Searches without success in {self.most:,} queries, of {counts.size}": float(
                (counts >= self.most).sum()
            ),
            "Spearman of the number of parameters alone": alone["params"],
            "Spearman of GradSign given the number of parameters": stats.bootstrap(
                lambda t, s, z: float(np.mean([partial_spearman(c, t, z) for c in s.T])),
                truth,
                own,
                size,
                resamples=self.resamples,
            ),
        }
        return Results(found, beside, _picture(alone))


def _picture(alone: Mapping[str, stats.Interval]) -> dict[str, Any]:
    rows = sorted(alone.items(), key=lambda item: item[1].value)
    return {
        "kind": "whiskers",
        "title": "Rank correlation with test accuracy",
        "how": "Each dot is a score, its whisker the 95 % interval over cells; mean over first weights.",
        "x": "Spearman's rho",
        "names": [name for name, _ in rows],
        "values": [i.value for _, i in rows],
        "low": [i.low for _, i in rows],
        "high": [i.high for _, i in rows],
        "marked": "gradsign",
    }


def _rho(truth: Floats, scores: Floats) -> float:
    """Mean over starts."""
    return float(np.mean([stats.spearman(column, truth) for column in scores.T]))


def _advantage(truth: Floats, own: Floats, rival: Floats) -> float:
    return _rho(truth, own) - _rho(truth, rival)


@dataclass(frozen=True)
class Squares(Task):
    """(weight x - y) squared: one loss an output, so that each weight is a start of its own."""

    @property
    def data(self) -> str:
        """No data set."""
        return "squares"

    @property
    def shape(self) -> Shape:
        """One number in."""
        return Shape((("x", (1,)),), (("y", 1),))

    def losses(self, out: Any, batch: Batch) -> dict[str, Tensor]:
        """(n,) of outputs (n, starts) and one target each."""
        return {"square": (out - batch.y).square().sum(1)}


def agreement(draws: int, wide: float = 2.0, seed: int = 0) -> stats.Interval:
    """Simulated chance that two gradients agree in sign, minus 1 - distance / (2 wide), over random starts.

    Example i has the loss (x_i w - y_i)^2 with its optimum at y_i / x_i; starts are uniform on [-wide, wide].
    """
    import torch

    from nascore.proxies.gradsign import sign_sums

    rng = np.random.default_rng(seed)
    x, optima = rng.uniform(0.5, 2.0, 2), rng.uniform(-0.8 * wide, 0.8 * wide, 2)
    layer = torch.nn.Linear(1, draws, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.uniform(-wide, wide, (draws, 1))).float())
    column = torch.from_numpy(x[:, None]).float()
    batch = Batch(column, torch.from_numpy((x * optima)[:, None]).float(), torch.arange(2))
    problem = replace(cells.problem_of(cells.digits()), task=Squares())  # pyright: ignore[reportAbstractUsage] -- only its losses are asked for
    sums = next(iter(sign_sums(torch.nn.Sequential(layer), batch, problem).values()))
    agree = sums.abs().flatten().double().numpy() / 2
    return stats.mean(agree - (1 - abs(optima[0] - optima[1]) / (2 * wide)))


def queries(table: Table, seed: int, most: int) -> list[int]:
    """Queries until evolution has the cell of best validation accuracy: with GradSign's help, and alone.

    Both take the paper's host as it is there: 50 alive, tournaments of 10, one child at a time.
    """
    values = table.values("val_accuracy")
    good = set(np.flatnonzero(values >= np.nanmax(values)).tolist())
    archs = [tuple(int(i) for i in a) for a in table.archs]
    known = {a: (float(v),) for a, v in zip(archs, table.values("gradsign"), strict=True)}
    out: list[int] = []
    for proposals in (10, 1):
        host = ProxyAssisted(proposals=proposals, population=50, tournament=10, children=1)
        problem = cells.problem_of(table, seed, evaluator="tabular", budget={"evaluations": most})
        problem.memo.save("proxy_assisted/scores", known)
        told = (e for e in search(host, problem) if isinstance(e, Tried))
        hits = (i for i, e in enumerate(told, 1) if int(table.lookup([e.arch])[0]) in good)
        out.append(next(hits, most))
    return out


def assisted(truth: Floats, scores: Floats, budget: int = 20, pool: int = 10) -> float:
    """By how much the best of `budget` evaluations gains if each is the best scored of `pool` random draws.

    Both means are exact: the chance to pick the cell of rank r by score is (r^pool - (r-1)^pool) / n^pool.

    Args:
        truth: (n,) accuracies.
        scores: (n,) higher is better.
        budget: evaluations of each search.
        pool: proposals for one evaluation.
    """
    n = len(truth)
    place = np.argsort(np.argsort(scores, kind="stable"))
    edges = (np.arange(n + 1) / n) ** pool
    return best_of(truth, np.diff(edges)[place], budget) - best_of(truth, np.full(n, 1 / n), budget)


def best_of(truth: Floats, chance: Floats, budget: int) -> float:
    """Mean of the best of `budget` independent draws, each cell with its chance (n,)."""
    order = np.argsort(truth)
    below = np.concatenate([[0.0], np.cumsum(chance[order])])
    return float(truth[order] @ np.diff(below**budget))
