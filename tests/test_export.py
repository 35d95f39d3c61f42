"""Exported source gives our outputs, needs torch alone, and is refused where it would not."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812 -- as everybody calls it
from torch import Tensor, nn

from nascore import export
from nascore.__main__ import main
from nascore.codec import arch_from_json, loads
from nascore.errors import BadInput, NotSupported
from nascore.graph import Graph
from nascore.space import Arch, Choice, Space, sample, tuples
from nascore.spaces.cell import Cell
from nascore.spaces.nasbench201 import Nasbench201
from nascore.spaces.nats_size import NatsSize
from nascore.task import Shape
from nascore.verbs.export import write

SMALL = Shape((("image", (1, 8, 8)),), (("class", 10),))
TINY = Nasbench201(cells=2, channels=4)
WHICH = (3, 1, 4, 0, 2, 3)


@dataclass(frozen=True)
class One(Space):
    """A space of one network, made by a class of this file."""

    net: str = ""
    words: str = "one"

    def choices(self) -> tuple[Choice, ...]:
        return (Choice("only", (0,)),)

    def build(self, arch: Arch, shape: Shape) -> nn.Module:
        return NETS[self.net]()

    def graph(self, arch: Arch, shape: Shape) -> Graph:
        return Graph((), ())

    def text(self, arch: Arch) -> str:
        return self.words


class Residual(nn.Module):
    """Adds its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return x + y if x.shape == y.shape else y


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList([Residual(1, 4), Residual(4, 4), Residual(4, 4)])
        self.out = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        for step in self.steps:
            x = step(x)
        return self.out(x.flatten(2).mean(-1))


class Random(nn.Module):
    """Dropout, and a path that is dropped for whole examples, while it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 16), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(F.relu(self.first(x.flatten(1))), 0.5, self.training)
        if self.training:
            x = x * (torch.rand(x.shape[0], 1) > 0.3)
        return self.second(x)


class Attention(nn.Module):
    """Parameters and buffers of its own, and shapes in its calls."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.register_buffer("shift", torch.arange(8.0), persistent=False)
        self.norm = nn.LayerNorm(8)
        self.many = nn.MultiheadAttention(8, 2, batch_first=True)
        self.out = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        x = x.reshape(n, height, width) - self.shift
        x = torch.cat([self.token.expand(n, -1, -1), x], 1)
        y, _ = self.many(self.norm(x), x, x, need_weights=False)
        return self.out((x + y)[:, 0] / 2**0.5)


class Idle(nn.Module):
    """Holds weights that it never uses."""

    def __init__(self) -> None:
        super().__init__()
        self.aside, self.main = nn.Linear(3, 3), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.main(x.flatten(1))


class Counted(nn.Module):
    """Leaves torch for numpy, which no source of ours can follow."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(np.asarray(x.flatten(1)[:, :10]))


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(64, 64)
        self.second = self.first
        self.out = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.second(self.first(x.flatten(1))))


class Pair(nn.Module):
    """Takes several tensors in a list and gives several back."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(64, 64), nn.Linear(64, 64)

    def forward(self, given: list[Tensor]) -> tuple[Tensor, Tensor]:
        return self.left(given[0]), self.right(given[-1]).relu()


class Pairs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = Pair(), Pair(), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        given = self.first([x.flatten(1)])
        a, b = self.second([*given])
        c, d = self.second(given)
        return self.out(a - (b - c) * -d)


NETS: dict[str, type[nn.Module]] = {
    c.__name__: c for c in (Branches, Random, Attention, Idle, Pairs, Counted, Twice)
}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    with export.one_thread():
        yield


def run_alone(file: Path, *args: str) -> str:
    """What a file prints in a process that knows neither this project nor its folder."""
    done = subprocess.run(
        [sys.executable, "-I", str(file), *args], cwd=file.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def loaded(text: str) -> dict[str, Any]:
    home: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported", "exec"), home)  # noqa: S102
    return home


def apart(space: Space, arch: Arch, text: str, *, training: bool) -> float:
    """The largest difference between outputs, seen from outside the exporter."""
    home = loaded(text)
    ours, theirs = space.build(arch, SMALL).train(training), home["Network"]().train(training)
    theirs.load_state_dict(home["rename"](ours.state_dict()))
    x = torch.randn(5, 1, 8, 8)
    torch.manual_seed(0)
    a = ours(x)
    torch.manual_seed(0)
    return float((a - theirs(x)).abs().max().detach())


@pytest.mark.parametrize("space", [TINY, Cell(), NatsSize()], ids=lambda s: type(s).__name__)
def test_source_of_each_space_gives_our_outputs(space: Space) -> None:
    arch = tuples(sample(space, 1, np.random.default_rng(1)))[0]
    text = export.torch_source(space, arch, SMALL).text
    assert apart(space, arch, text, training=True) <= 1e-6
    assert apart(space, arch, text, training=False) <= 1e-6


@pytest.mark.parametrize("name", ["Branches", "Random", "Attention", "Idle", "Pairs"])
def test_source_of_awkward_networks_gives_our_outputs(name: str) -> None:
    space = One(name)
    text = export.torch_source(space, (0,), SMALL).text
    assert apart(space, (0,), text, training=True) <= 1e-6
    assert apart(space, (0,), text, training=False) <= 1e-6


def test_the_file_runs_where_only_torch_is(tmp_path: Path) -> None:
    made = export.torch_source(TINY, WHICH, SMALL)
    file, weights = tmp_path / "net.py", tmp_path / "weights.pt"
    file.write_text(made.text)
    torch.save(TINY.build(WHICH, SMALL).state_dict(), weights)
    assert run_alone(file, str(weights)) == f"output (1, 10)\nparameters {made.params}\n"


def test_the_file_imports_nothing_but_torch() -> None:
    text = export.torch_source(TINY, WHICH, SMALL).text
    nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Import | ast.ImportFrom)]
    asked = {n.module if isinstance(n, ast.ImportFrom) else n.names[0].name for n in nodes}
    assert asked == {"sys", "torch"}


