"""The shipped comparison of searches with shared weights: the true rank of what each of them returns.

`scripts/bench_supernet_ranks.py` makes it, as a document of parts, one a table, with a row a method.
"""

from __future__ import annotations

import json
from typing import Any

from nascore.benchmarks import table

Document = dict[str, Any]


def parts() -> list[Document]:
    """One a table: `table`, `networks`, `random_network`, and `methods`; empty where none is shipped."""
    try:
        found: Any = json.loads(
            (table.PROJECT / "data" / "checks" / "supernet_ranks.json").read_text("utf-8")
        )
    except (OSError, ValueError):
        return []
    return [p for p in found["parts"] if p["methods"]] if isinstance(found, dict) and "parts" in found else []
