"""Calibration of all networks of a benchmark table, from the histograms and numbers that it keeps.

`bins.parquet` has for each training 100 bins of equal width over the confidence: how many test images, how
many right, and the mean confidence to within 2e-5; before and after temperature scaling. `runs.parquet` has
log loss, Brier score and ECE of 15 bins. From these follow, exactly but for that 2e-5, the measures of
`AVAILABLE`; `ece_15` comes from logits in half precision, in which equal ones may move a few images. Not:
equal mass, classwise, kernel densities, and bins whose number does not divide 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.measures.calibration import NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from nascore.benchmarks.table import Table

Floats = NDArray[np.float64]
FINE = 100
DIVISORS = (5, 10, 20, 25, 50, 100)
SCALARS = {"nll": "test_loss", "brier": "brier", "ece_15": "ece_15"}
COARSE = {
    "ksce_100": "KS error over 100 bins, which is at most the KS error",
    "mmce_100": "MMCE of the sums of 100 bins, within about 2 % of the MMCE",
}
AVAILABLE = (*(f"{f}_{b}" for f in ("ece", "mce") for b in DIVISORS), *SCALARS, *COARSE)
MISSING = tuple(n for n in NAMES if n not in AVAILABLE)


@dataclass(frozen=True)
class Histograms:
    """Of every training, (trainings, 100) each; index 0 before, 1 after temperature scaling.

    Attributes:
        keys: (trainings,) of the architecture.
        seeds: (trainings,).
        count: how many test images have their confidence in the bin.
        right: how many of them are right.
        place: where their mean lies, in 255ths from the bin's low to its high end.
    """

    keys: NDArray[Any]
    seeds: NDArray[np.int64]
    count: tuple[NDArray[np.uint16], NDArray[np.uint16]]
    right: tuple[NDArray[np.uint16], NDArray[np.uint16]]
    place: tuple[NDArray[np.uint8], NDArray[np.uint8]]

    def at(self, key: str, seed: int) -> int | None:
        """Where a training stands; None where it is not there."""
        found = np.flatnonzero((self.keys == key) & (self.seeds == seed))
        return int(found[0]) if len(found) else None

    def of(self, scaled: bool, rows: Any = slice(None)) -> tuple[Floats, Floats, Floats]:
        """(trainings, 100) predictions, right ones, and sums of confidences of some trainings."""
        i = int(scaled)
        count, right = (v[i][rows].astype(np.float64) for v in (self.count, self.right))
        return count, right, count * (np.arange(FINE) + self.place[i][rows] / 255) / FINE


@dataclass(frozen=True)
class Measured:
    """A table's networks: values are (archs, seeds), NaN where a training is missing.

    Attributes:
        table: its name.
        data: what its networks saw.
        n: test images.
        keys: (archs,).
        rows: (archs,) of the table.
        seeds: which.
        values: `accuracy` and `confidence` (shares), measures of `AVAILABLE`, all also with `post_`;
            `temperature`, and the table's other numbers of trainings by their names.
    """

    table: str
    data: str
    n: int
    keys: NDArray[Any]
    rows: NDArray[np.int64]
    seeds: tuple[int, ...]
    values: dict[str, Floats]

    def mean(self, name: str) -> Floats:
        """(archs,) over seeds."""
        return np.nanmean(self.values[name], 1)

    def only(self, chosen: NDArray[Any]) -> Measured:
        """Some of the archs: row numbers or flags."""
        values = {n: v[chosen] for n, v in self.values.items()}
        return Measured(
            self.table, self.data, self.n, self.keys[chosen], self.rows[chosen], self.seeds, values
        )


def has(folder: Path) -> bool:
    """Whether a table's folder keeps histograms."""
    return (folder / "bins.parquet").is_file() and (folder / "runs.parquet").is_file()


