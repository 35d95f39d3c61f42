"""What a network computes, module by module: the calls of each `forward`, as a graph, with the values seen.

torch.fx records the calls. It is given real values beside its placeholders, so a `forward` may branch on the
shapes that it meets; what was taken is what is recorded. Whoever uses a trace compares its outcome with the
network itself (export.py does), for a branch that another input would take is not in it.
"""

from __future__ import annotations

import copy
import inspect
import math
import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

import torch
from torch import Tensor, fx, nn
from torch.fx.node import map_aggregate
from torch.fx.proxy import TraceError

from nascore.errors import NotSupported
from nascore.task import Shape

RANDOM = ("rand", "randn", "randint", "randperm", "bernoulli")
FACTORIES = ("zeros", "ones", "full", "empty", "arange", "linspace", "eye")
CANNOT = (TraceError, TypeError, ValueError, NameError, AttributeError, NotImplementedError, RuntimeError)
BATCH = 2  # examples that a trace is made with: batch norm learns nothing from a single one


@dataclass
class Traced:
    """One module: the graph of its forward, and what its children are.

    Attributes:
        module: a copy of the network's own, in the state that the trace left it in.
        path: its name in the network, dots between the parts; empty for the whole.
        graph: nodes carry `meta["value"]`, what came out of them. None for a layer of torch.
        value: what came out of it.
        inside: name below `module` -> a child that was called. In an `nn.Sequential` in order.
    """

    module: nn.Module
    path: str
    graph: fx.Graph | None = None
    inside: dict[str, Traced] = field(default_factory=dict)
    value: Any = None

    @property
    def is_layer(self) -> bool:
        """A layer of torch itself, which is not looked into."""
        return self.graph is None and not isinstance(self.module, nn.Sequential)


def is_torch(module: nn.Module) -> bool:
    """Whether torch ships the class, or it brings its own source (source.py)."""
    return type(module).__module__.startswith("torch.nn.modules.") or hasattr(module, "as_source")


def inputs_of(shape: Shape, count: int = BATCH, seed: int = 0) -> Any:
    """Random inputs of a shape: (count, ...) of each; several come as a dictionary by name."""
    draw = torch.Generator().manual_seed(seed)
    made = {name: torch.randn(count, *size, generator=draw) for name, size in shape.inputs}
    return made if len(made) > 1 else next(iter(made.values()))


def trace(net: nn.Module, *args: Any) -> Traced:
    """The calls of a network and of all modules below it, in its present mode; `net` is left as it was.

    Raises:
        NotSupported: a forward that cannot be followed, a module that stands in two places, or weights that
            are no parameter and no buffer of a module.
    """
    net = copy.deepcopy(net)
    names = [
        n for n, m in net.named_modules(remove_duplicate=False) if next(m.parameters(False), None) is not None
    ]
    if len(names) > len({id(net.get_submodule(n)) for n in names}):
        raise NotSupported(
            "a layer with weights stands in two places of this network; such cannot be written"
        )
    with torch.no_grad():
        return _traced(net, "", args, {})


