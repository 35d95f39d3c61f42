"""Find the function that a sentence describes: known-item retrieval over real documentation.

A query is the first sentence of a docstring (`tasks.corpus`), its document the rest of that docstring, from
which the sentence is gone. Each split has its own files, and so its own queries and its own documents. BM25
(k1 1.2, b .75; Robertson and Zaragoza, 2009) finds the candidates of each query, which networks rank again:
all see the same ones. A query whose document BM25 does not find is counted as a failure of every
network; when it trains, the document takes the last candidate's place.

Only one document is relevant to a query, so what others also say of it counts as wrong. The texts are those
of the pinned libraries on Python 3.11.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nascore.kinds import knob
from nascore.task import Batch, Metrics, Shape, Split, Task, draws
from nascore.tasks import corpus

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix
    from torch import Tensor, nn

QUERY, DOCUMENT = 8, 48  # words read
VOCABULARY, CANDIDATES = 3000, 10
LEAST = 3, 15  # words of a query and of a document
K1, B = 1.2, 0.75
MOST: dict[str, int] = {"train": 2000, "validation": 400, "test": 600}
LOSSES = ("listwise", "pairwise", "pointwise")
MISSED = -1  # the place of a document that is not among the candidates
CHUNK = 64


class Lists(NamedTuple):
    """A split's queries, each with its candidates.

    Attributes:
        query: (n, 8) numbers of words; weights: (n, 8) their inverse document frequencies.
        documents: (documents, 48) numbers of words of all.
        candidates: (n, 10) rows of documents, the best by BM25 first.
        bm25: (n, 10) their scores, by the query's best.
        place: (n,) where among them the query's own document stands, or -1.
    """

    query: NDArray[np.int64]
    weights: NDArray[np.float32]
    documents: NDArray[np.int64]
    candidates: NDArray[np.int64]
    bm25: NDArray[np.float32]
    place: NDArray[np.int64]


@lru_cache(maxsize=1)
def lists() -> dict[Split, Lists]:
    """Of every split; word numbers and frequencies are those of the training documents."""
    texts: dict[Split, list[tuple[list[str], list[str]]]] = {s: [] for s, _ in corpus.SHARES}
    for one in corpus.documents():
        query, document = corpus.words(one.title), corpus.words(one.body)
        if len(query) >= LEAST[0] and len(document) >= LEAST[1]:
            texts[corpus.split_of(one)].append((query, document))
    known = corpus.vocabulary([d for _, d in texts["train"]], VOCABULARY)
    rarity = rarities([d for _, d in texts["train"]], known)
    out: dict[Split, Lists] = {}
    for split, each in texts.items():
        order = np.random.default_rng(len(each)).permutation(len(each))
        mixed = [each[i] for i in order]
        out[split] = _lists(mixed, known, rarity, MOST[split], forced=split == "train")
    return out


def rarities(documents: list[list[str]], known: dict[str, int]) -> NDArray[np.float32]:
    """(words,) log(1 + (N - n + .5) / (n + .5)), n of N documents having the word; 0 for none."""
    counts = np.zeros(VOCABULARY)
    for text in documents:
        counts[list({known.get(w, corpus.UNKNOWN) for w in text})] += 1
    out = np.log(1 + (len(documents) - counts + 0.5) / (counts + 0.5))
    out[0] = 0.0
    return out.astype(np.float32)


def _lists(
    texts: list[tuple[list[str], list[str]]],
    known: dict[str, int],
    rarity: NDArray[np.float32],
    most: int,
    *,
    forced: bool,
) -> Lists:
    queries = [q for q, _ in texts[:most]]
    scores = bm25(queries, [d for _, d in texts])
    rows = np.argsort(-scores, 1, kind="stable")[:, :CANDIDATES]
    own = np.arange(len(queries))[:, None]
    if forced:
        missing = ~(rows == own).any(1)
        rows[missing, -1] = own[missing, 0]
    hit = rows == own
    best = scores.max(1, keepdims=True)
    query = corpus.numbered(queries, known, QUERY)
    return Lists(
        query,
        rarity[query],
        corpus.numbered([d for _, d in texts], known, DOCUMENT),
        rows,
        (np.take_along_axis(scores, rows, 1) / np.where(best > 0, best, 1)).astype(np.float32),
        np.where(hit.any(1), hit.argmax(1), MISSED),
    )


def bm25(queries: list[list[str]], documents: list[list[str]]) -> NDArray[np.float32]:
    """(queries, documents) BM25 over all words of the documents, whole.

    sum over words of the query of idf(w) f (k1 + 1) / (f + k1 (1 - b + b length / mean length)), f how often
    w stands in the document, idf as in `rarities`.
    """
    words = {w: i for i, w in enumerate(sorted({w for d in documents for w in d}))}
    counts = _counts(documents, words).tocoo()
    length = np.array([len(d) for d in documents], dtype=np.float64)
    of = np.bincount(counts.col, minlength=len(words))
    rarity = np.log(1 + (len(documents) - of + 0.5) / (of + 0.5))
    f, base = counts.data, K1 * (1 - B + B * length / length.mean())
    counts.data = rarity[counts.col] * f * (K1 + 1) / (f + base[counts.row])
    asked = _counts(queries, words)
    return np.asarray((asked @ counts.tocsr().T).todense(), dtype=np.float32)


def _counts(texts: list[list[str]], words: dict[str, int]) -> csr_matrix:
    from scipy.sparse import csr_matrix

    pairs = [(i, words[w]) for i, text in enumerate(texts) for w in text if w in words]
    rows, columns = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return csr_matrix((np.ones(len(pairs)), (rows, columns)), (len(texts), len(words)))


@dataclass(frozen=True)
class Ranking(Task):
    """Sentences and the ten pieces of documentation that BM25 finds for each; one of them is meant."""

    loss: str = knob(
        "listwise",
        help="cross entropy over the candidates, RankNet's pairs, or yes and no for each",
        options=LOSSES,
    )
    train_queries: int = knob(1000, 20, 2000, "training queries; the first of the split")

    @property
    def data(self) -> str:
        """The name that protocols print."""
        return "docstring search"

    @property
    def shape(self) -> Shape:
        """Words of a query and of its candidates, rarities of its words, BM25; a score a candidate."""
        inputs = (
            ("query", (QUERY, VOCABULARY)),
            ("documents", (CANDIDATES, DOCUMENT)),
            ("weights", (QUERY,)),
            ("bm25", (CANDIDATES,)),
        )
        return Shape(inputs, (("score", CANDIDATES),))

    def size(self, split: Split) -> int:
        """Number of queries."""
        n = len(lists()[split].query)
        return min(self.train_queries, n) if split == "train" else n

    def _batch(self, split: Split, rows: NDArray[np.int64], device: str) -> Batch:
        import torch

        found = lists()[split]
        x = {
            "query": found.query[rows],
            "documents": found.documents[found.candidates[rows]],
            "weights": found.weights[rows],
            "bm25": found.bm25[rows],
        }
        given = {n: torch.from_numpy(v).to(device) for n, v in x.items()}
        place = torch.from_numpy(found.place[rows]).to(device)
        return Batch(given, place, torch.from_numpy(rows).to(device))

    def whole(self, split: Split, device: str = "cpu") -> Batch:
        """All queries in their fixed order; y (n,) is the place of the document that is meant, or -1."""
        return self._batch(split, np.arange(self.size(split)), device)

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

        p = None if weights is None else weights.detach().cpu().double().numpy()
        for rows in draws(self.size(split), size, rng, p):
            batch = self._batch(split, rows, device)
            if p is None:
                yield batch
            else:
                back = torch.tensor((p.mean() / p)[rows], dtype=torch.float32, device=device)
                yield Batch(batch.x, batch.y, batch.index, back)

    def losses(self, out: Any, batch: Batch) -> dict[str, Tensor]:
        """(n,) of scores (n, 10); 0 for a query whose document is not among the candidates."""
        y: Any = batch.y
        return {"ranking": loss_of(self.loss, out, y)}

    def metrics(self, net: nn.Module, split: Split) -> Metrics:
        """`error`, the share of queries whose document does not come first; `mrr`, `ndcg_10`; `loss`."""
        import torch

        device = next((p.device for p in net.parameters()), torch.device("cpu"))
        scores, places = [], []
        with torch.no_grad():
            for rows in np.array_split(np.arange(self.size(split)), -(-self.size(split) // CHUNK)):
                batch = self._batch(split, rows, str(device))
                scores.append(net(batch.x))
                places.append(batch.y)
            every, place = torch.cat(scores), torch.cat(places)  # type: ignore[arg-type] -- tensors
            loss = loss_of(self.loss, every, place).mean().item()
        return {**judged(every.cpu().double().numpy(), place.cpu().numpy()), "loss": loss}


def loss_of(name: str, scores: Tensor, place: Tensor) -> Tensor:
    """(n,) loss of scores (n, k), `place` being where the right one stands.

    Survey of Guo et al., section 4. listwise: ListNet's cross entropy with one relevant document. pairwise:
    RankNet, mean over the wrong ones of log(1 + exp(wrong - right)). pointwise: cross entropy of relevant or
    not, mean over the candidates.
    """
    import torch.nn.functional as F  # noqa: N812 -- torch's own habit

    there = place >= 0
    right = F.one_hot(place.clamp(min=0), scores.shape[1]).to(scores.dtype)
    if name == "listwise":
        each = -(right * scores.log_softmax(1)).sum(1)
    elif name == "pairwise":
        gap = scores - (scores * right).sum(1, keepdim=True)
        each = (F.softplus(gap) * (1 - right)).sum(1) / (scores.shape[1] - 1)
    else:
        each = F.binary_cross_entropy_with_logits(scores, right, reduction="none").mean(1)
    return each * there


def judged(scores: NDArray[np.float64], place: NDArray[np.int64]) -> Metrics:
    """Share of queries not answered first, mean reciprocal rank and NDCG at 10; of ties the mean rank.

    Args:
        scores: (n, k).
        place: (n,) where the right one stands, -1 where it is not among the k: nothing is gained there.
    """
    own = np.take_along_axis(scores, np.maximum(place, 0)[:, None], 1)
    above, equal = (scores > own).sum(1), (scores == own).sum(1) - 1
    rank, there = 1 + above + equal / 2, place >= 0
    return {
        "error": float(1 - (there & (rank == 1)).mean()),
        "mrr": float((there / rank).mean()),
        "ndcg_10": float((there / np.log2(1 + rank)).mean()),
    }
