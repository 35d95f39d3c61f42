"""The true rank of what every search with shared weights returns, beside random search with its seconds.

Cells: each method of the NAS-Bench-201 space on the images of `nasbench_digits`, where the accuracy of all
15,625 cells is known from eight trainings. Sizes: methods of nested widths on the images of
`natssize_digits`: what they return is trained alone as the table's networks were, and ranked among its 1,024.
No search sees a table. A rank is 1 + the number of networks with a higher mean test accuracy. TangleNAS has a
weight for each option of a cell, which is DrNAS; entangled it needs sizes. Single-Path NAS needs kernels or
depths to decide on, which neither table has.

Random search trains as many cells alone as the search's processor seconds allow, at the price of one as
measured here, and takes the best by the validation accuracy of a single training (seeds 0 to 7 of the table).

python scripts/bench_supernet_ranks.py --keep FOLDER [--seeds 4] [--only darts,gdas] [--out FILE]

Every finished search is kept in FOLDER, and a later call goes on with the rest: 4 seeds are about 45
processor-minutes in all. The file is written anew from all that is kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import pyarrow.parquet as pq
import torch

from nascore import codec, stats
from nascore.benchmarks.table import Table, open_table
from nascore.evaluators.trained import Trained
from nascore.events import Chosen
from nascore.kinds import Strategy
from nascore.problem import Problem, search
from nascore.strategies.darts import Darts
from nascore.strategies.darts_pt import DartsPt
from nascore.strategies.drnas import Drnas
from nascore.strategies.gdas import Gdas
from nascore.strategies.proxyless import Proxyless
from nascore.strategies.sd_darts import SdDarts
from nascore.strategies.sharp_darts import SharpDarts
from nascore.strategies.spos import Spos
from nascore.strategies.tangle_nas import TangleNas
from nascore.strategies.tas import Tas
from nascore.studies import cells, nested

OUT = ROOT / "data" / "checks" / "supernet_ranks.json"
SMALL = 6  # epochs of a search of sizes, whose largest network is a hundred times a cell's
PROXYLESS = {"weight": 0.0, "warmup": 5, "epochs": 25}
CELLS: dict[str, tuple[str, Strategy]] = {
    "darts": ("DARTS, first order", Darts()),
    "darts_second": ("DARTS, second order", Darts(order="second")),
    "drnas": ("DrNAS", Drnas()),
    "gdas": ("GDAS", Gdas()),
    "spos": ("SPOS", Spos()),
    "darts_pt": ("DARTS-PT", DartsPt()),
    "sd_darts": ("SD-DARTS", SdDarts()),
    "sharp_darts": ("sharpDARTS", SharpDarts()),
    "proxyless": ("ProxylessNAS, pairs of paths", Proxyless(**PROXYLESS)),
    "tangle_separate": ("TangleNAS, separate weights", TangleNas(sharing="separate")),
    "proxyless_reinforce": ("ProxylessNAS, REINFORCE", Proxyless(mode="reinforce", **PROXYLESS)),
}
TANGLED: dict[str, Strategy] = {
    s: TangleNas(epochs=SMALL, alpha_lr=0.05, sampler=s) for s in ("drnas", "gdas", "darts")
}
SIZES: dict[str, tuple[str, Strategy]] = {
    **{f"tangle_{s}": (f"TangleNAS, {s.upper()} sampler", how) for s, how in TANGLED.items()},
    "tas": ("TAS, half the multiply-adds", Tas(epochs=SMALL, alpha_lr=0.05, distill=False)),
    "spos_sizes": ("SPOS, separate weights", Spos(epochs=SMALL)),
}
PRICED = 32  # cells whose training is timed
DRAWS = 4000  # random searches of each length


def kept(folder: Path, name: str, make: Callable[[], Any]) -> Any:
    """What a file holds, or made and written."""
    file = folder / f"{name}.json"
    if not file.exists():
        made = make()
        aside = file.with_suffix(".tmp")
        aside.write_text(json.dumps(made))
        aside.replace(file)
    return json.loads(file.read_text())


def problem(table: Table, seed: int) -> Problem:
    """The search of a table's networks on the images that they were trained on."""
    judge = {"name": "tabular", "knobs": {"table": table.name}}
    if table.rows < 15_625:  # a sample: what is found need not be in it
        judge = {"name": "trained", "knobs": {}}
    return cells.problem_of(table, seed, evaluator=judge)


def searched(strategy: Strategy, table: Table, seed: int) -> dict[str, Any]:
    """The arch that a search returns, and its processor seconds."""
    own = problem(table, seed)
    strategy.check(own)
    began, found = time.process_time(), ()
    for event in search(strategy, own):
        if isinstance(event, Chosen):
            found = event.arch
    return {"arch": list(found), "cpu_seconds": round(time.process_time() - began, 2)}


def accuracies(table: Table, arch: Sequence[int]) -> list[float]:
    """Test accuracies in percent of three trainings alone, as the table's networks were trained."""
    own, out = problem(table, 0), []
    for draw in range(3):
        tried = nested.end(own.evaluate([tuple(arch)], by=Trained(draw=draw)))
        out.append(100 * (1 - tried[0].metrics["test_error"]))
    return out


