"""Some networks of a table trained once more, with what they say of every image kept in a file.

Tables keep histograms of confidence. That is too little for equal mass, classwise and kernel density errors,
and for mending class by class. `logits.npz` beside a table holds the logits of some of its networks for
validation and test images and for images from outside, in steps of 1/64: half precision is as coarse from 16
on. Networks are spread over accuracy and size. Parts are files, as in `build`: stop and go on at any time.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.benchmarks.build import Part, parts
from nascore.benchmarks.table import TRAINED_ROW, Table
from nascore.errors import BadInput
from nascore.space import Arch, key, tuples

if TYPE_CHECKING:
    from nascore.problem import Problem

FILE = "logits.npz"
STEP = 64  # steps in 1
STRATA = 10  # of accuracy
TOGETHER = 50  # networks of a part
AT_ONCE = 256  # images
SPLITS = ("validation", "test")


def chosen(table: Table, many: int, metric: str = "val_accuracy") -> list[int]:
    """Rows of networks spread evenly over the ranks of accuracy, and over size within equal accuracy.

    Args:
        table: with trainings; equal networks count once.
        many: so many in all; ten equally large ranges of accuracy have a tenth each.
        metric: the accuracy; the validation one, so that the test images choose nothing.

    Raises:
        BadInput: the table has fewer than `many` networks, or no such metric.
    """
    accuracy = table.values(metric)
    size = table.values("params") if "params" in table.columns else np.arange(len(accuracy))
    rows = np.flatnonzero(np.isfinite(accuracy))
    if TRAINED_ROW in table.frame:
        rows = rows[table.frame[TRAINED_ROW].to_numpy()[rows] == rows]
    if len(rows) < many:
        raise BadInput(f"networks: {many} is more than the {len(rows):,} that {table.name} has")
    order = rows[np.lexsort((size[rows], accuracy[rows]))]
    strata = min(STRATA, many)
    out: list[int] = []
    for i, stratum in enumerate(np.array_split(order, strata)):
        want = many // strata + (i < many % strata)
        by_size = stratum[np.lexsort((accuracy[stratum], size[stratum]))]
        at = ((np.arange(want) + 0.5) / want * len(by_size)).astype(int)
        out += by_size[at].tolist()
    return sorted(out)


def plan(table: Table, many: int, seed: int = 0) -> list[Part]:
    """All parts of the work."""
    return parts(tuples(table.archs[chosen(table, many)]), (seed,), TOGETHER)


def work(problem: Problem, todo: Sequence[Part], folder: Path) -> Iterator[Part]:
    """Trains every part that has no file yet; yields each one when its file is there.

    Args:
        problem: space, task and recipe of the table; its seed is replaced by each part's.
        todo: all parts.
        folder: where the files go.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in todo:
        if (folder / part.file).exists():
            continue
        said = trained(replace(problem, seed=part.seed), part.archs)
        _save(folder / part.file, {n: steps(v) for n, v in said.items()})
        yield part


def trained(problem: Problem, archs: Sequence[Arch]) -> dict[str, NDArray[np.float32]]:
    """Logits (archs, images, classes) for `validation`, `test`, and of `outside` images `noise` and others.

    Raises:
        NotSupported: the networks cannot be trained as one program.
    """
    from nascore.chunk import Chunk
    from nascore.errors import NotSupported

    net = problem.space.batched(archs, problem.task.shape)
    if net is None:
        raise NotSupported("these networks cannot be trained together")
    chunk = Chunk(problem, net, archs, [None] * len(archs))
    while chunk.done < problem.recipe.epochs:
        chunk.epoch()
    return said(problem, chunk.net)


def said(problem: Problem, net: Any) -> dict[str, NDArray[np.float32]]:
    """Logits of trained networks; `net(x)` gives (members, images, classes)."""
    import torch

    from nascore.outside import outside

    net.eval()
    images = {s: problem.task.whole(s, problem.device).x for s in SPLITS}  # type: ignore[arg-type] -- splits
    if images["test"].dim() == 4:  # type: ignore[union-attr] -- one tensor; of texts there is no outside
        images |= outside(images["test"])  # type: ignore[arg-type]
    with torch.no_grad():
        return {
            n: torch.cat([net(piece) for piece in x.split(AT_ONCE)], 1).float().cpu().numpy()  # type: ignore[union-attr]
            for n, x in images.items()
        }


def steps(logits: NDArray[Any]) -> NDArray[np.int16]:
    """Logits less each row's middle, in whole steps of 1/64: a softmax does not see the middle."""
    middle = (logits.max(-1, keepdims=True) + logits.min(-1, keepdims=True)) / 2
    limit = np.iinfo(np.int16).max
    return np.clip(np.rint((logits - middle) * STEP), -limit, limit).astype(np.int16)


def packed(problem: Problem, todo: Sequence[Part], folder: Path) -> dict[str, NDArray[Any]]:
    """All parts in one: `keys`, `seed`, logits in steps, and `validation_labels`, `test_labels`.

    Raises:
        BadInput: a part is not there yet.
    """
    found: dict[str, list[NDArray[Any]]] = {}
    for part in todo:
        if not (folder / part.file).exists():
            raise BadInput(f"{folder.name}: {part.file} is not trained yet")
        with np.load(folder / part.file, allow_pickle=False) as held:
            for name in held.files:
                found.setdefault(name, []).append(held[name])
    labels = {f"{s}_labels": problem.task.whole(s).y.cpu().numpy().astype(np.int16) for s in SPLITS}  # type: ignore[union-attr, arg-type]
    keys = np.array([key(problem.space, a) for p in todo for a in p.archs])
    return {"keys": keys, "seed": np.array(todo[0].seed), **labels} | {
        name: np.concatenate(v) for name, v in found.items()
    }


def write(table: Table, arrays: dict[str, NDArray[Any]]) -> Path:
    """The file beside the table; written aside and renamed. Equal arrays make equal bytes."""
    file = table.folder / FILE
    _save(file, arrays)
    return file


def _save(file: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """An .npz without the time of day in it."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with zipfile.ZipFile(aside, "w") as archive:
        for name, values in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.asarray(values, order="C"), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy")
            archive.writestr(info, data.getvalue(), zipfile.ZIP_DEFLATED, 9)
    aside.replace(file)
