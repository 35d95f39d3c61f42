"""The seven questions: verdicts from made-up tables whose answers are known, and shipped ones in small."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nascore.measures import calibration_questions as questions
from nascore.measures.agreement import difference, kendall
from nascore.measures.calibration_table import Measured
from nascore.studies.calibration_study import CalibrationStudy, deciding
from nascore.studies.claim import verdict
from nascore.studies.study import run

CLAIMS = {c.key: c for c in CalibrationStudy.claims}
N = 400


def made(seed: int = 0, seeds: int = 3, noise: float = 0.01, **more: np.ndarray) -> Measured:
    """Networks whose ECE and accuracy are drawn, each training with noise of its own."""
    rng = np.random.default_rng(seed)

    def values(truth: np.ndarray) -> np.ndarray:
        return truth[:, None] + noise * rng.normal(size=(N, seeds))

    ece = more.get("ece", np.linspace(0.02, 0.4, N))
    right = more.get("accuracy", rng.permutation(np.linspace(0.5, 0.99, N)))
    post = more.get("post", rng.permutation(np.linspace(0.01, 0.02, N)))
    under = more.get("under", right)
    found = {
        "ece_15": ece, "post_ece_15": post, "accuracy": right, "val_accuracy": right,
        "noise_050_accuracy": under, "ksce_100": more.get("ksce", ece), "mmce_100": ece,
    }  # fmt: skip
    keys = np.array([f"{i:04d}" for i in range(N)])
    held = {n: values(v) for n, v in found.items()}
    return Measured(f"t{seed}", f"d{seed}", 400, keys, np.arange(N), tuple(range(seeds)), held)


def said(key: str, *given: Measured) -> str:
    """The verdict on a claim from such tables."""
    answer = questions.across_data(*given) if key == "data" else questions.ONE_TABLE[key](*given)
    return verdict(CLAIMS[key], deciding(answer))


def test_data_sets_that_agree_less_than_seeds_reproduce_the_claim() -> None:
    other = np.random.default_rng(5).permutation(np.linspace(0.02, 0.4, N))
    assert said("data", made(0), made(1, ece=other)) == "reproduced"


def test_noise_alone_does_not() -> None:
    assert said("data", made(0, noise=0.2), made(1, noise=0.2)) in ("unclear", "not reproduced")


def test_one_training_cannot_tell_noise_from_data() -> None:
    found = questions.across_data(made(0, seeds=1), made(1, seeds=1))
    assert math.isnan(deciding(found).low)
    assert said("data", made(0, seeds=1), made(1, seeds=1)) == "unclear"


def test_robustness_must_tell_more_among_the_accurate() -> None:
    right = np.linspace(0.99, 0.5, N)
    rng = np.random.default_rng(2)
    ece = np.where(np.arange(N) < 100, np.linspace(0.02, 0.1, N), rng.uniform(0.2, 0.4, N))
    low = made(
        noise=1e-6, accuracy=right, ece=ece, under=np.where(np.arange(N) < 100, -ece, rng.uniform(size=N))
    )
    assert said("robustness", low) == "reproduced"
    assert said("robustness", made(noise=1e-6, under=1 - np.linspace(0.02, 0.4, N))) == "not reproduced"


def test_measures_that_rank_at_random_do_not_agree() -> None:
    assert said("measures", made(noise=1e-6)) == "reproduced"
    shuffled = np.random.default_rng(3).permutation(np.linspace(0.02, 0.4, N))
    assert said("measures", made(noise=1e-6, ksce=shuffled)) == "not reproduced"


def test_scaling_that_keeps_the_order_is_uniform() -> None:
    assert said("scaling", made()) == "reproduced"
    assert said("scaling", made(noise=1e-6, post=np.linspace(0.01, 0.02, N))) != "reproduced"


@pytest.mark.parametrize(("sign", "expected"), [(-1, "reproduced"), (1, "not reproduced")])
def test_accurate_networks_are_better_calibrated_or_worse(sign: int, expected: str) -> None:
    right = np.linspace(0.5, 0.99, N)
    assert said("accuracy", made(accuracy=right, ece=0.5 + sign * right / 2)) == expected


def test_all_minus_the_best_is_the_difference_of_two_taus() -> None:
    m = made(noise=1e-6, under=np.random.default_rng(4).uniform(size=N))
    found = questions.robustness(m).numbers["noise 0.5, all minus 100 most accurate"]
    ece, under, best = m.mean("ece_15"), m.mean("noise_050_accuracy"), questions.by_accuracy(m)[:100]
    every, few = kendall(ece, under), kendall(ece[best], under[best])
    assert found.value == pytest.approx(every.value - few.value)
    alone = difference(few, few).high - difference(few, few).low
    assert found.high - found.low > alone


@pytest.mark.slow
def test_the_study_answers_all_seven_questions_on_shipped_tables() -> None:
    found = run(CalibrationStudy(archs=300))
    rows = {c["key"]: c for c in found["claims"]}
    assert list(rows) == list(questions.QUESTIONS)
    assert all(len(c["interval"]) == 2 for c in rows.values())
    assert rows["designs"]["n"] == 300
    assert rows["data"]["n"] < 300
    assert len(found["picture"]["names"]) == 1 + 6 * 3 == len(found["picture"]["values"])
    assert len(found["beside"]) > 20


def test_one_seed_is_enough_for_all_questions_but_the_first() -> None:
    study = CalibrationStudy(seeds=1, archs=60)
    kept = study.some(made(seeds=3))
    assert kept.values["ece_15"].shape == (60, 1)
    assert kept.seeds == (0,)
