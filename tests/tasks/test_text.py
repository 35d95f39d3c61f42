"""Paragraphs of documentation: real, in splits that share no file, without names that give them away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nascore.space import from_choices
from nascore.spaces.reader import Reader
from nascore.tasks import corpus, text
from nascore.tasks.text import Text

SOURCE = '''
class Shown:
    """A class.

    More of it.
    """

    def first(self, a: int = 3, b: str = "x",
              c=(1, 2)) -> None:
        r"""First one.

        Its body.
        """

    def _hidden(self):
        """Not for people.

        At all.
        """

    x = 3
    """No docstring of a function."""
'''


def test_docstrings_are_those_that_a_parser_finds() -> None:
    assert list(corpus.docstrings(SOURCE)) == [
        ("Shown", "A class.\n\nMore of it."),
        ("first", "First one.\n\nIts body."),
    ]


def test_most_docstrings_of_a_library_are_found_and_none_is_made_up() -> None:
    import ast
    import inspect
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("networkx")
    assert spec is not None
    assert spec.origin is not None
    source = (Path(spec.origin).parent / "algorithms" / "clique.py").read_text("utf-8")
    kinds = (ast.FunctionDef, ast.ClassDef)
    true = {
        (n.name, inspect.cleandoc(d))
        for n in ast.walk(ast.parse(source))
        if isinstance(n, kinds) and not n.name.startswith("_") and (d := ast.get_docstring(n, clean=False))
    }
    found = {(n, d.replace("\\\\", "\\")) for n, d in corpus.docstrings(source)}
    assert {n for n, _ in found} <= {n for n, _ in true}
    assert len(found) >= 0.9 * len(true)


def test_splits_share_no_file_and_no_paragraph() -> None:
    files: dict[str, set[str]] = {}
    for one in corpus.documents():
        files.setdefault(corpus.split_of(one), set()).add(f"{one.library}/{one.file}")
    assert not files["train"] & files["test"]
    assert not files["train"] & files["validation"]
    assert not files["validation"] & files["test"]
    each = {s: {tuple(t) for t in texts} for s, (texts, _) in text.paragraphs().items()}
    assert not each["train"] & each["test"]
    assert not each["train"] & each["validation"]


def test_classes_are_alike_and_names_are_gone() -> None:
    for texts, y in text.paragraphs().values():
        assert len(set(np.bincount(y))) == 1
        assert len(y) > 300
        assert not {"numpy", "scipy", "sklearn", "scikit", "networkx", "pandas", "np", "pd"} & {
            w for t in texts for w in t
        }


@pytest.mark.parametrize("given", ["words", "vectors"])
def test_batches_are_full_shuffled_and_repeatable(given: str) -> None:
    task = Text(given, train_texts=100)
    first, again = (list(task.batches("train", 30, np.random.default_rng(1))) for _ in range(2))
    assert [len(b.index) for b in first] == [30, 30, 30]
    assert len({int(i) for b in first for i in b.index}) == 90
    whole = task.whole("train")
    for a, b in zip(first, again, strict=True):
        assert isinstance(a.x, torch.Tensor)
        assert isinstance(whole.x, torch.Tensor)
        assert torch.equal(a.x, whole.x[a.index])
        assert torch.equal(a.index, b.index)


def test_the_error_is_the_share_that_is_wrong() -> None:
    class First(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(torch.zeros(len(x), dtype=torch.long), 5).float()

    assert Text().metrics(First(), "test")["error"] == pytest.approx(0.8)


def test_vectors_tell_more_than_chance_and_shuffled_labels_nothing() -> None:
    from sklearn.linear_model import LogisticRegression

    task = Text()
    labels = {s: text.paragraphs()[s][1][: task.size(s)] for s in ("train", "test")}
    shuffled = np.random.default_rng(0).permutation(labels["train"])
    true, wrong = (
        LogisticRegression(max_iter=300)
        .fit(task.points("train"), y)
        .score(task.points("test"), labels["test"])
        for y in (labels["train"], shuffled)
    )
    assert true > 0.5
    assert wrong < 0.3


def test_a_network_of_the_space_that_reads_fits() -> None:
    for given in ("words", "vectors"):
        task, space = Text(given), Reader()
        taken = {"width": 16, "encoder": "mean", "hidden": 0, "dropout": 0.0}
        net = space.build(from_choices(space, taken), task.shape)
        some = task.whole("validation")
        assert isinstance(some.x, torch.Tensor)
        assert net(some.x[:3]).shape == (3, 5)
