"""An arch as plain PyTorch source that needs torch alone, or as ONNX; both are compared with ours.

The source is made from the traced network (trace.py, source.py), so no space has to know about it. Its
weights are ours in the same order under shorter names, which its `rename` gives them.
"""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nascore import space as spaces
from nascore.errors import NotSupported
from nascore.graph import Graph, Piece
from nascore.space import Arch, Space
from nascore.task import Shape

if TYPE_CHECKING:
    from torch import Tensor, nn

CLOSE = 1e-6  # of source, times the size of what comes out
CLOSE_ONNX = 1e-4
CHECKED = 3  # examples that the comparison is made with; another number than the trace's


@dataclass(frozen=True)
class Exported:
    """What was written and how it compares.

    Attributes:
        text: the source.
        params: trainable numbers of the built network.
        difference: the largest one between its outputs and ours, both modes, relative to the largest output.
        unused: names of our weights that no forward uses; they are left out.
    """

    text: str
    params: int
    difference: float
    unused: tuple[str, ...] = ()


def built(space: Space, arch: Arch, shape: Shape) -> nn.Module:
    """Our network, with weights that are the same each time.

    Raises:
        NotSupported: the arch is no valid one, or its parts are no modules.
    """
    import torch

    if why := space.invalid(arch):
        raise NotSupported(f"this architecture is no network: {why}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return space.build(arch, shape)


def torch_source(space: Space, arch: Arch, shape: Shape, name: str = "") -> Exported:
    """A file of plain PyTorch that computes what our network computes.

    Args:
        space: any space whose `build` gives a module.
        arch: option indices.
        shape: of the task.
        name: what people call the space.

    Raises:
        NotSupported: a part cannot be written as plain source, or its outputs are not ours.
    """
    from nascore.source import source_of
    from nascore.trace import inputs_of, trace

    net = built(space, arch, shape)
    x = inputs_of(shape)
    with one_thread():
        judging, learning = trace(net.eval(), x), trace(net.train(), x)
        classes, top, unused = source_of(judging, learning)
    params = sum(p.numel() for p in net.parameters() if p.requires_grad)
    text = _file(classes, top, _about(space, arch, shape, name, params), shape, unused)
    with one_thread():
        return Exported(text, params, _compared(text, net, shape), tuple(unused))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Small calls in great number are far faster so, above all while other processes work."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _about(space: Space, arch: Arch, shape: Shape, name: str, params: int) -> list[str]:
    """What stands on top of the file; texts of people are kept on one line and out of the quotes."""
    graph: Graph = space.graph(arch, shape)
    sizes = ", ".join(f"{n} (n, {', '.join(map(str, s))})" for n, s in shape.inputs)
    outs = ", ".join(f"{n} (n, {c})" for n, c in shape.outputs)
    return [
        f"A network of the space {_plain(name or type(space).__name__)}, as plain PyTorch.",
        "",
        *_folded(f"Architecture   {_plain(space.text(arch))}"),
        f"Key            {spaces.key(space, arch)}",
        f"Input          {_plain(sizes)}",
        f"Output         {_plain(outs)}",
        f"Parameters     {params:,}",
        f"Multiply-adds  {graph.flops:,}",
    ]


def _plain(text: str, limit: int = 2000) -> str:
    r"""A text that can stand between triple quotes: printable, on one line, without \ and three quotes."""
    line = "".join(c if c.isprintable() else " " for c in text)[:limit]
    return line.replace("\\", "/").replace('"', "'")


def _folded(line: str) -> list[str]:
    """A long line over several, indented like its first word's value."""
    return textwrap.wrap(line, 100, subsequent_indent=" " * 15) or [line]


USE = """
Train it as it is, or give it weights that NAScope saved:

    model = {top}()
    model.load_state_dict(rename(torch.load("weights.pt", weights_only=True)))
"""
RENAME = '''

def rename(weights):
    """Weights of NAScope under the names that this file uses: the same tensors in the same order.{note}"""
    names = list({top}().state_dict())
    if list(weights) == names:
        return weights
    return dict(zip(names, {values}, strict=True))
'''
MAIN = """

if __name__ == "__main__":
    model = {top}()
    if len(sys.argv) > 1:
        model.load_state_dict(rename(torch.load(sys.argv[1], weights_only=True)))
    model.eval()
    with torch.no_grad():
        out = model({example})
    print("output", {out})
    print("parameters", sum(p.numel() for p in model.parameters() if p.requires_grad))
"""


def _file(classes: list[str], top: str, about: list[str], shape: Shape, unused: list[str]) -> str:
    text = "\n\n\n".join(classes)
    extra = "import torch.nn.functional as F\n" if "F." in text else ""
    first = "import math\n" if "math." in text else ""
    head = '"""' + "\n".join(about) + "\n" + USE.format(top=top) + '"""\n\n'
    imports = f"{first}import sys\n\nimport torch\n{extra}from torch import nn\n\n\n"
    values, note = "weights.values()", ""
    if unused:
        values = f"(w for n, w in weights.items() if not n.startswith({tuple(f'{u}.' for u in unused)!r}))"
        note = "\n\n    Those that the network never uses are left out.\n    "
    one = {n: f"torch.zeros(1, {', '.join(map(str, s))})" for n, s in shape.inputs}
    example = next(iter(one.values()))
    if len(one) > 1:
        example = "{" + ", ".join(f"{n!r}: {z}" for n, z in one.items()) + "}"
    out = (
        "tuple(out.shape)"
        if len(shape.outputs) == 1
        else "out if torch.is_tensor(out) else type(out).__name__"
    )
    return (
        head + imports + text + "\n" + RENAME.format(top=top, values=values, note=note)
        + MAIN.format(top=top, example=example, out=out)
    )  # fmt: skip


def _compared(text: str, net: nn.Module, shape: Shape) -> float:
    """The largest difference between the source's outputs and ours, in training and judging.

    Raises:
        NotSupported: it is not close.
    """
    from nascore.trace import inputs_of

    x = inputs_of(shape, CHECKED, seed=1)
    try:
        home: dict[str, Any] = {"__name__": "exported"}
        exec(compile(text, "<exported>", "exec"), home)  # noqa: S102 -- made here, of names made here
        theirs = home["Network"]()
        theirs.load_state_dict(home["rename"](net.state_dict()))
        worst = max(_outputs_apart(net, theirs, x, training) for training in (True, False))
    except (TypeError, ValueError, NameError, AttributeError, IndexError, KeyError, RuntimeError) as error:
        why = " ".join(str(error).split())[:160]
        raise NotSupported(f"the source that was written does not run: {why}") from error
    if not worst <= CLOSE:
        raise NotSupported(
            f"the source that was written gives other outputs, by {worst:.1e}; nothing was kept"
        )
    return worst


def _outputs_apart(net: nn.Module, theirs: nn.Module, x: Any, training: bool) -> float:
    """In one mode, with the same random numbers; training changes the statistics that judging uses."""
    import torch

    outs = []
    for model in (net, theirs):
        torch.manual_seed(2)
        with torch.no_grad():
            outs.append(model.train(training)(x))
    return _distance(*outs)


def _distance(ours: Any, theirs: Any) -> float:
    """The largest difference over all tensors, relative to our largest entry (at least 1); inf if unlike."""
    from torch.utils import _pytree

    a, b = _pytree.tree_leaves(ours), _pytree.tree_leaves(theirs)
    if len(a) != len(b):
        return float("inf")
    return max((_apart(p, q) for p, q in zip(a, b, strict=True)), default=float("inf"))


def _apart(ours: Tensor, theirs: Tensor) -> float:
    if ours.shape != theirs.shape or not bool(ours.isfinite().all()):
        return float("inf")
    return float((ours - theirs).abs().max() / ours.abs().max().clamp(min=1.0)) if ours.numel() else 0.0


def outline_of(space: Space, arch: Arch, shape: Shape) -> tuple[Piece, str]:
    """The built network as pieces that unfold, with measured times, and how these were measured.

    Raises:
        NotSupported: its forward cannot be followed.
    """
    from nascore.outline import outline, timed
    from nascore.trace import inputs_of, trace

    net = built(space, arch, shape).eval()
    with one_thread():
        times, told = timed(net, shape)
        return outline(trace(net, inputs_of(shape)), times), told


def onnx_model(space: Space, arch: Arch, shape: Shape) -> tuple[bytes, float]:
    """The network for judging as an ONNX model with its weights, for any number of examples.

    Names of modules and files, which the exporter notes beside each node, are taken out.

    Returns:
        The model, and how far its outputs are from ours, relative to the largest.

    Raises:
        NotSupported: a package is missing, a part has no ONNX form, or the outputs are not ours.
    """
    import io

    import torch

    from nascore.trace import inputs_of

    try:
        import onnx
        import onnxscript  # noqa: F401 -- what torch writes ONNX with
    except ImportError as error:
        raise NotSupported("ONNX needs the packages onnx and onnxscript; install requirements.txt") from error
    net, x = built(space, arch, shape).eval(), inputs_of(shape)
    if not torch.is_tensor(x):
        raise NotSupported("ONNX: networks of several inputs cannot be written yet")
    if any(hasattr(m, "as_source") for m in net.modules()):
        raise NotSupported("ONNX: layers of few bits have no form there yet; take plain PyTorch")
    names: dict[str, Any] = {
        "input_names": [shape.inputs[0][0]],
        "output_names": [n for n, _ in shape.outputs],
    }
    any_count = ({0: torch.export.Dim("examples")},)
    with _quiet():
        try:
            made = torch.onnx.export(net, (x,), dynamo=True, verbose=False, dynamic_shapes=any_count, **names)
            raw = io.BytesIO()
            made.save(raw)  # type: ignore[union-attr]
        except torch.onnx.errors.OnnxExporterError as error:
            why = " ".join(str(error).split())[:160]
            raise NotSupported(f"this network has no ONNX form: {why}") from error
    model = onnx.load_from_string(raw.getvalue())
    _without_notes(model)
    onnx.checker.check_model(model)
    worst = _onnx_distance(model.SerializeToString(), net, shape)
    if not worst <= CLOSE_ONNX:
        raise NotSupported(f"the ONNX model gives other outputs, by {worst:.1e}; nothing was kept")
    return model.SerializeToString(), worst


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's own warnings and progress, which say nothing about this network, are held back."""
    import logging
    import warnings

    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _without_notes(model: Any) -> None:
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        part.ClearField("doc_string")
        del part.metadata_props[:]


def _onnx_distance(raw: bytes, net: nn.Module, shape: Shape) -> float:
    """How far its outputs are from ours: by onnxruntime if installed, else by onnx itself, slowly."""
    import torch

    from nascore.trace import inputs_of

    x = inputs_of(shape, CHECKED, seed=1)
    given = {shape.inputs[0][0]: x.numpy()}
    try:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        outs = onnxruntime.InferenceSession(raw, options).run(None, given)
    except ImportError:
        import onnx
        import onnx.reference

        outs = onnx.reference.ReferenceEvaluator(onnx.load_from_string(raw)).run(None, given)
    with torch.no_grad():
        ours = net(x)
    return _distance(ours, [torch.as_tensor(o) for o in outs])
