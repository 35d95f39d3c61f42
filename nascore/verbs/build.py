"""`python -m nascore table build` and `save`: a benchmark of a space, made by a run, saved as it grows."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from pathlib import Path
from typing import Any

from nascore.benchmarks import from_run
from nascore.benchmarks.table import Table, check_name, list_tables
from nascore.codec import loads
from nascore.errors import BadInput
from nascore.problem import Problem
from nascore.runs import launch
from nascore.runs.spec import RunSpec, open_spec, read, shipped
from nascore.runs.state import Follow
from nascore.strategies.exhaustive import Exhaustive
from nascore.tables import TABLES

Document = dict[str, Any]
FOLLOW_SECONDS, SAVE_SECONDS = 0.5, 30.0
CLOSELY = {"name": "trained", "knobs": {"closely": True}}  # a table has the columns of the shipped ones
OF_A_SPEC = ("task", "recipe", "evaluator", "strategy", "objectives", "budget", "seed")


def add(verb: Any) -> None:
    """Puts both among the verbs of `table`."""
    one = verb("build", "make a table: judge a space, or a sample of it, in the background", do_build)
    one.add_argument("what", metavar="SPACE|SPEC", help="a space or a search, by name or as a JSON file")
    one.add_argument("--sample", type=int, default=0, metavar="N", help="so many architectures; default all")
    one.add_argument("--seeds", type=int, default=1, metavar="K", help="independent trainings of each")
    one.add_argument("--name", default="", metavar="NAME", help="of the table; default made after the run")
    one.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="change one value")
    one.add_argument("--detach", action="store_true", help="start it and return; `table save` saves it")
    one = verb("save", "make a table of what a run has judged so far", do_save)
    one.add_argument("run", metavar="RUN")
    one.add_argument("--name", required=True, metavar="NAME")


def do_build(a: argparse.Namespace) -> Document:
    """Starts the run and, unless detached, stays until it ends; the table is there before."""
    spec = spec_of(a.what, a.set, a.sample, a.seeds)
    if a.name:
        check_name(a.name)
        if any(t.name == a.name for t in list_tables()):
            raise BadInput(f"there is a table called {a.name!r} already; delete it or choose another name")
    run = launch.start(spec)
    name = a.name or f"made-{run}"
    if a.detach:
        return {"run": run, "name": name, "state": Follow(run).summary().state}
    sys.stderr.write(f"run {run}\n")
    return _follow(run, name)


def _follow(run: str, name: str) -> Document:
    """Saves the table twice a minute while it grows, and whole at the end."""
    live, saved = Follow(run), time.monotonic()
    try:
        while (found := live.summary()).live:
            if sys.stderr.isatty():
                sys.stderr.write(f"\r\033[K{found.evaluations:,} of {found.budget['evaluations']:,.0f}")
                sys.stderr.flush()
            if time.monotonic() - saved > SAVE_SECONDS:
                with contextlib.suppress(BadInput):  # nothing is there yet
                    save(live, name, whole=False)
                saved = time.monotonic()
            time.sleep(FOLLOW_SECONDS)
    except KeyboardInterrupt:
        sys.stderr.write(f"\nthe run goes on; python -m nascore table save {run} --name {name} saves it\n")
        raise
    try:
        table = save(live, name)
    except BadInput as error:
        raise BadInput(
            f"{error}: the run {run} is {found.state}, {found.reason or 'it says no more'}"
        ) from error
    return {**document(table), "run": run, "state": found.state, "seconds": round(found.seconds, 3)}


def do_save(a: argparse.Namespace) -> Document:
    """The table of a run as it stands now."""
    live = Follow(a.run)
    table = save(live, check_name(a.name))
    return {**document(table), "run": a.run, "state": live.summary().state}


def save(live: Follow, name: str, *, whole: bool = True) -> Table:
    """Writes what the run has judged.

    Raises:
        BadInput: its spec cannot be read, or nothing was judged yet.
    """
    live.read()
    if live.spec is None:
        raise BadInput(live.trouble)
    tried = [row.tried for row in live.tally.rows.values()]
    return from_run.table_of(from_run.made_of(live.spec, live.run), tried, name, launch.home(), whole=whole)


def document(table: Table) -> Document:
    """What is told of a table that was made."""
    told = ("trained", "trainings", "skipped", "reasons")
    return {"name": table.name, "rows": table.rows, **{n: table.about[n] for n in told}}


def spec_of(what: str, changes: list[str], sample: int, seeds: int) -> RunSpec:
    """The run that makes the table, with a budget of exactly what it needs.

    Raises:
        BadInput: with what is wrong.
        NotFound: no such space or spec.
    """
    if sample < 0:
        raise BadInput(f"--sample: {sample} is below 0")
    strategy = {"name": "exhaustive", "knobs": {"sample": sample, "seeds": seeds}}
    base = _base(what, changes)
    many = {"evaluations": 10_000_000}
    spec = read(json.dumps({**base, "strategy": strategy, "budget": many, "constraints": []}))
    n = len(_archs(spec.strategy, spec.problem()))
    return read(json.dumps({**spec.to_json(), "budget": {"evaluations": n * seeds}}))


def _archs(strategy: Any, problem: Problem) -> list[Any]:
    assert isinstance(strategy, Exhaustive)  # noqa: S101 -- it was just put there
    return strategy.archs(problem)


def _base(what: str, changes: list[str]) -> Document:
    """The document of a spec, or one around a space."""
    file = Path(what)
    if what in TABLES["space"]:
        return _around(what, what, changes)
    if what not in shipped() and file.suffix and file.is_file() and file.stat().st_size <= 1 << 20:
        data = loads(file.read_bytes())
        if isinstance(data, dict) and not any(f in data for f in OF_A_SPEC):
            space = data.get("space", data)
            return _around(space, file.stem, changes)
    return open_spec(what, changes).to_json()


def _around(space: Any, name: str, changes: list[str]) -> Document:
    """The document of a spec around a space."""
    document = {"v": 1, "space": space, "title": f"Table of {name}", "evaluator": CLOSELY}
    return read(json.dumps(document), changes).to_json()
