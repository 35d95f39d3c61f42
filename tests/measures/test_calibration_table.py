"""Measures from histograms against those of the predictions behind them; scaling; the questions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks.table import Table
from nascore.errors import BadInput
from nascore.measures import calibration_questions as questions
from nascore.measures import calibration_table as kept
from nascore.measures.agreement import kendall as tau
from nascore.measures.calibration import measure, measures, softmax
from nascore.measures.calibration_scaling import METHODS, fit, temperature_by_grid, temperatures

MNIST = Table(Path(__file__).parents[2] / "data" / "tables" / "nasbench_mnist5k")


def logits(n: int, seed: int, networks: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Overconfident ones, threefold."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, n)
    return 3 * (rng.normal(size=(networks, n, 6)) + 1.3 * np.eye(6)[labels]), labels


def test_histograms_give_what_predictions_give() -> None:
    from nascore.benchmarks import build, made

    torch = pytest.importorskip("torch")
    z, y = logits(500, 0, 3)
    scores = build.judged(torch.tensor(z), torch.tensor(y), torch.tensor(z), torch.tensor(y))
    table = made.bins({"key": np.array(["a", "b", "c"]), "seed": np.arange(3), **scores})
    count = np.stack(table["bin_count"].to_pylist()).astype(float)
    right = np.stack(table["bin_right"].to_pylist()).astype(float)
    middle = (np.arange(100) + np.stack(table["bin_place"].to_pylist()) / 255) / 100
    found = kept.from_bins(count, right, count * middle)
    direct = measures(softmax(z), y)
    for name in (f"{f}_{b}" for f in ("ece", "mce") for b in kept.DIVISORS):
        assert found[name] == pytest.approx(direct[name], abs=3e-5), name
    assert (found["ksce_100"] <= direct["ksce"] + 3e-5).all()
    assert found["ksce_100"] == pytest.approx(direct["ksce"], rel=0.05)
    assert found["mmce_100"] == pytest.approx(direct["mmce"], rel=0.02)
    assert found["accuracy"] == pytest.approx((z.argmax(-1) == y).mean(1))


def test_a_shipped_table_agrees_with_its_own_numbers() -> None:
    m = kept.measured(MNIST)
    assert len(m.keys) == 1000
    assert m.seeds == (0, 1, 2)
    assert 100 * m.mean("accuracy") == pytest.approx(MNIST.values("test_accuracy")[m.rows], abs=1e-3)
    assert (m.values["ece_15"] >= np.abs(m.values["accuracy"] - m.values["confidence"]) - 4e-3).all()
    assert (m.values["ece_5"] <= m.values["ece_100"] + 1e-9).all()
    assert len(kept.MISSING) + len(set(kept.AVAILABLE) - set(kept.COARSE)) == 50


def test_floors_of_histograms_are_those_of_predictions() -> None:
    from nascore.measures.calibration_report import floors

    p = softmax(logits(800, 1)[0])[0]
    c = p.max(1)
    place = np.clip(np.ceil(c * 100).astype(int) - 1, 0, 99)
    count, said = np.bincount(place, minlength=100), np.bincount(place, c, 100)
    mine = kept.floors(count[None].astype(float), said[None], draws=300)
    other = floors(p, ["ece_10", "ece_100"], draws=200)
    assert {n: float(mine[n][0]) for n in other} == pytest.approx(other, rel=0.06)


def test_the_temperature_is_that_of_the_maker_of_tables() -> None:
    from nascore.benchmarks.build import fit_temperature

    torch = pytest.importorskip("torch")
    z, y = logits(300, 2, 4)
    assert temperatures(z, y) == pytest.approx(
        fit_temperature(torch.tensor(z), torch.tensor(y)).numpy(), rel=1e-5
    )
    assert temperature_by_grid(z[0], y) == pytest.approx(temperatures(z, y)[0], rel=0.3)
    sure = np.eye(6)[y][None] * 5.0
    assert temperatures(sure, y)[0] == pytest.approx(np.exp(-4), rel=1e-3)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_way_to_mend_lowers_the_error_of_others(method: str) -> None:
    (held, y), (test, y2) = logits(1500, 3), logits(1500, 4)
    scaling = fit(method, held[0], y)
    p = scaling.apply(test[0])
    before, after = measure(softmax(test[0]), y2, ["ece_15", "nll"]), measure(p, y2, ["ece_15", "nll"])
    assert p.sum(1) == pytest.approx(1)
    assert after["ece_15"] < before["ece_15"] / 2
    if method in ("temperature", "vector"):
        assert after["nll"] < before["nll"]
    if method == "temperature":
        assert (p.argmax(1) == test[0].argmax(1)).all()


def test_an_unknown_way_to_mend_is_refused() -> None:
    with pytest.raises(BadInput, match="none of temperature"):
        fit("magic", np.zeros((3, 2)), np.zeros(3, int))


def test_the_questions_are_answered_from_the_shipped_table() -> None:
    m = kept.measured(MNIST)
    answers = [f(m) for f in questions.ONE_TABLE.values()]
    answers += [questions.designs(m, MNIST), questions.bin_numbers(m, kept.histograms(MNIST))]
    answers += [questions.across_data(m, m)]
    assert {a.key for a in answers} == set(questions.QUESTIONS)
    for a in answers:
        assert a.n == 1000
        assert a.says
        assert a.figure
        assert all(v.low <= v.value <= v.high for v in a.numbers.values())
    same = answers[-1].numbers
    assert next(iter(same.values())).value == pytest.approx(1)  # a table against itself
    expected = tau(m.mean("ece_15"), m.mean("post_ece_15")).value
    assert answers[2].numbers["ECE before and after"].value == pytest.approx(expected)
    bins = answers[5].numbers
    assert bins["ECE-15 and ECE-100, after"].value < bins["ECE-15 and ECE-100, before"].value


def test_a_table_without_what_a_question_needs_is_refused() -> None:
    m = kept.measured(MNIST)
    poor = kept.Measured(m.table, m.data, m.n, m.keys, m.rows, m.seeds, {"accuracy": m.values["accuracy"]})
    with pytest.raises(BadInput, match="keeps no ece_15"):
        questions.accuracy(poor)
    with pytest.raises(BadInput, match="fewer than ten"):
        questions.accuracy(m.only(np.arange(5)))


def test_the_harmonic_mean_is_between_its_parts() -> None:
    assert kept.hcs(np.array([0.9]), np.array([0.1]))[0] == pytest.approx(0.9)
    assert kept.hcs(np.array([0.5]), np.array([0.0]))[0] == pytest.approx(2 / 3)
