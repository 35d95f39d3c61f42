"""Tasks: what comes in batches, what a network's output costs, how good it is. A network is `net(batch.x)`.

torch is imported where it is used: the app imports this module and does without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

Split = Literal["train", "validation", "test"]
Inputs = "Tensor | dict[str, Tensor]"
Metrics = dict[str, float]


@dataclass(frozen=True)
class Batch:
    """Examples.

    Attributes:
        x: what the network takes, (n, ...) or several of them by name.
        y: labels (n,) or probabilities (n, classes), or several by name.
        index: (n,) which examples these are.
        weight: (n,) weights for an unbiased loss, or None.
    """

    x: Tensor | dict[str, Tensor]
    y: Tensor | dict[str, Tensor]
    index: Tensor
    weight: Tensor | None = None


@dataclass(frozen=True)
class Shape:
    """The contract between tasks and spaces: named inputs and outputs with sizes, examples not counted."""

    inputs: tuple[tuple[str, tuple[int, ...]], ...]
    outputs: tuple[tuple[str, int], ...]

    @property
    def image(self) -> tuple[int, int, int]:
        """(channels, height, width) of the input called `image`.

        Raises:
            BadInput: there is no image.
        """
        sizes = dict(self.inputs)
        if "image" not in sizes:
            raise BadInput(f"task: it gives {', '.join(sizes)} and no image; take a space that reads this")
        c, h, w = sizes["image"]
        return c, h, w

    @property
    def classes(self) -> int:
        """Number of outputs called `class`."""
        return dict(self.outputs)["class"]


CIFAR = Shape((("image", (3, 32, 32)),), (("class", 10),))  # the shape that the literature counts costs at


class Task(Protocol):
    """A frozen dataclass that inherits this."""

    players: tuple[str, ...] = (
        "net",
    )  # who learns; a GAN's are two children of the network, stepped in turn

    @property
    def data(self) -> str:
        """The data's name, as protocols print it."""
        ...

    @property
    def shape(self) -> Shape:
        """Inputs and outputs."""
        ...

    def size(self, split: Split) -> int:
        """Number of examples."""
        ...

    def batches(
        self,
        split: Split,
        size: int | Callable[[], int],
        rng: np.random.Generator,
        weights: Tensor | None = None,
        device: str = "cpu",
    ) -> Iterator[Batch]:
        """One epoch of shuffled, full batches; `size` may be a function, asked before each."""
        ...

    def whole(self, split: Split, device: str = "cpu") -> Batch:
        """All examples of a split in their fixed order."""
        ...

    def losses(self, out: Tensor | dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """Term -> (n,) per example; a term a task, a term a player."""
        ...

    def metrics(self, net: nn.Module, split: Split) -> Metrics:
        """How good a network in evaluation mode is; names carry the unit, `error` is a share of one."""
        ...


def draws(
    n: int,
    size: int | Callable[[], int],
    rng: np.random.Generator,
    weights: NDArray[np.float64] | None = None,
) -> Iterator[NDArray[np.int64]]:
    """Index batches of one epoch: a permutation of n, or with weights n draws with replacement.

    The last, smaller rest is left out, unless all n together are fewer than one batch.
    """
    order = rng.permutation(n) if weights is None else rng.choice(n, n, p=weights / weights.sum())
    at = 0
    while True:
        k = min(size() if callable(size) else size, n)
        if at + k > n:
            return
        yield order[at : at + k]
        at += k


def soft(batch: Batch, out: Tensor, temperature: float = 1.0) -> Batch:
    """The batch with a teacher's probabilities (n, classes) for its target."""
    return replace(batch, y=(out.detach() / temperature).softmax(-1))
