"""Neural ranking models (survey of Guo et al., 2020): which form finds a document, which loss orders cells?

Forms of the space `ranker` learn to rank BM25's candidates again, on real documentation. Then the survey's
losses teach one small network to order cells of the shipped table, where a search is the query and the cells
are the documents.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from nascore import stats
from nascore.kinds import knob
from nascore.studies import cells
from nascore.studies.claim import Claim, Measured
from nascore.studies.study import Kept, Measuring, Progress, Results, Study

if TYPE_CHECKING:
    from torch import nn

    from nascore.problem import Problem
    from nascore.space import Arch

Floats = NDArray[np.float64]
REPRESENTATION = {"representation.encoder": "mean", "representation.towers": "shared"}
FORMS: dict[str, dict[str, Any]] = {
    "representation": {"form": "representation", **REPRESENTATION},
    "histogram": {"form": "interaction", "interaction.match": "histogram"},
    "kernels": {"form": "interaction", "interaction.match": "kernels"},
    "hybrid": {"form": "hybrid", **REPRESENTATION, "interaction.match": "histogram"},
}
BM25, WITH = "BM25", " with BM25"
LOSSES = ("mse", "ranknet", "listmle")
RETRIEVAL = (
    "600 training queries, 600 test queries over 1,087 pieces of documentation, ten candidates each; word "
    "vectors of 32 numbers learned from these queries alone."
)
CELLS = "A network of two layers on 100 cells of NAS-Bench-201 on digits, asked about 1,000 others."


@dataclass(frozen=True)
class NeuralRanking(Study):
    """Representation, interaction and both against BM25; how fast they answer; losses that order cells."""

    key: ClassVar[str] = "neural_ranking"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim(
            "interaction",
            "Interaction-focused models find documents better than representation-focused ones: mean "
            "reciprocal rank of histogram and kernels, difference",
            "above 0",
            scale=RETRIEVAL,
        ),
        Claim(
            "hybrid",
            "A hybrid is at least as good as the better of its halves: mean reciprocal rank, difference",
            "above -0.02",
            (-0.02, np.inf),
            scale=RETRIEVAL,
        ),
        Claim(
            "bm25",
            "Neural models with BM25's score find documents better than BM25 alone: mean reciprocal rank of "
            "the best form, chosen on validation queries, difference",
            "above 0",
            scale=RETRIEVAL,
        ),
        Claim(
            "speed",
            "Representation-focused models answer faster, since documents are turned into vectors before: "
            "seconds a query of kernels by those of representation",
            "above 1",
            (1.0, np.inf),
            unit="times",
            scale="CPU seconds of ten candidates, documents' vectors not counted.",
        ),
        Claim(
            "pairwise",
            "Learning pairs (RankNet) orders networks better than squared error: Kendall's tau, difference",
            "above 0",
            scale=CELLS,
        ),
        Claim(
            "listwise",
            "Learning lists (ListMLE) orders networks better than squared error: Kendall's tau, difference",
            "above 0",
            scale=CELLS,
        ),
    )
    left: ClassVar[str] = (
        "Not tried: word vectors of a large corpus, letter trigrams, graded relevance, weak supervision, and "
        "one ranker for several tasks of architectures."
    )

    seeds: int = knob(12, 2, 1000, "first weights of each form; splits of the cells")
    queries: int = knob(600, 20, 2000, "training queries")
    epochs: int = knob(6, 1, 600, "of every form")
    pairs: int = knob(100, 10, 3000, "cells that losses learn from")

    def measure(self, kept: Kept) -> Measuring:
        """Every form with and without BM25, then every loss."""
        from nascore.tasks.ranking import judged, lists

        found = lists()["test"]
        order = -np.arange(found.candidates.shape[1], dtype=float)[None].repeat(len(found.place), 0)
        base = judged(order, found.place)
        total, done = self.seeds * (2 * len(FORMS) + 1) + 1, 0
        told: dict[str, list[dict[str, float]]] = {}
        for name in (*FORMS, *(n + WITH for n in FORMS)):
            for seed in range(self.seeds):
                yield Progress(done, total, f"{name}, seed {seed + 1} of {self.seeds}")
                done += 1
                told.setdefault(name, []).append(
                    kept.once(f"{name} {seed}", lambda n=name, s=seed: self.trained(n, s))
                )
        ordered: list[dict[str, float]] = []
        for seed in range(self.seeds):
            yield Progress(done, total, f"losses on cells, split {seed + 1} of {self.seeds}")
            done += 1
            ordered.append(kept.once(f"losses {seed}", lambda s=seed: self.ordered(s)))
        yield Progress(total - 1, total, "comparing")
        return self.judge(_columns(told), base, {n: np.array([o[n] for o in ordered]) for n in ordered[0]})

    def problem(self, seed: int) -> Problem:
        """Documentation to be found again."""
        from nascore.runs.spec import from_document

        knobs = {"method": "adam", "lr": 0.01, "batch": 32, "epochs": self.epochs}
        document = {"v": 1, "space": "ranker", "recipe": {"name": "tunable", "knobs": knobs}, "seed": seed}
        task = {"name": "ranking", "knobs": {"train_queries": self.queries}}
        return from_document({**document, "task": task, "budget": {"evaluations": 1}}).problem()

    def trained(self, name: str, seed: int, shuffled: bool = False) -> dict[str, float]:
        """Test and validation figures of a form, and CPU seconds of a query.

        Args:
            name: one of `FORMS`, perhaps with BM25.
            seed: of first weights and batches.
            shuffled: let any candidate be the one that is meant, for a test of this study. (Exchanging places
                between queries would still teach that BM25 is mostly right.)
        """
        from nascore.chunk import fresh
        from nascore.recipe import Trainer

        problem = self.problem(seed)
        net = fresh(problem, self.arch(problem, name))
        trainer, rng = Trainer(problem, net, self.epochs), np.random.default_rng(seed)
        for epoch in range(self.epochs):
            net.train()
            for batch in trainer.batches("study", epoch):
                y: Any = batch.y
                any_place = y.new_tensor(rng.integers(0, 10, len(y))) if shuffled else y
                trainer.round([net], replace(batch, y=any_place))
            trainer.epoch_done("study")
        test, validation = (problem.task.metrics(net.eval(), s) for s in ("test", "validation"))
        seconds = answering(problem, net, name.startswith("representation"))
        return {**test, "validation_mrr": validation["mrr"], "seconds": seconds}

    def arch(self, problem: Problem, name: str) -> Arch:
        """Of a form, with the smallest other options and 11 bins."""
        from nascore.space import from_choices

        taken = FORMS[name.removesuffix(WITH)]
        more: dict[str, Any] = {"width": 32, "bm25": "with" if name.endswith(WITH) else "without"}
        if "representation.encoder" in taken:
            more["representation.vector"] = 32
        if "interaction.match" in taken:
            more |= {"interaction.bins": 11, "interaction.words": "by_rarity"}
        return from_choices(problem.space, {**taken, **more})

    def ordered(self, seed: int) -> dict[str, float]:
        """Kendall's tau and NDCG at 10 on cells not learned from, by `loss` and `loss ndcg`."""
        from nascore.measures.ranking import ndcg
        from nascore.predictors.mlp_ensemble import MlpEnsemble

        table = cells.digits()
        rows = np.random.default_rng(seed).permutation(cells.own_rows(table))[: self.pairs + 1000]
        archs = [tuple(int(i) for i in table.archs[row]) for row in rows]
        truth, n, out = table.values("val_accuracy")[rows], self.pairs, {}
        for name in LOSSES:
            model = MlpEnsemble(loss=name, members=1)
            scores = model.fit(cells.problem_of(table, seed), archs[:n], truth[:n]).predict(archs[n:])[0]
            out[name] = stats.kendall(scores, truth[n:])
            out[f"{name} ndcg"] = ndcg(truth[n:], scores, 10)
        return out

    def judge(
        self,
        told: Mapping[str, Mapping[str, Floats]],
        base: Mapping[str, float],
        losses: Mapping[str, Floats],
    ) -> Results:
        """What the numbers say.

        Args:
            told: form -> figure -> (seeds,).
            base: BM25's figures on the test queries.
            losses: loss -> (splits,) Kendall's tau, and `loss ndcg`.
        """
        mrr = {n: v["mrr"] for n, v in told.items()}
        single = (mrr["histogram"] + mrr["kernels"]) / 2
        best = max((n + WITH for n in FORMS), key=lambda n: told[n]["validation_mrr"].mean())
        found: dict[str, Measured] = {
            "interaction": stats.mean(single - mrr["representation"]),
            "hybrid": stats.mean(mrr["hybrid"] - np.maximum(mrr["representation"], mrr["histogram"])),
            "bm25": stats.mean(mrr[best] - base["mrr"]),
            "speed": stats.mean(told["kernels"]["seconds"] / told["representation"]["seconds"]),
            "pairwise": stats.mean(losses["ranknet"] - losses["mse"]),
            "listwise": stats.mean(losses["listmle"] - losses["mse"]),
        }
        beside: dict[str, Measured] = {f"Mean reciprocal rank of {BM25}": base["mrr"]}
        beside[f"NDCG at 10 of {BM25}"] = base["ndcg_10"]
        for name, figures in told.items():
            beside[f"Mean reciprocal rank of {name}"] = stats.mean(figures["mrr"])
            beside[f"NDCG at 10 of {name}"] = stats.mean(figures["ndcg_10"])
            beside[f"Queries a second of {name}"] = stats.mean(1 / figures["seconds"])
        for name, values in losses.items():
            loss, _, measure = name.partition(" ")
            what = "NDCG at 10" if measure else "Kendall's tau"
            beside[f"{what} on cells, learned with {loss}"] = stats.mean(values)
        return Results(found, beside, _picture({n: stats.mean(v) for n, v in mrr.items()}, base["mrr"]))


