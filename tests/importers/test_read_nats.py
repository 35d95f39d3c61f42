"""NATS-Bench and NAS-Bench-201 files against the published values."""

from __future__ import annotations

import bz2
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nascore.benchmarks import documents
from nascore.benchmarks.imports import import_path
from nascore.benchmarks.table import Table, open_table
from nascore.errors import BadInput

TSS = "original/NATS-tss-v1_0-3ffb9-simple"
SSS = "original/NATS-sss-v1_0-50262-simple"
SINGLE = "derived/nats_tss_single_file_layout_2archs.pickle.pbz2"
PTH = ["derived/nasbench201_v1_1_layout_2archs_legacy.pth", "derived/nasbench201_v1_1_layout_2archs_zip.pth"]
ALL = [TSS, SINGLE, *PTH]
INDEX_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
INDEX_11 = "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|"
Get = Callable[[str], Table]


@pytest.mark.parametrize("path", ALL)
def test_costs_are_those_of_the_official_records(imported: Get, path: str) -> None:
    found = imported(path)
    values = found.frame.iloc[[found.find(INDEX_0), found.find(INDEX_11)]]
    for data, params, flops in (
        ("cifar10", (0.129306, 0.802426), (15.64737, 113.95137)),
        ("cifar100", (0.135156, 0.808276), (15.65322, 113.95722)),
        ("imagenet16_120", (0.136456, 0.809576), (3.91948, 28.49548)),
    ):
        np.testing.assert_allclose(values[f"{data}_params_m"], params, rtol=1e-9)
        np.testing.assert_allclose(values[f"{data}_flops_m"], flops, rtol=1e-9)


@pytest.mark.parametrize("path", ALL)
def test_means_over_seeds_equal_the_published_table(imported: Get, shared: Path, path: str) -> None:
    found = imported(path)
    published = pd.read_parquet(shared / "nb201_topology.parquet")
    for index, text in ((0, INDEX_0), (11, INDEX_11)):
        row = found.frame.iloc[found.find(text)]
        assert row["index"] == index
        for data, prefix in (
            ("cifar10", "cifar10"),
            ("cifar100", "cifar100"),
            ("ImageNet16-120", "imagenet16_120"),
        ):
            expected = published[(published.arch_index == index) & (published.dataset == data)].iloc[0]
            np.testing.assert_allclose(row[f"{prefix}_test_accuracy_200"], expected.test_acc_200, rtol=1e-12)
            if data == "cifar10":
                np.testing.assert_allclose(
                    row["cifar10_validation_accuracy_12"], expected.val_acc_12, rtol=1e-12
                )
                np.testing.assert_allclose(row["cifar10_valid_train_seconds_12"], expected.train_time_12_s)


@pytest.mark.parametrize(("path", "space"), [(TSS, "tss"), (SSS, "sss")])
def test_every_epoch_of_every_run_equals_the_published_curves(
    imported: Get, shared: Path, path: str, space: str
) -> None:
    found = imported(path)
    official = pd.read_parquet(shared / "nats_official_sample_curves.parquet").query("space == @space")
    curves = found.curves(found.frame["key"].tolist()).merge(found.frame[["key", "index"]], on="key")
    ours = curves.assign(epoch=[list(range(len(v))) for v in curves["values"]]).explode(["values", "epoch"])
    ours = ours.assign(value=ours["values"].astype(float), epoch=ours["epoch"].astype(int))
    checked = 0
    for split, name in (("train", "train"), ("x-valid", "validation"), ("x-test", "test")):
        theirs = official[official["split"] == split]
        for column in ("accuracy", "loss"):
            mine = ours[ours["metric"] == f"{name}_{column}"]
            both = theirs.merge(
                mine,
                left_on=["arch_index", "hp", "dataset", "seed", "epoch"],
                right_on=["index", "epochs", "data", "seed", "epoch"],
            )
            both = both[both[column].notna()]
            np.testing.assert_allclose(both["value"], both[column], rtol=1e-5)
            checked += len(both)
    assert checked > 4000


def test_runs_keep_each_seed_and_its_latency(imported: Get, shared: Path) -> None:
    official = pd.read_parquet(shared / "nats_official_sample_runs.parquet")
    for path, space in ((TSS, "tss"), (SSS, "sss")):
        found = imported(path)
        runs = found.runs(found.frame["key"].tolist()).merge(found.frame[["key", "index"]], on="key")
        theirs = official[official["space"] == space]
        both = theirs.merge(
            runs,
            left_on=["arch_index", "hp", "dataset", "seed"],
            right_on=["index", "epochs", "data", "seed"],
        )
        assert len(both) == len(theirs) == len(runs)
        np.testing.assert_allclose(both["latency_ms_x"], both["latency_ms_y"])
        np.testing.assert_allclose(both["params_m_x"], both["params_m_y"])


def test_the_size_space_has_its_own_archs_and_budgets(imported: Get) -> None:
    found = imported(SSS)
    assert found.space == {"name": "nats_size", "knobs": {"stem_stride": 1}}
    assert found.frame["text"].tolist() == ["8:8:8:8:8", "8:8:8:16:32"]
    assert {"cifar10_test_accuracy_90", "cifar10_test_accuracy_1", "cifar100_validation_accuracy_12"} <= set(
        found.columns
    )
    assert found.columns["cifar10_test_accuracy_90"].protocol.epochs == 90


