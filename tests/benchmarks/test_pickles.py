"""Pickles are read as plain data, and as nothing else."""

from __future__ import annotations

import bz2
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest

from nascore.benchmarks import pickles
from nascore.errors import BadInput


class Calls:
    """Pickles to a call of any function."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.what = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.what


def read(value: object, folder: Path, protocol: int = 4) -> object:
    path = folder / "some.pickle"
    path.write_bytes(pickle.dumps(value, protocol))
    return pickles.load_path(path)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_containers_and_numpy_values_survive(tmp_path: Path, protocol: int) -> None:
    value = {
        "a": [1, 2.5, "x", None, True],
        "b": OrderedDict([(1, {3, 4})]),
        "c": (np.float64(1.5), np.int64(7)),
    }
    assert read(value, tmp_path, protocol) == {**value, "c": (1.5, 7)}


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_numpy_arrays_survive_in_every_layout(tmp_path: Path, protocol: int) -> None:
    whole = np.arange(12, dtype=np.float32).reshape(3, 4)
    found = read({"c": whole, "f": np.asfortranarray(whole), "t": (whole[:, 1],)}, tmp_path, protocol)
    assert isinstance(found, dict)
    for name, expected in (("c", whole), ("f", whole)):
        np.testing.assert_array_equal(found[name], expected)
    np.testing.assert_array_equal(found["t"][0], whole[:, 1])


def test_a_defaultdict_comes_without_its_factory(tmp_path: Path) -> None:
    assert read(defaultdict(list, {1: [2]}), tmp_path) == {1: [2]}


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "system"),
        (eval, "eval"),
        (exec, "exec"),
        (getattr, "getattr"),
        (open, "open"),
        (bytearray, "bytearray"),
    ],
)
def test_a_pickle_that_calls_code_is_refused_by_name_and_runs_nothing(
    tmp_path: Path, function: object, name: str
) -> None:
    marker = tmp_path / "ran"
    with pytest.raises(BadInput, match=name):
        read({"data": Calls(function, f"touch {marker}")}, tmp_path)
    assert not marker.exists()


def test_nested_code_in_an_object_array_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    hidden = np.array([Calls(os.system, f"touch {marker}"), 1], dtype=object)
    with pytest.raises(BadInput, match="system"):
        read(hidden, tmp_path)
    assert not marker.exists()


def test_a_ragged_array_of_plain_numbers_becomes_a_list(tmp_path: Path) -> None:
    assert read(np.array([1.5, None, "x"], dtype=object), tmp_path) == [1.5, None, "x"]


def test_an_object_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "some.pickle"
    raw = pickle.dumps(np.float64(1), 2).replace(b"f8", b"O8")
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=r"some\.pickle"):
        pickles.load_path(path)


def test_an_array_cannot_claim_more_than_its_bytes(tmp_path: Path) -> None:
    state = (1, (10**12,), np.dtype("f8"), False, b"12345678")

    class Huge:
        def __reduce__(self) -> tuple[object, ...]:
            from numpy._core.multiarray import _reconstruct

            return _reconstruct, (np.ndarray, (0,), b"b"), state

    with pytest.raises(BadInput, match=r"10000000000|bytes"):
        read(Huge(), tmp_path)


@pytest.mark.parametrize("keep", [1, 10, 100, 0.5, 0.99])
def test_a_cut_off_pickle_is_a_sentence_with_the_name(tmp_path: Path, keep: float) -> None:
    raw = pickle.dumps({i: [i, "text", float(i)] for i in range(200)}, 4)
    path = tmp_path / "cut.pickle"
    path.write_bytes(raw[: int(keep * len(raw)) if keep < 1 else int(keep)])
    with pytest.raises(BadInput, match=r"cut\.pickle"):
        pickles.load_path(path)


def test_a_cut_off_bz2_says_after_how_many_bytes(tmp_path: Path) -> None:
    path = tmp_path / "cut.pickle.pbz2"
    raw = bz2.compress(pickle.dumps(np.random.default_rng(0).bytes(300_000), 4))
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(BadInput, match="cut off"):
        pickles.load_path(path)


def test_a_bz2_bomb_is_stopped_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pickle.pbz2"
    packer = bz2.BZ2Compressor()
    zeros = bytes(1 << 20)
    with path.open("wb") as file:
        file.write(packer.compress(b"\x80\x04\x8e" + struct.pack("<Q", 100 << 20)))
        for _ in range(100):
            file.write(packer.compress(zeros))
        file.write(packer.flush())
    with pytest.raises(BadInput, match="expands to more than"):
        pickles.load_path(path)


def torch_zip(path: Path, raw: bytes, method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("archive/data.pkl", raw)
        archive.writestr("archive/version", "3")
    return path


def test_a_zip_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "bomb.pth", bytes(70 << 20), zipfile.ZIP_DEFLATED)
    with pytest.raises(BadInput, match="expands from"):
        pickles.load_path(path)


def test_a_torch_file_that_calls_code_is_refused(tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "bad.pth", pickle.dumps(Calls(os.system, "true"), 2))
    with pytest.raises(BadInput, match=r"posix\.system"):
        pickles.load_path(path)


@pytest.mark.parametrize("legacy", [False, True])
def test_what_torch_itself_writes_is_read_without_torch(tmp_path: Path, legacy: bool) -> None:
    torch = pytest.importorskip("torch")
    path = tmp_path / "made.pth"
    torch.save({"a": [1.5, 2], "b": OrderedDict(x="y")}, path, _use_new_zipfile_serialization=not legacy)
    assert pickles.load_path(path) == {"a": [1.5, 2], "b": {"x": "y"}}


def test_a_tensor_becomes_an_array(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6, dtype=torch.float32).reshape(2, 3).T
    torch.save({"t": tensor}, tmp_path / "made.pth")
    found = pickles.load_path(tmp_path / "made.pth")
    np.testing.assert_array_equal(found["t"], tensor.numpy())


def test_a_truncated_zip_is_a_sentence(tmp_path: Path) -> None:
    path = torch_zip(tmp_path / "cut.pth", pickle.dumps(list(range(1000)), 2))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(BadInput, match="cut off"):
        pickles.load_path(path)


def test_a_stream_behind_a_pickle_is_left_alone() -> None:
    stream = io.BytesIO(pickle.dumps(1) + pickle.dumps(2))
    assert [pickles.load(stream, "two", 10), pickles.load(stream, "two", 10)] == [1, 2]
