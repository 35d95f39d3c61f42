"""The README's promises that a test can keep."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def test_there_are_exactly_two_commands_one_for_the_app_and_one_for_the_tests() -> None:
    assert len(COMMANDS) == 2
    assert COMMANDS[0].endswith("streamlit run app.py")
    assert " -m pytest" in COMMANDS[1]


def test_every_requirements_file_and_picture_that_it_names_exists() -> None:
    named = re.findall(r"-r (\S+\.txt)|!\[[^\]]*\]\(([^)]+)\)|\]\((?!http|#)([^)]+)\)", README)
    files = [ROOT / name for group in named for name in group if name]
    assert files
    assert [f for f in files if not f.exists()] == []


def test_the_checks_run_the_test_command_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "README.md" in script
    assert '"$test_command"' in script


def test_every_direct_requirement_is_pinned_to_one_version() -> None:
    for file in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        lines = [line.split("#")[0].strip() for line in (ROOT / file).read_text().splitlines()]
        loose = [x for x in lines if x and not x.startswith(("-r ", "-c ")) and "==" not in x]
        assert loose == [], file
