"""Calibration measures: exact values, other libraries as oracles, slow and obvious twins."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nascore.measures.calibration import BINS, NAMES, Calibration, measure, measures, places, softmax, title
from nascore.measures.calibration_curves import merged, reliability
from nascore.measures.calibration_report import auroc, entropy, floors

SHARED = Path(__file__).parents[3] / "shared" / "benchmarks" / "calibration_wideresnet_16_4_cifar_10.parquet"
EXACT = {
    "ece_15": (0.05372, 5), "ece_500": (0.06031, 5), "ece_em_15": (0.05372, 5), "mce_15": (0.26239, 5),
    "mce_500": (0.76078, 5), "cwce_15": (0.01243, 5), "cwce_em_15": (0.01068, 5), "ksce": (0.05372, 5),
    "mmce": (0.04675, 5), "kdece": (0.0476, 4), "nll": (0.37780, 5), "brier": (0.14387, 5),
}  # fmt: skip


def drawn(n: int = 400, classes: int = 5, seed: int = 0, sharp: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """An overconfident network: logits of some signal, labels as they come."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = sharp * (rng.normal(size=(n, classes)) + 1.2 * np.eye(classes)[labels])
    return softmax(logits), labels


@pytest.mark.skipif(not SHARED.exists(), reason="the published predictions are not here")
def test_the_published_network_has_the_published_numbers() -> None:
    import pandas as pd

    frame = pd.read_parquet(SHARED)
    p, y = frame[[f"p{i}" for i in range(10)]].to_numpy(), frame["label"].to_numpy()
    found = measure(p, y)
    assert {n: round(found[n], digits) for n, (_, digits) in EXACT.items()} == {
        n: v for n, (v, _) in EXACT.items()
    }
    assert round(float((p.argmax(1) == y).mean()), 4) == 0.9109
    under = floors(p, ["ece_15", "ece_100", "ece_500"])
    assert under == pytest.approx({"ece_15": 0.0038, "ece_100": 0.0100, "ece_500": 0.0212}, rel=0.15)


def test_there_are_fifty_names_and_each_says_what_it_is() -> None:
    assert len(set(NAMES)) == 50
    assert list(measure(*drawn())) == list(NAMES)
    assert title("ece_em_50") == "ECE, equal mass, 50 bins"
    assert set(Calibration(bins=7).measure(*drawn())) > {"ece_7", "cwce_em_7", "nll"}


def test_two_bins_as_worked_by_hand() -> None:
    p = [0.25, 0.25, 0.55, 0.75, 0.75]
    found = reliability(p, [0, 0, 1, 1, 1], 2)
    assert found.ece == pytest.approx(0.29)
    assert found.mce == pytest.approx(0.95 / 3)
    probabilities = np.array([[0.25, 0.20, 0.55], [0.55, 0.05, 0.40], [0.10, 0.30, 0.60], [0.90, 0.05, 0.05]])
    three = measure(probabilities, [0, 1, 2, 0], ["ece_3", "mce_3"])
    assert three == pytest.approx({"ece_3": 0.2, "mce_3": 0.7 / 3})


def test_a_confidence_of_one_has_no_bin_of_its_own() -> None:
    found = reliability([0.95, 1.0], [1, 0], 10)
    assert found.count.tolist() == [0] * 9 + [2]
    assert found.accuracy[9] == 0.5
    assert np.isnan(found.accuracy[:9]).all()
    assert found.ece == found.mce == pytest.approx(0.475)