def test_protocols_say_data_split_epochs_seeds_and_source(imported: Get) -> None:
    columns = imported(TSS).columns
    test, valid = (
        columns["cifar10_test_accuracy_200"].protocol,
        columns["cifar10_validation_accuracy_12"].protocol,
    )
    assert (test.data, test.split, test.epochs, test.seeds) == ("cifar10", "test", 200, "mean of 3 seeds")
    assert (valid.data, valid.split, valid.epochs, valid.seeds) == (
        "cifar10-valid",
        "validation",
        12,
        "mean of 2 seeds",
    )
    assert "NATS-Bench" in test.source


def test_the_document_of_an_arch_lists_each_seed_by_split(imported: Get) -> None:
    found = imported(TSS)
    document = documents.table_show_arch(found.name, INDEX_0, found.folder.parent.parent)
    runs = [r for r in document["runs"] if (r["data"], r["split"], r["epochs"]) == ("cifar10", "test", 200)]
    assert [r["seed"] for r in runs] == [777, 888, 999]
    mean = sum(r["accuracy"] for r in runs) / 3
    assert (
        mean == pytest.approx(document["metrics"]["cifar10_test_accuracy_200"]) == pytest.approx(85.8633333)
    )


def copy(shared: Path, folder: Path) -> Path:
    return Path(shutil.copytree(shared / TSS, folder / "copy-simple", copy_function=shutil.copyfile))


def test_a_damaged_file_of_the_folder_is_skipped_with_its_name_and_the_rest_stays(
    shared: Path, tmp_path: Path
) -> None:
    folder = copy(shared, tmp_path)
    (folder / "000011.pickle.pbz2").write_bytes((folder / "000011.pickle.pbz2").read_bytes()[:20_000])
    report = import_path(folder, "half", tmp_path)
    assert (report.rows, report.skipped) == (1, 1)
    assert "000011.pickle.pbz2" in next(iter(report.reasons))


def test_a_folder_whose_only_file_calls_code_gives_no_table(shared: Path, tmp_path: Path) -> None:
    folder = copy(shared, tmp_path)
    for file in folder.glob("0*.pbz2"):
        file.write_bytes(bz2.compress(pickle.dumps(print)))
    with pytest.raises(BadInput, match=r"builtins\.print|io\.print"):
        import_path(folder, "bad", tmp_path)
    assert list((tmp_path / "tables").iterdir()) == []


def test_a_folder_without_results_is_refused(shared: Path, tmp_path: Path) -> None:
    folder = copy(shared, tmp_path)
    for file in folder.glob("0*.pbz2"):
        file.unlink()
    with pytest.raises(BadInput, match="NNNNNN"):
        import_path(folder, "empty", tmp_path)


def test_records_with_missing_parts_give_missing_values(shared: Path, tmp_path: Path) -> None:
    folder = copy(shared, tmp_path)
    file = folder / "000000.pickle.pbz2"
    content = pickle.loads(bz2.decompress(file.read_bytes()))  # noqa: S301
    for result in content["200"]["all_results"].values():
        result.update(latency=None, eval_losses={}, train_times={})
        result["eval_acc1es"] = {k: None for k in result["eval_acc1es"]}
    del content["12"]["all_results"]
    file.write_bytes(bz2.compress(pickle.dumps(content)))
    import_path(folder, "gaps", tmp_path)
    found = open_table("gaps", tmp_path)
    row = found.frame.iloc[found.find(INDEX_0)]
    assert np.isnan(row["cifar10_test_accuracy_200"])
    assert np.isfinite(row["cifar10_train_accuracy_200"])


@pytest.mark.parametrize(("folder", "text"), [(TSS, INDEX_11), (SSS, "8:8:8:16:32")])
def test_the_file_of_one_arch_is_a_table_of_one_row(imported: Get, folder: str, text: str) -> None:
    alone, whole = imported(f"{folder}/000011.pickle.pbz2"), imported(folder)
    assert (alone.rows, alone.metrics) == (1, whole.metrics)
    assert alone.frame.iloc[0]["index"] == 11
    for metric in alone.metrics:
        assert alone.values(metric)[0] == whole.values(metric)[whole.find(text)]


def test_the_meta_file_alone_is_one_sentence(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="import the folder it stands in"):
        import_path(shared / TSS / "meta.pickle.pbz2", "meta", tmp_path)


def test_the_nas_bench_201_file_of_one_arch_is_one_row(shared: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    both = pickle.loads(bz2.decompress((shared / TSS / "000011.pickle.pbz2").read_bytes()))  # noqa: S301
    torch.save({"less": both["12"], "full": both["200"]}, tmp_path / "000011-FULL.pth")
    report = import_path(tmp_path / "000011-FULL.pth", "one", tmp_path)
    assert (report.format, report.rows, report.skipped) == ("nasbench201", 1, 0)
    assert open_table("one", tmp_path).find(INDEX_11) == 0


def test_a_folder_that_is_no_benchmark_says_what_is_in_it(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"nas-bench-macro_cifar10\.json; name one"):
        import_path(shared / "original/NAS-Bench-Macro", "macro", tmp_path)
