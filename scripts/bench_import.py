"""Importing an official NATS-Bench topology folder of any size: files a second, memory, and time to open.

    python scripts/bench_import.py SAMPLE [--files 15625] [--folder FOLDER]

SAMPLE is a folder of real files (`NATS-tss-v1_0-3ffb9-simple` with its meta file and at least one member).
Each member of the big folder is one of them under another official index and string, byte for byte the
publisher's pickle otherwise, compressed anew. It is made in a temporary folder, or kept in FOLDER. Prints one
JSON document. Memory is the sum of resident bytes of the importing process and its children, looked at ten
times a second; `memory_mb_at` gives its peak in each tenth of the import, so that growth would be seen.
"""

from __future__ import annotations

import argparse
import bz2
import json
import os
import pickletools
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[1]
META = "meta.pickle.pbz2"
LOOK_SECONDS = 0.1
Template = tuple[bytes, ...]  # what stands between the places of the architecture's string


def template(file: Path, archs: set[str]) -> Template:
    """A member's pickle cut at each mention of its own string; frames, which are optional, are taken out."""
    raw = bz2.decompress(file.read_bytes())
    parts, rest, last = [], b"", 0
    ops = [(op.name, arg, at) for op, arg, at in pickletools.genops(raw) if at is not None]
    ends = [at for _, _, at in ops[1:]] + [len(raw)]
    for (name, arg, at), end in zip(ops, ends, strict=True):
        if name == "FRAME" or (isinstance(arg, str) and arg in archs):
            rest += raw[last:at]
            last = end
            if name != "FRAME":
                parts, rest = [*parts, rest], b""
    return (*parts, rest + raw[last:])


def member(templates: list[Template], folder: Path, item: tuple[int, str]) -> None:
    """One file of the big folder."""
    index, arch = item
    file = folder / f"{index:06d}.pickle.pbz2"
    if not file.exists():
        text = arch.encode()
        aside = file.with_suffix(".new")
        aside.write_bytes(
            bz2.compress((b"\x8c" + bytes([len(text)]) + text).join(templates[index % len(templates)]))
        )
        aside.rename(file)


def make(sample: Path, folder: Path, files: int) -> None:
    """The big folder."""
    meta = (sample / META).read_bytes()
    archs = _official(meta)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / META).write_bytes(meta)
    members = sorted(f for f in sample.glob("*.pickle.pbz2") if f.name != META)
    templates = [template(f, set(archs)) for f in members]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        work = partial(member, templates, folder)
        for _ in pool.map(work, enumerate(archs[:files]), chunksize=16):
            pass


def _official(meta: bytes) -> list[str]:
    """The official strings in their order: texts of a topology cell in the meta file."""
    found = [a for _, a, _ in pickletools.genops(bz2.decompress(meta)) if isinstance(a, str)]
    return [a for a in found if a.count("+") == 2 and a.startswith("|")]


def watched(command: list[str], env: dict[str, str]) -> tuple[float, list[float], str]:
    """(seconds, resident megabytes of the process and its children at each look, what it printed)."""
    began, seen = time.monotonic(), []
    process = psutil.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    while process.poll() is None:
        seen.append(_resident(process) / 1e6)
        time.sleep(LOOK_SECONDS)
    seconds = time.monotonic() - began
    out = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"the import ended with {process.returncode}: {out[:500]}")
    return seconds, seen, out


def _resident(process: psutil.Process) -> int:
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


OPEN = """
import json, sys, time
from pathlib import Path
import pandas, pyarrow.compute, pyarrow.parquet
from nascore.benchmarks.table import open_table
def took(act):
    start, busy = time.perf_counter(), time.process_time()
    act()
    return [1000 * (time.perf_counter() - start), 1000 * (time.process_time() - busy)]
def first_query():
    found = open_table(sys.argv[1])
    metric = found.metrics[0]
    found.value(metric, found.archs[:10])
def whole():
    found = open_table(sys.argv[1])
    found.top(5, found.metrics[0])
    found.frame
found = open_table(sys.argv[1])
out = {"table.json": took(lambda: open_table(sys.argv[1]))}
out |= {"first_query": took(first_query), "all_columns": took(whole)}
print(json.dumps({"ms": out, "metrics": len(found.metrics), "rows": found.rows}))
"""


def opened(name: str, env: dict[str, str], repeats: int = 5) -> dict[str, Any]:
    """Milliseconds to open, [by the clock, of the processor], in fresh processes with libraries: medians."""
    found = []
    for _ in range(repeats):
        done = subprocess.run(
            [sys.executable, "-c", OPEN, name], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        found.append(json.loads(done.stdout))
    ms = {
        k: [round(statistics.median(f["ms"][k][i] for f in found), 1) for i in (0, 1)] for k in found[0]["ms"]
    }
    return {"metrics": found[0]["metrics"], "rows": found[0]["rows"], "open_ms": ms}


def measure(folder: Path, home: Path, files: int) -> dict[str, Any]:
    """Imports the folder and opens the result."""
    env = {**os.environ, "NASCOPE_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "nascore", "table", "import", str(folder), "--name", "big", "--json"]
    seconds, seen, out = watched(command, env)
    report = json.loads(out)
    tenth = max(1, -(-len(seen) // 10))
    place = home / "tables" / "big"
    return {
        "files": files,
        "rows": report["rows"],
        "skipped": report["skipped"],
        "folder_mb": round(sum(f.stat().st_size for f in folder.iterdir()) / 1e6, 1),
        "table_mb": round(sum(f.stat().st_size for f in place.iterdir()) / 1e6, 1),
        "seconds": round(seconds, 1),
        "files_per_second": round(files / seconds, 1),
        "peak_memory_mb": round(max(seen)),
        "memory_mb_at": [round(max(seen[i : i + tenth])) for i in range(0, len(seen), tenth)],
        **opened("big", env),
        "load_average": round(os.getloadavg()[0], 1),
    }


def main() -> None:
    """Reads the command line, makes, imports, prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sample", type=Path, help="a folder of real files of the topology space")
    parser.add_argument("--files", type=int, default=15_625)
    parser.add_argument("--folder", type=Path, help="keep the big folder here, and use what is there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = args.folder or Path(made) / "NATS-tss-big-simple"
        make(args.sample, folder, args.files)
        home = Path(made) / "home"
        print(json.dumps(measure(folder, home, args.files), indent=1))
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
