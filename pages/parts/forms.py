"""Forms made from knobs: a class becomes widgets, the widgets become a spec document, the codec judges it.

What the form starts from is a document in the session (`begin`); after that the widgets hold the values.
Every widget's key is its path in the document, so tests can name it. What lies in a closed popover is drawn
later, from its default: so a widget gets what it starts from both as its default and as its state.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import Field, is_dataclass
from typing import Any, Literal

import streamlit as st

from nascore.benchmarks.table import list_tables
from nascore.codec import KINDS, dumps, to_json
from nascore.errors import BadInput
from nascore.kinds import knobs, summary
from nascore.space import Space
from nascore.tables import table
from pages.parts.show import plain

PREFIX, BEGIN = "form_", "form_begin"
HIDDEN = {
    "space": ("restrict", "cell", "stages", "product", "training", "quant")
}  # a form cannot make them, or they make no network alone; a file may still name them
SPOKEN = {
    "nsga2": "NSGA-II",
    "nasbench201": "NAS-Bench-201",
    "sgd_cosine": "SGD, cosine",
    "lr": "learning rate",
}
BIG = 2**53 - 1  # the largest number that the browser counts to


def begin(document: Mapping[str, Any]) -> None:
    """Starts the form from a spec document; call it before any of its widgets is drawn."""
    for key in [k for k in st.session_state if str(k).startswith(PREFIX)]:
        del st.session_state[key]
    st.session_state[BEGIN] = dict(document)


def first(name: str) -> Any:
    """What the document that the form started from says of a field; None where it says nothing."""
    return st.session_state.get(BEGIN, {}).get(name)


def keyed(path: str, value: Any) -> str:
    """The key of a widget, whose state is set to `value` where it has none yet."""
    key = PREFIX + path
    if key not in st.session_state:
        st.session_state[key] = value
    return key


def node(data: Any) -> tuple[str, dict[str, Any]]:
    """Name and given knobs of `"name"` or `{"name": ..., "knobs": {...}}`."""
    if isinstance(data, str):
        return data, {}
    data = data if isinstance(data, dict) else {}
    return str(data.get("name", "")), dict(data.get("knobs", {}))


def choose(kind: str, label: str, given: Any, path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    """A select box over a table. Returns the name, and the knobs that were given for that name."""
    name, values = node(given)
    hidden = [n for n in HIDDEN.get(kind, ()) if n != name]
    names = [n for n in sorted(table(kind)) if n not in hidden]
    start = name if name in names else names[0]
    key = keyed(path, start)
    if st.session_state[key] not in names:
        st.session_state[key] = start
    taken = st.selectbox(label, names, names.index(start), key=key, format_func=spoken, **more)
    return taken, values if taken == name else {}


def spoken(name: str) -> str:
    """A table entry as people read it: `regularized evolution`."""
    return SPOKEN.get(name, name.replace("_", " "))


def sentence(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]


def entry_of(kind: str, name: str) -> type[Any]:
    """The class behind a chosen name."""
    return table(kind)[name]


def defaults(cls: type[Any]) -> dict[str, Any]:
    """Every knob's default as plain values; empty where the class cannot be made without being told."""
    try:
        made = to_json(cls())
        return dict(made.get("knobs", made))  # plain data, such as a budget, has no name
    except (TypeError, BadInput):
        return {}


def settings(cls: type[Any], given: Mapping[str, Any], path: str) -> dict[str, Any]:
    """A widget a knob, in their order. Returns knob -> plain value."""
    start, hints = {**defaults(cls), **given}, typing.get_type_hints(cls)
    out = {f.name: _knob(f, hints[f.name], start.get(f.name), f"{path}_{f.name}") for f in knobs(cls)}
    return {name: value for name, value in out.items() if value is not None}


