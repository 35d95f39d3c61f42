"""The command line: `python -m nascore VERB`, everything that the pages do.

With `--json` exactly one document goes to standard output; messages and progress go to standard error. The
exit status is 0 where it is done, 2 for bad input (one sentence), 1 where it failed. Journals are read
without the app, so all of it works with the app open or closed.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, asdict
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from nascore.benchmarks import documents
from nascore.codec import dumps, from_json, loads, to_json
from nascore.errors import AppError, BadInput, NotFound, NotSupported
from nascore.graph import Graph
from nascore.kinds import knobs, summary
from nascore.runs import drafts, launch, longer
from nascore.runs.spec import RunSpec, open_spec
from nascore.runs.state import Follow, Summary, summaries
from nascore.space import Space, array, describe, key, neighbors, parse, sample, size, tuples
from nascore.tables import TABLES
from nascore.task import CIFAR, Shape
from nascore.verbs import calibrate, export, rank, robust, study, subnets, table

Document = dict[str, Any]
KINDS = {
    "spaces": "space",
    "strategies": "strategy",
    "evaluators": "evaluator",
    "proxies": "proxy",
    "predictors": "predictor",
    "recipes": "recipe",
    "parts": "part",
    "tasks": "task",
    "measures": "measure",
    "executors": "executor",
    "tables": "table",
    "studies": "study",
}
FOLLOW_SECONDS = 0.2
MAX_SAMPLES = 10_000
NOTHING: tuple[Any, ...] = ("", None, [], {})
BROKEN = ("failed", "interrupted", "unreadable")


class Parser(argparse.ArgumentParser):
    """Refuses in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Status 2."""
        self.exit(2, f"{message}; see python -m nascore --help\n")


def parser() -> Parser:
    """Every verb and its options."""
    top = Parser(prog="python -m nascore", description="Explore neural architectures from the command line.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=Parser)

    def verb(name: str, help: str, act: Callable[[argparse.Namespace], Document]) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help, description=help)
        made.add_argument("--json", action="store_true", help="print one JSON document")
        made.set_defaults(act=act)
        return made

    one = verb("list", "what there is of a kind", do_list)
    one.add_argument("kind", metavar="KIND", help=" ".join(KINDS))
    one = verb("space", "a space: its size, choices and samples", do_space)
    one.add_argument("space", metavar="NAME|FILE")
    one.add_argument("--sample", type=int, default=0, metavar="N", help="random architectures to show")
    one.add_argument("--seed", type=int, default=0, metavar="S")
    one.add_argument("--task", metavar="NAME", help="count costs on this task's inputs; default 3x32x32")
    one = verb("arch", "an architecture: its graph, cost and neighbors", do_arch)
    one.add_argument("space", metavar="SPACE")
    one.add_argument("arch", metavar="ARCH", help="a key, an official string, or JSON of its choices")
    one.add_argument("--task", metavar="NAME", help="count costs on this task's inputs; default 3x32x32")
    one.add_argument("--export", nargs=2, metavar=("FORMAT", "FILE"), help=" | ".join(export.FORMATS))
    one = verb("search", "start a search and follow it", do_search)
    one.add_argument("spec", metavar="SPEC", help="a JSON file, or the name of a ready spec")
    one.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="change one value")
    one.add_argument("--detach", action="store_true", help="start it and return")
    one = verb("estimate", "how long a search will take on this machine", do_estimate)
    one.add_argument("spec", metavar="SPEC")
    one.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    verb("runs", "all runs, the newest first", do_runs)
    one = verb("run", "one run: its state, best and front", do_run)
    one.add_argument("run", metavar="ID")
    one.add_argument("--events", action="store_true", help="with everything that it has tried")
    acts = one.add_mutually_exclusive_group()
    for name, help in ACTS.items():
        acts.add_argument(f"--{name}", action="store_const", const=name, dest="do", help=help)
    one.add_argument("--seed", type=int, default=None, metavar="S", help="the seed of --again")
    acts.add_argument("--rename", metavar="TITLE", help="give it another title")
    more = "of a finished search with shared weights: start a run that goes on for so many epochs"
    acts.add_argument("--more", type=int, default=None, metavar="EPOCHS", help=more)
    table.add(verbs, Parser)
    rank.add(verb)
    calibrate.add(verb)
    robust.add(verb, open_space)
    study.add(verb)
    subnets.add(verb)
    one = verb("sql", "a SELECT over runs, tried, metric, steps, notes and tables by name", do_sql)
    one.add_argument("query", metavar="SELECT")
    return top


ACTS = {
    "pause": "end the worker at its next event, to be resumed later",
    "cancel": "end it for good",
    "resume": "carry on with a new worker and return",
    "retry-failed": "carry on, then judge again what failed",
    "again": "start the same search with another seed",
    "delete": "remove it and all that it found",
}


def do_list(a: argparse.Namespace) -> Document:
    """Entries with what they are and their knobs."""
    plural = next((p for p, k in KINDS.items() if a.kind in (p, k)), None)
    if plural is None:
        raise BadInput(f"kind: {a.kind[:40]!r} is none of {', '.join(KINDS)}")
    if plural == "tables":
        return documents.table_list()
    if plural == "studies":
        return {plural: study.listed()}
    entries = TABLES.get(KINDS[plural], {})
    return {
        plural: [{"name": n, "summary": summary(c), "knobs": _knobs(c)} for n, c in entries.items()],
    }


def _knobs(cls: type) -> list[Document]:
    hints = typing.get_type_hints(cls)
    return [
        {
            "name": f.name,
            "type": getattr(hints[f.name], "__name__", str(hints[f.name])),
            "default": None if f.default is MISSING else _plain(f.default),
            "low": f.metadata["low"],
            "high": f.metadata["high"],
            "help": f.metadata["help"],
        }
        for f in knobs(cls)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value if value is None or isinstance(value, str | int | float | bool) else to_json(value)


def open_space(text: str) -> Space:
    """A space by its name, also one that was drawn and saved, or by a JSON file of it or of an architecture.

    Raises:
        BadInput: no such space, or what the file holds is wrong.
    """
    file = Path(text)
    if text not in TABLES["space"] and (drawn := drafts.named(text)) is not None:
        return drawn
    if text in TABLES["space"] or not file.suffix:
        return from_json("space", text)
    try:
        data = loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise NotFound(f"{text[:80]}: no space and no readable file of this name") from error
    return from_json("space", data["space"] if isinstance(data, dict) and "space" in data else data)


def _shape(task: str | None) -> Shape:
    return from_json("task", task).shape if task else CIFAR


def do_space(a: argparse.Namespace) -> Document:
    """Size, choices and samples."""
    if not 0 <= a.sample <= MAX_SAMPLES:
        raise BadInput(f"--sample: {a.sample} is not between 0 and {MAX_SAMPLES:,}")
    if a.seed < 0:
        raise BadInput(f"--seed: {a.seed} is below 0")
    space, shape = open_space(a.space), _shape(a.task)
    archs = sample(space, a.sample, np.random.default_rng(a.seed)) if a.sample else array([], space)
    costs = space.costs(archs, shape) if a.sample else {}
    return {
        "name": to_json(space)["name"],
        "space": to_json(space),
        "size": size(space),
        "unique": space.classes(),
        "choices": [{"name": c.name, "options": [c.options[i] for i in c.open]} for c in space.choices()],
        "samples": [
            {
                "key": key(space, arch),
                "choices": describe(space, arch),
                "text": space.text(arch),
                **{m: _whole(v[i]) for m, v in costs.items()},
            }
            for i, arch in enumerate(tuples(archs))
        ],
    }


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else float(value)


def do_arch(a: argparse.Namespace) -> Document:
    """Graph, costs and neighbors."""
    space, shape = open_space(a.space), _shape(a.task)
    arch = parse(space, a.arch)
    why = space.invalid(arch)
    graph = Graph((), ()) if why else space.graph(arch, shape)
    found: Document = {
        "space": to_json(space)["name"],
        "key": key(space, arch),
        "text": space.text(arch),
        "choices": describe(space, arch),
        "valid": not why,
        "reason": why,
        "params": graph.params,
        "flops": graph.flops,
        "graph": {k: list(v) for k, v in asdict(graph).items()},
        "neighbors": [
            {"key": key(space, other), "changed": name, "choices": describe(space, other)}
            for name, other in neighbors(space, arch)
        ],
    }
    if a.export:
        found["export"] = export.do_export(space, arch, shape, *a.export)
        found["exported"] = a.export[1]
    return found


def do_search(a: argparse.Namespace) -> Document:
    """Starts a run and, unless detached, stays until it ends."""
    spec = open_spec(a.spec, a.set)
    run = launch.start(spec)
    if a.detach:
        found = Follow(run).summary()
        return {"run": run, "state": found.state, "reason": found.reason}
    tell(f"run {run}")
    return follow(run, spec).document()


def follow(run: str, spec: RunSpec) -> Summary:
    """Shows how the run gets on until it ends; leaving does not stop it."""
    live, shown = Follow(run), sys.stderr.isatty()
    try:
        while (found := live.summary()).live:
            if shown:
                sys.stderr.write(f"\r\033[K{progress(found)}")
                sys.stderr.flush()
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        tell(f"\nthe run goes on; python -m nascore run {run} --cancel ends it")
        raise
    if shown:
        sys.stderr.write("\r\033[K")
    return found


def progress(found: Summary) -> str:
    """One line: state, how far, the best so far, time left."""
    parts = [f"{found.state}, place {found.place}" if found.place else found.reason or found.state]
    limit = found.budget.get("evaluations")
    parts.append(f"{found.evaluations} of {limit:.0f}" if limit else f"{found.evaluations} tried")
    if found.best:
        metric = found.objectives[0][0]
        parts.append(f"best {metric} {found.best['metrics'].get(metric, float('nan')):.4g}")
    if found.left_seconds is not None:
        parts.append(f"{found.left_seconds:.0f} s left")
    return " - ".join(parts)


def do_estimate(a: argparse.Namespace) -> Document:
    """Seconds, measured."""
    from nascore.runs.estimate import document

    found = document(open_spec(a.spec, a.set))
    if found["error"]:
        raise BadInput(found["error"])
    return found


def do_runs(_: argparse.Namespace) -> Document:
    """All runs in short."""
    fields = ("run", "title", "state", "reason", "place", "evaluations", "failed", "seed", "started")
    return {"runs": [{f: getattr(s, f) for f in fields} for s in summaries()]}


def do_run(a: argparse.Namespace) -> Document:
    """One run, after what was asked of it."""
    if a.rename is not None:
        launch.rename(a.run, a.rename)
    if a.more is not None:
        run = longer.go_on(a.run, a.more)
        return {"run": run, "state": Follow(run).summary().state, "goes_on_from": a.run}
    match a.do:
        case "pause":
            launch.pause(a.run)
            launch.ended(a.run, launch.FORCE_SECONDS)
        case "cancel":
            launch.cancel(a.run)
            launch.ended(a.run, launch.FORCE_SECONDS + 5)
        case "resume" | "retry-failed":
            launch.resume(a.run, retry_failed=a.do == "retry-failed")
        case "again":
            run = launch.again(a.run, a.seed)
            return {"run": run, "state": Follow(run).summary().state, "seed": launch.read_spec(run).seed}
        case "delete":
            launch.delete(a.run)
            return {"run": a.run, "state": "deleted"}
    live = Follow(a.run)
    out = live.summary().document()
    if a.events:
        out["events"] = _events(a.run)
    return out


def _events(run: str) -> list[Document]:
    out = []
    live = Follow(run)
    for record, row in live.read():
        kept = {k: v for k, v in record.items() if k not in ("crc", "m")}
        if row is not None:
            kept["key"], kept["index"] = row.key, row.index
        out.append(kept)
    return out


def do_sql(a: argparse.Namespace) -> Document:
    """Rows of a SELECT; journals are read into memory, so the app's own index is left alone."""
    from nascore.runs.store import Store

    store = Store(tick=0, in_memory=True)
    try:
        store.refresh()
        found = store.select(a.query, documents.asked(a.query))
    finally:
        store.close()
    return {"columns": list(found.columns), "rows": [list(r) for r in found.itertuples(index=False)]}


