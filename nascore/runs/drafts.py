"""Spaces that people draw: one JSON file each under `<home>/spaces/`, written aside and renamed.

A draft is a list of documents, one an edit, with a place in it (undo and redo move the place), and its saved
versions, which never change again. Every change names the revision that it was made on; a change made on an
older one is refused, so two people never overwrite each other.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nascore.codec import from_json, to_json
from nascore.errors import BadInput, Busy, NoSpace, NotFound
from nascore.locks import hold
from nascore.runs.launch import home
from nascore.runs.spec import tidy
from nascore.space import Space

Document = dict[str, Any]
ID = re.compile(r"[0-9a-f]{12}")
MAX_NAME, MAX_STEPS, MAX_DRAFTS = 60, 60, 500
MAX_BYTES, MAX_VERSIONS = 4 << 20, 100
LOCK_SECONDS, LOCK_STEP = 5.0, 0.01
_guard = threading.Lock()


@dataclass(frozen=True)
class Version:
    """A saved state: its number from 1, the whole space as a document, when (UTC, ISO)."""

    number: int
    document: Document
    when: str


@dataclass(frozen=True)
class Draft:
    """One space in the making.

    Attributes:
        id: 12 hex digits; names the file.
        name: what people call it; unique among drafts.
        revision: how many changes there were; each change names the one it was made on.
        steps: the documents, oldest first.
        at: place of the current one.
        versions: what was saved.
        changed: when the last change was made (UTC, ISO).
    """

    id: str
    name: str
    revision: int
    steps: tuple[Document, ...]
    at: int
    versions: tuple[Version, ...] = ()
    changed: str = ""

    @property
    def document(self) -> Document:
        """The current document."""
        return self.steps[self.at]

    @property
    def saved_as(self) -> int:
        """Number of the newest version that equals the current document; 0 where none does."""
        return max((v.number for v in self.versions if v.document == self.document), default=0)


def create(document: Document, name: str = "") -> Draft:
    """A new draft that starts with a document; a taken name gets a number.

    Raises:
        BadInput: there are too many drafts.
        NoSpace: it cannot be written.
    """
    with _locked():
        if len(_files()) >= MAX_DRAFTS:
            raise BadInput(f"spaces: there are {MAX_DRAFTS} already; delete one first")
        taken = {d.name.casefold() for d in drafts()}
        return _write(Draft(secrets.token_hex(6), _free(_name(name or "my space"), taken), 1, (document,), 0))


def open_draft(id: str) -> Draft:
    """The draft of an id.

    Raises:
        NotFound: no draft has it.
        BadInput: its file cannot be read.
    """
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise NotFound(f"space: {str(id)[:40]!r} is no space that was drawn here")
    return _read(_file(id))


def drafts() -> list[Draft]:
    """All readable drafts, the last changed first."""
    found = []
    for file in _files():
        with contextlib.suppress(BadInput, NotFound):
            found.append(_read(file))
    return sorted(found, key=lambda d: d.changed, reverse=True)


def put(id: str, revision: int, document: Document) -> Draft:
    """The draft after an edit; what was undone before is gone.

    Raises:
        Busy: somebody else has changed it since that revision.
    """

    def edit(draft: Draft) -> Draft:
        if document == draft.document:
            return draft
        steps = (*draft.steps[: draft.at + 1], document)[-MAX_STEPS:]
        return replace(draft, steps=steps, at=len(steps) - 1)

    return _change(id, revision, edit)


def step(id: str, revision: int, by: int) -> Draft:
    """One edit back (-1) or forth (1); at the end of the list nothing happens.

    Raises:
        Busy: as `put`.
    """

    def walk(draft: Draft) -> Draft:
        return replace(draft, at=min(max(draft.at + by, 0), len(draft.steps) - 1))

    return _change(id, revision, walk)


def rename(id: str, revision: int, name: str) -> Draft:
    """The draft under another name.

    Raises:
        BadInput: the name is empty or another draft has it.
        Busy: as `put`.
    """
    name = _name(name)

    def named(draft: Draft) -> Draft:
        if any(d.name.casefold() == name.casefold() and d.id != id for d in drafts()):
            raise BadInput(f"name: another space is called {name!r}; choose another name")
        return replace(draft, name=name)

    return _change(id, revision, named)


def save(id: str, revision: int) -> Draft:
    """The draft with its current document kept as a further version; nothing where it is saved already.

    Raises:
        BadInput: the document is no space.
        Busy: as `put`.
    """

    def kept(draft: Draft) -> Draft:
        whole = to_json(from_json("space", draft.document))
        if draft.saved_as and draft.saved_as == len(draft.versions):
            return draft
        if len(draft.versions) >= MAX_VERSIONS:
            raise BadInput(f"versions: there are {MAX_VERSIONS} already; duplicate the space and go on there")
        version = Version(len(draft.versions) + 1, whole, _now())
        steps = (*draft.steps[: draft.at], whole, *draft.steps[draft.at + 1 :])
        return replace(draft, versions=(*draft.versions, version), steps=steps)

    return _change(id, revision, kept)


def duplicate(id: str) -> Draft:
    """A new draft that starts with another one's current document."""
    found = open_draft(id)
    return create(found.document, f"{found.name[: MAX_NAME - 5]} copy")


