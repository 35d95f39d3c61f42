"""What one network says of every image: asked for here, trained and asked in a process of its own.

Nobody keeps the weights of a run's or a table's networks, so the network is trained again with the same
recipe, seed and first weights. The folder `<home>/predictions/<digest>/` is a job's (`runs.jobs`), with the
logits in `predictions.npz` beside the result. A result stays, so nothing is trained twice.
"""

from __future__ import annotations

import hashlib
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from nascore.codec import arch_from_json, arch_to_json, dumps, to_json
from nascore.errors import NoSpace
from nascore.problem import Problem
from nascore.runs import jobs, launch, robust
from nascore.runs.jobs import Document, Standing
from nascore.runs.spec import RunSpec, from_document
from nascore.space import Arch, Space

MADE = 1  # counts up when what is kept changes, so that old results are not taken for new ones
FILE = "predictions.npz"
COMMAND = (sys.executable, "-m", "nascore.verbs.predict")
TRAINING = ("trained", "batched")  # evaluators that train a network by the recipe


@dataclass(frozen=True)
class Asked:
    """Which network, trained how.

    Attributes:
        spec: space, task, recipe and seed, as in a run's spec.
        arch: as JSON.
        epochs: so many of the recipe's schedule; 0 for all.
        draw: which of many independent trainings.
    """

    spec: Document
    arch: Document
    epochs: int = 0
    draw: int = 0

    @property
    def folder(self) -> Path:
        """Where everything about it lies."""
        said = dumps({"made": MADE, **asdict(self)})
        return launch.home() / "predictions" / hashlib.sha256(said.encode()).hexdigest()[:24]

    def problem(self) -> Problem:
        """With the space, the task, the recipe and the streams of the training.

        Raises:
            BadInput: they do not go together.
        """
        problem = from_document(self.spec).problem()
        return replace(problem, seed=problem.number("draw", self.draw)) if self.draw else problem

    def which(self) -> tuple[Space, Arch]:
        """The network."""
        return arch_from_json(self.arch)

    def length(self) -> int:
        """Epochs that are trained."""
        problem, (_, arch) = self.problem(), self.which()
        return self.epochs or problem.space.recipe(arch, problem.recipe).epochs


def of_table(table: robust.Trained, arch: Arch, seed: int = 0) -> Asked:
    """A network of a table that `robust.can_train`, trained as the table's own."""
    like = robust.of_table(table, arch, seed)
    return Asked(like.spec, like.arch)


def of_run(spec: RunSpec, arch: Arch) -> Asked:
    """A network that a run tried, trained as the run did it; in full where the run's judge trains none."""
    said, judge = spec.to_json(), to_json(spec.evaluator)
    knobs = judge["knobs"] if judge["name"] in TRAINING else {}
    document: Document = {n: said[n] for n in ("v", "space", "task", "recipe", "seed")}
    place = arch_to_json(spec.space, spec.space.canonical(arch))
    return Asked(document, place, int(knobs.get("epochs", 0)), int(knobs.get("draw", 0)))


def result(asked: Asked) -> Document | None:
    """What is known of the network; None where it was not trained, or its file is gone."""
    found = jobs.read(asked.folder / "result.json")
    return found if "accuracy" in found and (asked.folder / FILE).is_file() else None


def standing(asked: Asked) -> Standing | None:
    """How far it is; None where nobody asked."""
    return jobs.standing(asked.folder)


def start(asked: Asked) -> None:
    """Begins to train in a process of its own.

    Raises:
        BadInput: what was asked for does not go together.
        Busy: it is at work already.
        NoSpace: the data folder cannot be written.
    """
    asked.problem()
    jobs.start(asked.folder, asdict(asked), COMMAND)


def cancel(asked: Asked) -> None:
    """Asks it to stop after its epoch."""
    jobs.cancel(asked.folder)


def read(place: Path) -> Asked:
    """What a folder was made for.

    Raises:
        NoSpace: it cannot be read.
    """
    said = jobs.read(place / "asked.json")
    if not said:
        raise NoSpace(f"{place.name}/asked.json cannot be read")
    return Asked(said["spec"], said["arch"], int(said.get("epochs", 0)), int(said.get("draw", 0)))
