from __future__ import annotations

import pytest
from torch import nn

from nascore.proxies.params import Params


@pytest.mark.parametrize(("layer", "count"), [(nn.Linear(3, 2), 8), (nn.Conv2d(2, 4, 3, bias=False), 72)])
def test_the_score_is_the_number_of_weights(layer: nn.Module, count: int) -> None:
    assert Params().score([layer], None, None).tolist() == [count]  # type: ignore[arg-type]
