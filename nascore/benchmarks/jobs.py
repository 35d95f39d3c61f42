"""Imports in the background: a process each, so that the app stays quick and never loads what files need.

A job is a folder `<home>/imports/<name>/` with `job.json` (what), `state.json` (how far), `stop` (a wish),
`lock` (held by the process for as long as it lives) and `log.txt`. A job that ended without a word was
interrupted and goes on where it was, as one that was stopped.

    python -m nascore.benchmarks.jobs NAME            reads the job's file into a table
    python -m nascore.benchmarks.jobs --preview       request on standard input, JSON on standard output
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from nascore.benchmarks.table import PROJECT, check_name, default_home, places
from nascore.errors import AppError, BadInput, Busy, NoSpace, NotFound
from nascore.locks import hold, holder

PREVIEW_SECONDS = 120.0
TELL_SECONDS = 0.3
WAIT_SECONDS = 5.0
UPLOADS = "uploads"
GB = 1 << 30
ENDED = ("finished", "failed", "stopped", "interrupted")
MODULE = "nascore.benchmarks.jobs"
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True)
class Job:
    """An import as it stands.

    Attributes:
        name: of the table to be.
        state: waiting, running, stopping, finished, stopped, interrupted or failed.
        what: file or folder name, without its place.
        done, total: in the reader's units.
        left: seconds, None where unknown.
        step: reading or writing.
        error: one sentence.
        report: of a finished import: rows, skipped, reasons, missing, seconds, format.
    """

    name: str
    state: str
    what: str = ""
    done: int = 0
    total: int = 0
    left: float | None = None
    step: str = "reading"
    error: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> bool:
        """Whether its process works."""
        return self.state not in ENDED


def folder(name: str) -> Path:
    """Where a job lies."""
    return default_home() / "imports" / check_name(name)


def start(name: str, path: str, mapping: Mapping[str, Any] | None = None) -> None:
    """Starts an import.

    Raises:
        BadInput: no possible name, or there is such a table already.
        Busy: the same import is at work.
        NoSpace: the data folder cannot be written.
    """
    place = folder(name)
    if (places(default_home())[0] / name).exists():
        raise BadInput(f"there is a table called {name!r} already; delete it or choose another name")
    if (place / "job.json").is_file() and job(name).live:
        raise Busy(f"the import of {name} is running already")
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write(place / "job.json", {"path": path, "mapping": dict(mapping) if mapping else None})
    except OSError as error:
        raise NoSpace(f"the import cannot be noted ({error.strerror or error})") from error
    _spawn(place)


def resume(name: str) -> None:
    """Goes on with an import that was stopped, interrupted or failed."""
    place = folder(name)
    if not (place / "job.json").is_file():
        raise NotFound(f"there is no import called {name!r}")
    if job(name).live:
        raise Busy(f"the import of {name} is running already")
    _spawn(place)


def _spawn(place: Path) -> None:
    (place / "stop").unlink(missing_ok=True)
    _write(place / "state.json", {"state": "waiting", "t": time.time()})
    with (place / "log.txt").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", MODULE, place.name],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=Path.cwd(),
            env=_environment(),
        )
    _children.append(child)


def _environment() -> dict[str, str]:
    paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "NASCOPE_HOME": str(default_home())}


def jobs() -> list[Job]:
    """All imports that are at work or have not been put away, by name."""
    for child in [c for c in _children if c.poll() is not None]:
        _children.remove(child)
    place = default_home() / "imports"
    names = sorted(p.name for p in place.iterdir() if (p / "job.json").is_file()) if place.is_dir() else []
    return [job(n) for n in names]


def job(name: str) -> Job:
    """One import.

    Raises:
        NotFound: there is none.
    """
    place = folder(name)
    about, said = _read(place / "job.json"), _read(place / "state.json")
    if not about:
        raise NotFound(f"there is no import called {name!r}")
    state = str(said.get("state", "waiting"))
    what = Path(str(about.get("path", ""))).name
    fresh = time.time() - float(said.get("t", 0)) < 10
    alive = holder(place / "lock") is not None or (state == "waiting" and fresh)
    if state not in ENDED and not alive:
        return Job(name, "interrupted", what, error=_last_words(place))
    if alive and (place / "stop").exists():
        state = "stopping"
    return Job(
        name,
        state,
        what,
        int(said.get("done", 0)),
        int(said.get("total", 0)),
        said.get("left"),
        str(said.get("step", "reading")),
        str(said.get("error", "")),
        said.get("report") or {},
    )


def _last_words(place: Path) -> str:
    try:
        lines = (place / "log.txt").read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return "its process ended without a result" + (f" ({lines[-1][:160]})" if lines else "")


def cancel(name: str) -> None:
    """Asks an import to stop after its next piece; what it has read is kept."""
    place = folder(name)
    if place.is_dir():
        (place / "stop").touch()


def force(name: str) -> None:
    """Ends the process of an import that does not listen."""
    if pid := holder(folder(name) / "lock"):
        os.kill(pid, signal.SIGTERM)


def forget(name: str) -> None:
    """Puts a job away with all that it had read; its table, if there is one, stays.

    Raises:
        Busy: it is at work.
    """
    place = folder(name)
    if job(name).live:
        raise Busy(f"the import of {name} is running; cancel it first")
    from nascore.benchmarks import imports

    about = _read(place / "job.json")
    imports.discard(name, default_home())
    shutil.rmtree(place, ignore_errors=True)
    given = Path(str(about.get("path", "")))
    if given.is_relative_to(default_home() / UPLOADS) and given.parent != default_home() / UPLOADS:
        shutil.rmtree(given.parent, ignore_errors=True)


def keep_upload(name: str, stream: BinaryIO, size: int) -> Path:
    """Puts an uploaded file into the data folder, under its own plain name in a folder of its own.

    Raises:
        BadInput: no possible file name.
        NoSpace: it does not fit.
    """
    plain, place = Path(name.replace("\\", "/")).name, _new_place()
    _keep([(plain, stream, size)], place, name)
    return place / plain


def keep_folder(files: Sequence[tuple[str, BinaryIO, int]]) -> Path:
    """Puts an uploaded folder into the data folder.

    Args:
        files: name from the folder on (`folder/part/file`), content and size of each.

    Raises:
        BadInput: nothing was given, or a name leads out of the folder.
        NoSpace: it does not fit.
    """
    if not files:
        raise BadInput("the folder holds no file")
    names = [name.replace("\\", "/") for name, _, _ in files]
    tops = {name.partition("/")[0] if "/" in name else "" for name in names}
    top = tops.pop() if len(tops) == 1 else ""
    inside = [name if top else f"upload/{name}" for name in names]
    kept = [(name, stream, size) for name, (_, stream, size) in zip(inside, files, strict=True)]
    place = _new_place()
    _keep(kept, place, top or "a folder")
    return place / (top or "upload")


def _new_place() -> Path:
    return default_home() / UPLOADS / f"{time.time_ns():x}"


def _keep(files: Sequence[tuple[str, BinaryIO, int]], place: Path, what: str) -> None:
    for name, _, _ in files:
        parts = name.split("/")
        if not name.isprintable() or any(p in ("", ".", "..") for p in parts):
            raise BadInput(f"{name[:80]!r} cannot name a file")
    total = sum(size for _, _, size in files)
    try:
        place.mkdir(parents=True)
        if shutil.disk_usage(place).free < total + GB // 4:
            raise NoSpace(f"{total:,} bytes do not fit on the disk of the data folder")
        for name, stream, _ in files:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            with (place / name).open("xb") as file:
                shutil.copyfileobj(stream, file)
    except OSError as error:
        raise NoSpace(f"the upload of {what[:80]} cannot be kept ({error.strerror or error})") from error


def preview(path: str, mapping: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What an import would read, found in a process of its own.

    Raises:
        BadInput: the file's own refusal, or the preview took too long.
    """
    request = json.dumps({"path": path, "mapping": mapping})
    try:
        done = subprocess.run(
            [sys.executable, "-m", MODULE, "--preview"],
            input=request.encode(),
            capture_output=True,
            timeout=PREVIEW_SECONDS,
            env=_environment(),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BadInput(f"a look at it took more than {PREVIEW_SECONDS:.0f} s; import it as it is") from None
    try:
        found = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no answer"]
        raise BadInput(f"the file could not be read ({last[0][:160]})") from None
    if "error" in found:
        raise BadInput(str(found["error"]))
    return found


def roots() -> list[Path]:
    """Folders that a page may import from: those of the importers, and the uploads."""
    from nascore.benchmarks import imports

    return [*imports.import_roots(), (default_home() / UPLOADS).resolve()]


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(file: Path, data: Mapping[str, Any]) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_text(json.dumps(data), "utf-8")
    aside.replace(file)


def work(name: str) -> int:
    """The process of one job; returns its exit status."""
    from nascore.benchmarks import imports

    place = folder(name)
    until = time.monotonic() + WAIT_SECONDS  # one that has just ended holds the lock for another moment
    while hold(place / "lock") is None:
        if time.monotonic() > until:
            return 3
        time.sleep(0.02)
    about, told = _read(place / "job.json"), 0.0

    def tell(p: imports.Progress) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= TELL_SECONDS or p.step != "reading":
            told = now
            _say(place, "running", done=p.done, total=p.total, left=p.seconds_left, step=p.step)

    _say(place, "running")
    try:
        report = imports.import_path(
            str(about["path"]),
            name,
            default_home(),
            about.get("mapping"),
            roots=roots(),
            on_progress=tell,
            should_stop=(place / "stop").exists,
        )
    except imports.Stopped as error:
        _say(place, "stopped", error=str(error))
        return 0
    except AppError as error:
        _say(place, "failed", error=" ".join(str(error).split()))
        return 2
    _say(place, "finished", report=asdict(report))
    return 0


def _say(place: Path, state: str, **more: Any) -> None:
    _write(place / "state.json", {"state": state, "t": time.time(), **more})


def _look() -> int:
    from nascore.benchmarks import imports

    asked = json.loads(sys.stdin.read())
    try:
        found = imports.preview(asked["path"], asked["mapping"], roots=roots())
    except AppError as error:
        found = {"error": " ".join(str(error).split())}
    print(json.dumps(found, default=str))
    return 0


if __name__ == "__main__":
    sys.exit(_look() if sys.argv[1:] == ["--preview"] else work(sys.argv[1]))
