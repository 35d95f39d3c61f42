"""The store: runs in DuckDB, which one process owns, filled from journals and disposable at any time.

A thread reads what is new in changed journals every half second and writes it in one transaction a run. A
file that is locked by another app is done without (in memory), one that is damaged or newer is set aside and
built again. Tables for people: `runs`, `tried` (one row an architecture), `metric`, `steps`, `notes`.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from nascore.codec import dumps
from nascore.errors import AppError, BadInput, NotFound
from nascore.events import LIVES, Life
from nascore.locks import holder
from nascore.runs import launch
from nascore.runs.journal import NAME, Reader
from nascore.runs.state import Clock, Follow, Found, Row, Summary

VERSION = 1
FILE = "nascope.duckdb"
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "1GB",
    "threads": "2",
}
BATCH_RUNS = 100
QUERY_SECONDS, QUERY_ROWS = 2.0, 100_000
DDL = """
create table if not exists meta(version integer);
create table if not exists runs(
    run varchar primary key, title varchar, last varchar, strategy varchar, space varchar, task varchar,
    evaluator varchar, seed bigint, evaluations bigint, failed bigint, best varchar, objective double,
    started double, seconds double, found varchar, seen varchar);
create table if not exists tried(
    run varchar, seq bigint, "index" bigint, key varchar, how varchar, arch integer[], choices varchar,
    failed varchar, parent varchar, parents varchar[], seconds double, epochs double, t double,
    curve varchar);
create table if not exists metric(run varchar, seq bigint, name varchar, value double);
create table if not exists steps(
    run varchar, seq bigint, phase varchar, step bigint, name varchar, value double);
create table if not exists notes(
    run varchar, seq bigint, t double, kind varchar, level varchar, text varchar);
