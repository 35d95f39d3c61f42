"""Judging by inherited weights."""

from __future__ import annotations

import pytest
import torch

from nascore.evaluators.inherited import Inherited
from nascore.events import Tried
from nascore.gates import Softmax
from nascore.space import tuples
from tests.strategies.test_darts_pt import problem

torch.set_num_threads(1)


@pytest.mark.parametrize("calibrate", [0, 2])
def test_a_child_has_the_weights_of_the_supernet(calibrate: int) -> None:
    p = problem()
    net = p.supernet("separate")
    arch = tuples(p.sample(1, "one"))[0]
    theirs = net.state_dict()
    child = Inherited(net, calibrate).child(arch, p)
    weights = {n: t for n, t in child.named_parameters() if t.ndim > 1}
    assert weights
    assert all(torch.equal(t, theirs[n]) for n, t in weights.items())


def test_its_name_changes_with_the_weights_and_with_nothing_else() -> None:
    p = problem()
    net = p.supernet("separate")
    before = Inherited(net).key
    list(Inherited(net).evaluate(tuples(p.sample(2, "two")), p))
    assert Inherited(net).key == before
    with torch.no_grad():
        next(iter(net.parameters())).add_(1e-3)
    assert Inherited(net).key != before


def test_answers_do_not_depend_on_the_company() -> None:
    p = problem()
    net = p.supernet("separate")
    net.at(Softmax(p.space)())(p.task.whole("train").x)  # type: ignore[arg-type] -- images
    archs = tuples(p.sample(3, "three"))
    by = Inherited(net)

    def errors(some) -> list[float]:  # type: ignore[no-untyped-def]
        return [e.metrics["error"] for e in by.evaluate(some, p) if isinstance(e, Tried)]

    assert errors(archs)[1:2] == errors(archs[1:2])
