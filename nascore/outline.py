"""The whole built network as pieces that unfold: stages, cells, edges, layers, with shapes, costs and times.

It is read off the traced network (trace.py), so skips and blocks with several inputs are what they are in any
space. Equal blocks in a row are one stage. Costs are of what is built: an edge that carries nothing costs
nothing here, although the records of a benchmark may count it.
"""

from __future__ import annotations

import operator
import platform
import time
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from nascore.graph import Piece
from nascore.task import Shape
from nascore.trace import Traced, inputs_of

ROUNDS, TIMED = 15, 8  # calls that are timed, and examples in each
SAID = {"add": "+", "iadd": "+", "mul": "×", "cat": "join", "matmul": "@", "stack": "stack"}
VIEWS = {
    *("getitem", "getattr", "size", "view", "reshape", "flatten", "permute", "transpose", "unsqueeze"),
    *(
        "squeeze",
        "expand",
        "contiguous",
        "to",
        "detach",
        "clone",
        "float",
        "type_as",
        "zeros_like",
        "ones_like",
    ),
}
Link = tuple[str, str, int]


def outline(traced: Traced, times: dict[str, float] | None = None) -> Piece:
    """The network as pieces.

    Args:
        traced: in the mode for judging.
        times: path of a module -> milliseconds, of `timed`.
    """
    return Reader(times or {}).piece(traced, "", "network", traced.value)


def timed(net: nn.Module, shape: Shape) -> tuple[dict[str, float], str]:
    """How long each module takes: all of them in each of several calls, in turn, on one thread.

    Returns:
        Path -> median milliseconds a call, and the conditions in words. On a CPU the time is what the thread
        worked, so that other programs do not count.
    """
    x = inputs_of(shape, TIMED)
    rows: dict[str, list[float]] = {}
    hooks = [h for name, m in net.named_modules() for h in _clocks(m, rows.setdefault(name, []))]
    try:
        with torch.no_grad():
            net.eval()(x)
            for spent in rows.values():
                spent.clear()
            for _ in range(ROUNDS):
                net(x)
    finally:
        for hook in hooks:
            hook.remove()
    told = f"measured on {processor()}, one thread, batch of {TIMED}, median of {ROUNDS} calls"
    return {name: 1e3 * float(np.median(spent)) for name, spent in rows.items() if spent}, told


def _clocks(module: nn.Module, spent: list[float]) -> list[Any]:
    began: list[float] = []

    def start(*_: Any) -> None:
        began.append(time.thread_time())

    def stop(*_: Any) -> None:
        spent.append(time.thread_time() - began.pop())

    return [module.register_forward_pre_hook(start), module.register_forward_hook(stop)]


def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), "") or platform.processor() or platform.machine() or "this machine"


