"""Every kind and every entry by name: the one place that knows them all. Plain dicts of classes."""

from __future__ import annotations

from typing import Any

from nascore.errors import BadInput
from nascore.evaluators import EVALUATORS
from nascore.executors import Inline, Pool
from nascore.measures import MEASURES
from nascore.predictors import PREDICTORS
from nascore.product import Product
from nascore.proxies import PROXIES
from nascore.recipes import PARTS, RECIPES
from nascore.space import Restricted
from nascore.spaces import ADDED, READING, SPACES
from nascore.strategies import STRATEGIES
from nascore.tasks import TASKS

TEXT_SPACES = frozenset(READING)  # the names of spaces of networks that read texts
EXECUTORS: dict[str, type[Any]] = {"inline": Inline, "pool": Pool}

TABLES: dict[str, dict[str, type[Any]]] = {
    "space": {**SPACES, **READING, **ADDED, "restrict": Restricted, "product": Product},
    "task": TASKS,
    "recipe": RECIPES,
    "part": PARTS,
    "evaluator": EVALUATORS,
    "proxy": PROXIES,
    "predictor": PREDICTORS,
    "strategy": STRATEGIES,
    "measure": MEASURES,
    "executor": EXECUTORS,
}


def table(kind: str) -> dict[str, type[Any]]:
    """The entries of a kind.

    Raises:
        BadInput: there is no such kind.
    """
    if kind not in TABLES:
        raise BadInput(f"{kind!r} is no kind; there are {', '.join(TABLES)}")
    return TABLES[kind]


def entry(kind: str, name: object) -> type[Any]:
    """One class by its name.

    Raises:
        BadInput: no entry has this name.
    """
    found = table(kind)
    if not isinstance(name, str) or name not in found:
        raise BadInput(f"no {kind} called {str(name)[:80]!r}; there are {', '.join(sorted(found))}")
    return found[name]


def name_of(obj: object) -> str:
    """The name under which an object's class stands.

    Raises:
        BadInput: its class stands in no table.
    """
    for entries in TABLES.values():
        for name, cls in entries.items():
            if cls is type(obj):
                return name
    raise BadInput(f"{type(obj).__name__} stands in no table")
