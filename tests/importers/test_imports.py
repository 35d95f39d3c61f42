"""Imports as a whole: paths, stop and resume, progress, one at a time."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from nascore.benchmarks import imports
from nascore.benchmarks.imports import Progress, Stopped, check_path, import_path
from nascore.benchmarks.table import open_table
from nascore.errors import AppError, BadInput, Busy, NotFound


def big_csv(folder: Path, rows: int = 90_000) -> Path:
    path = folder / "big.csv"
    path.write_text("arch,acc\n" + "".join(f"a{i},{i % 97}\n" for i in range(rows)))
    return path


def test_a_stopped_import_goes_on_where_it_ended_and_gives_the_same_table(tmp_path: Path) -> None:
    path = big_csv(tmp_path)
    whole = import_path(path, "whole", tmp_path)
    seen: list[Progress] = []
    with pytest.raises(Stopped, match="goes on from there"):
        import_path(path, "parts", tmp_path, on_progress=seen.append, should_stop=lambda: len(seen) >= 2)
    assert imports.unfinished(tmp_path) == ["parts"]
    with pytest.raises(NotFound):
        open_table("parts", tmp_path)
    again: list[Progress] = []
    report = import_path(path, "parts", tmp_path, on_progress=again.append)
    assert report.resumed > 0
    assert again[0].done > seen[-1].done
    assert (report.rows, report.skipped) == (whole.rows, whole.skipped)
    a, b = (open_table(n, tmp_path).frame for n in ("whole", "parts"))
    pd.testing.assert_frame_equal(a, b)
    assert imports.unfinished(tmp_path) == []


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = big_csv(tmp_path)
    with pytest.raises(Stopped):
        import_path(path, "parts", tmp_path, should_stop=lambda: True)
    path.write_text("arch,acc\nonly,1\n")
    report = import_path(path, "parts", tmp_path)
    assert (report.rows, report.resumed) == (1, 0)


def test_progress_grows_to_the_end_with_the_time_left(tmp_path: Path) -> None:
    seen: list[Progress] = []
    import_path(big_csv(tmp_path), "big", tmp_path, on_progress=seen.append)
    reading = [p for p in seen if p.step == "reading"]
    assert [p.done for p in reading] == sorted(p.done for p in reading)
    assert reading[-1].done == reading[-1].total == 90_000
    assert all(abs(p.total - 90_000) < 9_000 for p in reading)  # of a text it is an estimate by its bytes
    assert all(p.seconds_left is not None and p.seconds_left >= 0 for p in reading)


def test_a_discarded_import_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        import_path(big_csv(tmp_path), "parts", tmp_path, should_stop=lambda: True)
    imports.discard("parts", tmp_path)
    assert list((tmp_path / "tables").iterdir()) == []


def test_the_same_import_does_not_run_twice_at_once(tmp_path: Path) -> None:
    path = big_csv(tmp_path, 100)

    def again() -> bool:
        with pytest.raises(Busy):
            import_path(path, "one", tmp_path)
        return False

    assert import_path(path, "one", tmp_path, should_stop=again).rows == 100


def test_an_import_does_not_overwrite_a_table(tmp_path: Path) -> None:
    path = big_csv(tmp_path, 10)
    import_path(path, "one", tmp_path)
    with pytest.raises(BadInput, match="already"):
        import_path(path, "one", tmp_path)


@pytest.mark.parametrize("name", ["../x", "A", "", "a/b", "a\x00b"])
def test_a_table_cannot_be_named_out_of_its_place(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot name a table"):
        import_path(big_csv(tmp_path, 10), name, tmp_path)


def test_a_path_with_a_nul_is_refused() -> None:
    with pytest.raises(BadInput, match="NUL"):
        check_path("a\x00b")


def test_nothing_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        check_path(tmp_path / "nothing.csv")


def test_a_device_is_no_file() -> None:
    with pytest.raises(BadInput, match="neither a file nor a folder"):
        check_path("/dev/zero")


def test_a_page_reads_only_inside_of_its_folders(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        big_csv(folder, 5)
    (inside / "link.csv").symlink_to(outside / "big.csv")
    (inside / "sub").mkdir()
    (inside / "sub" / "link.csv").symlink_to(outside / "big.csv")
    assert check_path(inside / "big.csv", [inside]) == inside / "big.csv"
    for bad in (
        outside / "big.csv",
        inside / "link.csv",
        inside / "sub",
        inside / ".." / "out" / "big.csv",
        "/etc/passwd",
    ):
        with pytest.raises(BadInput):
            check_path(bad, [inside])


def test_the_environment_names_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASCOPE_IMPORT_ROOTS", f"{tmp_path / 'a'}{os.pathsep}{tmp_path / 'b'}")
    assert imports.import_roots() == [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(BadInput, match="outside"):
        check_path(big_csv(tmp_path, 3))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("code.pickle", pickle.dumps(os.system)),
        ("empty.pth", b""),
        ("noise.pickle", bytes(range(256)) * 10),
        ("noise.csv", bytes(range(256)) * 10),
        ("list.json", b"[1, 2, 3]"),
        ("deep.json", b"[" * 100_000),
        ("cut.json", b'{"00000000": {"test_acc": [1'),
        ("huge.json", b'{"a": ' + b"9" * 5000 + b"}"),
        ("notzip.zip", b"PK\x03\x04" + bytes(100)),
        ("plain.pickle", pickle.dumps({"a": 1})),
        ("bomb.pickle.pbz2", b"BZh9" + bytes(50)),
    ],
)
def test_any_other_file_is_one_sentence_and_nothing_half_imported(
    tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(AppError) as refusal:
        import_path(path, "bad", tmp_path)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert list((tmp_path / "tables").iterdir()) == []


def test_an_ordinary_zip_is_no_benchmark(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BadInput, match="no format that is known"):
        import_path(tmp_path / "some.zip", "bad", tmp_path)


def test_importing_needs_no_torch(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys, nascore.benchmarks.documents; raise SystemExit('torch' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode
        == 0
    )
