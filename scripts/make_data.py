"""Makes the shipped benchmark tables from nothing. Resumable; safe to stop at any time.

python scripts/make_data.py train nasbench_digits --folder PARTS     on two processes
python scripts/make_data.py write nasbench_digits --folder PARTS     the table in data/tables
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore.benchmarks import build
from nascore.runs.spec import from_document

TOGETHER = 64


@dataclass(frozen=True)
class Made:
    """What a table is made of: a spec's space, task and recipe; seeds; how many classes, 0 for all."""

    document: dict[str, Any]
    seeds: tuple[int, ...]
    classes: int = 0


CELL = {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}}
TABLES = {
    "nasbench_digits": Made(
        {
            "space": CELL,
            "task": "digits",
            "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 10, "batch": 64, "lr": 0.1}},
        },
        (0, 1, 2),
    ),
    "nasbench_mnist5k": Made(
        {
            "space": CELL,
            "task": {"name": "mnist5k", "knobs": {"train_images": 2000}},
            "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 8, "batch": 64, "lr": 0.1}},
        },
        (0, 1, 2),
        1000,
    ),
}


def plan(name: str, seeds: tuple[int, ...] = ()) -> tuple[Any, list[build.Part]]:
    """The problem and all parts of a table."""
    made = TABLES[name]
    problem = from_document(made.document).problem()
    archs = build.representatives(problem.space, made.classes)
    return problem, build.parts(archs, seeds or made.seeds, TOGETHER)


def train(name: str, folder: Path, seeds: tuple[int, ...], turn: int, of: int) -> None:
    """One process's share of the training."""
    import torch

    torch.set_num_threads(1)
    problem, todo = plan(name, seeds)
    for part in build.work(problem, todo, folder, turn, of):
        done, all_ = build.progress(folder, todo)
        print(f"{name}: {done} of {all_} parts, {part.file}", flush=True)


def run(name: str, folder: Path, seeds: tuple[int, ...], processes: int) -> None:
    """The whole training on several processes, and what it took."""
    began, cpu = time.time(), os.times()
    command = [sys.executable, __file__, "train", name, "--folder", str(folder), "--of", str(processes)]
    extra = ["--seeds", *map(str, seeds)] if seeds else []
    children = [subprocess.Popen([*command, *extra, "--turn", str(i)]) for i in range(processes)]
    codes = [c.wait() for c in children]
    used = os.times()
    spent = used.children_user + used.children_system - cpu.children_user - cpu.children_system
    build.note(
        folder,
        seconds=time.time() - began,
        cpu_seconds=spent,
        machine=platform.processor() or platform.machine(),
    )
    if any(codes):
        raise SystemExit(f"a process ended with {codes}")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["train"])
    parser.add_argument("name", choices=sorted(TABLES))
    parser.add_argument("--folder", type=Path, required=True, help="where the parts are kept")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="other seeds than the table's")
    parser.add_argument("--turn", type=int, default=-1, help="this process's number; -1 starts them all")
    parser.add_argument("--of", type=int, default=2, help="processes")
    args = parser.parse_args()
    if args.turn < 0:
        run(args.name, args.folder, tuple(args.seeds), args.of)
    else:
        train(args.name, args.folder, tuple(args.seeds), args.turn, args.of)


if __name__ == "__main__":
    main()
