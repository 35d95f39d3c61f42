"""What graphs the networks see, and how members learn side by side."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore import stats
from nascore.predictors.gcn import Gcn, operations, tensors, wired
from nascore.predictors.gp import Gp, process
from nascore.predictors.learn import line
from nascore.predictors.mlp_ensemble import MlpEnsemble
from nascore.spaces.nasbench201 import Nasbench201
from nascore.task import CIFAR
from tests import toys

torch.set_num_threads(1)
PROBLEM = toys.problem()
ARCHS = list(toys.table())
TRUTH = np.array([-toys.table()[a] for a in ARCHS])


def some(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).permutation(len(ARCHS))[:n]


def test_operations_on_edges_become_nodes_and_dead_ones_are_left_out() -> None:
    graph = Nasbench201(1, 8, 1).graph((1, 3, 0, 0, 2, 3), CIFAR)
    words, links = operations(graph)
    assert words == (
        "input",
        "1",
        "2",
        "output",
        "skip_connect",
        "nor_conv_3x3",
        "nor_conv_1x1",
        "nor_conv_3x3",
    )
    assert links == ((0, 4), (4, 1), (0, 5), (5, 2), (1, 6), (6, 3), (2, 7), (7, 3))


def test_equal_networks_look_equal() -> None:
    problem = toys.problem(space=Nasbench201(1, 8, 1))
    dead, other = wired(problem, [(0, 1, 3, 1, 0, 1), (0, 1, 4, 1, 2, 1)])
    assert dead == other


def test_rows_of_neighbors_are_means() -> None:
    graphs = ((("a", "b", "c"), ((0, 2), (1, 2))), (("a",), ()))
    nodes, along, against, present = tensors(graphs, {"a": 0, "b": 1}, "cpu")
    assert nodes[0].tolist() == [[1, 0], [0, 1], [0, 0]]
    assert along[0, 2].tolist() == [0.5, 0.5, 0]
    assert against[0].tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]
    assert present.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_a_line_brings_scores_to_the_scale_of_the_numbers_and_never_turns_them() -> None:
    x = np.array([0.0, 1.0, 2.0])
    assert line(x, 3 * x + 1) == pytest.approx((1, 3))
    assert line(x, -x) == (-1.0, 0.0)
    assert line(np.ones(3), x) == (1.0, 0.0)


@pytest.mark.parametrize("loss", ["ranknet", "listmle", "diffkendall"])
def test_ranking_losses_learn_an_order_in_the_numbers_scale(loss: str) -> None:
    train, rest = some(60, 1), some(400, 1)[60:]
    fitted = MlpEnsemble(loss=loss, members=2, steps=150).fit(
        PROBLEM, [ARCHS[i] for i in train], TRUTH[train]
    )
    mean, std = fitted.predict([ARCHS[i] for i in rest])
    assert stats.kendall(mean, TRUTH[rest]) > 0.4
    assert abs(mean.mean() - TRUTH[rest].mean()) < TRUTH[rest].std()
    assert (std >= 0).all()


def test_members_disagree_more_where_nothing_was_seen() -> None:
    near = [i for i, a in enumerate(ARCHS) if sum(a[:3]) <= 2][:40]
    far = [i for i, a in enumerate(ARCHS) if a[:3] == (2, 2, 2)]
    fitted = MlpEnsemble(steps=200).fit(PROBLEM, [ARCHS[i] for i in near], TRUTH[near])
    assert (
        fitted.predict([ARCHS[i] for i in far])[1].mean() > fitted.predict([ARCHS[i] for i in near])[1].mean()
    )


def test_a_process_goes_through_exact_points_and_is_unsure_between_them() -> None:
    x = np.linspace(0, 1, 6)[:, None]
    model = process(x, np.sin(6 * x[:, 0]), 0, noise=1e-8)
    mean, std = model.predict(np.array([[0.2], [0.3], [3.0]]), return_std=True)
    assert mean[0] == pytest.approx(np.sin(1.2), abs=1e-3)
    assert std[0] < std[1] < std[2]


def test_the_process_and_the_convolution_order_what_they_have_not_seen() -> None:
    train, rest = some(60, 2), some(300, 2)[60:]
    known, y = [ARCHS[i] for i in train], TRUTH[train]
    fitted = Gp(restarts=0).fit(PROBLEM, known, y)
    assert stats.kendall(fitted.predict([ARCHS[i] for i in rest])[0], TRUTH[rest]) > 0.5
    space = toys.problem(space=Nasbench201(1, 8, 1))
    archs = [tuple(int(v) for v in a) for a in space.sample(120, "archs")]
    flops = np.log1p(space.costs(archs)["flops"])
    mean, _ = Gcn(members=1, steps=150).fit(space, archs[:60], flops[:60]).predict(archs[60:])
    assert stats.kendall(mean, flops[60:]) > 0.5
