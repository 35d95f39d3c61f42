"""The counts beside the drawing: how many, how many valid, how many differ, what they and sharing cost.

Counting which networks are equal takes a second or two, so a thread does it when the person rests; the card
looks again until the answer is there.
"""

from __future__ import annotations

import functools
import math
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import streamlit as st

from nascore import overview as overviews
from nascore.codec import dumps, to_json
from nascore.errors import AppError
from nascore.overview import Count, Overview, Shared
from nascore.product import whole as inner
from nascore.space import Space, size
from nascore.task import Shape
from nascore.view import words
from pages.parts import buildscene
from pages.parts.show import plain

REST_SECONDS = 0.8
NUMBERS_A_WEIGHT, BYTES = 3, 4  # weight, gradient, momentum in single precision


@st.cache_resource(max_entries=256, show_spinner=False)
def _overview(text: str, _space: Space, shape: Shape, seed: int) -> Overview:
    """The overview of a space; what has the same JSON is looked at once."""
    return overviews.overview(_space, shape, seed=seed)


class Folds:
    """Counts of different networks that were asked for, the newest 100."""

    def __init__(self) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.asked: dict[Space, Future[Count]] = {}
        self.guard = threading.Lock()

    def ask(self, space: Space, valid: Count) -> None:
        """Starts counting, unless it is known or under way; a wish that waits gives way to a newer one."""
        with self.guard:
            if space in self.asked:
                return
            for old, future in list(self.asked.items()):
                if future.cancel() or len(self.asked) > 100:
                    del self.asked[old]
            self.asked[space] = self.pool.submit(overviews.distinct, space, valid)

    def known(self, space: Space) -> Count | None:
        """The count, or None while there is none."""
        future = self.asked.get(space)
        return future.result() if future is not None and future.done() and not future.cancelled() else None


@st.cache_resource(show_spinner=False)
def folds() -> Folds:
    """The counts of this process."""
    return Folds()


def card(space: Space, shape: Shape, about: str, found: Overview) -> None:
    """Everything in numbers."""
    with st.container(border=True, gap="xsmall", key="build-counts"):
        st.metric(
            "Architectures in this space",
            buildscene.big(found.size),
            help="Counted exactly: the product of all open options, inactive choices not counted twice.",
        )
        st.markdown(f":small[:gray[{plain(factors(space), 200)}]]")
        line("Valid", of(found.valid, found.size), found.valid.how)
        for reason, many in found.reasons[:3]:
            st.markdown(f":small[:gray[{plain(f'not valid, {many} of those looked at: {reason}', 200)}]]")
        different(space, found)
    with st.container(border=True, gap="xsmall", key="build-costs"):
        for metric, title in (("params", "Parameters"), ("flops", "Multiply-adds")):
            r = found.ranges[metric]
            how = "Least and largest." if r.exact else "Found by changing choices of drawn ones."
            ends = words.compact(r.low), words.compact(r.high)
            text = f"{ends[0]} to {ends[1]}"
            line(title, ends[0] if r.low == r.high and r.exact else text, f"{how} {about}")
        if not all(r.exact for r in found.ranges.values()):
            st.markdown(":small[:gray[Ends that a search found; there may be smaller and larger ones.]]")
        supernet(found.shared)
        heavy(found)


def factors(space: Space) -> str:
    """`5 x 5 x 2`: the options of each choice; of a product the sizes of its parts."""
    if len(parts := overviews.parts_of(space)) > 1:
        names: list[str] = [*inner(space).names]  # pyright: ignore[reportAttributeAccessIssue] (a product)
        sizes = [f"{buildscene.big(size(p))} of {n}" for p, n in zip(parts, names, strict=True)]
        return " x ".join(sizes)
    counts = [len(c.open) for c in space.choices()]
    if any(c.when for c in space.choices()):
        return f"{len(counts)} choices, some only where another one asks for them"
    return " x ".join(map(str, counts)) if len(counts) <= 24 else f"{len(counts)} choices"


def line(label: str, value: str, help: str = "") -> None:
    """A line of the card."""
    with st.container(horizontal=True, horizontal_alignment="distribute", gap="small"):
        st.markdown(f":gray[{plain(label)}]", width="content")
        st.markdown(plain(value), width="content", help=plain(help, 400) if help else None)


def of(count: Count, size: int) -> str:
    """A count in words: `all`, `312`, `about 200 to 240`, `at least 9,000`."""
    if count.exact:
        return "all" if count.low == size else buildscene.big(count.low)
    if count.high == size and count.low < size:
        return f"at least {rough(count.low)}"
    return f"about {rough(count.low)} to {rough(count.high)}"


def rough(n: int) -> str:
    """An estimated count: three digits."""
    return words.compact(n) if n < 10**15 else buildscene.big(n)


def different(space: Space, found: Overview) -> None:
    """How many networks differ; looks again while that is being counted."""
    waiting = folds().known(space) is None

    @st.fragment(run_every=REST_SECONDS if waiting else None)
    def count() -> None:
        known = folds().known(space)
        if known is None:
            if st.session_state.get("build_rest") == space:
                folds().ask(space, found.valid)
            st.session_state["build_rest"] = space  # asked when nothing changed until the next look
            line("Different", "counting...", "Networks that compute the same are folded.")
            return
        line("Different", of(known, found.valid.high), known.how)
        if waiting:
            st.rerun()  # the timer ends with the count

    count()


def supernet(shared: Shared) -> None:
    """What one network with the weights of all would hold."""
    if shared.why_not:
        line("Supernet", "none", shared.why_not)
        return
    if shared.separate is not None:
        line(
            "Supernet",
            f"{words.compact(shared.separate)} params",
            f"Weights of its own for each option; training keeps {memory(shared.separate)} of them.",
        )
    else:
        line(
            "Supernet",
            f"at least {words.compact(shared.largest)} params",
            f"It holds at least the largest network, and no more than that where weights are entangled; "
            f"training keeps {memory(shared.largest)} of them.",
        )


def memory(params: float) -> str:
    """Bytes that training keeps: weights, gradients and momentum in single precision."""
    return f"{words.compact(NUMBERS_A_WEIGHT * BYTES * params)}B (weights, gradients, momentum)"


def heavy(found: Overview) -> None:
    """A warning where the largest network does not fit into this machine."""
    need, has = NUMBERS_A_WEIGHT * BYTES * found.ranges["params"].high, machine_bytes()
    if need > has:
        sizes = f"{words.compact(need)}B to train and this machine has {words.compact(has)}B"
        text = f"The largest network takes {sizes}. Make channels, cells or stages fewer, or limit params."
        st.markdown(f":orange-badge[:material/warning: too large] {plain(text, 300)}")


@functools.cache
def machine_bytes() -> float:
    """Memory of this machine."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError):
        return math.inf


def counted(space: Space, shape: Shape, seed: int) -> Overview | str:
    """The overview, or in a sentence why there is none."""
    try:
        return _overview(dumps(to_json(space)), space, shape, seed)
    except AppError as error:
        return str(error)
