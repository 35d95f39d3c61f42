"""`calibrate`: numbers of files, and every refusal names the row."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nascore.measures.calibration import NAMES, measure, softmax
from tests.test_cli import ask, refused

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 4, 600)
LOGITS = 3 * (RNG.normal(size=(600, 4)) + 1.2 * np.eye(4)[LABELS])
P = softmax(LOGITS)


def saved(file: Path, **arrays: Any) -> str:
    np.savez(file, **arrays)
    return str(file)


@pytest.fixture
def tested(tmp_path: Path) -> str:
    return saved(tmp_path / "test.npz", logits=LOGITS[:300], labels=LABELS[:300])


def test_a_file_gives_the_fifty_measures_with_floors(tested: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "calibrate", tested)
    assert (found["n"], found["classes"]) == (300, 4)
    assert found["accuracy"] == pytest.approx((LOGITS[:300].argmax(1) == LABELS[:300]).mean())
    assert list(found["measures"]) == list(NAMES)
    direct = measure(P[:300], LABELS[:300])
    assert found["measures"]["ece_15"] == pytest.approx(direct["ece_15"])
    assert found["measures"]["ece_em_500"] is None
    assert "ece_em_500" in found["nonfinite"]
    assert any("fewer than 500 bins" in n for n in found["notes"])
    assert found["measures"]["ece_15"] > found["floors"]["ece_15"] > 0


def test_validation_adds_the_scaled_measures_and_a_third_file_the_auroc(
    tested: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    held = saved(tmp_path / "held.npz", logits=LOGITS[300:], labels=LABELS[300:])
    far = saved(tmp_path / "far.npz", probabilities=softmax(RNG.normal(size=(100, 4))))
    found = ask(capsys, "calibrate", tested, "--validation", held, "--ood", far, "--draws", "0")
    assert {f"post_{n}" for n in NAMES} < set(found["measures"])
    assert found["temperature"] > 1.5
    assert found["measures"]["post_ece_15"] < found["measures"]["ece_15"] / 2
    assert found["post_accuracy"] == found["accuracy"]
    assert 0.5 < found["auroc"] < 1
    assert list(found["aurocs"]) == ["test", "validation", "post_test", "post_validation"]
    assert found["aurocs"]["test"] == found["auroc"]
    assert abs(found["aurocs"]["validation"] - found["auroc"]) < 0.1
    assert found["floors"] == {}
    other = ask(capsys, "calibrate", tested, "--validation", held, "--method", "isotonic", "--draws", "0")
    assert other["temperature"] is None
    assert other["measures"]["post_nll"] < other["measures"]["nll"]


def test_tables_of_text_and_columns_give_the_same_numbers(
    tested: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pd.DataFrame({"label": LABELS[:300], **{f"p{k}": P[:300, k] for k in range(4)}})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "b.parquet")
    lists = pd.DataFrame({"labels": LABELS[:300], "logits": list(LOGITS[:300])})
    lists.to_parquet(tmp_path / "c.parquet")
    first = ask(capsys, "calibrate", tested, "--draws", "0")["measures"]
    frame.to_csv(tmp_path / "d.csv", sep=";")  # with row numbers in a column without a name
    for name in ("a.csv", "b.parquet", "c.parquet", "d.csv"):
        found = ask(capsys, "calibrate", str(tmp_path / name), "--draws", "0")["measures"]
        assert found["ece_15"] == pytest.approx(first["ece_15"])
        assert found["cwce_em_20"] == pytest.approx(first["cwce_em_20"])


def test_labels_may_be_a_column_or_true_and_false(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = np.stack([P[:80, 0], 1 - P[:80, 0]], 1)
    kinds = [LABELS[:80] != 0, (LABELS[:80] != 0)[:, None], (LABELS[:80] != 0).astype(float)]
    found = [
        ask(capsys, "calibrate", saved(tmp_path / "two.npz", probabilities=two, labels=y), "--draws", "0")
        for y in kinds
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["accuracy"] == ((two[:, 1] > 0.5) == kinds[0]).mean()


def changed(values: np.ndarray, row: int, new: Any) -> np.ndarray:
    out = values.copy()
    out[row] = new
    return out


Y = LABELS[:50]
Q = P[:50]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"probabilities": changed(Q, 7, [0.5, 0.2, 0.1, 0.1]), "labels": Y}, "row 7 sums to 0.9"),
    ({"probabilities": LOGITS[:50], "labels": Y}, "logits belong into a field called logits"),
    ({"probabilities": changed(Q, 3, [1.2, -0.2, 0, 0]), "labels": Y}, "row 3 holds 1.2"),
    ({"logits": Q, "labels": Y}, "probabilities belong into a field called probabilities"),
    ({"probabilities": Q, "labels": changed(Y, 9, 4)}, "row 9 holds 4, outside 0 to 3"),
    ({"probabilities": Q, "labels": changed(Y, 9, -1)}, "row 9 holds -1, outside 0 to 3"),
    ({"probabilities": Q, "labels": Y + 1}, "they seem to count from 1"),
    ({"probabilities": Q, "labels": Y + 0.5}, "which is no class number"),
    ({"probabilities": Q, "labels": Y[:-1]}, "labels have the shape (49,)"),
    ({"probabilities": Q, "labels": np.eye(4)[Y]}, "of one-hot rows give the place of the 1"),
    ({"probabilities": changed(Q, 5, np.nan), "labels": Y}, "row 5 holds nan"),
    ({"logits": changed(LOGITS[:50], 6, np.inf), "labels": Y}, "row 6 holds inf"),
    ({"probabilities": Q}, "there are no labels"),
    ({"labels": Y}, "neither probabilities nor logits"),
    ({"a": Y, "b": Y}, "holds a, b"),
    ({"probabilities": Q[:, :1], "labels": Y}, "two classes or more"),
    ({"probabilities": Q.astype("U9"), "labels": Y}, "row 0 holds the text '0."),
    ({"probabilities": Q, "labels": np.array([*"abcd"])[Y]}, "labels: row 0 holds the text '"),
    ({"probabilities": Q[:, 0], "labels": Y}, "of two classes give both"),
    ({"probabilities": 100 * Q, "labels": Y}, "rows sum to 100: divide by it"),
    ({"probabilities": Q.T, "labels": Y}, "4 rows of 50 numbers for 50 labels; transpose"),
    ({"probabilities": Q, "logits": LOGITS[50:100], "labels": Y}, "row 0: the softmax of its logits"),
    ({"probabilities": Q[:0], "labels": Y[:0]}, "have no rows"),
]  # fmt: skip


@pytest.mark.parametrize(("arrays", "said"), BAD, ids=[s for _, s in BAD])
def test_bad_predictions_are_refused_by_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arrays: dict[str, Any], said: str
) -> None:
    assert said in refused(capsys, "calibrate", saved(tmp_path / "bad.npz", **arrays))


def test_an_absent_class_and_rounded_sums_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = LABELS != 2
    file = saved(tmp_path / "absent.npz", probabilities=np.round(P[few], 4), labels=LABELS[few])
    found = ask(capsys, "calibrate", file, "--draws", "0")
    assert any("label 2" in n for n in found["notes"])
    assert any("nothing was rescaled" in n for n in found["notes"])
    sure = changed(P, 4, np.eye(4)[(LABELS[4] + 1) % 4])
    found = ask(capsys, "calibrate", saved(tmp_path / "sure.npz", probabilities=sure, labels=LABELS))
    assert any(n.startswith("Row 4 gives its label less than 1e-12") for n in found["notes"])


def test_no_pickle_is_opened_and_no_bomb_unpacked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = np.array([[{"a": 1}, 2]], dtype=object)
    assert "Python objects" in refused(capsys, "calibrate", saved(tmp_path / "o.npz", probabilities=evil))
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("probabilities.npy", head.getvalue())
    assert "the limit is 100,000,000" in refused(capsys, "calibrate", str(tmp_path / "bomb.npz"))
    short = head.getvalue().replace(b"1000000000", b"1000      ")
    with zipfile.ZipFile(tmp_path / "short.npz", "w") as archive:
        archive.writestr("probabilities.npy", short)
    assert "cut off" in refused(capsys, "calibrate", str(tmp_path / "short.npz"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.npz", b"PK\x03\x04 torn", "damaged"),
        ("a.npz", b"", "damaged"),
        ("a.parquet", b"PAR1 torn", "damaged"),
        ("a.csv", b"", "damaged"),
        ("a.csv", b"x,y\n1,2\n", "has the columns x, y"),
        ("a.csv", b"label,p0,p2\n0,1,0\n", "no column for class 1"),
        ("a.csv", b"label,p0,p1\n0,1,0\n0,1,zero\n", "row 1 holds the text 'zero'"),
        ("a.csv", b"label;p0;p1\n0;0,4;0,6\n", "row 0 holds the text '0,4'"),
        ("a.csv", b"label,class_0,class_1\n0,1,0\n", "has the columns label, class_0, class_1; wanted"),
        ("a.csv", b"0.2,0.8,1\n0.3,0.7,0\n", "the first line must name the columns"),
        ("a.pkl", b"anything", "is not known"),
    ],
)
def test_broken_files_are_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    text = refused(capsys, "calibrate", str(tmp_path / name))
    assert said in text
    assert len(text.strip().splitlines()) == 1


def test_wrong_pairs_of_files_are_refused(
    tested: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "the test predictions themselves" in refused(capsys, "calibrate", tested, "--validation", tested)
    other = saved(tmp_path / "other.npz", probabilities=np.full((4, 2), 0.5), labels=[0, 1, 0, 1])
    assert "has 2 classes" in refused(capsys, "calibrate", tested, "--validation", other)
    assert "has 2 classes" in refused(capsys, "calibrate", tested, "--ood", other)
    assert "is none of temperature" in refused(capsys, "calibrate", tested, "--method", "magic")
    assert "cannot be read" in refused(capsys, "calibrate", str(tmp_path / "nowhere.npz"))
