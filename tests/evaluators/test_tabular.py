from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks import table
from nascore.codec import to_json
from nascore.errors import BadInput, NotSupported, OutOfBudget
from nascore.evaluators.tabular import UNKNOWN, Tabular
from nascore.events import Tried
from nascore.problem import Budget, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.runs import launch
from nascore.runs.spec import from_document
from nascore.runs.state import summary
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.successive_halving import SuccessiveHalving
from nascore.tasks.images import Digits
from tests.evaluators import tables

LIVE = (3, 1, 2, 3, 1, 4)  # no edge can go without changing the function
DEAD = (0, 3, 4, 3, 0, 0)  # only input -> output counts
ARCH = {"name": "nasbench201", "knobs": {"cells": 1, "stages": 1, "channels": 8, "stem_stride": 2}}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    return tmp_path


def problem(by: Tabular, **budget: float) -> Problem:
    return Problem(tables.SPACE, Digits(), SgdCosine(), by, budget=Budget(**budget))  # type: ignore[arg-type]


def one(by: Tabular, arch=LIVE, **budget: float) -> Tried:
    (found,) = by.evaluate([arch], problem(by, **budget))
    assert isinstance(found, Tried)
    return found


def test_error_is_a_share_of_one_and_test_error_comes_along(home: Path) -> None:
    tables.made(home)
    found = one(Tabular())
    total = sum(LIVE)
    assert found.metrics["error"] == pytest.approx(1 - (20 + 2 * total) / 100)
    assert found.metrics["test_error"] == pytest.approx(1 - (19 + 2 * total) / 100)
    assert found.metrics["validation_accuracy"] == pytest.approx((20 + 2 * total) / 100)
    assert found.spent["simulated_seconds"] == 10 + total
    assert found.spent["epochs"] == tables.EPOCHS
    curve = np.array(found.curve["error"])  # two seeds around the mean: (last + 1 + last - 1) / 2
    assert curve == pytest.approx(1 - (20 + 2 * total) / 100 * np.arange(1, 5) / 4)


def test_nobody_may_search_by_test_data(home: Path) -> None:
    tables.made(home, curves=False)
    given = Tabular().metrics(problem(Tabular()))
    assert {"error", "params", "flops", "train_seconds"} <= set(given)
    assert not {"test_error", "test_accuracy"} & set(given)
    assert "test_accuracy" in Tabular().withheld()
    document = {
        "evaluator": "tabular",
        "space": to_json(tables.SPACE),
        "objectives": [["test_accuracy", "max"]],
    }
    with pytest.raises(BadInput, match="of the test part, by which nobody may choose"):
        from_document(document)


def test_the_protocol_is_the_tables(home: Path) -> None:
    tables.made(home)
    said = Tabular().protocol(problem(Tabular()))
    assert (said.data, said.split, said.epochs, said.seeds) == ("digits", "validation", 4, "mean of 2 seeds")
    assert said.source == "table nasbench_digits"
    assert Tabular().at(2).protocol(problem(Tabular())).epochs == 2


def test_fewer_epochs_are_looked_up_in_the_curves_and_cost_their_share(home: Path) -> None:
    tables.made(home)
    found = one(Tabular().at(1))
    assert found.metrics["error"] == pytest.approx(1 - (20 + 2 * sum(LIVE)) / 400)
    assert found.spent["simulated_seconds"] == pytest.approx((10 + sum(LIVE)) / 4)
    assert found.how == "tabular:nasbench_digits@1"
    with pytest.raises(NotSupported, match="after 5 epochs"):
        Tabular().at(5)


def test_without_curves_there_is_no_other_fidelity(home: Path) -> None:
    tables.made(home, curves=False)
    with pytest.raises(NotSupported):
        Tabular().at(1)
    assert one(Tabular()).curve == {}


def test_an_equal_network_has_the_accuracy_of_its_class_and_its_own_cost(home: Path) -> None:
    whole = tables.made(home, curves=False)
    twin = tables.SPACE.canonical(DEAD)
    assert twin != DEAD
    frame = whole.frame.drop(index=int(whole.lookup([DEAD])[0])).reset_index(drop=True)
    space = (whole.space, whole.about["choices"])
    table.write_table(table.Draft(frame, tables.COLUMNS, space=space), "nasbench_digits", home, replace=True)  # type: ignore[arg-type]
    known, shared = one(Tabular(), twin), one(Tabular(), DEAD)
    assert shared.metrics["error"] == known.metrics["error"]
    assert shared.metrics["params"] == problem(Tabular()).costs([DEAD])["params"][0] > known.metrics["params"]


