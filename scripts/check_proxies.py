"""Do our scores rank NAS-Bench-201 as others do? Spearman with CIFAR-10 accuracies beside published figures.

CIFAR-10's images are not here. Scores that look at data are given 16x16 images made of the handwritten digits
that ship with scikit-learn (twice as large, three equal channels, batch of 16), the others only that shape;
published figures are of CIFAR-10 at 32x32. So only the first kind of rows is a check of the scores, and the
second says how much the ranking depends on the data. Random cells; a few seconds a cell for all of them.
Prints and keeps JSON. `python scripts/check_proxies.py TABLE.parquet [--cells 300] [--out FILE]`, the table
with the columns arch_str, dataset and val_acc_200_single.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import pyarrow.parquet as pq
import torch

from nascore.chunk import fresh
from nascore.evaluators.zero_cost import ZeroCost
from nascore.measures.agreement import agreements
from nascore.problem import Problem
from nascore.proxies import PROXIES
from nascore.proxies.look import scores
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import parse
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Batch, Shape
from nascore.tasks.images import Digits

NEAR = 0.05
PUBLISHED = {  # Spearman with CIFAR-10 accuracy; of zero-cost-nas on all cells, or of NAS-Bench-Suite-Zero
    "params": (0.738, "725 cells of NAS-Bench-Suite-Zero"),
    "flops": (0.711, "725 cells of NAS-Bench-Suite-Zero"),
    "synflow": (0.737, "15,625 cells of zero-cost-nas"),
    "grad_norm": (0.594, "15,625 cells of zero-cost-nas"),
    "snip": (0.596, "15,625 cells of zero-cost-nas"),
    "grasp": (0.514, "15,625 cells of zero-cost-nas"),
    "fisher": (0.360, "15,625 cells of zero-cost-nas"),
    "jacob_cov": (0.731, "15,625 cells of zero-cost-nas"),
    "naswot": (0.787, "725 cells of NAS-Bench-Suite-Zero"),
}
NO_DATA = ("params", "flops", "l2_norm", "synflow")
NAMES = (*NO_DATA, "plain", "grad_norm", "snip", "grasp", "fisher", "jacob_cov", "naswot")
FED = "digits, 16x16, three equal channels, batch of 16"


class Colored(Digits):
    """Its loss and the shape of small colored images."""

    @property
    def shape(self) -> Shape:
        """16x16 in three colors."""
        return Shape((("image", (3, 16, 16)),), (("class", 10),))


def images(task: Digits, n: int = 16) -> Batch:
    """The first digits, enlarged."""
    whole: Any = task.whole("train")
    x = torch.nn.functional.interpolate(whole.x[:n], scale_factor=2, mode="bilinear")
    return Batch(x.repeat(1, 3, 1, 1), whole.y[:n], whole.index[:n])


def cells(file: Path, n: int) -> tuple[list[str], np.ndarray]:
    """Random cells and their validation accuracies on CIFAR-10."""
    frame = pq.read_table(file, columns=["arch_str", "dataset", "val_acc_200_single"]).to_pandas()
    frame = frame[(frame["dataset"] == "cifar10") & frame["val_acc_200_single"].notna()]
    some = frame.sample(min(n, len(frame)), random_state=0)
    return some["arch_str"].tolist(), some["val_acc_200_single"].to_numpy(np.float64)


def row(name: str, values: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """One proxy's rank correlation with its interval, and the published one."""
    known = np.isfinite(values)
    found = agreements(values[known], truth[known], ("spearman",))["spearman"].interval()
    out: dict[str, Any] = {
        "proxy": name,
        "spearman": round(found.value, 3),
        "low": round(found.low, 3),
        "high": round(found.high, 3),
        "n": int(known.sum()),
        "needs_data": name not in NO_DATA,
    }
    if name in PUBLISHED:
        said, where = PUBLISHED[name]
        out |= {"published": said, "of": where, "within_0.05": abs(found.value - said) <= NEAR}
        out["inside_the_interval"] = bool(found.low <= said <= found.high)
    return out


def main() -> None:
    """Scores the cells and compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "checks" / "proxies_nasbench201.json")
    given = parser.parse_args()
    if not given.table.is_file():
        raise SystemExit(f"{given.table}: there is no such table")
    torch.set_num_threads(1)
    problem = Problem(Nasbench201(5, 16, 3, 1), Colored(), SgdCosine(), ZeroCost())
    names, truth = cells(given.table, given.cells)
    archs, batch = [parse(problem.space, n) for n in names], images(problem.task)  # type: ignore[arg-type]
    proxies, rows, began = {n: PROXIES[n]() for n in NAMES}, [], time.process_time()
    for arch in archs:
        found = scores(proxies, [fresh(problem, arch)], batch, problem)
        rows.append([float(found[n][0]) for n in NAMES])
    told = np.array(rows)
    out = {
        "what": "Spearman of scores with validation accuracy on CIFAR-10 after 200 epochs, NAS-Bench-201",
        "fed": FED,
        "networks": "C = 16, N = 5, one start each",
        "cells": len(archs),
        "cpu_seconds": round(time.process_time() - began, 1),
        "proxies": [row(n, told[:, i], truth) for i, n in enumerate(NAMES)],
    }
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