class Reader:
    """Makes pieces of a trace."""

    def __init__(self, times: dict[str, float]) -> None:
        self.times = times

    def piece(self, traced: Traced, id: str, label: str, value: Any) -> Piece:
        """One module, with all that is inside it."""
        shown = _through(traced)
        inside, links = self._inside(shown, id)
        op = _op(shown.module)
        flops = _flops(shown.module, value) if not inside else sum(p.flops for p in inside)
        return Piece(
            id,
            label,
            op or _single([p.op for p in _leaves(inside)]),
            _shape(value),
            sum(p.numel() for p in traced.module.parameters() if p.requires_grad),
            flops,
            self.times.get(traced.path),
            tuple(inside),
            tuple(links),
        )

    def _inside(self, traced: Traced, id: str) -> tuple[list[Piece], list[Link]]:
        if traced.is_layer:
            return [], []
        pieces, links = (
            self._chain(traced, id) if traced.graph is None else self._graph(traced, traced.graph, id)
        )
        return _staged(pieces, links)

    def _chain(self, traced: Traced, id: str) -> tuple[list[Piece], list[Link]]:
        pieces: list[Piece] = []
        before, links = "in0", list[Link]()
        for name, child in traced.inside.items():
            made = self.piece(child, _join(id, name), _label(name, child), child.value)
            links.append((before, made.id, 0))
            pieces.append(made)
            before = made.id
        return pieces, [*links, (before, "out", 0)]

    def _graph(self, traced: Traced, graph: fx.Graph, id: str) -> tuple[list[Piece], list[Link]]:
        """Calls as pieces; what makes no tensor, or only picks one out, is passed through."""
        pieces: list[Piece] = []
        links: list[Link] = []
        source: dict[fx.Node, str] = {}
        given = [n for n in graph.nodes if n.op == "placeholder"]
        source |= {n: f"in{i}" for i, n in enumerate(given)}
        names: dict[str, int] = {}
        for node in graph.nodes:
            came = [a for a in _in_order(node) if a in source]
            if node.op == "output":
                links += [(end, "out", port) for port, end in _ports(came, source)]
            elif node.op in ("placeholder", "get_attr") or not came or not _is_work(node):
                if node.op != "placeholder" and came and isinstance(node.meta.get("value"), Tensor | tuple):
                    item = node.args[1] if node.target is operator.getitem else None
                    part = isinstance(item, int) and isinstance(came[0].meta.get("value"), tuple | list)
                    source[node] = f"{source[came[0]]}@{item}" if part else source[came[0]]
            else:
                made = self._call(traced, node, id, names)
                pieces.append(made)
                links += [(end, made.id, port) for port, end in _ports(came, source)]
                source[node] = made.id
        return pieces, links

    def _call(self, traced: Traced, node: fx.Node, id: str, names: dict[str, int]) -> Piece:
        value = node.meta["value"]
        if node.op == "call_module":
            target = str(node.target)
            child = traced.inside[target]
            names[target] = names.get(target, 0) + 1
            unique = target if names[target] == 1 else f"{target}#{names[target]}"
            return self.piece(child, _join(id, unique), _label(target, child), value)
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "call")
        flops = _matrix(node) if name in ("matmul", "bmm") else 0
        return Piece(
            _join(id, f"~{node.name}"), SAID.get(name, name.replace("_", " ")), "", _shape(value), 0, flops
        )


def _ports(nodes: list[fx.Node], source: dict[fx.Node, str]) -> Iterator[tuple[int, str]]:
    """What arrives at each input: a value of several tensors takes as many inputs."""
    port = 0
    for node in nodes:
        value = node.meta.get("value")
        if isinstance(value, tuple | list):
            parts = [i for i, v in enumerate(value) if isinstance(v, Tensor)]
            yield from ((port + k, f"{source[node]}@{i}") for k, i in enumerate(parts))
            port += len(parts)
        else:
            yield port, source[node]
            port += 1


def _base(source: str) -> str:
    return source.partition("@")[0]


def _staged(pieces: list[Piece], links: list[Link]) -> tuple[list[Piece], list[Link]]:
    """Equal blocks in a row become one piece."""
    runs = [list(run) for _, run in groupby(_linked(pieces, links), key=lambda pair: pair[0])]
    out, kept = list[Piece](), list(links)
    for run in ([p for _, p in r] for r in runs):
        if len(run) < 2 or len(run) == len(pieces) or not run[0].pieces:
            out += run
            continue
        name = f"{run[0].id}-{run[-1].id.rpartition('/')[2].rpartition('.')[2]}"
        ids = {p.id for p in run}
        inner = [("in0" if _base(s) not in ids else s, t, p) for s, t, p in kept if t in ids]
        inner.append((run[-1].id, "out", 0))
        spent = [p.ms for p in run]
        ms = None if None in spent else sum(m for m in spent if m is not None)
        label = f"{len(run)} × {run[0].label.partition(' · ')[0]}"
        out.append(
            Piece(
                name,
                label,
                run[0].op,
                run[-1].shape,
                sum(p.params for p in run),
                sum(p.flops for p in run),
                ms,
                tuple(run),
                tuple(inner),
            )
        )
        kept = [
            (s.replace(_base(s), name) if _base(s) in ids else s, name if t in ids else t, p)
            for s, t, p in kept
            if not (_base(s) in ids and t in ids)
        ]
    return out, kept


