"""A predictor as judge: what it learns from, and that it is the same for everybody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascore import stats
from nascore.errors import BadInput
from nascore.evaluators.predicted import Predicted
from nascore.evaluators.tabular import Tabular
from nascore.predictors.ridge import Ridge
from nascore.problem import Problem
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import tuples
from nascore.tasks.images import Digits
from tests import toys
from tests.evaluators import tables


@pytest.fixture
def problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Problem:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    tables.made(tmp_path, "law", rows=3000, curves=False)
    by = Predicted(Ridge(), "law", pairs=200)
    return Problem(tables.SPACE, Digits(), SgdCosine(), by)


def errors(problem: Problem, archs) -> np.ndarray:
    return np.array(
        [t.metrics["error"] for t in toys.tried(list(problem.evaluator.evaluate(archs, problem)))]
    )


def test_it_says_what_the_law_says_of_architectures_that_the_table_lacks(problem: Problem) -> None:
    archs = tuples(problem.sample(200, "archs"))
    found, law = errors(problem, archs), np.array([1 - (20 + 2 * sum(a)) / 100 for a in archs])
    assert stats.kendall(found.round(6), law) > 0.7  # equal sums may differ in their last bits
    assert problem.evaluator.protocol(problem).source == "predicted from 200 architectures of table law"


def test_every_seed_and_company_gets_the_same_answer(problem: Problem) -> None:
    archs = tuples(problem.sample(20, "archs"))
    other = type(problem)(**{**vars(problem), "seed": 5})
    np.testing.assert_allclose(errors(problem, archs)[7], errors(other, archs[7:8])[0])
    another = type(problem)(**{**vars(problem), "evaluator": Predicted(Ridge(), "law", pairs=200, draw=1)})
    assert not np.array_equal(errors(problem, archs), errors(another, archs))
    assert another.evaluator.key != problem.evaluator.key


def test_more_pairs_than_there_are_and_tables_of_other_spaces_are_refused(problem: Problem) -> None:
    many = type(problem)(**{**vars(problem), "evaluator": Predicted(Ridge(), "law", pairs=4000)})
    with pytest.raises(BadInput, match="law knows the error of 3,000 architectures"):
        errors(many, [(0,) * 6])
    with pytest.raises(BadInput, match="space: "):
        Predicted(Ridge(), "law").metrics(toys.problem())
    assert Predicted(Ridge(), "law").metrics(problem) == ("error", "std", "params", "flops")
    assert Tabular("law").metrics(problem)[0] == "error"
