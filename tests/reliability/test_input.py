"""RELIABILITY.md, rows 26, 41 to 46, 48, 53: what people write reaches no file, no class and no statement."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from nascore.errors import BadInput, NotFound
from nascore.runs import launch
from nascore.runs.spec import read
from nascore.runs.state import summary
from nascore.runs.store import Store
from tests.runs.toy_parts import document, finish, spec

HOSTILE = (
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a\0b",
        "%2e%2e",
        "..\\..\\x",
        "20260101-000000-abcdef/..",
    ),
    *("20260101-000000-abcdef\n", "20260101-000000-ABCDEF", "$(id)", "'; drop table runs", "x" * 10_000),
)


@pytest.mark.parametrize("run", HOSTILE)
def test_46_an_id_that_is_none_of_ours_is_not_found_anywhere(home: Path, run: str) -> None:
    (home / "runs").mkdir()
    store = Store(tick=0)
    for ask in (
        *(launch.folder, launch.read_spec, launch.title, launch.pause, launch.cancel, launch.resume),
        *(launch.delete, launch.again, launch.bundle, launch.is_live, launch.last_life, summary),
        *(lambda r: launch.rename(r, "x"), lambda r: store.events_since(r, 0)),
    ):
        with pytest.raises(NotFound):
            ask(run)
    assert store.run(run) is None
    assert store.tried(run).empty
    assert store.architecture(run, run) is None
    assert store.log(run).empty
    store.close()
    assert list((home / "runs").iterdir()) == []


def nested(depth: int) -> str:
    return '{"title": ' + "[" * depth + "]" * depth + "}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "not JSON"),
        ('{"title": "' + "x" * (2 << 20) + '"}', "the limit is 1,048,576"),
        (nested(100_000), "nested deeper than 32"),
        ('{"seed": ' + "9" * 5000 + "}", "too large a number"),
        ('{"seed": NaN}', "NaN is no number"),
        ('{"seed": 1, "seed": 2}', "stands twice"),
        ('{"title": "\\ud800"}', "surrogate"),
        ('{"budget": {"evaluations": 0}}', "budget: nothing may be spent"),
        ('{"budget": {"evaluations": -1}}', "budget.evaluations: -1 is below 0"),
        ('{"strategy": "os.system"}', "no strategy called 'os.system'"),
        ('{"objectives": [["beauty", "max"]]}', "'beauty' is not given"),
        ('{"nonsense": 1}', "nonsense: no such field"),
    ],
)
def test_41_to_43_a_bad_spec_is_one_sentence_at_once_and_imports_nothing(text: str, says: str) -> None:
    before, start = set(sys.modules), time.monotonic()
    with pytest.raises(BadInput) as refusal:
        read(text)
    assert time.monotonic() - start < 1
    assert says in str(refusal.value)
    assert len(str(refusal.value)) < 400
    assert "\n" not in str(refusal.value)
    assert set(sys.modules) == before


def test_26_a_space_of_one_arch_gives_a_run_of_length_one(home: Path) -> None:
    run = launch.start(spec(10, space={"name": "toy", "knobs": {"options": 1}}))
    assert finish(run) == "finished"
    assert summary(run).evaluations == 1


def test_48_and_53_a_title_is_text_whatever_it_holds(home: Path) -> None:
    store = Store(tick=0)
    for title in ("'; drop table runs; --", '" or 1=1', "<script>alert(1)</script>", "\u202eevil\n" * 40_000):
        run = launch.start(spec(1, title=title))
        finish(run)
        found = store.run(run)
        assert len(found.title) <= 120
        assert "\n" not in found.title
        assert store.list_runs()["state"][0] == "finished"
    store.close()


def test_a_spec_comes_back_from_its_file_as_it_was_given(home: Path) -> None:
    asked = spec(3, seed=4, constraints=[["params", "<=", 900]])
    run = launch.start(asked)
    assert launch.read_spec(run) == asked
    data = json.loads((launch.folder(run) / "spec.json").read_text())
    assert data["budget"]["evaluations"] == document(3)["budget"]["evaluations"]
