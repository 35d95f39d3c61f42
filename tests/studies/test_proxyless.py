"""ProxylessNAS's study: its judgment on made-up cells, the whole at toy size, and what breaks its claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nascore.stats import spearman
from nascore.studies import cells
from nascore.studies.claim import judged
from nascore.studies.proxyless import Proxyless, beyond, device, judge, problem, whole
from nascore.studies.study import run

torch.set_num_threads(1)
SMALL = Proxyless(seeds=2, epochs=1, warmup=0, images=64, draws=1, weights=(0.0, 3.0))
GOOD = {"memory": 1.0, "pair": 1.8, "every": 4.0}


def by_latency() -> list[list[int]]:
    """Cells of the table that are the best of about their latency: slow, middling and fast; and the worst."""
    table = cells.digits()
    ms, accuracy = table.values("latency_ms"), table.values("test_accuracy")
    out = []
    for share, best in ((0.9, True), (0.5, True), (0.1, True), (0.1, False)):
        near = np.flatnonzero(whole() & (np.abs(ms / np.nanquantile(ms[whole()], share) - 1) < 0.03))
        order = near[np.argsort(accuracy[near])]
        out.append([int(i) for i in table.archs[order[-1 if best else 0]]])
    return out


def verdicts(rows: list[dict[str, Any]], exact: dict[str, float]) -> dict[str, str]:
    found = judge(exact, rows, (0.0, 0.3, 3.0)).found
    return {c.key: judged(c, found[c.key])["verdict"] for c in Proxyless.claims}


def test_faster_and_better_cells_reproduce_the_paper_and_slower_and_worse_ones_do_not() -> None:
    slow, middle, fast, bad = by_latency()
    rows = [{"cosine": 0.9 + s / 100, "cells": [slow, middle, fast], "other": middle} for s in range(4)]
    found = verdicts(rows, GOOD)
    assert {found[k] for k in ("memory", "pair", "gradient", "steering", "accuracy")} == {"reproduced"}
    rows = [{"cosine": 0.1 + s / 100, "cells": [bad, bad, slow], "other": bad} for s in range(4)]
    worse = verdicts(rows, {"memory": 3.0, "pair": 4.0, "every": 4.0})
    assert {worse[k] for k in ("memory", "pair", "gradient", "steering")} == {"not reproduced"}
    assert worse["accuracy"] != "reproduced"


def test_a_cell_is_compared_with_all_that_are_about_as_fast() -> None:
    _, _, fast, bad = by_latency()
    good, poor = beyond([fast, bad])
    assert good > 0 > poor


def test_no_cell_that_is_searched_or_compared_with_has_a_zero_operation() -> None:
    none = cells.digits().choices[0].options.index("none")
    assert whole().sum() == 4**6
    assert all(none not in c.open and len(c.open) == 4 for c in problem(0, 64).space.choices())


def test_a_device_is_fitted_to_its_column() -> None:
    table = cells.digits()
    space = cells.problem_of(table).space
    rows: Any = cells.some(table, 300, seed=1)
    for column in ("flops", "latency_ms"):
        model = device(column)
        assert model.error < 0.2
        assert spearman(model.of(table.archs[rows], space), table.values(column)[rows]) > 0.9


@pytest.mark.slow
def test_the_study_runs_at_toy_size_and_what_it_says_of_memory_holds() -> None:
    found = run(SMALL)
    assert [c["key"] for c in found["claims"]] == [c.key for c in Proxyless.claims]
    by = {c["key"]: c for c in found["claims"]}
    assert by["memory"]["verdict"] == "reproduced"
    assert by["steering"]["n"] == 2


@pytest.mark.slow
def test_without_gradients_of_alphas_no_cell_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore.binary import Binary
    from nascore.studies.proxyless import searched

    plain = Binary.probe

    def detached(self: Binary) -> Any:
        gates = plain(self)
        zero = sum(0 * a.sum() for a in self.parameters())
        self.drawn = {n: replace(g, weights=g.weights.detach() + zero) for n, g in self.drawn.items()}
        return {n: replace(g, weights=g.weights.detach() + zero) for n, g in gates.items()}

    monkeypatch.setattr(Binary, "probe", detached)
    row = {"cosine": 0.0, **searched(SMALL, 0)}
    assert row["cells"][0] == row["cells"][1]
    found = judge(GOOD, [row] * 4, (0.0, 3.0)).found
    steering = next(c for c in Proxyless.claims if c.key == "steering")
    assert judged(steering, found["steering"])["verdict"] != "reproduced"
