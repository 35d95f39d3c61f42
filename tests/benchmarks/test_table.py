"""A table on disk: looked up, ranked, exported, and never half there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nascore.benchmarks import documents, table
from nascore.benchmarks.assemble import space_json
from nascore.benchmarks.table import PREFIX, Column, Draft, Table, choices_json, open_table, write_table
from nascore.errors import BadInput, NotFound
from nascore.kinds import EvaluationProtocol
from nascore.space import array, enumerate_archs, key, tuples
from nascore.spaces.cell import Cell

SPACE = Cell(nodes=3, edges=((0, 1), (0, 2), (1, 2)), ops=(("none", "skip_connect", "nor_conv_3x3"),))
PROTOCOL = EvaluationProtocol("digits", "test", 10, "mean of 2 seeds", "trained here")
COLUMNS = (
    Column("accuracy", "Accuracy", "%", "max", PROTOCOL),
    Column("latency_ms", "Latency", "ms", "min", PROTOCOL),
)


def make(home: Path, name: str = "toy", count: int = 20) -> Table:
    archs = enumerate_archs(SPACE)[:count]
    keys = [key(SPACE, a) for a in tuples(archs)]
    frame = pd.DataFrame({"key": keys, "text": [SPACE.text(a) for a in tuples(archs)]})
    for j, choice in enumerate(SPACE.choices()):
        frame[PREFIX + choice.name] = archs[:, j].astype(np.int8)
    frame["accuracy"] = np.where(np.arange(count) == 3, np.nan, np.arange(count) % 10 + 80.0)
    frame["latency_ms"] = np.arange(count, dtype=float)
    rows = np.repeat(np.arange(count, dtype=np.int32), 2)
    runs = pa.table({
        "row": rows, "key": [keys[r] for r in rows], "data": ["digits"] * len(rows), "seed": [0, 1] * count,
        "epochs": [10] * len(rows), "test_accuracy": np.arange(len(rows), dtype=float),
        "train_seconds": [1.5] * len(rows),
    })  # fmt: skip
    curves = pa.table({"row": rows, "key": [keys[r] for r in rows], "metric": ["loss"] * len(rows),
                       "values": [[float(r), 2.0] for r in rows]})  # fmt: skip
    space = space_json(SPACE), choices_json(SPACE)
    return write_table(Draft(frame, COLUMNS, runs, (curves,), space, {"source": "made up"}), name, home)


def test_every_arch_is_found_at_its_own_row(tmp_path: Path) -> None:
    found = make(tmp_path)
    archs = enumerate_archs(SPACE)
    rows = found.lookup(archs)
    assert rows[:20].tolist() == list(range(20))
    assert set(rows[20:]) == {-1}


def test_archs_outside_of_the_space_are_unknown_and_no_error(tmp_path: Path) -> None:
    found = make(tmp_path)
    assert found.lookup([(0, 0, 9), (-5, 0, 0), (0, 0, 0)]).tolist() == [-1, -1, 0]


def test_values_of_unknown_archs_are_missing(tmp_path: Path) -> None:
    found = make(tmp_path)
    values = found.value("latency_ms", enumerate_archs(SPACE)[18:22])
    np.testing.assert_array_equal(values, [18, 19, np.nan, np.nan])


def test_lookup_takes_no_archs_and_lists_alike(tmp_path: Path) -> None:
    found = make(tmp_path)
    assert found.lookup(array([], SPACE)).shape == (0,)


def test_a_metric_an_arch_and_a_rank_are_read_without_the_other_columns_and_without_pandas(
    tmp_path: Path,
) -> None:
    found = make(tmp_path)
    code = f"""
import sys
from pathlib import Path
from nascore.benchmarks.table import open_table
found = open_table("toy", Path({str(tmp_path)!r}))
assert found.value("latency_ms", found.archs[7:8]).tolist() == [7.0]
assert found.value("accuracy", found.archs[3:4])[0] != found.value("accuracy", found.archs[3:4])[0]
assert found.find({found.frame["key"][5]!r}) == 5 and found.find({found.frame["text"][6]!r}) == 6
assert found.rank({found.frame["key"][5]!r}, "latency_ms") == (6, 20)
assert "frame" not in vars(found) and "pandas" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_missing_value_is_the_same_from_the_column_and_from_the_frame(tmp_path: Path) -> None:
    make(tmp_path)
    alone, whole = open_table("toy", tmp_path), open_table("toy", tmp_path)
    assert len(whole.frame) == 20
    for metric in alone.metrics:
        np.testing.assert_array_equal(alone.values(metric), whole.values(metric))
    assert np.isnan(alone.values("accuracy")).sum() == 1


def test_the_best_come_first_in_the_direction_of_the_metric(tmp_path: Path) -> None:
    found = make(tmp_path)
    assert found.top(2, "accuracy")["accuracy"].tolist() == [89.0, 89.0]
    assert found.top(2, "latency_ms")["latency_ms"].tolist() == [0.0, 1.0]
    assert len(found.order("accuracy")) == 19


def test_rank_counts_the_better_ones_and_equals_share_it(tmp_path: Path) -> None:
    found = make(tmp_path)
    keys = found.frame["key"]
    assert found.rank(keys[19], "accuracy") == (1, 19)
    assert found.rank(keys[8], "accuracy") == (3, 19)
    assert found.rank(keys[3], "accuracy") == (0, 19)
    assert found.rank(keys[4], "latency_ms") == (5, 20)


