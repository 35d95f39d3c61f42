"""Starting, pausing, stopping and naming runs: files and processes, no torch, no database.

A run is a folder `<home>/runs/<id>` with `spec.json`, `control`, `lock`, `journal.jsonl` and `worker.log`.
Ids are ours and matched by a pattern, so what people write never meets a path.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from nascore.codec import dumps
from nascore.errors import BadInput, Busy, NoSpace, NotFound
from nascore.events import LIVES, Life
from nascore.locks import hold as take_lock
from nascore.locks import holder
from nascore.runs.journal import NAME, Journal, Reader
from nascore.runs.spec import RunSpec, read, reseeded, tidy
from nascore.runs.worker import BUSY, without_paths

PROJECT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "nascore.runs.worker")
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
MAX_LIVE, MIN_FREE_BYTES = 50, 200 << 20
START_SECONDS, FORCE_SECONDS = 20.0, 10.0
ENDED = ("Finished", "Stopped", "Failed")
LEAVE_SECONDS = 5.0

_id_guard, _last_id = threading.Lock(), list[str]()
_children: list[subprocess.Popen[bytes]] = []


def home() -> Path:
    """Where everything lies that is made at run time: NASCOPE_HOME, by default the project's `data/`."""
    return Path(os.environ.get("NASCOPE_HOME") or PROJECT / "data").absolute()


def new_id() -> str:
    """An id that sorts by its time of making; every one of this process is above the one before."""
    with _id_guard:
        now = datetime.now()
        mark = now.microsecond * 4096 // 1_000_000 << 12 | secrets.randbelow(4096)
        made = f"{now:%Y%m%d-%H%M%S}-{mark:06x}"
        if _last_id and made <= _last_id[0]:
            day, second, old = _last_id[0].split("-")
            made = f"{day}-{second}-{min(int(old, 16) + 1, 0xFFFFFF):06x}"
        _last_id[:] = [made]
        return made


def folder(run: str) -> Path:
    """The folder of a run.

    Raises:
        NotFound: no run has this id; links are never followed.
    """
    if isinstance(run, str) and ID.fullmatch(run):
        found = home() / "runs" / run
        if found.is_dir() and not found.is_symlink():
            return found
    raise NotFound(f"no run called {str(run)[:40]!r}")


def runs() -> list[str]:
    """Ids of all runs, the newest first; whatever else lies in the folder is left alone."""
    try:
        with os.scandir(home() / "runs") as entries:
            found = [e.name for e in entries if ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return sorted(found, reverse=True)


def is_live(run: str) -> bool:
    """Whether a worker holds this run at this moment."""
    return holder(folder(run) / "lock") is not None


def read_spec(run: str) -> RunSpec:
    """What the run was started with, even if a table that it asked is gone by now.

    Raises:
        NotFound: no such run.
        BadInput: its spec cannot be read.
    """
    try:
        return read((folder(run) / "spec.json").read_bytes(), check=False)
    except OSError as error:
        raise BadInput(f"spec.json cannot be read ({error.strerror})") from error


def title(run: str) -> str:
    """The name that people gave it: later, or in its spec; "" where there is none."""
    place = folder(run)
    with contextlib.suppress(OSError):
        return tidy((place / "title").read_text(errors="replace"))
    with contextlib.suppress(OSError, ValueError, BadInput, AttributeError):
        return tidy(json.loads((place / "spec.json").read_bytes()).get("title", ""))
    return ""


def check_home() -> str:
    """Nothing where runs can be started; else one sentence: what is wrong, where, and what helps."""
    try:
        _ready()
    except NoSpace as error:
        return str(error)
    return ""


def _ready() -> None:
    place = home()
    try:
        (place / "runs").mkdir(parents=True, exist_ok=True)
        probe = place / "runs" / f".probe-{os.getpid()}-{threading.get_ident()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise NoSpace(
            f"the data folder {place} cannot be written ({error.strerror}); "
            "make it writable, or point NASCOPE_HOME to a folder that is"
        ) from error
    free = shutil.disk_usage(place).free
    if free < MIN_FREE_BYTES:
        raise NoSpace(
            f"only {free / 2**20:.0f} MB are free in {place}; a run needs {MIN_FREE_BYTES / 2**20:.0f} MB: "
            "delete runs or point NASCOPE_HOME to another disk"
        )


