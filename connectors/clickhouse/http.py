"""ClickHouse's HTTP interface in front of the embedded engine, for reading.

What clickhouse-connect, curl and dashboards need of it: ``GET`` and ``POST /`` with ``query`` in the address
or the body, ``database``, ``default_format``, ``param_<name>`` and settings; any format; the result as it
comes; ``/ping``. It takes no password: it belongs on the loopback interface. It does not write.
"""

from __future__ import annotations

import asyncio
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse, StreamingResponse

from connectors.clickhouse.guard import READONLY, RefusedError
from connectors.clickhouse.readers import TOO_MANY_QUERIES, Readers, Result
from connectors.clickhouse.tables import DATABASE
from connectors.clickhouse.wire import EXCEPTION_TAG, QueryError, marker

KNOWN_DATABASES: Final = ("", "default", DATABASE)
"""Names that mean the store's database; ``system`` is reached by its qualified name."""

TRANSPORT: Final = frozenset(
    {
        "query",
        "database",
        "default_format",
        "buffer_size",
        "session_id",
        "session_timeout",
        "session_check",
        "query_id",
        "quota_key",
        "compress",
        "decompress",
        "wait_end_of_query",
        "client_protocol_version",
        "role",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "enable_http_compression",
        "user",
        "password",
        "readonly",
    }
)
"""Parameters that are about the transport, or that this interface decides itself; the others are settings."""

MAX_BODY_BYTES: Final = 1 << 20
"""Size of a query's text; rows are never taken."""

_STATUS: Final = {
    62: 400,
    36: 400,
    456: 400,
    457: 400,
    60: 404,
    81: 404,
    READONLY: 403,
    TOO_MANY_QUERIES: 503,
}
"""HTTP status by ClickHouse's code; 500 for the others, as ClickHouse has it."""

_UNKNOWN_DATABASE: Final = 81
_TOO_LARGE: Final = 223


def router(readers: Readers) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/ping")
    def ping() -> PlainTextResponse:
        return PlainTextResponse("Ok.\n")

    @routes.api_route("/", methods=["GET", "POST"])
    async def query(request: Request) -> Response:
        try:
            result = await _run(readers, request)
        except (RefusedError, QueryError) as error:
            return PlainTextResponse(
                f"{error}\n",
                status_code=_STATUS.get(error.code, 500),
                headers={"X-ClickHouse-Exception-Code": str(error.code)},
            )
        tag = secrets.token_hex(8)
        headers = {
            EXCEPTION_TAG: tag,
            "X-ClickHouse-Format": result.format,
            "X-ClickHouse-Timezone": "UTC",
            "X-ClickHouse-Query-Id": request.query_params.get("query_id") or str(uuid.uuid4()),
            "X-ClickHouse-Server-Display-Name": "renkou",
        }
        return StreamingResponse(_blocks(result, tag), media_type=_media_type(result.format), headers=headers)

    return routes


async def _run(readers: Readers, request: Request) -> Result:
    arguments = request.query_params
    if arguments.get("database", "") not in KNOWN_DATABASES:
        raise RefusedError(f"there is one database, {DATABASE}", _UNKNOWN_DATABASE)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise RefusedError("the body is too large for a query, and rows are not taken here", _TOO_LARGE)
    text = "\n".join(filter(None, [arguments.get("query", ""), body.decode("utf-8", "replace")]))
    parameters = {
        name.removeprefix("param_"): value for name, value in arguments.items() if name.startswith("param_")
    }
    settings = {
        name: value
        for name, value in arguments.items()
        if name not in TRANSPORT and not name.startswith("param_")
    }
    return await asyncio.to_thread(
        readers.query,
        text,
        default_format=arguments.get("default_format") or "TabSeparated",
        parameters=parameters,
        settings=settings,
    )


async def _blocks(result: Result, tag: str) -> AsyncIterator[bytes]:
    iterator: Iterator[bytes] = iter(result)
    try:
        while (block := await asyncio.to_thread(next, iterator, None)) is not None:
            yield block
    except QueryError as error:
        # The status is sent already: the error follows what was sent.
        message = str(error).encode()
        size = str(len(message)).encode()
        mark = tag.encode()
        yield b"".join((marker(tag), b"\r\n", message, b"\r\n", size, b" ", mark, b"\r\n__exception__\r\n"))
    finally:
        await asyncio.shield(asyncio.to_thread(result.close))


def _media_type(output: str) -> str:
    lowered = output.lower()
    if lowered.startswith("json"):
        return "application/x-ndjson" if "eachrow" in lowered else "application/json"
    if lowered.startswith("csv"):
        return "text/csv; charset=UTF-8"
    if lowered.startswith(("tsv", "tabseparated")):
        return "text/tab-separated-values; charset=UTF-8"
    return "text/plain; charset=UTF-8" if lowered.startswith("pretty") else "application/octet-stream"