"""
TABLES = ("runs", "tried", "metric", "steps", "notes")
COLUMNS = {
    "tried": (
        *("run", "seq", "index", "key", "how", "arch", "choices"),
        *("failed", "parent", "parents", "seconds", "epochs", "t", "curve"),
    ),
    "metric": ("run", "seq", "name", "value"),
    "steps": ("run", "seq", "phase", "step", "name", "value"),
    "notes": ("run", "seq", "t", "kind", "level", "text"),
}
RUN_COLUMNS = (
    *("run", "title", "last", "strategy", "space", "task", "evaluator", "seed", "evaluations", "failed"),
    *("best", "objective", "started", "seconds", "found", "seen"),
)
LISTED = (
    *("run", "title", "state", "reason", "place", "strategy", "space", "task", "seed", "evaluations"),
    *("budget", "failed", "best", "metric", "objective", "seconds", "started"),
)
UNREADABLE = (AppError, OSError, ValueError, TypeError, KeyError, IndexError, AttributeError)


class Store:
    """The one owner of the database. Every method may be called from any thread.

    Args:
        home: where the file lies; default `launch.home()`.
        tick: seconds between two looks at the journals; 0 for none but those that are asked for.
        in_memory: leaves the file alone, for a second process that only reads.
    """

    def __init__(self, home: Path | None = None, tick: float = 0.5, in_memory: bool = False) -> None:
        self.file = (home or launch.home()) / FILE
        self.note = ""
        self._guard = threading.RLock()
        self._known: dict[str, Found] = {}
        self._seen: dict[str, str] = {}
        self._follows: dict[str, Follow] = {}
        self._stop = threading.Event()
        self._con = _connect(":memory:") if in_memory else self._open()
        self._load()
        atexit.register(self.close)
        self._thread = threading.Thread(target=self._run, args=(tick,), daemon=True, name="store")
        if tick:
            self._thread.start()

    def _open(self) -> duckdb.DuckDBPyConnection:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            return _connect(str(self.file))
        except duckdb.IOException as error:
            if "lock" in str(error).lower():
                self.note = "another app uses this index; this one works from memory, nothing is lost"
                return _connect(":memory:")
        except OSError as error:
            self.note = f"the index cannot be written ({error.strerror}); this app works from memory"
            return _connect(":memory:")
        except (duckdb.Error, NotFound):
            pass
        return self._rebuilt()

    def _rebuilt(self) -> duckdb.DuckDBPyConnection:
        """A new file beside the old one, which is kept once as `.bad`."""
        self.note = "the index could not be read and was built again from the journals; nothing is lost"
        try:
            if self.file.exists():
                self.file.replace(self.file.with_suffix(".duckdb.bad"))
            wal = self.file.with_suffix(".duckdb.wal")
            if wal.exists():
                wal.replace(self.file.with_suffix(".duckdb.wal.bad"))
            return _connect(str(self.file))
        except (OSError, duckdb.Error):
            self.note = "the index cannot be written; this app works from memory, nothing is lost"
            return _connect(":memory:")

    def _load(self) -> None:
        for run, found, seen in self._con.execute("select run, found, seen from runs").fetchall():
            with contextlib.suppress(*UNREADABLE):
                self._known[run] = _found(json.loads(found))
                self._seen[run] = "" if self._known[run].trouble else seen  # perhaps it can be read by now

    def close(self) -> None:
        """Ends the thread and lets the file go."""
        atexit.unregister(self.close)
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        with self._guard:
            self._con.close()

    def _run(self, tick: float) -> None:
        while not self._stop.wait(tick):
            self.refresh()

    def refresh(self, run: str | None = None) -> None:
        """Takes in what is new, of one run or of all; a database that fails is built again."""
        launch.reap()
        try:
            self._refresh([run] if run else launch.runs(), whole=run is None)
        except duckdb.Error:
            with self._guard:
                if self._stop.is_set():
                    return
                with contextlib.suppress(duckdb.Error):
                    self._con.close()
                self._con = self._rebuilt()
                self._known, self._seen, self._follows = {}, {}, {}

    def _refresh(self, runs: Sequence[str], whole: bool) -> None:
        for at in range(0, len(runs), BATCH_RUNS):
            if self._stop.is_set():
                return
            with self._guard:
                news = [new for run in runs[at : at + BATCH_RUNS] if (new := self._catch_up(run))]
                if news:
                    self._write(news)
        if whole:
            for gone in set(self._known) - set(runs):
                if not (launch.home() / "runs" / gone).exists():
                    self._forget(gone)

    def _catch_up(self, run: str) -> News | None:
        try:
            seen = _signature(launch.folder(run))
        except NotFound:
            self._forget(run)
            return None
        if self._seen.get(run) == seen:
            return None
        follow = self._follows.get(run)
        try:
            fresh = follow is None or follow.reader.replaced()
            follow = Follow(run) if fresh or follow is None else follow
            new = follow.read()
        except UNREADABLE as error:
            return News(Found(run, trouble=str(error)[:200]), seen, Rows(run), fresh=True)
        rows = Rows(run)
        for record, row in new:
            rows.add(record, row, follow)
        self._follows[run] = follow
        if follow.tally.last is None or follow.tally.last.what not in ("Queued", "Started"):
            self._follows.pop(run, None)
        return News(follow.found(), seen, rows, fresh)

    def _write(self, news: Sequence[News]) -> None:
        """Puts what is new of several runs in, whole or not at all."""
        con = self._con.cursor()
        con.execute("begin")
        try:
            again = [n.found.run for n in news if n.fresh and n.found.run in self._seen]
            for table in TABLES[1:] if again else ():
                con.execute(f"delete from {table} where list_contains(?, run)", [again])  # noqa: S608 -- ours
            _write_rows(con, [n.rows for n in news])
            _write_runs(con, news)
            con.execute("commit")
        except duckdb.Error:
            with contextlib.suppress(duckdb.Error):
                con.execute("rollback")
            self._follows.clear()
            raise
        finally:
            con.close()
        for n in news:
            self._known[n.found.run], self._seen[n.found.run] = n.found, n.seen

    def _forget(self, run: str) -> None:
        with self._guard:
            if self._known.pop(run, None) is not None:
                for table in TABLES:
                    self._con.cursor().execute(f"delete from {table} where run = ?", [run])  # noqa: S608 -- ours
            self._seen.pop(run, None)
            self._follows.pop(run, None)

    def run(self, run: str) -> Summary | None:
        """The run as it is now, or None where there is none of this id."""
        try:
            held = (
                holder(launch.folder(run) / "lock") is not None
            )  # before the journal: its holder writes first
        except NotFound:
            return None
        self.refresh(run)
        found = self._known.get(run)
        return found.summary(held) if found else None

    def list_runs(self) -> pd.DataFrame:
        """One row a run, the newest first; columns `LISTED`."""
        rows = []
        for run in sorted(self._known, reverse=True):
            held = holder(launch.home() / "runs" / run / "lock") is not None
            found = self._known.get(run)
            if found and not held and (found.last is None or found.last.what in ("Queued", "Started")):
                self.refresh(run)
                found = self._known.get(run)
            if found:
                rows.append(_listed(found.summary(held)))
        return pd.DataFrame(rows, columns=list(LISTED))

    def version(self, run: str) -> str:
        """Changes whenever something new of this run was read: the key for caches."""
        return self._seen.get(run, "")

    def _frame(self, sql: str, values: Sequence[Any]) -> pd.DataFrame:
        with self._guard:
            cursor = self._con.cursor()
        try:
            return cursor.execute(sql, list(values)).df()
        finally:
            cursor.close()

    def tried(self, run: str) -> pd.DataFrame:
        """One row an architecture in the order of trial.

        Columns: index (from 1), key, one a metric, failed, parent, how, seconds, epochs, arch, seq, t.
        """
        base = self._frame(
            'select "index", key, failed, parent, how, seconds, epochs, arch, seq, t from tried '
            "where run = ? order by 1",
            [run],
        )
        long = self._frame("select seq, name, value from metric where run = ?", [run])
        base["arch"] = [tuple(int(i) for i in a) for a in base["arch"]]
        wide = long.pivot_table(index="seq", columns="name", values="value", aggfunc="last", dropna=False)
        wide = wide[list(dict.fromkeys(long["name"]))] if len(long) else wide
        out = base.join(wide, on="seq") if len(wide) else base
        rest = [c for c in base.columns if c not in ("index", "key")]
        return out.reindex(columns=["index", "key", *wide.columns, *rest])

    def architecture(self, run: str, key: str) -> dict[str, Any] | None:
        """The last that was said of one architecture, or None."""
        rows = self._frame('select * from tried where run = ? and key = ? order by "index"', [run, key])
        if rows.empty:
            return None
        row = rows.iloc[-1]
        found = self._frame(
            "select name, value from metric where run = ? and seq = ?", [run, int(row["seq"])]
        )
        return {
            "key": key,
            "index": int(row["index"]),
            "arch": tuple(int(i) for i in row["arch"]),
            "choices": json.loads(row["choices"]),
            "metrics": dict(zip(found["name"], found["value"], strict=True)),
            "failed": row["failed"],
            "parents": tuple(row["parents"]),
            "curve": json.loads(row["curve"]),
            "spent": {"seconds": float(row["seconds"]), "epochs": float(row["epochs"])},
            "how": row["how"],
        }

    def curves(self, run: str, keys: Sequence[str] | None = None) -> pd.DataFrame:
        """Learning curves, long: index, key, metric, epoch (from 1), value."""
        sql = "select \"index\", key, curve from tried where run = ? and curve <> '{}'"
        if keys is not None:
            sql += " and list_contains(?, key)"
        rows = self._frame(sql + " order by 1", [run] if keys is None else [run, list(keys)])
        points = [
            (index, key, metric, epoch, value)
            for index, key, curve in rows.itertuples(index=False)
            for metric, values in json.loads(curve).items()
            for epoch, value in enumerate(values, 1)
        ]
        out = pd.DataFrame(points, columns=["index", "key", "metric", "epoch", "value"])
        return out.astype({"value": "float64"})

    def steps(self, run: str) -> pd.DataFrame:
        """What the strategy said of its own progress, long: phase, step, name, value, seq."""
        return self._frame(
            "select phase, step, name, value, seq from steps where run = ? order by phase, step, seq", [run]
        )

    def log(self, run: str, limit: int = 200) -> pd.DataFrame:
        """The last lines of the run's log, the newest last: seq, t, kind, level, text."""
        rows = self._frame(
            "select seq, t, kind, level, text from notes where run = ? order by seq desc limit ?",
            [run, limit],
        )
        return rows.iloc[::-1].reset_index(drop=True)

    def events_since(self, run: str, seq: int, limit: int = 1000) -> list[dict[str, Any]]:
        """Raw records after `seq`, straight from the journal.

        Raises:
            NotFound: no such run.
        """
        out = []
        for record in Reader(launch.folder(run) / NAME).read():
            if record["seq"] > seq:
                out.append(record)
                if len(out) >= limit:
                    break
        return out

    def best(self, n: int = 10) -> pd.DataFrame:
        """The best architecture of the latest finished runs: run, title, key, objective, value."""
        rows = []
        for row in self.list_runs().to_dict("records"):
            found = self._known.get(str(row["run"]))
            if row["state"] == "finished" and row["best"] and found:
                metric = found.plan["objectives"][0][0]
                rows.append((row["run"], row["title"], row["best"], metric, row["objective"]))
        return pd.DataFrame(rows[:n], columns=["run", "title", "key", "objective", "value"])

    def select(self, sql: str, more: Mapping[str, pd.DataFrame] | None = None) -> pd.DataFrame:
        """What a person asks in SQL: one SELECT, read-only, 2 s and 100,000 rows at most.

        Args:
            sql: the query.
            more: frames that it may ask by name beside the store's own tables.

        Raises:
            BadInput: it is no single SELECT, fails, takes too long or gives too much.
        """
        with self._guard:
            cursor = self._con.cursor()
        timer = threading.Timer(QUERY_SECONDS, cursor.interrupt)
        try:
            _check_select(sql)
            for name, frame in (more or {}).items():
                cursor.register(name, frame)
            cursor.execute("begin transaction read only")
            timer.start()
            rows = cursor.execute(sql).fetchmany(QUERY_ROWS + 1)
            names = [d[0] for d in cursor.description or ()]
        except duckdb.InterruptException:
            raise BadInput(f"sql: cut off after {QUERY_SECONDS:g} s; ask for less") from None
        except duckdb.Error as error:
            raise BadInput(f"sql: {' '.join(str(error).split())[:300]}") from None
        finally:
            timer.cancel()
            cursor.close()
        if len(rows) > QUERY_ROWS:
            raise BadInput(f"sql: more than {QUERY_ROWS:,} rows; add a limit or a group by")
        return pd.DataFrame(rows, columns=names)


