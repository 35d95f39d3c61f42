"""Networks of a table trained once more, with their logits kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks import logits
from nascore.benchmarks.table import Table
from nascore.errors import BadInput
from nascore.measures import calibration_kept
from nascore.outside import outside, photographs
from nascore.runs import robust
from nascore.tasks.images import Digits

DIGITS = Table(Path(__file__).parents[2] / "data" / "tables" / "nasbench_digits")


def test_networks_are_spread_over_accuracy_and_size() -> None:
    rows = logits.chosen([DIGITS], 100)
    assert len(set(rows)) == 100
    assert (DIGITS.frame["trained_row"].to_numpy()[rows] == rows).all()
    every = DIGITS.values("val_accuracy")[DIGITS.frame["trained_row"].unique()]
    tenths = np.quantile(every, np.linspace(0.1, 0.9, 9))
    held = np.bincount(np.searchsorted(tenths, DIGITS.values("val_accuracy")[rows]), minlength=10)
    assert (np.abs(held - 10) <= 1).all()
    assert len(np.unique(DIGITS.values("params")[rows])) >= 15
    with pytest.raises(BadInput, match="more than the 5,044"):
        logits.chosen([DIGITS], 5045)


def test_tables_of_one_space_keep_the_same_networks() -> None:
    mnist = Table(DIGITS.folder.parent / "nasbench_mnist5k")
    rows, others = logits.chosen([DIGITS, mnist], 80), logits.chosen([mnist, DIGITS], 80)
    assert set(DIGITS.frame["key"].iloc[rows]) == set(mnist.frame["key"].iloc[others])
    held = mnist.frame["trained_row"].unique()
    tenths = np.quantile(mnist.values("val_accuracy")[held], [1 / 3, 2 / 3])
    spread = np.bincount(np.searchsorted(tenths, mnist.values("val_accuracy")[others]), minlength=3)
    assert spread.min() >= 15
    with pytest.raises(BadInput, match="more than the 1,000 of nasbench_digits and nasbench_mnist5k"):
        logits.chosen([DIGITS, mnist], 1001)


def test_a_step_moves_no_logit_by_more_than_half_of_it_but_for_the_middle() -> None:
    z = np.random.default_rng(0).normal(3, 8, (2, 50, 10))
    back = logits.steps(z) / logits.STEP
    moved = (back - z) - (back - z).mean(-1, keepdims=True)
    assert np.abs(moved).max() < 1 / logits.STEP


def test_a_stopped_work_goes_on_and_the_file_reads_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(logits, "TOGETHER", 2)
    todo = logits.plan([DIGITS], 4)
    asked = robust.of_table(DIGITS, todo[0].archs[0])
    problem = asked.problem()
    problem = replace(problem, recipe=replace(problem.recipe, epochs=1), task=Digits(train_images=64))
    first = next(logits.work(problem, todo, tmp_path))
    with pytest.raises(BadInput, match="not trained yet"):
        logits.packed(problem, todo, tmp_path)
    assert [p.file for p in logits.work(problem, todo, tmp_path)] == [todo[1].file]
    assert first.file == todo[0].file
    table = Table(DIGITS.folder)
    table.folder = tmp_path
    made = logits.write(table, logits.packed(problem, todo, tmp_path)).read_bytes()
    assert logits.write(table, logits.packed(problem, todo, tmp_path)).read_bytes() == made
    held = calibration_kept.read(table)
    assert held.of("test").shape == (4, 400, 10)
    assert held.of("photographs").shape == held.of("noise").shape == (4, 200, 10)
    assert "4 networks" in held.protocol


def test_images_from_outside_are_standardized_and_always_the_same() -> None:
    torch = pytest.importorskip("torch")
    test = torch.randn(30, 2, 8, 8)
    found = outside(test, 20)
    assert found["noise"].shape == found["photographs"].shape == (20, 2, 8, 8)
    assert torch.equal(found["noise"], outside(test, 20)["noise"])
    gray = photographs(50, 14, 14)
    assert (float(gray.mean()), float(gray.std())) == pytest.approx((0, 1), abs=1e-5)
    assert len(np.unique(gray.mean((1, 2)))) > 45
    assert photographs(2, 40, 64).shape == (2, 40, 64)