def start(spec: RunSpec, run: str | None = None, fill: Callable[[Path], None] | None = None) -> str:
    """Starts a search in a process of its own; the same id again is the same run.

    `fill` puts what else the run begins with into its folder.

    Returns:
        The run's id, once its worker has spoken or could not.

    Raises:
        BadInput: the id is none of ours.
        NoSpace: the data folder cannot be written or is nearly full.
        Busy: 50 runs are waiting or running.
    """
    run = run or new_id()
    if not ID.fullmatch(run):
        raise BadInput(f"run: {run[:40]!r} is no id; leave it out, or take one of new_id()")
    if (home() / "runs" / run).exists():
        return run
    _ready()
    _check_queue()
    aside = home() / "runs" / f".{run}-{os.getpid()}-{threading.get_ident()}"
    aside.mkdir(mode=0o700)
    try:
        _write(aside / "spec.json", dumps(spec.to_json(), indent=1))
        _write(aside / "control", "run")
        if fill is not None:
            fill(aside)
        aside.rename(home() / "runs" / run)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        if (home() / "runs" / run).exists():  # a double click was faster
            return run
        raise NoSpace(f"the run cannot be written to {home()} ({error.strerror})") from error
    _spawn(folder(run))
    return run


def _check_queue() -> None:
    live = sum(holder(home() / "runs" / r / "lock") is not None for r in runs())
    if live >= MAX_LIVE:
        raise Busy(f"{live} searches are waiting or running; {MAX_LIVE} is the limit: wait, or stop some")


