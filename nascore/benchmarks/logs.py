"""Logs and look-up tables as their publishers left them: NAS-Bench-NLP, SpikeNAS-Bench, Once-for-All.

NAS-Bench-NLP (Klyuchnikov et al., 2022) is a zip of one JSON a run with lists of losses an epoch;
SpikeNAS-Bench a text file a cell, or a folder of them; Once-for-All's latency tables are YAML of block to
mean milliseconds, to be added up over the blocks of a network.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nascore.benchmarks.pickles import read_member
from nascore.benchmarks.piece import Held, Piece, Source, guess, metric, number, pieces, split_of, words
from nascore.benchmarks.table import Column
from nascore.errors import BadInput

FORMAT = "logs"
NLP = "NAS-Bench-NLP, Klyuchnikov et al. (Apache-2.0 licence)"
SPIKE = "SpikeNAS-Bench"
OFA = "Once-for-All, Cai et al. (MIT licence)"
LISTS = {"train_losses": "train_loss", "val_losses": "validation_loss", "test_losses": "test_loss"}
ORDER = (0, 1, 3, 2, 4, 5)  # where a code's digits have the edges 0-1, 0-2, 1-2, 0-3, 1-3, 2-3
BLOCK = re.compile(r"^(\S.*-output:\S+):\s*$")
MAX_TEXT = 1 << 22
LOG = "train_process.txt"


def sniff(held: Held) -> bool:
    """One of the three."""
    match held.kind:
        case "zip":
            return any(re.fullmatch(r"(.*/)?log_stats_model_.*\.json", n) for n in _names(held))
        case "folder":
            return next(held.path.rglob(LOG), None) is not None
        case "text":
            return held.head.startswith(b"architecture id:") or bool(_blocks(held.head))
    return False


def source(held: Held) -> Source:
    """One of the three."""
    if held.kind == "zip":
        return _nlp(held)
    if held.kind == "folder" or held.head.startswith(b"architecture id:"):
        return _spike(sorted(held.path.rglob(LOG)) if held.kind == "folder" else [held.path])
    return _ofa(held)


def _names(held: Held) -> list[str]:
    try:
        with zipfile.ZipFile(held.path) as archive:
            return sorted(n for n in archive.namelist() if n.endswith(".json"))
    except zipfile.BadZipFile as error:
        size = held.path.stat().st_size
        raise BadInput(f"{held.name}: a damaged or cut off zip of {size:,} bytes ({error})") from error


def _column(origin: str, unit: str = "") -> Any:
    """Figures of archs only; the trainings behind them have lengths of their own."""

    def column(data: str, name: str, epochs: int) -> Column | None:
        if epochs or data:
            return None
        direction, usual = guess(name)
        shown = unit if "loss" in name else "%" if "accuracy" in name else usual
        return metric(name, words(name), shown, direction, data="", split=split_of(name), source=origin)

    return column


def _nlp(held: Held) -> Source:
    def read(start: int) -> Iterator[Piece]:
        with zipfile.ZipFile(held.path) as archive:
            yield from pieces(
                _names(held), start, lambda p, n: _nlp_run(p, n, read_member(archive, n, held.name))
            )

    notes = "cross-entropy in nats per token at the last epoch of each run; runs that failed end early"
    return Source(FORMAT, "NAS-Bench-NLP logs", NLP, None, read, _column(NLP, "nats"), notes=notes)


def _nlp_run(piece: Piece, name: str, raw: bytes) -> None:
    try:
        log = json.loads(raw)
        recipe = json.dumps(json.loads(log["recepie"]), separators=(",", ":"))
    except (ValueError, KeyError, TypeError, RecursionError):
        piece.skip("a log that is no JSON with a recipe")
        return
    curves = {n: log.get(k) or [] for k, n in LISTS.items()}
    times = [t for t in map(number, log.get("wall_times") or []) if t is not None]
    where = {"arch": recipe, "data": str(log.get("data", "")).rpartition("/")[2], "seed": None}
    where["epochs"] = epochs = max(map(len, curves.values()))
    last: dict[str, Any] = {n: number(v[-1]) if v else None for n, v in curves.items()}
    last |= {"params": number(log.get("num_params")), "train_seconds": sum(times) or None}
    piece.runs.append({**where, **last})
    row = {"arch": recipe, "index": log.get("recepie_id"), "status": str(log.get("status", ""))}
    piece.archs.append({**row, **last, "trained_epochs": epochs})
    for n, values in curves.items():
        shown = [float("nan") if (v := number(x)) is None else v for x in values]
        piece.curves.append({**where, "metric": n, "values": shown})


def _spike(files: list[Path]) -> Source:
    def read(start: int) -> Iterator[Piece]:
        return pieces(files, start, _spike_run)

    notes = (
        "spiking networks; the text is the operation of each edge in the order 0-1, 0-2, 1-2, 0-3, 1-3, 2-3"
    )
    return Source(FORMAT, "SpikeNAS-Bench logs", SPIKE, None, read, _column(SPIKE), notes=notes)


def _spike_run(piece: Piece, file: Path) -> None:
    if file.stat().st_size > MAX_TEXT:
        piece.skip("a log of more than 4 MiB")
        return
    text = file.read_text("utf-8", "replace")
    if "\ntest accuracy:" not in text:
        piece.skip(f"{file.parent.name}/{file.name} is cut off at byte {len(text):,}: no test accuracy")
        return
    head = re.match(r"architecture id: (\d+)\nmodel parameters: (\d+)\n(epoch.*)\n", text)
    if not head or int(head[1]) >= 5**6:
        piece.skip("a log without id, parameters and header")
        return
    names = [
        n.strip().replace("val_", "validation_").replace("_acc", "_accuracy") for n in head[3].split(",")
    ]
    lines = re.findall(r"^\d+\.\d+(?:, *-?[\d.naif]+)+$", text[head.end() :], re.MULTILINE)
    table = [row for row in ([float(v) for v in line.split(",")] for line in lines) if len(row) == len(names)]
    code = int(head[1])
    arch = ",".join(str(code // 5**p % 5) for p in ORDER)
    where = {"arch": arch, "data": file.parent.parent.name, "seed": 0, "epochs": len(table)}
    curves = {n: [row[j] for row in table] for j, n in enumerate(names) if j}
    test = re.search(r"^test accuracy: *([\d.]+)", text, re.MULTILINE)
    took = re.search(r"Elapsed time: ([\d.]+)hour([\d.]+)minute([\d.]+)second", text)
    row: dict[str, Any] = {
        "test_accuracy": float(test[1]) if test else None,
        "best_validation_accuracy": max(curves.get("validation_accuracy") or [float("nan")]),
        "params": float(head[2]),
        "train_seconds": _seconds(took.groups()) if took else None,
    }
    piece.archs.append({"arch": arch, "index": code, **row, "trained_epochs": len(table)})
    piece.runs.append({**where, **row})
    piece.curves += [{**where, "metric": n, "values": v} for n, v in curves.items()]


def _seconds(parts: tuple[str, ...]) -> float:
    return sum(float(t) * unit for t, unit in zip(parts, (3600, 60, 1), strict=True))


def _float(text: str) -> float | None:
    try:
        return number(float(text))
    except ValueError:
        return None


def _blocks(text: bytes) -> list[str]:
    return [m[1] for line in text.decode("utf-8", "replace").splitlines() if (m := BLOCK.match(line))]


def _ofa(held: Held) -> Source:
    def read(start: int) -> Iterator[Piece]:
        if held.path.stat().st_size > MAX_TEXT:
            raise BadInput(f"{held.name}: larger than 4 MiB; this is no table of blocks")
        piece, said = Piece(1, 1, 1), list[dict[str, float | None]]()
        for n, line in enumerate(held.path.read_text("utf-8", "replace").splitlines(), 1):
            if block := BLOCK.match(line):
                piece.archs.append({"arch": block[1]})
                said.append({})
            elif (value := re.match(r"^\s+(\w+): *(\S+)\s*$", line)) and said:
                said[-1][value[1]] = _float(value[2])
            elif line.strip():
                raise BadInput(f"{held.name}: cut off or damaged in line {n}")
        for row, values in zip(piece.archs, said, strict=True):
            if values.keys() != said[0].keys() or None in (values.get("mean"), values.get("count")):
                raise BadInput(f"{held.name}: cut off or damaged at {row['arch'][:80]}")
            row |= {"latency_ms": values["mean"], "measurements": values["count"]}
        yield piece

    notes = "one row a block, not a network: add the blocks of a network to get its latency"
    return Source(FORMAT, "Once-for-All latency table", OFA, None, read, _column(OFA), notes=notes)
