"""A traced network as plain source: classes of torch layers, equal ones written once.

A module of ours becomes a class. Modules of one class that call the same layers in the same way share it:
where the layers' arguments differ, the class takes them as its own. A module that does nothing but call one
other is left out, so names of weights get shorter; their order stays, which is what `rename` goes by.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx, nn

from nascore.errors import NotSupported
from nascore.forward import Body, Row, Writer, literal, name_for
from nascore.trace import Traced

SPREAD = ("kernel_size", "stride", "padding", "dilation", "output_size", "output_padding")
SHORT = {
    "in_channels": "inputs",
    "out_channels": "outputs",
    "in_features": "inputs",
    "out_features": "outputs",
    "num_features": "channels",
    "num_channels": "channels",
    "normalized_shape": "channels",
    "kernel_size": "kernel",
}
REQUIRED = inspect.Parameter.empty
MOST_VALUES = 256  # of a constant that is written out
INDENT = "    "


@dataclass
class Argument:
    """One argument of a layer."""

    name: str
    value: Any
    default: Any = REQUIRED


@dataclass
class Layer:
    """A layer with all its arguments: of torch, or of a class that brings its own source."""

    name: str
    args: list[Argument]
    texts: tuple[str, ...] = ()


@dataclass
class Many:
    """`nn.Sequential` of parts."""

    parts: list[Part]


@dataclass
class Own:
    """A module whose class is written."""

    spec: Spec


@dataclass
class Value:
    """A parameter, buffer or constant of a module itself, as the line that makes it."""

    line: str


Part = Layer | Many | Own | Value


@dataclass
class Spec:
    """One module of ours.

    Attributes:
        origin: name of its class here.
        members: attribute -> what it is, in the order of the state dict.
        body: its forward when judging.
        learning: its forward when training, where that is another.
        shapes: of what goes in and comes out, examples counted as n.
        kind: what its class has in common with others, so that equal kinds share one.
    """

    origin: str
    members: dict[str, Part] = field(default_factory=dict)
    body: Body = field(default_factory=lambda: Body([], []))
    learning: Body | None = None
    shapes: str = ""
    kind: Any = None


@dataclass
class Written:
    """A class: its name, its parameters, and its source."""

    name: str
    params: list[str]
    values: dict[int, list[Any]]
    text: str = ""


def source_of(judging: Traced, learning: Traced) -> tuple[list[str], str, list[str]]:
    """The classes of a network.

    Args:
        judging: trace of the network in its mode for judging.
        learning: the same, for training.

    Returns:
        Source of each class, those that others need first; the name of the last one; and the names of our
        weights that no forward uses, which are left out.

    Raises:
        NotSupported: something cannot be written as plain source.
    """
    maker = Maker()
    spec = maker.spec(judging, learning)
    spec.origin = "Network"
    spec.kind = ("Network", *spec.kind[1:])
    order = [*maker.specs, spec]
    return *Classes(order).write(), maker.unused


class Maker:
    """Makes the spec of each module of ours."""

    def __init__(self) -> None:
        self.specs: list[Spec] = []
        self.unused: list[str] = []

    def spec(self, judging: Traced, learning: Traced) -> Spec:
        """The spec of a module and, before it, of all below it."""
        inner = _only_child(judging)
        if inner is not None and _only_child(learning) is not None:
            return self.spec(judging.inside[inner], learning.inside[inner])
        made = Spec(type(judging.module).__name__.strip("_").removesuffix("Module") or "Block")
        calls, own = self._members(made, judging, learning)
        assert judging.graph is not None  # noqa: S101 -- a layer has no spec
        assert learning.graph is not None  # noqa: S101
        made.body = Writer(judging.graph, calls, own, self._rows(judging, calls)).write()
        other = Writer(learning.graph, calls, own, self._rows(learning, calls)).write()
        made.learning = other if other.lines != made.body.lines else None
        made.shapes = _shapes(judging.graph)
        lines = (*made.body.lines, *(other.lines if made.learning else ()))
        members = tuple((name, _kind(part)) for name, part in made.members.items())
        made.kind = (made.origin, tuple(made.body.inputs), lines, members)
        return made

    def _members(self, made: Spec, judging: Traced, learning: Traced) -> tuple[dict[str, str], set[str]]:
        """Fills the members; returns how each is called, and which are modules of ours."""
        module, calls, own = judging.module, dict[str, str](), set[str]()
        for name, value in _values(module, judging.graph):
            attr = name_for(name, {*made.members, *dir(nn.Module)})
            made.members[attr] = Value(_value_line(attr, module, name, value))
            calls[name] = f"self.{attr}"
        for target, child in _children(module):
            if target not in judging.inside and target not in learning.inside:
                self._leave_out(f"{judging.path}.{target}".lstrip("."), child)
                continue
            part = self.part(
                judging.inside.get(target, learning.inside.get(target)), learning.inside.get(target)
            )
            row = target.rpartition(".")[0]
            if row in self._row_names(judging):
                attr = calls.setdefault(row, f"self.{name_for(row, {*made.members, *dir(nn.Module)})}")[5:]
                many = made.members.setdefault(attr, Many([]))
                assert isinstance(many, Many)  # noqa: S101 -- the attribute is new
                many.parts.append(part)
                calls[target] = f"self.{attr}[{len(many.parts) - 1}]"
            else:
                attr = name_for(_attribute(target), {*made.members, *dir(nn.Module)})
                made.members[attr] = part
                calls[target] = f"self.{attr}"
            if not (judging.inside.get(target) or learning.inside[target]).is_layer:
                own.add(target)
        for node in judging.graph.nodes if judging.graph else ():
            if node.op == "get_attr" and node.target not in calls:
                home, _, last = str(node.target).rpartition(".")
                calls[str(node.target)] = f"{calls[home]}.{last}"
        return calls, own

    def _leave_out(self, path: str, child: nn.Module) -> None:
        if next(iter(child.state_dict()), None) is not None:
            self.unused.append(path)

    def part(self, judging: Traced | None, learning: Traced | None) -> Part:
        """What stands for a child."""
        judging, learning = judging or learning, learning or judging
        assert judging is not None  # noqa: S101 -- one of them was called
        assert learning is not None  # noqa: S101
        if judging.is_layer:
            return layer(judging.module)
        if judging.graph is None:
            parts = zip(judging.inside.values(), learning.inside.values(), strict=True)
            return Many([self.part(*pair) for pair in parts])
        inner = _only_child(judging)
        if inner is not None and _only_child(learning) is not None:
            return self.part(judging.inside[inner], learning.inside[inner])
        made = self.spec(judging, learning)
        self.specs.append(made)
        return Own(made)

    def _row_names(self, traced: Traced) -> dict[str, list[fx.Node]]:
        """Module lists whose items are called one after the other and nowhere else, and those calls."""
        found: dict[str, list[fx.Node]] = {}
        for node in traced.graph.nodes if traced.graph else ():
            if node.op == "call_module":
                found.setdefault(str(node.target).rpartition(".")[0], []).append(node)
        return {n: c for n, c in found.items() if n and _is_row(traced.module.get_submodule(n), c)}

    def _rows(self, traced: Traced, calls: dict[str, str]) -> dict[fx.Node, Row]:
        rows = {}
        for name, nodes in self._row_names(traced).items():
            given = nodes[0].args[0]
            assert isinstance(given, fx.Node)  # noqa: S101 -- `_is_row` saw it
            rows[nodes[0]] = Row(nodes[-1], given, calls[name])
        return rows


def _only_child(traced: Traced) -> str | None:
    """The child that a module calls with what it was given, and does nothing else; None where it does."""
    if traced.graph is None or next(_values(traced.module, traced.graph), None):
        return None
    nodes = [n for n in traced.graph.nodes if n.op != "placeholder" or n.users]
    given = [n for n in nodes if n.op == "placeholder"]
    calls = [n for n in nodes if n.op == "call_module"]
    if len(nodes) != len(given) + 2 or len(calls) != 1 or nodes[-1].args[0] is not calls[0]:
        return None
    passed = [a for a in calls[0].args if isinstance(a, fx.Node)]
    child = traced.inside[str(calls[0].target)]
    plain = passed == given and not any(isinstance(v, fx.Node) for v in calls[0].kwargs.values())
    rest = [m for n, m in _children(traced.module) if n != calls[0].target]
    return str(calls[0].target) if plain and not any(m.state_dict() for m in rest) and child else None


def _is_row(home: nn.Module, calls: list[fx.Node]) -> bool:
    """Whether items 0, 1, ... of a plain list are called in this order, each with what the last one gave."""
    names = [str(n.target).rpartition(".")[2] for n in calls]
    if type(home) is not nn.ModuleList or names != [n for n, _ in home.named_children()] or len(names) < 2:
        return False
    alone = [
        len([a for a in n.args if isinstance(a, fx.Node)]) == 1 and isinstance(n.args[0], fx.Node)
        for n in calls
    ]
    linked = [b.args[0] is a and len(a.users) == 1 for a, b in pairwise(calls)]
    kwargs = any(isinstance(v, fx.Node) for n in calls for v in n.kwargs.values())
    return all(alone) and all(linked) and not kwargs


def _children(module: nn.Module, path: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Children by their targets; lists and dictionaries of modules are looked into."""
    for name, child in module.named_children():
        where = f"{path}.{name}".lstrip(".")
        if type(child) in (nn.ModuleList, nn.ModuleDict):
            yield from _children(child, where)
        else:
            yield where, child


