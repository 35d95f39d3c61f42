"""What has to be made from a built network, in a process of its own: source, ONNX, the outline with times.

The app holds no torch, so it asks for a file and looks again until it is there. Files are kept by what they
were made from, and a refusal is kept like a file, so nothing is made twice. Where too many are being made,
others wait.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from nascore import export
from nascore.codec import arch_from_json, arch_to_json, dumps, to_json
from nascore.errors import AppError
from nascore.runs import launch
from nascore.space import Arch, Space
from nascore.task import Shape

FORMATS = ("torch", "onnx", "outline")
MADE = 1  # counts up when what is made changes, so that old files are not taken for new ones
AT_ONCE, MAX_SECONDS, KEPT = 1, 300.0, 400
COMMAND = (sys.executable, "-m", "nascore.runs.exporting")
BROKE = "it could not be made: its process ended early"

_guard = threading.Lock()
_live: dict[str, tuple[subprocess.Popen[bytes], float]] = {}


@dataclass(frozen=True)
class Made:
    """How far a file is.

    Attributes:
        state: ready, failed, working, waiting (others are being made) or none (nobody asked).
        data: the file where it is ready.
        why: the sentence where it failed.
        seconds: how long it has been worked on.
    """

    state: Literal["ready", "failed", "working", "waiting", "none"]
    data: bytes = b""
    why: str = ""
    seconds: float = 0.0


def made(space: Space, arch: Arch, shape: Shape, form: str, *, start: bool = True) -> Made:
    """A file of an arch: what is there, or how far it is; begins to make it where nobody has.

    Args:
        space: with its knobs.
        arch: option indices.
        shape: inputs and outputs.
        form: one of FORMATS.
        start: False only looks.
    """
    asked = dumps({"made": MADE, "form": form, "arch": arch_to_json(space, arch), "shape": asdict(shape)})
    file = _folder() / f"{hashlib.sha256(asked.encode()).hexdigest()[:32]}.{form}"
    if found := _read(file):
        return found
    with _guard:
        return _look(file, asked, start)


def _folder() -> Path:
    return launch.home() / "exports"


def _read(file: Path) -> Made | None:
    """What lies there; the first byte says whether it is a file or a sentence."""
    try:
        raw = file.read_bytes()
    except OSError:
        return None
    return (
        Made("ready", raw[1:]) if raw[:1] == b"+" else Made("failed", why=raw[1:].decode("utf-8", "replace"))
    )


def _look(file: Path, asked: str, start: bool) -> Made:
    name = file.name
    for other, (process, began) in list(_live.items()):
        if process.poll() is not None:
            del _live[other]
            if other == name:
                return _read(file) or Made("failed", why=BROKE)
        elif time.monotonic() - began > MAX_SECONDS:
            process.kill()
            process.wait(10)
            del _live[other]
            if other == name:
                return Made("failed", why=f"it was not made within {MAX_SECONDS:.0f} seconds")
    if name in _live:
        return Made("working", seconds=time.monotonic() - _live[name][1])
    if not start:
        return Made("none")
    if len(_live) >= AT_ONCE:
        return Made("waiting")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _tidy(file.parent)
        _live[name] = (_begin(file, asked), time.monotonic())
    except OSError as error:
        return Made("failed", why=f"it cannot be made here ({error.strerror})")
    return Made("working")


def _begin(file: Path, asked: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [*COMMAND, str(file)],
        cwd=launch.PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101 -- it is a pipe
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(asked.encode())
        process.stdin.close()
    return process


def _tidy(folder: Path) -> None:
    """Lets the oldest go where there are many."""
    files = sorted(folder.iterdir(), key=lambda f: f.stat().st_mtime)
    for old in files[: max(0, len(files) - KEPT)]:
        old.unlink(missing_ok=True)


def main(file: str, asked: str) -> int:
    """Makes one file, or writes down why it cannot be made."""
    os.nice(5)
    data = json.loads(asked)
    try:
        space, arch = arch_from_json(data["arch"])
        inputs = tuple((str(n), tuple(s)) for n, s in data["shape"]["inputs"])
        shape = Shape(inputs, tuple((str(n), int(c)) for n, c in data["shape"]["outputs"]))
        raw = b"+" + content(space, arch, shape, data["form"])
    except AppError as error:
        raw = b"-" + str(error).encode()
    aside = Path(f"{file}.{os.getpid()}.part")
    aside.write_bytes(raw)
    aside.replace(file)
    return 0


def content(space: Space, arch: Arch, shape: Shape, form: str) -> bytes:
    """The bytes of one form."""
    match form:
        case "torch":
            return export.torch_source(space, arch, shape, to_json(space)["name"]).text.encode()
        case "onnx":
            return export.onnx_model(space, arch, shape)[0]
        case _:
            whole, told = export.outline_of(space, arch, shape)
            return dumps({"told": told, "whole": asdict(whole)}).encode()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.stdin.read()))
