"""Real files of the publishers, where they are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nascore.benchmarks.imports import import_path
from nascore.benchmarks.table import Table, open_table

SHARED = Path(__file__).parents[2].parent / "shared" / "benchmarks"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real files; without it the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("../shared/benchmarks is not there")
    return SHARED


@pytest.fixture(scope="session")
def imported(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Table]:
    """Imports a shared file once a session and opens its table."""
    home = tmp_path_factory.mktemp("home")
    made: dict[str, str] = {}

    def get(path: str) -> Table:
        if path not in made:
            name = f"t{len(made)}"
            import_path(shared / path, name, home)
            made[path] = name
        return open_table(made[path], home)

    return get
