"""Networks of tables and runs by their single predictions: kept, trained again, or offered to be."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks.table import open_table
from nascore.measures import calibration_kept
from nascore.runs import predictions
from nascore.runs.predictions import Asked
from nascore.runs.spec import open_spec
from nascore.space import sample, tuples
from tests.pages.conftest import RUN, Open, asked, home, said, visit, write_run

__all__ = ["home", "visit"]
SHIPPED = Path(__file__).parents[2] / "data" / "tables" / "nasbench_digits"


@pytest.fixture
def digits(home: Path) -> Path:
    shutil.copytree(SHIPPED, home / "tables" / "nasbench_digits")
    return home


def of_best() -> Asked:
    """The network that `write_run` gives the least error."""
    spec = open_spec("quick")
    archs = tuples(np.unique(sample(spec.space, 48, np.random.default_rng(0)), axis=0))
    return predictions.of_run(spec, archs[0])


def keep(job: Asked) -> None:
    """Writes what the job's process would."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 10, 300)
    arrays = {p: rng.normal(0, 1, (300, 10)).astype(np.float32) for p in calibration_kept.OUTSIDE}
    for part in ("test", "validation"):
        arrays[part] = (3 * np.eye(10)[labels] + rng.normal(0, 1.5, (300, 10))).astype(np.float32)
        arrays[f"{part}_labels"] = labels
    job.folder.mkdir(parents=True)
    np.savez(job.folder / predictions.FILE, **arrays)
    (job.folder / "result.json").write_text(json.dumps({"accuracy": 0.75}))


def test_kept_logits_show_a_tables_network_like_a_file(visit: Open, digits: Path) -> None:
    held = calibration_kept.read(open_table("nasbench_digits", digits))
    at = visit("calibration", arch=str(held.keys[50]), cut="mass", **{"class": "3", "from": "logits"})
    frame = next(d.value for d in at.dataframe if "measure" in d.value)
    assert len(frame) == 50
    values = frame.set_index("measure")
    assert np.isfinite(values.loc["Classwise ECE, 15 bins", "before"])
    assert np.isfinite(values.loc["KDE error", "after"])
    assert "AUROC" in said(at)
    assert {s.key for s in at.segmented_control} >= {"calib_mass", "calib_kind"}
    at.segmented_control(key="calib_kind").set_value("photographs").run()
    assert asked(at, "ood") == "photographs"


def test_other_networks_of_a_table_are_offered_to_be_trained(
    visit: Open, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Asked] = []
    monkeypatch.setattr(predictions, "start", begun.append)
    at = visit("calibration", seed="1", **{"from": "logits"})
    assert "Of this training the table keeps a histogram" in said(at)
    assert "10 epochs on digits as in NAS-Bench-digits, seed 1" in said(at)
    at.button(key="predict_run").click().run()
    assert begun[0].spec["seed"] == 1


def test_a_network_of_a_run_is_trained_again_and_watched(visit: Open, home: Path) -> None:
    write_run(home)
    job = of_best()
    job.folder.mkdir(parents=True)
    state = {"state": "waiting", "t": time.time(), "what": "another network is being measured"}
    (job.folder / "state.json").write_text(json.dumps(state))
    at = visit("calibration", source="run", run=RUN)
    assert "another network is being measured" in said(at)
    at.button(key="predict_cancel").click().run()
    assert (job.folder / "stop").exists()
    (job.folder / "state.json").write_text(json.dumps({"state": "failed", "t": 0, "error": "it diverged"}))
    at = visit("calibration", source="run", run=RUN)
    assert "it diverged" in said(at)
    assert at.button(key="predict_run").label == "Try again"


def test_a_trained_network_of_a_run_shows_all_measures(visit: Open, home: Path) -> None:
    key = write_run(home)
    keep(of_best())
    at = visit("calibration", source="run", run=RUN)
    assert at.selectbox(key="calib_run_arch").value == key
    assert "Test accuracy 75.00 %, trained again" in said(at)
    assert len(next(d.value for d in at.dataframe if "measure" in d.value)) == 50
    at.selectbox(key="calib_run_arch").select_index(1).run()
    assert asked(at, "arch") != key
    assert "was not kept" in said(at)
    at = visit("calibration", source="run", run="gone", arch="none")
    assert "There is no run gone here" in said(at)
    assert "There is no architecture none here; this is the best network of the run" in said(at)


def test_a_damaged_file_is_as_good_as_none(visit: Open, home: Path) -> None:
    write_run(home)
    job = of_best()
    keep(job)
    (job.folder / predictions.FILE).write_bytes(b"PK nothing")
    assert "was not kept" in said(visit("calibration", source="run", run=RUN))
