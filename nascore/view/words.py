"""Numbers, units, durations, intervals and protocols as people read them.

A no-break space stands between a number and its unit. What is not finite is said in a word, never as `nan`.
"""

from __future__ import annotations

import math
import re

GAP = "\u00a0"
NO_NUMBER = "no value"
SIZES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
# Metrics are lower-is-better percents unless the name says otherwise.
TITLES = {
    "index": "Evaluation",
    "error": "Validation error (%)",
    "val_error": "Validation error (%)",
    "test_error": "Test error (%)",
    "train_error": "Training error (%)",
    "accuracy": "Validation accuracy (%)",
    "test_accuracy": "Test accuracy (%)",
    "params": "Parameters",
    "flops": "Multiply-adds",
    "bit_ops": "Bit operations",
    "size_bytes": "Size of the weights (bytes)",
    "loss": "Loss",
    "train_seconds": "Training time (s)",
    "val_ece_15": "Validation calibration error (ECE, 15 bins)",
    "fid": "Frechet distance (FID)",
    "mrr": "Mean reciprocal rank",
    "ndcg_10": "NDCG at 10",
    "labels": "Labels bought",
    "supernet_error": "Supernet's validation error (%)",
    "gap_error": "Error added by discretization (points)",
    "sharpness": "Sharpness (rise of the loss)",
    "alpha_eigenvalue": "Largest eigenvalue of the alphas' Hessian",
    "mflops": "Multiply-adds (M)",
    "expected_mflops": "Mean multiply-adds (M)",
    "on_target": "On target: 1 yes, 0 no",
    "cost": "Mean cost by the gates",
    "on": "Share of parts in use",
    "tau": "Temperature of the gates",
    "step_ms": "Time of a training step (ms)",
    "epoch_seconds": "Time of an epoch (s)",
    "backward_mib": "Memory held for the backward pass (MiB)",
    "peak_mib": "Peak memory of a training step (MiB)",
    "watched_loss": "Supernet's validation loss",
    "top_eigenvalue": "Largest Hessian eigenvalue",
    "trace": "Hessian trace",
    "rise": "Rise of the loss one step up its slope",
}
UNITS = {"ms": "ms", "seconds": "s", "bytes": "bytes", "mb": "MB", "mj": "mJ"}


def odd(value: float | None) -> str:
    """The word for a value that is not a finite number; empty for one that is."""
    if value is None or math.isnan(value):
        return NO_NUMBER
    return "" if math.isfinite(value) else ("infinite" if value > 0 else "minus infinite")


def percent(value: float | None, digits: int = 2) -> str:
    """`5.63 %`; `value` is in percent already."""
    return odd(value) or f"{value:.{digits}f}{GAP}%"


def count(value: float | None) -> str:
    """`15,625`."""
    return odd(value) or f"{round(value or 0):,}"


def three(value: float) -> str:
    """Three digits without an exponent: `153`, `1.07`, `0.0042`; plain zeros are kept (`1.50`)."""
    if value == 0:
        return "0"
    places = max(0, 2 - math.floor(math.log10(abs(value))))
    if round(abs(value), places) >= 10 ** (3 - places):
        places = max(0, places - 1)
    return f"{value:,.{min(places, 9)}f}"


def compact(value: float | None, unit: str = "") -> str:
    """Three digits and a size letter: `1.07 M`, `153 M multiply-adds`; below a thousand the number itself."""
    if word := odd(value):
        return word
    value = value or 0
    tail = f"{GAP}{unit}" if unit else ""
    for size, letter in SIZES:
        if abs(value) >= size * 0.9995:
            return f"{three(value / size)}{GAP}{letter}{tail}"
    return (f"{value:,.0f}" if float(value).is_integer() else three(value)) + tail


def ms(value: float | None) -> str:
    """`68.4 ms`."""
    return odd(value) or f"{three(value or 0)}{GAP}ms"


