from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from nascore.benchmarks import simulate
from nascore.benchmarks.simulate import Ground
from nascore.benchmarks.table import Table
from nascore.errors import BadInput
from nascore.evaluators.tabular import Tabular
from nascore.events import Tried
from nascore.problem import Budget, Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import neighbors, tuples
from nascore.strategies.local_search import LocalSearch
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from nascore.tasks.images import Digits
from tests.evaluators import tables


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The law of the made table, made rugged so that searches differ."""
    home = tmp_path_factory.mktemp("home")
    made = tables.made(home, curves=False)
    noise = np.random.default_rng(0).normal(0, 6, made.rows)
    made.frame["validation_accuracy"] += noise
    draft = simulate_draft(made)
    return tables.write_table(draft, "nasbench_digits", home, replace=True)


def simulate_draft(made: Table) -> tables.Draft:
    return tables.Draft(made.frame, tables.COLUMNS, space=(made.space, made.about["choices"]))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def field(table: Table) -> Ground:
    return simulate.ground(table, "validation_accuracy")


def strategies(table: Table, strategy, n: int, evaluations: int) -> np.ndarray:
    """Best validation error of n seeds of a real strategy."""
    out = []
    for seed in range(n):
        p = Problem(
            tables.SPACE, Digits(), SgdCosine(), Tabular(), budget=Budget(evaluations=evaluations), seed=seed
        )
        out.append(min(e.metrics["error"] for e in search(strategy, p) if isinstance(e, Tried)))
    return 1 - np.array(out)


def test_neighbors_are_the_spaces_and_the_best_rank_is_the_best_value(table: Table, field: Ground) -> None:
    for row in (0, 777, 15624):
        arch = tuples(table.archs[row : row + 1])[0]
        expected = table.lookup([a for _, a in neighbors(tables.SPACE, arch)])
        assert set(field.neighbors[row].tolist()) == set(expected.tolist())
    assert field.ranks.argmin() == table.values("validation_accuracy").argmax()


def test_searches_that_never_repeat_have_distinct_rows(field: Ground) -> None:
    for found in (
        simulate.random_search(field, 60, 50),
        simulate.evolution(field, 60, 50, population=10, tournament=3),
        simulate.local_search(field, 60, 50),
    ):
        assert found.shape == (60, 50)
        assert all(len(set(found[:, i].tolist())) == 60 for i in range(50))


def test_every_child_is_one_change_away_from_a_living_member(field: Ground) -> None:
    found = simulate.evolution(field, 40, 30, population=8, tournament=2, again=True)
    near = [set(row.tolist()) for row in field.neighbors]
    for i in range(30):
        for t in range(8, 40):
            assert any(int(found[t, i]) in near[parent] for parent in found[t - 8 : t, i])


def test_a_tournament_of_all_always_takes_the_best_and_the_oldest_of_equals() -> None:
    ranks = np.array([3, 1, 2, 1], np.uint32)
    still = np.arange(4, dtype=np.int32)[:, None]  # a neighbor that is itself shows who the parent was
    history = simulate.evolution(Ground(ranks, still), 4, 200, population=3, tournament=3, again=True)
    for column in history.T:
        alive = column[:3]
        assert column[3] == alive[ranks[alive].argmin()]


def test_the_vectorized_form_is_distributed_as_the_obvious_loop(table: Table, field: Ground) -> None:
    values, rng = table.values("validation_accuracy"), np.random.default_rng(1)
    many = values[simulate.best(field, simulate.evolution(field, 60, 4000, 3, population=20, again=True))]
    few = [
        values[h[field.ranks[h].argmin()]]
        for h in (simulate.evolution_alone(field, 60, rng, population=20) for _ in range(400))
    ]
    assert ks_2samp(many, few).pvalue > 0.01
    other = values[simulate.best(field, simulate.random_search(field, 60, 4000))]
    assert ks_2samp(other, few).pvalue < 1e-6  # the test can tell


@pytest.mark.parametrize(
    ("strategy", "act"),
    [
        (RandomSearch(), simulate.random_search),
        (
            RegularizedEvolution(population=20, tournament=5, children=1),
            lambda f, n, runs: simulate.evolution(f, n, runs, population=20, tournament=5),
        ),
        (LocalSearch(), simulate.local_search),
    ],
    ids=["random", "evolution", "local"],
)
def test_simulated_searches_are_distributed_as_the_strategies(
    table: Table, field: Ground, monkeypatch: pytest.MonkeyPatch, strategy, act
) -> None:
    monkeypatch.setenv("NASCOPE_HOME", str(table.folder.parents[1]))
    real = strategies(table, strategy, 60, 80)
    simulated = table.values("validation_accuracy")[simulate.best(field, act(field, 80, 4000))] / 100
    assert ks_2samp(simulated, real).pvalue > 0.01


def test_the_same_seed_gives_the_same_searches_and_another_other_ones(field: Ground) -> None:
    one, same, other = (simulate.evolution(field, 60, 20, s, again=True) for s in (0, 0, 1))
    assert (one == same).all()
    assert (one != other).any()


def test_best_so_far_never_gets_worse_and_ends_with_the_best(field: Ground) -> None:
    history = simulate.random_search(field, 50, 40)
    so_far = simulate.best_so_far(field, history)
    assert (np.diff(field.ranks[so_far].astype(int), axis=0) <= 0).all()
    assert (so_far[-1] == simulate.best(field, history)).all()
    assert (so_far[0] == history[0]).all()


def test_a_table_with_holes_and_impossible_sizes_are_refused(field: Ground, tmp_path: Path) -> None:
    part = tables.made(tmp_path, rows=100, curves=False)
    with pytest.raises(BadInput, match="whole space"):
        simulate.ground(part, "validation_accuracy")
    with pytest.raises(BadInput, match="between 1 and"):
        simulate.random_search(field, 20_000, 1)
    with pytest.raises(BadInput, match="tournament 60"):
        simulate.evolution(field, 100, 1, tournament=60)
