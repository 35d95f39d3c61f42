"""Every format cut off, files that call code, and bombs: one sentence, and nothing half imported."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from nascore.benchmarks import pickles
from nascore.benchmarks.imports import import_path
from nascore.errors import AppError, BadInput

FILES = (
    "original/BRP-NAS/desktop-cpu-core-i7-7820x-fp32.pkl",
    "original/HELP-nasbench201-latency/pixel3.pt",
    "original/NAS-Bench-Graph/proteins.bench",
    "original/NAS-Bench-Macro/nas-bench-macro_cifar10.json",
    "original/NAS-Bench-NLP/logs_wikitext2.zip",
    "original/NATS-landscape-csv/nats_bench.csv",
    "original/NATS-tss-v1_0-3ffb9-simple/000011.pickle.pbz2",
    "original/NB-Suite-Zero/zc_nasbench301_partial.json",
    "original/OFA-note10-lut/224_lookup_table.yaml",
    "original/SpikeNAS-Bench/CIFAR10/14067/train_process.txt",
    "original/ViT-Bench-101/gt_pit.pth",
    "derived/nasbench201_v1_1_layout_2archs_legacy.pth",
    "derived/nasbench201_v1_1_layout_2archs_zip.pth",
    "derived/nats_tss_single_file_layout_2archs.pickle.pbz2",
    "derived/ecnas_4v9e_nasbench101_layout.tfrecord",
    "nasbench_macro.parquet",
)
BOMB = b"\x80\x04]" + b"N" * (4 << 20)


def refused(path: Path, home: Path) -> str:
    """The sentence that an import ends with; nothing is left of it."""
    with pytest.raises(AppError) as refusal:
        import_path(path, "bad", home)
    assert list((home / "tables").iterdir()) == []
    said = str(refusal.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.21, 0.6])
def test_a_file_that_is_cut_off_is_refused(shared: Path, tmp_path: Path, name: str, share: float) -> None:
    raw = (shared / name).read_bytes()
    end = int(len(raw) * share)
    if name.endswith(".csv"):
        end = raw.rindex(b",", 0, end)  # a row that ends in its last field cannot be told from a whole one
    path = tmp_path / Path(name).name
    path.write_bytes(raw[:end])
    assert any(digit in refused(path, tmp_path) for digit in "0123456789")  # a row, a byte or a column


def zipped(member: str, raw: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, raw)
    return out.getvalue()


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "x.pickle": bytes,
    "x.pickle.pbz2": bz2.compress,
    "x.pkl.gz": gzip.compress,
    "x.pth": lambda raw: zipped("x/data.pkl", raw),
}


class Caller:
    """Runs a command when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_pickle_that_calls_code_is_refused_by_the_name_it_calls(tmp_path: Path, name: str) -> None:
    raw = pickle.dumps({"meta_archs": [Caller(tmp_path / "ran")]})
    (tmp_path / name).write_bytes(CONTAINERS[name](raw))
    assert "system" in refused(tmp_path / name, tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", [n for n in CONTAINERS if n != "x.pickle"])
def test_a_small_file_that_expands_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(pickles, "FREE_BYTES", 1 << 20)
    (tmp_path / name).write_bytes(CONTAINERS[name](BOMB))
    assert "expands" in refused(tmp_path / name, tmp_path)


def test_a_zip_of_logs_that_expands_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickles, "FREE_BYTES", 1 << 20)
    (tmp_path / "logs.zip").write_bytes(zipped("log_stats_model_1.json", BOMB))
    assert "expands" in refused(tmp_path / "logs.zip", tmp_path)


@pytest.mark.parametrize(
    "mapping",
    [
        {"arch": 3}, {"arch": "cell"}, {"arch": [["a"]]}, {"metrics": "acc"}, {"metrics": 5},
        {"metrics": ["x"]}, {"metrics": {"acc": 5}}, {"metrics": {"acc": {"direction": "up"}}},
        {"metrics": {"acc": {"epochs": "x"}}},
        {"metrics": {"acc": {"title": 5}}}, {"metrics": {"acc": {"color": "red"}}}, {"data": {"a": 1}},
        {"space": 5}, {"format": "official"}, {"format": "other"}, {"foo": 1},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_a_mapping_that_does_not_fit_names_its_field(tmp_path: Path, mapping: dict[str, object]) -> None:
    (tmp_path / "m.csv").write_text("arch,acc\nx,1\ny,3\n")
    with pytest.raises(BadInput, match=r"^mapping\."):
        import_path(tmp_path / "m.csv", "bad", tmp_path, mapping)
    assert list((tmp_path / "tables").iterdir()) == []


def test_a_table_without_any_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("arch,acc\nx,\ny,NaN\n")
    with pytest.raises(BadInput, match="no metric has a number"):
        import_path(tmp_path / "m.csv", "bad", tmp_path, {"arch": "arch", "metrics": ["acc"]})
    assert list((tmp_path / "tables").iterdir()) == []
