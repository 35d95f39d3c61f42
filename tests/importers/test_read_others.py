"""NAS-Bench-101, -Graph, -Macro, Suite-Zero, TransNAS and latency files against the published values."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nascore.benchmarks import documents, nasbench_graph, suite_zero, transnas
from nascore.benchmarks.imports import import_path
from nascore.benchmarks.nasbench101 import fields, records
from nascore.benchmarks.piece import masked_crc, official_order, topology
from nascore.benchmarks.table import Table, open_table
from nascore.errors import BadInput, NotFound

RECORDS = "derived/ecnas_4v9e_nasbench101_layout.tfrecord"
BRP = "original/BRP-NAS/desktop-cpu-core-i7-7820x-fp32.pkl"
HELP = "original/HELP-nasbench201-latency"
Get = Callable[[str], Table]


def test_the_checksum_is_that_of_the_crc32c_standard() -> None:
    # RFC 3720, B.4: 32 bytes of zeros have the CRC-32C 0x8a9136aa; the mask is TFRecord's.
    crc = 0x8A9136AA
    assert masked_crc(bytes(32)) == ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_a_protobuf_message_is_read_field_by_field() -> None:
    # Field 1 = 150 is the example of protobuf's documentation; field 2 is "testing".
    assert list(fields(bytes.fromhex("089601120774657374696e67"))) == [(1, 150), (2, b"testing")]


def test_nasbench101_records_equal_the_raw_values(imported: Get, shared: Path) -> None:
    found = imported(RECORDS)
    raw = pd.read_parquet(shared / "ecnas_nb101_energy.parquet").query("space == '4V9E'")
    last = raw[raw["epoch"] == raw.groupby(["module_hash", "repeat"])["epoch"].transform("max")]
    assert found.rows == 91
    assert len(found.runs(found.frame["key"].tolist())) == 273
    means = last.groupby("module_hash")[["val_acc", "test_acc", "params"]].mean()
    ours = found.frame.set_index("module_hash").loc[means.index]
    np.testing.assert_allclose(ours["validation_accuracy_4"], means["val_acc"], rtol=1e-12)
    np.testing.assert_allclose(ours["test_accuracy_4"], means["test_acc"], rtol=1e-12)
    np.testing.assert_array_equal(ours["params"], means["params"])


def test_nasbench101_cells_are_of_their_space_and_found_by_the_records_own_text(imported: Get) -> None:
    found = imported(RECORDS)
    assert found.space is not None
    assert (found.space["name"], found.rows) == ("nasbench101", 91)
    np.testing.assert_array_equal(found.lookup(found.archs), np.arange(91))
    published = "0110001000010000:input,maxpool3x3,maxpool3x3,output"
    assert found.find(published) == found.find(found.frame["text"][0]) == 0
    with pytest.raises(NotFound):
        found.find("01100010:input,maxpool3x3,maxpool3x3,output")


def test_nasbench101_repeats_are_numbered_and_keep_three_evaluations(imported: Get) -> None:
    found = imported(RECORDS)
    key = found.frame["key"][0]
    assert found.runs(key)["seed"].tolist() == [0, 1, 2]
    curves = found.curves(key)
    assert sorted(curves["seed"].unique()) == [0, 1, 2]
    assert [list(a) for a in curves["at"][:1]] == [[0.0, 1.0, 4.0]]
    assert found.columns["test_accuracy_4"].unit == "share"


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_tfrecord_names_the_byte_and_leaves_nothing(
    shared: Path, tmp_path: Path, damage: str
) -> None:
    raw = bytearray((shared / RECORDS).read_bytes())
    ends = [at for at, _ in records(shared / RECORDS)]
    if damage == "cut":
        del raw[ends[4] + 40 :]
    else:
        raw[ends[4] + 40] ^= 1
    path = tmp_path / "damaged.tfrecord"
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=f"at byte {ends[4]:,}"):
        import_path(path, "damaged", tmp_path)
    assert list((tmp_path / "tables").iterdir()) == []


def test_nasbench_macro_equals_its_own_means_and_extremes(imported: Get, shared: Path) -> None:
    found = imported("original/NAS-Bench-Macro/nas-bench-macro_cifar10.json")
    raw = json.loads((shared / "original/NAS-Bench-Macro/nas-bench-macro_cifar10.json").read_text())
    assert found.rows == 3**8
    best, worst = found.order("test_accuracy")[[0, -1]]
    assert found.frame["text"][best] == "22212202"
    assert found.values("test_accuracy")[best] == pytest.approx(93.1267, abs=1e-4)
    assert found.values("test_accuracy")[worst] == pytest.approx(45.36, abs=0.005)
    published = found.frame["text"].map(lambda t: raw[t]["mean_acc"])
    np.testing.assert_allclose(found.values("test_accuracy"), published, rtol=1e-12)
    assert found.frame.set_index("text").loc["02012100", "params"] == 890666


def test_nasbench_graph_has_all_archs_and_the_published_best(imported: Get, shared: Path) -> None:
    found = imported("original/NAS-Bench-Graph/cora.bench")
    assert found.rows == 26_206
    assert np.nanmax(found.values("test_accuracy")) == pytest.approx(0.8313, abs=1e-4)
    table = (
        pd.read_parquet(shared / "nasbench_graph.parquet").query("dataset == 'cora'").set_index("arch_hash")
    )
    ours = found.frame.set_index("index")
    np.testing.assert_allclose(ours["validation_accuracy"], table.loc[ours.index, "valid_perf"])
    assert ours.loc[10000, "text"] == "0-0-0-1:gat-gat-gat-gat"
    links = ours["text"].str.split(":").str[0]
    assert (links == table.loc[ours.index, "links"]).all()


def test_a_folder_of_bench_files_gives_metrics_by_data_set(imported: Get) -> None:
    found = imported("original/NAS-Bench-Graph")
    assert found.rows == 26_206
    assert found.about["missing"]["proteins_test_accuracy"] == 26_206 - 2_021


@pytest.fixture
def package(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package laid out as the published one, whose code must not run."""
    place = tmp_path / "site" / "nas_bench_graph"
    (place / "light").mkdir(parents=True)
    (place / "__init__.py").write_text("raise RuntimeError('this code ran')\n")
    for name in ("cora", "proteins"):
        shutil.copyfile(shared / f"original/NAS-Bench-Graph/{name}.bench", place / f"light/{name}.bench")
    monkeypatch.syspath_prepend(str(place.parent))
    return place


