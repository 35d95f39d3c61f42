"""Makes the shipped benchmark tables from nothing. Resumable; safe to stop at any time.

python scripts/make_data.py train nasbench_digits --folder PARTS     on two processes
python scripts/make_data.py score nasbench_digits --folder PARTS     zero-cost scores, on two processes
python scripts/make_data.py time nasbench_digits --folder PARTS      latency, on a machine left alone
python scripts/make_data.py clock nasbench_digits                    what a score costs, into the table
python scripts/make_data.py write nasbench_digits --folder PARTS     the table in data/tables
python scripts/make_data.py write nasbench_digits --folder PARTS --extend     adds seeds and scores made since
python scripts/make_data.py report nasbench_digits                   how far its numbers can be trusted
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from nascore.benchmarks import build, logits, made, table
from nascore.chunk import fresh, one_batch
from nascore.codec import to_json
from nascore.kinds import EvaluationProtocol
from nascore.measures.hardware import Hardware
from nascore.proxies import PROXIES
from nascore.proxies.look import Looking, look, scores
from nascore.runs.spec import from_document
from nascore.space import Arch, enumerate_archs, key, parse, tuples
from nascore.spaces.nasbench201 import Nasbench201

TOGETHER, TIMED_TOGETHER, FLOOR = 64, 1024, 1e9
CLOCKED = 40  # networks whose scores are timed
CLOSE_SEEDS = (
    3  # so many seeds have random scores and confidence histograms: those of all would not fit in git
)
FLOOR_SECONDS = (0.05, 0.07)  # a training at the speed of matrix products and memory, as estimated beforehand
PROXY_COLUMNS = {
    "synflow": "Synflow",
    "naswot": "NASWOT",
    "grad_norm": "Gradient norm",
    "l2_norm": "Weight norm",
    "plain": "Weight times gradient",
    "snip": "SNIP",
    "grasp": "GraSP",
    "fisher": "Fisher information",
    "jacob_cov": "Jacobian covariance",
    "zen": "Zen-score",
    "gradsign": "GradSign",
    "diswot": "DisWOT",
}
SEEDLESS = {"zen"}  # draws weights and images of its own: every seed has the same score


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
        tuple(range(8)),
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
    "natssize_digits": Made(
        {
            "space": {"name": "nats_size", "knobs": {"stem_stride": 2}},
            "task": "digits",
            "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 5, "batch": 64, "lr": 0.1}},
        },
        (0, 1, 2),
        1024,
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


def run(
    what: str, name: str, folder: Path, seeds: tuple[int, ...], processes: int, only: Sequence[str] = ()
) -> None:
    """The whole training or scoring on several processes; notes what all of it took, over restarts too."""
    began, cpu = time.time(), os.times()
    command = [sys.executable, __file__, what, name, "--folder", str(folder), "--of", str(processes)]
    extra = ["--seeds", *map(str, seeds)] if seeds else []
    extra += ["--only", *only] if only else []
    children = [subprocess.Popen([*command, *extra, "--turn", str(i)]) for i in range(processes)]
    codes = [c.wait() for c in children]
    used = os.times()
    spent = used.children_user + used.children_system - cpu.children_user - cpu.children_system
    before = noted(folder)
    build.note(
        folder,
        **{
            f"{what}_seconds": before.get(f"{what}_seconds", 0.0) + time.time() - began,
            f"{what}_cpu_seconds": before.get(f"{what}_cpu_seconds", 0.0) + spent,
        },
    )
    if any(codes):
        raise SystemExit(f"a process ended with {codes}")


def noted(folder: Path) -> dict[str, Any]:
    """What is known of the making of these parts."""
    file = folder / "made.json"
    return json.loads(file.read_text()) if file.exists() else {}


def score(name: str, folder: Path, only: list[str], turn: int, of: int) -> None:
    """One process's share of the zero-cost scores of every class, of all proxies or only some; resumable."""
    import torch

    torch.set_num_threads(1)
    problem, todo = plan(name)
    archs = list(dict.fromkeys(a for p in todo for a in p.archs))
    names = only or list(PROXY_COLUMNS)
    for seed in TABLES[name].seeds[:CLOSE_SEEDS]:
        mine = replace(problem, seed=seed)
        asked = [n for n in names if not seed or n not in SEEDLESS]
        for i in list(range(0, len(archs), TOGETHER))[turn::of]:
            some = archs[i : i + TOGETHER]
            _kept(
                folder / f"proxies-{seed}-{i:05d}.json",
                lambda mine=mine, some=some, asked=asked: {"scores": _proxies(mine, some, asked)},
            )


