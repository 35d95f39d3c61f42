from __future__ import annotations

import json
from pathlib import Path

import pytest

from nascore.__main__ import main
from tests.runs.toy_parts import home
from tests.test_cli import ask, refused

__all__ = ["home"]
SHARED = Path(__file__).parents[2] / "shared" / "benchmarks"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the field's files are not here")
TEXT = ("--mapping", json.dumps({"arch": "text"}))
ZERO = ("--set", "evaluator=zero_cost", "--set", 'objectives=[["score","max"]]')
BEST = "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
CSV = f"""arch,test_accuracy,seconds
|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|,91.5,3.0
{BEST},93.25,2.0
|skip_connect~0|+|none~0|none~1|+|none~0|none~1|none~2|,10.0,1.0
"""


@pytest.fixture
def small(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    (tmp_path / "small.csv").write_text(CSV)
    found = ask(capsys, "table", "import", str(tmp_path / "small.csv"), "--name", "small")
    assert (found["name"], found["rows"], found["skipped"]) == ("small", 3, 0)
    assert found["seconds"] >= 0
    return "small"


def test_an_imported_table_is_listed_with_its_protocol(
    small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = next(t for t in ask(capsys, "table", "list")["tables"] if t["name"] == small)
    assert (row["space"], row["rows"]) == ("nasbench201", 3)
    assert set(row["metrics"]) == {"test_accuracy", "seconds"} == set(row["protocol"])
    assert [t["name"] for t in ask(capsys, "list", "tables")["tables"] if not t["shipped"]] == [small]


def test_the_best_rows_come_first(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "table", "show", small, "--top", "2", "--by", "test_accuracy")
    assert [r["metrics"]["test_accuracy"] for r in found["rows"]] == [93.25, 91.5]
    assert found["rows"][0]["text"] == BEST
    quick = ask(capsys, "table", "show", small, "--top", "1", "--by", "seconds")
    assert quick["rows"][0]["metrics"]["seconds"] == 1.0


def test_one_architecture_has_its_rank_by_any_way_of_writing_it(
    small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask(capsys, "table", "show", small, "--arch", BEST)
    assert found["rank"]["test_accuracy"] == {"rank": 1, "of": 3}
    assert ask(capsys, "table", "show", small, "--arch", found["key"]) == found
    assert ask(capsys, "table", "show", small, "--arch", json.dumps(found["choices"])) == found


def test_an_exported_table_is_read_by_others(
    small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.csv"
    assert ask(capsys, "table", "export", small, str(file))["rows"] == 3
    assert ask(capsys, "table", "import", str(file), "--name", "back", *TEXT)["rows"] == 3
    assert ask(capsys, "table", "show", "back", "--by", "test_accuracy")["rows"][0]["text"] == BEST
    assert ask(capsys, "table", "delete", "back") == {"deleted": "back"}
    assert "no table called 'back'" in refused(capsys, "table", "show", "back")


def test_sql_asks_tables_by_their_names(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    query = 'select count(*) n, max(test_accuracy) best from small where "choice.edge_1_0" = 0'
    assert ask(capsys, "sql", query) == {"columns": ["n", "best"], "rows": [[1, 93.25]]}
    assert "exactly one SELECT" in refused(capsys, "sql", "drop view small")
    assert "nowhere" in refused(capsys, "sql", "select * from nowhere")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "small", "--by", "beauty"], "is no metric of small; there are"),
        (["show", "small", "--top", "0"], "top: 0 is not between"),
        (["show", "small", "--arch", "nobody"], "has no architecture"),
        (["show", "../../etc"], "cannot name a table"),
        (["import", "/nowhere/at/all", "--name", "x"], "at/all"),
        (["export", "small", "x.docx"], "is no format"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    small: str, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in refused(capsys, "table", *arguments)


def test_a_bad_mapping_and_a_taken_name_are_refused(
    small: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "small.csv")
    assert "already" in refused(capsys, "table", "import", file, "--name", small)
    assert "mapping" in refused(capsys, "table", "import", file, "--name", "b", "--mapping", "[1]")


def test_table_without_an_action_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["table"])
    assert stop.value.code == 2
    assert "ACTION" in capsys.readouterr().err


@shared
def test_an_official_file_is_imported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = SHARED / "original" / "NAS-Bench-Macro" / "nas-bench-macro_cifar10.json"
    assert ask(capsys, "table", "import", str(file), "--name", "macro")["rows"] == 6561
    found = ask(capsys, "table", "show", "macro", "--top", "1")
    assert found["rows"][0]["text"] == "22212202"  # the paper's best


def small_space(tmp_path: Path) -> str:
    knobs = {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}
    (tmp_path / "tiny.json").write_text(
        json.dumps(
            {
                "v": 1,
                "space": {"name": "nasbench201", "knobs": knobs},
                "task": {"name": "digits", "knobs": {"train_images": 64}},
                "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 1}},
            }
        )
    )
    return str(tmp_path / "tiny.json")


@pytest.mark.slow
def test_a_table_is_made_of_a_sample_and_is_a_table_like_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path / "home"))  # with workers that really train
    (tmp_path / "home").mkdir()
    spec = small_space(tmp_path)
    found = ask(capsys, "table", "build", spec, "--sample", "4", "--seeds", "2", "--name", "made")
    assert (found["state"], found["trained"], found["trainings"]) == ("finished", 4, 8)
    shown = ask(capsys, "table", "show", "made", "--top", "1", "--by", "val_accuracy")
    assert shown["protocol"]["val_accuracy"]["seeds"] == "mean of 2 seeds"
    again = ask(capsys, "table", "save", found["run"], "--name", "made")
    assert again["trainings"] == 8
    assert "already" in refused(capsys, "table", "build", spec, "--sample", "4", "--name", "made")


def test_what_cannot_be_made_is_refused_before_anything_starts(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = small_space(tmp_path)
    assert "below 0" in refused(capsys, "table", "build", spec, "--sample", "-1")
    assert "cannot name a table" in refused(capsys, "table", "build", spec, "--sample", "2", "--name", "../x")
    assert "no ready spec" in refused(capsys, "table", "build", "nowhere.json")
    assert "seeds" in refused(capsys, "table", "build", spec, *ZERO, "--seeds", "2")
    assert ask(capsys, "runs") == {"runs": []}