def _values(module: nn.Module, graph: fx.Graph | None) -> Iterator[tuple[str, Tensor]]:
    """Tensors of a module itself: parameters, buffers, and constants that its forward holds."""
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)
    known = {*dict(module.named_parameters(recurse=False)), *dict(module.named_buffers(recurse=False))}
    for node in graph.nodes if graph else ():
        name = str(node.target)
        if node.op == "get_attr" and "." not in name and name not in known:
            known.add(name)
            yield name, getattr(module, name)


def _value_line(attr: str, module: nn.Module, name: str, value: Tensor) -> str:
    size = ", ".join(map(str, value.shape)) or "()"
    kind = "" if value.dtype == torch.float32 else f", dtype={value.dtype}"
    if name in dict(module.named_parameters(recurse=False)):
        more = "" if value.requires_grad else ", requires_grad=False"
        return f"self.{attr} = nn.Parameter({_filled(value, size, kind, True)}{more})"
    kept = name in module._buffers and name not in module._non_persistent_buffers_set
    more = "" if kept else ", persistent=False"
    return f'self.register_buffer("{attr}", {_filled(value, size, kind, kept)}{more})'


def _filled(value: Tensor, size: str, kind: str, loaded: bool) -> str:
    """A tensor as source; values that weights bring along need not be right."""
    value = value.detach()
    flat = value.flatten().tolist()
    if flat and all(v == flat[0] for v in flat):
        return (
            f"torch.full(({size},), {literal(flat[0])}{kind})"
            if value.dim()
            else f"torch.tensor({literal(flat[0])}{kind})"
        )
    if loaded and value.is_floating_point():
        return f"torch.randn({size}{kind}) * {float(value.float().std()):.3g}"
    if value.numel() > MOST_VALUES:
        raise NotSupported(f"a constant of {value.numel():,} numbers is too long to be written as source")
    return f"torch.tensor({literal(value.tolist())}{kind})"


