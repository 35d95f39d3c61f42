"""Of ten proposals the best by score is judged; alone the host is the host."""

from __future__ import annotations

import numpy as np
import pytest

from nascore.engines.draw import Screen, screened
from nascore.evaluators.trained import Trained
from nascore.events import Chosen, Tried
from nascore.problem import Memo, search
from nascore.proxies.gradsign import Gradsign
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.space import key
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.proxy_assisted import HOSTS, ProxyAssisted
from nascore.strategies.random_search import RandomSearch
from nascore.strategies.regularized_evolution import RegularizedEvolution
from nascore.tasks.images import Digits
from tests import toys


def knowing(sign: float) -> Memo:
    """A memo in which scores stand that are the truth, or its opposite."""
    memo = Memo()
    memo.save("proxy_assisted/scores", {a: (-sign * e,) for a, e in toys.table().items()})
    return memo


def told(strategy, seed: int = 0, evaluations: int = 40, memo: Memo | None = None) -> list[Tried]:
    return toys.tried(list(search(strategy, toys.problem(evaluations, seed, memo=memo))))


@pytest.mark.parametrize("host", HOSTS)
def test_a_score_that_knows_helps_and_one_that_misleads_harms(host: str) -> None:
    def mean(sign: float) -> float:
        return float(
            np.mean([t.metrics["error"] for s in range(3) for t in told(one, s, memo=knowing(sign))])
        )

    one = ProxyAssisted(host, population=5, children=4)
    alone = np.mean([t.metrics["error"] for s in range(3) for t in told(ProxyAssisted(host, proposals=1), s)])
    assert mean(1.0) < alone - 0.02 < alone + 0.02 < mean(-1.0)


@pytest.mark.parametrize(
    ("host", "itself"), [(HOSTS[0], RegularizedEvolution()), (HOSTS[1], RandomSearch(8))]
)
def test_with_one_proposal_it_is_the_host(host: str, itself) -> None:
    assert told(ProxyAssisted(host, proposals=1), 3) == told(itself, 3)


def test_children_of_a_screened_brood_have_one_parent_and_the_first_population_is_random() -> None:
    assisted, alone = told(ProxyAssisted(), memo=knowing(1.0)), told(RegularizedEvolution())
    assert [t.arch for t in assisted[:20]] == [t.arch for t in alone[:20]]
    known = {key(toys.ToySpace(), t.arch): t for t in assisted}
    for child in assisted[20:]:
        (line,) = child.parents
        assert sum(a != b for a, b in zip(child.arch, known[line].arch, strict=True)) == 1


def test_a_screen_takes_the_best_of_each_group_until_nothing_is_left() -> None:
    problem, asked = toys.problem(space=toys.ToySpace(2)), []

    def score(archs):
        asked.append(list(archs))
        return np.array([np.nan if a[0] else float(sum(a)) for a in archs])

    first = screened(problem, 4, Screen(score, 10), (), "s")
    assert [len(a) for a in asked] == [10] * 4
    for group, one in zip(asked, first, strict=True):
        good = [a for a in group if not a[0]] or group[:1]
        assert sum(one) == max(sum(a) for a in good)
    everything = {a for group in asked for a in group}
    seen = set(list(everything)[:40]) | {a for a in toys.table(2) if a not in everything}
    left = set(toys.table(2)) - seen
    assert set(screened(problem, 64, Screen(score, 10), seen, "s")) == left


def test_real_networks_are_scored_before_one_is_trained() -> None:
    problem = toys.problem(3, space=Nasbench201(1, 8, 1, 2), evaluator=Trained(), recipe=SgdCosine(1, 32))
    problem = type(problem)(**{**vars(problem), "task": Digits(train_images=64)})
    strategy = ProxyAssisted("random_search", Gradsign(), proposals=2, batch=4, children=3)
    events = list(search(strategy, problem))
    assert len(toys.tried(events)) == 3
    assert isinstance(events[-1], Chosen)
