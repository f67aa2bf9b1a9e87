"""From ClickHouse's error codes to the two errors that a caller decides by.

ClickHouse's own messages quote values, so that only the code and its name are passed on.
"""

from __future__ import annotations

import re
from typing import Final

from clickhouse_connect.driver.exceptions import (
    ClickHouseError,
    DatabaseError,
    OperationalError,
    StreamFailureError,
)

from connectors.errors import ConnectorError, StoreError, StoreUnavailableError

_WAIT: Final = "it is tried again"
_DISK: Final = "free disk space; renkou's ballast file in the store's folder can be deleted to begin with"
_MEMORY: Final = "give the store more memory, or make batches smaller"

TRANSIENT: Final[dict[int, str]] = {
    3: _WAIT,  # UNEXPECTED_END_OF_FILE: the connection broke
    75: _DISK,  # CANNOT_WRITE_TO_FILE_DESCRIPTOR: what a full disk is called in the middle of a write
    76: "see the disk's and the folder's state",  # CANNOT_OPEN_FILE: out of file descriptors
    159: _WAIT,  # TIMEOUT_EXCEEDED
    173: _MEMORY,  # CANNOT_ALLOCATE_MEMORY
    202: _WAIT,  # TOO_MANY_SIMULTANEOUS_QUERIES
    209: _WAIT,  # SOCKET_TIMEOUT
    210: _WAIT,  # NETWORK_ERROR
    236: _WAIT,  # ABORTED: it is shutting down
    241: _MEMORY,  # MEMORY_LIMIT_EXCEEDED
    242: _WAIT,  # TABLE_IS_READ_ONLY: a replica without its keeper
    243: _DISK,  # NOT_ENOUGH_SPACE
    252: "merges are behind; write less often",  # TOO_MANY_PARTS
    279: _WAIT,  # ALL_CONNECTION_TRIES_FAILED
    285: _WAIT,  # TOO_FEW_LIVE_REPLICAS
    319: _WAIT,  # UNKNOWN_STATUS_OF_INSERT
    394: _WAIT,  # QUERY_WAS_CANCELLED
    425: _WAIT,  # SYSTEM_ERROR
    999: _WAIT,  # KEEPER_EXCEPTION
}
"""Codes after which the same statement may succeed, with what the operator can do."""


def store_error(error: ClickHouseError, who: str = "ClickHouse") -> ConnectorError:
    """Return our error for one of clickhouse-connect's."""
    code = getattr(error, "code", None)
    name = getattr(error, "name", None) or type(error).__name__
    if code in TRANSIENT:
        return StoreUnavailableError(f"{who} cannot do it now: {name} ({code}); {TRANSIENT[code]}")
    if code is None and (
        type(error) is DatabaseError or isinstance(error, (OperationalError, StreamFailureError))
    ):
        # An HTTP status without ClickHouse's code is not ClickHouse's: a proxy's, or a server that is overloaded.
        return StoreUnavailableError(
            f"{who} does not answer: {name}; is it running, is RENKOU_CLICKHOUSE right?"
        )
    return StoreError(f"{who} refuses it: {name} ({code}); see its documentation of the code, and report it")


_CODE: Final = re.compile(r"\bCode: (\d+)")
_NAME: Final = re.compile(r"\(([A-Z][A-Z0-9_]+)\)")
_STD_EXCEPTION: Final = 1001
"""ClickHouse's code for what is none of its own errors."""


def engine_error(message: str) -> ConnectorError:
    """Return our error for what the embedded engine says when it is asked without clickhouse-connect."""
    code = _CODE.search(message)
    names = _NAME.findall(message)
    return store_error(
        DatabaseError(
            code=_STD_EXCEPTION if code is None else int(code.group(1)), name=names[-1] if names else None
        )
    )