def histograms(table: Table) -> Histograms:
    """What bins.parquet holds."""
    import pyarrow.parquet as pq

    found = pq.read_table(table.folder / "bins.parquet")

    def wide(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
        both = (found[p + name].combine_chunks().flatten() for p in ("", "post_"))
        before, after = (v.to_numpy(zero_copy_only=False).reshape(-1, FINE) for v in both)
        return before, after

    seeds = found["seed"].to_numpy().astype(np.int64)
    keys = np.asarray(found["key"].to_pylist())
    return Histograms(keys, seeds, wide("bin_count"), wide("bin_right"), wide("bin_place"))


def from_bins(
    count: Floats, right: Floats, said: Floats, bins: Sequence[int] = DIVISORS
) -> dict[str, Floats]:
    """Measures of histograms (trainings, 100): name -> (trainings,).

    Args:
        count: predictions in each bin.
        right: right ones.
        said: sums of confidences.
        bins: numbers of bins; each divides 100.
    """
    total = count.sum(1)
    out = {"accuracy": right.sum(1) / total, "confidence": said.sum(1) / total}
    gap = said - right
    for b in bins:
        part = np.abs(gap.reshape(len(gap), b, -1).sum(2))
        held = count.reshape(len(gap), b, -1).sum(2)
        out[f"ece_{b}"] = part.sum(1) / total
        out[f"mce_{b}"] = (part / np.maximum(held, 1)).max(1)
    out["ksce_100"] = np.abs(np.cumsum(gap, 1)).max(1) / total
    middle = (np.arange(FINE) + 0.5) / FINE
    kernel = np.exp(-2.5 * np.abs(middle[:, None] - middle))
    out["mmce_100"] = np.sqrt(np.maximum(np.einsum("ij,ij->i", gap @ kernel, gap), 0)) / total
    return out


def floors(
    count: Floats, said: Floats, bins: Sequence[int] = DIVISORS, *, draws: int = 30, seed: int = 0
) -> dict[str, Floats]:
    """What ECE and MCE are on average where a network is right as often as it says: name -> (trainings,).

    The right ones of each fine bin are drawn with its mean confidence; arguments as of `from_bins`.
    """
    rng = np.random.default_rng(seed)
    chance = np.clip(said / np.maximum(count, 1), 0, 1)
    whole = count.astype(np.int64)
    names = [f"{f}_{b}" for b in bins for f in ("ece", "mce")] + list(COARSE)
    total = {n: np.zeros(len(count)) for n in names}
    for _ in range(draws):
        found = from_bins(count, rng.binomial(whole, chance).astype(np.float64), said, bins)
        for n in names:
            total[n] += found[n]
    return {n: v / draws for n, v in total.items()}


def measured(table: Table) -> Measured:
    """All networks of a table that have histograms, one row a class of equal networks."""
    import pyarrow.parquet as pq

    kept = histograms(table)
    names, place = np.unique(kept.keys, return_inverse=True)
    seeds = np.unique(kept.seeds)
    column = np.searchsorted(seeds, kept.seeds)

    def spread(flat: Floats, rows: Any, columns: Any) -> Floats:
        out = np.full((len(names), len(seeds)), np.nan)
        out[rows, columns] = flat
        return out

    values: dict[str, Floats] = {}
    for i, prefix in enumerate(("", "post_")):
        found = from_bins(*kept.of(bool(i)))
        values |= {prefix + n: spread(v, place, column) for n, v in found.items()}
    runs = pq.read_table(table.folder / "runs.parquet")
    key, seed = np.asarray(runs["key"].to_pylist()), runs["seed"].to_numpy()
    at = np.minimum(np.searchsorted(names, key), len(names) - 1)
    use = (names[at] == key) & np.isin(seed, seeds)
    where = at[use], np.searchsorted(seeds, seed[use])
    for name in _numbers(runs):
        flat = runs[name].to_numpy().astype(np.float64)[use]
        values[_called(name)] = spread(flat, *where)
    rows = np.zeros(len(names), np.int64)
    rows[at[use]] = runs["row"].to_numpy()[use]
    data = str(runs["data"][0].as_py()) if runs.num_rows else ""
    many = int(kept.count[0][0].sum()) if len(kept.keys) else 0
    return Measured(table.name, data, many, names, rows, tuple(map(int, seeds)), values)


def _numbers(runs: Any) -> list[str]:
    """The columns that are measured values."""
    known = ("row", "key", "data", "seed", "epochs", "split")
    return [
        n
        for n in runs.column_names
        if n not in known and str(runs.schema.field(n).type) in ("float", "double")
    ]


def _called(column: str) -> str:
    """`nll` for `test_loss`, `post_nll` for `post_test_loss`; others keep their names."""
    stem = column.removeprefix("post_")
    prefix = column[: len(column) - len(stem)]
    return prefix + next((n for n, c in SCALARS.items() if c == stem), stem)


def hcs(accuracy: Floats, ece: Floats) -> Floats:
    """The harmonic mean of accuracy and 1 - ECE, both as shares.

    Source: A Benchmark Study on Calibration, its HCS with beta = 1.
    """
    return 2 * accuracy * (1 - ece) / (accuracy + 1 - ece)
