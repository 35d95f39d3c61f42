"""Some networks of a table trained once more, with what they say of every image kept in a file.

Tables keep histograms of confidence. That is too little for equal mass, classwise and kernel density errors,
and for mending class by class. `logits.npz` beside a table holds the logits of some of its networks for
validation and test images and for images from outside, in steps of 1/64 (half precision is as coarse from 16
on), and what else was measured of them while their weights were there. Networks are spread over accuracy and
size; tables of one space keep the same ones, so that data sets can be compared. Parts are files, as in
`build`: stop and go on at any time.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nascore.benchmarks.build import Part, parts
from nascore.benchmarks.table import TRAINED_ROW, Table
from nascore.errors import BadInput
from nascore.space import Arch, key, tuples

if TYPE_CHECKING:
    from torch import nn

    from nascore.problem import Problem

FILE = "logits.npz"
STEP = 64  # steps in 1
STRATA = 10  # of accuracy
TOGETHER = 20  # networks of a part
AT_ONCE = 256  # images
SPLITS = ("validation", "test")
ROBUST = "robust_"  # before the names of what was measured beside
Beside = Callable[["Problem", "nn.Module"], Mapping[str, float]]


def chosen(tables: Sequence[Table], many: int, metric: str = "val_accuracy") -> list[int]:
    """Rows of the first table of networks that all tables hold, spread evenly over accuracy and size.

    Args:
        tables: with trainings, of one space; equal networks count once.
        many: so many in all; ten equally large ranges of accuracy have a tenth each, spread over size.
        metric: the accuracy, by its rank in each table, the mean of them; the validation one, so that the
            test images choose nothing.

    Raises:
        BadInput: the tables share fewer than `many` networks, or one has no such metric.
    """
    held = [_trained(t, metric) for t in tables]
    shared = sorted(set.intersection(*map(set, held)))
    if len(shared) < many:
        names = " and ".join(t.name for t in tables)
        raise BadInput(f"networks: {many} is more than the {len(shared):,} of {names}")
    rows = np.array([held[0][k] for k in shared])
    places = [rankdata(t.values(metric)[[h[k] for k in shared]]) for t, h in zip(tables, held, strict=True)]
    accuracy = np.mean(places, 0)
    size = tables[0].values("params")[rows] if "params" in tables[0].columns else rows
    order = np.lexsort((size, accuracy))
    strata = min(STRATA, many)
    out: list[int] = []
    for i, stratum in enumerate(np.array_split(order, strata)):
        want = many // strata + (i < many % strata)
        by_size = stratum[np.lexsort((accuracy[stratum], size[stratum]))]
        at = ((np.arange(want) + 0.5) / want * len(by_size)).astype(int)
        out += rows[by_size[at]].tolist()
    return sorted(out)


def _trained(table: Table, metric: str) -> dict[str, int]:
    """Key -> row of every network that was trained; of equal ones that which was."""
    rows = np.flatnonzero(np.isfinite(table.values(metric)))
    if TRAINED_ROW in table.frame:
        rows = rows[table.frame[TRAINED_ROW].to_numpy()[rows] == rows]
    return dict(zip(table.frame["key"].to_numpy()[rows].tolist(), rows.tolist(), strict=True))


def plan(tables: Sequence[Table], many: int, seed: int = 0) -> list[Part]:
    """All parts of the work, the same for each of the tables."""
    return parts(tuples(tables[0].archs[chosen(tables, many)]), (seed,), TOGETHER)


def work(
    problem: Problem, todo: Sequence[Part], folder: Path, beside: Beside | None = None
) -> Iterator[Part]:
    """Trains every part that has no file yet; yields each one when its file is there.

    Args:
        problem: space, task and recipe of the table; its seed is replaced by each part's.
        todo: all parts.
        folder: where the files go.
        beside: what else is measured of each trained network, numbers by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in todo:
        if (folder / part.file).exists():
            continue
        own = replace(problem, seed=part.seed)
        nets = trained(own, part.archs)
        each = [{n: steps(v) for n, v in said(own, net).items()} for net in nets]
        found = {n: np.stack([one[n] for one in each]) for n in each[0]}
        if beside is not None:
            more = [beside(own, net) for net in nets]
            found |= {f"{ROBUST}{n}": np.array([m[n] for m in more], np.float32) for n in more[0]}
        _save(folder / part.file, found)
        yield part


def trained(problem: Problem, archs: Sequence[Arch]) -> list[nn.Module]:
    """Stand-alone networks after training: as one program, or one by one where the space has none."""
    from nascore.chunk import Chunk, fresh
    from nascore.single import Single

    together = problem.space.batched(archs, problem.task.shape)
    programs = (
        [(list(archs), together)]
        if together is not None
        else [([a], Single(fresh(problem, a))) for a in archs]
    )
    out: list[nn.Module] = []
    for members, program in programs:
        chunk = Chunk(problem, program, members, [None] * len(members))  # type: ignore[arg-type] -- Single is one
        while chunk.done < problem.recipe.epochs:
            chunk.epoch()
        for i, arch in enumerate(members):
            net = fresh(problem, arch).to(problem.device)
            net.load_state_dict(chunk.net.member_state(i))
            out.append(net.eval())
    return out


def said(problem: Problem, net: nn.Module) -> dict[str, NDArray[np.float32]]:
    """Logits (images, classes) of a trained network: `validation`, `test`, and of `outside` images."""
    import torch

    from nascore.outside import outside

    net.eval()
    images = {s: problem.task.whole(s, problem.device).x for s in SPLITS}  # type: ignore[arg-type] -- splits
    if images["test"].dim() == 4:  # type: ignore[union-attr] -- one tensor; of texts there is no outside
        images |= outside(images["test"])  # type: ignore[arg-type]
    with torch.no_grad():
        return {
            n: torch.cat([net(piece) for piece in x.split(AT_ONCE)]).float().cpu().numpy()  # type: ignore[union-attr]
            for n, x in images.items()
        }


def steps(logits: NDArray[Any]) -> NDArray[np.int16]:
    """Logits less each row's middle, in whole steps of 1/64: a softmax does not see the middle."""
    middle = (logits.max(-1, keepdims=True) + logits.min(-1, keepdims=True)) / 2
    limit = np.iinfo(np.int16).max
    return np.clip(np.rint((logits - middle) * STEP), -limit, limit).astype(np.int16)


def packed(problem: Problem, todo: Sequence[Part], folder: Path) -> dict[str, NDArray[Any]]:
    """All parts in one: `keys`, `seed`, logits in steps, `validation_labels`, `test_labels`, what was beside.

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