def latencies(name: str, folder: Path) -> None:
    """Latency of every different live network; resumable."""
    import torch

    torch.set_num_threads(1)
    problem, todo = plan(name)
    wanted = {problem.space.canonical(a) for p in todo for a in p.archs}
    every = tuples(enumerate_archs(problem.space))
    alive = sorted({live(problem, a) for a in every if problem.space.canonical(a) in wanted})
    for i in range(0, len(alive), TIMED_TOGETHER):
        _kept(folder / f"latency-{i:05d}.json", lambda i=i: _latency(problem, alive[i : i + TIMED_TOGETHER]))


def _kept(file: Path, compute: Callable[[], dict[str, Any]]) -> None:
    if not file.exists():
        aside = file.with_suffix(".tmp")
        aside.write_text(json.dumps(compute()))
        aside.replace(file)
        print(file.name, flush=True)


def live(problem: Any, arch: Arch) -> Arch:
    """The arch with its dead edges set to the first option, none: what its built network consists of."""
    if not isinstance(problem.space, Nasbench201):
        return arch
    return tuple(i if on else 0 for i, on in zip(arch, problem.space.cell.live(arch), strict=True))


def _proxies(problem: Any, archs: list[Arch], names: Sequence[str]) -> dict[str, Any]:
    """Key of an arch -> proxy -> its score, with the first weights of the problem's seed."""
    build, batch = problem.space.builder(problem.task.shape), one_batch(problem, 64)
    nets = (fresh(problem, a, build) for a in archs)
    found = {n: v.tolist() for n, v in scores({n: PROXIES[n]() for n in names}, nets, batch, problem).items()}
    return {key(problem.space, a): {n: v[i] for n, v in found.items()} for i, a in enumerate(archs)}


