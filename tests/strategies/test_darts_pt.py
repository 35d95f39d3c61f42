"""DARTS-PT: what is masked, what is kept, and that the supernet is not touched by looking."""

from __future__ import annotations

import pytest
import torch

from nascore.evaluators.trained import Trained
from nascore.events import Chosen, Note
from nascore.gates import Gate, Softmax
from nascore.problem import Problem, search
from nascore.recipes.sgd_cosine import SgdCosine
from nascore.spaces.nasbench201 import Nasbench201
from nascore.strategies.darts_pt import DartsPt, drops, masked
from nascore.supernet import Supernet
from nascore.tasks.images import Digits

torch.set_num_threads(1)


def problem() -> Problem:
    return Problem(Nasbench201(1, 4, 1, 4), Digits(train_images=64), SgdCosine(epochs=1, batch=16), Trained())


def test_masking_leaves_the_other_weights_as_they_are() -> None:
    gates = {"edge": Gate((0, 1, 2), torch.tensor([0.5, 0.3, 0.2]))}
    found = masked(gates, "edge", 1)["edge"]
    assert found.options == (0, 2)
    assert found.weights.tolist() == pytest.approx([0.5, 0.2])


class Fake(Supernet):
    """Right on a share of images that is the sum of the worths of what the first choice lists."""

    def __init__(self, p: Problem, worth: dict[int, float]) -> None:
        super().__init__(p.space, p.task.shape)
        self.worth, self.labels = worth, p.task.whole("validation")

    def forward(self, x, gates):  # type: ignore[no-untyped-def]
        share = sum(self.worth[o] for o in gates["edge_1_0"].options)
        same = (x[:, None] == self.labels.x[None]).flatten(2).all(2).float().argmax(1)
        y = self.labels.y[same]
        right = torch.arange(len(x)) < share * len(x)
        return torch.nn.functional.one_hot(torch.where(right, y, (y + 1) % 10), 10).float()


def test_the_option_whose_removal_hurts_most_has_the_largest_error() -> None:
    p = problem()
    names = [c.name for c in p.space.choices()]
    worth = {0: 0.0, 1: 0.1, 2: 0.5, 3: 0.3, 4: 0.05}
    gates = {n: Gate((0, 1, 2, 3, 4), torch.full((5,), 0.2)) for n in names}
    choice = next(c for c in p.space.choices() if c.name == "edge_1_0")
    errors = [e for e, _ in drops(p, Fake(p, worth), gates, choice)]
    assert max(range(5), key=errors.__getitem__) == 2
    assert errors[2] == pytest.approx(1 - 0.45, abs=0.07)


def test_looking_leaves_weights_and_statistics_alone() -> None:
    p = problem()
    net = p.supernet("separate")
    before = {n: t.clone() for n, t in net.state_dict().items()}
    drops(p, net, Softmax(p.space)(), p.space.choices()[0])
    assert all(torch.equal(before[n], t) for n, t in net.state_dict().items())


def test_what_it_chooses_is_what_it_said_it_keeps() -> None:
    p = problem()
    events = list(search(DartsPt(epochs=1, tune=1), p))
    kept = [e.text.split(" keeps ") for e in events if isinstance(e, Note) and " keeps " in e.text]
    told = {name: text.split(";")[0] for name, text in kept}
    for _, text in kept:
        option, errors = text.split("; errors without each: ")
        without = {e.rsplit(" ", 2)[0]: float(e.split()[-2]) for e in errors.split(", ")}
        assert without[option] == max(without.values())
    chosen = events[-1]
    assert isinstance(chosen, Chosen)
    assert {c.name: c.options[i] for c, i in zip(p.space.choices(), chosen.arch, strict=True)} == told


def test_blank_alphas_stay_where_they_started() -> None:
    from nascore.events import Step

    steps = [e for e in search(DartsPt(epochs=3, tune=1, blank=True), problem()) if isinstance(e, Step)]
    first, later = (s.values for s in [s for s in steps if s.phase == "search"][::2])
    gates = [n for n in first if n.startswith("gate/")]
    assert gates
    assert all(first[n] == later[n] for n in gates)
