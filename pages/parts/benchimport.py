"""Importing on the Benchmarks page: what to read, how to read it, how it is going, and the end of a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from nascore.benchmarks import flat, jobs, table
from nascore.benchmarks.jobs import Job
from nascore.benchmarks.table import Table
from nascore.errors import AppError, BadInput
from nascore.view import words
from pages.parts import benchdata, errors, links, show

LOOKS = {
    "waiting": ("gray", "schedule"),
    "running": ("blue", "play_arrow"),
    "stopping": ("yellow", "hourglass_top"),
    "finished": ("green", "check"),
    "stopped": ("orange", "stop"),
    "interrupted": ("orange", "power_off"),
    "failed": ("red", "error"),
}
DIRECTIONS = ("max", "min", "")
ON_DISK, FILE, FOLDER = "Path on this machine", "Upload a file", "Upload a folder"
KNOWN = (
    "NATS-Bench topology and size (folder or single file), NAS-Bench-201 `.pth`, NAS-Bench-101 `.tfrecord`, "
    "NAS-Bench-Graph `.bench` (or the name `nas-bench-graph` for the installed package), NAS-Bench-Macro and "
    "NAS-Bench-Suite-Zero JSON, HW-NAS-Bench, BRP-NAS and HELP latencies, TransNAS-Bench, any CSV or Parquet."
)


def button() -> None:
    """Opens the dialog."""
    if st.button("Import", icon=":material/upload_file:", key="import_open", width=104):
        for name in [k for k in st.session_state if str(k).startswith("import_") and k != "import_open"]:
            del st.session_state[name]
        dialog()


@st.dialog("Import a benchmark", width="large")
def dialog() -> None:
    """Where it is, what it holds, how it is called."""
    st.markdown(f":small[:gray[Reads {KNOWN}]]")
    path = _path()
    if not path:
        return
    found: dict[str, Any] | None = st.session_state.get("import_found")
    if found is None or st.session_state.get("import_looked") != path:
        found = _look(path, None)
        if found is None:
            return
        st.session_state["import_name"] = free_name(Path(path).name)
    _shown(found)
    mapping = None
    if found.get("mapping"):
        mapping = _mapping(found, path)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name of the table", key="import_name", max_chars=64, width=300)
        go = st.button("Import", type="primary", icon=":material/download:", key="import_go")
    if go:
        try:
            jobs.start(st.session_state["import_name"].strip(), path, mapping)
        except AppError as error:
            errors.refused(error)
        else:
            st.rerun()


def _path() -> str:
    """The path that was written, or where an upload was put; empty until there is one."""
    how = st.segmented_control(
        "From",
        [ON_DISK, FILE, FOLDER],
        default=ON_DISK,
        required=True,
        key="import_how",
        label_visibility="collapsed",
    )
    if how == ON_DISK:
        return _written()
    several: Any = "directory" if how == FOLDER else False
    given: Any = st.file_uploader(
        how, accept_multiple_files=several, key=f"import_{how.split()[-1]}", label_visibility="collapsed"
    )
    files = given if isinstance(given, list) else [given] if given is not None else []
    return _kept(files, folder=how == FOLDER) if files else ""


def _kept(files: list[Any], *, folder: bool) -> str:
    """Where an upload lies; it is put there once."""
    mark = [f.file_id for f in files]
    if st.session_state.get("import_upload") != mark:
        try:
            if folder:
                kept = jobs.keep_folder([(f.name, f, f.size) for f in files])
            else:
                kept = jobs.keep_upload(files[0].name, files[0], files[0].size)
        except AppError as error:
            errors.refused(error)
            return ""
        st.session_state["import_upload"], st.session_state["import_kept"] = mark, str(kept)
    return str(st.session_state["import_kept"])


def _written() -> str:
    """A path as it was typed; which folders are read from here stands below."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "File or folder", key="import_path", placeholder="the whole path of a file or folder"
        )
        st.button("Look into it", icon=":material/search:", key="import_look")
    folders = ", ".join(map(str, jobs.roots()[:-1]))
    st.markdown(
        f":small[:gray[Read from here: what lies in {show.plain(folders, 300)}. For another folder, start "
        "the app with NASCOPE\\_IMPORT\\_ROOTS=/that/folder (several with a colon between them; they replace "
        "these), or upload it.]]"
    )
    return text.strip()


