"""`rank` on the shipped table, recomputed from the rows that it exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr, weightedtau
from sklearn.metrics import ndcg_score

from nascore.benchmarks.table import open_table
from tests.benchmarks.small import write_small
from tests.runs.toy_parts import home
from tests.test_cli import ask, refused

__all__ = ["home"]
BY = "params,synflow,train_seconds,val_accuracy@3,nasbench_mnist5k:test_accuracy"


def test_what_is_printed_follows_from_the_exported_rows(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.csv"
    found = ask(
        capsys, "rank", "nasbench_digits", "--by", BY, "--truth", "test_accuracy", "--export", str(file)
    )
    rows = pd.read_csv(file)
    assert list(rows) == ["key", "test_accuracy", *BY.split(",")]
    assert len(rows) == 5_044 == rows["key"].nunique()
    for row in found["rows"]:
        sign = -1 if row["evaluator"] == "train_seconds" else 1  # seconds: lower is better
        both = np.isfinite(rows[row["evaluator"]]) & np.isfinite(rows["test_accuracy"])
        scores = (sign * rows[row["evaluator"]])[both].to_numpy()
        truth = rows["test_accuracy"][both].to_numpy()
        assert row["n"] == both.sum()
        assert row["kendall"] == pytest.approx(kendalltau(scores, truth).statistic, abs=1e-6)
        assert row["spearman"] == pytest.approx(spearmanr(scores, truth).statistic, abs=1e-6)
        assert row["weighted_kendall"] == pytest.approx(weightedtau(scores, truth).statistic, abs=1e-6)
        gain = (truth - truth.min()) / np.ptp(truth)
        assert row["ndcg_at_k"] == pytest.approx(ndcg_score([gain], [scores], k=10), abs=1e-6)
        assert row["kendall_low"] <= row["kendall"] <= row["kendall_high"]
        assert 0 <= row["precision_at_k"] <= 1
    assert found["rows"][0]["partial_spearman"] is None
    assert found["rows"][4]["n"] == 1_000


def test_seconds_are_those_of_the_trainings_and_none_where_nobody_measured(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by = "val_accuracy,val_accuracy@1,val_accuracy@10,latency_ms"
    whole, first, last, latency = ask(capsys, "rank", "nasbench_digits", "--by", by)["rows"]
    table = open_table("nasbench_digits")
    own = np.unique(table.frame["trained_row"])
    seeds = int(table.columns["val_accuracy"].protocol.seeds.split()[0])
    one = float(table.values("train_seconds")[own].mean())
    assert whole["seconds_per_arch"] == pytest.approx(seeds * one, rel=0.05)
    assert first["seconds_per_arch"] == pytest.approx(whole["seconds_per_arch"] / 10)
    assert latency["seconds_per_arch"] is None
    assert whole["shares_trainings"]
    assert not latency["shares_trainings"]
    assert first["kendall"] < whole["kendall"]
    assert last["kendall"] == pytest.approx(whole["kendall"], abs=1e-3)  # the last epoch is the metric


def test_no_evaluator_of_its_own_beats_the_noise_of_the_seeds(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask(capsys, "rank", "nasbench_digits", "--by", "params,flops,synflow,naswot,grad_norm")
    most = found["noise_ceiling"]
    assert most["seeds"] >= 3
    assert 0.8 < most["again"]["kendall"] < most["perfect"]["kendall"] < 1
    assert all(row["kendall_high"] < most["again"]["kendall"] for row in found["rows"])


def test_resampling_gives_nearly_the_same_interval(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small(home, n=120)
    ways = [("--resamples", "400"), ()]
    boot, fast = (ask(capsys, "rank", "small", "--by", "params", *w)["rows"][0] for w in ways)
    assert boot["kendall"] == fast["kendall"]
    assert boot["kendall_low"] != fast["kendall_low"]
    for end in ("kendall_low", "kendall_high", "spearman_low", "spearman_high"):
        assert boot[end] == pytest.approx(fast[end], abs=0.04)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--by", "nothing"), "'nothing' is no metric of nasbench_digits"),
        (("--by", "test_accuracy"), "test_accuracy is the truth itself"),
        (("--by", "temperature"), "does not say whether higher or lower is better"),
        (("--by", "params", "--truth", "temperature"), "does not say whether higher or lower is better"),
        (("--by", ","), "no evaluator is named"),
        (("--by", "params", "--k", "0"), "0 is not between"),
        (("--by", "val_accuracy@11"), "have 10 epochs"),
        (("--by", "val_accuracy@x"), "'x' is no number of epochs"),
        (("--by", "synflow@3"), "'synflow' has no learning curve"),
        (("--by", "nowhere:params"), "there is no table called 'nowhere'"),
        (("--by", "small:params"), "small knows none of the 5,044 architectures"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str
) -> None:
    if "small:params" in given:
        without_params(home)
    assert said in refused(capsys, "rank", "nasbench_digits", *given)


def without_params(home: Path) -> None:
    """A table over the same space that knows the params of no cell."""
    table = write_small(home)
    frame = table.frame.assign(params=np.nan)
    frame.to_parquet(table.folder / "archs.parquet", index=False)


def test_three_architectures_have_no_correlation(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_small(home, n=3)
    said = refused(capsys, "rank", "small", "--by", "params")
    assert said.startswith("params: 3 architectures have both a score and a truth; 10 are the least")


def test_a_predictor_is_asked_about_what_it_has_not_seen(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few, many = ask(capsys, "rank", "nasbench_digits", "--by", "ridge@20,ridge@200")["rows"]
    assert (few["n"], many["n"]) == (5_044 - 20, 5_044 - 200)
    assert few["kendall_high"] < many["kendall_low"]
    assert many["seconds_from"] == "learning and asking, without the 200 trainings"
    assert "too few to ask about" in refused(capsys, "rank", "nasbench_digits", "--by", "ridge@5040")
