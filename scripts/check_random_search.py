"""Does random search on NAS-Bench-201's published numbers come to the row that RoBoT's table prints for it?

As RoBoT's authors do: a cell is judged by its validation accuracy on CIFAR-10 after 12 epochs, each once; the
best of those judged is told by its test accuracy after 200 epochs on three data sets. The searches end after
20 cells (what RoBoT asks for), 100 cells, or 12,000 seconds of training (what the row says).

`python scripts/check_random_search.py nb201_topology.parquet`: with arch_str, dataset, val_acc_12,
train_time_12_s and test_acc_200. Seconds; the result is shipped and shown beside the study.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import pandas as pd

from nascore import stats
from nascore.benchmarks.simulate import Ground, best_so_far, random_search

SETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "ImageNet16-120": "ImageNet16-120"}
PRINTED = {"cifar10": (93.70, 0.36), "cifar100": (71.04, 1.07), "ImageNet16-120": (44.57, 1.25)}
SECONDS, ENOUGH = 12_000.0, 200  # cells that take longer than that, whatever they are
ENDS = {"20 cells": 20, "100 cells": 100, "12,000 seconds": 0}


def rows(frame: pd.DataFrame, runs: int) -> list[dict[str, Any]]:
    """Mean test accuracy of what random search takes, for each end and data set."""
    known = frame[frame["dataset"] == "cifar10"].set_index("arch_str")
    merit, seconds = (known[c].to_numpy(np.float64) for c in ("val_acc_12", "train_time_12_s"))
    ranks = np.unique(-merit, return_inverse=True)[1].astype(np.uint32)
    field = Ground(ranks, np.empty((len(ranks), 0), np.int32))
    order = random_search(field, ENOUGH, runs)  # (judged, runs)
    so_far = best_so_far(field, order)
    in_time = np.maximum((np.cumsum(seconds[order], 0) <= SECONDS).sum(0), 1)
    out = []
    for end, cells in ENDS.items():
        last = np.full(runs, cells) if cells else in_time
        taken = so_far[last - 1, np.arange(runs)]
        for name, title in SETS.items():
            test = frame[frame["dataset"] == name].set_index("arch_str")["test_acc_200"]
            found = test.reindex(known.index).to_numpy(np.float64)[taken]
            mean = stats.mean(found)
            out.append(
                {
                    "text": f"Random search, {end}: test accuracy on {title} (%)",
                    "measured": round(mean.value, 3),
                    "interval": [round(mean.low, 3), round(mean.high, 3)],
                    "n": runs,
                    "spread": round(float(found.std(ddof=1)), 3),
                    "mean_cells": round(float(last.mean()), 1),
                    "mean_seconds": round(float(np.cumsum(seconds[order], 0)[last - 1, range(runs)].mean())),
                    "printed": PRINTED[name][0] if end != "20 cells" else None,
                    "printed_spread": PRINTED[name][1] if end != "20 cells" else None,
                }
            )
    return out


def main() -> None:
    """Searches, prints, writes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument(
        "--out", type=Path, default=ROOT / "data" / "checks" / "random_search_nasbench201.json"
    )
    given = parser.parse_args()
    found = rows(pd.read_parquet(given.table), given.runs)
    what = (
        "Random search on NAS-Bench-201's published numbers, judged by CIFAR-10 validation accuracy after 12 "
        f"epochs, {given.runs:,} searches; the paper's row is for 12,000 seconds"
    )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"study": "robot", "what": what, "rows": found}, indent=1) + "\n")
    print(given.out.read_text())


if __name__ == "__main__":
    main()
