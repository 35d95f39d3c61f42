from __future__ import annotations

import numpy as np
import pytest

from nascore import pareto
from nascore.events import Chosen, Note, Step
from nascore.problem import Constraint, Objective, search
from nascore.strategies.nsga2 import Nsga2
from nascore.strategies.random_search import RandomSearch
from tests import toys

BOTH = ("error", "params")


def covered(strategy: Nsga2 | RandomSearch, seed: int) -> float:
    problem = toys.problem(120, seed, objectives=BOTH)
    list(search(strategy, problem))
    return pareto.hypervolume([problem.cost(t) for t in problem.tried()], (0.8, 1400))


def test_its_front_covers_more_than_that_of_random_search() -> None:
    gain = [covered(Nsga2(), s) - covered(RandomSearch(), s) for s in range(6)]
    assert np.mean(gain) > 3
    assert min(gain) > 0


def test_hypervolume_of_the_population_never_falls_while_the_front_fits() -> None:
    steps = [
        e.values
        for e in search(Nsga2(population=40), toys.problem(400, objectives=BOTH))
        if isinstance(e, Step)
    ]
    areas = [s["hypervolume"] for s in steps]
    assert areas == sorted(areas)
    assert areas[-1] > areas[0]
    assert all(1 <= s["front"] <= 40 for s in steps)


def test_the_reference_point_is_said_in_the_metrics_own_directions() -> None:
    problem = toys.problem(60, objectives=BOTH)
    problem = toys.replace(problem, objectives=(Objective("error"), Objective("params", "max")))
    (note,) = [e.text for e in search(Nsga2(), problem) if isinstance(e, Note) and "hypervolume" in e.text]
    params = float(note.split("params ")[1])
    assert 0 < params < 1300


def test_it_chooses_the_knee_and_then_the_best_in_the_first_objective() -> None:
    problem = toys.problem(150, objectives=BOTH)
    knee, best = [e for e in search(Nsga2(), problem) if isinstance(e, Chosen)]
    points = [problem.cost(t) for t in problem.tried()]
    assert knee.label == "knee"
    assert knee.arch == problem.tried()[pareto.knee(points) or 0].arch
    assert best.arch == min(problem.tried(), key=problem.cost).arch
    assert "error" in best.why


def test_one_objective_works_and_has_no_knee() -> None:
    events = list(search(Nsga2(), toys.problem(200)))
    assert [e.label for e in events if isinstance(e, Chosen)] == [""]
    assert min(t.metrics["error"] for t in toys.tried(events)) < np.quantile(
        list(toys.table().values()), 0.01
    )


def test_the_extreme_of_the_first_objective_is_never_lost() -> None:
    steps = [
        e.values["error"]
        for e in search(Nsga2(population=8), toys.problem(300, objectives=BOTH))
        if isinstance(e, Step)
    ]
    assert steps == sorted(steps, reverse=True)


def test_a_measured_constraint_leads_to_architectures_that_meet_it() -> None:
    problem = toys.problem(200, objectives=BOTH, constraints=(Constraint("width", "<=", 4),))
    children = toys.tried(list(search(Nsga2(), problem)))[20:]
    by_chance = np.mean([sum(a) <= 4 for a in toys.table()])
    assert np.mean([t.metrics["width"] <= 4 for t in children]) > by_chance + 0.15


@pytest.mark.parametrize("population", [4, 20])
def test_all_children_of_a_generation_are_judged_together(population: int) -> None:
    judge = toys.Lookup()
    list(search(Nsga2(population=population), toys.problem(population * 3, evaluator=judge)))
    assert [len(b) for b in judge.calls] == [population] * 3
