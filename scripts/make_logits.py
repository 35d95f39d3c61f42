"""Makes the file of logits beside a shipped table: `python scripts/make_logits.py NAME --folder PARTS`.

Resumable; safe to stop at any time. A hundred cells on digits take about half a CPU minute.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore.benchmarks import logits
from nascore.benchmarks.table import Table
from nascore.runs import robust


def main(name: str, folder: Path, many: int, seed: int) -> None:
    """Trains what is missing, then writes."""
    import torch

    torch.set_num_threads(1)
    table = Table(Path(__file__).parents[1] / "data" / "tables" / name)
    todo, cpu = logits.plan(table, many, seed), time.process_time()
    problem = robust.of_table(table, todo[0].archs[0], seed).problem()
    for part in logits.work(problem, todo, folder / f"{name}-{many}"):
        print(f"{part.file}: {time.process_time() - cpu:.0f} CPU s", flush=True)
    file = logits.write(table, logits.packed(problem, todo, folder / f"{name}-{many}"))
    print(f"{file.name}: {many} networks, {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("name", metavar="NAME")
    given.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nascope-logits")
    given.add_argument("--networks", type=int, default=100, metavar="N")
    given.add_argument("--seed", type=int, default=0, metavar="S")
    asked = given.parse_args()
    main(asked.name, asked.folder, asked.networks, asked.seed)