def _linked(pieces: list[Piece], links: list[Link]) -> Iterator[tuple[int, Piece]]:
    """Each piece with the number of the row of equal ones, linked by nothing but one chain, that it is in."""
    group = -1
    for i, piece in enumerate(pieces):
        before = pieces[i - 1] if i else None
        alone = before is not None and {_base(s) for s, t, _ in links if t == piece.id} == {before.id}
        alone = (
            alone and before is not None and {t for s, t, _ in links if _base(s) == before.id} == {piece.id}
        )
        if not (alone and before is not None and _face(before) == _face(piece)):
            group += 1
        yield group, piece


def _face(piece: Piece) -> Any:
    """What two blocks have in common that differ in nothing but their place and weights."""
    label = piece.label.partition(" · ")[0]
    return label, piece.op, piece.shape, piece.params, piece.flops, len(piece.pieces)


def _through(traced: Traced) -> Traced:
    """The module that does the work: one that does nothing but call one other stands for that other."""
    while traced.graph is not None and len(traced.inside) == 1:
        calls = [n for n in traced.graph.nodes if n.op not in ("placeholder", "output")]
        if len(calls) != 1 or calls[0].op != "call_module":
            break
        traced = next(iter(traced.inside.values()))
    return traced


def _label(target: str, traced: Traced) -> str:
    """`Cell · 3` for an item of a list, else the name that the network gives it."""
    last, shown = target.rpartition(".")[2], _through(traced)
    kind = type(shown.module).__name__.strip("_").removesuffix("Module") or "Block"
    if shown.is_layer and last.isdigit():
        return kind
    kind = "Row" if kind == "Sequential" else kind
    return f"{kind} · {last}" if last.isdigit() else last.replace("_", " ")


def _join(id: str, name: str) -> str:
    return f"{id}/{name}".lstrip("/")


def _op(module: nn.Module) -> str:
    """The option that a layer stands for, in the words of the palette."""
    match module:
        case nn.Conv2d():
            kernel = module.kernel_size[0]
            kind = "dil" if module.dilation[0] > 1 else "sep" if module.groups > 1 else "conv"
            return f"{kind}_{kernel}x{kernel}"
        case nn.AvgPool2d():
            return "avg_pool"
        case nn.MaxPool2d():
            return "max_pool"
        case nn.MultiheadAttention():
            return "attention"
        case nn.Linear():
            return "mlp"
        case nn.Identity():
            return "skip"
        case _:
            return ""


def _leaves(pieces: list[Piece] | tuple[Piece, ...]) -> Iterator[Piece]:
    for piece in pieces:
        yield from _leaves(piece.pieces) if piece.pieces else (piece,)


def _single(ops: list[str]) -> str:
    """The one option among a block's layers; empty where there are several."""
    said = [op for op in ops if op]
    return said[0] if len(said) == 1 else ""


def _shape(value: Any) -> tuple[int, ...]:
    return tuple(value.shape[1:]) if isinstance(value, Tensor) else ()


def _flops(module: nn.Module, value: Any) -> int:
    """Multiply-adds of one layer for one example, as cost.py counts them."""
    if not isinstance(value, Tensor):
        value = value[0] if isinstance(value, tuple) and value and isinstance(value[0], Tensor) else None
    if value is None or not value.dim():
        return 0
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        return int(module.weight[0].numel() * value[0].numel())
    if isinstance(module, nn.Linear):
        rows = value[0].numel() // module.out_features
        return rows * (module.weight.numel() + (module.out_features if module.bias is not None else 0))
    if isinstance(module, nn.MultiheadAttention):
        tokens = value.shape[1] if module.batch_first else value.shape[0]
        return int(tokens * 4 * module.embed_dim**2 + 2 * tokens**2 * module.embed_dim)
    return 0


def _matrix(node: fx.Node) -> int:
    left, out = node.args[0], node.meta["value"]
    inner = left.meta["value"].shape[-1] if isinstance(left, fx.Node) else 0
    return int(inner * out[0].numel())


def _in_order(node: fx.Node) -> list[fx.Node]:
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), lambda n: found.append(n) or n)
    return found


def _is_work(node: fx.Node) -> bool:
    """Whether a call makes a tensor of its own: not a view, a size or an item."""
    if not isinstance(node.meta.get("value"), Tensor) and node.op != "call_module":
        return False
    name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.op == "call_module" or name not in VIEWS
