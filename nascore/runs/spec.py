"""A run's spec: all that a search is made of, as data. One JSON for page, file and worker."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from nascore.codec import VERSION, build, from_json, loads, to_json, upgrade
from nascore.device import DEVICES
from nascore.errors import BadInput, NotFound
from nascore.executors import Executor, Inline
from nascore.kinds import Evaluator, Strategy
from nascore.problem import SIGNS, Budget, Constraint, Memo, Objective, Problem
from nascore.recipe import Recipe
from nascore.space import Space, size
from nascore.task import Task

SHIPPED = Path(__file__).parents[2] / "data" / "specs"
OBJECTS = ("space", "task", "recipe", "evaluator", "strategy", "executor")
MAX_TITLE = 120
ECE = "val_ece_15"  # the calibration error that may be searched for


@dataclass(frozen=True)
class RunSpec:
    """One search, whole."""

    space: Space
    task: Task
    recipe: Recipe
    evaluator: Evaluator
    strategy: Strategy
    objectives: tuple[Objective, ...] = (Objective("error"),)
    constraints: tuple[Constraint, ...] = ()
    budget: Budget = field(default_factory=Budget)
    seed: int = 0
    device: str = "auto"
    executor: Executor = field(default_factory=Inline)
    title: str = ""

    def problem(self, memo: Memo | None = None, device: str = "cpu") -> Problem:
        """What the strategy sees; `device` is a resolved one."""
        return Problem(
            space=self.space,
            task=self.task,
            recipe=self.recipe,
            evaluator=self.evaluator,
            objectives=self.objectives,
            constraints=self.constraints,
            budget=self.budget,
            seed=self.seed,
            device=device,
            executor=self.executor,
            memo=memo or Memo(),
        )

    def checked(self) -> RunSpec:
        """Itself, where its parts fit together.

        Raises:
            BadInput: with the field, the value and what would be right.
        """
        problem = self.problem()
        gives, inputs = self.evaluator.metrics(problem), [n for n, _ in self.task.shape.inputs]
        if strange := [n for n in inputs if n not in self.space.reads()]:
            raise BadInput(
                f"task: it gives {strange[0]}, which networks of this space cannot read; "
                f"they read {', '.join(self.space.reads())}"
            )
        for i, o in enumerate(self.objectives):
            if o.metric not in gives:
                held = getattr(self.evaluator, "withheld", tuple)()
                test = "; it is of the test part, by which nobody may choose" if o.metric in held else ""
                hint = f"; trained gives {ECE} where it judges closely" if "ece" in o.metric else ""
                raise BadInput(
                    f"objectives[{i}]: {o.metric!r} is not given by this evaluator; {', '.join(gives)} are"
                    f"{test}{hint}"
                )
        for i, c in enumerate(self.constraints):
            if c.metric not in gives:
                raise BadInput(
                    f"constraints[{i}]: {c.metric!r} is not given by this evaluator; {', '.join(gives)} are"
                )
        if self.budget.simulated_seconds and not getattr(self.evaluator, "simulates", False):
            raise BadInput("budget.simulated_seconds: this evaluator has no simulated clock; tabular has one")
        if not any(getattr(self.budget, f.name) for f in fields(self.budget)):
            raise BadInput("budget: nothing may be spent; give evaluations or seconds above 0")
        if size(self.space) < 1:
            raise BadInput("space: it holds no architecture")
        self.strategy.check(problem)
        return self

    def to_json(self) -> dict[str, Any]:
        """The document that `from_json` reads; every default is written out."""
        return {
            "v": VERSION,
            "title": self.title,
            **{name: to_json(getattr(self, name)) for name in OBJECTS},
            "objectives": [[o.metric, o.direction] for o in self.objectives],
            "constraints": [[c.metric, c.sign, c.limit] for c in self.constraints],
            "budget": {f.name: getattr(self.budget, f.name) for f in fields(self.budget)},
            "seed": self.seed,
            "device": self.device,
        }


DEFAULTS: dict[str, Any] = {
    "space": "nasbench201",
    "task": "digits",
    "recipe": "sgd_cosine",
    "evaluator": "trained",
    "strategy": "regularized_evolution",
    "executor": "inline",
}
KNOWN = {"v", "title", *OBJECTS, "objectives", "constraints", "budget", "seed", "device"}


def from_document(data: Any, check: bool = True) -> RunSpec:
    """The spec of a JSON document.

    Args:
        data: the document.
        check: also whether its parts fit together and what they name is there.

    Raises:
        BadInput: with the path of what is wrong, the value and what would be right.
    """
    data = upgrade(data, "spec")
    if unknown := sorted(set(data) - KNOWN):
        raise BadInput(f"{unknown[0][:80]}: no such field; there are {', '.join(sorted(KNOWN))}")
    parts = {name: from_json(name, data.get(name, default), name) for name, default in DEFAULTS.items()}
    budget = data.get("budget", {})
    if not isinstance(budget, dict):
        raise BadInput(
            f'budget: expected an object such as {{"evaluations": 100}}, got {json.dumps(budget)[:60]}'
        )
    spec = RunSpec(
        **parts,
        objectives=_objectives(data.get("objectives", [["error", "min"]])),
        constraints=_constraints(data.get("constraints", [])),
        budget=build(Budget, budget, "budget"),
        seed=_seed(data.get("seed", 0)),
        device=_device(data.get("device", "auto")),
        title=tidy(data.get("title", "")),
    )
    return spec.checked() if check else spec


def _objectives(rows: Any) -> tuple[Objective, ...]:
    if not isinstance(rows, list) or not rows:
        raise BadInput('objectives: expected a list such as [["error", "min"]]')
    out = []
    for i, row in enumerate(rows):
        if (
            not isinstance(row, list)
            or len(row) != 2
            or not isinstance(row[0], str)
            or row[1] not in ("min", "max")
        ):
            raise BadInput(
                f'objectives[{i}]: expected ["metric", "min" or "max"], got {json.dumps(row)[:60]}'
            )
        out.append(Objective(row[0], row[1]))
    if len({o.metric for o in out}) < len(out):
        raise BadInput("objectives: a metric stands twice")
    return tuple(out)


def _constraints(rows: Any) -> tuple[Constraint, ...]:
    if not isinstance(rows, list):
        raise BadInput('constraints: expected a list such as [["params", "<=", 100000]]')
    out = []
    for i, row in enumerate(rows):
        good = isinstance(row, list) and len(row) == 3 and isinstance(row[0], str) and row[1] in tuple(SIGNS)
        if not good or isinstance(row[2], bool) or not isinstance(row[2], int | float):
            raise BadInput(
                f'constraints[{i}]: expected ["metric", "<=" or ">=", number], got {json.dumps(row)[:60]}'
            )
        out.append(Constraint(row[0], row[1], float(row[2])))
    return tuple(out)


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
        raise BadInput(f"seed: {json.dumps(value)[:40]} is no whole number from 0 to 2147483647")
    return value


def _device(value: Any) -> str:
    if value not in DEVICES:
        raise BadInput(f"device: {json.dumps(value)[:40]} is none of {', '.join(DEVICES)}")
    return str(value)


def tidy(title: Any) -> str:
    """A title as one line of at most 120 characters; control and direction marks are dropped.

    Raises:
        BadInput: it is no text.
    """
    if not isinstance(title, str):
        raise BadInput(f"title: expected a text, got {json.dumps(title)[:60]}")
    line = "".join(ch if ch.isprintable() else " " for ch in title)
    return " ".join(line.split())[:MAX_TITLE]


def read(text: str | bytes, changes: Sequence[str] = (), check: bool = True) -> RunSpec:
    """The spec of a JSON text with `path=value` changes applied; `check` as in `from_document`."""
    data = upgrade(loads(text), "spec")
    for change in changes:
        set_value(data, change)
    return from_document(data, check)


def set_value(data: dict[str, Any], change: str) -> None:
    """Applies `path=value`: `strategy=random_search` puts that object with its defaults,
    `budget.evaluations=20` one value, `strategy.population=10` one knob.

    Raises:
        BadInput: no `=`, or the path leads through something that is no object.
    """
    path, sign, text = change.partition("=")
    if not sign or not path:
        raise BadInput(f"--set {change[:60]!r}: expected path=value, such as budget.evaluations=20")
    try:
        value = loads(text)
    except BadInput:
        value = text
    names = path.split(".")
    if names[0] in OBJECTS and len(names) == 2 and names[1] not in ("name", "knobs"):
        names.insert(1, "knobs")
    at: Any = data
    for i, name in enumerate(names[:-1]):
        if isinstance(at.get(name), str) and names[0] in OBJECTS and i == 0:
            at[name] = {"name": at[name]}
        at = at.setdefault(name, {"name": DEFAULTS[name]} if i == 0 and name in OBJECTS else {})
        if not isinstance(at, dict):
            raise BadInput(f"--set {change[:60]!r}: {'.'.join(names[: i + 1])} is no object")
    at[names[-1]] = (
        {"name": value} if len(names) == 1 and names[0] in OBJECTS and isinstance(value, str) else value
    )


def shipped() -> dict[str, Path]:
    """The ready specs by name."""
    return {p.stem: p for p in sorted(SHIPPED.glob("*.json"))}


def open_spec(name: str, changes: Sequence[str] = ()) -> RunSpec:
    """A ready spec by its name, or a JSON file by its path.

    Raises:
        NotFound: neither exists.
        BadInput: what it holds is wrong.
    """
    file = shipped().get(name, Path(name))
    try:
        size_bytes = file.stat().st_size
        if size_bytes > 1 << 20:
            raise BadInput(f"{name}: the file has {size_bytes:,} bytes; the limit is {1 << 20:,}")
        return read(file.read_bytes(), changes)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, ValueError) as error:
        raise NotFound(
            f"{name[:80]}: no file and no ready spec ({', '.join(shipped())}) of this name"
        ) from error
    except OSError as error:
        raise NotFound(f"{name[:80]}: cannot be read ({error.strerror})") from error


def reseeded(spec: RunSpec, seed: int) -> RunSpec:
    """The same search with another seed."""
    return replace(spec, seed=seed)
