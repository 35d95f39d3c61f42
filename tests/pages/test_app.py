"""The entry around the pages: who may come in, the SQL route, the error boundary, an unusable folder."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

import app
from pages.parts import errors
from tests.pages.conftest import MAIN, read, write_run


def request(body: bytes, *, client: str = "127.0.0.1", **headers: str) -> Request:
    """A request as the server would hand it over."""
    named = {k.replace("_", "-"): v for k, v in headers.items()}
    given = {"host": "127.0.0.1:8501", "content-type": "application/json", **named}
    raw = [(k.encode(), v.encode()) for k, v in given.items()]
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/api/sql", "headers": raw}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({**scope, "client": (client, 5)}, receive)


def ask(sql: str, **more: str) -> tuple[int, dict[str, Any]]:
    answer = asyncio.run(app.sql(request(json.dumps({"sql": sql}).encode(), **more)))
    return answer.status_code, json.loads(bytes(answer.body))


def test_a_select_is_answered_with_columns_and_rows(home: Path) -> None:
    write_run(home)
    assert ask("select count(*) as n, max(failed) as f from runs") == (
        200,
        {"columns": ["n", "f"], "rows": [[1, 1]]},
    )


@pytest.mark.parametrize("sql", ["drop table runs", "select 1; select 2", "copy runs to 'x.csv'", "nonsense"])
def test_anything_but_one_select_is_refused_in_a_sentence(home: Path, sql: str) -> None:
    status, said = ask(sql)
    assert status == 400
    assert said["error"].startswith("sql: ")


@pytest.mark.parametrize(
    "more",
    [
        {"client": "10.0.0.7"},
        {"host": "evil.example"},
        {"x_forwarded_for": "10.0.0.7"},
        {"host": "127.0.0.1.evil.example"},
    ],
)
def test_queries_from_elsewhere_are_refused(home: Path, more: dict[str, str]) -> None:
    assert ask("select 1", **more)[0] == 403


def test_a_form_post_from_another_page_is_no_query(home: Path) -> None:
    assert ask("select 1", content_type="text/plain")[0] == 415


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost:8501", "[::1]:8501", "::1", "127.8.0.1"])
def test_loopback_names_are_known(name: str) -> None:
    assert app.is_loopback(name)


@pytest.mark.parametrize("address", ["0.0.0.0", None, "", "10.0.0.7", "localhost.evil.example"])  # noqa: S104
def test_an_address_for_others_needs_a_login_or_an_opt_in(
    address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NASCOPE_OPEN", raising=False)
    assert "NASCOPE_OPEN=1" in app.check_address(address)
    monkeypatch.setenv("NASCOPE_OPEN", "1")
    assert app.check_address(address) == ""


def test_a_broken_page_shows_an_id_and_the_log_has_the_trace(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def script() -> None:
        from pages.parts import errors

        errors.boxed(RuntimeError("secret in /home/somebody/key"))

    with caplog.at_level(logging.ERROR, logger=errors.LOG.name):
        at = AppTest.from_function(script).run()
    shown = read(at.error[0].value)
    assert "This page broke." in shown
    assert "secret" not in shown
    assert "somebody" not in shown
    record = next(r for r in caplog.records if r.name == errors.LOG.name)
    assert record.getMessage().split()[0] in shown
    assert record.exc_info


def test_a_refusal_that_nobody_met_shows_its_own_sentence(home: Path) -> None:
    def script() -> None:
        from nascore.errors import BadInput
        from pages.parts import errors

        errors.boxed(BadInput("seed: -1 is below 0"))

    assert read(AppTest.from_function(script).run().error[0].value) == "seed: -1 is below 0"


def test_a_folder_that_cannot_be_used_is_one_box_on_every_page(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "file").write_text("not a folder")
    monkeypatch.setenv("NASCOPE_HOME", str(home / "file"))
    at = AppTest.from_file(MAIN, default_timeout=30).run()
    assert not at.exception
    assert len(at.warning) == 1
    assert at.title
