"""The shipped benchmark, and the numbers that its making computes."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.benchmarks import build, made, table
from nascore.proxies import PROXIES
from nascore.space import key, tuples
from nascore.spaces.nasbench201 import Nasbench201


@pytest.fixture(scope="module")
def digits() -> table.Table:
    return table.open_table("nasbench_digits")


def test_every_cell_is_there_and_equal_networks_share_their_training(digits: table.Table) -> None:
    space = Nasbench201(cells=1, channels=8, stages=1, stem_stride=2)
    assert digits.rows == 15_625
    archs = tuples(digits.archs)
    rows = np.random.default_rng(0).choice(digits.rows, 200, replace=False)
    leaders = digits.frame["trained_row"].to_numpy()
    for row in rows:
        assert key(space, archs[row]) == digits.frame["key"].iloc[row]
        assert archs[leaders[row]] == space.canonical(archs[row])
    assert len(np.unique(leaders)) == 5_044


def test_the_mean_over_seeds_is_what_the_trainings_say(digits: table.Table) -> None:
    runs = digits.whole("runs")
    mean = runs.groupby("row")["test_accuracy"].mean()
    shown = digits.values("test_accuracy")
    assert np.allclose(shown[mean.index], mean, atol=1e-3)
    assert runs.groupby("row")["seed"].nunique().min() >= 3


def test_curves_end_at_the_reported_accuracy(digits: table.Table) -> None:
    name = digits.top(1, "test_accuracy")["key"].iloc[0]
    curves, runs = digits.curves(name), digits.runs(name)
    for seed, part in curves[curves["metric"] == "val_accuracy"].groupby("seed"):
        last = part["values"].iloc[0][-1]
        assert last == pytest.approx(runs.set_index("seed")["val_accuracy"][seed], abs=1e-3)


@pytest.mark.slow
def test_a_training_of_the_table_can_be_repeated(digits: table.Table) -> None:
    """The numbers were made by this code: training one class again gives them again."""
    import torch

    from nascore.runs.spec import from_document

    torch.set_num_threads(1)
    cell = {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}}
    problem = from_document({"space": cell}).problem()
    row = int(digits.frame["trained_row"].iloc[7_000])
    found = build.train_part(problem, [tuples(digits.archs)[row]])
    told = digits.runs(digits.frame["key"].iloc[row]).set_index("seed").loc[0]
    # another processor may round differently, and ten epochs carry that far: a few images of 400
    assert 100 * (1 - found["test_error"][0]) == pytest.approx(told["test_accuracy"], abs=3)
    assert found["curve_train_loss"][0][0] == pytest.approx(
        digits.curves(digits.frame["key"].iloc[row])
        .query("seed == 0 and metric == 'train_loss'")["values"]
        .iloc[0][0],
        abs=0.02,
    )


def test_calibration_error_by_hand() -> None:
    # two images in one bin of width 1/3: confidences .9 and .8, one of them right
    p = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    assert made.ece(np.log(p), np.array([0, 0]), 3) == pytest.approx([abs(0.85 - 0.5)])


def test_the_fitted_temperature_minimizes_the_loss() -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 500, 4, generator=generator)
    y = torch.stack([torch.multinomial((z / 2).softmax(-1), 1, generator=generator)[:, 0] for z in logits])
    t = torch.cat([build.fit_temperature(z[None], labels) for z, labels in zip(logits, y, strict=True)])
    assert ((t > 1.3) & (t < 3)).all()

    def loss(at: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [
                torch.nn.functional.cross_entropy(z.double() / s, labels)
                for z, s, labels in zip(logits, at, y, strict=True)
            ]
        )

    assert (loss(t) <= loss(1.02 * t) + 1e-9).all()
    assert (loss(t) <= loss(t / 1.02) + 1e-9).all()


def test_histograms_hold_every_image_once(digits: table.Table) -> None:
    import pyarrow.parquet as pq

    bins = pq.read_table(digits.folder / "bins.parquet")
    count = np.array(bins["bin_count"].to_pylist()[:50])
    right = np.array(bins["bin_right"].to_pylist()[:50])
    assert (count.sum(1) == 400).all()
    assert (right <= count).all()


def test_parts_are_shared_without_overlap_and_not_done_twice() -> None:
    archs = [(0,) * 6, (1,) * 6, (2,) * 6]
    todo = build.parts(archs, (0, 1), 2)
    assert [p.file for p in todo] == [f"seed{s}-0000{i}.npz" for s in (0, 1) for i in (0, 1)]
    assert [a for p in todo[:2] for a in p.archs] == archs


def test_agreement_recovers_the_noise_that_was_put_in() -> None:
    """Truth of variance 4, seed noise of variance 1: a seed has reliability .8, the mean of eight .97."""
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 2, 20_000)
    found = made.agreement(truth[:, None] + rng.normal(0, 1, (20_000, 8)))
    assert found["all"]["reliability"] == pytest.approx(4 / (4 + 1 / 8), abs=0.005)
    assert found["all"]["reliability_of_3"] == pytest.approx(4 / (4 + 1 / 3), abs=0.01)
    assert found["all"]["spearman"] == pytest.approx(6 / np.pi * np.arcsin(0.8 / 2), abs=0.01)
    assert found["best_quarter_by_mean"]["reliability"] < found["all"]["reliability"]
    assert found["best_quarter_by_another_seed"]["n"] == 5_000


def test_every_cell_has_a_score_of_every_proxy(digits: table.Table) -> None:
    for name in PROXIES:
        known = np.isfinite(digits.values(name))
        assert digits.column(name).direction, name
        # where two networks give all images one code, NASWOT has no value
        assert known.all() if name != "naswot" else known.mean() > 0.9, name


def test_every_score_of_a_table_says_what_it_costs() -> None:
    for known in map(table.open_table, ("nasbench_digits", "nasbench_mnist5k", "natssize_digits")):
        timed = known.about["seconds_per_arch"]
        assert set(timed) == {n for n in PROXIES if n in known.columns}
        assert all(0 < t < 1 for t in timed.values())
        assert timed["params"] < timed["synflow"] < timed["grad_norm"]


def test_further_seeds_join_the_trainings_that_a_table_holds(digits: table.Table) -> None:
    known = made.kept(digits.folder)
    runs = digits.whole("runs")
    assert np.array_equal(known.seeds, runs["seed"])
    assert np.allclose(known.curves["val_accuracy"][:, -1], known.scalars["val_accuracy"], atol=1e-3)
    last = known.seeds == known.seeds.max()
    new = made.Trainings(
        known.arch_keys[last],
        known.seeds[last] + 1,
        {n: v[last] for n, v in known.scalars.items()},
        {n: v[last] for n, v in known.curves.items()},
    )
    both = made.together(known, new)
    assert len(both.seeds) == len(known.seeds) + last.sum()
    assert made.together(both, new).seeds.tolist() == both.seeds.tolist()