def answering(problem: Problem, net: nn.Module, apart: bool) -> float:
    """CPU seconds of a query with its candidates; `apart`: documents are vectors already."""
    import torch

    every: Any = problem.task.whole("validation").x
    x = {n: v[:100] for n, v in every.items()}
    with torch.no_grad():
        if apart:
            whole: Any = net
            way = whole.ways[0]
            n, k = x["documents"].shape[:2]
            ids = x["documents"].flatten(0, 1)
            vectors = way.document(whole.embed(ids), ids > 0).unflatten(0, (n, k))

            def go() -> Any:
                query = way.query(whole.embed(x["query"]), x["query"] > 0)
                return way.scale * (vectors @ query.unsqueeze(-1)).squeeze(-1)
        else:

            def go() -> Any:
                return net(x)

        go()
        start, times = time.process_time(), 0
        while times < 3 or time.process_time() - start < 0.05:
            go()
            times += 1
    return (time.process_time() - start) / times / len(x["query"])


def _columns(told: Mapping[str, list[dict[str, float]]]) -> dict[str, dict[str, Floats]]:
    return {n: {m: np.array([one[m] for one in rows]) for m in rows[0]} for n, rows in told.items()}


def _picture(means: Mapping[str, stats.Interval], base: float) -> dict[str, Any]:
    exact = stats.Interval(base, base, base, 1)
    rows = sorted({**means, BM25: exact}.items(), key=lambda item: item[1].value)
    return {
        "kind": "whiskers",
        "title": "Who finds the document",
        "how": "Each dot is the mean reciprocal rank of the document that is meant, over first weights, with "
        "its 95 % interval; 1 is always first. BM25 learns nothing.",
        "x": "Mean reciprocal rank",
        "names": [n for n, _ in rows],
        "values": [m.value for _, m in rows],
        "low": [m.low for _, m in rows],
        "high": [m.high for _, m in rows],
        "marked": BM25,
    }
