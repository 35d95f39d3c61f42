"""Robustness: how often a trained network is still right on images that were disturbed, or chosen against it.

Four disturbances and two attacks, each at three severities; severity 0 leaves the images as they are. Images
are batch first, and amounts are in the units of the network's inputs, in which the tasks here have pixels of
standard deviation 1. Everybody meets the same noise, so that networks can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from nascore.errors import NotSupported
from nascore.kinds import knob

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.problem import Problem
    from nascore.task import Batch, Task

SEVERITIES = (0, 1, 2, 3)
AMOUNTS: dict[str, tuple[float, float, float, float]] = {
    "noise": (0.0, 0.25, 0.5, 1.0),
    "blur": (0.0, 0.5, 0.75, 1.0),
    "contrast": (1.0, 0.75, 0.4, 0.15),
    "translation": (0.0, 0.1, 0.2, 0.3),
}
SAYS = {
    "noise": "Gaussian noise of 0.25, 0.5 and 1 standard deviations of the pixels",
    "blur": "a Gaussian blur of 0.5, 0.75 and 1 pixels",
    "contrast": "contrast brought down to 75, 40 and 15 %, about each image's own mean",
    "translation": "a shift by 10, 20 and 30 % of the side, rounded up, the mean over four directions",
    "fgsm": "one step up the slope of the loss, as far as allowed (FGSM)",
    "pgd": "several smaller steps up the slope, never farther than allowed (PGD)",
}
ATTACKS = ("fgsm", "pgd")
STRENGTH = (0.0, 0.5, 1.0, 2.0)  # of an attack, in `eps`
AT_ONCE = 512  # images in one pass


@dataclass(frozen=True)
class Robustness:
    """Accuracy under disturbance and attack.

    Source: FGSM is Goodfellow et al. 2015, section 4; PGD is Madry et al. 2018, section 2.1, with a random
    start. Kinds of disturbance follow Hendrycks and Dietterich 2019; amounts are our choice, since images
    here are far smaller than theirs. Noise is that of the tables' columns, to the digit.
    """

    images: int = knob(1000, 8, 100_000, "images that are looked at")
    part: Literal["validation", "test"] = knob(
        "test", help="part of the data they come from", options=("validation", "test")
    )
    eps: float = knob(
        0.1,
        1e-4,
        10.0,
        "how far an attack may move a pixel at severity 2; half of it at 1, twice at 3",
        log=True,
    )
    steps: int = knob(10, 1, 500, "steps of PGD, each of 2.5 eps / steps")

    def measure(self, problem: Problem, net: nn.Module) -> dict[str, float]:
        """Shares of one: `accuracy`, and `noise_1` ... `pgd_3` of each kind and severity.

        Raises:
            NotSupported: the task is no classification of images.
        """
        return dict(self.steps_of(problem, net))

    def steps_of(self, problem: Problem, net: nn.Module) -> Iterator[tuple[str, float]]:
        """The same one by one, since attacks take their time; the network is as before in the end.

        Raises:
            NotSupported: the task is no classification of images.
        """
        batch = pictures(problem, self.part, self.images, net)
        modes = [(m, m.training) for m in net.modules()]
        try:
            net.eval()
            yield "accuracy", accuracy(net, batch.x, batch.y)
            for kind in AMOUNTS:
                for severity in SEVERITIES[1:]:
                    yield f"{kind}_{severity}", under(net, batch, kind, severity)
            for kind in ATTACKS:
                for severity in SEVERITIES[1:]:
                    yield f"{kind}_{severity}", self.attacked(problem, net, batch, kind, severity)
        finally:
            for module, mode in modes:
                module.training = mode

    def attacked(self, problem: Problem, net: nn.Module, batch: Any, kind: str, severity: int) -> float:
        """Accuracy where each image is changed against this network; severity 0 is none."""
        eps, right, at = self.eps * STRENGTH[severity], 0.0, 0
        generator = _generator(problem.number("robustness"))
        for x, y in zip(batch.x.split(AT_ONCE), batch.y.split(AT_ONCE), strict=True):
            part = replace(batch, x=x, y=y, index=batch.index[at : at + len(y)])
            if kind == "fgsm":
                moved = fgsm(net, problem.task, part, eps, bounds(batch.x))
            else:
                moved = pgd(net, problem.task, part, eps, self.steps, bounds(batch.x), generator)
            right += accuracy(net, moved, y) * len(y)
            at += len(y)
        return right / at


def pictures(problem: Problem, part: Any, images: int, net: nn.Module) -> Any:
    """The first images of a part and their labels, on the network's device and in its dtype.

    Raises:
        NotSupported: the task is no classification of images.
    """
    import torch

    whole = problem.task.whole(part, problem.device)
    x, y = whole.x, whole.y
    labels = isinstance(y, torch.Tensor) and y.dim() == 1 and not y.is_floating_point()
    if not (isinstance(x, torch.Tensor) and x.dim() == 4 and labels):
        raise NotSupported(f"robustness: {problem.task.data} is no set of images with one label each")
    like = next(iter(net.parameters()), x)
    n = images
    return replace(whole, x=x[:n].to(like.device, like.dtype), y=y[:n].to(like.device), index=whole.index[:n])  # type: ignore[return-value]


def accuracy(net: nn.Module, x: Tensor, y: Tensor) -> float:
    """Share of images (n, c, h, w) whose class (n,) is found."""
    import torch

    with torch.no_grad():
        right = sum(
            int((net(a).argmax(1) == b).sum())
            for a, b in zip(x.split(AT_ONCE), y.split(AT_ONCE), strict=True)
        )
    return right / len(y)


def under(net: nn.Module, batch: Any, kind: str, severity: int) -> float:
    """Accuracy under a disturbance; of a translation the mean over four directions."""
    changed = [disturb(batch.x, severity) for disturb in DISTURB[kind]]
    return sum(accuracy(net, x, batch.y) for x in changed) / len(changed)


def noise(x: Tensor, severity: int) -> Tensor:
    """Images with Gaussian noise, the same for every network; not clipped, as in the tables."""
    import torch

    deviation = AMOUNTS["noise"][severity]
    drawn = torch.randn(x.shape, generator=_generator(round(1000 * deviation)))
    return x + deviation * drawn.to(x)


def blur(x: Tensor, severity: int) -> Tensor:
    """Images under a Gaussian blur cut at three deviations; the edge goes on beyond the edge."""
    import torch
    from torch.nn import functional

    deviation = AMOUNTS["blur"][severity]
    if not deviation:
        return x
    reach = math.ceil(3 * deviation)
    at = torch.arange(-reach, reach + 1, device=x.device, dtype=x.dtype)
    weights = torch.exp(-0.5 * (at / deviation) ** 2)
    weights = weights / weights.sum()
    n, c, h, w = x.shape
    flat = functional.pad(x.reshape(n * c, 1, h, w), (reach,) * 4, mode="replicate")
    flat = functional.conv2d(flat, weights.reshape(1, 1, -1, 1))
    return functional.conv2d(flat, weights.reshape(1, 1, 1, -1)).reshape(n, c, h, w)


def contrast(x: Tensor, severity: int) -> Tensor:
    """Images drawn together toward their own mean."""
    mean = x.mean((1, 2, 3), keepdim=True)
    kept = AMOUNTS["contrast"][severity]
    return x if kept == 1 else mean + kept * (x - mean)


def shifted(x: Tensor, severity: int, right: int, down: int) -> Tensor:
    """Images moved by whole pixels; the edge goes on into what is laid bare."""
    from torch.nn import functional

    h, w = x.shape[2:]
    far = [math.ceil(AMOUNTS["translation"][severity] * side) for side in (h, w)]
    dy, dx = down * far[0], right * far[1]
    padded = functional.pad(x, (abs(dx), abs(dx), abs(dy), abs(dy)), mode="replicate")
    return padded[:, :, abs(dy) - dy : abs(dy) - dy + h, abs(dx) - dx : abs(dx) - dx + w]


def _toward(right: int, down: int) -> Callable[[Tensor, int], Tensor]:
    return lambda x, severity: shifted(x, severity, right, down)


DISTURB: dict[str, tuple[Callable[[Any, int], Any], ...]] = {
    "noise": (noise,),
    "blur": (blur,),
    "contrast": (contrast,),
    "translation": (_toward(1, 0), _toward(-1, 0), _toward(0, 1), _toward(0, -1)),
}


def bounds(x: Tensor) -> tuple[float, float]:
    """The darkest and the brightest pixel that there are; attacks stay between them."""
    return float(x.min()), float(x.max())


def slope(net: nn.Module, task: Task, batch: Batch, x: Tensor) -> Tensor:
    """(n, c, h, w) derivative of each image's loss by its pixels; weights keep no gradient.

    0 where a network does not look at its images.
    """
    import torch

    x = x.detach().requires_grad_()
    terms = task.losses(net(x), replace(batch, x=x))
    total = torch.stack([t.sum() for t in terms.values()]).sum()
    found = torch.autograd.grad(total, x, allow_unused=True)[0]
    return torch.zeros_like(x) if found is None else found


def fgsm(net: nn.Module, task: Task, batch: Any, eps: float, ends: tuple[float, float]) -> Tensor:
    """Images moved by one step of eps along the sign of the slope, between the ends of all pixels."""
    return (batch.x + eps * slope(net, task, batch, batch.x).sign()).clamp(*ends)


def pgd(
    net: nn.Module,
    task: Task,
    batch: Any,
    eps: float,
    steps: int,
    ends: tuple[float, float],
    generator: Any,
) -> Tensor:
    """Images after several steps along the sign of the slope, with no pixel farther than eps from its start.

    Args:
        net: in evaluation mode.
        task: its loss.
        batch: images x (n, c, h, w) and labels.
        eps: the farthest that a pixel moves.
        steps: each goes 2.5 eps / steps far.
        ends: least and largest pixel.
        generator: on the CPU, of the random start within eps.
    """
    import torch

    clean = batch.x
    start = (2 * torch.rand(clean.shape, generator=generator) - 1).to(clean)
    x = (clean + eps * start).clamp(*ends)
    for _ in range(steps):
        x = x + 2.5 * eps / steps * slope(net, task, batch, x).sign()
        x = torch.minimum(torch.maximum(x, clean - eps), clean + eps).clamp(*ends)
    return x


def _generator(seed: int) -> Any:
    import torch

    return torch.Generator().manual_seed(seed)