@pytest.mark.parametrize("name", ["nas-bench-graph", "nas_bench_graph"])
def test_the_name_of_the_package_stands_for_its_files_and_its_code_is_not_run(
    package: Path, imported: Get, tmp_path: Path, name: str
) -> None:
    report = import_path(name, "graph", tmp_path, roots=[tmp_path / "elsewhere"])
    assert (report.rows, report.skipped) == (26_206, 0)
    found, alone = open_table("graph", tmp_path), imported("original/NAS-Bench-Graph/cora.bench")
    both = found.frame.merge(alone.frame, on="text")
    assert len(both) == 26_206
    np.testing.assert_array_equal(both["cora_test_accuracy"], both["test_accuracy"])
    assert np.isfinite(found.values("proteins_test_accuracy")).sum() == 2_021


def test_the_published_package_is_read_where_it_is_installed(tmp_path: Path) -> None:
    if nasbench_graph.installed() is None:
        pytest.skip("nas-bench-graph is not installed")
    report = import_path("nas-bench-graph", "graph", tmp_path)
    assert (report.rows, report.skipped) == (26_206, 0)
    found = open_table("graph", tmp_path)
    assert len([m for m in found.metrics if m.endswith("_test_accuracy")]) == 9
    assert np.nanmax(found.values("cora_test_accuracy")) == pytest.approx(0.8313, abs=1e-4)


def test_a_package_that_is_not_there_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nasbench_graph, "installed", lambda: None)
    with pytest.raises(NotFound, match="not installed"):
        import_path("nas-bench-graph", "graph", tmp_path)


def test_a_number_with_a_nine_is_no_graph_architecture() -> None:
    assert nasbench_graph.describe(19000) is None
    assert nasbench_graph.describe(88888) == "0-1-2-3:skip-skip-skip-skip"


