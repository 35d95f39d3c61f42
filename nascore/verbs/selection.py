"""`python -m nascore.verbs.selection FOLDER`: two selections from a kept supernet, for Runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nascore.problem import Memo, Problem
from nascore.runs import jobs, launch, longer, selection
from nascore.runs.jobs import Document, Work
from nascore.space import Arch, key

if TYPE_CHECKING:
    from nascore.gates import Softmax
    from nascore.space import Choice
    from nascore.supernet import Supernet


def selected(run: str) -> Work:
    """Settles the supernet of a run by magnitude and by perturbation.

    Source: Wang et al. 2021, section 4.2, as in `strategies.darts_pt`, with its order of choices and its
    measure. Differs: nothing is trained between two choices, so that both ways judge the same weights.

    Returns:
        `choices` in the order in which they were settled, with `before`, the supernet's error with all that
        was open then, and of each option its `alpha` and `share`, and `drop`, by how much the error rises
        without it (share of one; `loss` likewise); None where it was not open. `archs`: what each way
        takes, with its error by inherited weights and norms set anew by four batches. `after`: epochs.
    """
    import torch

    from nascore.device import resolve
    from nascore.engines.kept import restored
    from nascore.gates import Softmax, discretize

    torch.set_num_threads(1)
    spec, phase = launch.read_spec(run), longer.phase(run)
    problem = spec.problem(Memo(launch.folder(run) / "memo"), resolve(spec.device))
    net, after = restored(problem, spec.strategy, phase)
    gating = Softmax(problem.space).to(problem.device)
    gating.load_state_dict(problem.memo.load(phase)["kept"][2])
    taken = {"magnitude": discretize(problem.space, gating.probabilities())}
    choices = [problem.space.choices()[i] for i in order(problem)]
    told: list[Document] = []
    for i, choice in enumerate(choices):
        yield i, len(choices) + 2, choice.name
        told.append(_settled(problem, net, gating, choice))
    taken["perturbation"] = discretize(problem.space, gating.probabilities())
    archs: Document = {}
    for i, (way, arch) in enumerate(taken.items()):
        yield len(choices) + i, len(choices) + 2, f"the network by {way}"
        archs[way] = _judged(problem, net, arch)
    about = {"after": after, "data": problem.task.data, "seed": problem.seed}
    return {**about, "choices": told, "archs": archs}


def order(problem: Problem) -> list[int]:
    """The places of the choices in the order in which DARTS-PT settles them."""
    return [int(i) for i in problem.rng("order").permutation(len(problem.space.choices()))]


def _settled(problem: Problem, net: Supernet, gating: Softmax, choice: Choice) -> Document:
    """One choice, settled by what is missed most; the gating is changed."""
    from nascore.strategies.darts_pt import judged, masked

    p = gating.probabilities()[choice.name].tolist()
    alphas, gates = gating.logits(choice).tolist(), gating()
    whole, *without = judged(
        problem, net, [gates, *(masked(gates, choice.name, o) for o in choice.open if len(choice.open) > 1)]
    )
    found = dict(zip(choice.open, without or [whole], strict=True))
    kept = max(found, key=lambda o: found[o])
    gating.fix(choice.name, kept)
    options = [
        {
            "option": str(label),
            "alpha": alphas[i] if i in found else None,
            "share": p[i] if i in found else None,
            "drop": found[i][0] - whole[0] if i in found else None,
            "loss": found[i][1] - whole[1] if i in found else None,
        }
        for i, label in enumerate(choice.options)
    ]
    largest = max(found, key=lambda o: p[o])
    return {
        "choice": choice.name, "before": whole[0], "options": options, "magnitude": largest,
        "perturbation": kept,
    }  # fmt: skip


def _judged(problem: Problem, net: Supernet, arch: Arch) -> Document:
    from nascore.evaluators.inherited import Inherited

    found: Any = problem.task.metrics(Inherited(net).child(arch, problem), "validation")
    known = {"arch": list(arch), "key": key(problem.space, arch), "text": problem.space.text(arch)}
    return {**known, "error": float(found["error"])}


def main(folder: str) -> int:
    """The process of one measurement; returns its exit status."""
    place = Path(folder)
    return jobs.process(place, lambda: selected(selection.check(place.parent.name)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