def _check_select(sql: str) -> None:
    statements = duckdb.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise BadInput("sql: expected exactly one SELECT")


def _connect(file: str) -> duckdb.DuckDBPyConnection:
    """Opens, locks the settings and makes the tables.

    Raises:
        NotFound: the file is of another version.
        duckdb.Error: it cannot be opened.
    """
    con = duckdb.connect(file, config=CONFIG)
    try:
        con.execute("set lock_configuration = true")
        con.execute(DDL)
        con.execute("insert into meta select ? where not exists (from meta)", [VERSION])
        if con.execute("select version from meta").fetchall() != [(VERSION,)]:
            raise NotFound("the index is of another version")
        for table, columns in COLUMNS.items():  # a table of another shape fails here, not later
            con.execute(f"select {', '.join(map(_quoted, columns))} from {table} limit 0")  # noqa: S608 -- ours
    except (duckdb.Error, NotFound):
        con.close()
        raise
    return con


def _quoted(name: str) -> str:
    return f'"{name}"'


def _signature(place: Path) -> str:
    """What of a run's files decides whether they must be read again."""
    out = []
    for name in (NAME, "spec.json"):
        try:
            s = (place / name).stat()
            out.append(f"{s.st_ino}:{s.st_size}:{s.st_mtime_ns}")
        except OSError:
            out.append("")
    return "/".join(out)