def _write(file: Path, text: str) -> None:
    """Whole or not at all."""
    aside = file.with_name(f".{file.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    with aside.open("w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    aside.replace(file)


def _spawn(place: Path) -> None:
    """Starts a worker and waits until it has said something; where it cannot, that is said in its place.

    Raises:
        Busy: another worker holds the run.
    """
    journal = place / NAME
    before = journal.stat().st_size if journal.exists() else 0
    paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    log = os.open(place / "worker.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    try:
        child = subprocess.Popen(
            [*COMMAND, str(place)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=PROJECT,
            env=environment,
            umask=0o077,
        )
    except OSError as error:
        _say(place, Life("Failed", f"could not start: {error.strerror}"))
        return
    finally:
        os.close(log)
    _children.append(child)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        code = child.poll()
        if code == BUSY:
            raise Busy("the run is already running")
        if journal.exists() and journal.stat().st_size != before:
            return
        if code is not None:
            _say(place, Life("Failed", f"could not start: {_last_line(place / 'worker.log')}"))
            return
        time.sleep(0.01)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace")[-4000:].splitlines() if line.strip()]
    return without_paths(lines[-1]) if lines else "the worker ended without a word"


def _say(place: Path, life: Life) -> bool:
    """Writes the end of a run that has no worker; holds its lock meanwhile, as every writer does."""
    lock = take_lock(place / "lock")
    if lock is None:
        return False
    try:
        journal = Journal(place)
        journal.last_words(life)
        journal.close()
    finally:
        os.close(lock)
    return True


def reap() -> None:
    """Collects workers that have ended, so that none stays a zombie."""
    for child in list(_children):
        if child.poll() is not None:
            with contextlib.suppress(ValueError):
                _children.remove(child)


def last_life(run: str) -> str:
    """What the run's worker said last of itself: one of `LIVES`, or ""."""
    kinds = [r["kind"] for r in Reader(folder(run) / NAME).read() if r.get("kind") in LIVES]
    return kinds[-1] if kinds else ""


def pause(run: str) -> None:
    """Asks the worker to end at its next event, to be resumed later.

    Raises:
        Busy: it has no worker.
    """
    if not is_live(run):
        raise Busy("the run is not running, so it cannot be paused")
    _write(folder(run) / "control", "pause")


def cancel(run: str) -> None:
    """Asks the worker to end for good; one that has not after 10 s is killed with its group.

    Raises:
        Busy: the run has ended already.
    """
    place = folder(run)
    if (pid := holder(place / "lock")) is not None:
        _write(place / "control", "cancel")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        threading.Thread(target=_force, args=(place, pid), daemon=True).start()
    elif (last := last_life(run)) in ENDED:
        raise Busy(f"the run has ended already ({last.lower()})")
    else:
        _write(place / "control", "cancel")
        _say(place, Life("Stopped", "stopped by hand"))


def _force(place: Path, pid: int) -> None:
    """Waits for the worker's end; kills its group where it does not come. The pid is what the kernel says."""
    deadline = time.monotonic() + FORCE_SECONDS
    while holder(place / "lock") == pid:
        if time.monotonic() > deadline:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.getpgid(pid) == pid != os.getpgid(0) and holder(place / "lock") == pid:
                    os.killpg(pid, signal.SIGKILL)
            return
        time.sleep(0.05)
        reap()


def ended(run: str, seconds: float) -> bool:
    """Waits for the worker's end; False where it is still there after so many seconds."""
    deadline = time.monotonic() + seconds
    while is_live(run):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
        reap()
    return True


def has_left(run: str) -> bool:
    """Whether the run has no worker; one that has said its last words is waited for a few seconds."""
    return not is_live(run) or (last_life(run) in (*ENDED, "Paused") and ended(run, LEAVE_SECONDS))


def resume(run: str, retry_failed: bool = False) -> None:
    """A new worker carries on where the last one ended; with `retry_failed` it then judges again what failed.

    Raises:
        Busy: it is running already, or has finished and nothing is to be judged again.
        BadInput: its spec cannot be read.
    """
    place = folder(run)
    if not has_left(run):
        raise Busy("the run is already running")
    if last_life(run) == "Finished" and not retry_failed:
        raise Busy("the run has finished; there is nothing to resume")
    read_spec(run)
    _ready()
    _check_queue()
    _write(place / "control", "retry" if retry_failed else "run")
    _spawn(place)


def rename(run: str, name: str) -> None:
    """Gives the run another title: one line of at most 120 characters."""
    _write(folder(run) / "title", tidy(name))


def delete(run: str) -> None:
    """Removes the run and everything in its folder.

    Raises:
        Busy: a worker holds it.
    """
    place = folder(run)
    if not has_left(run):
        raise Busy("the run is running; stop it before you delete it")
    gone = place.with_name(f".deleted-{run}-{os.getpid()}")
    place.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def again(run: str, seed: int | None = None) -> str:
    """Starts the same search with another seed, by default the next that no equal run has had.

    Returns:
        The new run's id.
    """
    spec = read_spec(run).checked()
    if seed is None:
        same = _alike(spec.to_json())
        taken = {d.get("seed") for r in runs() if _alike(d := _raw(r)) == same}
        seed = next(s for s in range(spec.seed + 1, spec.seed + len(taken) + 2) if s not in taken)
    return start(reseeded(spec, seed))


def _raw(run: str) -> dict[str, Any]:
    try:
        data = json.loads((folder(run) / "spec.json").read_bytes())
    except (OSError, ValueError, RecursionError, NotFound):
        return {}
    return data if isinstance(data, dict) else {}


def _alike(data: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in json.loads(json.dumps(data)).items() if k not in ("seed", "title")}


def bundle(run: str) -> bytes:
    """The run as a zip file: its spec and its journal under fixed names, and nothing else."""
    place, out = folder(run), io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("spec.json", NAME):
            file = place / name
            if file.is_file() and not file.is_symlink():
                archive.writestr(f"{run}/{name}", file.read_bytes())
    return out.getvalue()
