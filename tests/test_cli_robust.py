"""`robust` on the command line: a table's network again, with what the table does not say."""

from __future__ import annotations

from pathlib import Path

import pytest

from nascore.benchmarks.table import open_table
from nascore.measures.robustness import SEVERITIES
from nascore.measures.sharpness import Sharpness
from nascore.runs import robust as kept
from nascore.verbs import robust
from tests.runs.toy_parts import home
from tests.test_cli import ask, refused

__all__ = ["home"]
CELL = "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


@pytest.mark.slow
def test_the_network_of_a_table_is_trained_as_the_tables_own(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(robust, "LANDSCAPE", Sharpness(images=32, steps=3, draws=2, points=3))
    found = ask(capsys, "robust", "nasbench201", CELL, "--seed", "1")
    table = open_table("nasbench_digits")
    run = table.runs([found["key"]]).set_index("seed").loc[1]
    assert found["table"] == "nasbench_digits"
    assert (found["data"], found["epochs"], found["images"]) == ("digits", 10, 400)
    assert 100 * found["accuracy"] == pytest.approx(float(run["test_accuracy"]), abs=1e-4)
    for severity, name in ((1, "noise_025"), (2, "noise_050"), (3, "noise_100")):
        told = float(run[f"{name}_accuracy"])
        assert 100 * found["robustness"]["noise"][severity] == pytest.approx(told, abs=1e-4)
    assert all(len(v) == len(SEVERITIES) for v in found["robustness"].values())
    assert len(found["plane"]["losses"]) == len(found["line"]["losses"]) == 3
    assert found["plane"]["losses"][1][1] == pytest.approx(found["sharpness"]["loss"], rel=1e-4)
    assert found["sharpness"]["trace_error"] > 0
    monkeypatch.setattr(kept, "here", None)  # the second time it is only read
    assert ask(capsys, "robust", "nasbench201", CELL, "--seed", "1") == found


@pytest.mark.parametrize(
    ("given", "what"),
    [
        (("nasbench201", CELL, "--seed", "-1"), "-1 is not between 0 and 999"),
        (("nasbench201", CELL, "--table", "natssize_digits"), "holds no networks of nasbench201"),
        (("nasbench201", CELL, "--table", "nasbench_digits", "--task", "digits"), "name one of the two"),
        (("nasbench201", "nonsense"), "nonsense"),
        (("nasbench201", CELL, "--task", "nothing"), "nothing"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    home: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], what: str
) -> None:
    assert what in refused(capsys, "robust", *given)