def tell(text: str) -> None:
    """A message, apart from the document."""
    sys.stderr.write(f"{text}\n")


def show(found: Document) -> None:
    """The document as a person reads it."""
    for name, value in found.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            print(f"{name}:")
            for row in value:
                print(
                    "  " + "  ".join(_short(v) for v in row.values() if v not in NOTHING and not _nested(v))
                )
        elif value not in NOTHING:
            print(f"{name}: {_short(value, 2000)}")


def _nested(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _short(value: Any, most: int = 100) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        text = ", ".join(f"{k} {_short(v, most)}" for k, v in value.items())
    elif isinstance(value, list | tuple):
        text = ", ".join(_short(v, most) for v in value)
    else:
        text = str(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit status."""
    given = parser().parse_args(arguments)
    try:
        found = given.act(given)
    except (BadInput, NotFound, NotSupported) as error:
        tell(" ".join(str(error).split()))
        return 2
    except AppError as error:
        tell(" ".join(str(error).split()))
        return 1
    except KeyboardInterrupt:
        return 1
    with contextlib.suppress(BrokenPipeError):
        print(dumps(found, indent=1)) if given.json else show(found)
    return 1 if found.get("state") in BROKEN and given.verb in ("search", "run") else 0


if __name__ == "__main__":
    sys.exit(main())
