"""One DARTS step on NAS-Bench-201's supernet: the fused cell against the plain one, time and memory.

python scripts/bench_supernet.py [--rounds 5]

A step is one gradient of the alphas and one of the weights, first order, batch 64, C=16, one cell a stage.
Memory is what autograd keeps for one backward pass, each storage once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

sys.path.insert(0, str(Path(__file__).parents[1]))

from nascore.gates import Gates, Softmax
from nascore.spaces.cell_net import CellSupernet
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import Shape

BATCH = 64


def step(net: CellSupernet, gating: Softmax, x: torch.Tensor, y: torch.Tensor) -> None:
    """One gradient of the alphas, one of the weights."""
    torch.autograd.grad(cross_entropy(net(x, gating()), y), list(gating.parameters()))
    weights = list(net.parameters())
    torch.autograd.grad(cross_entropy(net(x, gating()), y), weights, allow_unused=True)


def kept_mib(net: CellSupernet, gates: Gates, x: torch.Tensor, y: torch.Tensor) -> float:
    """MiB that wait for the backward pass, weights not counted."""
    own = {p.untyped_storage().data_ptr() for p in net.parameters()}
    seen: dict[int, int] = {}

    def pack(t: torch.Tensor) -> torch.Tensor:
        place = t.untyped_storage()
        if place.data_ptr() not in own:
            seen[place.data_ptr()] = place.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        loss = cross_entropy(net(x, gates), y)
    del loss
    return sum(seen.values()) / 2**20


def compare(side: int, rounds: int) -> dict[str, Any]:
    """Both forms on maps of side x side, in turns."""
    torch.manual_seed(0)
    space = Nasbench201(1, 16, 3, 1).cell
    shape = Shape((("image", (3, side, side)),), (("class", 10),))
    nets = {
        "plain": CellSupernet(space, shape, "separate", space.choices(), fused=False),
        "fused": CellSupernet(space, shape, "separate", space.choices()),
    }
    nets["fused"].load_state_dict(nets["plain"].state_dict())
    gating = Softmax(space)
    x, y = torch.randn(BATCH, 3, side, side), torch.randint(0, 10, (BATCH,))
    gates = gating()
    outs = [net.eval()(x, gates) for net in nets.values()]
    times: dict[str, list[float]] = {name: [] for name in nets}
    for net in nets.values():
        net.train()
        step(net, gating, x, y)
    for _ in range(rounds):
        for name, net in nets.items():
            began = time.process_time()
            step(net, gating, x, y)
            times[name].append(time.process_time() - began)
    kept = {name: kept_mib(net, gates, x, y) for name, net in nets.items()}
    ratios = [p / f for p, f in zip(times["plain"], times["fused"], strict=True)]
    return {
        "map": f"{side}x{side}",
        "plain_cpu_ms": round(1e3 * statistics.median(times["plain"]), 1),
        "fused_cpu_ms": round(1e3 * statistics.median(times["fused"]), 1),
        "times_faster": round(statistics.median(ratios), 2),
        "kept_mib": {n: round(v, 1) for n, v in kept.items()},
        "times_less_memory": round(kept["plain"] / kept["fused"], 2),
        "largest_difference_of_logits": float((outs[0] - outs[1]).detach().abs().max()),
    }


def main() -> None:
    """Prints both map sizes as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(json.dumps([compare(8, 2 * args.rounds), compare(32, args.rounds)], indent=1))


if __name__ == "__main__":
    main()
