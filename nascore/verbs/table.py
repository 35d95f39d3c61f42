"""`python -m nascore table ...`: list, import, show, export, delete, build."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nascore.benchmarks import documents
from nascore.benchmarks.imports import Progress
from nascore.codec import loads
from nascore.errors import BadInput
from nascore.verbs import build

Document = dict[str, Any]
TELL_SECONDS = 0.5
MOST_MAPPING = 1 << 20


def add(verbs: Any, parser_class: type[argparse.ArgumentParser]) -> None:
    """Puts `table` and its own verbs among the others."""
    help = "benchmark tables: look, import, export, make"
    table = verbs.add_parser("table", help=help, description=help)
    inner = table.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=parser_class)

    def verb(name: str, help: str, act: Callable[[argparse.Namespace], Document]) -> argparse.ArgumentParser:
        made = inner.add_parser(name, help=help, description=help)
        made.add_argument("--json", action="store_true", help="print one JSON document")
        made.set_defaults(act=act)
        return made

    verb("list", "all tables", lambda _: documents.table_list())
    one = verb("show", "the best of a table, or one architecture of it", do_show)
    one.add_argument("name", metavar="NAME")
    one.add_argument("--top", type=int, default=5, metavar="N", help="so many rows, best first")
    one.add_argument("--by", default="", metavar="METRIC", help="by this metric; default the table's first")
    one.add_argument("--arch", metavar="ARCH", help="a key, an official string, or JSON of its choices")
    one = verb("import", "make a table of a benchmark's file or folder", do_import)
    one.add_argument("path", metavar="PATH")
    one.add_argument("--name", required=True, metavar="NAME", help="of the new table")
    one.add_argument(
        "--mapping",
        metavar="JSON|FILE",
        help="of CSV and Parquet: which column is what, or a file that says so",
    )
    one = verb("export", "write a table to a file", do_export)
    one.add_argument("name", metavar="NAME")
    one.add_argument("file", metavar="FILE", help="its ending tells the format: csv, parquet or json")
    one.add_argument("--format", default="", metavar="csv|parquet|json")
    build.add(verb)
    one = verb("delete", "remove a table that was imported or made", do_delete)
    one.add_argument("name", metavar="NAME")


def do_show(a: argparse.Namespace) -> Document:
    """Rows, or one row with its trainings and ranks."""
    if a.arch is not None:
        return documents.table_show_arch(a.name, a.arch)
    return documents.table_show(a.name, a.top, a.by)


def do_import(a: argparse.Namespace) -> Document:
    """What was read and what was left out."""
    mapping = None if a.mapping is None else loads(mapping_text(a.mapping))
    if mapping is not None and not isinstance(mapping, dict):
        raise BadInput('--mapping: expected an object such as {"arch": "arch_str"}')
    return documents.table_import(a.path, a.name, mapping=mapping, on_progress=Teller())


def mapping_text(given: str) -> str:
    """The JSON itself, or what stands in a file of it.

    Raises:
        BadInput: it is neither.
    """
    if given.lstrip().startswith("{"):
        return given
    try:
        with Path(given).open(encoding="utf-8") as file:
            return file.read(MOST_MAPPING + 1)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"--mapping: {given[:200]!r} is no JSON object and no file that can be read"
        ) from error


class Teller:
    """Says on standard error how far an import is, where a person looks."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Twice a second at most."""
        if not sys.stderr.isatty() or time.monotonic() - self.last < TELL_SECONDS:
            return
        self.last = time.monotonic()
        left = "" if progress.seconds_left is None else f", {progress.seconds_left:.0f} s left"
        sys.stderr.write(f"\r\033[K{progress.step}: {progress.done:,} of {progress.total:,}{left}")
        sys.stderr.flush()


def do_export(a: argparse.Namespace) -> Document:
    """Where it was written."""
    return documents.table_export(a.name, a.file, a.format)


def do_delete(a: argparse.Namespace) -> Document:
    """Which is gone."""
    return documents.table_delete(a.name)
