"""The protocols of the smaller kinds, and `knob`: a dataclass field with a range and a help text.

Every object that a person can choose is a frozen dataclass whose fields are knobs; its form on the page, its
JSON and its checks are made from them (ARCHITECTURE: one method, one file, one table line).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from nascore.errors import BadInput

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nascore.events import Event, Step, Tried
    from nascore.problem import Problem
    from nascore.space import Arch
    from nascore.task import Batch

Knobbed = Any  # an instance of a frozen dataclass made of knobs


def knob(
    default: Any = MISSING,
    low: float | None = None,
    high: float | None = None,
    help: str = "",
    *,
    options: Sequence[str] = (),
    log: bool = False,
    of: str = "",
) -> Any:
    """A dataclass field that a person may set.

    Args:
        default: the value when nothing is said.
        low: the least number, also of each number of a tuple; None leaves that side open.
        high: the largest number.
        help: one sentence for the form.
        options: the allowed values of a text.
        log: the form steps in powers (learning rates).
        of: what a text names, such as "table"; the form then lists those that there are.
    """
    about = {"low": low, "high": high, "help": help, "options": tuple(options), "log": log, "of": of}
    return field(default=default, metadata=about)


def knobs(cls: type) -> tuple[Field[Any], ...]:
    """The knobs of a class in their order; fields that are not knobs are not for people."""
    return tuple(f for f in fields(cls) if "help" in f.metadata)


def check_knobs(obj: Knobbed, path: str = "") -> None:
    """Refuses a knob out of its range.

    Raises:
        BadInput: `path.name: value is below low`, or above high, or none of the options.
    """
    check_values(type(obj), {f.name: getattr(obj, f.name) for f in knobs(type(obj))}, path)


def check_values(cls: type, values: Mapping[str, Any], path: str = "") -> None:
    """As `check_knobs`, of knobs by name before there is an object.

    Raises:
        BadInput: as there.
    """
    for f in knobs(cls):
        value, at = values.get(f.name, ()), f"{path}.{f.name}" if path else f.name
        if not isinstance(value, tuple):
            _check_value(value, f.metadata, at)
            continue
        for i, v in enumerate(value):
            _check_value(v, f.metadata, f"{at}[{i}]")


def _check_value(value: Any, about: Any, path: str) -> None:
    low, high, options = about["low"], about["high"], about["options"]
    if options and value not in options:
        raise BadInput(f"{path}: {value!r} is none of {', '.join(options)}")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if low is not None and value < low:
        raise BadInput(f"{path}: {value:g} is below {low:g}")
    if high is not None and value > high:
        raise BadInput(f"{path}: {value:g} is above {high:g}")


def summary(cls: type) -> str:
    """The first sentence of the docstring: what the page and `list` say of an entry."""
    text = " ".join((cls.__doc__ or "").strip().split("\n\n")[0].split())
    return text.removesuffix(".")


@dataclass(frozen=True)
class EvaluationProtocol:
    """What a number stands for; printed beside it, always in this order."""

    data: str
    split: str
    epochs: int
    seeds: str
    source: str


class Strategy(Protocol):
    """A way to search: a frozen dataclass of knobs with one generator method."""

    def search(self, problem: Problem) -> Iterator[Event]:
        """Yields events; ends with a `Chosen` of the problem's space."""
        ...

    def check(self, problem: Problem) -> None:
        """Looks, before anything starts, whether the problem has what this strategy needs.

        Raises:
            BadInput: it has not; says what would do.
        """
        return

    def ending(self, problem: Problem) -> tuple[str, ...]:
        """Names of the states that it keeps after its main phase: what is done anew when a search goes on."""
        return ()

    def shared_epochs(self, choices: int) -> int:
        """Epochs in which weights that many networks share are trained, in a space of so many choices."""
        return int(getattr(self, "epochs", 0))


@runtime_checkable
class Evaluator(Protocol):
    """Archs in, metrics out, as many at once as it can; an answer does not depend on the company."""

    @property
    def key(self) -> str:
        """Name and knobs: answers of different judges are never mixed up."""
        ...

    def protocol(self, problem: Problem) -> EvaluationProtocol:
        """Data, split, epochs, seeds and source of the numbers that it gives."""
        ...

    def metrics(self, problem: Problem) -> tuple[str, ...]:
        """Names of the metrics that it gives and that may be an objective or a constraint."""
        ...

    def at(self, epochs: int) -> Evaluator:
        """The same judge at another fidelity; NotSupported where there is none."""
        ...

    def evaluate(self, archs: Sequence[Arch], problem: Problem) -> Iterator[Step | Tried]:
        """One `Tried` an arch, with `Step`s in between to show that it is alive."""
        ...


class Proxy(Protocol):
    """A score without training; higher is better."""

    def score(self, nets: Sequence[nn.Module], batch: Batch, problem: Problem) -> Tensor:
        """(n,) scores of n networks on one batch; the networks are unchanged."""
        ...


class Fitted(Protocol):
    """What a predictor has learned."""

    def predict(self, archs: Sequence[Arch]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation, (n,) each; the deviation is 0 where the predictor has none."""
        ...


class Predictor(Protocol):
    """Learns from pairs of arch and number; higher numbers are better."""

    def fit(
        self, problem: Problem, archs: Sequence[Arch], y: Sequence[float] | NDArray[np.float64]
    ) -> Fitted:
        """What it learns of n pairs; the problem gives encodings, graphs, free costs and networks."""
        ...