def price(table: Table, n: int) -> float:
    """Processor seconds of training one random network alone, at the fastest way there is here."""
    own = problem(table, 0)
    archs = [tuple(int(i) for i in table.archs[row]) for row in cells.some(table, n, 7)]
    began = time.process_time()
    nested.end(own.evaluate(archs, by=Trained()))
    return (time.process_time() - began) / n


def random_search(table: Table, n: int) -> np.ndarray:
    """(DRAWS,) rows that random search returns after n trainings, by validation accuracy of one of them."""
    frame = pq.read_table(table.folder / "runs.parquet", columns=["row", "seed", "val_accuracy"]).to_pandas()
    grid = frame.pivot(index="row", columns="seed", values="val_accuracy")
    trained = table.frame["trained_row"].to_numpy() if "trained_row" in table.frame else np.arange(table.rows)
    place = {int(row): i for i, row in enumerate(grid.index)}
    of_row = np.array([place[int(row)] for row in trained])
    values, rng = grid.to_numpy(), np.random.default_rng(n)
    out = []
    for i in range(DRAWS):
        drawn = rng.choice(table.rows, min(n, table.rows), replace=False)
        seen = values[of_row[drawn], i % values.shape[1]]
        out.append(drawn[np.nanargmax(seen)])
    return np.array(out)


def ranks(table: Table, accuracy: np.ndarray) -> np.ndarray:
    """1 + how many of the table's networks have a higher mean test accuracy, for each accuracy."""
    every = np.sort(table.values("test_accuracy"))
    return 1 + len(every) - np.searchsorted(every, accuracy + 1e-9, side="right")


def told(values: Sequence[float], digits: int) -> dict[str, float | int]:
    """A mean with its 95 % interval over seeds."""
    m = stats.mean(values)
    ends = {n: round(float(getattr(m, n)), digits) for n in ("value", "low", "high")}
    return {**ends, "n": m.n}


def row(table: Table, title: str, strategy: Strategy, found: list[dict[str, Any]], each: float) -> dict:
    """What a method comes to, beside random search with as many seconds."""
    if table.rows < 15_625:
        true = np.array([np.mean(f["accuracies"]) for f in found])
    else:
        true = table.value("test_accuracy", [f["arch"] for f in found])
    place, seconds = ranks(table, true), [f["cpu_seconds"] for f in found]
    n = max(1, round(float(np.mean(seconds)) / each))
    every = table.values("test_accuracy")
    taken = every[random_search(table, n)]
    return {
        "method": title,
        "strategy": codec.to_json(strategy),
        "seeds": len(found),
        "rank": told(place.tolist(), 0),
        "ranks": place.tolist(),
        "better_percent": told((100 * (place - 1) / table.rows).tolist(), 2),
        "test_accuracy": told(true.tolist(), 2),
        "cpu_seconds": round(float(np.mean(seconds)), 1),
        "random": {
            "networks": n,
            "rank": round(float(ranks(table, taken).mean())),
            "rank_90_percent": np.quantile(ranks(table, taken), [0.05, 0.95]).round().astype(int).tolist(),
            "test_accuracy": round(float(taken.mean()), 2),
        },
        "minus_random_points": told((true - taken.mean()).tolist(), 2),
    }


def part(args: argparse.Namespace, name: str, ways: dict[str, tuple[str, Strategy]]) -> dict[str, Any]:
    """All methods of a table."""
    table = open_table(name)
    ways = {key: way for key, way in ways.items() if not args.only or key in args.only}
    if not ways:
        return {"table": name, "methods": []}
    each = kept(args.keep, f"price_{name}", lambda: price(table, PRICED if table.rows == 15_625 else 6))
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(args.seeds):
        for key, (_, strategy) in ways.items():
            one = kept(args.keep, f"{key}-{seed}", lambda s=strategy, d=seed: searched(s, table, d))
            if table.rows < 15_625:
                own = kept(args.keep, f"{key}-{seed}-alone", lambda o=one: accuracies(table, o["arch"]))
                one = {**one, "accuracies": own}
            found.setdefault(key, []).append(one)
            print(name, key, seed, one, flush=True)
    every = table.values("test_accuracy")
    every = every[np.isfinite(every)]
    return {
        "table": name,
        "networks": table.rows,
        "cpu_seconds_of_a_training": round(each, 3),
        "random_network": {"rank": (table.rows + 1) / 2, "test_accuracy": round(float(every.mean()), 2)},
        "methods": [row(table, *ways[key], rows, each) for key, rows in found.items()],
    }


def main() -> None:
    """Searches what is not kept yet, and writes the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.keep.mkdir(parents=True, exist_ok=True)
    parts = [part(args, "nasbench_digits", CELLS), part(args, "natssize_digits", SIZES)]
    document = {
        "what": "True rank of what searches with shared weights return, mean over seeds with 95 % interval",
        "parts": parts,
    }
    args.out.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
