"""The supernet that a search has kept, built again: what sub-networks are taken out of afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nascore.align import aligned
from nascore.errors import BadInput, NotSupported
from nascore.space import Sharing

if TYPE_CHECKING:
    from nascore.kinds import Strategy
    from nascore.problem import Problem
    from nascore.supernet import Supernet

SHARINGS: tuple[Sharing, ...] = ("separate", "entangled")


def restored(problem: Problem, strategy: Strategy, phase: str) -> tuple[Supernet, int]:
    """The supernet of a search as its last epoch left it, and how many epochs it has learned.

    The strategy builds its supernet one of three ways: separate, entangled, or entangled with a norm for each
    width. Names and sizes of the kept weights tell which; they fit one of them or none.

    Args:
        problem: of the search, with its memo.
        strategy: of the search.
        phase: under which its epochs are kept.

    Raises:
        BadInput: nothing is kept, or it fits no supernet of this space.
    """
    state = problem.memo.load(phase)
    if not state:
        raise BadInput("run: it has kept no network with shared weights that can be read")
    weights: dict[str, Any] = state["kept"][0]
    for net in _possible(problem, getattr(strategy, "sharing", None)):
        if _sizes(net.state_dict()) == _sizes(weights):
            net.load_state_dict(weights)
            return net.eval(), int(state["epoch"])
    raise BadInput("run: the weights that it has kept fit no shared network of its space")


def _possible(problem: Problem, first: Sharing | None) -> Iterator[Supernet]:
    for sharing in (first,) if first else SHARINGS:
        try:
            net = problem.supernet(sharing)
        except NotSupported:
            continue
        yield net
        if sharing == "entangled":
            aligned(net, problem)
            yield net


def _sizes(state: dict[str, Any]) -> dict[str, Any]:
    return {n: getattr(v, "shape", None) for n, v in state.items()}
