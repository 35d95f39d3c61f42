"""`python -m nascore robust SPACE ARCH`: trains a network and measures its robustness and sharpness.

python -m nascore.verbs.robust FOLDER     the process behind the page
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nascore.benchmarks.table import list_tables, open_table
from nascore.codec import from_json, to_json
from nascore.errors import BadInput, Diverged
from nascore.measures.robustness import AMOUNTS, ATTACKS, SEVERITIES, STRENGTH, Robustness
from nascore.measures.sharpness import Sharpness
from nascore.problem import Problem
from nascore.runs import jobs, robust
from nascore.runs.robust import Asked, Document, Work, can_train, of_table
from nascore.space import Arch, Space, key, parse

MOST_SEED = 999
KINDS = (*AMOUNTS, *ATTACKS)
LANDSCAPE = Sharpness()


def add(verb: Callable[..., argparse.ArgumentParser], opened: Callable[[str], Space]) -> None:
    """Puts `robust` among the verbs; `opened` finds a space by its name or file."""
    one = verb(
        "robust",
        "train a network and measure its robustness and sharpness",
        lambda a: do_robust(a, opened),
    )
    one.add_argument("space", metavar="SPACE")
    one.add_argument("arch", metavar="ARCH", help="a key, an official string, or JSON of its choices")
    one.add_argument(
        "--table", default="", metavar="NAME", help="train as the networks of this table; default the first"
    )
    one.add_argument("--task", default="", metavar="NAME", help="train on this with the usual recipe instead")
    one.add_argument("--seed", type=int, default=0, metavar="S")


def do_robust(a: argparse.Namespace, opened: Callable[[str], Space]) -> Document:
    """The document of `measured`; kept in the data folder, and not measured twice."""
    if not 0 <= a.seed <= MOST_SEED:
        raise BadInput(f"--seed: {a.seed} is not between 0 and {MOST_SEED}")
    asked = asked_for(opened(a.space), a.arch, a.table, a.task, a.seed)
    if (known := robust.result(asked)) is not None:
        return known
    try:
        found = robust.here(asked, measured, jobs.tell)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")
    if found is None:
        raise BadInput("robust: it was stopped")
    return found


def asked_for(space: Space, text: str, table: str, task: str, seed: int) -> Asked:
    """What the command line asks for.

    Raises:
        BadInput: a table and a task at once, or a table of another space.
    """
    if table and task:
        raise BadInput("--table and --task: a table says the task itself; name one of the two")
    name = to_json(space)["name"]
    if task:
        return robust.ask(space, parse(space, text), task, seed=seed)
    fit = [t for t in list_tables() if can_train(t) and (t.space or {})["name"] == name]
    if table:
        found = open_table(table)
        if not can_train(found) or (found.space or {})["name"] != name:
            raise BadInput(f"--table: {table} holds no networks of {name} that can be trained here")
        return of_table(found, parse(from_json("space", found.space), text), seed)
    if fit:
        return of_table(fit[0], parse(from_json("space", fit[0].space), text), seed)
    return robust.ask(space, parse(space, text), "digits", seed=seed)


def measured(asked: Asked) -> Work:
    """Trains and measures.

    Returns:
        `space`, `key`, `table`, `data`, `epochs`, `seed`, `images`, `accuracy`, `robustness` (kind -> four
        shares, severity 0 is clean), `attack_eps` (four), `sharpness`, `line`, `plane`, `seconds`.

    Raises:
        NotSupported: the task is no classification of images.
        Diverged: training did not get anywhere.
    """
    import torch

    torch.set_num_threads(1)
    problem, (space, arch) = asked.problem(), asked.which()
    judge, look = Robustness(), LANDSCAPE
    epochs = problem.space.recipe(arch, problem.recipe).epochs
    total, done, start = epochs + 1 + 3 * len(KINDS) + 1 + look.points, 0, time.monotonic()
    training = trained(problem, arch, epochs)
    net: Any = None
    while net is None:
        yield done, total, "training"
        try:
            next(training)
            done += 1
        except StopIteration as end:
            net = end.value
    seconds = {"training": time.monotonic() - start}
    found: dict[str, float] = {}
    for name, value in judge.steps_of(problem, net):
        found[name], done = value, done + 1
        kind = name.partition("_")[0]
        yield done, total, f"accuracy under {kind.upper() if kind in ATTACKS else kind}"
    seconds["robustness"] = time.monotonic() - start - sum(seconds.values())
    yield done, total, "curvature"
    sharp = look.measure(problem, net)
    line, rows = look.line(problem, net), list[list[float]]()
    for row in look.rows(problem, net):
        rows.append(row)
        yield done + 1 + len(rows), total, "loss surface"
    seconds["sharpness"] = time.monotonic() - start - sum(seconds.values())
    clean = found["accuracy"]
    return {
        "space": to_json(space)["name"],
        "key": key(space, arch),
        "table": asked.table,
        "data": problem.task.data,
        "epochs": epochs,
        "seed": problem.seed,
        "images": min(judge.images, problem.task.size(judge.part)),
        "accuracy": clean,
        "robustness": {k: [clean, *(found[f"{k}_{s}"] for s in SEVERITIES[1:])] for k in KINDS},
        "attack_eps": [judge.eps * s for s in STRENGTH],
        "sharpness_images": look.images,
        "sharpness": {n: _finite(v) for n, v in sharp.items()},
        "line": {"at": line.at, "losses": [_finite(v) for v in line.losses]},
        "plane": {"at": line.at, "losses": [[_finite(v) for v in row] for row in rows]},
        "seconds": {n: round(s, 2) for n, s in seconds.items()},
    }


def trained(problem: Problem, arch: Arch, epochs: int) -> Any:
    """Yields after every epoch, returns the network; the same training as that of tables and searches.

    Raises:
        Diverged: the loss is not finite.
    """
    from nascore.chunk import train_alone
    from nascore.problem import Memo

    kept: list[Any] = []

    def look(_: Any, program: Any) -> list[dict[str, float]]:
        kept.append(program.net)
        return [{}]

    alone = replace(problem, memo=Memo())
    record = yield from train_alone(alone, arch, epochs, False, math.inf, look)
    if record.failed:
        raise Diverged(record.failed)
    return kept[0].eval()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def main(folder: str) -> int:
    """The process of one measurement; returns its exit status."""
    place = Path(folder)
    return jobs.process(place, lambda: measured(robust.read(place)), in_turn=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
