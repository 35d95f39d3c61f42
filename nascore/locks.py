"""Who is alive, and who is next: POSIX record locks, which the kernel frees at death.

`fcntl.lockf`, not `flock`: a forked child does not inherit a record lock. The price: closing any descriptor
of a file lets this process's lock on it go, so a worker opens its own lock file once and nobody else in it
does. Waiting workers hold one ticket file each; the oldest living ticket may try the slots.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

FLOCK = "hhqqi4x"  # struct flock of Linux, 64 bits: type, whence, start, length, pid


def hold(file: Path) -> int | None:
    """Takes the lock until this process ends or closes what it gets.

    Returns:
        The descriptor that keeps it; None where another process holds it.
    """
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(fd)
        return None
    return fd


def holder(file: Path) -> int | None:
    """The process that holds the lock at this moment, as the kernel knows it; None where nobody else does."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    except OSError:
        return None
    finally:
        os.close(fd)
    return None if kind == fcntl.F_UNLCK else pid


def slots() -> int:
    """Searches that may run at once: NASCOPE_SLOTS, else one for every two cores."""
    given = os.environ.get("NASCOPE_SLOTS", "")
    return max(1, int(given) if given.isdecimal() else (os.cpu_count() or 1) // 2)


def queue(home: Path) -> list[str]:
    """Names of the runs that wait for a slot, the next one first; tickets of the dead are not counted."""
    return [t.name.split("~", 1)[1] for t in _tickets(home) if holder(t) is not None]


def _tickets(home: Path) -> list[Path]:
    return sorted((home / "slots").glob("*~*"))


@dataclass
class Ticket:
    """A place in the queue of one waiting worker, and later its slot."""

    home: Path
    run: str
    file: Path
    fd: int | None
    slot: int | None = None

    @classmethod
    def draw(cls, home: Path, run: str) -> Ticket:
        """The last place."""
        (home / "slots").mkdir(parents=True, exist_ok=True)
        file = home / "slots" / f"{time.time_ns():020d}~{run}"
        return cls(home, run, file, hold(file))

    def first(self) -> bool:
        """Whether no living ticket is older; dead ones are cleared away."""
        for other in _tickets(self.home):
            if other == self.file:
                return True
            if holder(other) is not None:
                return False
            other.unlink(missing_ok=True)
        return True

    def take(self) -> bool:
        """Takes a free slot, if it is this ticket's turn."""
        if not self.first():
            return False
        for i in range(slots()):
            self.slot = hold(self.home / "slots" / f"{i}.lock")
            if self.slot is not None:
                self.leave()
                return True
        return False

    def leave(self) -> None:
        """Gives the place in the queue up."""
        self.file.unlink(missing_ok=True)
        if self.fd is not None:
            with contextlib.suppress(OSError):
                os.close(self.fd)
            self.fd = None