def clock(name: str) -> None:
    """Writes into a table what its zero-cost columns cost: median CPU seconds over a spread of networks."""
    import torch

    torch.set_num_threads(1)
    known, problem = table.open_table(name), from_document(TABLES[name].document).problem()
    archs = [parse(problem.space, k) for k in known.frame["key"][:: max(known.rows // CLOCKED, 1)]][:CLOCKED]
    names = [n for n in PROXIES if n in known.columns]
    found = {n: float(f"{statistics.median(_alone(problem, archs, n)):.3g}") for n in names}
    file = known.folder / "table.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "seconds_per_arch": found}, indent=1))
    print(json.dumps(found, indent=1))


def _alone(problem: Any, archs: list[Arch], name: str) -> list[float]:
    """CPU seconds of a proxy's score of each network, with building it, as if no other were asked for.

    What serves every network, such as a teacher, is not counted; sizes are counted without a network.
    """
    proxy, batch, out = PROXIES[name](), one_batch(problem, 64), []
    read = proxy.reader(batch, problem) if isinstance(proxy, Looking) else None
    for arch in archs:
        begin = time.process_time()
        if getattr(proxy, "counted", ""):
            problem.costs([arch])
        elif read:
            read(look(fresh(problem, arch), batch, problem, proxy.needs))
        else:
            proxy.score([fresh(problem, arch)], batch, problem)
        out.append(time.process_time() - begin)
    return out


def _latency(problem: Any, archs: list[Arch]) -> dict[str, float]:
    found = Hardware(batch=8, rounds=15).latency(archs, problem)
    return {key(problem.space, a): f.latency_ms for a, f in zip(archs, found, strict=True)}


def columns(problem: Any, folder: Path) -> list[tuple[table.Column, dict[str, float]]]:
    """The columns that were measured beside the training, as far as they are there: key -> value."""
    space, data = problem.space, problem.task.data
    every = tuples(enumerate_archs(space))
    leader = {key(space, a): key(space, space.canonical(a)) for a in every}
    known = scored(folder)
    out = []
    for name, title in PROXY_COLUMNS.items():
        by_seed = [k for k in ({c: v[name] for c, v in one.items() if name in v} for one in known) if k]
        by_seed = [k for k in by_seed if len(k) == max(map(len, by_seed))]  # seeds that are finished
        # at its floor a score says that there is none: naswot of networks that tell no images apart
        mean = {
            c: statistics.fmean(k[c] for k in by_seed)
            for c in (by_seed[0] if by_seed else ())
            if min(k[c] for k in by_seed) > -FLOOR
        }
        many = f"{len(by_seed)} seed{'s' * (len(by_seed) != 1)}"
        protocol = EvaluationProtocol(data, "no training", 0, many, "NAScope, 64 training images")
        values = {k: mean[c] for k, c in leader.items() if c in mean}
        out.append((table.Column(name, title, "", "max", protocol), values))
    times: dict[str, float] = {}
    for file in sorted(folder.glob("latency-*.json")):
        times |= json.loads(file.read_text())
    how = "batch of 8, median CPU time of 12 to 15 shuffled rounds"
    protocol = EvaluationProtocol(f"1 core of {machine()}", "", 0, "", how)
    values = {key(space, a): times[k] for a in every if (k := key(space, live(problem, a))) in times}
    out.append((table.Column("latency_ms", "Latency of 8 images", "ms", "min", protocol), values))
    return [(c, v) for c, v in out if v]


def scored(folder: Path) -> list[dict[str, dict[str, float]]]:
    """Of each seed: key of an arch -> proxy -> its score."""
    known: dict[str, dict[str, Any]] = {}
    for file in sorted(folder.glob("proxies-*.json")):
        known.setdefault(file.name.split("-")[1], {}).update(json.loads(file.read_text())["scores"])
    return list(known.values())


def machine() -> str:
    """The processor's name, as the kernel tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def write(name: str, folder: Path, seeds: tuple[int, ...], extend: bool) -> None:
    """The table in data/tables, of all parts that are finished.

    Extending keeps what the table has and adds what is there: further seeds, further measured columns.
    """
    problem, todo = plan(name, seeds)
    beside = columns(problem, folder)
    found = build.gather(folder, todo, problem.space)
    new = _new(problem, folder, todo, found) if found else None
    clocks: dict[str, float] = {}  # `clock` measures them in the table
    if extend:
        before = table.open_table(name)
        clocks = before.about.get("seconds_per_arch", {})
        told, bins, spent = _with(before, new)
        names = {c.name for c, _ in beside}
        beside = [*(b for b in measured(before) if b[0].name not in names), *beside]
    elif new is None:
        raise SystemExit(f"{folder}: no part of {name} is finished")
    else:
        told, bins, spent = new
    about = {
        "shipped": True,
        "source": f"trained by NAScope {version()}: {describe(problem, told)}",
        "licence": "Apache-2.0",
        "task": to_json(problem.task),
        "recipe": to_json(problem.recipe),
        "seeds": sorted(set(told.seeds.tolist())),
        "machine": machine(),
        "cpu_seconds_per_training": round(spent, 3),
        "seconds_per_arch": clocks,
        "histograms": f"bins.parquet: of the first {CLOSE_SEEDS} seeds",
    }
    draft = made.draft(problem, told, to_json(problem.space), beside, about)
    file = ROOT / "data" / "tables" / name / logits.FILE
    said = file.read_bytes() if file.exists() else b""
    done = table.write_table(draft, name, ROOT / "data", replace=True)
    if said:
        file.write_bytes(said)  # of networks trained once more, see make_logits.py
    pq.write_table(bins, done.folder / "bins.parquet", compression="zstd", compression_level=19)
    bytes_ = sum(f.stat().st_size for f in done.folder.iterdir())
    print(f"{name}: {done.rows:,} architectures, {len(told.seeds):,} trainings, {bytes_ / 1e6:.1f} MB")


def _new(problem: Any, folder: Path, todo: list[build.Part], found: Any) -> tuple[made.Trainings, Any, float]:
    """Trainings of finished parts, their histograms, CPU seconds of one."""
    labels = problem.task.whole("test").y.numpy()
    told = made.trainings(found, folder, todo, labels)
    spent = noted(folder).get("train_cpu_seconds", float("nan")) / len(told.seeds)
    close = found["seed"] < CLOSE_SEEDS
    return told, made.bins({n: v[close] for n, v in found.items()}), spent


def _with(before: table.Table, new: Any) -> tuple[made.Trainings, Any, float]:
    """The same of a table and what is new; its histograms stay, unless every seed of it is there anew."""
    known, bins = made.kept(before.folder), pq.read_table(before.folder / "bins.parquet")
    then = before.about["cpu_seconds_per_training"]
    if new is None:
        return known, bins, then
    if set(known.seeds.tolist()) <= set(new[0].seeds.tolist()):
        return new
    n, m = len(known.seeds), len(new[0].seeds)
    return made.together(known, new[0]), bins, (then * n + new[2] * m) / (n + m)


def measured(known: table.Table) -> list[tuple[table.Column, dict[str, float]]]:
    """The columns of a table that were measured beside the training."""
    names = {*PROXY_COLUMNS, "latency_ms"}
    keys_ = known.frame["key"].tolist()
    return [
        (c, {k: v for k, v in zip(keys_, known.values(c.name).tolist(), strict=True) if v == v})
        for c in known.columns.values()
        if c.name in names
    ]


def report(name: str) -> None:
    """Prints how well seeds agree on validation and test accuracy, and what a training costs, as JSON."""
    known = table.open_table(name)
    runs = known.whole("runs")
    out: dict[str, Any] = {"table": name, "trainings": len(runs)}
    for metric in ("val_accuracy", "test_accuracy"):
        grid = runs.pivot_table(index="row", columns="seed", values=metric).to_numpy()
        out[metric] = made.agreement(grid)
    spent = known.about["cpu_seconds_per_training"]
    out["cpu_seconds_per_training"] = spent
    out["share_of_the_floor"] = [round(f / spent, 2) for f in FLOOR_SECONDS]
    print(json.dumps(out, indent=1))


def describe(problem: Any, told: made.Trainings) -> str:
    """Data, epochs, seeds and classes in words."""
    n, seeds = len(set(told.arch_keys.tolist())), len(set(told.seeds.tolist()))
    many = f"{seeds} seed{'s' * (seeds > 1)}"
    return f"{problem.task.data}, {problem.recipe.epochs} epochs, {many}, {n:,} classes of equal networks"


def version() -> str:
    """The program's version."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["train", "score", "time", "clock", "write", "report"])
    parser.add_argument("name", choices=sorted(TABLES))
    parser.add_argument("--folder", type=Path, default=Path("parts"), help="where the parts are kept")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="other seeds than the table's")
    parser.add_argument("--only", nargs="*", default=[], choices=list(PROXY_COLUMNS), help="proxies to score")
    parser.add_argument("--extend", action="store_true", help="keep what the table has, add these seeds")
    parser.add_argument("--turn", type=int, default=-1, help="this process's number; -1 starts them all")
    parser.add_argument("--of", type=int, default=2, help="processes")
    args = parser.parse_args()
    seeds = tuple(args.seeds)
    match args.what:
        case "time":
            latencies(args.name, args.folder)
        case "clock":
            clock(args.name)
        case "write":
            write(args.name, args.folder, seeds, args.extend)
        case "report":
            report(args.name)
        case _ if args.turn < 0:
            run(args.what, args.name, args.folder, seeds, args.of, args.only)
        case "score":
            score(args.name, args.folder, args.only, args.turn, args.of)
        case _:
            train(args.name, args.folder, seeds, args.turn, args.of)


if __name__ == "__main__":
    main()