def test_suite_zero_scores_give_the_published_rank_correlations(imported: Get) -> None:
    from scipy.stats import spearmanr

    found = imported("original/NB-Suite-Zero/zc_nasbench201_partial.json")
    truth = found.values("cifar10_validation_accuracy")
    for proxy, expected in (
        ("nwot", 0.787),
        ("jacov", 0.766),
        ("params", 0.738),
        ("synflow", 0.736),
        ("flops", 0.711),
    ):
        # The publisher's nwot is minus infinity for a few dead cells, which is a missing value here.
        values = np.nan_to_num(found.values(f"cifar10_{proxy}"), nan=-np.inf)
        assert spearmanr(values, truth).statistic == pytest.approx(expected, abs=6e-4)


def test_suite_zero_tuples_become_official_strings(imported: Get, shared: Path) -> None:
    found = imported("original/NB-Suite-Zero/zc_nasbench201_partial.json")
    table = pd.read_parquet(shared / "zc_nasbench201.parquet").query("dataset == 'cifar10'")
    expected = dict(zip(table["arch"], table["arch_str"], strict=True))
    assert {suite_zero.official(a) for a in expected} == set(expected.values())
    assert all(suite_zero.official(a) == s for a, s in expected.items())
    assert found.rows == 725


def test_suite_zero_of_the_darts_space_is_of_that_space(imported: Get) -> None:
    found = imported("original/NB-Suite-Zero/zc_nasbench301_partial.json")
    assert found.space is not None
    assert (found.rows, found.space["name"]) == (725, "darts")
    np.testing.assert_array_equal(found.lookup(found.archs), np.arange(725))
    known = found.values("cifar10_validation_accuracy")
    assert 91.1 < np.nanmin(known) < np.nanmax(known) < 94.6


@pytest.mark.parametrize("form", ["nested", "list"])
def test_the_other_forms_of_suite_zero_are_read_too(tmp_path: Path, form: str) -> None:
    arch = "(0, 2, 3, 2, 3, 1)"
    if form == "nested":
        path = tmp_path / "old.json"
        path.write_text(json.dumps({"nasbench201": {"cifar10": {arch: {"val_accuracy": 86.0, "snip": 2.5}}}}))
    else:
        path = tmp_path / "benchmark--nasbench201--cifar10--0.json"
        path.write_text(
            json.dumps(
                [
                    {
                        "arch": arch,
                        "idx": "0",
                        "snip": {"score": 2.5, "time": 1},
                        "fisher": {"score": -1e8, "time": 1},
                    }
                ]
            )
        )
    import_path(path, "zc", tmp_path)
    found = open_table("zc", tmp_path)
    assert found.frame["text"].tolist() == [suite_zero.official(arch)]
    assert found.values("cifar10_snip").tolist() == [2.5]
    assert "cifar10_fisher" not in found.columns


def test_latencies_by_official_index_are_those_that_the_publisher_prints(imported: Get) -> None:
    found = imported(HELP)
    row = found.frame.iloc[found.find(official_order()[0])]
    assert row["raspi4_latency_ms"] == pytest.approx(10.481976820010459)
    assert row["pixel3_latency_ms"] == pytest.approx(3.60585)
    assert found.rows == 15_625
    assert int((found.values("pixel3_latency_ms") < 0.5).sum()) == 273
    assert int((found.values("raspi4_latency_ms") < 0.5).sum()) == 235


def test_brp_latencies_are_milliseconds_of_the_right_cells(imported: Get, shared: Path) -> None:
    found = imported(BRP)
    assert found.rows == 15_284
    table = pd.read_parquet(shared / "nb201_latency.parquet").query(
        "source.str.contains('BRP')", engine="python"
    )
    order = official_order()
    expected = {order[i]: v for i, v in zip(table["arch_index"], table["latency_ms"], strict=True)}
    ours = dict(zip(found.frame["text"], found.values("latency_ms"), strict=True))
    assert set(ours) == set(expected)
    np.testing.assert_allclose([ours[t] for t in expected], list(expected.values()))


def hw_nas_bench(path: Path, *, shuffled: bool = False) -> Path:
    """A file in the layout of HW-NAS-Bench with its printed first row; ragged arrays as the official one."""
    order = list(official_order())
    if shuffled:
        order[0], order[1] = order[1], order[0]
    entry: dict[str, object] = {"config": [{"arch_str": a} for a in order]}
    printed = {
        "edgegpu_latency": 5.807418537139893,
        "edgegpu_energy": 24.226614330768584,
        "fpga_latency": 2.57296,
    }
    for name, first in printed.items():
        values = [first] + [1.0] * (len(order) - 1)
        entry[name] = np.array(values, dtype=object) if name == "fpga_latency" else values
    entry["average_hw_metric"] = [1.0] * len(order)
    path.write_bytes(pickle.dumps({"nasbench201": {"cifar10": entry}, "fbnet": {}}, 4))
    return path


