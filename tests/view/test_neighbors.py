from __future__ import annotations

import pandas as pd

from nascore.view import figures_arch
from nascore.view.tokens import LIGHT


def test_named_operations_have_a_look_each_and_widths_are_written_beside_their_dots() -> None:
    edges = ("0 to 1", "0 to 1", "stem.channels", "stem.channels")
    rows = list(zip(edges, ("skip_connect", "nor_conv_3x3", "8", "16"), strict=True))
    frame = pd.DataFrame(
        [{"key": f"k{i}", "edge": e, "op": o, "params": 100.0 + i} for i, (e, o) in enumerate(rows)]
    )  # fmt: skip
    fig = figures_arch.neighbors(frame, LIGHT, here={"params": 99.0}, metric="params")
    assert [trace.name for trace in fig.data] == ["skip", "conv 3x3", "another value"]
    assert list(fig.data[2].text) == ["8", "16"]
    assert [list(trace.customdata) for trace in fig.data] == [["k0"], ["k1"], ["k2", "k3"]]
