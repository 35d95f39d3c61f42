"""`python -m nascore study NAME` runs a paper's claims again; `list studies` says what is known of each."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from nascore.studies import jobs, results
from nascore.studies.study import Progress

Document = dict[str, Any]


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Puts `study` among the verbs."""
    one = verb("study", "run a paper's claims again; prints each with its verdict", do_study)
    one.add_argument("study", metavar="NAME", help="as `list studies` names them")
    one.add_argument("--seeds", type=int, default=None, metavar="N", help="repetitions; default the study's")


def do_study(a: argparse.Namespace) -> Document:
    """`{"study", "paper", "claims": [...], "seconds"}`; the result is kept in the data folder."""
    try:
        return jobs.here(a.study, a.seeds, _tell)
    finally:
        if sys.stderr.isatty():
            sys.stderr.write("\r\033[K")


def _tell(at: Progress) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{at.done} of {at.total} - {at.what}")
        sys.stderr.flush()


def listed() -> list[Document]:
    """One row a paper."""
    return results.listed()
