"""How soon Compare answers: 20 runs of 300 evaluations on the shipped table, the script without a browser.

python scripts/bench_compare.py [RUNS_A_METHOD]

Four strategies with five seeds each search for real. Then each question is asked of the page: seconds by the
clock and by the processor, which others may use too; medians of a few, and the first time alone, when nothing
is kept yet. What the browser needs to draw comes on top.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import streamlit as st
from streamlit.testing.v1 import AppTest

from nascore.events import Life
from nascore.problem import search
from nascore.runs import launch
from nascore.runs.journal import Journal
from nascore.runs.spec import from_document

STRATEGIES = ("random_search", "regularized_evolution", "local_search", "nsga2")
SPACE = {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}}
EVALUATIONS, TIMES = 300, 5
QUESTIONS: dict[str, dict[str, str]] = {
    "at first": {},
    "test error": {"by": "test_error"},
    "over simulated seconds": {"over": "simulated_seconds"},
    "band of the mean": {"band": "interval"},
    "hypervolume": {"by": "hypervolume"},
}


def made(strategy: str, seed: int) -> str:
    """A run in this process, as a worker would write it."""
    document = {
        "v": 1,
        "space": SPACE,
        "evaluator": "tabular",
        "strategy": strategy,
        "objectives": [["error", "min"], ["params", "min"]],
        "budget": {"evaluations": EVALUATIONS},
        "seed": seed,
    }
    spec, run = from_document(document), launch.new_id()
    folder = launch.home() / "runs" / run
    folder.mkdir(parents=True)
    (folder / "spec.json").write_text(json.dumps(spec.to_json()))
    journal, problem = Journal(folder), spec.problem()
    journal.append(Life("Started"))
    for event in search(spec.strategy, problem):
        journal.append(event)
    journal.append(Life("Finished"))
    journal.close()
    return run


def ask(at: AppTest, query: dict[str, str]) -> tuple[float, float]:
    """Seconds by the clock and by the processor until the page has answered."""
    for name, value in query.items():
        at.query_params[name] = value
    begun, used = time.perf_counter(), time.process_time()
    at.run()
    if at.exception:
        raise SystemExit(at.exception[0].value)
    return time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    """Makes the runs, asks, prints."""
    seeds = int(sys.argv[1]) if sys.argv[1:] else 5
    with tempfile.TemporaryDirectory() as home:
        os.environ["NASCOPE_HOME"] = home
        runs = [made(strategy, seed) for strategy in STRATEGIES for seed in range(seeds)]
        at = AppTest.from_file(str(ROOT / "pages" / "main.py"), default_timeout=120)
        at.run()
        at.switch_page("compare.py")
        ask(at, {"runs": ",".join(runs)})  # imports
        st.cache_resource.clear()
        print(f"{len(runs)} runs of {EVALUATIONS}, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        clock, used = ask(at, {"runs": ",".join(runs)})
        print(f"  nothing kept: {clock:.2f} s, of the processor {used:.2f} s")
        for name, query in QUESTIONS.items():
            for key in ("by", "over", "band"):
                at.query_params.pop(key, None)
            first = ask(at, query)
            found = [ask(at, query) for _ in range(TIMES)]
            clock, used = (statistics.median(f[i] for f in found) for i in (0, 1))
            print(
                f"  {name}: {clock:.2f} s, of the processor {used:.2f} s; "
                f"the first time {first[0]:.2f} and {first[1]:.2f} s",
                flush=True,
            )
        st.cache_resource.clear()


if __name__ == "__main__":
    main()
