"""What both ends of ClickHouse's HTTP interface agree on: how an error is told, and how long a query may take.

It loads neither the engine nor a web framework, so that a client can have it.
"""

from __future__ import annotations

import re
from typing import Final

QUERY_SECONDS: Final = 120
"""What a query may take, so that a few runaways do not hold every handle for ever."""

EXCEPTION_TAG: Final = "X-ClickHouse-Exception-Tag"
"""Header with the word that marks an error behind the beginning of a result, as in ClickHouse 25.11 and
later."""

_CODE: Final = re.compile(r"\bCode:\s*(\d+)")


class QueryError(Exception):
    """The engine refuses a query. The message is ClickHouse's own, for whoever asked: it can quote values."""

    def __init__(self, message: str) -> None:
        super().__init__(message[message.find("Code:") :] if "Code:" in message else message)
        found = _CODE.search(message)
        self.code = int(found.group(1)) if found else 1001  # STD_EXCEPTION


def marker(tag: str) -> bytes:
    """Return what stands between the beginning of a result and the error that ended it."""
    return b"\r\n__exception__\r\n" + tag.encode()
