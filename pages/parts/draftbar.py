"""A draft as a whole: begin one, name it, save it, compare versions, export, import, share, use it."""

from __future__ import annotations

import functools
import json

import streamlit as st

from nascore.codec import dumps, loads, to_json
from nascore.errors import AppError
from nascore.kinds import summary
from nascore.runs import drafts
from nascore.runs.drafts import Draft
from nascore.space import Space, size
from nascore.tables import TEXT_SPACES, table
from pages.parts import (
    arch,
    benchmake,
    builddoc,
    buildedit,
    buildscene,
    buildstate,
    errors,
    forms,
    links,
)
from pages.parts.builddoc import Document
from pages.parts.buildedit import Fault
from pages.parts.buildview import refused
from pages.parts.show import plain

NOT_ALONE = ("restrict", "product", "cell", "stages")  # are begun with otherwise
FIRST = ("nasbench201", "nasbench101", "darts", "nasnet", "mobilenet")
MAX_LINK = 6000


def begin() -> None:
    """How to begin: nothing, a ready space, a file; and what was drawn before."""
    if said := buildstate.refusal("page"):
        errors.refused(said)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="build-begin"):
        st.button(
            "Start from nothing",
            icon=":material/draw:",
            type="primary",
            key="build_blank",
            on_click=lambda: buildstate.begin(buildedit.blank, "my space"),
        )
        names = presets()
        st.selectbox("Or from a ready space", names, key="build_preset", format_func=arch.named, width=240)
        st.button("Open it", icon=":material/edit:", key="build_from", on_click=_from_preset)
        imported()
    name = st.session_state.get("build_preset")
    if name in names:
        st.markdown(f":small[:gray[{plain(summary(table('space')[name]), 200)}]]")
    listed()


def presets() -> list[str]:
    """Spaces that one can begin with: of networks that look at images, which is what is counted here."""
    names = [n for n in table("space") if n not in (*NOT_ALONE, *TEXT_SPACES, *builddoc.addable())]
    return sorted(names, key=lambda n: (FIRST.index(n) if n in FIRST else len(FIRST), n))


def _from_preset() -> None:
    name = st.session_state["build_preset"]
    buildstate.begin(lambda: builddoc.whole(name), f"{arch.named(name)} of mine")


def listed() -> None:
    """Spaces drawn here before."""
    found = drafts.drafts()
    if not found:
        st.markdown(
            ":gray[:material/design_services: Nothing was drawn yet. "
            "Every edit is kept, so you can leave at any time.]"
        )
        return
    st.markdown("**Drawn here**")
    for draft in found[:30]:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            links.link(links.BUILD, plain(draft.name), "grid_view", space=draft.id)
            many = f"{len(draft.versions)} saved versions" if draft.versions else "not saved yet"
            told = f"{inside(draft.document)}, {many}, changed {draft.changed[:16].replace('T', ' ')} UTC"
            st.markdown(f":small[:gray[{plain(told)}]]", width="content")


def inside(document: Document) -> str:
    """What is drawn, in words: `a cell of 4 nodes`."""
    if builddoc.is_cell(document):
        return f"a cell of {buildedit.nodes(document)} nodes"
    return arch.named(str(builddoc.core(document).get("name", "")))


def imported() -> None:
    """A space from a file or a text."""
    with st.popover("Import", icon=":material/upload:", key="build-import"):
        st.file_uploader("A space as JSON", type=["json"], key="build_file", on_change=_uploaded)
        st.text_area("Or paste it", key="build_text", height=90, placeholder='{"name": "cell", ...}')
        st.button("Open the text", icon=":material/content_paste:", key="build_paste", on_click=_pasted)


def _uploaded() -> None:
    if (file := st.session_state.get("build_file")) is not None:
        _take(file.getvalue())


def _pasted() -> None:
    if text := st.session_state.get("build_text"):
        _take(text)


def _take(text: str | bytes) -> None:
    try:
        name, document = read(text)
    except AppError as error:
        buildstate.refuse("page", error)
        return
    buildstate.begin(lambda: document, name)


