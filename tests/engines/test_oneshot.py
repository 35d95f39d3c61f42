"""What is said before the start of a space that cannot share weights, and of no epochs at all."""

from __future__ import annotations

import pytest

from nascore.engines.oneshot import check_sharing
from nascore.errors import BadInput
from nascore.runs.spec import from_document
from tests import toys

POOLING = {"name": "pooling", "knobs": {"layers": 24, "scales": 4, "channels": 64}}


@pytest.mark.parametrize(
    ("space", "strategy", "said"),
    [
        (POOLING, "darts", "22.8 billion numbers.*sharing: entangled works here, as in tangle_nas"),
        ("nasbench201", "tangle_nas", "no weights in common.*sharing: separate works here, as in darts"),
        ("nasbench201", "tas", "such as nats_size, or a strategy for separate weights, such as drnas"),
        ("nasbench201", {"name": "spos", "knobs": {"epochs": 0}}, "strategy.knobs.epochs: 0 is below 1"),
    ],
)
def test_it_is_said_before_the_start(space: object, strategy: object, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        from_document({"v": 1, "task": "digits", "space": space, "strategy": strategy})


def test_a_space_without_any_sharing_is_sent_to_strategies_that_need_none() -> None:
    with pytest.raises(BadInput, match="trains each network alone, such as regularized_evolution"):
        check_sharing(toys.problem())
