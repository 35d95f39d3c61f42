"""Making a table: each class of equal networks of a space trained for real, several seeds, judged closely.

The work is cut into parts, one file each, written aside and renamed: whoever comes later goes on where the
files end, and several processes share the work.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.space import Arch, array, enumerate_archs, key, sample, size, tuples

if TYPE_CHECKING:
    from torch import Tensor

    from nascore.problem import Problem
    from nascore.space import Space
    from nascore.task import Batch

BINS = 100  # of the confidence histograms; binnings whose count divides this can be read off
NOISES = (0.25, 0.5, 1.0)  # standard deviations of Gaussian noise on standardized test images
JUDGED_AT_ONCE = 256


@dataclass(frozen=True)
class Part:
    """One program's worth of training: networks of one seed that share minibatches."""

    seed: int
    number: int
    archs: tuple[Arch, ...]

    @property
    def file(self) -> str:
        """Name of its result."""
        return f"seed{self.seed}-{self.number:05d}.npz"


def representatives(space: Space, most: int = 0, seed: int = 0) -> list[Arch]:
    """One arch of each class of equal networks: all of them, or `most` drawn uniformly from the classes."""
    archs = (
        tuples(enumerate_archs(space)) if size(space) <= 100_000 else tuples(sample(space, most, _rng(seed)))
    )
    classes = sorted({space.canonical(a) for a in archs})
    if not most or most >= len(classes):
        return classes
    return sorted(classes[i] for i in _rng(seed).choice(len(classes), most, replace=False))


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, 2024])


def parts(archs: Sequence[Arch], seeds: Sequence[int], together: int) -> list[Part]:
    """The whole work, `together` networks a part; likely neighbors in cost stand together."""
    cut = [tuple(archs[i : i + together]) for i in range(0, len(archs), together)]
    return [Part(seed, i, chosen) for seed in seeds for i, chosen in enumerate(cut)]


