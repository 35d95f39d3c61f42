from __future__ import annotations

from nascore.problem import search
from nascore.strategies.random_search import RandomSearch
from tests import toys


def test_batches_have_the_size_that_was_asked() -> None:
    judge = toys.Lookup()
    list(search(RandomSearch(batch=7), toys.problem(30, evaluator=judge)))
    assert [len(b) for b in judge.calls] == [7, 7, 7, 7, 2]


def test_each_architecture_is_equally_likely_to_come_first() -> None:
    firsts = [next(iter(search(RandomSearch(batch=1), toys.problem(1, seed=s)))) for s in range(300)]
    counts = [sum(t.arch[0] == option for t in toys.tried(firsts)) for option in range(3)]
    assert min(counts) > 70  # 100 expected, standard deviation 8


def test_a_whole_space_is_visited_once_each() -> None:
    judge = toys.Lookup()
    list(search(RandomSearch(batch=50), toys.problem(0, evaluator=judge)))
    assert sorted(judge.asked) == sorted(toys.table())
