"""Images that no training set holds, for asking whether a network notices: noise, and photographs.

Both are standardized as the tasks' own images are: mean 0 and standard deviation 1 over all pixels. The
calibration study asks with CIFAR-10-C's Gaussian noise and with SVHN; for images this small we take the test
images under noise, and patches of the two photographs that come with scikit-learn.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.errors import NotFound

if TYPE_CHECKING:
    from torch import Tensor

NOISE = 0.5  # standard deviations of the pixels, the middle one of the tables' three
MANY = 200  # images of each kind
PHOTOGRAPHS = ("china.jpg", "flower.jpg")
SIDE = 32  # pixels of a photograph's patch, before it is made small
SAYS = {
    "noise": f"test images under Gaussian noise of {NOISE} standard deviations of the pixels",
    "photographs": "patches of two photographs, in gray, as small as the images",
}


def outside(test: Tensor, many: int = MANY) -> dict[str, Tensor]:
    """`noise` and `photographs`, each (many or as many test images as there are, c, h, w).

    Args:
        test: (n, c, h, w) standardized test images; noise is that of the tables, image by image.
        many: at most so many of each.
    """
    import torch

    generator = torch.Generator().manual_seed(round(1000 * NOISE))
    drawn = torch.randn(test.shape, generator=generator).to(test)
    some = (test + NOISE * drawn)[:many]
    patches = torch.tensor(photographs(len(some), *test.shape[2:])).to(test)
    return {"noise": some, "photographs": patches[:, None].expand(-1, test.shape[1], -1, -1).contiguous()}


def photographs(many: int, high: int, wide: int) -> NDArray[np.float32]:
    """(many, high, wide) gray patches of 32 x 32 pixels at fixed random places, made small by their mean.

    Larger images are patches of their own size. All pixels together have mean 0 and standard deviation 1.
    """
    rng = np.random.default_rng(427)
    side = [max(1, SIDE // s) * s for s in (high, wide)]
    gray = [_gray(name) for name in PHOTOGRAPHS]
    out = np.empty((many, high, wide), np.float32)
    for i in range(many):
        image = gray[i % len(gray)]
        y, x = (int(rng.integers(0, max(1, a - b + 1))) for a, b in zip(image.shape, side, strict=True))
        patch = image[y : y + side[0], x : x + side[1]]
        out[i] = patch.reshape(high, side[0] // high, wide, side[1] // wide).mean((1, 3))
    return (out - out.mean()) / out.std()


def _gray(name: str) -> NDArray[Any]:
    """A photograph of scikit-learn as (h, w) gray values, found without importing the package."""
    from PIL import Image

    spec = importlib.util.find_spec("sklearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (file := Path(folder) / "datasets" / "images" / name).exists():
            with Image.open(file) as image:
                return np.asarray(image.convert("L"), np.float32)
    raise NotFound(f"scikit-learn with its photograph {name} is not installed")
