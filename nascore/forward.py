"""The graph of a forward as the lines of Python that a person would write for it.

Calls whose outcome is used once, right away and in the order in which they were made, become one expression;
others get a name, which is taken over from a value that nobody needs any more where there is one.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
import math
import operator
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 -- as everybody calls it
from torch import fx

from nascore.errors import NotSupported

WIDE = 78  # characters of an expression before it gets lines of its own
INFIX = {
    operator.add: ("+", 6), operator.iadd: ("+", 6), operator.sub: ("-", 6), operator.isub: ("-", 6),
    operator.mul: ("*", 7), operator.imul: ("*", 7), operator.truediv: ("/", 7), operator.itruediv: ("/", 7),
    operator.floordiv: ("//", 7), operator.mod: ("%", 7), operator.matmul: ("@", 7), operator.lt: ("<", 3),
    operator.gt: (">", 3), operator.le: ("<=", 3), operator.ge: (">=", 3), operator.eq: ("==", 3),
    operator.ne: ("!=", 3), operator.and_: ("&", 5), operator.or_: ("|", 4),
}  # fmt: skip
ATOM = 10
NAMES = {
    id(f): f"{prefix}.{name}"
    for prefix, home in (("math", math), ("torch.linalg", torch.linalg), ("F", F), ("torch", torch))
    for name, f in vars(home).items()
    if callable(f) and not name.startswith("_")
} | {id(f): f.__name__ for f in (max, min, abs, len, int, float, round, sum)}
SPARE = ("y", "z", "u", "v", "w")


@dataclass(frozen=True)
class Text:
    """An expression, how tightly it binds, and the named values that stand in it."""

    text: str
    bind: int = ATOM
    uses: frozenset[fx.Node] = frozenset()

    def within(self, bind: int) -> str:
        """In parentheses where an operator around it binds more tightly."""
        return self.text if self.bind >= bind else f"({self.text})"


@dataclass
class Body:
    """A forward in words.

    Attributes:
        inputs: names of its parameters.
        lines: its statements, the last one returns.
        notes: line number -> the value that the line makes, for comments.
    """

    inputs: list[str]
    lines: list[str]
    notes: dict[int, Any] = field(default_factory=dict)


def name_for(text: str, taken: Any = ()) -> str:
    """A Python name close to a text: never a keyword, never one that is taken."""
    name = re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "part"
    name = f"part_{name}" if name[0].isdigit() else name
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or hasattr(builtins, name):
        name += "_"
    first, count = name, 2
    while name in taken:
        name, count = f"{first}{'_' * first[-1].isdigit()}{count}", count + 1
    return name


def literal(value: Any) -> str:
    """A plain value as source.

    Raises:
        NotSupported: it is no number, text, torch constant or collection of such.
    """
    if value is None or value is Ellipsis or isinstance(value, bool | int | str):
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format):
        return str(value)
    if isinstance(value, torch.device):
        return repr(value.type)
    if isinstance(value, tuple | list):
        inner = ", ".join(map(literal, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    raise NotSupported(f"a value of type {type(value).__name__} cannot be written as plain source")


@dataclass(frozen=True)
class Row:
    """Calls in a row that one `nn.Sequential` makes: the last of them, what goes in, and the expression."""

    last: fx.Node
    given: fx.Node
    name: str


class Writer:
    """Writes one graph.

    Args:
        graph: of `trace.Traced`.
        calls: module target or attribute -> its expression, such as `self.stem`.
        own: targets whose classes are written too; these take tensors only.
        rows: first node of a row -> the row.
    """

    def __init__(
        self, graph: fx.Graph, calls: Mapping[str, str], own: Collection[str], rows: Mapping[fx.Node, Row]
    ) -> None:
        self.nodes, self.calls, self.own, self.rows = list(graph.nodes), calls, own, rows
        self.at = {n: i for i, n in enumerate(self.nodes)}
        self.last_use = {a: self.at[n] for n in self.nodes for a in n.all_input_nodes}
        self.names: dict[fx.Node, str] = {}
        self.waiting: dict[fx.Node, Text] = {}
        self.uses: set[fx.Node] = set()
        self.body = Body([], [])

    def write(self) -> Body:
        """The lines."""
        row: Row | None = None
        for node in self.nodes:
            row = self.rows.get(node, row)
            if row is None:
                self._step(node)
            elif node is row.last:
                inline = self._inline(node, [row.given])
                self.uses = set()
                self._keep(node, Text(f"{row.name}({self._value(row.given, inline).text})"))
                row = None
        return self.body

    def _step(self, node: fx.Node) -> None:
        if node.op == "placeholder":
            name = name_for(str(node.target), {"self", *self.body.inputs})
            self.body.inputs.append(name)
            self.names[node] = name
        elif node.op == "output":
            inline = self._inline(node, _in_order(node))
            value = self._value(node.args[0], inline)
            if isinstance(node.args[0], tuple | list) and len(value.text) > WIDE:
                self.waiting |= inline
                self._flush(self.at[node] - 1)
                value = self._value(node.args[0], {})
            text = value.text[1:-1] if isinstance(node.args[0], tuple) else value.text
            self.body.lines.append(f"return {text}")
        elif node.op == "get_attr":
            self.names[node] = self.calls[str(node.target)]
        elif node.users or node.op == "call_function":
            self._keep(node, self._made(node))

    def _keep(self, node: fx.Node, text: Text) -> None:
        """Waits to become part of the next expression, or gets a name at once."""
        self.waiting[node] = Text(text.text, text.bind, frozenset(self.uses))
        if len(node.users) != 1 or len(text.text) > WIDE:
            self._flush(self.at[node])

    def _flush(self, now: int) -> None:
        """Everything that waits gets its line, in order; values whose last use is `now` are spent."""
        for node in list(self.waiting):
            text = self.waiting.pop(node)
            live = {a for a in self.names if self.last_use.get(a, -1) > now}
            live |= {a for other in self.waiting.values() for a in other.uses}
            taken = {self.names[a] for a in live}
            spent = [self.names[a] for a in text.uses if self.names[a] in self.body.inputs]
            name = next((n for n in spent if n not in taken), None) or self._fresh(node, taken)
            self.body.notes[len(self.body.lines)] = node.meta.get("value")
            self.body.lines.append(f"{name} = {text.text}")
            self.names[node] = name

    def _fresh(self, node: fx.Node, taken: set[str]) -> str:
        if node.op == "call_module" and str(node.target) in self.calls:
            said = self.calls[str(node.target)].removeprefix("self.").rpartition(".")[2]
            return name_for(said, {"self", *taken})
        return next((s for s in SPARE if s not in taken), None) or name_for(node.name, {"self", *taken})

    def _inline(self, node: fx.Node, wanted: list[fx.Node]) -> dict[fx.Node, Text]:
        """What waits and is taken here in the order in which it was made; if not so, all of it gets names."""
        wanted = [a for a in wanted if a in self.waiting]
        if wanted != list(self.waiting)[len(self.waiting) - len(wanted) :]:
            self._flush(self.at[node] - 1)
            return {}
        return {a: self.waiting.pop(a) for a in wanted}

    def _made(self, node: fx.Node) -> Text:
        inline = self._inline(node, _in_order(node))
        made = self._expression(node, inline)
        if inline and len(made.text) > WIDE:  # too long for one line: its parts get names
            self.waiting |= inline
            self._flush(self.at[node] - 1)
            made = self._expression(node, {})
        return made

    def _expression(self, node: fx.Node, inline: dict[fx.Node, Text]) -> Text:
        self.uses = set()
        match node.op:
            case "call_module" if node.target in self.own:
                words = [w for a in _nodes(node.args) for w in self._spread(a, inline)]
                words += [f"{k}={self._value(v, inline).text}" for k, v in node.kwargs.items() if _nodes(v)]
                return Text(f"{self.calls[str(node.target)]}({', '.join(words)})")
            case "call_module":
                return self._call(self.calls[str(node.target)], node.args, node.kwargs, inline)
            case "call_method":
                owner = self._value(node.args[0], inline).within(ATOM)
                return self._call(f"{owner}.{node.target}", node.args[1:], node.kwargs, inline)
            case _:
                return self._function(node, inline)

    def _spread(self, node: fx.Node, inline: dict[fx.Node, Text]) -> list[str]:
        """An argument that holds several tensors, as several arguments."""
        value, text = node.meta.get("value"), self._value(node, inline).text
        if not isinstance(value, tuple | list):
            return [text]
        tensors = [i for i, v in enumerate(value) if isinstance(v, torch.Tensor)]
        if any(isinstance(v, tuple | list | dict) for v in value):
            raise NotSupported("a call with nested tuples of tensors cannot be written as plain source")
        return [f"*{text}"] if len(tensors) == len(value) else [f"{text}[{i}]" for i in tensors]

    def _function(self, node: fx.Node, inline: dict[fx.Node, Text]) -> Text:
        f, args = node.target, node.args
        f = operator.add if f is torch.add and len(args) == 2 and not node.kwargs else f
        if f in INFIX:
            sign, bind = INFIX[f]  # type: ignore[index]
            left, right = (self._value(a, inline) for a in args)
            return Text(f"{left.within(bind)} {sign} {right.within(bind + 1)}", bind)
        if f is operator.pow:
            left, right = (self._value(a, inline) for a in args)
            return Text(f"{left.within(9)} ** {right.within(8)}", 8)
        if f is operator.neg:
            return Text(f"-{self._value(args[0], inline).within(8)}", 8)
        if f is operator.getitem:
            return Text(f"{self._value(args[0], inline).within(ATOM)}[{self._index(args[1], inline)}]")
        if f is builtins.getattr and len(args) == 2:
            return Text(f"{self._value(args[0], inline).within(ATOM)}.{name_for(str(args[1]))}")
        if id(f) not in NAMES:
            name = getattr(f, "__qualname__", type(f).__name__)
            raise NotSupported(f"{name} is no function of torch, so it cannot be written as plain source")
        return self._call(NAMES[id(f)], args, _without_defaults(f, node.kwargs), inline)

    def _index(self, index: Any, inline: dict[fx.Node, Text]) -> str:
        if isinstance(index, tuple) and index:
            return ", ".join(self._index(i, inline) for i in index) + "," * (len(index) == 1)
        if isinstance(index, slice):
            ends = ["" if e is None else self._value(e, inline).text for e in (index.start, index.stop)]
            step = "" if index.step is None else f":{self._value(index.step, inline).text}"
            return ":".join(ends) + step
        return self._value(index, inline).text

    def _call(self, name: str, args: Any, kwargs: Any, inline: dict[fx.Node, Text]) -> Text:
        words = [self._value(a, inline).text for a in args]
        words += [f"{k}={self._value(v, inline).text}" for k, v in kwargs.items()]
        return Text(f"{name}({', '.join(words)})")

    def _value(self, value: Any, inline: dict[fx.Node, Text]) -> Text:
        if isinstance(value, fx.Node):
            if value in inline:
                self.uses |= inline[value].uses
                return inline[value]
            self.uses.add(value)
            return Text(self.names[value])
        if isinstance(value, tuple | list):
            inner = ", ".join(self._value(v, inline).text for v in value)
            return Text(f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})")
        if isinstance(value, dict):
            pairs = [f"{k!r}: {self._value(v, inline).text}" for k, v in value.items()]
            return Text(f"{{{', '.join(pairs)}}}")
        if isinstance(value, slice):
            ends = (value.start, value.stop, value.step)
            return Text(f"slice({', '.join(self._value(e, inline).text for e in ends)})")
        text = literal(value)
        return Text(text, 8 if text.startswith("-") else ATOM)


def _nodes(value: Any) -> list[fx.Node]:
    """The nodes inside an argument, as they are written."""
    found: list[fx.Node] = []
    fx.map_arg((value,), lambda n: found.append(n) or n)
    return found


def _in_order(node: fx.Node) -> list[fx.Node]:
    """The nodes among a node's arguments."""
    return _nodes((node.args, node.kwargs))


def _without_defaults(f: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments that say something."""
    try:
        known = inspect.signature(f).parameters
    except (TypeError, ValueError):
        return dict(kwargs)
    return {
        k: v
        for k, v in kwargs.items()
        if k not in known
        or isinstance(v, fx.Node)
        or known[k].default is inspect.Parameter.empty
        or known[k].default != v
    }