def test_curves_of_a_class_stand_at_the_cell_that_was_trained(home: Path) -> None:
    whole = tables.made(home)
    twin = tables.SPACE.canonical(DEAD)
    curves = whole.whole("curves")
    curves = curves[curves["row"] != int(whole.lookup([DEAD])[0])]
    space = (whole.space, whole.about["choices"])
    piece = tables.pa.Table.from_pandas(curves, preserve_index=False)
    draft = table.Draft(whole.frame, tables.COLUMNS, curves=[piece], space=space)  # type: ignore[arg-type]
    table.write_table(draft, "nasbench_digits", home, replace=True)
    by = Tabular().at(2)
    assert one(by, DEAD).metrics["error"] == pytest.approx(1 - (20 + 2 * sum(twin)) / 200)
    assert one(by, DEAD).curve == one(by, twin).curve != {}


def test_what_the_table_does_not_know_fails_alone(home: Path) -> None:
    tables.made(home, rows=10, curves=False)
    by = Tabular()
    first, second = by.evaluate([LIVE, (0, 0, 0, 0, 0, 1)], problem(by))
    assert isinstance(first, Tried)
    assert isinstance(second, Tried)
    assert (first.failed, second.failed) == (UNKNOWN, "")


def test_the_simulated_clock_ends_a_search(home: Path) -> None:
    tables.made(home, curves=False)
    by = Tabular()
    p = problem(by, evaluations=0, simulated_seconds=200)
    tried = [e for e in search(RandomSearch(batch=4), p) if isinstance(e, Tried)]
    spent = sum(t.spent["simulated_seconds"] for t in tried)
    assert 200 - 34 < spent <= 200  # no training is longer than 34 s
    with pytest.raises(OutOfBudget):
        list(by.evaluate([LIVE], problem(by, simulated_seconds=5)))


def test_halving_goes_from_short_lookups_to_long_ones(home: Path) -> None:
    tables.made(home)
    by = Tabular()
    p = Problem(tables.SPACE, Digits(), SgdCosine(epochs=4), by, budget=Budget(evaluations=60))
    kinds = {e.how for e in search(SuccessiveHalving(), p) if isinstance(e, Tried)}
    assert "tabular:nasbench_digits@1" in kinds


@pytest.mark.parametrize(
    ("knobs", "words"),
    [
        ({"table": "nowhere"}, "evaluator.knobs.table: there is no table called 'nowhere'"),
        ({"table": "../../etc/passwd"}, "cannot name a table"),
        ({"metric": "beauty"}, "'beauty' is no metric of nasbench_digits"),
        ({"metric": "train_seconds"}, "is no accuracy"),
    ],
)
def test_a_wrong_name_is_refused_before_anything_starts(
    home: Path, knobs: dict[str, str], words: str
) -> None:
    tables.made(home, rows=5, curves=False)
    with pytest.raises(BadInput, match="evaluator") as refused:
        from_document({"v": 1, "space": ARCH, "evaluator": {"name": "tabular", "knobs": knobs}})
    assert words in str(refused.value)


def test_another_space_is_refused(home: Path) -> None:
    tables.made(home, rows=5, curves=False)
    with pytest.raises(BadInput, match="architectures of nasbench_digits are of nasbench201"):
        Tabular().metrics(Problem(NatsSize(), Digits(), SgdCosine(), Tabular()))
    assert Tabular().metrics(Problem(Nasbench201(), Digits(), SgdCosine(), Tabular()))


def test_a_simulated_budget_needs_a_simulated_clock(home: Path) -> None:
    document = {"v": 1, "space": ARCH, "budget": {"evaluations": 0, "simulated_seconds": 100}}
    with pytest.raises(BadInput, match="no simulated clock"):
        from_document(document)
    tables.made(home, rows=5, curves=False)
    assert from_document({**document, "evaluator": "tabular"}).budget.simulated_seconds == 100


def test_a_table_written_anew_is_read_anew(home: Path) -> None:
    tables.made(home, rows=5, curves=False)
    assert one(Tabular()).failed == UNKNOWN
    tables.made(home, curves=False)
    assert one(Tabular()).failed == ""


def test_a_run_is_still_shown_when_its_table_is_gone(home: Path) -> None:
    tables.made(home, "passing", rows=40, curves=False)
    judge = {"name": "tabular", "knobs": {"table": "passing"}}
    spec = from_document({"v": 1, "space": ARCH, "evaluator": judge, "budget": {"evaluations": 4}})
    run = launch.start(spec)
    assert launch.ended(run, 60)
    table.delete("passing", home)
    assert summary(run).state == "finished"
    with pytest.raises(BadInput, match="no table"):
        launch.again(run)