@pytest.mark.parametrize("how", ["key", "text", "json", "choices"])
def test_an_arch_is_found_by_anything_that_a_person_writes(tmp_path: Path, how: str) -> None:
    found = make(tmp_path)
    choices = json.dumps(found.described(7))
    text = {"key": found.frame["key"][7], "text": found.frame["text"][7], "json": choices,
            "choices": f'{{"choices": {choices}}}'}[how]  # fmt: skip
    assert found.find(text) == 7


@pytest.mark.parametrize("text", ["", "0" * 16, "|x~0|", "no"])
def test_an_arch_that_the_table_does_not_know_is_not_found(tmp_path: Path, text: str) -> None:
    with pytest.raises(NotFound, match="toy has no architecture"):
        make(tmp_path).find(text)


def test_json_that_is_no_arch_is_refused_with_the_choice(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="edge_9_9"):
        make(tmp_path).find('{"edge_9_9": "none"}')


def test_runs_and_curves_are_those_of_the_asked_archs(tmp_path: Path) -> None:
    found = make(tmp_path)
    keys = found.frame["key"]
    assert found.runs(keys[4])["test_accuracy"].tolist() == [8.0, 9.0]
    assert [v[0] for v in found.curves([keys[1], keys[2]])["values"]] == [1, 1, 2, 2]
    assert len(found.runs("nothing")) == 0


BAD_NAMES = ["", "A", "../x", "/etc", "a/b", "a\\b", "a\x00", ".hidden", "x" * 65, "-a", "a b", "%2e%2e", "ä"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("act", [open_table, table.delete, documents.table_show])
def test_no_name_leads_out_of_the_tables(tmp_path: Path, name: str, act: object) -> None:
    with pytest.raises(BadInput, match="cannot name a table"):
        act(name, home=tmp_path)  # type: ignore[operator]


def test_a_link_is_no_table(tmp_path: Path) -> None:
    made = make(tmp_path / "other")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "linked").symlink_to(made.folder)
    with pytest.raises(NotFound):
        open_table("linked", tmp_path)
    assert "linked" not in [t.name for t in table.list_tables(tmp_path)]


def test_an_existing_table_is_not_overwritten(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(BadInput, match="already"):
        make(tmp_path)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    def broken():
        yield pa.table({"row": pa.array([0], pa.int32())})
        raise BadInput("the source broke")

    draft = Draft(pd.DataFrame({"key": ["a"], "text": ["a"]}), (), None, broken())
    with pytest.raises(BadInput, match="broke"):
        write_table(draft, "toy", tmp_path)
    assert list((tmp_path / "tables").iterdir()) == []


def test_a_damaged_table_is_named_and_left_out_of_the_list(tmp_path: Path) -> None:
    found = make(tmp_path)
    (found.folder / "table.json").write_text("{")
    with pytest.raises(BadInput, match=r"table\.json cannot be read"):
        open_table("toy", tmp_path)
    assert "toy" not in [t.name for t in table.list_tables(tmp_path)]


def test_an_unknown_metric_names_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="accuracy, latency_ms"):
        make(tmp_path).top(1, "speed")


def test_deleting_removes_the_folder(tmp_path: Path) -> None:
    folder = make(tmp_path).folder
    table.delete("toy", tmp_path)
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []


def test_a_shipped_table_cannot_be_deleted(tmp_path: Path) -> None:
    folder = make(tmp_path).folder
    about = json.loads((folder / "table.json").read_text())
    (folder / "table.json").write_text(json.dumps({**about, "shipped": True}))
    with pytest.raises(BadInput, match="comes with the program"):
        table.delete("toy", tmp_path)


@pytest.mark.parametrize("format", ["csv", "parquet", "json"])
def test_an_export_holds_every_row_and_value(tmp_path: Path, format: str) -> None:
    found = make(tmp_path)
    file = tmp_path / f"out.{format}"
    assert documents.table_export("toy", str(file), home=tmp_path)["rows"] == 20
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet, "json": pd.read_json}[format](file)
    np.testing.assert_allclose(read["accuracy"], found.values("accuracy"))


def test_an_export_of_another_format_is_refused(tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(BadInput, match="csv, parquet and json"):
        table.export("toy", tmp_path / "x.xls", "xls", tmp_path)
    assert not (tmp_path / "x.xls").exists()


def test_the_documents_hold_what_the_command_line_promises(tmp_path: Path) -> None:
    found = make(tmp_path)
    (listed,) = [t for t in documents.table_list(tmp_path)["tables"] if t["name"] == "toy"]
    assert {"name", "space", "rows", "metrics", "protocol", "source"} <= set(listed)
    shown = documents.table_show("toy", 3, "accuracy", tmp_path)
    assert [r["metrics"]["accuracy"] for r in shown["rows"]] == [89, 89, 88]
    assert shown["protocol"]["accuracy"]["epochs"] == 10
    one = documents.table_show_arch("toy", found.frame["key"][3], tmp_path)
    assert one["metrics"]["accuracy"] is None
    assert {"data": "digits", "split": "test", "seed": 1, "epochs": 10, "accuracy": 7.0} in one["runs"]
    assert one["rank"]["latency_ms"] == {"rank": 4, "of": 20}
    json.dumps([listed, shown, one], allow_nan=False)