def delete(id: str) -> None:
    """Removes a draft and its versions; runs and tables made from it stay."""
    open_draft(id)
    with _locked():
        _file(id).unlink(missing_ok=True)


def version(id: str, number: int) -> Version:
    """One saved version.

    Raises:
        NotFound: no such draft or version.
    """
    found = open_draft(id)
    for v in found.versions:
        if v.number == number:
            return v
    raise NotFound(f"version: {found.name!r} has no version {number}; it has {len(found.versions)}")


def saved() -> dict[str, Document]:
    """`name@version` -> document, the newest drafts first and of each the newest version first."""
    return {f"{d.name}@{v.number}": v.document for d in drafts() for v in reversed(d.versions)}


def named(text: str) -> Space | None:
    """The saved space that a person calls `name` (its newest version) or `name@version`; None where none is.

    Raises:
        BadInput: it was saved by another program and is no space here.
    """
    known = {n.casefold(): d for n, d in saved().items()}
    wanted = text.strip().casefold()
    newest = next((d for n, d in known.items() if n.rpartition("@")[0] == wanted), None)
    document = known.get(wanted, newest)
    return None if document is None else from_json("space", document, f"space {text.strip()[:60]}")


def _change(id: str, revision: int, act: Callable[[Draft], Draft]) -> Draft:
    with _locked():
        draft = open_draft(id)
        if draft.revision != revision:
            raise Busy(
                f"{draft.name}: somebody else changed this space meanwhile (change {draft.revision}, yours "
                f"was made on {revision}); look at it and do yours again"
            )
        new = act(draft)
        return draft if new == draft else _write(replace(new, revision=revision + 1))


def _name(text: str) -> str:
    """A name as one line.

    Raises:
        BadInput: nothing is left of it.
    """
    line = " ".join(tidy(text).replace("@", " ").split())[:MAX_NAME].strip()
    if not line:
        raise BadInput("name: it is empty; write a word or two")
    return line


def _free(name: str, taken: set[str]) -> str:
    if name.casefold() not in taken:
        return name
    numbers = (f"{name[: MAX_NAME - 4]} {i}" for i in range(2, MAX_DRAFTS + 2))
    return next(n for n in numbers if n.casefold() not in taken)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _folder() -> Path:
    return home() / "spaces"


def _file(id: str) -> Path:
    return _folder() / f"{id}.json"


def _files() -> list[Path]:
    with contextlib.suppress(OSError):
        return [f for f in sorted(_folder().glob("*.json")) if ID.fullmatch(f.stem) and not f.is_symlink()]
    return []


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """One writer at a time: threads by a lock, processes by a lock file."""
    with _guard:
        try:
            _folder().mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NoSpace(f"spaces: the data folder cannot be written ({error.strerror})") from error
        fd = _take()
        try:
            yield
        finally:
            os.close(fd)


def _take() -> int:
    waiting = threading.Event()
    for _ in range(int(LOCK_SECONDS / LOCK_STEP)):
        try:
            if (fd := hold(_folder() / ".lock")) is not None:
                return fd
        except OSError as error:
            raise NoSpace(f"spaces: the data folder cannot be written ({error.strerror})") from error
        waiting.wait(LOCK_STEP)
    raise Busy("spaces: another program is writing there; try again")


def _write(draft: Draft) -> Draft:
    """Writes a draft aside and renames it; old steps go where the file would grow too large."""
    draft = replace(draft, changed=_now())
    text = _text(draft)
    while len(text) > MAX_BYTES and draft.at > 0:
        drop = max(1, draft.at // 2)
        draft = replace(draft, steps=draft.steps[drop:], at=draft.at - drop)
        text = _text(draft)
    if len(text) > MAX_BYTES:
        raise BadInput(f"space: its file would have {len(text):,} bytes; {MAX_BYTES:,} is the limit")
    aside = _folder() / f".{draft.id}.{secrets.token_hex(4)}"
    try:
        with aside.open("wb") as f:
            f.write(text)
            f.flush()
            os.fsync(f.fileno())
        aside.replace(_file(draft.id))
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise NoSpace(f"spaces: the space could not be written ({error.strerror})") from error
    return draft


def _text(draft: Draft) -> bytes:
    data = {
        "v": 1,
        "name": draft.name,
        "revision": draft.revision,
        "changed": draft.changed,
        "at": draft.at,
        "steps": draft.steps,
        "versions": [{"number": v.number, "when": v.when, "document": v.document} for v in draft.versions],
    }
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _read(file: Path) -> Draft:
    try:
        raw = file.read_bytes()
    except OSError as error:
        raise NotFound(f"space: {file.stem!r} is no space that was drawn here") from error
    try:
        data = json.loads(raw)
        draft = Draft(
            file.stem,
            _name(data["name"]),
            int(data["revision"]),
            tuple(data["steps"]),
            int(data["at"]),
            tuple(Version(int(v["number"]), v["document"], str(v["when"])) for v in data["versions"]),
            str(data["changed"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError, BadInput) as error:
        raise BadInput(f"space: the file of {file.stem} is damaged and cannot be read") from error
    documents = (*draft.steps, *(v.document for v in draft.versions))
    if not all(isinstance(d, dict) for d in documents) or not 0 <= draft.at < len(draft.steps):
        raise BadInput(f"space: the file of {file.stem} is damaged; its steps are no documents")
    return draft
