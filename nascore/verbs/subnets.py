"""`python -m nascore subnets RUN`: judges sub-networks of the supernet that a search has kept.

python -m nascore.verbs.subnets FOLDER     the process behind the page
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

from nascore.errors import BadInput, Diverged
from nascore.problem import Memo, Problem, reason
from nascore.runs import jobs, launch, longer, subnets
from nascore.runs.jobs import Document, Work
from nascore.runs.state import Follow
from nascore.runs.subnets import NORMS, WAYS, Asked
from nascore.space import Arch, describe, key

SLOWER = 10  # fine-tuning starts at the recipe's rate divided by this


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Puts `subnets` among the verbs."""
    one = verb("subnets", "judge sub-networks of the shared network that a search has kept", do_subnets)
    one.add_argument("run", metavar="RUN")
    one.add_argument(
        "--arch", action="append", default=[], metavar="ARCH",
        help="a key, an official string, or JSON of its choices; default what the search chose",
    )  # fmt: skip
    one.add_argument("--sample", type=int, default=0, metavar="N", help="random architectures too")
    one.add_argument("--seed", type=int, default=0, metavar="S", help="of the random ones")
    one.add_argument(
        "--way", action="append", default=[], metavar="WAY",
        help=f"{' | '.join(WAYS)}: the shared weights, these trained further, or new ones; may be repeated",
    )  # fmt: skip
    one.add_argument(
        "--norms", default="anew", metavar="KIND",
        help=f"{' | '.join(NORMS)}: batch norms by fresh statistics, the shared network's, or each batch's",
    )  # fmt: skip
    one.add_argument("--batches", type=int, default=4, metavar="B", help="training batches of --norms anew")
    one.add_argument("--epochs", type=int, default=3, metavar="K", help="of tuned and scratch")


def do_subnets(a: argparse.Namespace) -> Document:
    """Rows of what was asked for, in the order of the ways; kept with the run."""
    archs = subnets.read_archs(a.run, a.arch, a.sample, a.seed) or chosen(a.run)
    ways = tuple(dict.fromkeys(a.way)) or ("inherited",)
    asked = subnets.check(a.run, Asked(archs, ways, a.norms, a.batches, a.epochs))
    try:
        found = jobs.here(subnets.place(a.run), measured(a.run, asked), jobs.tell)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
    if found is None:
        raise BadInput("subnets: it was stopped; what it has measured is kept")
    return {"run": a.run, **found}


def chosen(run: str) -> tuple[Arch, ...]:
    """What a search chose; else the best that it judged.

    Raises:
        BadInput: it has judged nothing.
    """
    found = Follow(run).summary()
    best = [found.best] if found.best else []
    archs = tuple(dict.fromkeys(tuple(row["arch"]) for row in found.chosen or best))
    if not archs:
        raise BadInput("architectures: the run has chosen none; give --arch or --sample")
    return archs


def measured(run: str, asked: Asked) -> Work:
    """Measures what is not known yet, and keeps each row at once.

    Returns:
        `rows`: of what was asked for, known ones too.
    """
    import torch

    from nascore.device import resolve
    from nascore.engines.kept import restored

    torch.set_num_threads(1)
    spec = launch.read_spec(run)
    problem = spec.problem(Memo(launch.folder(run) / "memo"), resolve(spec.device))
    net, after = restored(problem, spec.strategy, longer.phase(run))
    alone = replace(problem, memo=Memo())
    known = {subnets.identity(r): r for r in subnets.rows(run)}
    pieces = [(arch, way, _plan(problem, arch, way, asked, after)) for arch, way in asked.pieces()]
    done, total = 0, sum(_cost(p) for _, _, p in pieces)
    for arch, way, plan in pieces:
        if subnets.identity(plan) not in known:
            for values in _row(alone, net, arch, way, plan):
                if "way" in values:
                    known[subnets.identity(plan)] = values
                    subnets.keep(run, list(known.values()))
                else:
                    yield done + int(values["epoch"]), total, f"{way}: {plan['text'][:60]}"
        done += _cost(plan)
        yield done, total, f"{way}: {plan['text'][:60]}"
    return {"rows": [known[subnets.identity(p)] for _, _, p in pieces]}


def _cost(plan: Document) -> int:
    """Pieces of work: one, or the epochs that are trained."""
    return max(int(plan["epochs"]), 1)


def _plan(problem: Problem, arch: Arch, way: str, asked: Asked, after: int) -> Document:
    """A row before it is measured: what it is about."""
    inherits, anew = way == "inherited", asked.norms == "anew"
    return {
        "key": key(problem.space, arch),
        "text": problem.space.text(arch),
        "choices": describe(problem.space, arch),
        "way": way,
        "norms": asked.norms if way != "scratch" else "",
        "batches": asked.batches if anew and way != "scratch" else 0,
        "epochs": 0 if inherits else asked.epochs,
        "after": 0 if way == "scratch" else after,
    }


def _row(problem: Problem, net: Any, arch: Arch, way: str, plan: Document) -> Generator[Document, None, None]:
    """`epoch` after each that is trained, then the whole row."""
    start, failed, found, test = time.monotonic(), "", {}, {}
    yield {"epoch": 0}
    try:
        child = _child(problem, net, arch, way, plan)
        if way != "inherited":
            yield from _trained(problem, child, arch, way, int(plan["epochs"]))
        child.eval()
        found, test = (dict(problem.task.metrics(child, split)) for split in ("validation", "test"))
    except (RuntimeError, FloatingPointError, MemoryError, Diverged) as error:
        failed = reason(error)
    yield {
        **plan,
        "data": problem.task.data,
        "seed": problem.seed,
        "error": found.get("error"),
        "test_error": test.get("error"),
        "seconds": round(time.monotonic() - start, 3),
        "failed": failed,
    }


def _child(problem: Problem, net: Any, arch: Arch, way: str, plan: Document) -> Any:
    """The network, with inherited weights or new ones."""
    from nascore.chunk import fresh
    from nascore.evaluators.inherited import Inherited

    if way == "scratch":
        return fresh(problem, arch).to(problem.device)
    if way == "tuned" and plan["norms"] == "batch":
        return net.extract(arch)
    by = Inherited(net, int(plan["batches"]), keep=plan["norms"] == "kept")
    return by.child(arch, problem)


def _trained(problem: Problem, child: Any, arch: Arch, way: str, n: int) -> Generator[Document, None, None]:
    """Trains by the run's recipe over n epochs; fine-tuning starts at a tenth of its rate.

    Raises:
        NotSupported: the recipe has no rate to lower.
        Diverged: the loss is not finite.
    """
    from nascore.recipe import train

    recipe: Any = problem.space.recipe(arch, problem.recipe)
    if way == "tuned":
        recipe = recipe.changed(lr=getattr(recipe, "lr", 0.1) / SLOWER)
    once = replace(problem, memo=Memo())  # a memory of its own: nothing to go on from
    for i, _ in enumerate(train(once, child, replace(recipe, epochs=n), "subnet")):
        yield {"epoch": i + 1}


def main(folder: str) -> int:
    """The process of one measurement; returns its exit status."""
    place = Path(folder)
    return jobs.process(place, lambda: measured(place.parent.name, subnets.read(place)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
