"""`python -m nascore.verbs.predict FOLDER`: trains a network and keeps what it says of every image.

The process behind the Calibration page, see `nascore.runs.predictions`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from nascore.benchmarks import logits
from nascore.codec import to_json
from nascore.errors import NotSupported
from nascore.problem import Problem
from nascore.runs import jobs, predictions
from nascore.runs.jobs import Work
from nascore.runs.predictions import FILE, Asked
from nascore.space import key
from nascore.verbs.robust import trained


def predicted(asked: Asked) -> Work:
    """Trains, then asks the network about validation and test examples, and images from outside.

    Returns:
        `space`, `key`, `data`, `epochs`, `seed`, `accuracy`, `seconds`; logits and labels are in the folder.

    Raises:
        NotSupported: the task is no classification with one label an example.
        Diverged: training did not get anywhere.
    """
    import torch

    torch.set_num_threads(1)
    problem, (space, arch) = asked.problem(), asked.which()
    classed(problem)
    epochs, done, start = asked.length(), 0, time.monotonic()
    training = trained(problem, arch, epochs)
    net: Any = None
    while net is None:
        yield done, epochs + 1, "training"
        try:
            next(training)
            done += 1
        except StopIteration as end:
            net = end.value
    yield epochs, epochs + 1, "asking the network"
    said = logits.said(problem, net)
    labels = {s: problem.task.whole(s).y.cpu().numpy() for s in logits.SPLITS}  # type: ignore[union-attr, arg-type] -- labels
    _save(asked.folder / FILE, said | {f"{s}_labels": y for s, y in labels.items()})
    return {
        "space": to_json(space)["name"],
        "key": key(space, arch),
        "data": problem.task.data,
        "epochs": epochs,
        "seed": problem.seed,
        "accuracy": float((said["test"].argmax(1) == labels["test"]).mean()),
        "seconds": round(time.monotonic() - start, 2),
    }


def classed(problem: Problem) -> None:
    """Whether every example has one class.

    Raises:
        NotSupported: it has not.
    """
    import torch

    whole = problem.task.whole("test", problem.device)
    y = whole.y
    labels = isinstance(y, torch.Tensor) and y.dim() == 1 and not y.is_floating_point()
    if not (isinstance(whole.x, torch.Tensor) and labels):
        raise NotSupported(f"calibration: {problem.task.data} has no single label for each example")


def _save(file: Path, arrays: dict[str, Any]) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with aside.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)
    aside.replace(file)


def main(folder: str) -> int:
    """The process of one network; returns its exit status."""
    place = Path(folder)
    return jobs.process(place, lambda: predicted(predictions.read(place)), in_turn=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
