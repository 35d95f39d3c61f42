"""What the Build page knows between two runs: which draft is open, on which change the person looks at it.

Every edit goes through `change`: it is tried on the document, written to the draft's file at once, or refused
with a sentence that is kept for the place where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from nascore.errors import AppError, BadInput, Busy
from nascore.runs import drafts
from nascore.runs.drafts import Draft
from pages.parts import builddoc, buildedit
from pages.parts.builddoc import Document

OPEN, SAID, DONE, COPY = "build_open", "build_said", "build_done", "build_copy"
NUMBERED = "build_numbered"  # the change since which nodes have had their numbers


def opened() -> Draft | None:
    """The draft of the address, as it is now; None where the address names none.

    Raises:
        NotFound: no such draft.
        BadInput: its file cannot be read.
    """
    if not (id := st.query_params.get("space")):
        return None
    draft = drafts.open_draft(id)
    before: Draft | None = st.session_state.get(OPEN)
    if before is None or before.id != draft.id or not _same_numbers(before.document, draft.document):
        st.session_state[NUMBERED] = draft.revision
    st.session_state[OPEN] = draft
    return draft


def current() -> Draft:
    """The draft as the person saw it last."""
    return st.session_state[OPEN]


def show(draft: Draft) -> None:
    """Opens a draft; the next run draws it."""
    st.query_params.from_dict({"space": draft.id})
    for name in ("build_graph", COPY):
        st.session_state.pop(name, None)


def begin(make: Callable[[], Document], name: str) -> None:
    """A new draft, opened; a refusal is kept."""
    try:
        show(drafts.create(make(), name))
    except AppError as error:
        refuse("page", error)


def change(act: Callable[[Document], Document], place: str = "drawing", since: int | None = None) -> None:
    """One edit, or a refusal.

    Args:
        act: document to document.
        place: where a refusal is shown.
        since: the change that was on the screen when it was made; None for the newest.
    """
    draft = current()
    try:
        if since is not None and since < st.session_state.get(NUMBERED, 0):
            raise BadInput("the drawing had changed while you drew; do it again")
        new = act(draft.document)
        _keep(drafts.put(draft.id, draft.revision, new))
    except Busy as error:
        refuse(place, error)
        _copy(act, draft)
    except AppError as error:
        refuse(place, error)


def _copy(act: Callable[[Document], Document], draft: Draft) -> None:
    """An edit that met somebody else's is not lost: it becomes a draft of its own."""
    mine = drafts.create(act(draft.document), f"{draft.name} (mine)")
    st.session_state[COPY] = (mine.id, mine.name)


def run(act: Callable[[str, int], Draft], place: str, done: str = "") -> Draft | None:
    """Something done to the draft as a whole: undo, rename, save."""
    draft = current()
    try:
        new = act(draft.id, draft.revision)
    except AppError as error:
        refuse(place, error)
        return None
    _keep(new)
    if done:
        st.session_state[DONE] = done
    return new


def _keep(draft: Draft) -> None:
    before = current()
    if not _same_numbers(before.document, draft.document):
        st.session_state[NUMBERED] = draft.revision
    st.session_state[OPEN] = draft


def _same_numbers(a: Document, b: Document) -> bool:
    """Whether node numbers mean the same nodes in both: edges only came or only went."""
    if not (builddoc.is_cell(a) and builddoc.is_cell(b)):
        return False
    old, new = set(buildedit.edges(a)), set(buildedit.edges(b))
    return buildedit.nodes(a) == buildedit.nodes(b) and (old <= new or new <= old)


def refuse(place: str, error: AppError | str) -> None:
    """Keeps a refusal for the place where it belongs."""
    st.session_state[SAID] = (place, str(error))


def refusal(place: str) -> str:
    """The refusal kept for a place; it is shown once."""
    kept: Any = st.session_state.get(SAID)
    if not kept or kept[0] != place:
        return ""
    del st.session_state[SAID]
    return str(kept[1])


def picked(document: Document) -> str | None:
    """The picked part of the drawing, where it is still there."""
    part = (st.session_state.get("build_graph") or {}).get("picked")
    return part if part and buildedit.part_of(document, part) is not None else None


def controlled(key: str, value: Any) -> str:
    """The key of a widget that shows what the document says, whatever it showed before."""
    st.session_state[key] = value
    return key
