"""`rank` on the shipped table, recomputed from the rows that it exports."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kendalltau, spearmanr

from tests.runs.toy_parts import home
from tests.test_cli import ask, refused

__all__ = ["home"]


def test_what_is_printed_follows_from_the_exported_rows(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.csv"
    found = ask(
        capsys, "rank", "nasbench_digits", "--by", "params,synflow,train_seconds",
        "--truth", "test_accuracy", "--resamples", "20", "--export", str(file),
    )  # fmt: skip
    rows = pd.read_csv(file)
    assert list(rows) == ["key", "test_accuracy", "params", "synflow", "train_seconds"]
    assert len(rows) == 5_044 == rows["key"].nunique()
    for row in found["rows"]:
        sign = -1 if row["evaluator"] == "train_seconds" else 1  # seconds: lower is better
        scores, truth = sign * rows[row["evaluator"]], rows["test_accuracy"]
        both = np.isfinite(scores) & np.isfinite(truth)
        assert row["n"] == both.sum()
        assert row["kendall"] == pytest.approx(kendalltau(scores[both], truth[both]).statistic, abs=1e-6)
        assert row["spearman"] == pytest.approx(spearmanr(scores[both], truth[both]).statistic, abs=1e-6)
        assert row["kendall_low"] <= row["kendall"] <= row["kendall_high"]
        assert 0 <= row["precision_at_k"] <= 1
    assert found["rows"][0]["partial_spearman"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--by", "nothing"), "'nothing' is no metric of nasbench_digits"),
        (("--by", "test_accuracy"), "test_accuracy is the truth itself"),
        (("--by", "temperature"), "does not say whether higher or lower is better"),
        (("--by", ","), "no evaluator is named"),
        (("--by", "params", "--k", "0"), "0 is not between"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], said: str
) -> None:
    assert said in refused(capsys, "rank", "nasbench_digits", *given)
