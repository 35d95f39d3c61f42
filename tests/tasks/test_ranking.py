"""Known-item retrieval: BM25, measures and losses by hand, queries that are not in their documents."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.tasks import corpus, ranking
from nascore.tasks.ranking import Ranking, bm25, judged, lists, loss_of


def test_bm25_worked_by_hand() -> None:
    documents = [["a", "b", "a"], ["b"], ["c", "c"]]
    found = bm25([["a"], ["b", "x"]], documents)
    idf = np.log(1 + (3 - 1 + 0.5) / 1.5)
    assert found[0, 0] == pytest.approx(idf * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2)))
    idf = np.log(1 + (3 - 2 + 0.5) / 2.5)
    assert found[1, 1] == pytest.approx(idf * 2.2 / (1 + 1.2 * (0.25 + 0.75 / 2)))
    assert found[0, 1] == found[0, 2] == found[1, 2] == 0


def test_measures_worked_by_hand() -> None:
    scores = np.array([[3.0, 2, 1], [3, 2, 1], [1, 1, 0], [3, 2, 1]])
    found = judged(scores, np.array([0, 2, 1, -1]))
    assert found["error"] == 0.75
    assert found["mrr"] == pytest.approx((1 + 1 / 3 + 1 / 1.5) / 4)
    assert found["ndcg_10"] == pytest.approx((1 + 1 / 2 + 1 / np.log2(2.5)) / 4)


def test_equal_scores_of_all_gain_no_more_than_chance() -> None:
    assert judged(np.zeros((5, 10)), np.arange(5))["error"] == 1.0


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_candidates_differ_and_the_right_one_is_where_it_is_said(split: ranking.Split) -> None:
    found = lists()[split]
    assert all(len(set(row)) == 10 for row in found.candidates.tolist())
    there = found.place >= 0
    own = np.arange(len(there))[there]
    assert np.array_equal(found.candidates[there, found.place[there]], own)
    assert (found.candidates[~there] != np.arange(len(there))[~there, None]).all()
    assert there.all() == (split == "train")
    assert there.mean() > 0.7


def test_the_query_is_cut_from_its_document() -> None:
    for one in corpus.documents()[::50]:
        assert corpus.words(one.title)
        assert not one.body.startswith(one.title)


def test_losses_are_those_of_the_survey() -> None:
    scores, place = (
        torch.randn(6, 4, generator=torch.Generator().manual_seed(0)),
        torch.tensor([0, 3, 1, 2, 2, -1]),
    )
    for name in ranking.LOSSES:
        expected = []
        for row, right in zip(scores, place.tolist(), strict=True):
            wrong = [row[i] for i in range(4) if i != right]
            if right < 0:
                expected.append(torch.zeros(()))
            elif name == "listwise":
                expected.append(-torch.log(row[right].exp() / row.exp().sum()))
            elif name == "pairwise":
                expected.append(torch.stack([torch.log(1 + (w - row[right]).exp()) for w in wrong]).mean())
            else:
                no = sum(-torch.log(1 - torch.sigmoid(w)) for w in wrong)
                expected.append((no - torch.log(torch.sigmoid(row[right]))) / 4)
        torch.testing.assert_close(loss_of(name, scores, place), torch.stack(expected), rtol=1e-4, atol=1e-5)


def test_batches_are_full_shuffled_and_repeatable() -> None:
    task = Ranking(train_queries=100)
    first, again = (list(task.batches("train", 30, np.random.default_rng(1))) for _ in range(2))
    assert len({int(i) for b in first for i in b.index}) == 90
    whole = task.whole("train")
    for a, b in zip(first, again, strict=True):
        assert isinstance(a.x, dict)
        assert isinstance(whole.x, dict)
        assert torch.equal(a.index, b.index)
        assert all(torch.equal(v, whole.x[n][a.index]) for n, v in a.x.items())


def test_bm25_as_a_network_has_bm25s_own_error() -> None:
    class Own(torch.nn.Module):
        def forward(self, x: dict[str, torch.Tensor]) -> torch.Tensor:
            return x["bm25"]

    found = Ranking().metrics(Own(), "test")
    assert 0.3 < found["error"] < 0.6
    assert found["mrr"] > 0.55