class Rows:
    """New rows of one run, gathered for one insert a table."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.again: list[int] = []
        self.tried: dict[int, list[Any]] = {}
        self.metric: dict[int, list[list[Any]]] = {}
        self.steps: list[list[Any]] = []
        self.notes: list[list[Any]] = []

    def add(self, record: dict[str, Any], row: Row | None, follow: Follow) -> None:
        """Sorts one record in."""
        if row is not None:
            self._tried(row, follow)
        match record.get("kind"):
            case "Step":
                values = {**(record.get("values") or {}), "active_seconds": record["active_seconds"]}
                at = [self.run, record["seq"], str(record.get("phase")), int(record.get("index") or 0)]
                self.steps += [[*at, name, value] for name, value in values.items()]
            case "Note":
                self._say(record, str(record.get("level")), str(record.get("text")))
            case "Chosen":
                self._say(record, "info", str(record.get("why")))
            case kind if kind in LIVES:
                level = "error" if kind == "Failed" else "info"
                self._say(record, level, str(record.get("text") or ""))

    def _say(self, record: dict[str, Any], level: str, text: str) -> None:
        self.notes.append([self.run, record["seq"], float(record.get("t") or 0), record["kind"], level, text])

    def _tried(self, row: Row, follow: Follow) -> None:
        tried = row.tried
        if row.again:
            self.again.append(row.index)
        self.tried[row.index] = [
            self.run,
            row.seq,
            row.index,
            row.key,
            tried.how,
            list(tried.arch),
            follow.tally.name(tried.arch)[1],
            tried.failed,
            tried.parents[0] if tried.parents else "",
            list(tried.parents),
            tried.spent.get("seconds", 0.0),
            tried.spent.get("epochs", 0.0),
            row.t,
            dumps(tried.curve) if tried.curve else "{}",
        ]
        self.metric[row.index] = [[self.run, row.seq, n, v] for n, v in tried.metrics.items()]
        if tried.failed:
            text = f"architecture {row.index}: {tried.failed}"
            self.notes.append([self.run, row.seq, row.t, "Tried", "warning", text])


@dataclass(frozen=True)
class News:
    """What a look at a run's files gave: all that is known, and the rows that are new."""

    found: Found
    seen: str
    rows: Rows
    fresh: bool


