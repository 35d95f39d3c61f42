"""Published trainings of random DARTS cells give the numbers that Yang et al. (2020) print of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from nascore import stats
from nascore.measures.relative import Relative

KENDALL = {25: 0.19, 50: 0.28, 100: 0.27, 200: 0.31, 300: 0.37, 400: 0.48, 500: 0.63}


def _curves(shared: Path, name: str) -> NDArray[np.float64]:
    """(cells, 600) validation accuracy after each epoch."""
    frame = pd.read_parquet(shared / f"{name}.parquet")
    return frame.pivot_table(index="arch", columns="epoch", values="val_acc").to_numpy()


def test_random_cells_differ_little_and_early_epochs_rank_them_poorly(shared: Path) -> None:
    curves = _curves(shared, "darts_random_214_curves")
    end = curves[:, -1]
    assert curves.shape == (214, 600)
    assert (end.mean(), end.std(ddof=1)) == (pytest.approx(96.95, abs=0.01), pytest.approx(0.23, abs=0.01))
    assert (end.min(), end.max()) == (pytest.approx(96.03, abs=0.01), pytest.approx(97.41, abs=0.01))
    for epoch, tau in KENDALL.items():
        assert stats.kendall(curves[:, epoch - 1], end) == pytest.approx(tau, abs=0.01), epoch


def test_plain_convolutions_alone_are_hardly_worse(shared: Path) -> None:
    plain = _curves(shared, "darts_random_56_modified_curves")[:, -1]
    usual = _curves(shared, "darts_random_214_curves")[:, -1]
    assert (plain.mean(), plain.std(ddof=1)) == (
        pytest.approx(96.77, abs=0.01),
        pytest.approx(0.31, abs=0.01),
    )
    found = Relative().measure(plain, usual)
    assert -0.3 < found.percent.low < found.percent.value < found.percent.high < 0
    assert found.p < 0.05
    assert not found.better
