"""Do our scores rank NAS-Bench-201's cells as published ones do?

The cells are those whose scores NAS-Bench-Suite-Zero published for CIFAR-10 (batch of 32, the official
skeleton), so ours and theirs are compared cell by cell on the same cells, the truth being the benchmark's
validation accuracy. zero-cost-nas published Spearman's rho on all 15,625 cells; those figures stand beside.
The former's cells are no fair sample of all: their accuracies spread less.

Six ways: `published` starts networks as PyTorch does and shows them 32 pictures of CIFAR-10, as both
libraries did; `start` takes this program's first weights (He et al.) instead; `few` shows 20 pictures, which
makes GraSP cheaper, and `whole` does the same with cells drawn from all; `digits` shows scikit-learn's digits
at 32x32, `whole_digits` the same with cells drawn from all. What differs between them is due to that alone:
Fisher's rank correlation follows the pictures. CIFAR-10 is not in this project: `--images` is a folder with a
folder of pictures for each class, without which only the two with digits can be done. Half a CPU second a
cell and way, one more with GraSP. Scores are kept in `--keep` and a later call goes on with them.

`python scripts/check_proxies.py nb201_topology.parquet zc_nasbench201.parquet [--images FOLDER]`: the first
with arch_str, dataset and val_acc_200_single, the second with dataset, arch_str and a column a score.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import torch
from PIL import Image

from nascore.chunk import fresh
from nascore.evaluators.zero_cost import ZeroCost
from nascore.measures.agreement import Measured, agreements, difference
from nascore.problem import Problem
from nascore.proxies import PROXIES
from nascore.proxies.fisher import Fisher
from nascore.proxies.look import scores
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import parse, tuples
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Batch, Shape
from nascore.tasks.images import Digits

NEAR, BATCH, SIDE = 0.05, 32, 32
ALL, SOME = "15,625 cells of zero-cost-nas", "725 cells of NAS-Bench-Suite-Zero"
PUBLISHED = {  # Spearman's rho with CIFAR-10 accuracy
    "params": (0.738, SOME),
    "flops": (0.711, SOME),
    "flops_wide": (0.711, SOME),
    "synflow": (0.737, ALL),
    "grad_norm": (0.594, ALL),
    "snip": (0.596, ALL),
    "grasp": (0.514, ALL),
    "fisher": (0.360, ALL),
    "fisher_weights": (0.360, ALL),
    "jacob_cov": (0.731, ALL),
    "naswot": (0.787, SOME),
}
THEIRS = {"flops_wide": "flops", "fisher_weights": "fisher", "jacob_cov": "jacov", "naswot": "nwot"}
LOOKED = ("l2_norm", "plain", "grad_norm", "snip", "fisher", "synflow", "jacob_cov", "naswot")
MADE = {**{n: PROXIES[n]() for n in (*LOOKED, "grasp")}, "fisher_weights": Fisher(per="weight")}
COUNTED = ("params", "flops", "flops_wide")  # on all cells that have published scores
ACTIVATIONS = 5 * (16 * 32 * 32 + 32 * 16 * 16 + 64 * 8 * 8)  # of one edge, in all 15 cells
MEAN, SPREAD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)  # of CIFAR-10's three colors
WORST = -1e8  # what NAS-Bench-Suite-Zero writes where a score is not a number
NOTES = {
    "flops_wide": "multiply-adds and what the other table counts too: 3 operations an activation for ReLU "
    "and batch norm after each convolution, 9 an activation for pooling",
    "fisher_weights": "each channel once for each of its weights, as in both libraries",
}
SHOWN = {"flops_wide": "flops, norms, ReLU and pools too", "fisher_weights": "fisher, once a weight"}


@dataclass(frozen=True)
class Way:
    """How networks start, and which and how many images they see."""

    start: str
    images: str
    number: int = BATCH
    whole: bool = False  # cells are drawn from all, not from those with published scores


WAYS = {
    "published": Way("PyTorch's", "CIFAR-10"),
    "start": Way("this program's", "CIFAR-10"),
    "few": Way("PyTorch's", "CIFAR-10", 20),
    "whole": Way("PyTorch's", "CIFAR-10", 20, whole=True),
    "digits": Way("PyTorch's", "digits"),
    "whole_digits": Way("PyTorch's", "digits", whole=True),
}


class Colored(Digits):
    """Its loss and the shape of CIFAR-10's images."""

    @property
    def shape(self) -> Shape:
        """32x32 in three colors."""
        return Shape((("image", (3, SIDE, SIDE)),), (("class", 10),))


