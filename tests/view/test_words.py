from __future__ import annotations

import pytest

from nascore.view import words

GAP = "\u00a0"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("error", 5.63, "5.63 %"),
        ("mask.error", 12.5, "12.50 %"),
        ("test_accuracy", 94.374, "94.37 %"),
        ("params", 1_070_000, "1.07 M"),
        ("flops", 153_270_000, "153 M multiply-adds"),
        ("latency_ms", 68.42, "68.4 ms"),
        ("train_seconds", 112, "1 min 52 s"),
        ("size_bytes", 4_100_000, "4.10 M bytes"),
        ("index", 1562, "1,562"),
        ("ece_15", 0.0421, "0.0421"),
    ],
)
def test_a_metric_is_written_with_the_unit_of_its_name(name: str, value: float, said: str) -> None:
    assert words.metric(name, value).replace(GAP, " ") == said


def test_a_unit_never_wraps_away_from_its_number() -> None:
    assert words.metric("flops", 153e6) == f"153{GAP}M{GAP}multiply-adds"
    assert words.percent(5.6) == f"5.60{GAP}%"


@pytest.mark.parametrize("name", ["error", "params", "flops", "latency_ms", "train_seconds", "loss", "index"])
def test_what_is_not_finite_is_a_word_in_every_metric(name: str) -> None:
    said = [words.metric(name, value) for value in (float("nan"), None, float("inf"), float("-inf"))]
    assert said == ["no value", "no value", "infinite", "minus infinite"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("error", "Validation error (%)"),
        ("latency_ms", "Latency (ms)"),
        ("mask.error", "Mask: Validation error (%)"),
        ("train_seconds", "Training time (s)"),
        ("energy_mj", "Energy (mJ)"),
        ("ece_15", "Calibration error (ECE, 15 bins)"),
        ("top5_error", "Top5 error (%)"),
    ],
)
def test_a_title_names_the_metric_and_its_unit(name: str, title: str) -> None:
    assert words.metric_title(name) == title


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (0.42, "0.420 s"),
        (4.25, "4.2 s"),
        (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (273600, "3 d 4 h"),
        (-3, "0 s"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, said: str) -> None:
    assert words.duration(seconds).replace(GAP, " ") == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "less than 1 min left"),
        (61, "about 2 min left"),
        (3600, "about 1 h left"),
        (90000, "about 2 d left"),
        (float("inf"), "time left unknown"),
    ],
)
def test_time_left_is_rounded_up_to_one_unit(seconds: float, said: str) -> None:
    assert words.left(seconds).replace(GAP, " ") == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (999, "999"),
        (999.7, "1.00 k"),
        (9_996, "10.0 k"),
        (1e6, "1.00 M"),
        (2.5e9, "2.50 G"),
        (0.5, "0.500"),
    ],
)
def test_compact_keeps_three_digits_across_size_letters(value: float, said: str) -> None:
    assert words.compact(value).replace(GAP, " ") == said


def test_an_estimate_travels_with_its_interval() -> None:
    assert words.interval(0.591, 0.56, 0.62) == "0.59 [0.56, 0.62]"


def test_one_seed_has_no_spread() -> None:
    assert words.spread(93.76, 0.12, 3) == "93.76 ± 0.12 (3 seeds)"
    assert words.spread(93.76, float("nan"), 1) == "93.76 (1 seed)"


def test_a_protocol_leaves_out_what_is_not_known() -> None:
    assert (
        words.protocol("CIFAR-10", "test", 200, 3, "NATS-Bench")
        == "CIFAR-10 · test · 200 ep · 3 seeds · NATS-Bench"
    )
    assert words.protocol("digits", "validation", None, 1, "") == "digits · validation · 1 seed"
