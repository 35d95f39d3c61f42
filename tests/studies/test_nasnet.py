"""NASNet's study: exact claims, what breaks them, and the whole of it at toy size."""

from __future__ import annotations

import numpy as np
import pytest

from nascore import stats
from nascore.ops import ScheduledDropPath
from nascore.studies import nasnet
from nascore.studies.study import run


def test_the_published_cell_comes_back_and_a_changed_one_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nasnet.published() == 10
    plain = nasnet.from_json("space", "nasnet")
    arch = plain.read(nasnet.NASNET_A)
    monkeypatch.setattr(type(plain), "canonical", lambda self, a: (*arch[:2], 1 - arch[2], *arch[3:]))
    assert nasnet.published() == 9


def test_the_schedule_is_a_line_and_a_constant_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert nasnet.off_schedule(4, 10) < 1e-12
    monkeypatch.setattr(ScheduledDropPath, "kept", property(lambda self: self.least))
    assert nasnet.off_schedule(4, 10) == pytest.approx(1 - nasnet.KEEP)


def test_what_is_best_here_gains_there_only_if_both_agree() -> None:
    rng = np.random.default_rng(0)
    large = rng.normal(90, 3, 300)
    same = stats.bootstrap(nasnet.gain_of_best, large + rng.normal(0, 1, 300), large, resamples=50)
    assert same.low > 0
    shuffled = stats.bootstrap(nasnet.gain_of_best, rng.permutation(large), large, resamples=50)
    assert shuffled.low < 0 < shuffled.high


def test_both_tables_know_the_same_cells() -> None:
    small, large = nasnet.both()
    assert len(small) == len(large) == 1000
    assert stats.spearman(small, large) > 0.8


def test_the_study_runs_at_toy_size() -> None:
    found = run(nasnet.Nasnet(seeds=2, epochs=1, images=64, blocks=1, resamples=20))
    claims = {c["key"]: c for c in found["claims"]}
    assert claims["decisions"]["measured"] == 50
    assert claims["published"]["n"] == "exact"
    assert claims["drop_path"]["n"] == 2
    assert found["picture"]["marked"]
