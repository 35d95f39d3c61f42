"""JSON in and out of every knobbed object. `to_json` and `from_json` are the only two doors.

The kind picks the table, so a file can never name a class or a module; the table of a nested object comes
from the declared type of its field. A refusal is one `BadInput` with a path that a person can follow.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal

from nascore.errors import BadInput
from nascore.executors import Executor
from nascore.kinds import Evaluator, Predictor, Proxy, Strategy, check_values, knobs
from nascore.recipe import Part, Recipe
from nascore.space import Arch, Restricted, Space, Value, describe, from_choices, restrict
from nascore.tables import TABLES, entry, name_of
from nascore.task import Task

VERSION = 1
MAX_BYTES, MAX_DEPTH = 1 << 20, 32
KINDS: dict[Any, str] = {
    Space: "space",
    Task: "task",
    Recipe: "recipe",
    Part: "part",
    Evaluator: "evaluator",
    Proxy: "proxy",
    Predictor: "predictor",
    Strategy: "strategy",
    Executor: "executor",
}


def loads(text: str | bytes) -> Any:
    """Strict JSON.

    Raises:
        BadInput: over 1 MiB, deeper than 32, not JSON, NaN or Infinity, a huge number, duplicate keys,
            or lone surrogates.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise BadInput(f"the file has {len(raw):,} bytes; the limit is {MAX_BYTES:,}")
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"not UTF-8 text: byte {error.start} cannot be read") from error
    _check_depth(decoded)
    try:
        value = json.loads(
            decoded, object_pairs_hook=_unique, parse_constant=_constant, parse_float=_float, parse_int=_int
        )
    except json.JSONDecodeError as error:
        raise BadInput(f"not JSON: {error.msg} in line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise BadInput(f"nested deeper than {MAX_DEPTH}") from error
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise BadInput("a text holds half of a surrogate pair") from error
    return value


def _check_depth(text: str) -> None:
    """Counts brackets outside strings, before a parser could run out of stack."""
    depth, quoted, escaped = 0, False, False
    for ch in text:
        if quoted:
            quoted, escaped = (ch != '"' or escaped), (ch == "\\" and not escaped)
        elif ch == '"':
            quoted = True
        elif ch in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadInput(f"nested deeper than {MAX_DEPTH}")
        elif ch in "]}":
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [k for k, _ in pairs]
        raise BadInput(f"{next(k for k in names if names.count(k) > 1)[:80]}: this key stands twice")
    return out


def _constant(name: str) -> Any:
    raise BadInput(f"{name} is no number here")


def _float(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise BadInput(f"{text[:20]} is no finite number")
    return value


def _int(text: str) -> int:
    if len(text) > 20:
        raise BadInput(f"{text[:10]}... is too large a number ({len(text)} digits)")
    return int(text)


def dumps(value: Any, *, indent: int | None = None) -> str:
    """JSON text; non-finite numbers become null."""
    return json.dumps(finite(value), allow_nan=False, indent=indent, ensure_ascii=False)


def finite(value: Any) -> Any:
    """The value with every non-finite number replaced by None, tuples by lists."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def to_json(obj: Any) -> dict[str, Any]:
    """`{"name": key, "knobs": {...}}` with every knob written out."""
    if isinstance(obj, Restricted):
        knobs_ = {"space": to_json(obj.space), "allowed": {n: list(v) for n, v in obj.allowed}}
        return {"name": "restrict", "knobs": knobs_}
    if _is_plain(type(obj)):
        return _out(obj)
    return {"name": name_of(obj), "knobs": {f.name: _out(getattr(obj, f.name)) for f in knobs(type(obj))}}


def _is_plain(kind: Any) -> bool:
    """Whether a class is nested data with knobs that stands in no table, such as one stage of a space."""
    return (
        isinstance(kind, type)
        and is_dataclass(kind)
        and bool(knobs(kind))
        and not any(kind in entries.values() for entries in TABLES.values())
    )


def _out(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_out(v) for v in value]
    if _is_plain(type(value)):
        return {f.name: _out(getattr(value, f.name)) for f in knobs(type(value))}
    return value if value is None or isinstance(value, str | int | float | bool) else to_json(value)


def from_json(kind: str, data: Any, path: str = "") -> Any:
    """The object of `{"name": ..., "knobs": {...}}`; a bare name stands for all defaults.

    Raises:
        BadInput: with the path of what is wrong, what was given, and what would be right.
    """
    path = path or kind
    data = {"name": data} if isinstance(data, str) else data
    if not isinstance(data, dict):
        raise BadInput(f'{path}: expected {{"name": ..., "knobs": {{...}}}}, got {_short(data)}')
    if extra := set(data) - {"name", "knobs"}:
        raise BadInput(f"{path}.{sorted(extra)[0][:80]}: no such field; there are name and knobs")
    try:
        cls = entry(kind, data.get("name"))
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    given = data.get("knobs", {})
    if not isinstance(given, dict):
        raise BadInput(f"{path}.knobs: expected an object, got {_short(given)}")
    if cls is Restricted:
        return _restricted(given, f"{path}.knobs")
    return build(cls, given, f"{path}.knobs")


def _restricted(given: dict[str, Any], path: str) -> Restricted:
    allowed = given.get("allowed", {})
    if not isinstance(allowed, dict) or not all(isinstance(v, list) for v in allowed.values()):
        raise BadInput(f"{path}.allowed: expected choice names with a list of options each")
    try:
        return restrict(from_json("space", given.get("space"), f"{path}.space"), allowed)
    except BadInput as error:
        text = str(error)
        raise BadInput(text if text.startswith(path) else f"{path}.allowed.{text}") from None


def build(cls: type[Any], given: dict[str, Any], path: str) -> Any:
    """An instance of a class of knobs from plain values, each checked for type and range.

    Raises:
        BadInput: an unknown or missing knob, a value of the wrong type or out of range.
    """
    known = {f.name: f for f in (knobs(cls) or fields(cls))}
    if unknown := [n for n in given if n not in known]:
        raise BadInput(f"{path}.{unknown[0][:80]}: no such knob; there are {', '.join(known) or 'none'}")
    hints = typing.get_type_hints(cls)
    values = {n: convert(hints[n], v, f"{path}.{n}") for n, v in given.items()}
    for n, f in known.items():
        if n not in values and f.default is MISSING and f.default_factory is MISSING:
            raise BadInput(f"{path}.{n}: missing")
    check_values(cls, values, path)
    try:
        return cls(**values)
    except BadInput as error:  # each is in its range, but they do not fit together
        raise BadInput(f"{path}.{error}") from None


def convert(hint: Any, value: Any, path: str) -> Any:
    """A plain value as the declared type.

    Raises:
        BadInput: it is of another type.
    """
    if hint in KINDS:
        return from_json(KINDS[hint], value, path)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _tuple(args, value, path)
    if _is_plain(hint):
        if not isinstance(value, dict):
            raise BadInput(f"{path}: expected an object, got {_short(value)}")
        return build(hint, value, path)
    if origin is Literal:
        if value not in args or isinstance(value, bool) != isinstance(args[0], bool):
            raise BadInput(f"{path}: {_short(value)} is none of {', '.join(map(str, args))}")
        return value
    if origin in (types.UnionType, typing.Union):
        return _union(args, value, path)
    return _scalar(hint, value, path)


def _tuple(args: tuple[Any, ...], value: Any, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise BadInput(f"{path}: expected a list, got {_short(value)}")
    each = [args[0]] * len(value) if len(args) == 2 and args[1] is ... else list(args)
    if len(each) != len(value):
        raise BadInput(f"{path}: expected {len(each)} values, got {len(value)}")
    return tuple(convert(h, v, f"{path}[{i}]") for i, (h, v) in enumerate(zip(each, value, strict=True)))


def _union(args: tuple[Any, ...], value: Any, path: str) -> Any:
    if value is None and type(None) in args:
        return None
    rest = [a for a in args if a is not type(None)]
    same = [a for a in rest if a is type(value)]
    return convert(same[0] if same else rest[0], value, path)


def _scalar(hint: Any, value: Any, path: str) -> Any:
    good = {
        int: isinstance(value, int) and not isinstance(value, bool),
        float: isinstance(value, int | float) and not isinstance(value, bool),
        bool: isinstance(value, bool),
        str: isinstance(value, str),
    }
    if hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if not good.get(hint, False):
        word = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
        raise BadInput(f"{path}: expected {word.get(hint, 'another value')}, got {_short(value)}")
    return float(value) if hint is float else value


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def arch_to_json(space: Space, arch: Arch) -> dict[str, Any]:
    """An arch with its space, by names: the file explains itself."""
    return {"v": VERSION, "space": to_json(space), "choices": describe(space, arch)}


def arch_from_json(data: Any) -> tuple[Space, Arch]:
    """Space and arch of what `arch_to_json` wrote.

    Raises:
        BadInput: with the path of what is wrong.
    """
    data = upgrade(data, "architecture")
    if extra := set(data) - {"v", "space", "choices"}:
        raise BadInput(f"{sorted(extra)[0][:80]}: no such field; there are v, space and choices")
    space: Space = from_json("space", data.get("space"))
    choices: dict[str, Value] = data.get("choices", {})
    if not isinstance(choices, dict):
        raise BadInput(f"choices: expected an object, got {_short(choices)}")
    try:
        return space, from_choices(space, choices)
    except BadInput as error:
        raise BadInput(f"choices.{error}") from None


def upgrade(data: Any, what: str) -> dict[str, Any]:
    """The document in today's version.

    Raises:
        BadInput: it is no object, or of a version that this program does not know.
    """
    if not isinstance(data, dict):
        raise BadInput(f"{what}: expected an object, got {_short(data)}")
    v = data.get("v", VERSION)
    if isinstance(v, bool) or not isinstance(v, int) or not 1 <= v <= VERSION:
        raise BadInput(f"v: {_short(v)} is no version that is known here; the newest is {VERSION}")
    return data
