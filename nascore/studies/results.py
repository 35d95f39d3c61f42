"""What is known of each paper: the shipped result, and the user's own rerun, which never replaces it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nascore.benchmarks import table
from nascore.studies.claim import Document, overall
from nascore.studies.paper import Paper, papers


def shipped_file(key: str) -> Path:
    """Where the result lies that comes with the program."""
    return table.PROJECT / "data" / "studies" / f"{key}.json"


def rerun_folder(key: str) -> Path:
    """Where a user's own run of a study lies, with all that it keeps."""
    return table.default_home() / "reruns" / key


def shipped(key: str) -> Document | None:
    """The result that comes with the program."""
    return _read(shipped_file(key))


def rerun(key: str) -> Document | None:
    """The result of the user's own latest run."""
    return _read(rerun_folder(key) / "result.json")


def checked(key: str) -> list[Document]:
    """What was computed from numbers that others published, beside a study.

    Each has `what` in words and `rows` with text, measured, interval, n and, where there is one, printed: the
    figure that others print. The published numbers are not shipped; `scripts/check_*.py` made these of them.
    """
    found: list[Document] = []
    for file in sorted((table.PROJECT / "data" / "checks").glob("*.json")):
        try:
            known: Any = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(known, dict) and known.get("study") == key and isinstance(known.get("rows"), list):
            found.append(known)
    return found


def _read(file: Path) -> Document | None:
    try:
        found: Any = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("claims"), list)
    return found if whole else None


def listed() -> list[Document]:
    """One row a paper: name, paper, home, claims, verdicts; those not built or not tried say so."""
    from nascore.studies import STUDIES

    return [_row(p, STUDIES.get(p.key)) for p in papers().values()]


def _row(p: Paper, study: Any) -> Document:
    known = shipped(p.key) if study else None
    said = {c["key"]: c["verdict"] for c in known["claims"]} if known else {}
    claims = study.claims if study else ()
    return {
        "name": p.key,
        "paper": p.title,
        "year": p.year,
        "home": p.path,
        "built": p.built,
        "state": state(p, tried=known is not None),
        "claims": [c.text for c in claims],
        "verdicts": [said.get(c.key, "not tried") for c in claims],
        "verdict": overall(known["claims"]) if known else "not tried",
    }


def state(p: Paper, *, tried: bool) -> str:
    """In words how far a paper is here."""
    if tried:
        return "tried"
    return "built, not tried yet" if p.built else "not built yet"
