from __future__ import annotations

import pytest
import torch

from nascore.codec import from_json, to_json
from nascore.errors import NotSupported
from nascore.evaluators.zero_cost import ZeroCost
from nascore.events import Tried
from nascore.problem import Objective, Problem
from nascore.proxies import PROXIES
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import Arch
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
ARCHS: list[Arch] = [(3, 3, 3, 3, 3, 3), (2, 0, 1, 0, 2, 1), (4, 4, 4, 4, 4, 4)]


def problem(by: ZeroCost, *also: Objective) -> Problem:
    return Problem(Nasbench201(1, 8, 1, 2), Digits(), SgdCosine(), by, (Objective("score", "max"), *also))


def judged(p: Problem, archs: list[Arch]) -> dict[Arch, Tried]:
    return {e.arch: e for e in p.evaluate(archs) if isinstance(e, Tried)}


@pytest.mark.parametrize("name", PROXIES)
def test_scores_do_not_depend_on_the_company(name: str) -> None:
    by = ZeroCost(PROXIES[name]())
    together = judged(problem(by), ARCHS)
    for arch in ARCHS:
        assert judged(problem(by), [arch])[arch].metrics == together[arch].metrics


@pytest.mark.parametrize("name", PROXIES)
def test_the_proxy_survives_json_and_names_the_judge(name: str) -> None:
    by = ZeroCost(PROXIES[name]())
    assert from_json("evaluator", to_json(by)) == by
    assert len({ZeroCost(p()).key for p in PROXIES.values()}) == len(PROXIES)


def test_sizes_are_scored_without_building(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("built")

    monkeypatch.setattr(Nasbench201, "build", refuse)
    found = judged(problem(ZeroCost(PROXIES["params"]())), ARCHS)
    assert all(t.metrics["score"] == t.metrics["params"] for t in found.values())
    assert not any(t.failed for t in found.values())


def test_the_protocol_says_that_nothing_was_trained() -> None:
    p = problem(ZeroCost())
    assert (p.evaluator.protocol(p).split, p.evaluator.protocol(p).epochs) == ("no training", 0)


def test_there_is_no_other_fidelity() -> None:
    with pytest.raises(NotSupported):
        ZeroCost().at(3)


def test_latency_stands_beside_the_score_where_it_is_wanted() -> None:
    found = judged(problem(ZeroCost(), Objective("latency_ms")), ARCHS)
    assert all(t.metrics["latency_ms"] > 0 for t in found.values())
