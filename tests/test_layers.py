"""Who may import whom, and what the app's process must never import: read from the source with ast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW: dict[str, set[str]] = {
    "core": set(),
    "engines": {"core"},
    "spaces": {"core"},
    "tasks": {"core"},
    "recipes": {"core"},
    "proxies": {"core"},
    "measures": {"core"},
    "benchmarks": {"spaces", "core"},  # a format belongs to a space
    "view": {"benchmarks", "core"},  # it draws tables
    "predictors": {"proxies", "core"},
    "evaluators": {"engines", "benchmarks", "proxies", "predictors", "measures", "core"},
    "strategies": {"engines", "evaluators", "predictors", "proxies", "measures", "core"},
}
BELOW["tables"] = set(BELOW)
BELOW["codec"] = {"tables", "core"}
BELOW["runs"] = {"codec", "core"}
BELOW["studies"] = set(BELOW)
BELOW["verbs"] = {*BELOW, "tables"}  # a part of the command line
BELOW["app"] = {"runs", "view", "tables", "codec", "studies", "benchmarks", "core"}
BELOW["app"] |= {"measures", "evaluators"}  # Ranking judges what is on the screen at once
WORKER = {"worker"}  # of runs: imports the rest once it has a slot
SKIP = {"__main__"}  # the command line stands above everything, as the pages do


def layer(module: str) -> str:
    """`nascore.spaces.cell` -> spaces; a module directly in nascore is core, but for tables and codec."""
    parts = module.split(".")
    if parts[0] in ("app", "pages"):
        return "app"
    if len(parts) < 2:
        return "core"
    return parts[1] if parts[1] in BELOW else "core"


def files() -> list[Path]:
    found = [*ROOT.glob("nascore/**/*.py"), *ROOT.glob("pages/**/*.py"), ROOT / "app.py"]
    return sorted(f for f in found if f.exists() and f.stem not in SKIP)


def imports(tree: ast.AST) -> set[str]:
    """Every module that a file imports, inside functions too; typing-only ones are left out."""
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    out: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            out |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            out |= {node.module or ""}
            if node.module == "nascore":
                out |= {f"nascore.{a.name}" for a in node.names}
    return out


def name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("file", files(), ids=name)
def test_no_arrow_points_up(file: Path) -> None:
    own = layer(name(file))
    allowed = BELOW[own] | {own}
    if own == "runs" and file.stem in WORKER:
        allowed = set(BELOW) - {"app"}
    asked = {
        m for m in imports(ast.parse(file.read_text())) if m.split(".")[0] in ("nascore", "pages", "app")
    }
    up = {m for m in asked if layer(m) not in allowed and m != "nascore"}
    assert not up, f"{name(file)} is {own} and imports {', '.join(sorted(up))}"


@pytest.mark.parametrize("file", [f for f in files() if f.parts[-2] != "pages"], ids=name)
def test_only_pages_know_streamlit_and_only_the_store_knows_duckdb(file: Path) -> None:
    asked = {m.split(".")[0] for m in imports(ast.parse(file.read_text()))}
    inside = name(file).split(".")[0] == "nascore"
    assert not (inside and "streamlit" in asked)
    assert "duckdb" not in asked or name(file) in ("nascore.runs.store", "app")


def test_the_package_itself_is_empty() -> None:
    assert (ROOT / "nascore" / "__init__.py").read_text().strip() == ""


def heavy(modules: str) -> set[str]:
    """Which heavy packages a fresh process holds after importing these."""
    code = f"import {modules}, sys; print(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split()) & {"torch", "sklearn", "pymoo", "scipy", "ray", "streamlit"}


def test_what_the_app_imports_holds_no_torch() -> None:
    assert not heavy("nascore.tables, nascore.codec") - {"streamlit"}
    assert "torch" not in heavy("nascore.tables, nascore.runs.spec, nascore.runs.store, nascore.view.figures")


def test_strategies_know_no_space_and_no_task() -> None:
    for file in ROOT.glob("nascore/strategies/*.py"):
        asked = imports(ast.parse(file.read_text()))
        assert not [m for m in asked if m.startswith(("nascore.spaces", "nascore.tasks"))], file.name


def test_the_check_itself_sees_imports_inside_functions() -> None:
    tree = ast.parse("import typing\nif TYPE_CHECKING:\n    import a\ndef f():\n    import nascore.b\n")
    assert imports(tree) == {"typing", "nascore.b"}