def pictures(folder: Path, number: int) -> Batch:
    """The first pictures of each class in turn, each color with CIFAR-10's mean and spread taken out."""
    kinds = sorted(f for f in folder.iterdir() if f.is_dir())
    ranks = zip_longest(*(sorted(k.iterdir())[:number] for k in kinds))
    files = [(file, y) for rank in ranks for y, file in enumerate(rank) if file is not None][:number]
    if len(files) < number:
        raise SystemExit(f"{folder} holds {len(files)} pictures, {number} are needed; --ways few needs 20")
    x = np.stack([np.asarray(Image.open(f).convert("RGB"), np.float32) / 255 for f, _ in files])
    x = ((x - np.array(MEAN)) / np.array(SPREAD)).astype(np.float32)
    y = torch.tensor([y for _, y in files])
    return Batch(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), y, torch.arange(len(files)))


def enlarged(task: Digits) -> Batch:
    """The first digits, four times as large, in three equal colors."""
    whole: Any = task.whole("train")
    x = torch.nn.functional.interpolate(whole.x[:BATCH], size=SIDE, mode="bilinear")
    return Batch(x.repeat(1, 3, 1, 1), whole.y[:BATCH], whole.index[:BATCH])


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    """In a random order that is always the same."""
    return frame.sort_values("arch_str").sample(frac=1, random_state=0, ignore_index=True)


def every_cell(truth: Path) -> pd.DataFrame:
    """All cells with the benchmark's validation accuracy."""
    known = pq.read_table(truth, columns=["arch_str", "dataset", "val_acc_200_single"]).to_pandas()
    return shuffled(known[known["dataset"] == "cifar10"].drop(columns="dataset"))


def scored_cells(known: pd.DataFrame, theirs: Path) -> pd.DataFrame:
    """Those that have published scores, with them."""
    told = pq.read_table(theirs).to_pandas()
    told = told[(told["dataset"] == "cifar10") & told["snip"].notna()].drop_duplicates("arch_str")
    return shuffled(told.merge(known, on="arch_str"))


def network(problem: Problem, text: str, start: str) -> Any:
    """The cell's network; PyTorch's own first weights have a seed for each cell."""
    net: Any = fresh(problem, parse(problem.space, text))
    if start == "PyTorch's":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(text.encode()))
            for layer in net.modules():
                if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
                    layer.reset_parameters()
    return net


def scored(problem: Problem, texts: Sequence[str], way: Way, batch: Batch, kept: Path, grasp: int) -> Any:
    """(cells, looked at) scores; those of the file `kept` are not made again."""
    lines = kept.read_text().splitlines() if kept.is_file() else []
    known: dict[str, dict[str, float]] = {}
    for line in map(json.loads, lines):
        known.setdefault(line.pop("arch_str"), {}).update(line)
    for i, text in enumerate(texts):
        asked = {
            n: p for n, p in MADE.items() if n not in known.get(text, {}) and (n != "grasp" or i < grasp)
        }
        if asked:
            found = scores(asked, [network(problem, text, way.start)], batch, problem)
            row = {n: float(v[0]) for n, v in found.items()}
            known.setdefault(text, {}).update(row)
            with kept.open("a") as file:
                file.write(json.dumps({"arch_str": text, **row}) + "\n")
    return np.array([[known[t].get(n, np.nan) for n in MADE] for t in texts])


def counted(problem: Problem, texts: Sequence[str]) -> Any:
    """(cells, 3) params, multiply-adds, and operations as the other table counts them."""
    costs = problem.costs(tuples([parse(problem.space, t) for t in texts]))
    wide = np.array([3 * t.count("nor_conv") + 9 * t.count("avg_pool") for t in texts])
    return np.stack([costs["params"], costs["flops"], costs["flops"] + ACTIVATIONS * wide], 1)


def told(found: Any) -> dict[str, float]:
    """An interval's numbers, rounded."""
    return {n: round(float(getattr(found, n)), 3) for n in ("value", "low", "high")}