def read(text: str | bytes) -> tuple[str, Document]:
    """Name and document of an exported space, of a spec, of an architecture, or of a space alone.

    Raises:
        BadInput: it is none of these, or no space.
    """
    data = loads(text)
    name = data.get("title") if isinstance(data, dict) else None
    if isinstance(data, dict) and "space" in data:
        data = data["space"]
    return (name if isinstance(name, str) and name.strip() else "imported"), builddoc.whole(data)


def export(draft: Draft, document: Document) -> str:
    """What `read` reads."""
    return dumps({"v": 1, "title": draft.name, "space": document}, indent=1)


def bar(draft: Draft, space: Space | None) -> None:
    """Name, save, versions, file, and the way back."""
    if said := buildstate.refusal("page"):
        errors.refused(said)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="build-bar"):
        st.text_input(
            "Name",
            key=buildstate.controlled("build_name", draft.name),
            max_chars=drafts.MAX_NAME,
            on_change=_rename,
            width=260,
        )
        st.button(
            "Save",
            icon=":material/save:",
            type="primary",
            key="build_save",
            shortcut="Mod+S",
            disabled=space is None,
            on_click=_save,
            help="Keeps this state as a version that never changes. Drafts are kept by themselves.",
        )
        versions(draft)
        share(draft, space)
        links.link(links.BUILD, "All spaces", "arrow_back")
    st.markdown(f":small[:gray[{plain(kept(draft), 300)}]]")
    refused("bar")
    if copy := st.session_state.get(buildstate.COPY):
        links.link(links.BUILD, f"Yours was kept as {plain(copy[1])}", "content_copy", space=copy[0])
    if done := st.session_state.pop(buildstate.DONE, ""):
        st.toast(plain(done), icon=":material/check:")


def kept(draft: Draft) -> str:
    """What is kept, in words."""
    if draft.saved_as:
        return f"Saved as version {draft.saved_as}."
    base = f"{len(draft.versions)} saved versions" if draft.versions else "no saved version yet"
    text = f"Draft, kept after each edit; {base}."
    if name := builddoc.ready(draft.document):
        same = "the published space; an edit of the drawing makes it one of your own."
        knobs = "the published space with knobs."
        drawn = builddoc.core(draft.document) != builddoc.bare(draft.document)
        text += f" {forms.sentence(arch.named(name))}: {same if drawn else knobs}"
    return text


def _rename() -> None:
    name = str(st.session_state.get("build_name", ""))
    buildstate.run(lambda id, revision: drafts.rename(id, revision, name), "bar")


def _save() -> None:
    new = buildstate.run(drafts.save, "bar")
    if new is not None:
        st.session_state[buildstate.DONE] = f"{new.name} is saved as version {new.saved_as}."


def versions(draft: Draft) -> None:
    """Saved versions: go back to one, duplicate, delete, and what differs between two."""
    with st.popover("Versions", icon=":material/history:", key="build-versions"):
        if not draft.versions:
            st.markdown(":gray[None yet. Save keeps this state as version 1.]")
        for v in reversed(draft.versions):
            st.button(
                f"Go back to version {v.number} ({v.when[:16].replace('T', ' ')} UTC)",
                icon=":material/restore:",
                type="tertiary",
                key=f"build_back_{v.number}",
                on_click=functools.partial(_back, v.document),
            )
        if draft.versions:
            compared(draft)
        st.button(
            "Duplicate",
            icon=":material/content_copy:",
            key="build_duplicate",
            on_click=lambda: buildstate.show(drafts.duplicate(draft.id)),
        )
        sure = st.checkbox("I want it gone", key="build_sure")
        st.button(
            "Delete the space and its versions",
            icon=":material/delete:",
            key="build_delete",
            disabled=not sure,
            on_click=functools.partial(_delete, draft.id),
        )


def _back(document: Document) -> None:
    buildstate.change(lambda _: document)


def _delete(id: str) -> None:
    try:
        drafts.delete(id)
    except AppError as error:
        buildstate.refuse("page", error)
    st.query_params.clear()


def compared(draft: Draft) -> None:
    """What differs between two states."""
    states = {"what you see": draft.document} | {f"version {v.number}": v.document for v in draft.versions}
    with st.container(horizontal=True):
        names = list(states)
        a = st.selectbox("Compare", names, len(names) - 1, key="build_compare_a", width=150)
        b = st.selectbox("with", names, 0, key="build_compare_b", width=150)
    lines = differences(states.get(str(a), draft.document), states.get(str(b), draft.document))
    st.markdown("\n".join(f"- {plain(x, 200)}" for x in lines) or ":gray[They are equal.]")