def test_edges_belong_to_the_bin_below_and_a_zero_to_the_first() -> None:
    edges = np.arange(11) / 10
    assert places(edges, 10).tolist() == [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert places(np.nextafter(edges[:-1], 1), 10).tolist() == list(range(10))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_torchmetrics_agrees_where_it_has_no_phantom_bin(seed: int) -> None:
    torch = pytest.importorskip("torch")
    oracle = pytest.importorskip("torchmetrics.functional.classification")
    p, y = drawn(seed=seed)
    for bins in (10, 15, 37):
        found = measure(p, y, [f"ece_{bins}", f"mce_{bins}"])
        for name, norm in (("ece", "l1"), ("mce", "max")):
            said = oracle.multiclass_calibration_error(
                torch.tensor(p), torch.tensor(y), p.shape[1], n_bins=bins, norm=norm
            )
            assert found[f"{name}_{bins}"] == pytest.approx(float(said), abs=1e-6)


def test_scikit_learn_agrees_on_scores_and_curves() -> None:
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import log_loss, roc_auc_score

    p, y = drawn()
    found = measure(p, y, ["nll", "brier"])
    assert found["nll"] == pytest.approx(log_loss(y, p))
    assert found["brier"] == pytest.approx(((p - np.eye(5)[y]) ** 2).sum(1).mean())
    rate, said = calibration_curve(y == 2, p[:, 2], n_bins=8)
    mine = reliability(p[:, 2], y == 2, 8)
    assert mine.accuracy[mine.count > 0] == pytest.approx(rate)
    assert mine.confidence[mine.count > 0] == pytest.approx(said)
    far = softmax(np.random.default_rng(1).normal(size=(300, 5)))
    scores = np.concatenate([entropy(p), entropy(far)])
    assert auroc(entropy(p), entropy(far)) == pytest.approx(
        roc_auc_score(np.repeat([0, 1], [len(p), len(far)]), scores)
    )


def plainly(p: np.ndarray, y: np.ndarray, name: str, bins: int) -> float:
    """The definition, written as loops."""
    n, classes = p.shape
    kind = "cw" if name.startswith("cw") else "top"
    columns = [(p[:, k], y == k) for k in range(classes)] if kind == "cw" else [(p.max(1), p.argmax(1) == y)]
    total = []
    for c, a in columns:
        if name.endswith("_em"):
            parts = np.array_split(np.argsort(c, kind="stable"), bins)
        else:
            inside = [(c > b / bins) & (c <= (b + 1) / bins) | ((b == 0) & (c == 0)) for b in range(bins)]
            parts = [np.flatnonzero(i) for i in inside]
        gaps = [(len(i) / n, abs(a[i].mean() - c[i].mean())) for i in parts if len(i)]
        total.append(max(g for _, g in gaps) if name == "mce" else sum(w * g for w, g in gaps))
    return float(np.mean(total))


@pytest.mark.parametrize("name", ["ece", "ece_em", "cwce", "cwce_em", "mce"])
def test_binned_measures_are_what_their_definition_says(name: str) -> None:
    p, y = drawn(130)
    p = np.round(p, 2)  # many equal values, zeros and ones
    found = measure(p, y)
    for bins in BINS[:7]:
        assert found[f"{name}_{bins}"] == pytest.approx(plainly(p, y, name, bins), abs=1e-12)


def test_mmce_is_the_root_of_the_double_sum() -> None:
    p, y = drawn(150)
    c, d = p.max(1), p.max(1) - (p.argmax(1) == y)
    double = (d[:, None] * d * np.exp(-2.5 * np.abs(c[:, None] - c))).mean()
    assert measure(p, y, ["mmce"])["mmce"] == pytest.approx(np.sqrt(double))


def test_the_kernel_density_error_is_that_of_a_plain_sum_of_kernels() -> None:
    p, y = drawn(150)
    c, a = p.max(1), p.argmax(1) == y
    reach = 3 * c[a].std() * (2 * len(c)) ** -0.2
    x = np.linspace(-0.6, 1.6, 2**14)
    x = x[(x > 0) & (x < 1)]

    def density(values: np.ndarray) -> np.ndarray:
        both = np.concatenate([values, np.where(values < 0.5, -values, 2 - values)])
        u = (x[:, None] - both) / reach
        return 2 * (np.maximum(1 - u**2, 0) ** 3).sum(1) * 35 / 32 / reach / len(both)

    every, hit = density(c), density(c[a])
    rate = np.minimum(1, a.mean() * hit / np.maximum(every, 1e-300))
    said = (np.abs(x - rate) * every).sum() / every.sum()
    assert measure(p, y, ["kdece"])["kdece"] == pytest.approx(said, abs=2e-5)


def test_nested_bins_never_lower_the_error_and_the_mean_gap_is_below_all() -> None:
    for seed in range(5):
        p, y = drawn(300, seed=seed)
        found = measure(p, y)
        least = abs(p.max(1).mean() - (p.argmax(1) == y).mean()) - 1e-12
        assert least <= found["ksce"]
        assert all(least <= found[f"ece_{b}"] <= found[f"mce_{b}"] + 1e-12 for b in BINS)
        for chain in ((5, 10, 20, 100), (25, 50, 200)):
            for few, many in itertools.pairwise(chain):
                assert found[f"ece_{few}"] <= found[f"ece_{many}"] + 1e-12
                assert found[f"mce_{few}"] <= found[f"mce_{many}"] + 1e-12


def test_many_networks_at_once_are_each_as_alone() -> None:
    each = [drawn(90, seed=s)[0] for s in range(4)]
    y = drawn(90)[1]
    found = measures(np.stack(each), y)
    for i, p in enumerate(each):
        alone = measure(p, y)
        for name in NAMES:
            assert found[name][i] == pytest.approx(alone[name], nan_ok=True, abs=1e-12), name


def test_more_bins_of_equal_mass_than_examples_have_no_value() -> None:
    found = measure(*drawn(60))
    assert [n for n, v in found.items() if not np.isfinite(v)] == [
        f"{f}_{b}" for f in ("ece_em", "cwce_em") for b in (100, 200, 500)
    ]
    assert np.isnan(measure(np.full((20, 4), 0.25), np.arange(20) % 4)["kdece"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([5, 10, 20, 25, 50]))
def test_order_does_not_matter_and_fine_bins_merge(seed: int, bins: int) -> None:
    p, y = drawn(80, seed=seed)
    order = np.random.default_rng(seed).permutation(80)
    for name, value in measure(p[order], y[order]).items():
        assert value == pytest.approx(measure(p, y, [name])[name], nan_ok=True, abs=1e-12)
    c, a = p.max(1), p.argmax(1) == y
    fine = reliability(c, a, 100)
    few = merged(
        fine.count,
        np.nan_to_num(fine.count * fine.accuracy),
        np.nan_to_num(fine.count * fine.confidence),
        bins,
    )
    assert few.ece == pytest.approx(reliability(c, a, bins).ece, abs=1e-12)


def test_bins_of_equal_mass_hold_nearly_equally_many() -> None:
    c = np.array([1.0] * 7 + [0.5, 0.6, 0.7])
    found = reliability(c, np.ones(10), 3, equal_mass=True)
    assert found.count.tolist() == [4, 3, 3]
    assert found.low.tolist() == [0.5, 1.0, 1.0]
    low, high = found.bounds()
    assert (low < 1).all()
    assert high == pytest.approx([1, 1, 1])


def test_a_calibrated_network_lies_at_its_floor_and_this_one_above() -> None:
    p, y = drawn(2000)
    under = floors(p, ["ece_15", "cwce_15", "mce_15", "nll"])
    found = measure(p, y, list(under))
    assert all(found[n] > under[n] for n in under)
    honest = np.array([np.random.default_rng(i).choice(5, p=row) for i, row in enumerate(p)])
    calm = measure(p, honest, ["ece_15"])["ece_15"]
    assert calm < 2 * under["ece_15"] < found["ece_15"]
