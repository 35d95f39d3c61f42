"""A network trained again for what it says of every image, in a job's folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks.table import Table
from nascore.codec import from_json
from nascore.errors import NotSupported
from nascore.runs import jobs, predictions
from nascore.runs.spec import RunSpec, open_spec

ARCH = (3, 1, 2, 3, 4, 3)


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunSpec:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    found = open_spec("quick")
    knobs = {"train_images": 100}
    return replace(found, task=from_json("task", {"name": "digits", "knobs": knobs}))


def test_a_network_is_trained_as_its_run_did_it(spec: RunSpec) -> None:
    shorter = from_json("evaluator", {"name": "trained", "knobs": {"epochs": 1, "draw": 2}})
    asked = predictions.of_run(replace(spec, evaluator=shorter), ARCH)
    assert asked.length() == 1
    assert asked.problem().seed == spec.problem().number("draw", 2)
    whole = from_json("evaluator", {"name": "tabular", "knobs": {"table": "nasbench_digits"}})
    asked = predictions.of_run(replace(spec, evaluator=whole), ARCH)
    assert asked.length() == spec.recipe.epochs
    assert asked.problem().seed == spec.seed
    assert asked.folder != predictions.of_run(replace(spec, seed=5), ARCH).folder
    twin = spec.space.canonical(ARCH)
    assert predictions.of_run(spec, ARCH).folder == predictions.of_run(spec, twin).folder


def test_a_tables_network_is_trained_on_as_many_images(spec: RunSpec) -> None:
    tables = Path(__file__).parents[2] / "data" / "tables"
    table = Table(tables / "nasbench_mnist5k")
    task = predictions.of_table(table, ARCH, 1).problem().task
    assert (task.data, task.size("train")) == ("mnist5k", 2000)
    assert predictions.of_table(Table(tables / "nasbench_digits"), ARCH).problem().task.size("train") == 1000


def test_predictions_are_kept_and_found_again(spec: RunSpec) -> None:
    pytest.importorskip("torch")
    from nascore.verbs.predict import predicted

    shorter = from_json("evaluator", {"name": "trained", "knobs": {"epochs": 1}})
    asked = predictions.of_run(replace(spec, evaluator=shorter), ARCH)
    assert predictions.result(asked) is None
    heard: list[jobs.Progress] = []
    found = jobs.here(asked.folder, predicted(asked), heard.append)
    assert predictions.result(asked) == found
    assert [h[0] for h in heard] == sorted(h[0] for h in heard)
    with np.load(asked.folder / predictions.FILE) as held:
        right = held["test"].argmax(1) == held["test_labels"]
        assert found is not None
        assert found["accuracy"] == pytest.approx(right.mean())
        assert held["noise"].shape == held["photographs"].shape == (200, 10)
        assert len(held["validation"]) == len(held["validation_labels"]) == 397
    (asked.folder / predictions.FILE).unlink()
    assert predictions.result(asked) is None


def test_what_was_asked_for_reads_back(spec: RunSpec) -> None:
    asked = predictions.of_run(spec, ARCH)
    asked.folder.mkdir(parents=True)
    jobs.write(asked.folder / "asked.json", vars(asked))
    assert predictions.read(asked.folder) == asked


def test_a_task_without_a_label_for_each_example_is_refused(spec: RunSpec) -> None:
    pytest.importorskip("torch")
    from nascore.verbs.predict import classed

    classed(spec.problem())
    with pytest.raises(NotSupported, match="no single label"):
        classed(replace(spec.problem(), task=from_json("task", "ranking")))
