"""What pages read of runs. One store a data folder; answers are kept by (run, bytes ingested) for all.

Errors and accuracies come as shares of one and leave as percents, which is how every page writes them.
"""

# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false
# pyright: reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false
# (the types that pandas gives its selections are unions of all that they could be)

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from nascore.codec import dumps
from nascore.errors import AppError, BadInput, NotFound
from nascore.runs import launch
from nascore.runs.spec import RunSpec
from nascore.runs.state import Summary
from nascore.runs.store import Store
from pages.parts import arch, show

LIVE = ("queued", "running")
NO_METRIC = ("index", "key", "failed", "parent", "arch", "how", "seconds", "epochs", "seq", "t")
WATCHED_SECONDS = 30.0  # a session that has not asked for so long is not watching


@st.cache_resource(on_release=lambda store: store.close())
def _owner(home: str) -> Store:
    """The one store of a data folder, with its ingest thread; what is there already is in it."""
    store = Store(launch.home())
    store.refresh()
    return store


def owner() -> Store:
    """The store of the data folder; opened once a process."""
    return _owner(str(launch.home()))


def troubles() -> None:
    """A box where the data folder cannot be used, or the store works without its file."""
    if sentence := launch.check_home():
        st.warning(show.plain(sentence, 400), icon=":material/hard_drive:")
    if note := owner().note:
        st.info(show.plain(note, 400), icon=":material/database:")


def is_percent(metric: str) -> bool:
    """Whether a metric is a share that people read in percent."""
    base = metric.rpartition(".")[2]
    return base in ("error", "accuracy") or base.endswith(("_error", "_accuracy"))


def seen(metric: str, value: float | None) -> float:
    """A metric's value as figures and words take it."""
    number = float("nan") if value is None else float(value)
    return 100 * number if is_percent(metric) else number


def seen_all(metrics: Mapping[str, float | None]) -> dict[str, float]:
    """Metrics as figures and words take them."""
    return {m: seen(m, v) for m, v in metrics.items()}


def runs() -> pd.DataFrame:
    """All runs, newest first; see `nascore.runs.store.Store.list_runs`."""
    return owner().list_runs()


def run(run_id: str) -> Summary | None:
    """One run, or None where there is none of this name (any more)."""
    try:
        return owner().run(run_id)
    except (NotFound, BadInput):
        return None


def called(run_id: str, title: str, strategy: str, space: str) -> str:
    """A run's title; without one its strategy, space and time of making, which its id begins with."""
    if title or not strategy:
        return title or run_id
    said = f"{arch.named(strategy)} on {arch.named(space)}"
    with contextlib.suppress(ValueError):
        made = datetime.strptime(run_id[:15], "%Y%m%d-%H%M%S")
        return f"{said}, {made:%-d %b %H:%M}"
    return said


def tried(run_id: str) -> pd.DataFrame:
    """Everything that a run tried, with percents; failed rows have NaN metrics."""
    return _tried(str(launch.home()), run_id, owner().version(run_id))


@st.cache_resource(max_entries=64, show_spinner=False)
def _tried(home: str, run_id: str, version: str) -> pd.DataFrame:
    frame = owner().tried(run_id).copy()
    for metric in [m for m in metrics_of(frame) if is_percent(m)]:
        frame[metric] = 100 * pd.to_numeric(frame[metric], errors="coerce")
    return frame


def metrics_of(frame: pd.DataFrame) -> list[str]:
    """Names of a tried frame's metrics."""
    return [c for c in frame.columns if c not in NO_METRIC]


def curves(run_id: str) -> pd.DataFrame:
    """Learning curves: index key metric epoch value, with percents."""
    return _curves(str(launch.home()), run_id, owner().version(run_id))


@st.cache_resource(max_entries=16, show_spinner=False)
def _curves(home: str, run_id: str, version: str) -> pd.DataFrame:
    frame = owner().curves(run_id).copy()
    shares = frame["metric"].map(is_percent)
    frame["value"] = frame["value"].where(~shares, 100 * frame["value"])
    return frame


def steps(run_id: str) -> pd.DataFrame:
    """What the strategy said of its own epochs: phase step name value seq, as in the journal."""
    return _steps(str(launch.home()), run_id, owner().version(run_id))


@st.cache_resource(max_entries=16, show_spinner=False)
def _steps(home: str, run_id: str, version: str) -> pd.DataFrame:
    return owner().steps(run_id)


def spec(run_id: str) -> RunSpec | None:
    """A run's spec; None where it cannot be read."""
    try:
        return launch.read_spec(run_id)
    except AppError:
        return None


def latest(frame: pd.DataFrame | None = None) -> str | None:
    """The newest run that has results."""
    listed = runs() if frame is None else frame
    done = listed[listed["evaluations"].fillna(0) > listed["failed"].fillna(0)] if len(listed) else listed
    return str(done["run"].iloc[0]) if len(done) else None


def protocol(summary: Summary) -> str:
    """The protocol of a run's numbers, in the one order."""
    from nascore.view import words

    about = summary.about
    said = [str(about.get(name, "")) for name in ("data", "split")]
    epochs = about.get("epochs")
    count = int(epochs) if isinstance(epochs, int | float) and epochs else None
    return words.protocol(said[0], said[1], count, str(about.get("seeds", "")), str(about.get("source", "")))


def tries(space: str, key: str, limit: int = 50) -> list[tuple[Summary, dict[str, Any]]]:
    """Runs of a space that tried an arch, newest first, with what they found; the last `limit` are asked."""
    frame = runs()
    found = []
    for name in frame[frame["space"] == space]["run"].head(limit) if len(frame) else []:
        hit = owner().architecture(name, key)
        summary = owner().run(name) if hit else None
        if hit and summary:
            found.append((summary, {**hit, "metrics": seen_all(hit["metrics"])}))
    return found


def pace() -> float:
    """Seconds between two looks at a live run: slower when many watch, five reruns a second in all."""
    watchers: dict[str, float] = _watchers()
    me, now = st.session_state.setdefault("viewer", secrets.token_hex(4)), time.monotonic()
    watchers[me] = now
    for name in [n for n, at in list(watchers.items()) if now - at > WATCHED_SECONDS]:
        watchers.pop(name, None)
    return max(2.0, len(watchers) / 5)


@st.cache_resource
def _watchers() -> dict[str, float]:
    return {}


def log(run_id: str, limit: int = 200) -> pd.DataFrame:
    """What a run said, newest first: time, kind, text."""
    frame = owner().log(run_id, limit).iloc[::-1]
    when = pd.to_datetime(pd.to_numeric(frame["t"], errors="coerce"), unit="s", utc=True)
    return pd.DataFrame({"time": when, "kind": frame["kind"], "text": frame["text"]})


def worker_lines(run_id: str, lines: int = 40) -> str:
    """The last lines of a run's worker, without the folders that they name."""
    try:
        text = (launch.folder(run_id) / "worker.log").read_text(encoding="utf-8", errors="replace")
    except (OSError, AppError):
        return ""
    return "\n".join(launch.without_paths(line) for line in text[-20_000:].splitlines()[-lines:])


def as_csv(run_id: str) -> str:
    """Everything that a run tried, in the units of its journal (errors as shares of one)."""
    return owner().tried(run_id).drop(columns="arch", errors="ignore").to_csv(index=False)


def as_json(run_id: str) -> str:
    """The same as JSON, with the archs."""
    frame = owner().tried(run_id)
    return dumps(frame.assign(arch=[list(a) for a in frame["arch"]]).to_dict("records"), indent=1)
