"""NATS-Bench (Dong et al., 2021): topology and size space, the folder of small pickles or the single file.

One bz2 pickle an arch in `<name>-simple/`, beside `meta.pickle.pbz2` which lists the official strings; or all
in one pickle. The conventions of the papers: validation on cifar10 is x-valid of the networks trained on half
of the training set (`cifar10-valid`), test is `ori-test` of those trained on all of it; elsewhere x-valid and
x-test. A figure is the mean of the seeds at the last epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from nascore.benchmarks import ahead, pickles
from nascore.benchmarks.piece import TOPOLOGY, Held, Piece, Source, metric, number, pieces, slug
from nascore.benchmarks.table import Column, Direction
from nascore.errors import BadInput
from nascore.space import Space

FORMAT = "nats"
FILE = re.compile(r"(\d{1,6})\.pickle\.pbz2")
EACH_FILE = 16  # archs read between two looks at the clock
MANY = 96  # files from which on helpers are worth their start
STATIC = frozenset({"params_m", "flops_m", "latency_ms"})
ORIGIN = "NATS-Bench, Dong et al. (MIT licence)"
TITLES: dict[str, tuple[str, str, Direction]] = {
    "accuracy": ("accuracy", "%", "max"),
    "loss": ("loss", "", "min"),
    "seconds": ("time", "s", "min"),
    "params_m": ("parameters", "M", "min"),
    "flops_m": ("multiply-adds", "M", "min"),
    "latency_ms": ("latency of one batch", "ms", "min"),
}


def sniff(held: Held) -> bool:
    """A folder with the meta file, one pickle with all, or the one file of an arch."""
    if held.kind == "folder":
        return (held.path / "meta.pickle.pbz2").is_file()
    found = held.object
    if held.head[:3] != b"BZh" or not isinstance(found, dict):
        return False
    return bool(found.get("meta_archs")) or _arch_of(found) is not None


def _arch_of(content: Any) -> str | None:
    """The string of the arch whose file this is, or None."""
    first = next(iter(content.values()), None) if isinstance(content, dict) else None
    if not isinstance(first, dict) or not isinstance(first.get("all_results"), dict):
        return None
    return first["arch_str"] if isinstance(first.get("arch_str"), str) else None


def source(held: Held) -> Source:
    """The folder, the single file, or one arch.

    Raises:
        BadInput: it is the meta file alone, or has no results.
    """
    if held.kind == "folder":
        archs = check_meta(pickles.load_path(held.path / "meta.pickle.pbz2"), held.name)
        files = folder_files(held.path)
        read: Any = partial(_folder, held.path, files)
        size, there = ":" in archs[0], absent(len(files), len(archs))
    elif alone := _arch_of(held.object):
        first = next(iter(held.object.values()))
        read = partial(_single, {int(number(first.get("arch_index")) or 0): held.object})
        size, there = ":" in alone, "one architecture of the folder of them"
    else:
        archs, infos = check_meta(held.object, held.name), held.object.get("arch2infos")
        if not isinstance(infos, dict) or not infos:
            raise BadInput(
                f"{held.name}: the list of architectures without results; import the folder it stands in"
            )
        read, size, there = partial(_single, infos), ":" in archs[0], absent(len(infos), len(archs))
    kind = "size" if size else "topology"
    return Source(
        FORMAT,
        f"NATS-Bench, {kind} space",
        ORIGIN,
        space_of(size=size),
        read,
        partial(column, ORIGIN),
        STATIC,
        "test on cifar10 is ori-test after training on the whole training set; validation is x-valid after "
        f"training on half of it; means over the seeds at the last epoch; {there}",
    )


def space_of(*, size: bool) -> Space:
    """The size space, or the topology space."""
    from nascore.spaces.nats_size import NatsSize

    return NatsSize() if size else TOPOLOGY


def check_meta(meta: Any, name: str) -> list[str]:
    """The official strings.

    Raises:
        BadInput: there are none.
    """
    archs = meta.get("meta_archs") if isinstance(meta, dict) else None
    if not isinstance(archs, list) or not archs or not all(isinstance(a, str) for a in archs):
        raise BadInput(f"{name}: the meta file has no list `meta_archs` of architecture strings")
    return archs


def absent(there: int, total: int) -> str:
    """How many of the official archs a user's copy has."""
    return f"{there:,} of the {total:,} official architectures are in this copy"


def folder_files(folder: Path) -> list[tuple[int, str]]:
    """(official index, name) of each arch's file.

    Raises:
        BadInput: there is none.
    """
    files = sorted((int(m[1]), f.name) for f in folder.iterdir() if (m := FILE.fullmatch(f.name)))
    if not files:
        raise BadInput(f"{folder.name}: no file NNNNNN.pickle.pbz2 stands beside meta.pickle.pbz2")
    return files


def _folder(folder: Path, files: list[tuple[int, str]], start: int) -> Iterator[Piece]:
    """A piece for each few files; of many, all but the first are read by helper processes."""
    ends = [(at, min(at + EACH_FILE, len(files))) for at in range(start, len(files), EACH_FILE)]
    requests = [{"folder": str(folder), "files": files[at:end]} for at, end in ends]
    alone = requests if len(files) - start < MANY or ahead.helpers() < 2 else requests[:1]
    rest = requests[len(alone) :]
    helped = ahead.answers(__name__, rest, ahead.helpers()) if rest else iter(())
    for (_, end), piece in zip(ends, chain(map(read_files, alone), helped), strict=True):
        piece.at, piece.done, piece.total = end, end, len(files)
        yield piece


