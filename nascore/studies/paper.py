"""The 49 papers: what each says in three sentences, and where it lives here. Read from `papers.json`.

A paper is built when its home stands in the tables of kinds; nobody has to say so twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from nascore.errors import AppError, BadInput
from nascore.tables import TABLES

FILE = Path(__file__).with_name("papers.json")
FAMILIES = {
    "gradient": "Search by gradients",
    "shared": "Shared weights",
    "estimate": "Scores and predictors",
    "control": "Controllers and evolution",
    "hardware": "Hardware and size",
    "training": "Training",
    "diffusion": "Diffusion",
    "judge": "Judging",
}
FOLDERS = {
    "strategy": "strategies",
    "proxy": "proxies",
    "predictor": "predictors",
    "recipe": "recipes",
    "measure": "measures",
    "space": "spaces",
    "task": "tasks",
}
ALSO = {"recipe": ("part",)}  # an idea of training may be a part of a recipe


@dataclass(frozen=True)
class Paper:
    """One paper.

    Attributes:
        key: also the name of its study.
        name: what people call it.
        title: as on the abstract.
        year: of publication.
        arxiv: number of its preprint.
        family: one of `FAMILIES`.
        home: kind and key of what it became here.
        idea: three sentences.
        spec: a search that shows it, as a document; empty where there is none yet.
    """

    key: str
    name: str
    title: str
    year: int
    arxiv: str
    family: str
    home: tuple[str, str]
    idea: str
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def built(self) -> bool:
        """Whether its home is there."""
        kind, key = self.home
        return any(key in TABLES.get(k, {}) for k in (kind, *ALSO.get(kind, ())))

    @property
    def path(self) -> str:
        """Where its code lives: `proxies/gradsign`."""
        return f"{FOLDERS[self.home[0]]}/{self.home[1]}"

    @property
    def link(self) -> str:
        """Address of its abstract."""
        return f"https://arxiv.org/abs/{self.arxiv}"

    def ready(self) -> dict[str, Any]:
        """The document of the search to try; empty where a part of it is not built, or there is none."""
        from nascore.runs.spec import from_document

        if not self.spec or not self.built:
            return {}
        try:
            from_document(dict(self.spec))
        except AppError:
            return {}
        return dict(self.spec)


@lru_cache(maxsize=1)
def papers() -> dict[str, Paper]:
    """All papers by key, in the order in which they are shown."""
    found: dict[str, Paper] = {}
    for row in json.loads(FILE.read_text("utf-8")):
        home, spec = (row["home"]["kind"], row["home"]["key"]), row.pop("try", {})
        found[row["key"]] = Paper(**{**row, "home": home}, spec=spec)
    return found


def paper(key: str) -> Paper:
    """One paper.

    Raises:
        BadInput: there is none of this key.
    """
    if key not in papers():
        raise BadInput(f"study: {key[:60]!r} is no paper here; there are {', '.join(papers())}")
    return papers()[key]
