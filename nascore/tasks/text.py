"""Which library is this about? Paragraphs of documentation, with the libraries' names taken out.

Of each docstring (`tasks.corpus`) the first paragraph of prose. Every split holds as many paragraphs of each
of the five libraries, in a fixed order in which they take turns; docstrings of one file are in one split. The
texts are those of the pinned libraries on Python 3.11.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nascore.kinds import knob
from nascore.task import Batch, Metrics, Shape, Split, Task, draws
from nascore.tasks import corpus

if TYPE_CHECKING:
    from torch import Tensor, nn

NAMES = {"numpy", "np", "scipy", "scikit", "sklearn", "networkx", "nx", "pandas", "pd"}
TWO_WORDS = re.compile("scikit-learn", re.IGNORECASE)
LEAST, VOCABULARY, LENGTH = 10, 3000, 48  # words of a paragraph; words known; words read
VECTOR = 50  # numbers a word, where words are given as vectors
CLASSES = corpus.LIBRARIES
CHUNK = 512


@lru_cache(maxsize=1)
def paragraphs() -> dict[Split, tuple[list[list[str]], NDArray[np.int64]]]:
    """Words and library (n,) of each split's paragraphs."""
    found: dict[Split, list[list[list[str]]]] = {s: [[] for _ in CLASSES] for s, _ in corpus.SHARES}
    seen: set[tuple[str, ...]] = set()
    for one in corpus.documents():
        text = prose(one.body)
        if text and tuple(text) not in seen:
            seen.add(tuple(text))
            found[corpus.split_of(one)][CLASSES.index(one.library)].append(text)
    out: dict[Split, tuple[list[list[str]], NDArray[np.int64]]] = {}
    for split, each in found.items():
        rng, n = np.random.default_rng(corpus.LEAST), min(map(len, each))
        rows = [[texts[i] for i in rng.permutation(len(texts))[:n]] for texts in each]
        turns = [texts[i] for i in range(n) for texts in rows]
        out[split] = turns, np.tile(np.arange(len(CLASSES)), n)
    return out


def prose(body: str) -> list[str]:
    """Words of the first paragraph that is prose, without names of libraries; none where there is none."""
    for block in body.split("\n\n"):
        code = ">>>" in block or "---" in block or "::" in block or " : " in block.split("\n")[0]
        text = [w for w in corpus.words(TWO_WORDS.sub(" ", block)) if w not in NAMES]
        if not code and block[:1].isalpha() and len(text) >= LEAST:
            return text
    return []


@lru_cache(maxsize=1)
def vectors() -> NDArray[np.float32]:
    """(words, 50) of each number of a word, from which training paragraphs it stands in; labels play no part.

    Right singular vectors of the paragraphs' TF-IDF, scaled to a mean square of 1; 0 where there is no word.
    """
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    ids = _numbers()["train"][0]
    rows, columns = np.nonzero(ids)
    counts = csr_matrix((np.ones(len(rows)), (rows, ids[rows, columns])), (len(ids), VOCABULARY))
    documents = np.maximum(np.bincount(counts.tocoo().col, minlength=VOCABULARY), 1)
    weighed = csr_matrix(counts.multiply(np.log(len(ids) / documents)))
    fitted: Any = TruncatedSVD(VECTOR, random_state=0).fit(weighed)
    found = fitted.components_.T
    found[0] = 0.0
    return (found / np.sqrt((found**2).mean())).astype(np.float32)


@lru_cache(maxsize=1)
def _numbers() -> dict[Split, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    known = corpus.vocabulary(paragraphs()["train"][0], VOCABULARY)
    return {s: (corpus.numbered(texts, known, LENGTH), y) for s, (texts, y) in paragraphs().items()}


@lru_cache(maxsize=16)
def _tensors(given: str, split: Split, device: str) -> tuple[Tensor, Tensor]:
    import torch

    ids, y = _numbers()[split]
    x = torch.from_numpy(vectors()[ids]) if given == "vectors" else torch.from_numpy(ids)
    return x.to(device), torch.from_numpy(y).to(device)


@dataclass(frozen=True)
class Text(Task):
    """Paragraphs of documentation by the library that they come from: five classes, 48 words at most each."""

    given: str = knob(
        "words",
        help="numbers of words, or 50 numbers a word learned from the texts without labels",
        options=("words", "vectors"),
    )
    train_texts: int = knob(1500, 25, 5000, "training paragraphs; the first of the split, all classes alike")

    @property
    def data(self) -> str:
        """The name that protocols print."""
        return "docstrings"

    @property
    def shape(self) -> Shape:
        """Numbers of words out of a vocabulary, or a vector each."""
        size = (LENGTH, VECTOR) if self.given == "vectors" else (LENGTH, VOCABULARY)
        return Shape(((self.given, size),), (("class", len(CLASSES)),))

    def size(self, split: Split) -> int:
        """Number of paragraphs."""
        n = len(_numbers()[split][1])
        return min(self.train_texts, n) if split == "train" else n

    def whole(self, split: Split, device: str = "cpu") -> Batch:
        """All paragraphs in their fixed order: x (n, 48) or (n, 48, 50), y (n,)."""
        import torch

        x, y = _tensors(self.given, split, device)
        n = self.size(split)
        return Batch(x[:n], y[:n], torch.arange(n, device=device))

    def points(self, split: Split) -> NDArray[np.float64]:
        """(n, 50) mean vector of each paragraph's words: where it lies among the others."""
        ids = _numbers()[split][0][: self.size(split)]
        return vectors()[ids].sum(1, dtype=np.float64) / np.maximum((ids > 0).sum(1), 1)[:, None]

    def batches(
        self,
        split: Split,
        size: int | Callable[[], int],
        rng: np.random.Generator,
        weights: Tensor | None = None,
        device: str = "cpu",
    ) -> Iterator[Batch]:
        """One epoch of shuffled, full batches; with weights, drawn by them and weighted back to the mean."""
        import torch

        x, y = _tensors(self.given, split, device)
        p = None if weights is None else weights.detach().cpu().double().numpy()
        back = None if p is None else torch.tensor(p.mean() / p, dtype=torch.float32, device=device)
        for rows in draws(self.size(split), size, rng, p):
            index = torch.from_numpy(rows).to(device)
            yield Batch(x[index], y[index], index, None if back is None else back[index])

    def losses(self, out: Any, batch: Batch) -> dict[str, Tensor]:
        """Cross entropy (n,) of logits (n, 5) against labels or probabilities."""
        import torch

        y: Any = batch.y
        return {"class": torch.nn.functional.cross_entropy(out, y, reduction="none")}

    def metrics(self, net: nn.Module, split: Split) -> Metrics:
        """`error`, the share of paragraphs put to a wrong library, and `loss`, the mean cross entropy."""
        import torch

        device = next((p.device for p in net.parameters()), torch.device("cpu"))
        every = self.whole(split, str(device))
        x: Any = every.x
        y: Any = every.y
        with torch.no_grad():
            logits = torch.cat([net(part) for part in x.split(CHUNK)])
            loss = torch.nn.functional.cross_entropy(logits, y)
        return {"error": (logits.argmax(1) != y).double().mean().item(), "loss": loss.item()}
