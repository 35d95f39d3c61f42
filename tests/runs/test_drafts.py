"""Drafts: kept after each edit, never overwritten by somebody else, versions that never change."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from nascore.codec import to_json
from nascore.errors import BadInput, Busy, NotFound
from nascore.runs import drafts
from nascore.spaces.cell import Cell
from nascore.spaces.nasbench201 import Nasbench201


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NASCOPE_HOME", str(tmp_path))
    return tmp_path


def document(cells: int) -> dict[str, Any]:
    return to_json(Cell(cells=cells))


def test_each_edit_is_on_disk_and_can_be_undone_and_redone() -> None:
    draft = drafts.create(document(1), "mine")
    draft = drafts.put(draft.id, draft.revision, document(2))
    draft = drafts.put(draft.id, draft.revision, document(3))
    assert drafts.open_draft(draft.id) == draft
    draft = drafts.step(draft.id, draft.revision, -1)
    assert draft.document == document(2)
    assert drafts.step(draft.id, draft.revision, 1).document == document(3)


def test_an_edit_after_an_undo_forgets_what_was_undone() -> None:
    draft = drafts.create(document(1))
    draft = drafts.put(draft.id, draft.revision, document(2))
    draft = drafts.step(draft.id, draft.revision, -1)
    draft = drafts.put(draft.id, draft.revision, document(5))
    assert [s["knobs"]["cells"] for s in draft.steps] == [1, 5]
    assert drafts.step(draft.id, draft.revision, 1) == draft


def test_an_edit_made_on_an_older_state_is_refused() -> None:
    draft = drafts.create(document(1))
    drafts.put(draft.id, draft.revision, document(2))
    with pytest.raises(Busy, match="somebody else changed this space"):
        drafts.put(draft.id, draft.revision, document(3))
    assert drafts.open_draft(draft.id).document == document(2)


def test_of_many_writers_at_once_one_wins_each_round() -> None:
    draft = drafts.create(document(1))
    done: list[int] = []

    def write(cells: int) -> None:
        try:
            drafts.put(draft.id, draft.revision, document(cells))
            done.append(cells)
        except Busy:
            pass

    threads = [threading.Thread(target=write, args=(c,)) for c in range(2, 10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(done) == 1
    assert drafts.open_draft(draft.id).document == document(done[0])


def test_a_saved_version_stays_while_the_draft_goes_on() -> None:
    draft = drafts.create(document(1), "mine")
    draft = drafts.save(draft.id, draft.revision)
    draft = drafts.put(draft.id, draft.revision, document(2))
    assert (draft.saved_as, drafts.version(draft.id, 1).document) == (0, document(1))
    draft = drafts.save(draft.id, draft.revision)
    assert draft.saved_as == 2
    assert drafts.save(draft.id, draft.revision) == draft
    assert list(drafts.saved()) == ["mine@2", "mine@1"]


def test_what_is_no_space_is_kept_as_a_draft_and_not_saved() -> None:
    empty = {"name": "cell", "knobs": {"nodes": 2, "edges": []}}
    draft = drafts.create(empty)
    with pytest.raises(BadInput, match="needs at least one edge"):
        drafts.save(draft.id, draft.revision)
    assert drafts.open_draft(draft.id).document == empty


def test_saved_spaces_are_opened_by_name_and_version() -> None:
    draft = drafts.create(document(1), "My Space")
    draft = drafts.save(draft.id, draft.revision)
    draft = drafts.put(draft.id, draft.revision, to_json(Nasbench201()))
    drafts.save(draft.id, draft.revision)
    assert drafts.named("my space@1") == Cell()
    assert drafts.named("My space") == Nasbench201()
    assert drafts.named("my space@7") is None
    assert drafts.named("nobody") is None


def test_the_command_line_opens_a_saved_space(home: Path) -> None:
    draft = drafts.create(document(1), "drawn")
    drafts.save(draft.id, draft.revision)
    command = [sys.executable, "-m", "nascore", "space", "drawn", "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True
    )  # its home is in the environment
    assert json.loads(done.stdout)["size"] == 125


def test_names_are_unique_one_line_and_never_empty() -> None:
    first, second = drafts.create(document(1), "a"), drafts.create(document(1), "A")
    assert second.name == "A 2"
    with pytest.raises(BadInput, match="another space is called"):
        drafts.rename(second.id, second.revision, "a")
    with pytest.raises(BadInput, match="empty"):
        drafts.rename(second.id, second.revision, " \n ")
    assert drafts.rename(first.id, first.revision, "<b>x</b>\n@2").name == "<b>x</b> 2"


def test_duplicate_and_delete() -> None:
    draft = drafts.create(document(4), "mine")
    copy = drafts.duplicate(draft.id)
    assert (copy.name, copy.document) == ("mine copy", document(4))
    drafts.delete(draft.id)
    assert [d.id for d in drafts.drafts()] == [copy.id]
    with pytest.raises(NotFound):
        drafts.open_draft(draft.id)


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "0123456789ab", "x" * 12, "0123456789ab\n"])
def test_an_id_that_is_none_finds_nothing(id: str) -> None:
    with pytest.raises(NotFound):
        drafts.open_draft(id)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"v": 1}', '{"name": 1}'])
def test_a_damaged_file_is_one_sentence_and_hides_no_other(home: Path, text: str) -> None:
    good, bad = drafts.create(document(1)), drafts.create(document(2))
    (home / "spaces" / f"{bad.id}.json").write_text(text)
    with pytest.raises(BadInput, match="damaged"):
        drafts.open_draft(bad.id)
    assert [d.id for d in drafts.drafts()] == [good.id]


def test_the_history_stays_short() -> None:
    draft = drafts.create(document(1))
    for i in range(drafts.MAX_STEPS + 5):
        draft = drafts.put(draft.id, draft.revision, document(1 + i % 20))
    assert len(draft.steps) == drafts.MAX_STEPS
    assert draft.document == document(1 + (drafts.MAX_STEPS + 4) % 20)