def work(problem: Problem, todo: Sequence[Part], folder: Path, turn: int = 0, of: int = 1) -> Iterator[Part]:
    """Does every part that has no file yet and whose turn it is; yields each one when its file is there.

    Args:
        problem: space, task and recipe; its seed is replaced by each part's.
        todo: all parts of the table.
        folder: where the files go.
        turn: this process does the parts with number `turn` modulo `of`, from the front.
        of: number of processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for part in list(todo)[turn::of]:
        if (folder / part.file).exists():
            continue
        found = train_part(replace(problem, seed=part.seed), part.archs)
        aside = folder / f"{part.file}.{os.getpid()}.tmp"
        with aside.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **found)
        aside.replace(folder / part.file)
        yield part


def train_part(problem: Problem, archs: Sequence[Arch]) -> dict[str, NDArray[Any]]:
    """Trains archs as one program, or one after the other where the space has none, and judges them.

    Returns:
        Arrays whose first dimension is the archs: `archs`, `curve_error`, `curve_loss`, `curve_train_loss`,
        `curve_train_error` (n, epochs), `train_seconds`, what `judged` gives, and the logits
        (n, examples, classes) on validation and test images in half precision.
    """
    net = problem.space.batched(archs, problem.task.shape)
    if net is not None:
        return _train(problem, archs, net)
    from nascore.chunk import fresh
    from nascore.single import Single

    each = [_train(problem, [a], Single(fresh(problem, a))) for a in archs]
    return {name: np.concatenate([one[name] for one in each]) for name in each[0]}


def _train(problem: Problem, archs: Sequence[Arch], net: Any) -> dict[str, NDArray[Any]]:
    """`train_part` of one program."""
    import torch

    from nascore.chunk import Chunk

    wrong: list[Tensor] = []

    def watch(out: Tensor, batch: Batch) -> None:
        wrong.append(torch.ne(out.argmax(-1), batch.y).float().mean(1))  # type: ignore[arg-type] -- labels

    chunk = Chunk(problem, net, archs, [None] * len(archs), watch)
    errors = []
    while chunk.done < problem.recipe.epochs:
        wrong.clear()
        chunk.epoch()
        errors.append(sum(wrong[1:], start=wrong[0]).cpu().numpy() / len(wrong))
    out: dict[str, NDArray[Any]] = {
        f"curve_{name}": np.array([r.curve[name] for r in chunk.records], np.float32)
        for name in ("error", "loss", "train_loss")
    }
    out["curve_train_error"] = np.stack(errors, 1).astype(np.float32)
    out["archs"] = array(archs, problem.space).astype(np.int8)
    out["train_seconds"] = np.array([r.seconds for r in chunk.records], np.float32)
    return out | closely(problem, chunk.net)


def closely(problem: Problem, net: Any) -> dict[str, NDArray[Any]]:
    """Judges trained networks closely.

    Args:
        problem: gives the images.
        net: in evaluation mode afterwards; `net(x)` gives (members, batch, classes).

    Returns:
        `validation_logits` and `test_logits` (members, n, classes) in half precision, `noise_error`
        (members, levels of noise) on the test images, and what `judged` says.
    """
    import torch

    net.eval()
    with torch.no_grad():
        held = problem.task.whole("validation", problem.device)
        test = problem.task.whole("test", problem.device)
        on_held, on_test = _logits(net, held.x), _logits(net, test.x)
        noisy = [_noise_error(net, test.x, test.y, sd) for sd in NOISES]
    return {
        "validation_logits": on_held.half().cpu().numpy(),
        "test_logits": on_test.half().cpu().numpy(),
        "noise_error": torch.stack(noisy, 1).cpu().numpy(),
    } | judged(on_held, held.y, on_test, test.y)  # type: ignore[arg-type] -- labels, one tensor


def _logits(net: Any, x: Any) -> Tensor:
    import torch

    return torch.cat([net(piece) for piece in x.split(JUDGED_AT_ONCE)], 1)


def _noise_error(net: Any, x: Any, y: Any, deviation: float) -> Tensor:
    """(n,) error on images with the same Gaussian noise for every network."""
    import torch

    generator = torch.Generator().manual_seed(round(1000 * deviation))
    noise = torch.randn(x.shape, generator=generator).to(x.device)
    return (_logits(net, x + deviation * noise).argmax(-1) != y).float().mean(1)


def judged(held: Tensor, held_y: Tensor, test: Tensor, test_y: Tensor) -> dict[str, NDArray[Any]]:
    """What test logits (n, m, classes) say, before and after temperature scaling on held-out logits.

    Returns:
        `test_error`, `temperature`, and each as it is and with the prefix `post_`: `test_loss` (negative
        log-likelihood), `brier` (summed over classes), (n, 100) `bin_count`, `bin_right`, `bin_confidence`:
        how many test images have their top confidence in each of 100 bins (low, high] of equal width, how
        many of them are right, and the sum of their confidences.
    """
    temperature = fit_temperature(held, held_y)
    out = {
        "test_error": (test.argmax(-1) != test_y).float().mean(1).cpu().numpy(),
        "temperature": temperature.cpu().numpy().astype(np.float32),
    }
    for prefix, logits in (("", test.double()), ("post_", test.double() / temperature[:, None, None])):
        out |= {f"{prefix}{name}": v for name, v in _scores(logits, test_y).items()}
    return out


def _scores(logits: Tensor, y: Tensor) -> dict[str, NDArray[Any]]:
    import torch

    logp = logits.log_softmax(-1)
    p = logp.exp()
    target = torch.nn.functional.one_hot(y, p.shape[-1]).to(p)
    top, guess = p.max(-1)
    right = (guess == y).to(p)
    place = (torch.ceil(top * BINS).long() - 1).clamp(0, BINS - 1)
    zero = p.new_zeros(len(p), BINS)
    return {
        "test_loss": -(logp * target).sum(-1).mean(1).float().cpu().numpy(),
        "brier": (p - target).square().sum(-1).mean(1).float().cpu().numpy(),
        "bin_count": zero.scatter_add(1, place, torch.ones_like(top)).cpu().numpy().astype(np.uint16),
        "bin_right": zero.scatter_add(1, place, right).cpu().numpy().astype(np.uint16),
        "bin_confidence": zero.scatter_add(1, place, top).float().cpu().numpy(),
    }


def fit_temperature(logits: Tensor, y: Tensor) -> Tensor:
    """(n,) temperatures that minimize the negative log-likelihood of logits (n, m, classes), labels (m,).

    Convex in 1 / T: a golden-section search of log T in [-4, 4] finds it for all networks at once.
    """
    import torch

    def loss(log_t: Tensor) -> Tensor:
        logp = (logits.double() / log_t.exp()[:, None, None]).log_softmax(-1)
        return -logp.gather(-1, y.expand(len(logits), -1)[..., None]).mean((1, 2))

    ratio = (math.sqrt(5) - 1) / 2
    low = torch.full((len(logits),), -4.0, dtype=torch.float64, device=logits.device)
    high = -low
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        better = loss(left) < loss(right)
        low, high = torch.where(better, low, left), torch.where(better, right, high)
    return ((low + high) / 2).exp()


def numbers(found: dict[str, NDArray[Any]], problem: Problem) -> list[dict[str, float]]:
    """What `closely` found of each network as metrics, named as in the shipped tables.

    `val_ece_15`, the calibration error on the validation images, is the one that may be searched for.
    """
    from nascore.benchmarks.made import ece

    labels = {s: problem.task.whole(s).y.cpu().numpy() for s in ("validation", "test")}  # type: ignore[union-attr] -- labels
    t = found["temperature"].astype(np.float64)
    test = found["test_logits"].astype(np.float64)
    columns = {n: found[n] for n in ("test_loss", "brier", "post_test_loss", "post_brier")}
    columns |= {
        "temperature": t,
        "ece_15": ece(test, labels["test"]),
        "post_ece_15": ece(test / t[:, None, None], labels["test"]),
        "val_ece_15": ece(found["validation_logits"].astype(np.float64), labels["validation"]),
    }
    for i, sd in enumerate(NOISES):
        columns[f"noise_{round(100 * sd):03d}_error"] = found["noise_error"][:, i]
    return [{n: float(v[i]) for n, v in columns.items()} for i in range(len(test))]


def gather(folder: Path, todo: Sequence[Part], space: Space) -> dict[str, NDArray[Any]]:
    """All finished parts in one: arrays with a row a training, `seed` and `key` beside them; no logits."""
    rows: dict[str, list[NDArray[Any]]] = {}
    for part in todo:
        if not (folder / part.file).exists():
            continue
        with np.load(folder / part.file, allow_pickle=False) as found:
            for name in found.files:
                if not name.endswith("_logits"):
                    rows.setdefault(name, []).append(found[name])
        rows.setdefault("seed", []).append(np.full(len(part.archs), part.seed))
        rows.setdefault("key", []).append(np.array([key(space, a) for a in part.archs]))
    return {name: np.concatenate(v) for name, v in rows.items()}


def progress(folder: Path, todo: Sequence[Part]) -> tuple[int, int]:
    """Finished and all parts."""
    return sum((folder / p.file).exists() for p in todo), len(todo)


def note(folder: Path, **facts: str | float) -> None:
    """Keeps facts of the making (machine, versions, seconds) beside the parts."""
    file = folder / "made.json"
    known = json.loads(file.read_text()) if file.exists() else {}
    aside = file.with_suffix(f".{os.getpid()}.tmp")
    aside.write_text(json.dumps(known | facts | {"changed": time.time()}, indent=1))
    aside.replace(file)
