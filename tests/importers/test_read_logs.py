"""Logs and look-up tables of NAS-Bench-NLP, SpikeNAS-Bench and Once-for-All against the published tables."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nascore.benchmarks.imports import import_path
from nascore.benchmarks.table import Table
from nascore.errors import BadInput

NLP = "original/NAS-Bench-NLP/logs_wikitext2.zip"
SPIKE = "original/SpikeNAS-Bench"
Get = Callable[[str], Table]


def test_recurrent_cells_keep_their_losses_of_every_epoch(imported: Get, shared: Path) -> None:
    found = imported(NLP)
    curves = pd.read_parquet(shared / "nasbench_nlp_wikitext2_curves.parquet").query("recipe_id == 1000000")
    row = found.frame[found.frame["index"] == 1000000].iloc[0]
    ours = found.curves(row["key"]).set_index("metric")["values"]
    np.testing.assert_allclose(ours["validation_loss"], curves["val_losses"], rtol=1e-6)
    assert row["validation_loss"] == pytest.approx(curves["val_losses"].iloc[-1])
    assert row["train_seconds"] == pytest.approx(curves["wall_times"].sum())
    assert len(found.runs(found.frame["key"].tolist())) == 345


@pytest.mark.parametrize("path", [SPIKE, f"{SPIKE}/CIFAR10/14067/train_process.txt"])
def test_a_spiking_cell_has_the_published_figures(imported: Get, shared: Path, path: str) -> None:
    found = imported(path)
    expected = pd.read_parquet(shared / "spikenas_cifar10_runs.parquet").query("arch_id == 14067").iloc[0]
    row = found.frame.iloc[0]
    assert (row["text"], row["index"]) == (expected.edge_codes, 14067)
    assert (row["test_accuracy"], row["best_validation_accuracy"]) == (
        expected.test_acc,
        expected.best_val_acc,
    )
    assert (row["params"], row["train_seconds"]) == (expected.params, expected.elapsed_s)
    assert len(found.curves(row["key"])["values"].iloc[0]) == expected.n_epochs == 200


def test_a_look_up_table_has_every_block(imported: Get, shared: Path) -> None:
    found = imported("original/OFA-note10-lut/224_lookup_table.yaml")
    expected = (
        pd.read_parquet(shared / "ofa_note10_lut.parquet").query("resolution == 224").set_index("block_key")
    )
    ours = found.frame.set_index("text")["latency_ms"]
    assert len(ours) == len(expected) == 96
    np.testing.assert_allclose(ours[expected.index], expected["latency_ms"], rtol=1e-12)


def test_a_truncated_zip_of_logs_is_refused(shared: Path, tmp_path: Path) -> None:
    raw = (shared / NLP).read_bytes()
    (tmp_path / "cut.zip").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BadInput, match="cut off zip"):
        import_path(tmp_path / "cut.zip", "cut", tmp_path)


def test_a_log_of_another_kind_is_skipped_and_counted(shared: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(shared / SPIKE, tmp_path / "logs", copy_function=shutil.copyfile))
    other = folder / "CIFAR10" / "1"
    other.mkdir()
    (other / "train_process.txt").write_text("nothing")
    report = import_path(folder, "logs", tmp_path)
    assert (report.rows, report.skipped) == (1, 1)
