"""Sub-networks of a supernet that a search has kept: asked for here, judged in a process of its own.

A run's folder gets `subnets/`, the folder of a job (`runs.jobs`), with `rows.json`: everything that was
measured of this supernet so far, a row for each architecture and way. The app holds no torch.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nascore.errors import AppError, BadInput, Busy, NoSpace
from nascore.problem import Problem
from nascore.runs import jobs, launch, longer
from nascore.runs.jobs import Document, Standing
from nascore.space import Arch, parse, tuples

COMMAND = (sys.executable, "-m", "nascore.verbs.subnets")
WAYS = ("inherited", "tuned", "scratch")
NORMS = ("anew", "kept", "batch")
MOST, MOST_EPOCHS, MOST_BATCHES = 200, 600, 1000


@dataclass(frozen=True)
class Asked:
    """What is to be measured: every architecture in every way.

    Attributes:
        archs: option indices each.
        ways: inherited, with the weights that the supernet holds for it; tuned, these weights trained for
            some epochs more; scratch, new weights trained for as many.
        norms: of inherited weights, what batch norms go by: anew, statistics of `batches` training batches;
            kept, those that the supernet has gathered; batch, those of each batch that is judged.
        batches: of `anew`.
        epochs: of tuned and scratch.
    """

    archs: tuple[Arch, ...]
    ways: tuple[str, ...] = ("inherited",)
    norms: str = "anew"
    batches: int = 4
    epochs: int = 3

    def checked(self, problem: Problem) -> Asked:
        """Itself, where all of it can be measured.

        Raises:
            BadInput: with what is wrong and what would be right.
        """
        if not 1 <= len(self.archs) <= MOST:
            raise BadInput(f"architectures: {len(self.archs)} is not between 1 and {MOST}")
        if strange := [w for w in self.ways or ("",) if w not in WAYS]:
            raise BadInput(f"ways: {strange[0][:40]!r} is none of {', '.join(WAYS)}")
        if self.norms not in NORMS:
            raise BadInput(f"norms: {self.norms[:40]!r} is none of {', '.join(NORMS)}")
        if not 1 <= self.batches <= MOST_BATCHES:
            raise BadInput(f"batches: {self.batches} is not between 1 and {MOST_BATCHES}")
        if not 1 <= self.epochs <= MOST_EPOCHS:
            raise BadInput(f"epochs: {self.epochs} is not between 1 and {MOST_EPOCHS}")
        for arch in self.archs:
            if why := problem.space.invalid(arch):
                raise BadInput(f"architecture: {problem.space.text(arch)[:80]} is not of this run: {why}")
        return self

    def pieces(self) -> list[tuple[Arch, str]]:
        """Every architecture in every way, the quick ways first."""
        ways = [w for w in WAYS if w in self.ways]
        return [(arch, way) for way in ways for arch in dict.fromkeys(self.archs)]


def place(run: str) -> Path:
    """Where everything about a run's sub-networks lies."""
    return launch.folder(run) / "subnets"


def can(run: str) -> bool:
    """Whether a run has kept a supernet and nobody trains it now."""
    with contextlib.suppress(AppError):
        return bool(longer.phase(run)) and launch.has_left(run)
    return False


def problem_of(run: str) -> Problem:
    """The problem of a run's spec, with an empty memory.

    Raises:
        NotFound: no such run.
        BadInput: its spec cannot be read.
    """
    return launch.read_spec(run).problem()


def read_archs(run: str, texts: Sequence[str] = (), sample: int = 0, seed: int = 0) -> tuple[Arch, ...]:
    """Architectures of a run's space: those that people wrote, and random ones.

    Args:
        run: whose space.
        texts: a key, an official string or JSON of choices each.
        sample: so many random ones that meet the run's constraints.
        seed: of these.

    Raises:
        BadInput: a text is no architecture, or too many are asked for.
    """
    if not 0 <= sample <= MOST:
        raise BadInput(f"sample: {sample} is not between 0 and {MOST}")
    problem = problem_of(run)
    drawn = tuples(problem.sample(sample, "subnets", seed)) if sample else []
    return tuple(dict.fromkeys([*(parse(problem.space, t) for t in texts), *drawn]))


def rows(run: str) -> list[Document]:
    """What was measured so far, the oldest first."""
    found = jobs.read(place(run) / "rows.json").get("rows")
    return [r for r in found if isinstance(r, dict)] if isinstance(found, list) else []


def keep(run: str, found: Sequence[Document]) -> None:
    """Keeps rows; of those of one identity the last stays.

    Raises:
        NoSpace: the data folder cannot be written.
    """
    folder = place(run)
    with contextlib.suppress(OSError):
        folder.mkdir(exist_ok=True)
    jobs.write(folder / "rows.json", {"rows": list({identity(r): r for r in found}.values())})


def identity(row: Document) -> tuple[Any, ...]:
    """What a row is about: measured again it would be the same but for the clock."""
    return tuple(row.get(n) for n in ("key", "way", "norms", "batches", "epochs", "after"))


def standing(run: str) -> Standing | None:
    """How far a measurement is; None where nobody asked."""
    return jobs.standing(place(run))


def start(run: str, asked: Asked) -> None:
    """Begins to measure in a process of its own.

    Raises:
        BadInput: what is asked for cannot be measured.
        Busy: it is at work already, or the run's worker is.
        NoSpace: the data folder cannot be written.
    """
    check(run, asked)
    jobs.start(place(run), asdict(asked), COMMAND)


def check(run: str, asked: Asked) -> Asked:
    """What is asked for, where it can be measured.

    Raises:
        BadInput: it cannot.
        Busy: the run's worker is at work.
    """
    if not longer.phase(run):
        raise BadInput(
            "run: it has kept no network with shared weights; "
            "searches such as darts, spos or tangle_nas keep one"
        )
    if not launch.has_left(run):
        raise Busy("the run still trains its shared network; pause or stop it first")
    return asked.checked(problem_of(run))


def cancel(run: str) -> None:
    """Asks it to stop after its piece; what it has measured stays."""
    jobs.cancel(place(run))


def read(folder: Path) -> Asked:
    """What a job's folder was made for.

    Raises:
        NoSpace: it cannot be read.
    """
    said = jobs.read(folder / "asked.json")
    try:
        archs = tuple(tuple(int(i) for i in a) for a in said["archs"])
        numbers = int(said["batches"]), int(said["epochs"])
        return Asked(archs, tuple(map(str, said["ways"])), str(said["norms"]), *numbers)
    except (KeyError, TypeError, ValueError) as error:
        raise NoSpace("subnets/asked.json cannot be read") from error