def _attribute(target: str) -> str:
    """A name for a child: its own, or with its list's name before its number."""
    head, _, last = target.rpartition(".")
    return last if not last.isdigit() or not head else f"{head.rpartition('.')[2]}_{last}"


def layer(module: nn.Module) -> Layer:
    """A layer of torch and its arguments, read off its attributes.

    A layer of ours may have `as_source`, which gives the name of its class in plain source, the texts that
    define it, and {argument: (value, default)} besides those of the layer of torch that it is.

    Raises:
        NotSupported: its arguments cannot be known from it.
    """
    cls = type(module)
    args: list[Argument] = []
    for name, p in list(inspect.signature(cls.__init__).parameters.items())[1:]:
        if name in ("device", "dtype") or name.startswith("_") or isinstance(module, nn.Identity):
            continue
        if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise NotSupported(f"a layer of class {cls.__name__} cannot be written as plain source")
        args.append(Argument(name, _argument(module, name, p.default), p.default))
    if (own := getattr(module, "as_source", None)) is not None:
        name, texts, more = own()
        return Layer(name, [*args, *(Argument(n, v, d) for n, (v, d) in more.items())], texts)
    return Layer(f"nn.{cls.__name__}", args)


def _argument(module: nn.Module, name: str, default: Any) -> Any:
    if name == "bias" and isinstance(module, nn.MultiheadAttention):
        return module.in_proj_bias is not None
    if name == "add_bias_kv":
        return getattr(module, "bias_k", None) is not None
    value = getattr(module, name, default)
    if name == "bias" and (isinstance(value, Tensor) or value is None):
        return value is not None
    if value is REQUIRED:
        raise NotSupported(f"the argument {name} of a {type(module).__name__} is not known any more")
    if name in SPREAD and isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def _kind(part: Part) -> Any:
    match part:
        case Layer():
            return part.name, tuple(a.name for a in part.args)
        case Many():
            return "many", tuple(map(_kind, part.parts))
        case Own():
            return "own", part.spec.kind
        case Value():
            return "value", part.line