def test_hw_nas_bench_gives_milliseconds_and_millijoules_by_index(tmp_path: Path) -> None:
    import_path(hw_nas_bench(tmp_path / "HW-NAS-Bench-v1_0.pickle"), "hw", tmp_path)
    found = open_table("hw", tmp_path)
    row = found.frame.iloc[found.find(official_order()[0])]
    assert row["cifar10_edgegpu_latency_ms"] == 5.807418537139893
    assert row["cifar10_edgegpu_energy_mj"] == 24.226614330768584
    assert row["cifar10_fpga_latency_ms"] == 2.57296
    assert not [m for m in found.columns if "average" in m]


def test_hw_nas_bench_of_another_order_is_refused_with_the_index(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="index 0 is"):
        import_path(hw_nas_bench(tmp_path / "hw.pickle", shuffled=True), "hw", tmp_path)


def test_transnas_gives_the_last_epoch_and_the_curve(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    result = {
        "total_epochs": 2,
        "model_info": {"encoder_params": 1.5},
        "metrics": {"valid_top1": [10.0, 20.0], "train_loss": [2.0, 1.0]},
    }
    archs = {"64-41414-a_bc_def": {"class_scene": result}, "64-111-basic": {"class_scene": result}}
    content = {
        "data": {"micro": archs},
        "task_list": ["class_scene"],
        "info_names": ["encoder_params"],
        "metrics_dict": {},
    }
    torch.save(content, tmp_path / "transnas-bench.pth")
    import_path(tmp_path / "transnas-bench.pth", "tnb", tmp_path)
    found = open_table("tnb", tmp_path)
    assert found.values("class_scene_valid_top1").tolist() == [20.0, 20.0]
    curves = found.curves(found.frame["key"][0]).set_index("metric")["values"]
    assert curves["train_loss"].tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("name", "direction"),
    [("valid_neg_loss", "max"), ("valid_l1_loss", "min"), ("test_mIoU", "max"), ("valid_top5", "max"),
     ("train_loss", "min"), ("valid_ssim", "max")],
)  # fmt: skip
def test_transnas_metrics_have_the_direction_of_their_task(name: str, direction: str) -> None:
    column = transnas.column(frozenset(), "room_layout", name, 25)
    assert column is not None
    assert column.direction == direction


def test_fbnets_part_of_hw_nas_bench_alone_is_a_table_of_blocks(tmp_path: Path) -> None:
    block = "ConvBlock_H32_W32_Cin16_Cout16_exp1_kernel3_stride1_group1"
    tables = {"edgegpu_latency": {block: 0.5, "FC_Cin1504_Cout100": 0.25}, "fpga_energy": {block: 2.0}}
    (tmp_path / "fbnet.pickle").write_bytes(pickle.dumps({"fbnet": tables}))
    import_path(tmp_path / "fbnet.pickle", "blocks", tmp_path)
    found = open_table("blocks", tmp_path)
    assert found.values("edgegpu_latency").tolist() == [0.5, 0.25]
    assert found.values("fpga_energy")[found.find(block)] == 2.0
    assert "not a network" in found.about["notes"]


def test_topology_strings_are_written_in_the_official_edge_order() -> None:
    assert topology((4, 2, 1, 2, 1, 1)) == official_order()[0]


def test_a_macro_file_cut_off_names_the_place(shared: Path, tmp_path: Path) -> None:
    raw = (shared / "original/NAS-Bench-Macro/nas-bench-macro_cifar10.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BadInput, match="column"):
        import_path(tmp_path / "cut.json", "cut", tmp_path)


def test_the_file_is_told_by_what_it_holds_and_not_by_its_name(shared: Path, tmp_path: Path) -> None:
    shutil.copyfile(shared / RECORDS, tmp_path / "misnamed.csv")
    assert documents.table_import(str(tmp_path / "misnamed.csv"), "x", tmp_path)["format"] == "nasbench101"
