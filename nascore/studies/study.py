"""A study tries a paper's claims: a frozen dataclass of sizes, its claims, and one generator that measures.

The generator tells how far it is and returns what it measured. Pieces that take long go through `kept.once`:
a study that was ended goes on where it was. The document that comes out is the one of the command line, the
page and `data/studies/`.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from nascore.errors import NoSpace
from nascore.studies.claim import Claim, Document, Measured, judged, number
from nascore.studies.paper import paper


@dataclass(frozen=True)
class Progress:
    """How far a study is: `done` of `total` equal pieces, and what the next one is."""

    done: int
    total: int
    what: str = ""


@dataclass(frozen=True)
class Results:
    """What a study has measured.

    Attributes:
        found: claim key -> what was measured of it.
        beside: words -> what was measured besides, to be seen with it; no claim, no verdict.
        picture: what `view.figures_study` draws; `kind` says how.
    """

    found: Mapping[str, Measured]
    beside: Mapping[str, Measured] = field(default_factory=dict)
    picture: Mapping[str, Any] = field(default_factory=dict)


class Kept:
    """Pieces that are measured already, each a JSON file; without a folder they are kept in memory.

    Args:
        folder: where the files lie.
        label: whose they are: pieces of a study of another size are never mixed in.
    """

    def __init__(self, folder: Path | None = None, label: str = "") -> None:
        self.folder, self.label = folder, label
        self.values: dict[str, Any] = {}
        self.earlier = 0.0

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """The piece of this name, computed if it is not there; of numbers, texts, lists and dictionaries.

        Raises:
            NoSpace: it cannot be written.
        """
        if name in self.values:
            return self.values[name]
        file = self._file(name)
        try:
            told = json.loads(file.read_text("utf-8")) if file is not None else None
        except (OSError, ValueError):
            told = None
        if told is None:
            start = time.process_time()
            value = json.loads(json.dumps(compute()))
            told = {"value": value, "seconds": time.process_time() - start}
            if file is not None:
                write(file, told)
        else:
            self.earlier += told["seconds"]
        self.values[name] = told["value"]
        return told["value"]

    def _file(self, name: str) -> Path | None:
        if self.folder is None:
            return None
        digest = hashlib.sha256(f"{self.label}/{name}".encode()).hexdigest()[:16]
        return self.folder / f"{digest}.json"


def write(file: Path, data: Any) -> None:
    """Writes JSON aside and renames it into place.

    Raises:
        NoSpace: it cannot be written.
    """
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", "utf-8")
        aside.replace(file)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise NoSpace(f"{file.name} cannot be written ({error.strerror or error})") from error


Measuring = Generator[Progress, None, Results]


class Study(Protocol):
    """A frozen dataclass whose fields say how large the trial is.

    Attributes:
        key: of its paper.
        claims: at least two.
        left: what of the paper is not tried here; empty for nothing.
        seeds: independent repetitions.
    """

    key: ClassVar[str]
    claims: ClassVar[tuple[Claim, ...]]
    left: ClassVar[str]
    seeds: int

    def measure(self, kept: Kept) -> Measuring:
        """Yields how far it is, returns what it measured."""
        ...


def label(study: Study) -> str:
    """The study with its sizes, as text."""
    sizes = asdict(study) if is_dataclass(study) and not isinstance(study, type) else {}
    return json.dumps([study.key, sizes], sort_keys=True)


def trial(study: Study, kept: Kept | None = None) -> Generator[Progress, None, Document]:
    """Measures and judges: yields how far it is, returns the document.

    Args:
        study: what is tried.
        kept: pieces of an earlier life.
    """
    kept, start = kept or Kept(), time.process_time()
    results = yield from study.measure(kept)
    return document(study, results, time.process_time() - start + kept.earlier)


def run(study: Study, kept: Kept | None = None, tell: Callable[[Progress], None] | None = None) -> Document:
    """The document of a whole trial; `tell` hears how far it is."""
    steps = trial(study, kept)
    while True:
        try:
            at = next(steps)
        except StopIteration as end:
            return end.value
        if tell is not None:
            tell(at)


def document(study: Study, results: Results, seconds: float) -> Document:
    """`{"study", "paper", "claims": [...], "seconds", ...}`; seconds of a processor, earlier lives too."""
    about = paper(study.key)
    return {
        "study": study.key,
        "paper": about.title,
        "year": about.year,
        "home": {"kind": about.home[0], "key": about.home[1]},
        "seeds": study.seeds,
        "claims": [judged(c, results.found[c.key]) for c in study.claims],
        "beside": [{"text": t, **number(m)} for t, m in results.beside.items()],
        "left": study.left,
        "seconds": round(seconds, 1),
        "picture": dict(results.picture),
    }
