"""Numbers of layers as columns, segments that meet, and weights that are drawn anew."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from nascore import stats
from nascore.chunk import fresh, one_batch
from nascore.errors import BadInput
from nascore.evaluators.zero_cost import ZeroCost
from nascore.predictors.nodewise import Nodewise
from nascore.predictors.parzc import Parzc
from nascore.predictors.parzc_net import BayesianLinear, Mabn
from nascore.problem import Problem
from nascore.proxies.grad_norm import GradNorm
from nascore.proxies.naswot import Naswot
from nascore.proxies.snip import Snip
from nascore.proxies.synflow import Synflow
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.tasks.images import Digits

torch.set_num_threads(1)
PROBLEM = Problem(Nasbench201(1, 8, 1, 2), Digits(), SgdCosine(), ZeroCost())
SMALL, LARGE, OTHER = (1, 1, 0, 3, 0, 2), (1, 1, 0, 3, 0, 3), (0, 0, 0, 3, 0, 0)
QUICK = Parzc((GradNorm(),), steps=60, batch=8, draws=4)


def columns(aligned: bool = True, raw: bool = True) -> Nodewise:
    archs = [SMALL, LARGE, OTHER]
    return Nodewise(PROBLEM, (GradNorm(), Snip()), aligned=aligned, raw=raw, batch=8, archs=archs)


def test_a_place_is_one_column_whatever_stands_there() -> None:
    found = columns()
    at = [i for i, n in enumerate(found.names) if n.startswith("Snip") and "edge_3_2" in n]
    rows = found.rows([SMALL, LARGE, OTHER])
    assert len(at) == 1
    assert (rows[:2, at[0]] > 0).all()
    assert rows[2, at[0]] == 0
    assert len(found.names) == 2 * (2 + 2)  # stem, head, the edges that hold weights in some arch


def test_packed_columns_count_from_the_beginning() -> None:
    found = columns(aligned=False)
    rows = found.rows([SMALL, OTHER])
    assert len(found.names) == 2 * 4
    assert (rows > 0).tolist() == [[True] * 8, [True, True, True, False] * 2]


def test_columns_are_what_the_scores_are_the_sum_of() -> None:
    rows = columns().rows([LARGE])[0]
    net, images = fresh(replace(PROBLEM, seed=0), PROBLEM.space.canonical(LARGE)), one_batch(PROBLEM, 8)
    want = [float(p.score([net], images, PROBLEM)[0]) for p in (GradNorm(), Snip())]
    half = len(rows) // 2
    assert [rows[:half].sum(), rows[half:].sum()] == pytest.approx(want, rel=1e-6)
    flow = Synflow()
    total = sum(flow.layers(net, images, PROBLEM).values())
    assert math.log1p(total) == pytest.approx(float(flow.score([net], images, PROBLEM)[0]), rel=1e-9)


def test_scales_are_those_of_the_pairs() -> None:
    rows = columns(raw=False).rows([SMALL, LARGE, OTHER])
    assert np.abs(rows.mean(0)).max() < 1e-9
    assert np.abs(rows.std(0) - 1).max() < 1e-6


@pytest.mark.parametrize(("across", "others"), [(True, True), (False, False)])
def test_segments_meet_in_the_mixer_and_in_the_released_form_they_do_not(across: bool, others: bool) -> None:
    torch.manual_seed(0)
    net = Mabn(6, width=16, segments=4, hidden=8, blocks=2, bayes=False, rho=-3, across=across).eval()
    x = torch.randn(1, 4, 8)
    y = x.clone()
    y[0, 2] = torch.randn(8)
    changed = (net.mixer(x) - net.mixer(y)).abs().sum(-1)[0] > 1e-6
    assert changed.tolist() == [others, others, True, others]


def test_bayesian_weights_are_drawn_anew_and_have_no_offset() -> None:
    torch.manual_seed(0)
    one = BayesianLinear(4, 3, -3.0)
    x = torch.randn(2, 4)
    with torch.no_grad():
        assert not torch.equal(one(x), one(x))
        each = torch.stack([one(x) for _ in range(4000)])
        spread = torch.nn.functional.softplus(torch.tensor(-3.0)) * x.norm(dim=1)
        torch.testing.assert_close(each.mean(0), x @ one.mu.T, atol=0.01, rtol=0)
        torch.testing.assert_close(each.std(0), spread[:, None].expand(2, 3), atol=0.01, rtol=0)
        assert not one(torch.zeros(1, 4)).any()


@pytest.mark.parametrize(
    ("network", "unsure"), [("mabn", True), ("bayesian", True), ("mixer", False), ("mlp", False)]
)
def test_only_drawn_weights_make_it_unsure(network: str, unsure: bool) -> None:
    archs = [tuple(int(v) for v in a) for a in PROBLEM.sample(40, "archs")]
    y = np.log1p(PROBLEM.costs(archs)["params"])
    fitted = replace(QUICK, network=network).fit(PROBLEM, archs[:25], y[:25])
    mean, std = fitted.predict(archs[25:])
    assert bool((std > 0).all()) is unsure
    assert stats.kendall(mean, y[25:]) > 0.4


def test_what_counts_is_told_by_place_and_a_score_without_layers_is_refused() -> None:
    archs = [SMALL, LARGE, OTHER]
    told = QUICK.fit(PROBLEM, archs, [1.0, 2.0, 3.0]).importance(archs)
    assert any("edge_3_2" in name for name in told)
    assert max(told.values()) > 0
    with pytest.raises(BadInput, match="Naswot has no value for each layer"):
        Parzc((Naswot(),)).fit(PROBLEM, archs, [1.0, 2.0, 3.0])
