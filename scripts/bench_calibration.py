"""How long calibration takes: fifty measures of one network, all networks of a table, floors, one tau.

`python scripts/bench_calibration.py` prints CPU and wall seconds, the least of a few repeats. Beside the
fifty measures stand torchmetrics' two binned ones of the same predictions, where it is installed.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore.benchmarks.table import Table
from nascore.measures import calibration_table as kept
from nascore.measures.agreement import kendall as tau
from nascore.measures.calibration import BINS, measure, softmax
from nascore.measures.calibration_report import floors

TABLE = Path(__file__).parents[1] / "data" / "tables" / "nasbench_digits"


def timed(name: str, act: Callable[[], object], repeats: int = 3) -> None:
    """Prints the least CPU and wall seconds."""
    seen = []
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        act()
        seen.append((time.process_time() - cpu, time.perf_counter() - wall))
    print(f"{name}: {min(s[0] for s in seen):.3f} s CPU, {min(s[1] for s in seen):.3f} s wall", flush=True)


def peer(p: np.ndarray, y: np.ndarray) -> Callable[[], object] | None:
    """ECE and MCE by torchmetrics for the nine numbers of bins; None where it is not installed."""
    try:
        import torch
        from torchmetrics.functional.classification import multiclass_calibration_error
    except ImportError:
        return None
    probabilities, labels = torch.tensor(p), torch.tensor(y)

    def act() -> object:
        return [
            multiclass_calibration_error(probabilities, labels, p.shape[1], n_bins=b, norm=norm)
            for b in BINS
            for norm in ("l1", "max")
        ]

    return act


def main() -> None:
    """All of them."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, 10_000)
    p = softmax(3 * (rng.normal(size=(10_000, 10)) + 1.5 * np.eye(10)[y]))
    measure(p[:100], y[:100])  # imports
    timed("50 measures of 10,000 x 10 probabilities", lambda: measure(p, y))
    if act := peer(p, y):
        timed("torchmetrics, 18 of them", act)
    timed("their noise floors, 30 draws", lambda: floors(p), 1)
    table = Table(TABLE)
    timed("all measures of 5,044 x 3 networks, before and after scaling", lambda: kept.measured(table), 2)
    held = kept.histograms(table)
    count, _, said = held.of(False, [100])
    timed("floors of one network, 200 draws", lambda: kept.floors(count, said, draws=200))
    m = kept.measured(table)
    timed("tau of 5,044 networks with interval", lambda: tau(m.mean("ece_15"), m.mean("ece_100")), 1)


if __name__ == "__main__":
    main()
