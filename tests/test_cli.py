from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nascore.__main__ import main
from nascore.runs import launch
from tests.runs.toy_parts import ROOT, document, home, records, spec, until

__all__ = ["home"]
INDEX_0 = "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"


def ask(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> Any:
    """The one document that a verb prints."""
    assert main([*arguments, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence of a refusal; nothing else is printed."""
    assert main([*arguments, "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(document(8)))
    return str(path)


@pytest.mark.parametrize(
    "kind", ["spaces", "strategies", "evaluators", "proxies", "recipes", "tasks", "measures", "executors"]
)
def test_every_kind_is_listed_with_summaries(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    rows = ask(capsys, "list", kind)[kind]
    assert rows
    assert all(r["name"] and r["summary"] for r in rows)


def test_kinds_are_listed_whether_they_have_entries_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(ask(capsys, "list", "studies")["studies"]) == 49
    assert "nasbench_digits" in [t["name"] for t in ask(capsys, "list", "tables")["tables"]]
    assert "none of spaces" in refused(capsys, "list", "gadgets")


def test_a_space_tells_its_exact_size_and_the_same_samples_for_a_seed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = ask(capsys, "space", "nasbench201", "--sample", "3", "--seed", "0")
    assert found["size"] == 15625
    assert found["unique"] == 5044
    assert len(found["choices"]) == 6
    assert {"key", "choices", "params", "flops"} <= set(found["samples"][0])
    again = ask(capsys, "space", "nasbench201", "--sample", "3", "--seed", "0")
    assert again == found


def test_the_published_cell_has_the_published_cost_and_24_neighbors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = ask(capsys, "arch", "nasbench201", INDEX_0)
    assert (found["params"], found["flops"]) == (129306, 15647370)  # the benchmark's own records
    assert len(found["neighbors"]) == 24
    assert found["valid"] is True
    by_key = ask(capsys, "arch", "nasbench201", found["key"])
    by_choices = ask(capsys, "arch", "nasbench201", json.dumps(found["choices"]))
    assert by_key == by_choices == found


def test_an_exported_architecture_is_read_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = str(tmp_path / "arch.json")
    found = ask(capsys, "arch", "nasbench201", INDEX_0, "--export", "json", out)
    assert found["exported"] == out
    choices = json.dumps(json.loads(Path(out).read_text())["choices"])
    assert ask(capsys, "arch", out, choices)["key"] == found["key"]
    assert "cannot be written" in refused(capsys, "arch", "nasbench201", INDEX_0, "--export", "gif", out)


def test_a_search_prints_what_it_found(home: Path, capsys: pytest.CaptureFixture[str], file: str) -> None:
    found = ask(capsys, "search", file, "--set", "budget.evaluations=6", "--set", "seed=3")
    assert (found["state"], found["evaluations"], found["failed"]) == ("finished", 6, 0)
    assert found["best"]["metrics"]["error"] == min(r["metrics"]["error"] for r in records(found["run"]))
    assert [f["key"] for f in found["front"]] == [found["best"]["key"]]
    assert launch.read_spec(found["run"]).seed == 3
    one = ask(capsys, "run", found["run"], "--events")
    assert {k: one[k] for k in ("best", "front", "state")} == {
        k: found[k] for k in ("best", "front", "state")
    }
    told = [e for e in one["events"] if e["kind"] == "Tried"]
    assert len(told) == 6
    assert found["best"]["key"] in {e["key"] for e in told}
    assert [r["run"] for r in ask(capsys, "runs")["runs"]] == [found["run"]]
    rows = ask(capsys, "sql", "select count(*) n from tried")
    assert rows == {"columns": ["n"], "rows": [[6]]}


def test_a_detached_search_is_paused_resumed_cancelled_and_deleted(
    home: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    slow = ("--set", "evaluator.seconds=0.05", "--set", "budget.evaluations=1000")
    started = ask(capsys, "search", file, "--detach", *slow)
    run = started["run"]
    assert started["state"] in ("queued", "running")
    until(lambda: records(run))
    assert ask(capsys, "run", run, "--pause")["state"] == "paused"
    assert ask(capsys, "run", run, "--resume")["state"] in ("queued", "running")
    assert main(["run", run, "--delete", "--json"]) == 1
    assert "stop it before" in capsys.readouterr().err
    assert ask(capsys, "run", run, "--cancel")["state"] == "stopped"
    assert ask(capsys, "run", run, "--rename", "my run")["title"] == "my run"
    assert ask(capsys, "run", run, "--delete")["state"] == "deleted"
    assert "no run called" in refused(capsys, "run", run)


def test_a_failed_search_ends_with_status_1(
    home: Path, capsys: pytest.CaptureFixture[str], file: str
) -> None:
    found = ask(capsys, "search", file, "--set", "strategy=rogue", status=1)
    assert found["state"] == "failed"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("space=nowhere", "no space called 'nowhere'"),
        ("budget.evaluations=0", "nothing may be spent"),
        ("space.options=900", "space.knobs.options: 900 is above 9"),
        ('objectives=[["beauty","max"]]', "'beauty' is not given by this evaluator; error, params are"),
        ("nonsense", "expected path=value"),
        ("seed=-1", "seed"),
    ],
)
def test_a_bad_spec_starts_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], file: str, change: str, says: str
) -> None:
    assert says in refused(capsys, "search", file, "--set", change)
    assert launch.runs() == []


def test_a_file_of_two_megabytes_or_no_json_or_no_file_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    big, text = tmp_path / "big.json", tmp_path / "text.json"
    big.write_text('{"title": "' + "x" * (2 << 20) + '"}')
    text.write_text("hello")
    assert "1,048,576" in refused(capsys, "search", str(big))
    assert "not JSON" in refused(capsys, "search", str(text))
    assert "no file and no ready spec" in refused(capsys, "search", str(tmp_path / "none.json"))


def test_the_ready_specs_are_valid_and_take_other_strategies(home: Path) -> None:
    from nascore.runs.spec import open_spec, shipped

    assert {"quick", "pareto", "halving"} <= set(shipped())
    for name in shipped():
        changed = open_spec(name, ["strategy=random_search", "budget.evaluations=20", "seed=3"])
        assert (type(changed.strategy).__name__, changed.seed) == ("RandomSearch", 3)
        assert changed.budget.evaluations == 20


def test_an_unknown_verb_is_one_sentence_and_no_traceback() -> None:
    out = subprocess.run(
        [sys.executable, "-m", "nascore", "fly"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert out.returncode == 2
    assert out.stdout == ""
    assert out.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_quick_search_runs_for_real_from_the_command_line(tmp_path: Path) -> None:
    import os

    arguments = [
        *["-m", "nascore", "search", "quick", "--json", "--set", "recipe.epochs=2"],
        "--set",
        "budget.evaluations=8",
    ]
    out = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NASCOPE_HOME": str(tmp_path)},
    )
    found = json.loads(out.stdout)
    assert (found["state"], found["evaluations"]) == ("finished", 8)
    assert found["about"]["source"] == "trained here"


def test_a_run_with_a_spec_of_toys_can_be_read_by_its_id(home: Path) -> None:
    assert launch.read_spec(launch.start(spec(2))) == spec(2)