def read_files(request: Mapping[str, Any]) -> Piece:
    """What stands in some files of a folder: `{"folder", "files": [[official index, name]]}`.

    A file that cannot be read is skipped with its reason.
    """
    piece = Piece(0, 0, 0)
    for index, name in request["files"]:
        try:
            add(piece, index, pickles.load_path(Path(request["folder"]) / name))
        except BadInput as error:
            piece.skip(f"file {error}")
    return piece


def _single(infos: Mapping[int, Any], start: int) -> Iterator[Piece]:
    return pieces(sorted(infos.items()), start, lambda p, item: add(p, *item), 64)


def add(piece: Piece, index: int, content: Any, budgets: Mapping[str, int] | None = None) -> None:
    """One arch's content: budget -> record."""
    if not isinstance(content, dict):
        piece.skip("an architecture without records")
        return
    for budget, record in content.items():
        epochs = (budgets or {}).get(budget) or (int(budget) if str(budget).isdigit() else 0)
        results = record.get("all_results") if isinstance(record, dict) else None
        if not isinstance(results, dict) or not isinstance(record.get("arch_str"), str):
            piece.skip(f"no results at budget {str(budget)[:20]}")
            continue
        piece.archs.append({"arch": record["arch_str"], "index": int(index)})
        for (data, seed), result in results.items():
            if isinstance(result, dict):
                training(piece, record["arch_str"], (str(data), int(seed)), result, epochs)
            else:
                piece.skip(f"a result that cannot be read at budget {str(budget)[:20]}")


def training(piece: Piece, arch: str, run: tuple[str, int], result: dict[str, Any], budget: int) -> None:
    """One training: its last values and its curves."""
    data, seed = run
    epochs = int(result.get("epochs") or budget)
    latency = [v for v in map(number, np.atleast_1d(result.get("latency") or []).tolist()) if v is not None]
    row: dict[str, Any] = {
        "params_m": number(result.get("params")),
        "flops_m": number(result.get("flop")),
        "latency_ms": 1000 * float(np.mean(latency)) if latency else None,
        "train_seconds": _total(result.get("train_times") or {}),
    }
    where = {"arch": arch, "data": data, "seed": seed, "epochs": epochs}
    for name, values in _series(data, result, epochs).items():
        last = values[-1]
        row[name] = None if np.isnan(last) else float(last)
        if np.isfinite(values).sum() > 1:
            piece.curves.append({**where, "metric": name, "values": values})
    for name in ("ori_test_accuracy", "ori_test_loss"):
        row.pop(name, None)
    piece.runs.append({**where, **row})


def _series(data: str, result: dict[str, Any], epochs: int) -> dict[str, np.ndarray[Any, Any]]:
    """Metric -> (epochs,) values, NaN where an epoch was not evaluated."""
    out = {}
    for name, key in (("accuracy", "train_acc1es"), ("loss", "train_losses")):
        out[f"train_{name}"] = _filled(result.get(key) or {}, epochs)
    sets = {"x-valid": "validation", "ori-test": "ori_test", "x-test": "test"}
    if data.startswith("cifar10-") or data == "cifar10":
        sets = {"x-valid": "validation", "ori-test": "test"}
    there = result.get("eval_names") or list(sets)
    for name, key in (("accuracy", "eval_acc1es"), ("loss", "eval_losses")):
        values = result.get(key) or {}
        for which in there:
            if which in sets and f"{which}@{epochs - 1}" in values:
                out[f"{sets[which]}_{name}"] = _filled(values, epochs, f"{which}@")
    return out


def _filled(values: Mapping[Any, Any], epochs: int, prefix: str = "") -> np.ndarray[Any, Any]:
    """(epochs,) values by epoch, NaN where there is none; keys are epochs, or texts with a prefix."""
    found = list(map(values.get, _keys(prefix, epochs)))
    try:
        return np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        return np.array([np.nan if (v := number(x)) is None else v for x in found])


@lru_cache(maxsize=64)
def _keys(prefix: str, epochs: int) -> tuple[int | str, ...]:
    """The keys of all epochs."""
    return tuple(f"{prefix}{e}" if prefix else e for e in range(epochs))


def _total(times: Mapping[int, Any]) -> float | None:
    try:
        total = float(sum(times.values()))
    except TypeError:
        return None
    return total if times and np.isfinite(total) else None


def column(origin: str, data: str, name: str, epochs: int) -> Column | None:
    """`cifar10_test_accuracy_200` and so on; what was trained on half of cifar10 gives its validation."""
    place = data
    if data == "cifar10-valid" and name.startswith("validation"):
        place = "cifar10"
    if name in STATIC:
        if data == "cifar10-valid":
            return None
        title, unit, direction = TITLES[name]
        return metric(f"{slug(place)}_{name}", f"{data} {title}", unit, direction, data=data, source=origin)
    split, _, kind = name.rpartition("_")
    title, unit, direction = TITLES[kind]
    return metric(
        f"{slug(place)}_{name}_{epochs}",
        f"{place} {split} {title}, {epochs} epochs",
        unit,
        direction,
        data=data,
        split=split,
        epochs=epochs,
        source=origin,
    )


if __name__ == "__main__":
    ahead.serve(read_files)
