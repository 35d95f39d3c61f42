"""The mobile space of Once-for-All (Cai et al., 2020) around MobileNetV3: kernels, expansions and depths.

Five stages of inverted residuals; each of the up to four blocks of a stage has a kernel of 3, 5 or 7 and an
expansion of 3, 4 or 6: about 2 x 10^19 networks. BigNAS, FBNetV3, LINAS and SimQ-NAS search such spaces. The
defaults are the released supernet of width 1.0; parameters and multiply-adds of its sub-networks equal those
in the logs of DyNAS-T (tests/spaces/test_mobilenet.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from numpy.typing import NDArray

from nascore.graph import Graph
from nascore.kinds import knob
from nascore.space import Arch, Archs, Choice, Sharing, Space
from nascore.spaces.stages import Stage, Stages

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from nascore.supernet import Supernet
    from nascore.task import Shape

# width, stride, squeeze and excite, activation of each searched stage
ROWS: tuple[tuple[int, int, bool, Literal["relu", "hardswish"]], ...] = (
    (24, 2, False, "relu"),
    (40, 2, True, "relu"),
    (80, 2, False, "hardswish"),
    (112, 1, True, "hardswish"),
    (160, 2, True, "hardswish"),
)


@dataclass(frozen=True)
class Mobilenet(Space):
    """MobileNetV3 as in Once-for-All: the kernel and expansion of each block, the depth of each stage."""

    width: float = knob(1.0, 0.125, 2.0, "all widths times this, as multiples of 8; officially 1 or 1.2")
    stages_used: int = knob(5, 1, 5, "how many of the five stages there are")
    kernels: tuple[int, ...] = knob((3, 5, 7), 1, 15, "kernels of a block, odd")
    expansions: tuple[int, ...] = knob((3, 4, 6), 1, 16, "expansions of a block")
    depths: tuple[int, ...] = knob((2, 3, 4), 1, 8, "blocks of a stage")
    resolutions: tuple[int, ...] = knob((0,), 0, 1024, "sides that the image is resized to; 0 for its own")
    stem_stride: int = knob(2, 1, 4, "stride of the first convolution; 1 suits small images")

    def __post_init__(self) -> None:
        _ = self.stages

    @property
    def stages(self) -> Stages:
        """The same space as plain data."""
        return _stages(self)

    def choices(self) -> tuple[Choice, ...]:
        """Of each stage the depth, then kernel and expansion of each block."""
        return self.stages.choices()

    def supernet(self, shape: Shape, sharing: Sharing, choices: tuple[Choice, ...]) -> Supernet:
        """As any stages space."""
        return self.stages.supernet(shape, sharing, choices)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        """As any stages space."""
        return self.stages.build(arch, shape)

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        """As any stages space."""
        return self.stages.graph(arch, shape)

    def costs(self, archs: Archs, shape: Shape) -> dict[str, NDArray[np.float64]]:
        """As any stages space."""
        return self.stages.costs(archs, shape)


def rounded(width: float) -> int:
    """The nearest multiple of 8 that loses at most a tenth."""
    near = max(8, int(width + 4) // 8 * 8)
    return near + 8 if near < 0.9 * width else near


@lru_cache(maxsize=64)
def _stages(space: Mobilenet) -> Stages:
    first = rounded(16 * space.width)
    rows = [Stage(("mbconv",), (first,), per="layer")]
    for width, stride, squeeze, act in ROWS[: space.stages_used]:
        rows.append(
            Stage(
                blocks=("mbconv",),
                widths=(rounded(width * space.width),),
                depths=space.depths,
                strides=(stride,),
                kernels=space.kernels,
                expansions=space.expansions,
                squeeze=(squeeze,),
                per="layer",
                activation=act,
            )
        )
    return Stages(
        tuple(rows),
        stem=first,
        stem_stride=space.stem_stride,
        head=rounded(960 * space.width),
        features=rounded(1280 * space.width),
        resolutions=space.resolutions,
        activation="hardswish",
    )
