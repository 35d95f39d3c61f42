"""The journal: one event a line, appended by the holder of the run's lock alone, the truth while and after
it runs.

A line is a JSON object that ends in its own CRC-32: `{"seq": 7, "t": ..., "m": ..., "kind": "Tried", ...,
"crc": "0a1b2c3d"}`, where `t` is wall time for people and `m` monotonic time for durations. A last line
without its line feed is not yet an event. Every line is with the kernel at once, so a killed worker loses
none; results are also on the disk within 50 ms, turns of life before anything else is said.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nascore.errors import BadInput, NoSpace
from nascore.events import Chosen, Event, Life, Note, Step, Tried, from_record, to_record

NAME = "journal.jsonl"
SYNC_SECONDS, STEP_SECONDS = 0.05, 0.1
RESERVE_BYTES = 8192  # given back when the disk is full, so that the run can still say so
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CHUNK_BYTES = 8 << 20
TAIL = len(',"crc":"00000000"}')


def encode(record: dict[str, Any]) -> bytes:
    """A record as one line with its CRC-32."""
    body = json.dumps(record, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
    return b'%s,"crc":"%08x"}\n' % (body[:-1], zlib.crc32(body))


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line without its line feed; None where it is damaged."""
    body = line[:-TAIL] + b"}"
    if line[-TAIL:] != b',"crc":"%08x"}' % zlib.crc32(body):
        return None
    try:
        record = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and isinstance(record.get("seq"), int) else None


@dataclass
class Reader:
    """Reads a journal bit by bit; whole lines only. One that shrank or was replaced is read from its start.

    Attributes:
        offset: bytes read so far, always at the start of a line.
        unreadable: damaged lines so far.
    """

    file: Path
    offset: int = 0
    unreadable: int = 0
    head: bytes = field(default=b"", repr=False)

    def changed(self) -> bool:
        """Whether there is something that was not read yet."""
        try:
            return self.file.stat().st_size != self.offset
        except OSError:
            return False

    def replaced(self) -> bool:
        """Whether what was read so far is no longer what the file begins with."""
        try:
            with self.file.open("rb") as f:
                return os.fstat(f.fileno()).st_size < self.offset or f.read(len(self.head)) != self.head
        except OSError:
            return False

    def rewind(self) -> None:
        """Back to the start."""
        self.offset, self.unreadable, self.head = 0, 0, b""

    def read(self) -> Iterator[dict[str, Any]]:
        """The records that are new since the last call."""
        if self.replaced():
            self.rewind()
        for block in self._blocks():
            for line in block.split(b"\n")[:-1]:
                if (record := decode(line)) is not None:
                    yield record
                elif line.strip():
                    self.unreadable += 1

    def _blocks(self) -> Iterator[bytes]:
        try:
            f = self.file.open("rb")
        except OSError:
            return
        with f:
            f.seek(self.offset)
            rest = b""
            while data := f.read(CHUNK_BYTES):
                end = data.rfind(b"\n") + 1
                block, rest = (rest + data[:end], data[end:]) if end else (b"", rest + data)
                self.head = self.head or block[:64]
                self.offset += len(block)
                if block:
                    yield block


def event_of(record: dict[str, Any]) -> Event | Life | None:
    """The event of a record, or None where it is of no kind that is known here."""
    try:
        return from_record(record)
    except BadInput:
        return None


