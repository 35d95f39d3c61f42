"""Runs side by side: which are seeds of one method, what sets methods apart, what search adds over chance.

Two runs belong to one method where their specs differ in the seed alone (and the title). A method is named by
its strategy and by what the others have otherwise.
"""

from __future__ import annotations

import hashlib
import json
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nascore import stats
from nascore.errors import BadInput
from nascore.measures.relative import Improvement, Relative, improvement

Document = Mapping[str, Any]
NO_METHOD = ("v", "title", "seed")
LONGEST = 24  # letters of a value in a name


def method(spec: Document) -> str:
    """Eight hex digits that two specs share where they differ in seed and title alone."""
    kept = {k: v for k, v in spec.items() if k not in NO_METHOD}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def methods(specs: Mapping[str, Document]) -> dict[str, list[str]]:
    """Method -> its runs, both in the order given. `specs` is run -> spec."""
    out: dict[str, list[str]] = {}
    for run, spec in specs.items():
        out.setdefault(method(spec), []).append(run)
    return out


def flat(spec: Document) -> dict[str, str]:
    """Path -> value as a word: `strategy` -> `random_search`, `strategy.batch` -> `16`."""
    out: dict[str, str] = {}
    for name, value in spec.items():
        if name not in NO_METHOD:
            _flatten(name, value, out)
    return out


def _flatten(path: str, value: Any, out: dict[str, str]) -> None:
    if isinstance(value, dict) and "name" in value:
        out[path] = str(value["name"])
        for knob, inner in value.get("knobs", {}).items():
            _flatten(f"{path}.{knob}", inner, out)
    elif isinstance(value, dict):
        for knob, inner in value.items():
            _flatten(f"{path}.{knob}", inner, out)
    elif isinstance(value, list):
        out[path] = ", ".join(" ".join(map(str, v)) if isinstance(v, list) else str(v) for v in value)
    elif isinstance(value, float):
        out[path] = f"{value:g}"
    else:
        out[path] = str(value)


def differing(specs: Mapping[str, Document]) -> list[str]:
    """Paths in which some specs differ; knobs only among those whose object has the same name."""
    flats = [flat(s) for s in specs.values()]
    found = []
    for path in dict.fromkeys(p for f in flats for p in f):
        owner = path.rpartition(".")[0]
        kinds: dict[str, set[str]] = {}
        for f in flats:
            if path in f:
                kinds.setdefault(f.get(owner, ""), set()).add(f[path])
        if any(len(values) > 1 for values in kinds.values()):
            found.append(path)
    return found


def names(specs: Mapping[str, Document]) -> dict[str, str]:
    """Method -> what people call it: the strategy, and what sets it apart from the others.

    Args:
        specs: method -> the spec of one of its runs.
    """
    apart = sorted(
        (p for p in differing(specs) if p != "strategy"), key=lambda p: not p.startswith("strategy.")
    )
    flats, out = {key: flat(spec) for key, spec in specs.items()}, dict[str, str]()
    for key, said in flats.items():
        parts = [_spoken(said.get("strategy", "?"))]
        parts += [_say(p, said[p]) for p in apart if p in said and _tells(p, said, list(flats.values()))]
        out[key] = ", ".join(parts)
    twice = {n for n in out.values() if list(out.values()).count(n) > 1}
    return {key: f"{name} ({key[:4]})" if name in twice else name for key, name in out.items()}


def _tells(path: str, said: Mapping[str, str], flats: Sequence[Mapping[str, str]]) -> bool:
    """Whether another spec with the same object has another value of this knob."""
    owner = path.rpartition(".")[0]
    others = [f for f in flats if f.get(owner, "") == said.get(owner, "")]
    return any(f.get(path, said[path]) != said[path] for f in others)


def _say(path: str, value: str) -> str:
    last = path.rpartition(".")[2]
    short = value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    match path:
        case "objectives":
            return f"for {short}"
        case "constraints":
            return f"within {short}" if short else "without limits"
        case "budget.evaluations":
            return f"{short} evaluations"
        case "space" | "task" | "evaluator" | "recipe":
            return f"{path} {_spoken(short)}"
    return f"{_spoken(last)} {_spoken(short)}"


def _spoken(text: str) -> str:
    return text.replace("_", " ")


def over_mean(found: ArrayLike, mean: float) -> Improvement:
    """Relative improvement over a random average that is known exactly, such as that of a whole table.

    The interval is Student's of the found ones, since the other side has no noise; p is of the t-test that
    their mean is the random one.

    Args:
        found: (n,) accuracies of what independent searches found; higher is better.
        mean: of all architectures of the space.

    Raises:
        BadInput: nothing was found, something is not finite, or the mean is not above 0.
    """
    x = np.asarray(found, np.float64)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise BadInput(f"found: expected a list of finite accuracies, got shape {x.shape}")
    if not math.isfinite(mean) or mean <= 0:
        raise BadInput(f"random: the mean is {mean:g}; an improvement relative to it has no meaning")
    m, value = stats.mean(x), improvement(x, [mean])
    low, high = (100 * (end - mean) / mean for end in (m.low, m.high))
    return Improvement(stats.Interval(value, low, high, len(x)), _one_sample(x, mean), m.value, mean)


def _one_sample(x: np.ndarray[Any, np.dtype[np.float64]], mean: float) -> float:
    if len(x) < 2:
        return math.nan
    if np.ptp(x) == 0:
        return float(x[0] == mean)
    from scipy.stats import ttest_1samp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of values that are nearly alike
        return float(getattr(ttest_1samp(x, mean), "pvalue"))  # noqa: B009 -- scipy's own type


def over_random(found: ArrayLike, random: ArrayLike) -> Improvement:
    """The same over random architectures that were drawn: every one that random search tried, not its best.

    Args:
        found: (n,) accuracies of what independent searches found; higher is better.
        random: (m,) accuracies of architectures drawn uniformly.

    Raises:
        BadInput: as in `Relative.measure`.
    """
    return Relative().measure(found, random)


def one_a_seed(runs: Iterable[tuple[str, int, int]]) -> tuple[list[str], list[str]]:
    """Of runs with the same seed the one that came farthest, since the others only repeat it.

    Args:
        runs: (run, seed, evaluations) of one method.

    Returns:
        The runs to take, by seed, and those to leave out.
    """
    given = list(runs)
    best: dict[int, tuple[str, int]] = {}
    for run, seed, evaluations in given:
        if seed not in best or evaluations > best[seed][1]:
            best[seed] = (run, evaluations)
    taken = [best[seed][0] for seed in sorted(best)]
    return taken, [run for run, _, _ in given if run not in taken]


def directions(objectives: Sequence[Sequence[tuple[str, str]]]) -> dict[str, str]:
    """Metrics that every run searches for, with their direction; those that pull both ways are left out.

    Args:
        objectives: of each run, (metric, direction).
    """
    if not objectives:
        return {}
    each = [dict(o) for o in objectives]
    return {m: d for m, d in each[0].items() if all(o.get(m) == d for o in each)}
