"""NAS-Bench-301: its training logs, and the refusal of its surrogate models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nascore.benchmarks.imports import import_path
from nascore.benchmarks.nasbench301 import CONFIG, PREFIX, genotype
from nascore.benchmarks.table import open_table
from nascore.errors import BadInput
from nascore.spaces.darts import Darts

# edges of a published configuration: node 5 of the normal cell reads 2 and 3 by edges 11 and 12
NORMAL = {0: "max_pool_3x3", 1: "sep_conv_5x5", 2: "avg_pool_3x3", 3: "avg_pool_3x3", 5: "avg_pool_3x3",
          6: "avg_pool_3x3", 11: "dil_conv_3x3", 12: "skip_connect"}  # fmt: skip
REDUCE = {0: "dil_conv_5x5", 1: "sep_conv_3x3", 2: "max_pool_3x3", 3: "max_pool_3x3", 5: "dil_conv_5x5",
          7: "avg_pool_3x3", 10: "max_pool_3x3", 12: "dil_conv_3x3"}  # fmt: skip
INPUTS = {"normal": ("0_1", "0_1", "2_3"), "reduce": ("0_1", "0_2", "1_3")}
TEXT = (
    "Genotype(normal=[('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('avg_pool_3x3', 0), ('avg_pool_3x3', 1), "
    "('avg_pool_3x3', 0), ('avg_pool_3x3', 1), ('dil_conv_3x3', 2), ('skip_connect', 3)], "
    "normal_concat=[2, 3, 4, 5], reduce=[('dil_conv_5x5', 0), ('sep_conv_3x3', 1), ('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('dil_conv_5x5', 0), ('avg_pool_3x3', 2), ('max_pool_3x3', 1), "
    "('dil_conv_3x3', 3)], "
    "reduce_concat=[2, 3, 4, 5])"
)


def config() -> dict[str, Any]:
    edges = [("normal", NORMAL), ("reduce", REDUCE)]
    out: dict[str, Any] = {f"{PREFIX}edge_{k}_{i}": op for k, ops in edges for i, op in ops.items()}
    return out | {f"{PREFIX}inputs_node_{k}_{3 + j}": t for k, ts in INPUTS.items() for j, t in enumerate(ts)}


def log(validation: float, **more: Any) -> str:
    said = {"budget": 97.8, CONFIG: config(), "info": [{"val_accuracy": validation}], "runtime": 5000.5}
    return json.dumps(said | {"test_accuracy": 92.5} | more)


def test_operations_stand_at_the_numbers_of_their_edges() -> None:
    assert genotype(config()) == TEXT


def test_a_folder_of_logs_by_method_is_a_table_of_genotypes(tmp_path: Path) -> None:
    for method, name, text in (
        ("re", "results_1.json", log(91.0)),
        ("de", "results_0.json", log(93.0)),
        ("de", "results_2.json", log(99.0, **{CONFIG: {}})),
        ("de", "results_3.json", "{cut"),
    ):
        (tmp_path / "logs" / method).mkdir(parents=True, exist_ok=True)
        (tmp_path / "logs" / method / name).write_text(text)
    report = import_path(tmp_path / "logs", "nb301", tmp_path)
    found = open_table("nb301", tmp_path)
    assert found.arch(0) == Darts().read(TEXT)
    assert found.frame["text"].tolist() == [Darts().text(Darts().read(TEXT) or ())]
    assert found.values("validation_accuracy_98").tolist() == [92.0]
    assert found.columns["validation_accuracy_98"].protocol.seeds == "mean of 2 seeds"
    assert (report.format, report.skipped) == ("nasbench301", 2)
    assert any("results_3.json" in reason for reason in report.reasons)


def test_one_log_is_one_row(tmp_path: Path) -> None:
    (tmp_path / "results_7.json").write_text(log(91.0))
    assert import_path(tmp_path / "results_7.json", "one", tmp_path).rows == 1


def test_surrogate_models_are_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "xgb_v1.0" / "0").mkdir(parents=True)
    (tmp_path / "xgb_v1.0" / "0" / "surrogate_model.model").write_bytes(b"\x80\x04.")
    with pytest.raises(BadInput, match="training logs"):
        import_path(tmp_path / "xgb_v1.0", "bad", tmp_path)
