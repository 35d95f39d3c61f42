"""Good practice of comparing searches, ticked off from the runs themselves.

The list follows Lindauer and Hutter, Best Practices for Scientific Research on Neural Architecture Search
(2020), in our own words; what a run cannot tell is said to be unknown. `no` is no verdict on a study that is
under way: it says what a reader of its figures must know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from nascore.measures.compare import flat

Answer = Literal["yes", "no", "unknown"]
SEEDS = 5  # of each method
PROTOCOL = ("data", "split", "epochs", "seeds", "source")
MACHINE = ("cpu", "device", "threads")
VERSIONS = ("python", "torch")
MOST = 4  # values that are listed
DIFFER = "They differ in "
MEANING = 5  # entries of `_fair` that decide what a number means


@dataclass(frozen=True)
class Fact:
    """What one run tells about itself.

    Attributes:
        run: its id.
        method: what its method is called.
        spec: its document.
        about: what its worker said of protocol and machine; empty where it never started.
        state: finished, running, ...
        evaluations: architectures judged.
        tested: whether what it found has a metric on test data.
    """

    run: str
    method: str
    spec: Mapping[str, Any]
    about: Mapping[str, str | float] = field(default_factory=dict)
    state: str = "finished"
    evaluations: int = 0
    tested: bool = False

    @cached_property
    def flat(self) -> dict[str, str]:
        """Its document, path -> value."""
        return flat(self.spec)

    @property
    def strategy(self) -> str:
        """Its strategy's name."""
        return str(self.spec["strategy"]["name"])

    @property
    def seed(self) -> int:
        """Its seed."""
        return int(self.spec.get("seed", 0))

    @property
    def tabular(self) -> bool:
        """Whether a table answered."""
        return self.spec["evaluator"]["name"] == "tabular"


@dataclass(frozen=True)
class Entry:
    """One line of the list.

    Attributes:
        part: of the list.
        say: the practice, as a claim.
        answer: whether the runs follow it.
        evidence: what in the runs says so.
    """

    part: str
    say: str
    answer: Answer
    evidence: str


def checklist(facts: Sequence[Fact], left_out: int = 0, baseline: str = "") -> list[Entry]:
    """The list, filled in.

    Args:
        facts: one a run, at least one.
        left_out: runs of the same methods that are not among them.
        baseline: what random average the page compares with; empty for none.
    """
    return [*_code(facts), *_fair(facts), *_evidence(facts, left_out, baseline), *_reported(facts)]


def apart(facts: Sequence[Fact]) -> list[str]:
    """In what runs differ so that their numbers do not mean the same: space, data, recipe, protocol, goal."""
    found = dict.fromkeys(e.evidence for e in _fair(facts)[:MEANING] if e.answer == "no")
    core = [text.removeprefix(DIFFER) for text in found]
    return [
        text for text, own in zip(found, core, strict=True) if not any(own in o and own != o for o in core)
    ]


def _code(facts: Sequence[Fact]) -> list[Entry]:
    part = "Can be repeated"
    seeds = sorted({f.seed for f in facts})
    versions = _values(facts, VERSIONS)
    return [
        Entry(part, "The code of every method and of the training is at hand", "yes", _made(facts)),
        Entry(
            part,
            "The space, the recipe and every knob are stated",
            "yes",
            "Each run's specification holds all of them, defaults included",
        ),
        Entry(part, "The seeds are stated", "yes", f"Seeds {_range(seeds)}"),
        Entry(
            part,
            "The versions of the libraries are stated",
            "unknown" if not all(versions) else "yes",
            _said(versions, "Some runs never started, so nothing is recorded"),
        ),
    ]


def _made(facts: Sequence[Fact]) -> str:
    names = sorted({f.strategy.replace("_", " ") for f in facts})
    return f"All were made by this program: {_listed(names)}"


