"""Files of a folder read ahead by helper processes: in order, a few steps at a time, and never left behind.

A helper is `python -m MODULE`, whose main calls `serve`. It gets requests as lines of JSON and answers each
with one object, its length in front. It ends when its input ends, so none outlives the process that asked.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pickle
import queue
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from nascore.benchmarks.table import PROJECT
from nascore.errors import NoSpace

MOST = 2
LENGTH = struct.Struct("<Q")


def helpers() -> int:
    """How many processes read at once: two, or one where there is one core."""
    return min(MOST, len(os.sched_getaffinity(0)))


class Helper:
    """One process that reads."""

    def __init__(self, module: str) -> None:
        paths = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
            start_new_session=True,  # an interrupt from the keyboard is for the one who asked
        )

    def ask(self, request: Any) -> Any:
        """The answer to one request.

        Raises:
            NoSpace: the process ended, as it does where memory is short.
        """
        assert self.process.stdin is not None  # noqa: S101 -- it was asked for
        assert self.process.stdout is not None  # noqa: S101 -- it was asked for
        with contextlib.suppress(OSError):  # it has ended; there will be no answer either
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        head = self.process.stdout.read(LENGTH.size)
        size = LENGTH.unpack(head)[0] if len(head) == LENGTH.size else -1
        body = self.process.stdout.read(size) if size >= 0 else b""
        if len(body) != size:
            raise NoSpace("a process that reads files ended early, perhaps for want of memory; import again")
        return pickle.loads(body)  # noqa: S301 -- of our own process, never of a file

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None  # noqa: S101 -- it was asked for
            with contextlib.suppress(OSError):
                pipe.close()


def answers(module: str, requests: Sequence[Any], count: int) -> Iterator[Any]:
    """The answers to all requests, in their order; at most twice as many as helpers are under way.

    Args:
        module: whose main calls `serve`.
        requests: plain values.
        count: helpers.
    """
    idle: queue.SimpleQueue[Helper] = queue.SimpleQueue()
    team = [Helper(module) for _ in range(count)]
    for helper in team:
        idle.put(helper)

    def ask(request: Any) -> Any:
        helper = idle.get()
        try:
            return helper.ask(request)
        finally:
            idle.put(helper)

    with ThreadPoolExecutor(count) as pool:
        waiting: deque[Future[Any]] = deque()
        try:
            for request in requests:
                waiting.append(pool.submit(ask, request))
                if len(waiting) > 2 * count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            for helper in team:
                helper.close()


def serve(act: Callable[[Any], Any]) -> None:
    """A helper's whole life: answers one request after the other until there are no more."""
    gc.disable()  # what is read is plain data without circles, and much of it
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anybody prints is no answer
    try:
        for line in sys.stdin.buffer:
            body = pickle.dumps(act(json.loads(line)), protocol=5)
            out.write(LENGTH.pack(len(body)))
            out.write(body)
            out.flush()
    except BrokenPipeError:
        os._exit(0)  # nobody listens any more