def _look(path: str, mapping: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the file holds, found by a process of its own; says why where that cannot be said."""
    try:
        with st.spinner("Reading the first rows..."):
            found = jobs.preview(path, mapping)
    except AppError as error:
        errors.refused(error)
        st.session_state.pop("import_found", None)
        return None
    st.session_state["import_found"], st.session_state["import_looked"] = found, path
    return found


def free_name(file: str) -> str:
    """A name for a table that is not taken yet."""
    base = re.sub(r"[^a-z0-9]+", "_", file.split(".")[0].lower()).strip("_")[:50] or "table"
    taken = {t.name for t in table.list_tables()}
    name, i = base, 2
    while name in taken:
        name, i = f"{base}_{i}", i + 1
    return name


def _shown(found: dict[str, Any]) -> None:
    """Format, space and the first rows."""
    space = found.get("space")
    st.markdown(
        f"**{show.plain(found['title'])}** "
        + show.chip(f"format: {found['format']}")
        + " "
        + show.chip(f"space: {space}" if space else "architectures are names only")
    )
    if found.get("notes"):
        st.markdown(f":small[:gray[{show.plain(found['notes'], 300)}]]")
    for reason, times in (found.get("skipped") or {}).items():
        st.markdown(f":orange-badge[left out: {times:,}] {show.plain(reason, 300)}")
    frame = pd.DataFrame(found["rows"], columns=found["columns"]).astype(str)
    st.dataframe(
        frame.head(5), hide_index=True, height="content", key="import_rows", alt="The first rows of the file"
    )


def _mapping(found: dict[str, Any], path: str) -> dict[str, Any]:
    """Which column is the architecture, which are metrics, and what the metrics are."""
    guess, columns = found["mapping"], found["columns"]
    arch = guess["arch"] if isinstance(guess["arch"], list) else [guess["arch"]]
    with st.expander("Which column is what", expanded=True, icon=":material/table_edit:"):
        first, second, third = st.columns(3)
        with first:
            archs = st.multiselect("Architecture", columns, default=arch, key=f"import_arch_{path}")
            form = st.selectbox(
                "Written as",
                flat.FORMATS,
                index=flat.FORMATS.index(guess["format"]),
                key=f"import_form_{path}",
                help="official: the string of its space; key: 16 hex digits; choices: JSON; columns: an "
                "option a column; nats_index: number in NAS-Bench-201; text: a name and nothing more",
            )
        with second:
            data = st.multiselect(
                "Rows are parted by",
                columns,
                default=guess["data"],
                key=f"import_data_{path}",
                help="data set, device or task: each value gets metrics of its own",
            )
            seed = _one("Seed", columns, guess.get("seed"), f"import_seed_{path}")
        with third:
            epochs = _one("Epochs of the training", columns, guess.get("epochs"), f"import_epochs_{path}")
            epoch = _one("Epoch (a row is one)", columns, guess.get("epoch"), f"import_epoch_{path}")
        source = st.text_input("Who measured it", guess.get("source", ""), key=f"import_source_{path}")
        edited = _metrics(found, path, {*archs, *data, seed, epochs, epoch})
        said: dict[str, Any] = {
            "arch": archs[0] if len(archs) == 1 else archs,
            "format": form,
            "data": data,
            **{
                k: v
                for k, v in (("seed", seed), ("epochs", epochs), ("epoch", epoch), ("source", source))
                if v
            },
            "metrics": edited,
        }
        if st.button("Check this reading", icon=":material/fact_check:", key="import_check"):
            try:
                with st.spinner("Reading the first rows..."):
                    again = jobs.preview(path, said)
            except AppError as error:
                errors.refused(error)
            else:
                space = again.get("space") or "none: architectures are names only"
                st.markdown(f":green-badge[:material/check: can be read] :small[space: {show.plain(space)}]")
    return said


def _one(label: str, columns: list[str], given: str | None, key: str) -> str:
    """A column or none."""
    options = ["", *columns]
    index = options.index(given) if given in options else 0
    return str(st.selectbox(label, options, index=index, key=key, format_func=lambda c: c or "none"))


def _metrics(found: dict[str, Any], path: str, used: set[str]) -> dict[str, dict[str, Any]]:
    """The metrics as a table to edit."""
    guess = {c: v for c, v in found["mapping"]["metrics"].items() if c not in used}
    rows = found["rows"]
    numeric = [
        c
        for c in found["columns"]
        if c not in used
        and any(isinstance(r.get(c), int | float) for r in rows)
        and not isinstance(rows[0].get(c), bool)
    ]
    listed = [*guess, *(c for c in numeric if c not in guess)]
    frame = pd.DataFrame(
        [
            {
                "use": c in guess,
                "column": c,
                "title": str(guess.get(c, {}).get("title") or ""),
                "direction": str(guess.get(c, {}).get("direction") or flat.guess(c)[0]),
                "unit": str(guess.get(c, {}).get("unit") or flat.guess(c)[1]),
                "split": str(guess.get(c, {}).get("split") or flat.split_of(c)),
            }
            for c in listed
        ]
    )
    edited = st.data_editor(
        frame,
        hide_index=True,
        height=215,
        key=f"import_metrics_{path}_{'_'.join(sorted(used))}",  # other rows forget what was edited
        disabled=["column"],
        alt="Which columns are metrics, and what they are",
        column_config={
            "use": st.column_config.CheckboxColumn("Metric", width=60),
            "column": "Column",
            "title": st.column_config.TextColumn("Title", help="empty: made from the column's name"),
            "direction": st.column_config.SelectboxColumn(
                "Better is", options=list(DIRECTIONS), help="max, min, or nothing where it is not known"
            ),
            "unit": st.column_config.TextColumn("Unit", help="%, ms, s, M, mJ, share, or nothing"),
            "split": st.column_config.SelectboxColumn("Split", options=["", "train", "validation", "test"]),
        },
    )
    return chosen_metrics(frame, edited)


def chosen_metrics(given: pd.DataFrame, edited: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Column -> what was said of it; what a person left as it was is guessed again by the importer."""
    out: dict[str, dict[str, Any]] = {}
    for was, now in zip(given.to_dict("records"), edited.to_dict("records"), strict=True):
        if now["use"]:
            fields = ("title", "direction", "unit", "split")
            out[str(now["column"])] = {f: str(now[f] or "") for f in fields if now[f] != was[f]}
    return out


def at_work() -> None:
    """Imports that run, wait for a decision, or have ended since."""
    found = jobs.jobs()
    if not found:
        return
    live = any(j.live for j in found)
    st.fragment(_cards, run_every=1.0 if live else None)(live)


def _cards(was_live: bool) -> None:
    found = jobs.jobs()
    if refusal := st.session_state.pop("import_refused", ""):
        errors.refused(refusal)
    for job in found:
        _card(job)
    if was_live and not any(j.live for j in found):
        st.rerun()  # the list of tables has grown; the timer ends


def _card(job: Job) -> None:
    with st.container(border=True, gap="xsmall", key=f"import-{job.name}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(show.badge(LOOKS, job.state), width="content")
            st.markdown(f"Import of **{show.plain(job.name)}** from {show.plain(job.what)}")
            _acts(job)
        if job.live:
            share = min(1.0, job.done / job.total) if job.total else 0.0
            left = words.left(job.left) if job.left is not None else "time left not known yet"
            step = f"{job.done:,} of {job.total:,} read · {left}" if job.total else "looking at the file"
            writes = job.step == "writing"
            st.progress(1.0 if writes else share, "writing the table" if writes else step)
        elif job.state == "finished":
            _told(job.report)
        elif job.error:
            st.markdown(show.plain(job.error, 400))


def _told(report: dict[str, Any]) -> None:
    """What an import did, and what it left out."""
    took = words.duration(float(report.get("seconds", 0)))
    st.markdown(
        f"{int(report.get('rows', 0)):,} architectures in {took}, {int(report.get('skipped', 0)):,} left out"
    )
    for reason, times in (report.get("reasons") or {}).items():
        st.markdown(f":orange-badge[left out: {times:,}] {show.plain(reason, 300)}")
    missing = report.get("missing") or {}
    if missing:
        most = ", ".join(f"{m} {n:,}" for m, n in list(missing.items())[:5])
        st.markdown(f":small[:gray[Without a value: {show.plain(most, 300)}]]")


def _acts(job: Job) -> None:
    def act(what: Any) -> None:
        try:
            what(job.name)
        except AppError as error:
            st.session_state["import_refused"] = str(error)

    kinds: list[tuple[str, str, Any]] = []
    if job.state == "stopping":
        kinds = [("End it now", "power_off", jobs.force)]
    elif job.live:
        kinds = [("Cancel", "stop", jobs.cancel)]
    elif job.state == "finished":
        kinds = [("Open it", "arrow_forward", _open), ("Put away", "close", jobs.forget)]
    else:
        kinds = [("Resume", "play_arrow", jobs.resume), ("Put away", "close", jobs.forget)]
    for label, icon, what in kinds:
        if st.button(label, icon=f":material/{icon}:", key=f"job_{label}_{job.name}", type="tertiary"):
            act(what)
            st.rerun()


def _open(name: str) -> None:
    jobs.forget(name)
    st.query_params.from_dict({"table": name})


def delete_button(found: Table) -> None:
    """A way to remove a table that did not come with the program."""
    if benchdata.is_shipped(found):
        st.markdown(":small[:gray[This table comes with the program and stays.]]")
        return
    if st.button("Delete this table", icon=":material/delete:", key="bench_delete", type="tertiary"):
        delete(found.name, found.rows)


@st.dialog("Delete this table?")
def delete(name: str, rows: int) -> None:
    """Asks a second time."""
    st.markdown(
        f"**{show.plain(name)}** and its {rows:,} rows are removed from the disk. The file that it was "
        "imported from stays where it is."
    )
    sure = st.checkbox("I do not need it here", key="bench_delete_sure")
    if st.button(
        "Delete for good", icon=":material/delete:", type="primary", key="bench_delete_now", disabled=not sure
    ):
        try:
            table.delete(name)
        except (AppError, BadInput) as error:
            errors.refused(error)
        else:
            links.go(links.BENCHMARKS)
