"""Counts the modules of NAS-Bench-101 in two ways: by the app's own rule, and one by one.

    python scripts/count_nasbench101.py [--nodes N]

The second way lists every graph with every labeling, as the benchmark's authors did, and keeps one of each
official hash. It takes about a minute for 6 nodes and much longer for 7; the first way takes a second.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator

from nascore.spaces.nasbench101 import INPUT, OPERATIONS, OUTPUT, Matrix, module_hash
from nascore.spaces.nasbench101_count import unique, whole

MOST_EDGES = 9


def modules(nodes: int) -> Iterator[tuple[Matrix, tuple[str, ...]]]:
    """Every module of exactly so many nodes, equal ones more than once."""
    pairs = [(s, t) for s in range(nodes) for t in range(s + 1, nodes)]
    for code in whole(nodes, MOST_EDGES).tolist():
        on = {pair for j, pair in enumerate(pairs) if code >> j & 1}
        matrix = tuple(tuple(int((s, t) in on) for t in range(nodes)) for s in range(nodes))
        for ops in itertools.product(OPERATIONS, repeat=nodes - 2):
            yield matrix, (INPUT, *ops, OUTPUT)


def main() -> None:
    """Prints a line for each number of nodes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--nodes", type=int, default=5, choices=range(2, 8), help="list one by one up to here"
    )
    listed_up_to = parser.parse_args().nodes
    total = 0
    for nodes in range(2, 8):
        begun = time.process_time()
        total += (count := unique(nodes, MOST_EDGES, len(OPERATIONS)))
        line = f"{nodes} nodes: {count:>7,} differ, {total:>7,} so far ({time.process_time() - begun:.2f} s)"
        if nodes <= listed_up_to:
            begun = time.process_time()
            hashes = {module_hash(*m) for m in modules(nodes)}
            line += f"; one by one {len(hashes):,} hashes ({time.process_time() - begun:.1f} s)"
        print(line, flush=True)


if __name__ == "__main__":
    main()
