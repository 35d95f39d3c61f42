"""What a step of a supernet's training costs: seconds, and memory, and which batch would still fit.

Seconds are those of the training steps alone (alphas and weights), the mean over an epoch. Memory on a CUDA
device is the most that its allocator had given out at once during the epoch. A CPU has no such counter: there
it is what autograd holds for the backward pass at its fullest in the epoch's first step, each storage once,
weights and alphas not counted. This is what grows with the batch; buffers within an operation come on top.
"""

from __future__ import annotations

import contextlib
import contextvars
import ctypes
import gc
import mmap
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nascore.errors import NoMemory

if TYPE_CHECKING:
    from nascore.task import Batch

MIB = 2**20
RESERVE = 64 * MIB
ARENA_MAX = -8  # of glibc's mallopt: how many heaps threads have
FULL = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory", "bad_alloc")
PERHAPS = ("could not create a primitive", "could not create a memory", "could not execute a primitive")


class Meter:
    """Watches the steps of one epoch.

    Args:
        device: where they are computed.
        held: parameters, which are there anyway.
        attempt: a step on a batch: what is tried when memory is used up, after which the search ends.
    """

    def __init__(self, device: str, held: Iterable[Tensor], attempt: Callable[[Batch], object]) -> None:
        self.cuda, self.attempt = device.startswith("cuda"), attempt
        self.held = {p.untyped_storage().data_ptr() for p in held}
        self.seconds, self.steps, self.most = 0.0, 0, 0
        self.reserve = reserved(RESERVE)
        if self.cuda:
            torch.cuda.reset_peak_memory_stats()

    @contextlib.contextmanager
    def step(self, batch: Batch) -> Iterator[None]:
        """Around one step on this batch.

        Raises:
            NoMemory: memory is used up; says which batch would fit.
        """
        start, broom = time.perf_counter(), Broom()
        try:
            if self.steps or self.cuda:
                yield
            else:
                with fullest(self.held) as found:
                    yield
                self.most = found[0]
        except (RuntimeError, MemoryError) as error:
            if not (is_full(error) or may_be_full(error)):
                raise
            failed = broom.sweep(error)
            self.reserve.close()
        else:
            self.seconds += time.perf_counter() - start
            self.steps += 1
            return
        fits = largest(batch, self.attempt)
        if not fits and not is_full(failed):
            raise failed
        raise NoMemory(fitting(len(batch.index), fits))

    def told(self) -> dict[str, float]:
        """`step_ms`, and `peak_mib` on CUDA or `backward_mib` elsewhere; nothing without a step."""
        if not self.steps:
            return {}
        start = time.perf_counter()
        if self.cuda:
            torch.cuda.synchronize()  # steps are queued: what is left of them counts
            self.most = torch.cuda.max_memory_allocated()
        self.seconds += time.perf_counter() - start
        memory = {"peak_mib" if self.cuda else "backward_mib": self.most / MIB}
        return {"step_ms": 1e3 * self.seconds / self.steps, **memory}


