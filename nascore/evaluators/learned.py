"""A predictor as a judge of archs whose truth is known: it learns from some and is asked about the others.

`ridge@100` has learned from 100 of them, drawn at random. Those have no score, so it is never judged by them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nascore.benchmarks.judges import Court, Scores
from nascore.benchmarks.table import Column
from nascore.errors import BadInput
from nascore.kinds import Predictor
from nascore.predictors.trial import tried
from nascore.problem import Problem


def learned(
    court: Court, name: str, size: int, truth: Scores, problem: Problem, predictor: Predictor
) -> Scores:
    """What a predictor says of the archs that it has not seen.

    Args:
        court: the archs; equal networks stand there once.
        name: as it is asked for.
        size: how many archs it learns from.
        truth: what it learns.
        problem: of the court's space.
        predictor: not yet fitted.

    Returns:
        Scores with NaN for the archs that it learned from; the seconds are those of learning and asking,
        without the trainings that it learned from.

    Raises:
        BadInput: the space is not known, or the size leaves too few to ask about.
    """
    if court.archs is None:
        raise BadInput(f"{name}: the space of {court.name} is not known, so there is nothing to learn from")
    apart = np.arange(len(court.keys))
    found = next(tried(problem, predictor, court.archs, truth.turned, [size], groups=apart))
    values = np.full(len(apart), np.nan)
    values[found.rows] = found.scores
    source = f"predicted from {size:,} architectures"
    about = replace(truth.column.protocol, source=source, epochs=0)
    took = (found.fit_seconds + found.predict_seconds) / len(found.rows)
    column = Column(name, source.capitalize(), "", "max", about)
    return Scores(name, values, column, took, f"learning and asking, without the {size:,} trainings")
