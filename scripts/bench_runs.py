"""Kills a search's worker with -9 at random moments, resumes it each time, and compares with an unbroken run.

Prints one JSON document of counts. Wanted: the same architectures in the same order, the same numbers apart
from measured times, 0 recorded results lost, 0 evaluated twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore.locks import holder
from nascore.runs import launch
from nascore.runs.journal import NAME, Reader
from nascore.runs.spec import RunSpec, open_spec

CHANGES = ("recipe.epochs=4", "budget.evaluations=60", "strategy.population=12", "strategy.children=4")
MEASURED = ("train_seconds", "latency_ms", "latency_spread_ms")
KILLS_A_RUN = 5
START_SHARE, TRAIN_SECONDS = 0.25, 4.0  # one kill in four falls into the start of the worker


def tried(run: str) -> list[dict[str, Any]]:
    """What the journal holds of architectures, in its order."""
    return [r for r in Reader(launch.folder(run) / NAME).read() if r["kind"] == "Tried"]


def told(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what a clock measured."""
    metrics = {k: v for k, v in row["metrics"].items() if k not in MEASURED}
    return {**{k: row[k] for k in ("arch", "how", "parents", "failed", "curve")}, "metrics": metrics}


def kill_once(run: str, rng: random.Random) -> bool:
    """Kills the run's worker at a random moment of its life; False where it ended before."""
    lock = launch.folder(run) / "lock"
    if rng.random() < START_SHARE:
        end = time.monotonic() + rng.uniform(0.0, 2.0)
    else:
        wait_started(run)
        end = time.monotonic() + rng.uniform(0.0, TRAIN_SECONDS)
    while time.monotonic() < end and holder(lock) is not None:
        time.sleep(0.002)
    pid = holder(lock)
    if pid is None:
        return False
    os.kill(pid, signal.SIGKILL)
    launch.ended(run, 10)
    return True


def wait_started(run: str) -> None:
    """Until this life has a slot and its imports behind it, or has ended."""
    while launch.is_live(run) and launch.last_life(run) != "Started":
        time.sleep(0.01)


def broken_run(spec: RunSpec, kills: int, rng: random.Random) -> tuple[str, int, int]:
    """A run, killed up to `kills` times: its id, kills that met it, recorded results that were lost."""
    run, done, lost = launch.start(spec), 0, 0
    while done < kills and kill_once(run, rng):
        done += 1
        before = tried(run)
        launch.resume(run)
        lost += before != tried(run)[: len(before)]
    launch.ended(run, 300)
    return run, done, lost


def main() -> int:
    """Runs everything and prints the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    rng = random.Random(given.seed)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        os.environ["NASCOPE_HOME"] = home
        spec = open_spec("quick", CHANGES)
        unbroken = launch.start(spec)
        launch.ended(unbroken, 300)
        wanted = [told(r) for r in tried(unbroken)]
        found = {"seed": given.seed, "kills": 0, "runs": 0, "lost": 0, "evaluated_twice": 0}
        found |= {"evaluations": len(wanted), "same_order": True, "same_numbers": True, "finished": True}
        while found["kills"] < given.kills:
            run, kills, lost = broken_run(spec, min(given.kills - found["kills"], KILLS_A_RUN), rng)
            rows = tried(run)
            archs = [(r["how"], tuple(r["arch"])) for r in rows]
            found["kills"] += kills
            found["runs"] += 1
            found["lost"] += lost
            found["evaluated_twice"] += len(archs) - len(set(archs))
            found["same_order"] &= [r["arch"] for r in rows] == [r["arch"] for r in wanted]
            found["same_numbers"] &= [told(r) for r in rows] == wanted
            found["finished"] &= launch.last_life(run) == "Finished"
    found["seconds"] = round(time.monotonic() - start, 1)
    print(json.dumps(found))
    good = all(found[k] for k in ("same_order", "same_numbers", "finished"))
    return 0 if good and not found["lost"] + found["evaluated_twice"] else 1


if __name__ == "__main__":
    sys.exit(main())
