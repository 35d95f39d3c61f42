"""The controls of the Calibration page: they write the address and show what stands there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from nascore.benchmarks.table import Table
from nascore.measures.calibration_scaling import METHODS
from nascore.measures.calibration_table import Measured
from pages.parts import benchdata, calibdata, show, stores
from pages.parts.calibdata import FILE, RUN

VIEWS = {"network": "One network", "all": "All networks", "questions": "Seven questions", "words": "Measures"}
KEPT_BINS = (1, 2, 4, 5, 10, 20, 25, 50, 100)  # what divides the 100 bins that tables keep
OF_A_NETWORK = ("arch", "seed", "run")


@dataclass(frozen=True)
class Asked:
    """What the address asks for.

    Attributes:
        source: a table's name, `run` or `file`.
        view: one of `VIEWS`.
        scaled: whether the state after scaling is shown too.
    """

    source: str
    view: str
    scaled: bool


def put(**said: str) -> None:
    """Writes into the address; empty takes a name out."""
    for name, value in said.items():
        if value:
            st.query_params[name] = value
        else:
            st.query_params.pop(name, None)


def follow(key: str, value: Any) -> str:
    """A widget's key, whose value is that of the address."""
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    return key


def taking(name: str, key: str, usual: Any = "") -> Mapping[str, Any]:
    """`on_change` of a widget that writes its value under a name; the usual one is not written."""

    def take() -> None:
        value = st.session_state[key]
        put(**{name: "" if value in (None, usual) else str(value)})

    return {"on_change": take}


def number(name: str, usual: int, low: int, high: int) -> int:
    """A whole number of the address; the usual one where it says none that fits."""
    try:
        value = int(st.query_params.get(name, usual))
    except ValueError:
        return usual
    return value if low <= value <= high else usual


def asked(found: list[Table]) -> Asked:
    """What the address says; nonsense is as good as nothing."""
    names = sources(found)
    query = st.query_params
    source = query.get("source", "")
    source = source if source in names else next(iter(names))
    view = query.get("view", "")
    view = view if view in views(source) else "network"
    return Asked(source, view, query.get("scaled", "") != "no")


def unknown(name: str, known: Iterable[str], instead: str) -> None:
    """Says so where the address names what is not there."""
    given = st.query_params.get(name, "")
    if given and given not in known:
        what = {"arch": "architecture"}.get(name, name)
        st.info(show.plain(f"There is no {what} {given[:60]} here; {instead}.", 200))


def sources(found: list[Table]) -> dict[str, str]:
    """Where networks may come from, with titles: tables, runs if there are any, and files."""
    tables = {t.name: benchdata.title(t) for t in found}
    runs = {RUN: "A network of a run"} if len(stores.runs()) else {}
    first = tables or {FILE: ""}  # files come first where there is no table
    return first | runs | {FILE: "A file of yours"}


def views(source: str) -> list[str]:
    """What there is to see of a source; of a file and of a run it is one network."""
    return ["network", "words"] if source in (FILE, RUN) else list(VIEWS)


def choose(a: Asked, found: list[Table]) -> None:
    """Where networks come from, and what is shown of them."""
    titles = sources(found)
    key = follow("calib_source", a.source)

    def take() -> None:
        put(
            **dict.fromkeys((*OF_A_NETWORK, "bins", "by", "view"), ""),
            source=st.session_state["calib_source"],
        )

    st.selectbox("Networks", list(titles), key=key, on_change=take, format_func=titles.__getitem__, width=240)
    key = follow("calib_view", a.view)
    st.segmented_control(
        "View",
        views(a.source),
        key=key,
        required=True,
        format_func=VIEWS.__getitem__,
        **taking("view", key, "network"),
    )


def network(found: Table, m: Measured) -> tuple[int, int, int]:
    """Row, place and seed of the network that the address names, or of the most accurate one."""
    best = int(np.nanargmax(m.mean("accuracy")))
    given = st.query_params.get("arch", "")
    at = calibdata.place(found, m, given) if given else None
    if given and at is None:
        st.info(
            show.plain(f"This table has no architecture {given[:60]}; this is the most accurate one.", 200)
        )
    row, place = at or (int(m.rows[best]), best)
    seed = number("seed", m.seeds[0], min(m.seeds), max(m.seeds))
    return row, place, seed if seed in m.seeds else m.seeds[0]


def choose_network(m: Measured, seed: int) -> None:
    """Another network: by its name, by chance, or one that stands out."""

    def typed() -> None:
        if text := st.session_state.get("calib_arch", "").strip():
            put(arch=text)
        st.session_state["calib_arch"] = ""

    def random() -> None:
        put(arch=str(np.random.default_rng().choice(m.keys)))

    def extreme(name: str, largest: bool) -> None:
        values = m.mean(name)
        put(arch=str(m.keys[int(np.nanargmax(values) if largest else np.nanargmin(values))]))

    st.text_input(
        "Architecture", key="calib_arch", on_change=typed, placeholder="key or cell string", width=190
    )
    with st.popover("Others", icon=":material/shuffle:", width=110):
        st.button("Random", key="calib_random", icon=":material/casino:", on_click=random, width="stretch")
        for label, name, largest in (
            ("Most accurate", "accuracy", True),
            ("Least ECE", "ece_15", False),
            ("Largest ECE", "ece_15", True),
            ("Least ECE after scaling", "post_ece_15", False),
        ):
            st.button(label, key=f"calib_{label}", on_click=extreme, args=(name, largest), width="stretch")
    if len(m.seeds) > 1:
        key = follow("calib_seed", seed)
        st.segmented_control("Seed", list(m.seeds), key=key, required=True, **taking("seed", key, m.seeds[0]))


def kept_bins() -> int:
    """How many bins, of those that divide the hundred kept ones."""
    bins = number("bins", 20, 1, 100)
    key = follow("calib_bins", bins if bins in KEPT_BINS else 20)
    st.select_slider(
        "Bins",
        KEPT_BINS,
        key=key,
        width=200,
        help="Tables keep 100 bins of equal width; these numbers divide them. A file of yours takes any.",
        **taking("bins", key, 20),
    )
    return int(st.session_state[key])


def scaled(a: Asked, label: str = "Show temperature scaling") -> None:
    """Whether the state after scaling is drawn too."""
    key = follow("calib_scaled", a.scaled)

    def take() -> None:
        put(scaled="" if st.session_state["calib_scaled"] else "no")

    st.toggle(label, key=key, on_change=take)


def method(label: str = "Scaling") -> str:
    """Which post-hoc method."""
    given = st.query_params.get("method", "temperature")
    key = follow("calib_method", given if given in METHODS else "temperature")
    st.selectbox(
        label,
        list(METHODS),
        key=key,
        width=160,
        help="  \n".join(f"**{m}**: {said}" for m, said in METHODS.items()),
        **taking("method", key, "temperature"),
    )
    return str(st.session_state[key])