def _fair(facts: Sequence[Fact]) -> list[Entry]:
    part = "The same for all"
    recipe = "The training recipe is the same"
    if all(f.tabular for f in facts):
        trained = Entry(part, recipe, "yes", "A table answered: every architecture was trained once, for all")
        trained = (
            trained
            if _alike(facts, "evaluator")
            else Entry(part, recipe, "no", DIFFER + _apart(facts, "evaluator"))
        )
    else:
        trained = _same(part, recipe, facts, "recipe")
    return [
        _same(part, "The search space is the same", facts, "space"),
        _same(part, "The data are the same", facts, "task"),
        trained,
        _recorded(part, "Architectures are judged under one protocol", facts, PROTOCOL, "evaluator"),
        _same(part, "All search for the same, within the same limits", facts, "objectives", "constraints"),
        _same(part, "The budget is the same", facts, "budget"),
        _recorded(part, "They ran on the same hardware", facts, MACHINE),
        _recorded(part, "They ran with the same versions", facts, VERSIONS),
    ]


def _alike(facts: Sequence[Fact], *paths: str) -> bool:
    return not _paths(facts, paths)


def _paths(facts: Sequence[Fact], tops: Sequence[str]) -> list[str]:
    """Paths below some tops in which specs differ, those of a differing object left out."""
    flats = [f.flat for f in facts]
    keys = dict.fromkeys(p for f in flats for p in f if p.partition(".")[0] in tops)
    found = [p for p in keys if len({f.get(p, "") for f in flats}) > 1]
    return [p for p in found if p.rpartition(".")[0] not in found]


def _apart(facts: Sequence[Fact], *tops: str) -> str:
    flats = [f.flat for f in facts]
    said = [
        f"{path.replace('_', ' ')}: {_listed(sorted({f.get(path, 'none') or 'none' for f in flats}))}"
        for path in _paths(facts, tops)
    ]
    return "; ".join(said)


def _same(part: str, say: str, facts: Sequence[Fact], *tops: str) -> Entry:
    if not _alike(facts, *tops):
        return Entry(part, say, "no", DIFFER + _apart(facts, *tops))
    said = facts[0].flat
    short = "; ".join(
        f"{p.rpartition('.')[2].replace('_', ' ')} {said[p]}" if "." in p else said[p].replace("_", " ")
        for p in said
        if (p in tops and said[p]) or (p.partition(".")[0] in tops and tops == ("budget",) and said[p] != "0")
    )
    return Entry(part, say, "yes", f"All: {short}" if short else "All alike")


def _values(facts: Sequence[Fact], keys: Sequence[str]) -> list[tuple[str, ...]]:
    """What each run recorded under some names; an empty tuple where something is missing."""
    return [tuple(_text(f.about[k]) for k in keys) if all(k in f.about for k in keys) else () for f in facts]