def test_equal_structures_are_one_class_whose_arguments_differ() -> None:
    text = export.torch_source(TINY, WHICH, SMALL).text
    assert text.count("class Cell(") == text.count("class ReluConvBn(") == 1
    assert "padding=kernel // 2" in text
    assert "Reduction(4, 8)" in text
    assert len(text.splitlines()) < 150


def test_a_forward_reads_as_a_person_would_write_it() -> None:
    text = export.torch_source(TINY, WHICH, SMALL).text
    assert "return self.shortcut(self.pool(x)) + self.second(self.first(x))" in text
    assert "return self.head(self.blocks(self.stem(x)))" in text


@pytest.mark.parametrize("words", ['"""\nimport os\n"""', "a\\", "\x00\u202e'''", "x" * 9000])
def test_hostile_texts_stay_in_the_docstring(words: str) -> None:
    tree = ast.parse(export.torch_source(One("Idle", words), (0,), SMALL, name=words).text)
    assert next(n for n in tree.body if isinstance(n, ast.Import)).names[0].name == "sys"
    assert {type(n) for n in tree.body[1:4]} == {ast.Import, ast.ImportFrom}


@pytest.mark.parametrize(("name", "why"), [("Counted", "Counted"), ("Twice", "two places")])
def test_what_cannot_be_written_is_refused_in_a_sentence(name: str, why: str) -> None:
    with pytest.raises(NotSupported, match=why):
        export.torch_source(One(name), (0,), SMALL)


def test_source_with_other_outputs_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from nascore import source

    whole = source.source_of

    def wrong(*traces: Any) -> Any:
        classes, top, unused = whole(*traces)
        return (
            [
                c.replace("bias=False", "bias=False, dilation=1").replace(".relu()", ".sigmoid()")
                for c in classes
            ],
            top,
            unused,
        )

    monkeypatch.setattr(source, "source_of", wrong)
    with pytest.raises(NotSupported, match="other outputs"):
        export.torch_source(TINY, WHICH, SMALL)


@pytest.mark.slow
def test_onnx_gives_our_outputs_for_any_number_of_examples_and_names_no_module(tmp_path: Path) -> None:
    import onnx
    from onnx.reference import ReferenceEvaluator

    raw, worst = export.onnx_model(Nasbench201(cells=1, channels=2), WHICH, SMALL)
    assert worst <= 1e-4
    assert b"nascore" not in raw
    assert b".py" not in raw
    outs = ReferenceEvaluator(onnx.load_from_string(raw)).run(
        None, {"image": np.zeros((4, 1, 8, 8), np.float32)}
    )
    assert np.asarray(outs[0]).shape == (4, 10)


@pytest.fixture
def file_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    space = tmp_path / "space.json"
    space.write_text('{"name": "nasbench201", "knobs": {"cells": 1, "channels": 2, "stages": 1}}')

    def made(form: str) -> tuple[Path, dict[str, Any]]:
        out = tmp_path / f"out.{form}"
        text = Nasbench201().text(WHICH)
        assert main(["arch", str(space), text, "--json", "--export", form, str(out)]) == 0
        return out, json.loads(capsys.readouterr().out)

    return made


def test_the_command_line_writes_source_that_runs(file_of: Any) -> None:
    file, said = file_of("torch")
    assert run_alone(file).startswith("output (1, 10)\n")
    assert said["exported"] == str(file)
    assert said["export"]["difference"] <= 1e-6


def test_the_command_line_writes_json_that_is_read_back(file_of: Any) -> None:
    assert arch_from_json(loads(file_of("json")[0].read_bytes()))[1] == WHICH


def test_the_command_line_draws(file_of: Any) -> None:
    assert file_of("svg")[0].read_text().startswith("<svg")
    assert file_of("png")[0].read_bytes().startswith(b"\x89PNG")


def test_an_unknown_format_and_a_folder_that_is_not_there_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = Nasbench201().text(WHICH)
    assert main(["arch", "nasbench201", text, "--export", "exe", "x"]) == 2
    assert "there are torch, onnx, json, svg, png" in capsys.readouterr().err
    with pytest.raises(BadInput, match="cannot be written"):
        write(str(tmp_path / "no" / "x.json"), b"")


def test_a_file_that_was_there_stays_whole_where_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(BadInput):
        write(str(tmp_path / "x"), b"new")
    assert [f.name for f in tmp_path.iterdir()] == ["x"]
