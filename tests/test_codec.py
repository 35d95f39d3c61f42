"""JSON in and out: round trips over every entry of every table, and a friendly refusal for all the rest."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import time
import types
import typing
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nascore.codec import KINDS, arch_from_json, arch_to_json, dumps, from_json, loads, to_json
from nascore.errors import BadInput
from nascore.kinds import knobs
from nascore.problem import Memo
from nascore.runs.spec import from_document, read
from nascore.space import Restricted, restrict, sample, tuples
from nascore.tables import TABLES

WRAPS = ("restrict", "product")  # made of other spaces
ENTRIES = [(kind, name) for kind, entries in TABLES.items() for name in entries if name != "restrict"]
RANGED = [
    (kind, name, f)
    for kind, name in ENTRIES
    for f in knobs(TABLES[kind][name])
    if typing.get_type_hints(TABLES[kind][name])[f.name] in (int, float)
]
SPACES = sorted(n for n in TABLES["space"] if n not in WRAPS)
slow_is_fine = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def values(hint: Any, about: Any) -> st.SearchStrategy[Any]:
    """Values that a knob of this type and range may have."""
    if hint in KINDS:
        kind = KINDS[hint]
        names = sorted(n for n in TABLES[kind] if n not in WRAPS)
        return st.sampled_from(names).map(lambda n: TABLES[kind][n]())
    low, high = about["low"], about["high"]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if about["options"] and origin is not tuple:
        return st.sampled_from(about["options"])
    if origin is tuple and len(args) == 2 and args[1] is ...:
        if args[0] in KINDS and not TABLES[KINDS[args[0]]]:
            return st.just(())
        return st.lists(values(args[0], about), max_size=3, unique=bool(about["options"])).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(a, about) for a in args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*(st.none() if a is type(None) else values(a, about) for a in args))
    if hint is int:
        return st.integers(int(low or 0), int(high if high is not None else 1000))
    if hint is float:
        return st.floats(low if low is not None else -1e6, high if high is not None else 1e6, allow_nan=False)
    text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
    return _nested(hint) if is_dataclass(hint) else st.booleans() if hint is bool else text


def _nested(kind: Any) -> st.SearchStrategy[Any]:
    """Nested data; its lists of options stay as they come."""
    inner = typing.get_type_hints(kind)
    single = [f for f in knobs(kind) if typing.get_origin(inner[f.name]) is not tuple]
    return st.builds(kind, **{f.name: values(inner[f.name], f.metadata) for f in single})


def drawn(cls: type[Any], data: st.DataObject) -> Any:
    """An object with random knobs in their ranges."""
    hints = typing.get_type_hints(cls)
    taken = {f.name: data.draw(values(hints[f.name], f.metadata), label=f.name) for f in knobs(cls)}
    if "edges" in taken:
        _fit_cell(taken, data, cls().ops[0])
    try:
        return cls(**taken)
    except BadInput:
        assume(False)  # knobs that are each in range but do not fit together


def _fit_cell(taken: dict[str, Any], data: st.DataObject, known: tuple[str, ...]) -> None:
    """Makes the knobs of a drawn cell fit together."""
    inputs = taken["inputs"] = min(taken["inputs"], taken["nodes"] - 1)
    pairs = [(s, t) for t in range(inputs, taken["nodes"]) for s in range(t)]
    more = data.draw(st.lists(st.sampled_from(pairs), unique=True), label="edges")
    chain = [(t - 1, t) for t in range(inputs, taken["nodes"])]
    taken["edges"] = tuple(dict.fromkeys([*more, *chain]))
    ops = st.lists(st.sampled_from(known), min_size=1, unique=True).map(tuple)
    taken["ops"] = tuple(data.draw(st.lists(ops, min_size=1, max_size=1), label="ops"))
    if taken["nodes"] == inputs + 1:
        taken["ops_on"] = "edges"
    two = taken["stages"] > 1 and data.draw(st.booleans(), label="two kinds")
    taken["kinds"] = ("normal", "reduce") if two else ("cell",)
    taken["keep"] = 0 if taken["optional"] else taken["keep"]
    taken["most_edges"] = taken["most_edges"] if taken["optional"] else 0


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_defaults_come_back_as_they_went(kind: str, name: str) -> None:
    try:
        obj = TABLES[kind][name]()
    except TypeError:
        pytest.skip("a knob has no default")
    assert from_json(kind, to_json(obj)) == obj
    assert from_json(kind, name) == obj


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
@given(data=st.data())
@slow_is_fine
def test_random_knobs_come_back_through_text_as_they_went(kind: str, name: str, data: st.DataObject) -> None:
    obj = drawn(TABLES[kind][name], data)
    again = from_json(kind, loads(dumps(to_json(obj))))
    assert again == obj
    assert type(again) is type(obj)


@pytest.mark.parametrize("name", SPACES)
@given(data=st.data())
@slow_is_fine
def test_architectures_come_back_as_they_went(name: str, data: st.DataObject) -> None:
    space = TABLES["space"][name]()
    seed = data.draw(st.integers(0, 2**32))
    (arch,) = tuples(sample(space, 1, np.random.default_rng(seed)))
    assert arch_from_json(loads(dumps(arch_to_json(space, arch)))) == (space, arch)


def test_a_restricted_space_comes_back_with_its_option_values() -> None:
    space = restrict(TABLES["space"]["nasbench201"](), {"edge_1_0": ["none", "nor_conv_3x3"]})
    data = to_json(space)
    assert data["knobs"]["allowed"] == {"edge_1_0": ["none", "nor_conv_3x3"]}
    again = from_json("space", loads(dumps(data)))
    assert isinstance(again, Restricted)
    assert again == space


SPEC: dict[str, Any] = {
    "v": 1,
    "title": "a try",
    "space": {"name": "nasbench201", "knobs": {"cells": 1, "channels": 8, "stages": 1, "stem_stride": 2}},
    "task": {"name": "digits", "knobs": {}},
    "recipe": {"name": "sgd_cosine", "knobs": {"epochs": 10, "lr": 0.1, "parts": []}},
    "evaluator": {"name": "trained", "knobs": {}},
    "strategy": {"name": "nsga2", "knobs": {"population": 20, "crossover": 0.5}},
    "executor": "inline",
    "objectives": [["error", "min"], ["params", "min"]],
    "constraints": [["params", "<=", 100000]],
    "budget": {"evaluations": 20, "seconds": 0},
    "seed": 3,
    "device": "cpu",
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**19), 10**19) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path into a document but the empty one."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for k, v in pairs for p in ((*at, k), *places(v, (*at, k)))]


def changed(document: Any, data: st.DataObject) -> Any:
    """The document with one place replaced, removed or joined by something new."""
    out = copy.deepcopy(document)
    *path, last = data.draw(st.sampled_from(places(document)), label="place")
    inner = out
    for name in path:
        inner = inner[name]
    how = data.draw(st.sampled_from(["replace", "remove", "add"]), label="how")
    if how == "replace":
        inner[last] = data.draw(ANYTHING, label="value")
    elif how == "remove":
        del inner[last]
    elif isinstance(inner, dict):
        inner[data.draw(st.text(max_size=8), label="name")] = data.draw(ANYTHING, label="value")
    else:
        inner.append(data.draw(ANYTHING, label="value"))
    return out


def accepted(f: Callable[[], object]) -> bool:
    """Whether it is taken; any refusal but BadInput is an error here."""
    try:
        f()
    except BadInput as error:
        text = str(error)
        assert text
        assert "\n" not in text
        assert len(text) < 600
        return False
    return True


def test_the_spec_that_is_mutated_below_is_a_good_one() -> None:
    spec = from_document(SPEC)
    assert from_document(loads(dumps(spec.to_json()))) == spec


@given(data=st.data())
@settings(slow_is_fine, max_examples=300)
def test_a_changed_spec_is_taken_or_refused_in_one_sentence(data: st.DataObject) -> None:
    document = changed(SPEC, data)
    if data.draw(st.booleans()):
        document = changed(document, data) if places(document) else document
    accepted(lambda: from_document(document))


@given(data=st.data())
@settings(slow_is_fine, max_examples=200)
def test_a_spec_with_any_byte_changed_is_taken_or_refused_in_one_sentence(data: st.DataObject) -> None:
    text = bytearray(json.dumps(SPEC).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    accepted(lambda: read(bytes(text)))


@given(data=st.data())
@settings(slow_is_fine, max_examples=200)
def test_a_changed_architecture_is_taken_or_refused_in_one_sentence(data: st.DataObject) -> None:
    space = TABLES["space"]["nasbench201"]()
    document = arch_to_json(space, (0, 1, 2, 3, 4, 0))
    accepted(lambda: arch_from_json(changed(document, data)))


@given(st.text() | st.binary())
@settings(slow_is_fine, max_examples=200)
def test_any_text_is_taken_or_refused_in_one_sentence(text: str | bytes) -> None:
    accepted(lambda: read(text))


@given(st.text(max_size=60), st.text(max_size=30))
@settings(slow_is_fine, max_examples=200)
def test_any_change_on_the_command_line_is_taken_or_refused_in_one_sentence(path: str, value: str) -> None:
    for change in (path, f"{path}={value}", f"strategy.{path}={value}", f"budget.{path}={value}"):
        accepted(lambda c=change: read(json.dumps(SPEC), [c]))


CORPUS: dict[str, tuple[str | bytes, str]] = {
    "not JSON": ("{not json", "not JSON"),
    "empty": ("", "not JSON"),
    "2 MB": (json.dumps({"title": "x" * 2_000_000}), "limit is 1,048,576"),
    "depth 100,000": ("[" * 100_000, "deeper than 32"),
    "depth in objects": ('{"a":' * 5_000 + "1" + "}" * 5_000, "deeper than 32"),
    "5,000 digits": ('{"seed": ' + "9" * 5_000 + "}", "too large a number"),
    "NaN": ('{"seed": NaN}', "NaN"),
    "Infinity": ('{"seed": -Infinity}', "Infinity"),
    "1e999": ('{"seed": 1e999}', "no finite number"),
    "duplicate keys": ('{"seed": 1, "seed": 2}', "seed.*twice"),
    "lone surrogate escaped": ('{"title": "\\ud800"}', "surrogate"),
    "lone surrogate as text": ('{"title": "\ud800"}', "UTF-8"),
    "not UTF-8": (b'{"title": "\xff"}', "UTF-8"),
    "UTF-16": ('{"seed": 1}'.encode("utf-16"), "UTF-8"),
    "a list": ("[]", "expected an object"),
    "null": ("null", "expected an object"),
    "another version": ('{"v": 99}', "v: 99"),
    "version as a text": ('{"v": "1"}', "v: "),
}


@pytest.mark.parametrize("case", CORPUS)
def test_bad_text_is_refused_with_what_is_wrong_within_a_tenth_of_a_second(case: str) -> None:
    text, says = CORPUS[case]
    start = time.process_time()
    with pytest.raises(BadInput, match=says):
        read(text)
    assert time.process_time() - start < 0.1


WRONG: list[tuple[str, Any, str]] = [
    ("space", "nope", "space: no space called 'nope'; there are .*nasbench201"),
    ("space", {"name": "nasbench201", "knobs": {"cells": 900}}, r"space\.knobs\.cells: 900 is above"),
    (
        "space",
        {"name": "nasbench201", "knobs": {"cells": "5"}},
        r"space\.knobs\.cells: expected a whole number",
    ),
    (
        "space",
        {"name": "nasbench201", "knobs": {"cells": True}},
        r"space\.knobs\.cells: expected a whole number",
    ),
    (
        "space",
        {"name": "nasbench201", "knobs": {"channels": 1e6}},
        r"space\.knobs\.channels: 1e\+06 is above",
    ),
    ("space", {"name": "nasbench201", "knob": {}}, r"space\.knob: no such field"),
    ("strategy", {"name": "nsga2", "knobs": {"cells": 1}}, r"strategy\.knobs\.cells: no such knob"),
    ("strategy", 7, "strategy: expected .*got 7"),
    ("recipe", {"name": "sgd_cosine", "knobs": {"epochs": 0}}, r"recipe\.knobs\.epochs: 0 is below 1"),
    ("objectives", [["speed", "min"]], r"objectives\[0\]: 'speed' is not given"),
    ("objectives", [["error", "up"]], r"objectives\[0\]: expected"),
    ("objectives", [], "objectives: expected a list"),
    ("constraints", [["params", "<", 3]], r"constraints\[0\]: expected"),
    ("constraints", [["speed", "<=", 3]], r"constraints\[0\]: 'speed' is not given"),
    ("budget", {"evaluations": 0}, "budget: nothing may be spent"),
    ("budget", {"evaluations": -1}, "budget.evaluations: -1 is below 0"),
    ("seed", -1, "seed: -1"),
    ("seed", 1.5, "seed: 1.5"),
    ("device", "tpu", "device: .*tpu.* is none of auto, cpu, cuda"),
    ("colour", 1, "colour: no such field"),
]


@pytest.mark.parametrize(("field", "value", "says"), WRONG)
def test_a_wrong_field_is_named_with_its_value_and_what_would_be_right(
    field: str, value: Any, says: str
) -> None:
    with pytest.raises(BadInput, match=says):
        from_document({**SPEC, field: value})


STAGE: dict[str, Any] = {"blocks": ["conv"], "widths": [8, 16], "kernels": [3, 5]}
NESTED: list[tuple[Any, str]] = [
    ({"widths": [0, 8]}, r"stages\[1\]\.widths\[0\]: 0 is below 1"),
    ({"widths": ["8"]}, r"stages\[1\]\.widths\[0\]: expected a whole number, got \"8\""),
    ({"widths": 8}, r"stages\[1\]\.widths: expected a list, got 8"),
    ({"widths": []}, r"stages\[1\]\.widths: no option is given"),
    ({"kernels": [3, 4]}, r"stages\[1\]\.kernels: 4 is even"),
    ({"blocks": ["conv", "fly"]}, r"stages\[1\]\.blocks\[1\]: 'fly' is none of conv"),
    ({"per": "cell"}, r"stages\[1\]\.per: \"cell\" is none of stage, layer"),
    ({"wings": 2}, r"stages\[1\]\.wings: no such knob; there are blocks, widths"),
    ("conv", r"stages\[1\]: expected an object, got \"conv\""),
    ({"name": "stage", "knobs": {}}, r"stages\[1\]\.name: no such knob"),
]


def test_nested_data_is_written_as_an_object_of_its_knobs_and_comes_back() -> None:
    space = from_json("space", {"name": "stages", "knobs": {"stages": [STAGE, {}]}})
    data = to_json(space)
    first, second = data["knobs"]["stages"]
    assert first == {**second, **STAGE}, "every knob is written out"
    assert from_json("space", loads(dumps(data))) == space


@pytest.mark.parametrize(("stage", "says"), NESTED)
def test_a_wrong_value_inside_nested_data_is_named_by_its_whole_path(stage: Any, says: str) -> None:
    data = {"name": "stages", "knobs": {"stages": [STAGE, stage]}}
    with pytest.raises(BadInput, match=rf"^space\.knobs\.{says}"):
        from_json("space", data)


@pytest.mark.parametrize(("kind", "name", "f"), RANGED, ids=lambda v: getattr(v, "name", str(v)))
def test_every_knob_is_refused_on_both_sides_of_its_range(kind: str, name: str, f: Any) -> None:
    hint = typing.get_type_hints(TABLES[kind][name])[f.name]
    low, high = f.metadata["low"], f.metadata["high"]
    assert low is not None, "a number has a range"
    assert high is not None, "a number has a range"
    for bad, word in ((low - 1, f"is below {low:g}"), (high * 2 + 1, f"is above {high:g}")):
        given_ = {"name": name, "knobs": {f.name: int(bad) if hint is int else bad}}
        with pytest.raises(BadInput) as caught:
            from_json(kind, given_)
        assert str(caught.value).startswith(f"{kind}.knobs.{f.name}: ")
        assert word in str(caught.value)


@pytest.mark.parametrize(
    "evil", ["os.system", "nascore.strategies.nsga2.Nsga2", "../../etc/passwd", "__class__", "this"]
)
@pytest.mark.parametrize("kind", sorted(TABLES))
def test_a_file_can_name_no_module_class_or_path(kind: str, evil: str) -> None:
    before = set(sys.modules)
    with pytest.raises(BadInput, match=f"no {kind} called"):
        from_json(kind, {"name": evil, "knobs": {}})
    assert set(sys.modules) == before


class Evil:
    """A pickle that leaves a mark when it is read without care."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_a_malicious_pickle_in_place_of_a_memo_runs_no_code(tmp_path: Path) -> None:
    memo, mark = Memo(tmp_path), tmp_path / "mark"
    memo.save("phase", {"epoch": 1})
    (file,) = tmp_path.glob("*.pt")
    file.write_bytes(pickle.dumps(Evil(mark)))
    assert memo.load("phase") is None
    assert not mark.exists()
    pickle.loads(file.read_bytes())  # noqa: S301 -- shows that the trap is armed
    assert mark.exists()