def _write_rows(con: duckdb.DuckDBPyConnection, news: Sequence[Rows]) -> None:
    """Puts them in; what an architecture's new row replaces goes."""
    for rows in news:
        if rows.again:
            values = [rows.run, rows.again]
            old = 'select seq from tried where run = ? and list_contains(?, "index")'
            con.execute(
                f"delete from metric where run = ? and seq in ({old})",  # noqa: S608 -- ours
                [rows.run, *values],
            )
            con.execute('delete from tried where run = ? and list_contains(?, "index")', values)
    _insert(con, "tried", [row for rows in news for row in rows.tried.values()])
    _insert(con, "metric", [row for rows in news for many in rows.metric.values() for row in many])
    _insert(con, "steps", [row for rows in news for row in rows.steps])
    _insert(con, "notes", [row for rows in news for row in rows.notes])


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: list[list[Any]]) -> None:
    if not rows:
        return
    frame = pd.DataFrame(rows, columns=list(COLUMNS[table]))
    con.register("new_rows", frame)
    names = ", ".join(map(_quoted, COLUMNS[table]))
    con.execute(f"insert into {table} ({names}) select {names} from new_rows")  # noqa: S608 -- ours
    con.unregister("new_rows")


def _write_runs(con: duckdb.DuckDBPyConnection, news: Sequence[News]) -> None:
    frame = pd.DataFrame([_run_row(n.found, n.seen) for n in news], columns=list(RUN_COLUMNS))
    con.execute("delete from runs where list_contains(?, run)", [[n.found.run for n in news]])
    con.register("new_rows", frame.astype(dict.fromkeys(("seed", "objective", "started"), "float64")))
    names = ", ".join(RUN_COLUMNS)
    con.execute(f"insert into runs ({names}) select {names} from new_rows")  # noqa: S608 -- ours
    con.unregister("new_rows")


def _run_row(found: Found, seen: str) -> list[Any]:
    plan, results = found.plan, found.results
    best = results.get("best") or {}
    metric = plan["objectives"][0][0] if plan else ""
    return [
        found.run,
        launch.title(found.run),
        found.last.what if found.last else "",
        *(plan.get(k, "") for k in ("strategy", "space", "task", "evaluator")),
        plan.get("seed"),
        results.get("evaluations", 0),
        results.get("failed", 0),
        best.get("key", ""),
        best.get("metrics", {}).get(metric),
        results.get("started"),
        found.clock.active(False),
        dumps(asdict(found)),
        seen,
    ]


def _found(data: dict[str, Any]) -> Found:
    """What `asdict` and JSON made of a `Found`, back."""
    plan, results = data["plan"], data["results"]
    if plan:
        plan["objectives"] = tuple(tuple(o) for o in plan["objectives"])
    for name in ("front", "chosen"):
        if name in results:
            results[name] = tuple(_arch(row) for row in results[name])
    if results.get("best"):
        results["best"] = _arch(results["best"])
    last = Life(**data["last"]) if data["last"] else None
    return Found(
        data["run"], plan, results, last, Clock(**data["clock"]), data["unreadable"], data["trouble"]
    )


def _arch(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "arch": tuple(row["arch"])}


def _listed(summary: Summary) -> dict[str, Any]:
    best = summary.best or {}
    metric = summary.objectives[0][0] if summary.objectives else ""
    about = {
        "best": best.get("key", ""),
        "metric": metric,
        "objective": best.get("metrics", {}).get(metric),
        "budget": summary.budget.get("evaluations") or None,
    }
    return {k: about[k] if k in about else getattr(summary, k) for k in LISTED}
