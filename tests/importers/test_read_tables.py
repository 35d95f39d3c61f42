"""CSV, Parquet and torch records with a mapping or without, real ones and bad ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nascore.benchmarks.imports import import_path, preview
from nascore.benchmarks.piece import guess, official_order
from nascore.benchmarks.table import Table, export, open_table
from nascore.errors import BadInput
from nascore.space import key
from nascore.spaces.nasbench201 import Nasbench201

Get = Callable[[str], Table]
CELLS = official_order()


def test_the_topology_table_has_the_published_optima_at_the_published_indices(imported: Get) -> None:
    found = imported("nb201_topology.parquet")
    assert found.rows == 15_625
    assert found.space is not None
    assert found.space["name"] == "nasbench201"
    for data, index, best in (
        ("cifar10", 6111, 94.3733),
        ("cifar100", 9930, 73.5133),
        ("imagenet16_120", 857, 47.3111),
    ):
        row = found.top(1, f"{data}_test_acc_200").iloc[0]
        assert (row["index"], round(row[f"{data}_test_acc_200"], 4)) == (index, best)
    assert found.top(1, "cifar10_test_acc_200").iloc[0]["cifar10_params_m"] == pytest.approx(1.073466)
    assert found.columns["cifar10_val_acc_12"].protocol.epochs == 12


def test_every_cell_of_the_topology_table_is_found_by_its_choices(imported: Get) -> None:
    found = imported("nb201_topology.parquet")
    np.testing.assert_array_equal(found.lookup(found.archs), np.arange(15_625))


def test_the_landscape_csv_names_its_official_string_column_by_itself(imported: Get) -> None:
    found = imported("original/NATS-landscape-csv/nats_bench.csv")
    assert found.rows == 15_625
    assert found.values("CIFAR10TestAccuracy200Epochs").max() == pytest.approx(94.3733, abs=1e-4)
    assert found.columns["CIFAR10TestAccuracy200Epochs"].protocol.epochs == 200


@pytest.mark.parametrize(
    ("path", "rows", "metric", "low", "high"),
    [
        ("original/OnceNAS/data-545.csv", 545, "valid_acc50", 50, 100),
        ("original/HAT/wmt14ende_cpu_raspberrypi_all.csv", 2000, "latency_mean_decoder", 1000, 20_000),
        ("original/ViT-Bench-101/gt_pit.pth", 100, "c100_base_acc", 50, 90),
        ("original/ViT-Bench-101/gt_autoformer.pth", 100, "c100_base_acc", 50, 90),
        ("tnb101_micro.parquet", 4096, "jigsaw_val_accuracy", 0, 95.38),
        ("tnb101_macro.parquet", 3256, "class_object_val_accuracy", 0, 47.43),
        ("nats_sss_archs.parquet", 32_768, "params_m_cifar10", 0.01, 1),
    ],
)
def test_tables_are_read_without_a_mapping(
    imported: Get, path: str, rows: int, metric: str, low: float, high: float
) -> None:
    found = imported(path)
    assert found.rows == rows
    values = found.values(metric)
    assert low <= np.nanmin(values) <= np.nanmax(values) <= high


def test_a_row_an_epoch_becomes_curves(imported: Get) -> None:
    found = imported("darts_random_56_modified_curves.parquet")
    assert (found.rows, found.metrics) == (56, ["val_acc_600"])
    assert len(found.curves(found.frame["key"][3])["values"].iloc[0]) == 600


def write(folder: Path, text: str, name: str = "some.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_mapping_names_metrics_directions_and_units(tmp_path: Path) -> None:
    path = write(tmp_path, f"cell,quality,cost\n{CELLS[0]},0.5,3\n{CELLS[1]},0.25,1\n")
    mapping = {
        "arch": "cell",
        "source": "our lab",
        "metrics": {"quality": {"name": "q", "title": "Quality", "direction": "min", "unit": "dB",
                                "data": "ours",                                "split": "test", "epochs": 7}},
    }  # fmt: skip
    import_path(path, "lab", tmp_path, mapping)
    found = open_table("lab", tmp_path)
    column = found.columns["q"]
    assert found.metrics == ["q"]
    assert (column.title, column.direction, column.unit) == ("Quality", "min", "dB")
    assert (column.protocol.data, column.protocol.epochs, column.protocol.source) == ("ours", 7, "our lab")


SPACE = Nasbench201()
ARCH = SPACE.read(CELLS[5]) or ()
CHOICES = (
    "{" + ", ".join(f'"{c.name}": "{c.options[i]}"' for c, i in zip(SPACE.choices(), ARCH, strict=True)) + "}"
)


@pytest.mark.parametrize(
    ("format", "header", "cells"),
    [
        ("key", "arch", key(SPACE, ARCH)),
        ("choices", "arch", '"' + CHOICES.replace('"', '""') + '"'),
        ("nats_index", "arch", "5"),
        ("columns", ",".join(c.name for c in SPACE.choices()), ",".join(map(str, ARCH))),
        ("columns", ",".join(c.name for c in SPACE.choices()),
         ",".join(str(c.options[i]) for c, i in zip(SPACE.choices(), ARCH, strict=True))),
    ],
)  # fmt: skip
def test_an_arch_may_be_written_in_each_of_the_formats(
    tmp_path: Path, format: str, header: str, cells: str
) -> None:
    path = write(tmp_path, f"{header},acc\n{cells},90\n")
    import_path(
        path,
        "one",
        tmp_path,
        {"arch": header.split(","), "format": format, "space": "nasbench201", "metrics": ["acc"]},
    )
    found = open_table("one", tmp_path)
    assert found.frame["text"].tolist() == [CELLS[5]]
    assert found.lookup([ARCH]).tolist() == [0]


def test_missing_numbers_stay_missing_and_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "arch,acc\na,1\nb,NaN\nc,\nd,inf\ne,2\n")
    report = import_path(path, "gaps", tmp_path)
    assert (report.rows, report.skipped, report.missing) == (5, 0, {"acc": 3})


def test_of_duplicates_the_first_stays_and_the_others_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "arch,acc\na,1\nb,2\na,3\na,4\n")
    report = import_path(path, "twice", tmp_path)
    assert (report.rows, report.skipped) == (2, 2)
    assert "first row stays" in next(iter(report.reasons))
    assert open_table("twice", tmp_path).values("acc").tolist() == [1, 2]


def test_rows_with_seeds_become_runs_and_their_mean(tmp_path: Path) -> None:
    path = write(tmp_path, "arch,seed,acc\na,0,1\na,1,3\nb,0,5\n")
    import_path(path, "seeds", tmp_path)
    found = open_table("seeds", tmp_path)
    assert found.values("acc").tolist() == [2, 5]
    assert found.runs(found.frame["key"][0])["acc"].tolist() == [1, 3]
    assert found.columns["acc"].protocol.seeds == "mean of 1-2 seeds"


def test_rows_of_archs_that_the_space_does_not_have_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, f"arch,acc\n{CELLS[0]},1\n{CELLS[1]},2\n|wrong~0|,3\n")
    report = import_path(path, "some", tmp_path)
    assert (report.rows, report.skipped, report.reasons) == (2, 1, {"not an architecture of the space": 1})


@pytest.mark.parametrize(
    ("text", "mapping", "message"),
    [
        ("arch,acc\na,1\nb,good\n", None, "row 2, column acc: 'good' is no number"),
        ("arch,acc\na,1\n", {"arch": "cell"}, "mapping.arch: there is no column 'cell'; there are arch, acc"),
        ("arch,acc\na,1\n", {"metrics": ["loss"]}, "mapping.metrics: there is no column 'loss'"),
        ("arch,acc\na,1\n", {"metrics": {"acc": {"direction": "up"}}}, "direction min or max"),
        ("arch,acc\na,1\n", {"archs": "arch"}, "mapping.archs: no such field"),
        ("arch,acc\na,1\n", {"format": "yaml"}, "mapping.format: 'yaml' is none of"),
        ("arch,acc\na,1\n", {"format": "key"}, "needs a space"),
        ("arch,acc\na,1\n", {"space": "os.system"}, "mapping.space: 'os.system' is none of"),
        ("arch,acc\na,1\nb\n", None, "row 2 has 1 fields, the header 2"),
        ("arch,acc\na,1\nb,2,3\n", None, "row 2 has 3 fields, the header 2"),
        ("arch,acc,acc\na,1,2\n", None, "names 'acc' twice"),
        ("arch,acc\n", None, "no row"),
        ("", None, "is empty"),
        ("just some words\nand more\n", None, "no format that is known here"),
        ("arch,word\na,b\nc,d\n", None, "no column looks like a metric"),
    ],
)
def test_a_bad_table_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, text: str, mapping: dict[str, object] | None, message: str
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as refusal:
        import_path(path, "bad", tmp_path, mapping)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not [f for f in (tmp_path / "tables").iterdir() if not f.name.endswith(".lock")]


def test_a_truncated_parquet_file_is_a_sentence(shared: Path, tmp_path: Path) -> None:
    raw = (shared / "nasbench_macro.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BadInput, match="damaged or cut off Parquet"):
        import_path(tmp_path / "cut.parquet", "cut", tmp_path)


def test_a_parquet_file_with_a_bad_word_names_row_and_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"arch": [f"a{i}" for i in range(300)], "acc": ["1"] * 299 + ["high"]})
    frame.to_parquet(tmp_path / "word.parquet")
    with pytest.raises(BadInput, match="row 300, column acc: 'high'"):
        import_path(tmp_path / "word.parquet", "word", tmp_path)


def test_a_preview_shows_the_guessed_mapping_and_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, f"arch_str,dataset,acc\n{CELLS[0]},cifar10,90.5\n")
    shown = preview(path)
    assert (shown["format"], shown["space"]) == ("flat", "nasbench201")
    assert shown["mapping"]["arch"] == "arch_str"
    assert shown["mapping"]["data"] == ["dataset"]
    assert list(shown["mapping"]["metrics"]) == ["acc"]
    assert shown["rows"][0]["arch_str"] == CELLS[0]
    assert [f.name for f in tmp_path.iterdir()] == ["some.csv"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_was_exported_here_comes_back_the_same(shared: Path, tmp_path: Path, kind: str) -> None:
    import_path(shared / "nb201_topology.parquet", "first", tmp_path)
    export("first", tmp_path / f"again.{kind}", kind, tmp_path)
    report = import_path(tmp_path / f"again.{kind}", "second", tmp_path)
    assert (report.rows, report.skipped) == (15_625, 0)
    one, other = open_table("first", tmp_path), open_table("second", tmp_path)
    assert (one.space, one.metrics) == (other.space, other.metrics)
    np.testing.assert_array_equal(one.archs, other.archs)
    assert one.frame["key"].tolist() == other.frame["key"].tolist()
    assert one.frame["index"].tolist() == other.frame["index"].tolist()
    for metric in one.metrics:
        np.testing.assert_array_equal(one.values(metric), other.values(metric))


def test_a_table_in_which_no_column_is_an_architecture_is_one_sentence(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="algorithm has 8 values in 7,115 rows"):
        import_path(shared / "nb101_search_traces.parquet", "traces", tmp_path)
    assert list((tmp_path / "tables").iterdir()) == []


def test_rows_that_only_a_setting_tells_apart_are_parted_by_it(imported: Get, shared: Path) -> None:
    found = imported("ofa_note10_lut.parquet")
    table = pd.read_parquet(shared / "ofa_note10_lut.parquet")
    assert found.about["reasons"] == {}
    assert sum(np.isfinite(found.values(m)).sum() for m in found.metrics) == len(table)


def test_curves_of_several_budgets_and_splits_stay_apart(imported: Get, shared: Path) -> None:
    found = imported("nats_official_sample_curves.parquet")
    table = pd.read_parquet(shared / "nats_official_sample_curves.parquet")
    last = table[(table["split"] == "ori-test") & (table["dataset"] == "cifar10") & (table["epoch"] == 199)]
    expected = last[last["arch_index"] == 11]["accuracy"].mean()
    row = found.find("11")
    assert found.values("cifar10_tss_ori_test_accuracy_200")[row] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["test_acc_std", "lat_ms_var", "latency_gpu_std"])
def test_a_deviation_is_neither_better_large_nor_small(name: str) -> None:
    assert guess(name)[0] == ""
