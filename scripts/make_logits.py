"""Makes the files of logits beside shipped tables: `python scripts/make_logits.py NAME ... --folder PARTS`.

Tables named together keep the same networks; those here came from `nasbench_digits nasbench_mnist5k` and from
`natssize_digits`. Resumable; safe to stop at any time. Eighty cells take half a CPU minute on digits and one
and a half on MNIST, eighty networks of `nats_size` about six.
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
from nascore.measures.robustness import Robustness
from nascore.runs import robust

JUDGE = Robustness(images=400)  # of the test part, disturbed and attacked


def main(names: list[str], folder: Path, many: int, seed: int) -> None:
    """Trains what is missing, then writes."""
    import torch

    torch.set_num_threads(1)
    tables = [Table(Path(__file__).parents[1] / "data" / "tables" / name) for name in names]
    todo = logits.plan(tables, many, seed)
    for table in tables:
        cpu, parts = time.process_time(), folder / f"{'-'.join(names)}-{many}" / table.name
        problem = robust.of_table(table, todo[0].archs[0], seed).problem()
        for part in logits.work(problem, todo, parts, JUDGE.measure):
            print(f"{part.file}: {time.process_time() - cpu:.0f} CPU s", flush=True)
        file = logits.write(table, logits.packed(problem, todo, parts))
        print(f"{table.name}: {many} networks, {file.stat().st_size / 1e6:.2f} MB", flush=True)


if __name__ == "__main__":
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("names", metavar="NAME", nargs="+")
    given.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "nascope-logits")
    given.add_argument("--networks", type=int, default=80, metavar="N")
    given.add_argument("--seed", type=int, default=0, metavar="S")
    asked = given.parse_args()
    main(asked.names, asked.folder, asked.networks, asked.seed)
