"""Robustness and sharpness of one network: asked for here, trained and measured in a process of its own.

The app holds no torch. What is asked for is a document; its digest names a folder `<home>/robust/<digest>/`
of a job (`runs.jobs`). A result stays, so nothing is trained twice.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nascore.codec import arch_from_json, arch_to_json, dumps, from_json, to_json
from nascore.errors import AppError, NoSpace
from nascore.problem import Problem
from nascore.runs import jobs, launch
from nascore.runs.jobs import Document, Progress, Standing, Work
from nascore.runs.spec import from_document
from nascore.space import Arch, Space

MADE = 1  # counts up when what is measured changes, so that old results are not taken for new ones
COMMAND = (sys.executable, "-m", "nascore.verbs.robust")


@dataclass(frozen=True)
class Asked:
    """Which network, trained how.

    Attributes:
        spec: space, task, recipe and seed, as in a run's spec.
        arch: as JSON.
        table: whose networks are trained like this; empty for none.
    """

    spec: Document
    arch: Document
    table: str = ""

    @property
    def folder(self) -> Path:
        """Where everything about it lies."""
        said = dumps({"made": MADE, "spec": self.spec, "arch": self.arch, "table": self.table})
        return launch.home() / "robust" / hashlib.sha256(said.encode()).hexdigest()[:24]

    def problem(self) -> Problem:
        """With the space, the task and the recipe of the document.

        Raises:
            BadInput: they do not go together.
        """
        return from_document(self.spec).problem()

    def which(self) -> tuple[Space, Arch]:
        """The network."""
        return arch_from_json(self.arch)


def ask(space: Space, arch: Arch, task: Any, *, recipe: Any = None, seed: int = 0, table: str = "") -> Asked:
    """The document of a network; equal networks are one.

    Args:
        space: with its knobs.
        arch: option indices.
        task: its JSON, or its name.
        recipe: its JSON; the usual one without.
        seed: of weights and minibatches.
        table: whose protocol this is.
    """
    spec: Document = {"v": 1, "space": to_json(space), "task": task, "seed": seed}
    if recipe:
        spec["recipe"] = recipe
    return Asked(spec, arch_to_json(space, space.canonical(arch)), table)


class Trained(Protocol):
    """What is read of a benchmark table: its name, what `table.json` says, and its columns."""

    name: str

    @property
    def about(self) -> Mapping[str, Any]:
        """With `space` and `recipe`, and `task` where it is not the usual one."""
        ...

    @property
    def columns(self) -> Mapping[str, Any]:
        """Each with a `protocol` that has `data` and `split`."""
        ...


def data_of(table: Trained) -> str:
    """The data that a table's networks were trained on; empty where it does not say."""
    return next((str(c.protocol.data) for c in table.columns.values() if c.protocol.split), "")


def can_train(table: Trained) -> bool:
    """Whether a table says how its networks were trained, in a space and on data that are here."""
    if not table.about.get("space") or not table.about.get("recipe"):
        return False
    try:
        from_json("space", table.about["space"])
        from_json("task", data_of(table))
    except AppError:
        return False
    return True


def of_table(table: Trained, arch: Arch, seed: int = 0) -> Asked:
    """A network of a table that `can_train`, trained as the table's own, on as many images."""
    space, recipe = from_json("space", table.about["space"]), table.about["recipe"]
    task = table.about.get("task") or data_of(table)
    return ask(space, arch, task, recipe=recipe, seed=seed, table=table.name)


def result(asked: Asked) -> Document | None:
    """What was measured; None where nothing was, or the file is broken."""
    found = jobs.read(asked.folder / "result.json")
    return found if isinstance(found.get("robustness"), dict) else None


def standing(asked: Asked) -> Standing | None:
    """How far it is; None where nobody asked."""
    return jobs.standing(asked.folder)


def start(asked: Asked) -> None:
    """Begins to train and measure in a process of its own.

    Raises:
        BadInput: what was asked for does not go together.
        Busy: it is at work already.
        NoSpace: the data folder cannot be written.
    """
    asked.problem()
    jobs.start(asked.folder, {"spec": asked.spec, "arch": asked.arch, "table": asked.table}, COMMAND)


def cancel(asked: Asked) -> None:
    """Asks it to stop after its piece."""
    jobs.cancel(asked.folder)


def read(place: Path) -> Asked:
    """What a folder was made for.

    Raises:
        NoSpace: it cannot be read.
    """
    said = jobs.read(place / "asked.json")
    if not said:
        raise NoSpace(f"{place.name}/asked.json cannot be read")
    return Asked(said["spec"], said["arch"], str(said.get("table", "")))


def here(asked: Asked, work: Callable[[Asked], Work], tell: Callable[[Progress], None]) -> Document | None:
    """Does the work in this process and keeps its result; None where it was asked to stop.

    Args:
        asked: which network.
        work: yields how far it is, returns what it measured.
        tell: hears how far it is.

    Raises:
        Busy: another process is at it.
        NoSpace: the data folder cannot be written.
    """
    return jobs.here(asked.folder, work(asked), tell)
