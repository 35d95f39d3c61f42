"""`python -m nascore arch SPACE ARCH --export FORMAT FILE`: source, ONNX, JSON, SVG, PNG."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Any

from nascore import export
from nascore.codec import arch_from_json, arch_to_json, dumps
from nascore.errors import BadInput, NotSupported
from nascore.graph import Graph
from nascore.space import Arch, Space
from nascore.tables import name_of
from nascore.task import Shape
from nascore.view import scene, svg
from nascore.view.tokens import LIGHT, Tokens

Document = dict[str, Any]
FORMATS = ("torch", "onnx", "json", "svg", "png")


def do_export(space: Space, arch: Arch, shape: Shape, form: str, file: str) -> Document:
    """Writes an arch; what was written, and for source and ONNX how far its outputs are from ours.

    Raises:
        BadInput: no such format, or the file cannot be written.
        NotSupported: this network has no such form.
    """
    if form not in FORMATS:
        raise BadInput(f"--export: {form[:20]!r} cannot be written; there are {', '.join(FORMATS)}")
    if why := space.invalid(arch) if form != "json" else "":
        raise NotSupported(f"--export: this architecture is no network: {why}")
    data, more = content(space, arch, shape, form)
    write(file, data)
    return {"format": form, "file": file, "bytes": len(data), **more}


def content(space: Space, arch: Arch, shape: Shape, form: str) -> tuple[bytes, Document]:
    """The bytes of a format, and what is to be said about them."""
    match form:
        case "torch":
            made = export.torch_source(space, arch, shape, name_of(space))
            return made.text.encode(), {"difference": made.difference, "unused": list(made.unused)}
        case "onnx":
            raw, difference = export.onnx_model(space, arch, shape)
            return raw, {"difference": difference}
        case "json":
            data = arch_to_json(space, arch)
            arch_from_json(data)
            return f"{dumps(data, indent=1)}\n".encode(), {}
        case _:
            text = svg.sheet(drawings(space.graph(arch, shape), LIGHT), LIGHT)
            return (text.encode() if form == "svg" else svg.png(text)), {}


def drawings(graph: Graph, t: Tokens) -> list[Any]:
    """The cell where there is one, its operations, and the network."""
    found = [scene.cell(graph, t), scene.legend(scene.options_of(graph), t)] if graph.nodes else []
    return [*found, scene.macro(graph, t)] if graph.blocks else found


def write(file: str, data: bytes) -> None:
    """Writes a file aside and renames it: it is there whole or not at all.

    Raises:
        BadInput: it cannot be written.
    """
    aside = ""
    try:
        target = Path(file)
        handle, aside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as out:
            out.write(data)
        Path(aside).chmod(0o644)
        Path(aside).replace(target)
    except (OSError, ValueError) as error:
        if aside:
            with contextlib.suppress(OSError):
                Path(aside).unlink()
        why = getattr(error, "strerror", None) or error
        raise BadInput(f"--export: {file[:80]} cannot be written ({why})") from error
