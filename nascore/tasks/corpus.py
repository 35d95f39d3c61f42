"""Real English that is there already: docstrings of the installed scientific libraries.

Public functions and classes of NumPy, SciPy, scikit-learn, networkx and pandas, read from their source files;
nothing is imported or downloaded. The texts belong to the pinned versions of these libraries
(`constraints.txt`): with others there are other texts, so results do not carry over. Tests of the libraries
and what C code documents are left out.

A file falls to train, validation or test as a whole, by a hash of its name: functions that share sentences
mostly stand in one file. Texts that stand in several places are kept once.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nascore.errors import NotFound
from nascore.task import Split

LIBRARIES = ("numpy", "scipy", "sklearn", "networkx", "pandas")
SHARES: tuple[tuple[Split, float], ...] = (("train", 0.6), ("validation", 0.2), ("test", 0.2))
DOCSTRING = re.compile(r'^([ \t]+)[rR]?"""(.*?)"""', re.DOTALL | re.MULTILINE)
HEADER = re.compile(r"^[ \t]*(?:def|class)[ \t]+([A-Za-z]\w*)", re.MULTILINE)
WORD = re.compile(r"[a-z]+")
LEAST = 200  # letters of a docstring that says something
UNKNOWN = 1  # number of a word that is not in the vocabulary; 0 is none


class Document(NamedTuple):
    """One docstring.

    Attributes:
        library: where it stands.
        file: its source file, below the library.
        name: of the function or class.
        title: its first sentence or line.
        body: the rest.
    """

    library: str
    file: str
    name: str
    title: str
    body: str


@lru_cache(maxsize=1)
def documents() -> tuple[Document, ...]:
    """All of them, by library, file and place; of those with one title the first."""
    found: dict[str, Document] = {}
    for library in LIBRARIES:
        for one in _of(library):
            found.setdefault(" ".join(words(one.title)), one)
    return tuple(found.values())


def _of(library: str) -> Iterator[Document]:
    spec = importlib.util.find_spec(library)
    if spec is None or not spec.submodule_search_locations:
        raise NotFound(f"the package {library}, whose documentation is read, is not installed")
    root = Path(next(iter(spec.submodule_search_locations)))
    for file in sorted(root.rglob("*.py")):
        place = file.relative_to(root)
        if not {"tests", "testing", "externals", "array_api_compat", "array_api_extra"} & set(place.parts):
            for name, text in docstrings(file.read_text("utf-8", "replace")):
                title, _, body = text.partition("\n\n")
                if len(text) >= LEAST and body:
                    yield Document(library, place.as_posix(), name, " ".join(title.split()), body)


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Name and docstring of every public function and class of a source, without parsing it.

    A docstring is a text in three double quotes on a line of its own that follows the colon of a `def` or a
    `class` which stands further left; ten times faster than a parser, which shows over thousands of files.
    """
    for found in DOCSTRING.finditer(source):
        head = source.rfind("\n\n", 0, found.start())
        before = source[max(head, 0) : found.start()]
        headers = list(HEADER.finditer(before))
        if not headers or not before.rstrip().endswith(":"):
            continue
        text = before[headers[-1].start() :]
        if text.count("(") == text.count(")") and not headers[-1][1].startswith("_"):
            yield headers[-1][1], inspect.cleandoc(found[2])


def split_of(one: Document) -> Split:
    """Where its file falls."""
    digest = hashlib.sha256(f"{one.library}/{one.file}".encode()).digest()
    at = int.from_bytes(digest[:4], "big") / 2**32
    for split, share in SHARES:
        if at < share:
            return split
        at -= share
    return "test"


def words(text: str) -> list[str]:
    """Runs of letters in lower case, two letters at least."""
    return [w for w in WORD.findall(text.lower()) if len(w) > 1]


def vocabulary(texts: Iterable[Sequence[str]], size: int) -> dict[str, int]:
    """Word -> number from 2 on, of the words that stand in most texts, ties by the alphabet."""
    counts = Counter(w for text in texts for w in set(text))
    order = sorted(counts, key=lambda w: (-counts[w], w))[: size - 2]
    return {w: i + 2 for i, w in enumerate(order)}


def numbered(texts: Sequence[Sequence[str]], known: dict[str, int], length: int) -> NDArray[np.int64]:
    """(n, length) numbers of the first words of each text; 1 for one that is not known, 0 behind the end."""
    out = np.zeros((len(texts), length), dtype=np.int64)
    for row, text in zip(out, texts, strict=True):
        some = [known.get(w, UNKNOWN) for w in text[:length]]
        row[: len(some)] = some
    return out