def differences(a: Document, b: Document) -> list[str]:
    """What changes from one document to another, in sentences; empty where nothing does."""
    spaces = [builddoc.made(d) for d in (a, b)]
    out = []
    if None not in spaces:
        sizes = [buildscene.big(size(s)) for s in spaces if s is not None]
        if sizes[0] != sizes[1]:
            out.append(f"architectures: {sizes[0]} became {sizes[1]}")
        old, new = ({c.name: [c.options[i] for i in c.open] for c in s.choices()} for s in spaces if s)
        out += [f"{n}: a new choice of {len(v)} options" for n, v in new.items() if n not in old]
        out += [f"{n}: this choice is gone" for n in old if n not in new]
        for n in [n for n in new if n in old]:
            more, less = ([str(v) for v in x if v not in y] for x, y in ((new[n], old[n]), (old[n], new[n])))
            changes = [f"with {', '.join(more)}"] * bool(more) + [f"without {', '.join(less)}"] * bool(less)
            out += [f"{n}: now {' and '.join(changes)}"] * bool(changes)
    knobs_a, knobs_b = builddoc.core(a)["knobs"], builddoc.core(b)["knobs"]
    for n in dict.fromkeys([*knobs_a, *knobs_b]):
        was, now = knobs_a.get(n), knobs_b.get(n)
        if was != now and not isinstance(was, list) and not isinstance(now, list):
            out.append(f"{n}: {was} became {now}")
    return out


def share(draft: Draft, space: Space | None) -> None:
    """The space as a file, a link, a line for the command line."""
    with st.popover("Share", icon=":material/share:", key="build-share"):
        text = export(draft, draft.document)
        file = "".join(c if c.isalnum() else "-" for c in draft.name.lower()).strip("-")[:40] or "space"
        st.download_button(
            "Export as JSON",
            text,
            f"{file}.json",
            "application/json",
            icon=":material/download:",
            key="build_export",
            on_click="ignore",
        )
        compact = json.dumps({"title": draft.name, "space": draft.document}, separators=(",", ":"))
        if space is None:
            st.markdown(":gray[Others can open it as a space when nothing is missing any more.]")
        elif len(compact) <= MAX_LINK:
            links.link(links.BUILD, "Link to a copy of it", "link", doc=compact)
            st.markdown(":small[:gray[Whoever opens this link gets a draft of their own.]]")
        else:
            st.markdown(":gray[It is too long for a link; send the file.]")
        if draft.versions:
            st.code(f'python -m nascore space "{draft.name}"', language="bash")
        imported()


def from_link(text: str) -> None:
    """A draft of one's own from a link that holds a space.

    Raises:
        BadInput: it holds none.
    """
    name, document = read(text)
    buildstate.show(drafts.create(document, name))


def use(draft: Draft, space: Space | None, faults: list[Fault]) -> None:
    """From here on: search it, make a benchmark of it, open one of its architectures."""
    with st.container(border=True, gap="xsmall", key="build-use"):
        st.markdown("**Use it**")
        if space is None:
            why = faults[0].text if faults else "It is no space yet."
            st.markdown(f":gray[{plain(why, 200)}]")
            return
        document = to_json(space)
        title = f"{draft.name} v{draft.saved_as}" if draft.saved_as else draft.name
        links.link(links.SEARCH, "Search it", "travel_explore", spec=spec(document, title))
        made = st.button(
            "Make a benchmark of it", icon=":material/scatter_plot:", type="tertiary", key="build_make"
        )
        if made:
            benchmake.dialog(document, title)
        benchmake.started()
        st.markdown(
            ":small[:gray[A benchmark trains all of them, or a sample, and grows into a table to browse.]]"
        )


def spec(document: Document, title: str) -> str:
    """What the form of a new search opens with: this space and a small budget."""
    rest = {"budget": {"evaluations": 40}}
    return json.dumps({"v": 1, "space": document, "title": title[:100], **rest}, separators=(",", ":"))
