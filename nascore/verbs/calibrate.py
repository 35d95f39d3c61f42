"""`python -m nascore calibrate FILE`: how far the probabilities of a file can be taken at their word."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

from nascore.errors import BadInput
from nascore.measures.calibration_input import read
from nascore.measures.calibration_report import DRAWS, report
from nascore.measures.calibration_scaling import METHODS

Document = dict[str, Any]
MOST_DRAWS = 1000


def add(verb: Callable[..., argparse.ArgumentParser]) -> None:
    """Puts `calibrate` among the verbs."""
    one = verb("calibrate", "measure the calibration of predictions in a file", do_calibrate)
    one.add_argument(
        "file",
        metavar="FILE",
        help=".npz, .csv or .parquet with probabilities or logits, and labels; classes and rows count from 0",
    )
    one.add_argument(
        "--validation", metavar="FILE", help="validation predictions: fits the scaling, never the test"
    )
    one.add_argument("--ood", metavar="FILE", help="predictions for out-of-distribution examples: AUROC")
    one.add_argument("--method", default="temperature", metavar="NAME", help=" | ".join(METHODS))
    one.add_argument(
        "--draws", type=int, default=DRAWS, metavar="N", help="label draws of the noise floors; 0 for none"
    )


def do_calibrate(a: argparse.Namespace) -> Document:
    """`{"n", "classes", "accuracy", "measures": {"ece_15", ...}, ...}`; notes also go to standard error."""
    if not 0 <= a.draws <= MOST_DRAWS:
        raise BadInput(f"--draws: {a.draws} is not between 0 and {MOST_DRAWS:,}")
    if a.method not in METHODS:
        raise BadInput(f"--method: {a.method[:40]!r} is none of {', '.join(METHODS)}")
    test = read(a.file)
    validation = read(a.validation) if a.validation else None
    outside = read(a.ood, labeled=False) if a.ood else None
    found = report(test, validation, outside, method=a.method, draws=a.draws)
    for note in found["notes"]:
        sys.stderr.write(f"{note}\n")
    return {"file": test.name, **found}