def _traced(module: nn.Module, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Traced:
    if isinstance(module, nn.Sequential) and type(module) is nn.Sequential:
        return _sequence(module, path, args[0])
    if is_torch(module):
        return Traced(module, path, value=module(*args, **kwargs))
    found = Traced(module, path, _watched(module, args, kwargs))
    assert found.graph is not None  # noqa: S101 -- it was just given
    for node in found.graph.nodes:
        if node.op != "call_module" or node.target in found.inside:
            continue
        child = module.get_submodule(node.target)
        where = f"{path}.{node.target}".lstrip(".")
        found.inside[node.target] = _traced(child, where, *node.meta["given"])
    out = next(n for n in found.graph.nodes if n.op == "output").args[0]
    found.value = out.meta["value"] if isinstance(out, fx.Node) else None
    return found


def _watched(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> fx.Graph:
    """The graph of one forward; functions of `math` are recorded only where need be, which takes longer."""
    try:
        return Watch(args, kwargs, ()).trace(module)
    except NotSupported:
        return Watch(args, kwargs, (math,)).trace(module)


def _sequence(module: nn.Sequential, path: str, x: Any) -> Traced:
    found = Traced(module, path)
    for name, child in module.named_children():
        found.inside[name] = _traced(child, f"{path}.{name}".lstrip("."), (x,), {})
        x = found.inside[name].value
    found.value = x
    return found


def _length(proxy: fx.Proxy) -> int:
    """How many items a tuple has; that of a tensor changes with the examples, so it is not taken as it is."""
    value = proxy.node.meta["value"]
    if isinstance(value, Tensor):
        raise TypeError("len of a tensor; write x.shape[0]")
    return len(value)


class Watch(fx.Tracer):
    """Records one forward: children are not looked into, and every recorded call is also made.

    Args:
        args: what the module is called with. Tensors become inputs of the graph, anything else is
            taken as it is.
        kwargs: the same by name.
        recorded: modules of Python whose functions are recorded too.
    """

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any], recorded: Any) -> None:
        super().__init__(autowrap_modules=recorded)
        self.given, self.busy = (args, kwargs), False
        self.proxy_buffer_attributes = True

    def trace(self, root: Any, concrete_args: dict[str, Any] | None = None) -> fx.Graph:
        """The graph of a module's forward.

        Raises:
            NotSupported: with the class whose forward cannot be followed.
        """
        try:
            with self._factories():
                return super().trace(root)
        except CANNOT as error:
            name, why = type(root).__name__, " ".join(str(error).split())[:160]
            raise NotSupported(f"the forward of {name} cannot be written as plain source: {why}") from error

    def create_args_for_root(
        self,
        root_fn: Callable[..., Any],
        is_module: bool,
        concrete_args: Any = None,
    ) -> tuple[Callable[..., Any], list[Any]]:
        """Placeholders for the tensors among the arguments."""
        bound = inspect.signature(root_fn).bind(self.root, *self.given[0], **self.given[1])
        values = [
            map_aggregate(value, partial(self._input, name))
            for name, value in list(bound.arguments.items())[1:]
        ]
        rest = dict(zip(list(bound.arguments)[1:], values, strict=True))
        kinds = inspect.signature(root_fn).parameters
        args = [self.root]
        for name, value in rest.items():
            args += list(value) if kinds[name].kind is inspect.Parameter.VAR_POSITIONAL else [value]
        return root_fn, args

    def _input(self, name: str, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        proxy = super().create_proxy("placeholder", name, (), {})
        proxy.node.meta["value"] = value
        return proxy

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Every child stays a call."""
        return True

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A call inside a call that is being made is not recorded."""
        return forward(*args, **kwargs) if self.busy else super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, Any]) -> Any:
        """As above, for parameters and buffers."""
        return attr_val if self.busy else super().getattr(attr, attr_val, parameter_proxy_cache)

    def create_proxy(
        self, kind: str, target: Any, args: Any, kwargs: Any, *more: Any, **named: Any
    ) -> fx.Proxy:
        """Records a call and makes it."""
        proxy = super().create_proxy(kind, target, args, kwargs, *more, **named)
        if kind not in ("placeholder", "output"):
            self.busy = True
            try:
                proxy.node.meta["value"] = self._made(proxy.node)
            finally:
                self.busy = False
        return proxy

    def _made(self, node: fx.Node) -> Any:
        args = fx.map_arg(node.args, lambda n: n.meta["value"])
        kwargs = fx.map_arg(node.kwargs, lambda n: n.meta["value"])
        match node.op:
            case "get_attr":
                value = self.root
                for part in str(node.target).split("."):
                    value = getattr(value, part)
                return value
            case "call_module":
                node.meta["given"] = (tuple(args), dict(kwargs))
                return self.root.get_submodule(str(node.target))(*args, **kwargs)
            case "call_method":
                return getattr(args[0], str(node.target))(*args[1:], **kwargs)
            case _:
                assert callable(node.target)  # noqa: S101 -- what a call_function is
                return node.target(*args, **kwargs)

    def to_bool(self, obj: fx.Proxy) -> bool:
        """A branch: the side that these inputs take."""
        return bool(obj.node.meta["value"])

    def iter(self, obj: fx.Proxy) -> Iterator[Any]:
        """As many items as there are."""
        count = len(obj.node.meta["value"])
        return iter(
            [self.create_proxy("call_function", operator.getitem, (obj, i), {}) for i in range(count)]
        )

    @contextmanager
    def _factories(self) -> Iterator[None]:
        """Torch's makers of tensors, which do not look at placeholders by themselves."""
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(fx.Proxy, "__len__", _length))
            for name in (*RANDOM, *FACTORIES):
                stack.enter_context(mock.patch.object(torch, name, self._maker(name, getattr(torch, name))))
            yield

    def _maker(self, name: str, make: Callable[..., Any]) -> Callable[..., Any]:
        def made(*args: Any, **kwargs: Any) -> Any:
            seen: list[Any] = []
            map_aggregate((args, kwargs), lambda v: seen.append(v) if isinstance(v, fx.Proxy) else None)
            if self.busy or not (seen or name in RANDOM):
                return make(*args, **kwargs)
            return self.create_proxy("call_function", make, args, kwargs)

        return made
