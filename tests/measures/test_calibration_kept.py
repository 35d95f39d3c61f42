"""The 102 measures of the networks whose logits are kept, and how they agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks.table import Table
from nascore.errors import BadInput
from nascore.measures import calibration_kept as kept
from nascore.measures.agreement import kendall
from nascore.measures.calibration import measure
from nascore.measures.calibration_matrix import matrix, taus
from nascore.measures.calibration_report import report
from nascore.measures.calibration_scaling import METHODS

TABLES = Path(__file__).parents[2] / "data" / "tables"
DIGITS = Table(TABLES / "nasbench_digits")


@pytest.fixture(scope="module")
def held() -> kept.KeptLogits:
    return kept.read(DIGITS)


@pytest.fixture(scope="module")
def some(held: kept.KeptLogits) -> kept.KeptLogits:
    """Every tenth network."""
    logits, robust = ({n: v[::10] for n, v in some.items()} for some in (held.logits, held.robust))
    return replace(held, keys=held.keys[::10], logits=logits, robust=robust)


def test_there_are_102_names_in_thirteen_blocks() -> None:
    assert len(kept.ALL_NAMES) == 102
    assert sorted(kept.by_family()) == sorted(kept.ALL_NAMES)
    blocks = [kept.group(n) for n in kept.by_family()]
    assert len(dict.fromkeys(blocks)) == 13
    assert blocks == sorted(blocks, key=list(dict.fromkeys(blocks)).index)  # each block in one piece
    assert kept.called("post_cwce_em_50") == "Classwise ECE, equal mass, 50 bins, after scaling"


def test_kept_networks_are_those_of_the_table(held: kept.KeptLogits) -> None:
    assert len(np.unique(held.keys)) == 80
    runs = DIGITS.whole("runs")
    mine = runs[runs["seed"] == held.seed].set_index("key").loc[list(held.keys)]
    right = (held.of("test").argmax(-1) == held.labels["test"]).mean(1)
    apart = np.abs(right - mine["test_accuracy"].to_numpy() / 100)  # two processors round differently
    assert np.median(apart) < 1e-6
    assert apart.max() < 0.02
    assert right.std() > 0.1  # spread, not the best alone


def test_all_measures_are_those_of_the_predictions(some: kept.KeptLogits) -> None:
    values = kept.everything(some)
    assert set(kept.ALL_NAMES) < set(values)
    test, validation, outside = some.predictions(str(some.keys[3])) or pytest.fail("not there")
    said = report(test, validation, outside["noise"], draws=0)
    assert values["temperature"][3] == pytest.approx(said["temperature"])
    assert values["auc_noise"][3] == pytest.approx(said["auroc"])
    alone = measure(test.probabilities, test.labels)
    for name in ("ece_em_15", "cwce_em_50", "kdece", "mmce"):
        assert values[f"pre_{name}"][3] == pytest.approx(alone[name])
        assert values[f"post_{name}"][3] == pytest.approx(said["measures"][f"post_{name}"])
    lost = {n for n in kept.ALL_NAMES if np.isnan(values[n]).all()}
    assert lost == {f"{s}_{f}_500" for s in ("pre", "post") for f in ("ece_em", "cwce_em")}  # 400 images
    assert some.predictions("nobody") is None


def test_kept_networks_were_disturbed_as_those_of_the_table(held: kept.KeptLogits) -> None:
    runs = DIGITS.whole("runs")
    mine = runs[runs["seed"] == held.seed].set_index("key").loc[list(held.keys)]
    for severity, name in ((1, "noise_025"), (2, "noise_050"), (3, "noise_100")):
        told = mine[f"{name}_accuracy"].to_numpy() / 100
        assert np.median(np.abs(held.robust[f"noise_{severity}"] - told)) < 1e-3
    assert (held.robust["pgd_3"] <= held.robust["pgd_1"]).all()
    assert (held.robust["pgd_3"] <= held.robust["fgsm_3"] + 0.02).mean() > 0.9


def test_tables_of_one_space_keep_the_same_networks(held: kept.KeptLogits) -> None:
    other = kept.read(Table(TABLES / "nasbench_mnist5k"))
    assert (np.sort(other.keys) == np.sort(held.keys)).all()
    assert len(other.labels["test"]) == 1000
    few = replace(other, keys=other.keys[:12], logits={n: v[:12] for n, v in other.logits.items()})
    lost = {n for n, v in kept.everything(few).items() if not np.isfinite(v).any()}
    assert not lost  # 1,000 images are enough for 500 bins


def test_every_method_mends_all_networks(some: kept.KeptLogits) -> None:
    for method in METHODS:
        found = kept.mended(some, method)
        assert np.median(found["post_ece_15"]) < np.median(found["ece_15"]) / 2, method
    assert (kept.mended(some, "temperature")["post_accuracy"] == found["accuracy"]).all()


def test_all_pairs_at_once_agree_with_one_pair() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 12, (4, 30)) + np.arange(30) / 5
    tau, low, high = taus(x.round())
    for i in range(4):
        for j in range(4):
            one = kendall(x[i].round(), x[j].round()).interval()
            assert (tau[i, j], low[i, j], high[i, j]) == pytest.approx((one.value, one.low, one.high))


def test_what_has_no_value_stays_empty_and_the_rest_is_compared() -> None:
    rng = np.random.default_rng(1)
    values = {n: rng.normal(size=40) for n in "abc"} | {"none": np.full(40, np.nan)}
    values["c"][3] = np.nan
    found = matrix(values, ["a", "none", "b", "c"])
    assert found.lost == ("none",)
    assert found.n == 39
    assert np.isnan(found.at("a", "none").value)
    use = np.arange(40) != 3
    assert found.at("a", "b").value == pytest.approx(kendall(values["a"][use], values["b"][use]).value)
    with pytest.raises(BadInput, match="10 are needed"):
        matrix({n: v[:5] for n, v in values.items()}, ["a", "b"])


def test_a_table_without_logits_or_with_broken_ones_is_refused(tmp_path: Path) -> None:
    table = Table(TABLES / "nasbench_mnist5k")
    table.folder = tmp_path
    with pytest.raises(BadInput, match="keeps no logits"):
        kept.read(table)
    (tmp_path / kept.FILE).write_bytes(b"PK nothing")
    with pytest.raises(BadInput, match="damaged"):
        kept.read(table)