def reserved(size: int) -> mmap.mmap:
    """Address space that is asked for and not used, so that a limit leaves this much when it is reached.

    What a failed step gives back stays with the allocator, where code that is made for another size of batch
    may not lie. Memory itself is not taken.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    try:
        return mmap.mmap(-1, size, flags=flags)
    except OSError:  # not even this much is left; the step will say so
        return mmap.mmap(-1, mmap.PAGESIZE)


class Broom:
    """Lets go of the tensors of a step that fails; made before the step.

    Frames of the traceback hold some. A backward pass that fails leaves its next nodes waiting in this
    thread's queue, and with them the whole graph: they are dropped when the queue reaches them, which is the
    latest nodes first. So one node that is older than the step is worked on.
    """

    def __init__(self) -> None:
        with torch.enable_grad():
            self.old = torch.zeros(1, requires_grad=True).sum()

    def sweep(self, error: BaseException) -> BaseException:
        """The error without its traceback."""
        traceback.clear_frames(error.__traceback__)
        self.old.backward()
        gc.collect()  # what it left in cycles
        return error.with_traceback(None)


class _Saved:
    """A tensor that waits for the backward pass; counted for as long as it is there."""

    def __init__(self, tensor: Tensor, count: _Count) -> None:
        # a result keeps its graph, and the graph keeps this: a step that fails would never let go of it
        self.tensor, self.count = tensor.detach(), count
        self.place, size = tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()
        count.add(self.place, size)

    def __del__(self) -> None:
        self.count.drop(self.place)


class _Count:
    def __init__(self, held: set[int]) -> None:
        self.held, self.users = held, dict[int, tuple[int, int]]()
        self.now, self.found = 0, [0]

    def add(self, place: int, size: int) -> None:
        n, _ = self.users.get(place, (0, size))
        self.users[place] = (n + 1, size)
        if not n and place not in self.held:
            self.now += size
            self.found[0] = max(self.found[0], self.now)

    def drop(self, place: int) -> None:
        n, size = self.users[place]
        self.users[place] = (n - 1, size)
        if n == 1:
            del self.users[place]
            self.now -= 0 if place in self.held else size


@contextlib.contextmanager
def fullest(held: set[int]) -> Iterator[list[int]]:
    """Counts what autograd saves inside: a list of one, the bytes that were held at once at the most.

    Args:
        held: places of storages that are not counted.
    """
    count = _Count(held)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: _Saved(t, count), lambda s: s.tensor):
        yield count.found


def is_full(error: BaseException) -> bool:
    """Whether an error says that memory is used up, on any device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(s in str(error).lower() for s in FULL)


def may_be_full(error: BaseException) -> bool:
    """Whether it is how oneDNN says that it got no memory; it says so of other things too."""
    return isinstance(error, RuntimeError) and any(s in str(error) for s in PERHAPS)


def fitting(size: int, fits: int) -> str:
    """One sentence for a step on `size` examples that needed too much memory, where `fits` would do."""
    if fits:
        return f"out of memory with a batch of {size}; {fits} would fit: set recipe.batch to {fits}"
    return (
        f"out of memory with a batch of {size}, and no smaller one fits now; lower recipe.batch or channels"
    )


def largest(batch: Batch, attempt: Callable[[Batch], object]) -> int:
    """The largest of a half, a quarter, ... of a batch that can be worked on, as tried; 0 where none can."""
    size, room = len(batch.index) // 2, RESERVE // 2
    while size:
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        with contextlib.closing(reserved(room)):
            error = apart(partial(attempt, part(batch, size)))
        if error is None:
            return size
        if not (is_full(error) or may_be_full(error)):
            raise error
        size, room = size // 2, max(room // 2, mmap.PAGESIZE)  # leaves the rest to the next one's code
    return 0


def apart(work: Callable[[], object]) -> BaseException | None:
    """What a piece of work raises in a thread of its own.

    oneDNN's code generator that once gets no memory fails for good, but in that thread only.
    """
    found: list[BaseException] = []

    def tried() -> None:
        broom = Broom()
        try:
            work()
        except Exception as error:
            found.append(broom.sweep(error))

    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)  # or what this thread gave back would not serve the other
    thread = threading.Thread(target=contextvars.copy_context().run, args=(tried,))
    try:
        thread.start()
    except RuntimeError:  # no memory for a thread
        return MemoryError()
    thread.join()
    return found[0] if found else None


def part(batch: Batch, size: int) -> Batch:
    """The first examples of a batch."""

    def cut(values: Any) -> Any:
        return {n: v[:size] for n, v in values.items()} if isinstance(values, dict) else values[:size]

    weight = None if batch.weight is None else batch.weight[:size]
    return replace(batch, x=cut(batch.x), y=cut(batch.y), index=batch.index[:size], weight=weight)