def _shapes(graph: fx.Graph) -> str:
    """`(n, 16, 32, 32) -> (n, 32, 16, 16)`."""
    given = [n.meta["value"] for n in graph.nodes if n.op == "placeholder"]
    out = next(n for n in graph.nodes if n.op == "output").args[0]
    made = out.meta["value"] if isinstance(out, fx.Node) else None
    return f"{', '.join(map(shape_words, given))} -> {shape_words(made) or 'several'}"


def shape_words(value: Any) -> str:
    """`(n, 16, 32, 32)` of a tensor; empty for anything else."""
    if not isinstance(value, Tensor):
        return ""
    return f"({', '.join(['n', *map(str, value.shape[1:])])})" if value.dim() else "()"


class Classes:
    """Turns specs into classes: those of one kind into one.

    Args:
        specs: those that others hold come first.
    """

    def __init__(self, specs: list[Spec]) -> None:
        self.specs, self.done, self.names = specs, dict[Any, Written](), set[str]()

    def write(self) -> tuple[list[str], str]:
        """Source of each class, and the name of the last."""
        for spec in self.specs:
            if spec.kind not in self.done:
                self.done[spec.kind] = self._class([s for s in self.specs if s.kind == spec.kind])
        texts = dict.fromkeys(t for spec in self.specs for t in _brought(list(spec.members.values())))
        return [*texts, *(w.text for w in self.done.values())], self.done[self.specs[-1].kind].name

    def _class(self, alike: list[Spec]) -> Written:
        name = name_for(alike[0].origin, self.names | {"nn", "F"})
        self.names.add(name)
        slots = [list(self._slots(list(spec.members.values()))) for spec in alike]
        columns = list(zip(*slots, strict=True))
        vectors: list[tuple[list[Any], list[str]]] = []  # values of each instance, and how layers call them
        for column in columns:
            values = [a.value for a in column]
            if all(_same(v, values[0]) for v in values):
                continue
            called = SHORT.get(column[0].name) or column[0].name
            if known := [n for other, n in vectors if _alike(other, values) and _akin(n[0], called)]:
                known[0].append(called)
            else:
                vectors.append((values, [called]))
        params: dict[str, list[Any]] = {}
        for values, names in vectors:
            if not self._half(params, names[0], values):
                both = "outputs" if "inputs" in params else "channels"
                params[name_for(both if {"inputs", "outputs"} <= set(names) else names[0], params)] = values
        said = [self._said(params, column[0].name, [a.value for a in column]) for column in columns]
        made = Written(
            name, list(params), {id(s): [v[i] for v in params.values()] for i, s in enumerate(alike)}
        )
        made.text = self._text(made, alike[0], iter(said))
        return made

    def _said(self, params: dict[str, list[Any]], name: str, values: list[Any]) -> str | None:
        """How the class writes an argument: by a parameter's name, or as it is (None)."""
        if all(_same(v, values[0]) for v in values):
            return None
        equal = (n for n, v in params.items() if _alike(v, values) and _akin(n, name))
        return next(equal, None) or self._half(params, name, values)

    def _half(self, params: dict[str, list[Any]], name: str, values: list[Any]) -> str | None:
        """A padding that follows a kernel."""
        if _counts_bits(name):
            return None
        for known, other in params.items():
            if all(
                isinstance(v, int) and isinstance(o, int) and v == o // 2
                for v, o in zip(values, other, strict=True)
            ):
                return f"{known} // 2"
        return None

    def _slots(self, parts: list[Part]) -> Iterator[Argument]:
        """All arguments inside parts, in the order in which they are written."""
        for part in parts:
            match part:
                case Layer():
                    yield from part.args
                case Many():
                    yield from self._slots(part.parts)
                case Own():
                    made = self.done[part.spec.kind]
                    for name, value in zip(made.params, made.values[id(part.spec)], strict=True):
                        yield Argument(name, value)
                case Value():
                    pass

    def _text(self, made: Written, spec: Spec, said: Iterator[str | None]) -> str:
        takes = "".join(f", {p}" for p in made.params)
        lines = [f"class {made.name}(nn.Module):"]
        where = " where it is used first" if made.params else ""
        lines += [f'{INDENT}"""{spec.shapes}{where}."""', ""]
        if spec.members:
            lines += [f"{INDENT}def __init__(self{takes}):", f"{INDENT * 2}super().__init__()"]
        for attr, part in spec.members.items():
            if isinstance(part, Value):
                lines += _wrapped(part.line, 2)
            else:
                lines += _wrapped(f"self.{attr} = {self._expression(part, said)}", 2)
        lines += [""] * bool(spec.members)
        lines += [f"{INDENT}def forward(self, {', '.join(spec.body.inputs)}):"]
        return "\n".join([*lines, *_forward(spec, top=made.name == "Network")])

    def _expression(self, part: Part, said: Iterator[str | None]) -> str:
        match part:
            case Layer():
                return f"{part.name}({', '.join(_arguments(part.args, said))})"
            case Own():
                made = self.done[part.spec.kind]
                args = [Argument(n, v) for n, v in zip(made.params, made.values[id(part.spec)], strict=True)]
                return f"{made.name}({', '.join(_arguments(args, said))})"
            case Many():
                return (
                    f"nn.Sequential({', '.join(_gathered([self._expression(p, said) for p in part.parts]))})"
                )
            case Value():
                raise AssertionError("a value has a line of its own")