def duration(seconds: float | None) -> str:
    """Two units at most: `0.42 s`, `52 s`, `1 min 52 s`, `2 h 05 min`, `3 d 4 h`."""
    if word := odd(seconds):
        return word
    seconds = max(0.0, seconds or 0)
    if 0 < seconds < 9.95:
        return f"{three(seconds) if seconds < 1 else f'{seconds:.1f}'}{GAP}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{GAP}s"
    if whole < 3600:
        return f"{whole // 60}{GAP}min {whole % 60:02d}{GAP}s"
    if whole < 86400:
        return f"{whole // 3600}{GAP}h {whole % 3600 // 60:02d}{GAP}min"
    return f"{whole // 86400}{GAP}d {whole % 86400 // 3600}{GAP}h"


def left(seconds: float | None) -> str:
    """Time left is a guess and is written as one: one unit, rounded up."""
    if odd(seconds):
        return "time left unknown"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if (seconds or 0) >= size:
            return f"about {math.ceil((seconds or 0) / size)}{GAP}{unit} left"
    return f"less than 1{GAP}min left"


def interval(middle: float, low: float, high: float, digits: int = 2) -> str:
    """`0.59 [0.56, 0.62]`."""
    return odd(middle) or f"{middle:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def spread(mean: float, deviation: float, seeds: int, digits: int = 2) -> str:
    """`93.76 ± 0.12 (3 seeds)`; one seed has no deviation and says so."""
    if word := odd(mean):
        return word
    if seeds < 2 or odd(deviation):
        return f"{mean:.{digits}f} ({seeds} seed{'' if seeds == 1 else 's'})"
    return f"{mean:.{digits}f} ± {deviation:.{digits}f} ({seeds} seeds)"


def points(difference: float | None, digits: int = 2) -> str:
    """`+0.54 points`: how a difference of two percents is written."""
    return odd(difference) or f"{difference:+.{digits}f}{GAP}points"


def rank(place: int, of: int) -> str:
    """`3 of 15,625`."""
    return f"{place:,} of {of:,}"


def protocol(data: str, split: str, epochs: int | None, seeds: str | int, source: str) -> str:
    """`CIFAR-10 · test · 200 ep · 3 seeds · NATS-Bench`: always in this order, what is not known left out."""
    number = isinstance(seeds, int)
    many = f"{seeds} seed{'' if seeds == 1 else 's'}" if number else seeds
    return " · ".join(
        part for part in (data, split, "" if epochs is None else f"{epochs} ep", many, source) if part
    )


def _base(name: str) -> tuple[str, str]:
    """Part and metric of a name: `mask.error` is the error of the part `mask`."""
    part, _, metric_name = name.rpartition(".")
    return part, metric_name


def metric(name: str, value: float | None) -> str:
    """A metric's value with its unit, told from its name: `error` is a percent, `latency_ms` milliseconds.

    Args:
        name: as in an evaluator's metrics, with or without a part (`mask.error`).
        value: its value; None, NaN and infinities come back as words.
    """
    base = _base(name)[1]
    if word := odd(value):
        return word
    value = value or 0
    if base in ("error", "accuracy") or base.endswith(("_error", "_accuracy")):
        return percent(value)
    if base == "flops":
        return compact(value, "multiply-adds")
    if base in ("params", "bit_ops"):
        return compact(value)
    if base == "index" or base.endswith("_count"):
        return count(value)
    if base.endswith("_seconds") or base == "seconds":
        return duration(value)
    unit = UNITS.get(base.rpartition("_")[2], "")
    if unit == "bytes":
        return compact(value, "bytes")
    return f"{three(value)}{GAP}{unit}" if unit else three(value)


def metric_title(name: str) -> str:
    """Axis title or heading of a metric, with its unit: `Validation error (%)`, `Latency (ms)`."""
    part, base = _base(name)
    return f"{part.replace('_', ' ').capitalize()}: {_title(base)}" if part else _title(base)


def _title(base: str) -> str:
    if base in TITLES:
        return TITLES[base]
    if found := re.fullmatch(r"ece_(\d+)", base):
        return f"Calibration error (ECE, {found[1]} bins)"
    stem, _, tail = base.rpartition("_")
    unit = "%" if tail in ("error", "accuracy") else UNITS.get(tail, "")
    words = (stem if tail in UNITS and stem else base).replace("_", " ")
    words = words[:1].upper() + words[1:]
    return f"{words} ({unit})" if unit else words