def _text(value: str | float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _said(values: Sequence[tuple[str, ...]], none: str) -> str:
    return _listed(sorted({" ".join(v) for v in values})) if all(values) else none


def _recorded(part: str, say: str, facts: Sequence[Fact], keys: Sequence[str], top: str = "") -> Entry:
    values = _values(facts, keys)
    kinds = sorted({v for v in values if v})
    which = [
        f"{k}: {_listed(sorted(said))}" for i, k in enumerate(keys) if len(said := {v[i] for v in kinds}) > 1
    ]
    if top and not _alike(facts, top):
        which.insert(0, _apart(facts, top))
    if which:
        return Entry(part, say, "no", DIFFER + "; ".join(which))
    if not all(values):
        return Entry(part, say, "unknown", "Some runs recorded nothing of it")
    said = [f"{v} epochs" if k == "epochs" else v for k, v in zip(keys, values[0], strict=True) if v]
    return Entry(part, say, "yes", f"All: {' · '.join(said)}")


def _evidence(facts: Sequence[Fact], left_out: int, baseline: str) -> list[Entry]:
    part = "Enough evidence"
    seeds: dict[str, set[int]] = {}
    for f in facts:
        seeds.setdefault(f.method, set()).add(f.seed)
    few = {m: len(s) for m, s in seeds.items() if len(s) < SEEDS}
    said = (
        _listed([f"{m} has {n}" for m, n in few.items()])
        if few
        else f"At least {min(map(len, seeds.values()))}"
    )
    ended = [f for f in facts if f.state == "finished"]
    early = len(facts) - len(ended)
    return [
        Entry(part, f"Every method has several seeds, {SEEDS} or more", "no" if few else "yes", said),
        _paired(part, seeds),
        Entry(
            part,
            "Random search or the random average stands beside them",
            "yes" if baseline else "no",
            baseline or "No run of random search, and no table knows the average",
        ),
        Entry(
            part,
            "Every run went to its end",
            "no" if early else "yes",
            f"{early} of {len(facts)} did not: they run, were stopped or failed"
            if early
            else f"All {len(facts)}",
        ),
        Entry(
            part,
            "No run of these methods is kept back",
            "no" if left_out else "yes",
            f"{left_out} more on this machine are not chosen here"
            if left_out
            else "All on this machine are here",
        ),
        _ablated(part, facts),
    ]


def _paired(part: str, seeds: Mapping[str, set[int]]) -> Entry:
    say = "All methods have the same seeds"
    if len(seeds) < 2:
        return Entry(part, say, "unknown", "There is one method only")
    same = len({frozenset(s) for s in seeds.values()}) == 1
    return Entry(
        part,
        say,
        "yes" if same else "no",
        "So they are compared seed by seed" if same else "Some lack seeds that others have",
    )


def _ablated(part: str, facts: Sequence[Fact]) -> Entry:
    """Two methods of one strategy that differ in a single knob are an ablation."""
    say = "What a part of a method adds is tried without it"
    first = {f.method: f for f in facts}
    found = list(first.values())
    for i, a in enumerate(found):
        for b in found[i + 1 :]:
            paths = _paths([a, b], tuple({*a.spec, *b.spec} - {"v", "title", "seed"}))
            if a.strategy == b.strategy and len(paths) == 1 and paths[0].startswith("strategy."):
                knob = paths[0].removeprefix("strategy.").replace("_", " ")
                return Entry(part, say, "yes", f"{a.strategy.replace('_', ' ')} with another {knob}")
    return Entry(part, say, "no", "No two methods differ in one knob of a strategy alone")


def _reported(facts: Sequence[Fact]) -> list[Entry]:
    part = "Reported in full"
    tested, splits = (
        sum(f.tested for f in facts),
        sorted({str(f.about.get("split", "")) for f in facts} - {""}),
    )
    by_test = [s for s in splits if s.startswith("test")]
    table = [f for f in facts if f.tabular]
    return [
        Entry(
            part,
            "Nothing was chosen by test data",
            "unknown" if not splits else "no" if by_test else "yes",
            f"Judged on {_listed(splits)}" if splits else "The runs do not say on what they were judged",
        ),
        Entry(
            part,
            "What was found is judged on data that no search saw",
            "yes" if tested == len(facts) else "no",
            f"{tested} of {len(facts)} runs have a test metric of what they found",
        ),
        Entry(part, "The quality over time is shown, not the end alone", "yes", "The curves on this page"),
        Entry(
            part,
            "The time of the whole search is stated",
            "yes",
            "Active seconds of each run, in the table of methods",
        ),
        Entry(
            part,
            "A table allows a look at many more runs",
            "yes" if len(table) == len(facts) else "no",
            "All asked a benchmark table"
            if len(table) == len(facts)
            else f"{len(table)} of {len(facts)} asked a benchmark table",
        ),
        Entry(
            part,
            "How knobs were tuned, and at what cost, is stated",
            "unknown",
            "Runs do not know what was tried before them",
        ),
    ]


def _range(seeds: Sequence[int]) -> str:
    """Whole numbers in a row as their ends."""
    whole = len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1
    return f"{seeds[0]} to {seeds[-1]}" if whole else _listed(seeds)


def _listed(values: Sequence[Any]) -> str:
    said = [str(v) for v in values]
    more = len(said) - MOST
    return ", ".join(said[:MOST]) + (f" and {more} more" if more > 0 else "")