def _brought(parts: list[Part]) -> Iterator[str]:
    """The texts that layers bring along."""
    for part in parts:
        if isinstance(part, Layer):
            yield from part.texts
        elif isinstance(part, Many):
            yield from _brought(part.parts)


def _alike(a: list[Any], b: list[Any]) -> bool:
    return all(map(_same, a, b))


def _counts_bits(name: str) -> bool:
    return name.rstrip("0123456789_").endswith("bits")


def _akin(a: str, b: str) -> bool:
    """Whether equal values may go by one name: a width is no number of bits."""
    return _counts_bits(a) == _counts_bits(b)


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _arguments(args: list[Argument], said: Iterator[str | None]) -> Iterator[str]:
    """Required ones by place, others by name where they are not the default."""
    for a in args:
        name = next(said)
        if a.default is REQUIRED:
            yield name or literal(a.value)
        elif name or repr(a.value) != repr(a.default):
            yield f"{a.name}={name or literal(a.value)}"


def _gathered(parts: list[str]) -> Iterator[str]:
    """Three and more equal parts in a row as a loop."""
    start = 0
    while start < len(parts):
        end = start
        while end < len(parts) and parts[end] == parts[start]:
            end += 1
        if end - start > 2:
            yield f"*[{parts[start]} for _ in range({end - start})]"
        else:
            yield from parts[start:end]
        start = end


def _forward(spec: Spec, *, top: bool) -> Iterator[str]:
    if spec.learning is None:
        yield from _lines(spec.body, 2, top=top)
        return
    yield f"{INDENT * 2}if self.training:"
    yield from _lines(spec.learning, 3, top=False)
    yield from _lines(spec.body, 2, top=top)


def _lines(body: Body, depth: int, *, top: bool) -> Iterator[str]:
    for i, line in enumerate(body.lines):
        words = shape_words(body.notes.get(i)) if top else ""
        yield f"{INDENT * depth}{line}" + (f"  # {words}" if words else "")


def _wrapped(line: str, depth: int) -> list[str]:
    """A statement, over several lines where it is long: one argument of its outer call a line."""
    if len(line) + 4 * depth <= 100 or not line.endswith(")"):
        return [INDENT * depth + line]
    head, _, rest = line.partition("(")
    out, level, start = [], 0, 0
    for i, ch in enumerate(rest[:-1]):
        level += (ch in "([{") - (ch in ")]}")
        if ch == "," and level == 0:
            out.append(rest[start:i].strip())
            start = i + 1
    out.append(rest[start:-1].strip())
    inner = [part for p in out for part in _wrapped(p, depth + 1)]
    inner = [p if p.endswith(("(", ",")) else f"{p}," for p in inner]
    return [f"{INDENT * depth}{head}(", *inner, f"{INDENT * depth})"]
