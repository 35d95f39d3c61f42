"""The one entry, `streamlit run app.py`: pages, owner of the store, two small routes, the error boundary.

The app process never imports torch: searches live in worker processes of their own.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import os
import sys
from collections.abc import AsyncIterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).parent))  # pages and nascore, whatever the working directory is

from nascore.benchmarks import documents
from nascore.codec import finite, loads
from nascore.errors import AppError, BadInput
from nascore.runs import launch
from pages.parts import errors, stores

MAX_QUERY_BYTES = 65_536


def is_loopback(host: str | None) -> bool:
    """Whether an address or a Host header names this machine."""
    name = (host or "").strip().lower()
    name = name[1:].partition("]")[0] if name.startswith("[") else name
    name = name if name.count(":") > 1 else name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def has_login() -> bool:
    """Whether `st.login` is configured."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def check_address(address: str | None) -> str:
    """Why the app does not listen there, in one sentence; empty where it does."""
    if is_loopback(address) or os.environ.get("NASCOPE_OPEN") == "1" or has_login():
        return ""
    return (
        f"server.address: {address or 'every address'} lets others in without a login; use 127.0.0.1, "
        "configure st.login, or set NASCOPE_OPEN=1"
    )


def log_to_home() -> None:
    """Traces go to log/app.log in the data folder; where that cannot be written, to standard error only."""
    with contextlib.suppress(OSError):
        folder = launch.home() / "log"
        folder.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(folder / "app.log", maxBytes=2_000_000, backupCount=2, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        errors.LOG.addHandler(handler)


@contextlib.asynccontextmanager
async def life(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """Opens the store before the first page and closes it after the last."""
    log_to_home()
    store = await run_in_threadpool(stores.owner)
    yield {}
    await run_in_threadpool(store.close)


def is_near(request: Request) -> bool:
    """Whether a request comes from this machine itself, through no proxy and under no foreign name."""
    direct = request.client is not None and is_loopback(request.client.host)
    return direct and is_loopback(request.headers.get("host")) and "x-forwarded-for" not in request.headers


async def health(request: Request) -> JSONResponse:
    """Says that the app is up and, to this machine only, which data folder it owns."""
    about = {"home": str(launch.home().resolve()), "note": stores.owner().note} if is_near(request) else {}
    return JSONResponse({"app": "nascope", **about})


async def sql(request: Request) -> JSONResponse:
    """One SELECT from this machine: `{"sql": "..."}` becomes `{"columns": [...], "rows": [...]}`."""
    if not is_near(request):
        return JSONResponse({"error": "queries are answered on this machine only"}, 403)
    if "application/json" not in request.headers.get("content-type", ""):
        return JSONResponse({"error": "content-type: expected application/json"}, 415)
    try:
        return JSONResponse(await run_in_threadpool(_select, await request.body()))
    except AppError as error:
        return JSONResponse({"error": str(error)}, 400)


def _select(body: bytes) -> dict[str, Any]:
    if len(body) > MAX_QUERY_BYTES:
        raise BadInput(f"sql: {len(body):,} bytes are above {MAX_QUERY_BYTES:,}")
    asked = loads(body)
    if not isinstance(asked, dict) or not isinstance(asked.get("sql"), str):
        raise BadInput('sql: expected {"sql": "SELECT ..."}')
    frame = stores.owner().select(asked["sql"], documents.asked(asked["sql"], launch.home()))
    rows = json.loads(frame.to_json(orient="values", date_format="iso") or "[]")
    return {"columns": [str(c) for c in frame.columns], "rows": finite(rows)}


if sentence := check_address(st.get_option("server.address")):
    sys.exit(sentence)
app = st.App(
    "pages/main.py",
    lifespan=life,
    routes=[Route("/api/health", health), Route("/api/sql", sql, methods=["POST"])],
    on_script_error=errors.boxed,
)
