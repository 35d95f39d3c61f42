"""What a search with shared weights said of its gates, epoch by epoch: rows of a journal -> arrays."""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nascore.space import Arch, Choice, Space, array, settle, tuples
from nascore.view.tokens import op_key

GATE, SAMPLE, ACTIVE = "gate/", "sample/", "active_seconds"
EVEN = 1e-6  # shares that differ by less are alike
MUCH = 0.5  # share of the places that could take it, from which on an operation is said to crowd out others


@dataclass(frozen=True)
class Movie:
    """Shares of all options of all choices over the epochs of one phase.

    Attributes:
        phase: of the journal.
        epochs: (epochs,) numbers, the first is 1.
        choices: names, in the order of the space.
        options: of each choice, as text.
        shares: of each choice (epochs, options), each row adds up to 1.
        values: what else was told: name -> (epochs,), NaN where it was not; `epoch_seconds` is how long each
            took while the run was active.
        samples: errors that the shared weights give to some archs: key -> (epochs,).
        seconds: (epochs,) that the run had been active at the end of each; NaN where that is not known.
    """

    phase: str
    epochs: NDArray[np.int64]
    choices: tuple[str, ...]
    options: tuple[tuple[str, ...], ...]
    shares: tuple[NDArray[np.float64], ...]
    values: dict[str, NDArray[np.float64]]
    samples: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    seconds: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def largest(self, epoch: int = -1) -> list[int]:
        """The option of the largest share of each choice, after one of the epochs."""
        return [int(s[epoch].argmax()) for s in self.shares]

    def decided(self) -> NDArray[np.bool_]:
        """(epochs,) whether any share is above another of its choice; not so where paths are drawn evenly."""
        apart = [np.ptp(s, axis=1) for s in self.shares if s.shape[1] > 1]
        return np.max(apart, axis=0) > EVEN if apart else np.zeros(len(self.epochs), bool)

    def alike(self) -> bool:
        """Whether every choice has the same options."""
        return len(set(self.options)) == 1


def movies(steps: pd.DataFrame, choices: Sequence[Choice] = ()) -> list[Movie]:
    """One movie for every phase that has gates.

    Args:
        steps: phase, step, name, value, of one run (`Store.steps`).
        choices: of the run's space, for their order; those of the journal where they are not known.
    """
    out = []
    for phase, rows in steps.groupby("phase", sort=False) if len(steps) else ():
        wide = rows.pivot_table(index="step", columns="name", values="value", aggfunc="last", sort=False)
        wide = wide.sort_index()
        if names := [n for n in wide.columns if n.startswith(GATE)]:
            out.append(_movie(str(phase), wide, names, choices))
    return out


def _movie(phase: str, wide: pd.DataFrame, names: list[str], choices: Sequence[Choice]) -> Movie:
    said: dict[str, list[str]] = {}
    for name in names:
        choice, _, option = name.removeprefix(GATE).partition("/")
        said.setdefault(choice, []).append(option)
    known = {c.name: [str(o) for o in c.options] for c in choices}
    order = [c for c in known if c in said] + [c for c in said if c not in known]
    options = {c: [o for o in known.get(c, []) if o in said[c]] or said[c] for c in order}
    wide = wide.loc[wide[names].notna().all(axis=1)]
    seconds = wide[ACTIVE].to_numpy(float) if ACTIVE in wide else np.full(len(wide), np.nan)
    if ACTIVE in wide:
        gaps = np.diff(wide.index.to_numpy(float), prepend=np.nan)
        wide = wide.assign(epoch_seconds=wide[ACTIVE].diff() / gaps).drop(columns=ACTIVE)
    return Movie(
        phase,
        wide.index.to_numpy(np.int64) + 1,
        tuple(order),
        tuple(tuple(options[c]) for c in order),
        tuple(wide[[f"{GATE}{c}/{o}" for o in options[c]]].to_numpy(float) for c in order),
        {n: wide[n].to_numpy(float) for n in wide.columns if "/" not in n},
        {n.removeprefix(SAMPLE): wide[n].to_numpy(float) for n in wide.columns if n.startswith(SAMPLE)},
        seconds,
    )


def archs(movie: Movie, space: Space) -> list[Arch]:
    """What the largest shares come to after each epoch; empty where the choices are not the space's."""
    choices = space.choices()
    if {c.name for c in choices} != set(movie.choices):
        return []
    at = {name: i for i, name in enumerate(movie.choices)}
    rows = []
    for epoch in range(len(movie.epochs)):
        row = []
        for choice in choices:
            i = at[choice.name]
            said = {o: float(s) for o, s in zip(movie.options[i], movie.shares[i][epoch], strict=True)}
            row.append(max(choice.open, key=lambda k: said.get(str(choice.options[k]), -1.0)))
        rows.append(tuple(row))
    return tuples(settle(space, array(rows, space))) if rows else []


@dataclass(frozen=True)
class Crowding:
    """How far one kind of operation crowds out the others, over the epochs.

    Attributes:
        share: (epochs,) mean share over the choices that offer it.
        taken: (epochs,) part of these choices where its share is the largest.
        offered: how many choices offer it.
    """

    share: NDArray[np.float64]
    taken: NDArray[np.float64]
    offered: int

    @property
    def crowds(self) -> bool:
        """Whether it has the largest share at more than half of the places now."""
        return bool(self.offered > 1 and len(self.taken) and self.taken[-1] > MUCH)


def crowding(movie: Movie, kind: str) -> Crowding:
    """Of `skip` or `none`: operations whose kind, as drawings color it, is this one."""
    share, taken = [], []
    for options, shares in zip(movie.options, movie.shares, strict=True):
        at = [i for i, o in enumerate(options) if op_key(o) == kind]
        if at and len(at) < len(options):
            share.append(shares[:, at].sum(axis=1))
            taken.append(np.isin(shares.argmax(axis=1), at))
    if not share:
        return Crowding(np.zeros(0), np.zeros(0), 0)
    return Crowding(np.mean(share, axis=0), np.mean(taken, axis=0), len(share))
