"""NAS-Bench-301's training logs (Zela et al., 2022): a folder of `results_<n>.json`, or one of them.

The surrogate models of NAS-Bench-301 are no table and need code to be loaded; the trainings behind them are
one JSON file an architecture of the DARTS space, in a folder a search method. The text is a genotype in
DARTS' own words. Node 2 reads both inputs; nodes 3 to 5 name two of the nodes before them, and the
operations stand at the numbers of those edges, counted node by node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from nascore.benchmarks.piece import Held, Piece, Source, metric, number, pieces, read_json
from nascore.benchmarks.table import Column
from nascore.errors import BadInput
from nascore.spaces.darts import Darts

FORMAT = "nasbench301"
ORIGIN = "NAS-Bench-301 logs, Zela et al. (Apache-2.0 licence)"
FILE = re.compile(r"results_\d+\.json")
CONFIG = "optimized_hyperparamater_config"  # the publisher's spelling
PREFIX = "NetworkSelectorDatasetInfo:darts:"
SURROGATE = ("surrogate_model.model", "model_config.json")
FIRST_EDGE = {2: 0, 3: 2, 4: 5, 5: 9}  # the number of the edge from node 0, for each node
TITLES: dict[str, tuple[str, str, Any]] = {
    "validation_accuracy": ("Validation accuracy", "%", "max"),
    "test_accuracy": ("Test accuracy", "%", "max"),
    "train_seconds": ("Training time", "s", "min"),
}


def sniff(held: Held) -> bool:
    """A folder with such logs or with surrogate models, or one log."""
    if held.kind == "folder":
        return bool(_files(held.path)) or _surrogates(held.path)
    return isinstance(held.json, dict) and CONFIG in held.json


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("results_*.json") if FILE.fullmatch(f.name) and not f.is_symlink())


def _surrogates(folder: Path) -> bool:
    return any(next(folder.rglob(name), None) for name in SURROGATE)


def source(held: Held) -> Source:
    """The folder or the file.

    Raises:
        BadInput: these are the surrogate models.
    """
    files = _files(held.path) if held.kind == "folder" else [held.path]
    if not files:
        raise BadInput(
            f"{held.name}: surrogate models of NAS-Bench-301, which run code when loaded; import the "
            "folder of its training logs (results_<n>.json) instead"
        )

    def read(start: int) -> Iterator[Piece]:
        return pieces(files, start, partial(_add, held.path), 64)

    notes = "figures of the end of the training; equal cells that were trained twice count as two seeds"
    return Source(FORMAT, "NAS-Bench-301 training logs", ORIGIN, Darts(), read, column, notes=notes)


def column(data: str, name: str, epochs: int) -> Column | None:
    """`validation_accuracy_98` and so on; without a number where the log names no budget."""
    title, unit, direction = TITLES[name]
    split = name.partition("_")[0] if unit == "%" else ""
    if epochs:
        name, title = f"{name}_{epochs}", f"{title}, {epochs} epochs"
    return metric(name, title, unit, direction, data="cifar10", split=split, epochs=epochs, source=ORIGIN)


def genotype(config: Mapping[str, Any]) -> str:
    """DARTS' genotype of a configuration.

    Raises:
        ValueError, KeyError: it lacks an operation or an input.
    """
    cells = []
    for kind in ("normal", "reduce"):
        pairs = []
        for node, first in FIRST_EDGE.items():
            said = "0_1" if node == 2 else str(config[f"{PREFIX}inputs_node_{kind}_{node}"])
            for before in map(int, said.split("_")):
                if not 0 <= before < node:
                    raise ValueError(f"node {node} cannot read node {before}")
                pairs.append((str(config[f"{PREFIX}edge_{kind}_{first + before}"]), before))
        cells.append(f"{kind}={pairs}, {kind}_concat=[2, 3, 4, 5]")
    return f"Genotype({', '.join(cells)})"


def _add(root: Path, piece: Piece, file: Path) -> None:
    try:
        log = read_json(file)
        arch = genotype(log[CONFIG])
        info = log.get("info") or [{}]
        validation = number(info[0].get("val_accuracy"))
    except BadInput as error:
        piece.skip(f"file {error}")
        return
    except (KeyError, ValueError, TypeError, AttributeError, IndexError):
        piece.skip("a log without a whole architecture")
        return
    values = {"validation_accuracy": validation, "test_accuracy": number(log.get("test_accuracy"))}
    values["train_seconds"] = number(log.get("runtime"))
    piece.archs.append({"arch": arch, "method": file.parent.name if file != root else ""})
    epochs = round(number(log.get("budget")) or 0)
    piece.runs.append({"arch": arch, "data": "cifar10", "seed": None, "epochs": epochs, **values})