class Journal:
    """The one writer. Opening it mends a torn end: what was half written goes to `torn.bin`."""

    def __init__(self, folder: Path) -> None:
        self.file, self.reserve = folder / NAME, folder / "reserve"
        self.events: list[Event | Life] = []
        self._said: dict[tuple[Any, ...], bool] = {}  # identity -> whether it is a Tried that failed
        self._next = self._recover()
        self._fd = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._guard, self._dirty, self._closed = threading.RLock(), threading.Event(), False
        self._trouble: OSError | None = None
        self._waiting: dict[str, Step] = {}
        self._step_time = self._sync_time = 0.0
        with contextlib.suppress(OSError):
            self.reserve.write_bytes(b"\1" * RESERVE_BYTES)
        threading.Thread(target=self._keep_synced, daemon=True, name="journal").start()

    def _recover(self) -> int:
        reader, last = Reader(self.file), -1
        for record in reader.read():
            last = max(last, record["seq"])
            if (event := event_of(record)) is not None:
                self.events.append(event)
                self._remember(event)
        self._mend(reader.offset)
        return last + 1 + reader.unreadable

    def _mend(self, good: int) -> None:
        if not self.file.exists():
            return
        with self.file.open("rb+") as f:
            f.seek(good)
            if not (torn := f.read()):
                return
            with (self.file.parent / "torn.bin").open("ab") as aside:
                aside.write(torn + b"\n")
            f.truncate(good)
            os.fsync(f.fileno())

    def _remember(self, event: Event | Life) -> None:
        if not isinstance(event, Life):
            self._said[event.identity()] = isinstance(event, Tried) and bool(event.failed)

    def holds(self, event: Event | Life) -> bool:
        """Whether saying it again would say nothing new; a Tried that failed may be corrected."""
        if isinstance(event, Life):
            return False
        failed = self._said.get(event.identity())
        return failed is False or (failed is True and not isinstance(event, Tried))

    def append(self, event: Event | Life) -> bool:
        """Writes what is new.

        Returns:
            Whether it was new.

        Raises:
            NoSpace: the disk is full; whole lines are kept, and nothing of this one.
        """
        if self.holds(event):
            return False
        with self._guard:
            if isinstance(event, Step):
                self._waiting[event.phase] = event
                if time.monotonic() - self._step_time >= STEP_SECONDS:
                    self._write_steps()
                return True
            self._write_steps()
            self._write(event)
            if isinstance(event, Chosen | Life):
                self.sync()
            elif isinstance(event, Tried | Note):
                self._sync_soon()
        return True

    def _write_steps(self) -> None:
        steps, self._waiting = list(self._waiting.values()), {}
        for step in steps:
            self._write(step)
        if steps:
            self._step_time = time.monotonic()

    def _write(self, event: Event | Life) -> None:
        about = {"seq": self._next, "t": round(time.time(), 3), "m": round(time.monotonic(), 4)}
        line = encode({**about, **to_record(event)})
        start = os.fstat(self._fd).st_size
        try:
            self._check_trouble()
            at = 0
            while at < len(line):
                at += os.write(self._fd, line[at:])
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, start)
            raise _refusal(error) from error
        self._next += 1
        self._remember(event)

    def _check_trouble(self) -> None:
        if self._trouble is not None:
            trouble, self._trouble = self._trouble, None
            raise trouble

    def sync(self) -> None:
        """Puts everything that was written on the disk.

        Raises:
            NoSpace: the disk is full.
        """
        with self._guard:
            self._dirty.clear()
            self._sync_time = time.monotonic()
            try:
                os.fsync(self._fd)
            except OSError as error:
                raise _refusal(error) from error

    def _sync_soon(self) -> None:
        """At once, unless that was done just now: then the thread does it for all that come together."""
        if time.monotonic() - self._sync_time >= SYNC_SECONDS:
            self.sync()
        else:
            self._dirty.set()

    def _keep_synced(self) -> None:
        while True:
            self._dirty.wait()
            time.sleep(SYNC_SECONDS)
            with self._guard:
                if self._closed:
                    return
                if self._dirty.is_set():
                    try:
                        self.sync()
                    except NoSpace as error:
                        self._trouble = error.__cause__ if isinstance(error.__cause__, OSError) else None

    def last_words(self, life: Life) -> None:
        """Appends the end of a life even where the disk is full, from the room that was set aside for it."""
        with self._guard:
            self._waiting.clear()
            try:
                self.append(life)
            except NoSpace:
                self.reserve.unlink(missing_ok=True)
                with contextlib.suppress(NoSpace):
                    self.append(life)

    def close(self) -> None:
        """Writes what waits and lets the file go."""
        with self._guard:
            if self._closed:
                return
            with contextlib.suppress(NoSpace):
                self._write_steps()
                self.sync()
            self._closed = True
            self._dirty.set()
            os.close(self._fd)
            self.reserve.unlink(missing_ok=True)


def _refusal(error: OSError) -> NoSpace:
    if error.errno in FULL:
        return NoSpace("disk full")
    return NoSpace(f"the journal cannot be written ({os.strerror(error.errno or 0)})")