def part(kind: str, label: str, icon: str) -> tuple[dict[str, Any], Any]:
    """A card: what is chosen, what it is in one line, and its knobs one click away.

    Returns:
        The object's JSON, and a place in the card for a refusal.
    """
    with st.container(border=True, gap="xsmall", height="stretch", key=f"card-{kind}"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            title = f":material/{icon}: {label}"
            name, values = choose(kind, title, first(kind), kind, width="stretch")
            cls = entry_of(kind, name)
            made = values
            if knobs(cls):
                hint = f"Knobs of the {label.lower()}"
                with st.popover("", icon=":material/tune:", help=hint, key=f"knobs-{kind}"):
                    made = settings(cls, values, f"{kind}_{name}")
        st.markdown(f":small[:gray[{plain(summary(cls), 200)}]]")
        return {"name": name, "knobs": made}, st.empty()


def _knob(f: Field[Any], hint: Any, value: Any, path: str) -> Any:
    """The widget of one knob by its declared type."""
    about, label = f.metadata, sentence(spoken(f.name))
    words: dict[str, Any] = {"help": _help(about)}
    if hint in KINDS:
        return _object(KINDS[hint], label, value, path, words)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    options = about["options"] or (args if origin is Literal else ())
    if options and origin is tuple:
        start = [o for o in value or () if o in options]
        return st.multiselect(label, options, start, key=keyed(path, start), **words)
    if about["of"] == "table":
        options = list(dict.fromkeys([*(t.name for t in list_tables()), str(value)]))
    if options:
        start = value if value in options else options[0]
        return st.selectbox(label, options, list(options).index(start), key=keyed(path, start), **words)
    if is_dataclass(hint):
        return _group(hint, label, value, path)
    if origin is tuple:
        return _several(args, label, value, path, words)
    if hint is bool:
        return st.toggle(label, bool(value), key=keyed(path, bool(value)), **words)
    if hint in (int, float):
        return _number(hint, about, label, value, path)
    said = "" if value is None else str(value)
    return st.text_input(label, said, key=keyed(path, said), **words) or None


def _object(kind: str, label: str, value: Any, path: str, words: dict[str, Any]) -> dict[str, Any]:
    """A knob that holds another knobbed object: a select box and, below it, that one's knobs."""
    name, given = choose(kind, label, value, path, **words)
    st.markdown(f":small[:gray[{plain(summary(entry_of(kind, name)), 200)}]]")
    return {"name": name, "knobs": settings(entry_of(kind, name), given, f"{path}_{name}")}


def _group(cls: Any, label: str, value: Any, path: str) -> dict[str, Any]:
    """A knob that holds nested data: its own knobs below its name."""
    with st.container(border=True, gap="xsmall", key=f"group-{path}"):
        st.markdown(f"**{plain(label)}**")
        return settings(cls, value if isinstance(value, dict) else {}, path)


def _elsewhere(label: str, value: Any) -> Any:
    """A knob that has no form: says where it is edited and shows what it is."""
    count = f"{len(value)} entries" if isinstance(value, list) and len(value) != 1 else "1 entry"
    st.markdown(f"**{plain(label)}**: {count} :small[:gray[Edit them on Build, or in the search's JSON.]]")
    with st.expander("As JSON", icon=":material/data_object:"):
        st.code(dumps(value, indent=1), language="json", height=220)
    return value


def _several(
    args: tuple[Any, ...], label: str, value: Any, path: str, words: dict[str, Any]
) -> list[Any] | None:
    """A knob that holds a list: of objects by name, or of numbers and words with commas between them.

    Lists of lists, of nested data and of spaces have no form; they stay as the document gave them.
    """
    if any(typing.get_origin(a) is tuple or a is Space or (is_dataclass(a) and a not in KINDS) for a in args):
        return _elsewhere(label, value)
    if args and args[0] in KINDS:
        names, given = sorted(table(KINDS[args[0]])), {node(v)[0]: v for v in value or ()}
        if not names:
            return None
        start = [n for n in given if n in names]
        taken = st.multiselect(label, names, start, key=keyed(path, start), **words)
        return [given.get(name, {"name": name}) for name in taken]
    said = ", ".join(str(v) for v in value or ())
    text = st.text_input(
        label, said, key=keyed(path, said), placeholder="values with commas between them", **words
    )
    return [plain_value(word.strip()) for word in text.split(",") if word.strip()]


def plain_value(word: str) -> int | float | str:
    """A number where it is one; the codec refuses the rest by name."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def _number(
    kind: type[int] | type[float], about: Mapping[str, Any], label: str, value: Any, path: str
) -> int | float:
    """A number field that refuses what is out of range; powers step by their own size."""
    low, high = about["low"], about["high"]
    value = kind(value if value is not None else (low or 0))
    size = 10.0 ** math.floor(math.log10(abs(value))) if value else 0.1
    step: Any = 1 if kind is int else size if about["log"] else min(size, 1.0)
    taken = st.number_input(
        label,
        min_value=kind(max(low, -BIG)) if low is not None else None,
        max_value=kind(min(high, BIG)) if high is not None else None,
        value=value,
        step=step,
        format="%d" if kind is int else "%g",
        key=keyed(path, value),
        help=_help(about),
    )
    return value if taken is None else taken


def _help(about: Mapping[str, Any]) -> str:
    """The knob's sentence and its range."""
    sentence = str(about["help"])
    match about["low"], about["high"]:
        case None, None:
            bounds = ""
        case low, None:
            bounds = f"at least {low:g}"
        case None, high:
            bounds = f"at most {high:g}"
        case low, high:
            bounds = f"{low:g} to {high:g}"
    text = ". ".join(s[:1].upper() + s[1:] for s in (sentence, bounds) if s)
    return f"{text}." if text else "No further words on this knob."


def complain(slot: Any, sentence: str, fields: Sequence[str]) -> bool:
    """Shows a refusal at the field it names, if it begins with one of these paths."""
    if not any(sentence.startswith((f"{f}:", f"{f}.", f"{f}[")) for f in fields):
        return False
    slot.markdown(f":red[:material/error: :small[{plain(sentence, 240)}]]")
    return True
