"""Does searching pay? The best error after 200 real trainings: evolution and NSGA-II against random search.

Prints one JSON document: mean over seeds with 95 % intervals, and the differences to random search seed by
seed. Every strategy has the same space, task, recipe and number of evaluations. A strategy's seed moves only
its own draws: all networks are trained under one training seed, so that what one search has trained answers
the others too. Answers are kept in a file outside the project; an interrupted benchmark goes on where it
stood.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore import stats
from nascore.codec import dumps
from nascore.errors import BadInput
from nascore.evaluators.trained import Trained
from nascore.events import Event, Tried, from_record, to_record
from nascore.kinds import EvaluationProtocol, Evaluator, Strategy
from nascore.problem import Budget, Memo, Objective, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.local_search import LocalSearch
from nascore.strategies.nsga2 import Nsga2
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from nascore.tasks.images import Digits

CACHE = Path(tempfile.gettempdir()) / "nascope_bench_search.jsonl"
ERROR = (Objective("error"),)
METHODS: dict[str, tuple[Strategy, tuple[Objective, ...]]] = {
    "random_search": (RandomSearch(), ERROR),
    "regularized_evolution": (RegularizedEvolution(), ERROR),
    "nsga2": (Nsga2(), (*ERROR, Objective("params"))),
    "local_search": (LocalSearch(), ERROR),
}


@dataclass(frozen=True)
class Shared(Evaluator):
    """Asks one training problem for all searches, and keeps what it says in a file."""

    training: Problem
    file: Path

    @property
    def key(self) -> str:
        """That of the judge inside."""
        return self.training.evaluator.key

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """That of the training problem."""
        return self.training.evaluator.protocol(self.training)

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """Those of the training problem."""
        return self.training.evaluator.metrics(self.training)

    def at(self, epochs: int) -> Evaluator:
        """Not needed here."""
        raise BadInput("bench_search compares whole trainings only")

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Tried]:
        """Answers in the order of `archs`; new ones are written down first."""
        generator: Iterator[Event] = self.training.evaluate(archs)
        with self.file.open("a", encoding="utf-8") as out:
            for event in generator:
                if isinstance(event, Tried):
                    out.write(json.dumps(to_record(event)) + "\n")
                    out.flush()
        for arch in archs:
            if (known := self.training.known(arch)) is not None:
                yield known


def training_problem(file: Path) -> Problem:
    """The problem under whose seed everything is trained, with the answers of the file."""
    problem = Problem(
        space=Nasbench201(cells=1, channels=8, stages=1, stem_stride=2),
        task=Digits(),
        recipe=SgdCosine(epochs=10),
        evaluator=Trained(),
        budget=Budget(evaluations=0),
        memo=Memo(),
    )
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        try:
            event = from_record(json.loads(line))
        except (ValueError, BadInput):
            continue  # torn by an interruption: it is trained again
        if isinstance(event, Tried):
            problem.memo.record(problem.space, event)
    return problem


def one(name: str, seed: int, evaluations: int, judge: Shared) -> dict[str, float]:
    """Error and test error of the best that one search found."""
    strategy, objectives = METHODS[name]
    problem = replace(
        judge.training,
        evaluator=judge,
        objectives=objectives,
        budget=Budget(evaluations=evaluations),
        seed=seed,
        memo=Memo(),
    )
    for _ in search(strategy, problem):
        pass
    tried = [t for t in problem.tried() if not t.failed]
    top = min(tried, key=lambda t: (t.metrics["error"], t.metrics["loss"]))
    return {
        "error": top.metrics["error"],
        "test_error": top.metrics["test_error"],
        "evaluations": len(problem.tried()),
    }


def main() -> None:
    """Runs what the arguments say and prints the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=200)
    parser.add_argument("--methods", default="random_search,regularized_evolution,nsga2")
    parser.add_argument("--cache", type=Path, default=CACHE)
    args = parser.parse_args()
    torch.set_num_threads(1)
    names, start = args.methods.split(","), time.monotonic()
    judge = Shared(training_problem(args.cache), args.cache)
    found: dict[str, list[dict[str, float]]] = {n: [] for n in names}
    for seed in range(args.seeds):
        for name in names:
            found[name].append(one(name, seed, args.evaluations, judge))
            print(
                f"{time.monotonic() - start:6.0f} s  seed {seed}  {name}: {found[name][-1]}",
                file=sys.stderr,
                flush=True,
            )
    print(dumps(summary(found, args, len(judge.training.memo.answers)), indent=2))


def summary(
    found: dict[str, list[dict[str, float]]], args: argparse.Namespace, trained: int
) -> dict[str, object]:
    """Means with intervals, and differences to the first method, seed by seed."""
    (base, *others) = found
    column = {m: {n: [r[m] for r in rows] for n, rows in found.items()} for m in ("error", "test_error")}
    return {
        "problem": "NAS-Bench-201 cells on digits (cells=1 stages=1 channels=8 stem_stride=2), 10 epochs",
        "evaluations": args.evaluations,
        "seeds": args.seeds,
        "architectures_known": trained,
        **{m: {n: {**asdict(stats.mean(v)), "values": v} for n, v in column[m].items()} for m in column},
        f"error_minus_{base}": {
            n: asdict(stats.paired(column["error"][n], column["error"][base])) for n in others
        },
        "at_most_random": {n: sum(column["error"][n]) <= sum(column["error"][base]) for n in others},
    }


if __name__ == "__main__":
    main()
