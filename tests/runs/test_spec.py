"""What a spec refuses, and how it says so."""

from __future__ import annotations

import json

import pytest

from nascore.errors import BadInput, NotFound
from nascore.runs import spec

HALVING = {"strategy": "successive_halving", "evaluator": "zero_cost", "objectives": [["score", "max"]]}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"space": "nasbench999"}, "space: no space called 'nasbench999'"),
        ({"recipe": {"name": "sgd_cosine", "knobs": {"epochs": 0}}}, "recipe.knobs.epochs: 0 is below 1"),
        ({"objectives": [["latenzy", "min"]]}, "objectives[0]: 'latenzy' is not given by this evaluator"),
        ({"objectives": [["error", "down"]]}, "objectives[0]: expected"),
        ({"objectives": [["error", "min"], ["error", "min"]]}, "objectives: a metric stands twice"),
        ({"constraints": [["params", "<", 5]]}, "constraints[0]: expected"),
        ({"budget": {"evaluations": 0}}, "budget: nothing may be spent"),
        ({"budget": {"evaluations": -1}}, "budget.evaluations: -1 is below 0"),
        ({"seed": -1}, "seed: -1 is no whole number"),
        ({"device": "tpu"}, 'device: "tpu" is none of auto, cpu, cuda'),
        ({"stategy": "nsga2"}, "stategy: no such field"),
        ({"v": 99}, "v: 99 is no version"),
        (HALVING, "successive_halving asks for short trainings"),
    ],
)
def test_a_wrong_field_is_named_with_its_value(document: dict, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        spec.from_document({"v": 1} | document)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(tmp_path) -> None:
    file = tmp_path / "big.json"
    file.write_bytes(b" " * (2 << 20))
    with pytest.raises(BadInput, match="2,097,152 bytes; the limit is 1,048,576"):
        spec.open_spec(str(file))


def test_a_missing_file_names_the_ready_specs() -> None:
    with pytest.raises(NotFound, match=r"halving, pareto, quick"):
        spec.open_spec("nowhere.json")


def test_set_replaces_an_object_with_its_defaults_and_single_values() -> None:
    changed = spec.open_spec("quick", ["strategy=random_search", "budget.evaluations=20", "seed=3"])
    assert changed.to_json()["strategy"]["name"] == "random_search"
    assert (changed.budget.evaluations, changed.seed) == (20, 3)
    assert (
        spec.open_spec("quick", ["strategy.population=5"]).to_json()["strategy"]["knobs"]["population"] == 5
    )


@pytest.mark.parametrize("name", sorted(spec.shipped()))
def test_a_ready_spec_goes_through_json_unchanged(name: str) -> None:
    ready = spec.open_spec(name)
    assert spec.read(json.dumps(ready.to_json())) == ready