def row(name: str, ours: np.ndarray, frame: pd.DataFrame) -> dict[str, Any]:
    """One score with the accuracies; where each cell has a published one, also that and their difference."""
    known = np.isfinite(ours)
    truth = frame["val_acc_200_single"].to_numpy(np.float64)[known]

    def rho(a: np.ndarray, b: np.ndarray) -> Measured:
        return agreements(a, b, ("spearman",))["spearman"]

    mine = rho(ours[known], truth)
    out: dict[str, Any] = {"proxy": name, "n": int(known.sum()), "ours": told(mine.interval())}
    if (theirs := THEIRS.get(name, name)) in frame:
        listed = frame[theirs].to_numpy(np.float64)[known]
        listed = np.where(np.isfinite(listed), listed, WORST)
        other = rho(listed, truth)
        out |= {
            "theirs_on_these_cells": told(other.interval()),
            "ours_minus_theirs": told(difference(mine, other)),
            "ours_with_theirs": told(rho(ours[known], listed).interval()),
        }
    if name in PUBLISHED:
        said, where = PUBLISHED[name]
        out |= {"published": said, "of": where, "within_0.05": abs(mine.value - said) <= NEAR}
    return out | ({"note": NOTES[name]} if name in NOTES else {})


def shown(out: dict[str, Any]) -> list[dict[str, Any]]:
    """Our correlations beside the printed ones, as the page has them; GraSP's where it has most cells."""
    lines = [(r, "counted") for r in out["without_a_network"]]
    for way in out["ways"].values():
        saw = f"{way['start']} start, {way['pictures']} images of {way['images']}"
        saw += ", cells drawn from all" if way.get("whole") else ""
        lines += [(r, saw) for r in way["proxies"] if r["proxy"] != "grasp" or r["n"] >= way["cells"]]
    return [
        {
            "text": f"{SHOWN.get(r['proxy'], r['proxy'])}, {saw}",
            "measured": r["ours"]["value"],
            "interval": [r["ours"]["low"], r["ours"]["high"]],
            "n": r["n"],
            "printed": r.get("published"),
        }
        for r, saw in lines
    ]


def main() -> None:
    """Scores the cells in each way asked for and compares."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("truth", type=Path)
    parser.add_argument("theirs", type=Path)
    parser.add_argument("--images", type=Path, help="folder with a folder of pictures for each class")
    parser.add_argument("--ways", default=",".join(WAYS))
    parser.add_argument("--cells", type=int, default=300)
    parser.add_argument(
        "--grasp", type=int, default=0, help="on how many of the cells, in the first way asked"
    )
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "nascope-proxies")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "checks" / "proxies_nasbench201.json")
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.keep.mkdir(parents=True, exist_ok=True)
    problem = Problem(Nasbench201(5, 16, 3, 1), Colored(), SgdCosine(), ZeroCost())
    known = every_cell(given.truth)
    listed = scored_cells(known, given.theirs)
    numbers = counted(problem, listed["arch_str"].tolist())
    free = [row(n, numbers[:, i], listed) for i, n in enumerate(COUNTED)]
    out = json.loads(given.out.read_text()) if given.out.is_file() else {}
    ways = out.get("ways", {})
    for i, name in enumerate(given.ways.split(",")):
        way = WAYS[name]
        if way.images == "CIFAR-10" and given.images is None:
            print(f"{name}: needs --images", file=sys.stderr)
            continue
        batch = pictures(given.images, way.number) if way.images == "CIFAR-10" else enlarged(problem.task)  # type: ignore[arg-type]
        grasp = 0 if i else given.grasp
        frame = (known if way.whole else listed).head(given.cells)
        values = scored(problem, frame["arch_str"].tolist(), way, batch, given.keep / f"{name}.jsonl", grasp)
        rows = [
            row(n, own, frame) for n, own in zip(MADE, values.T, strict=True) if np.isfinite(own).sum() > 9
        ]
        about = {"start": way.start, "images": way.images, "pictures": len(batch.x), "cells": len(frame)}  # type: ignore[arg-type]
        about |= {"whole": way.whole}
        ways[name] = {**about, "proxies": rows}
    what = "Spearman's rho of scores with validation accuracy on CIFAR-10 after 200 epochs, NAS-Bench-201"
    out = {"what": what, "networks": "C = 16, N = 5, 32x32, one start each"}
    out |= {"without_a_network": free, "ways": ways}
    out |= {"study": "gradsign", "rows": shown(out)}
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
