from __future__ import annotations

from dataclasses import replace
from typing import Any

from nascore.measures.checklist import Entry, Fact, apart, checklist
from nascore.runs.spec import open_spec

ABOUT: dict[str, str | float] = {
    "data": "digits",
    "split": "validation",
    "epochs": 10.0,
    "seeds": "1 seed",
    "source": "trained here",
    "cpu": "one",
    "device": "cpu",
    "threads": 1.0,
    "python": "3.11",
    "torch": "2",
}


def fact(seed: int, *changes: str, **more: Any) -> Fact:
    spec = open_spec("quick", [f"seed={seed}", *changes]).to_json()
    return Fact(f"run{seed}", spec["strategy"]["name"], spec, ABOUT, evaluations=40, tested=True, **more)


def by(entries: list[Entry], word: str) -> Entry:
    (found,) = [e for e in entries if word in e.say]
    return found


RANDOM = [fact(s, "strategy=random_search") for s in range(5)]
EVOLUTION = [fact(s) for s in range(5)]


def test_a_clean_study_has_no_no_but_for_what_it_did_not_try() -> None:
    made = checklist(RANDOM + EVOLUTION, baseline="random search")
    assert [e.say for e in made if e.answer == "no"] == [
        "What a part of a method adds is tried without it",
        "A table allows a look at many more runs",
    ]
    assert [e.answer for e in made].count("unknown") == 1  # tuning
    assert all(e.evidence and e.say and e.part for e in made)
    assert by(made, "budget").evidence == "All: evaluations 40"


def test_other_recipes_budgets_protocols_and_machines_are_told_with_their_values() -> None:
    other = [fact(s, "recipe.epochs=3", "budget.evaluations=9") for s in range(5)]
    other = [replace(f, about={**ABOUT, "epochs": 3.0, "cpu": "two"}) for f in other]
    made = checklist(RANDOM + other)
    assert by(made, "recipe is").evidence == "They differ in recipe.epochs: 10, 3"
    assert by(made, "budget").answer == "no"
    assert by(made, "one protocol").evidence == "They differ in epochs: 10, 3"
    assert by(made, "hardware").evidence == "They differ in cpu: one, two"
    assert by(made, "random average").answer == "no"


def test_seeds_that_are_few_or_apart_and_runs_kept_back_are_told() -> None:
    made = checklist([*RANDOM, *EVOLUTION[:3]], left_out=2)
    assert by(made, "several seeds").evidence == "regularized_evolution has 3"
    assert by(made, "the same seeds").answer == "no"
    assert by(made, "kept back").evidence.startswith("2 more")


def test_a_run_that_goes_on_or_has_no_test_metric_is_told() -> None:
    made = checklist([replace(RANDOM[0], state="running", tested=False), *RANDOM[1:]])
    assert by(made, "to its end").evidence.startswith("1 of 5")
    assert by(made, "no search saw").evidence.startswith("4 of 5")
    assert by(made, "the same seeds").answer == "unknown"  # one method only


def test_what_nobody_recorded_is_unknown() -> None:
    made = checklist([replace(f, about={}) for f in RANDOM])
    for word in ("hardware", "one protocol", "versions of", "by test data"):
        assert by(made, word).answer == "unknown"


def test_choosing_by_test_data_is_seen() -> None:
    made = checklist([replace(f, about={**ABOUT, "split": "test"}) for f in RANDOM])
    assert by(made, "by test data").answer == "no"


def test_an_ablation_is_one_knob_of_one_strategy() -> None:
    small = [replace(fact(s, "strategy.population=7"), method="small") for s in range(5)]
    made = by(checklist(EVOLUTION + small), "without it")
    assert (made.answer, made.evidence) == ("yes", "regularized evolution with another population")
    more = [replace(fact(s, "strategy.population=7", "budget.evaluations=5"), method="m") for s in range(5)]
    assert by(checklist(EVOLUTION + more), "without it").answer == "no"


def test_runs_on_a_table_share_its_training_whatever_their_recipe_says() -> None:
    table = [fact(s, "evaluator=tabular", "strategy=random_search") for s in range(5)]
    mixed = [fact(s, "evaluator=tabular", "recipe.epochs=3") for s in range(5)]
    made = checklist(table + mixed)
    assert by(made, "recipe is").answer == "yes"
    assert by(made, "A table").answer == "yes"


def test_what_sets_the_meaning_of_numbers_apart_is_told_once() -> None:
    assert apart(RANDOM + EVOLUTION) == []
    table = [fact(s, "evaluator=tabular") for s in range(2)]
    short = [fact(s, "evaluator=tabular", "evaluator.epochs=4") for s in range(2)]
    short = [replace(f, about={**ABOUT, "epochs": 4.0}) for f in short]
    assert apart(table + short) == ["They differ in evaluator.epochs: 0, 4; epochs: 10, 4"]
    assert apart([*RANDOM, fact(0, "budget.evaluations=9")]) == []  # a budget changes no number's meaning
