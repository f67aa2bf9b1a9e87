"""Logging: JSON lines on standard error, with nothing personal in them.

An exception's message can hold a value of the record that caused it. Messages of our own errors never do and are
logged; of all others only the class and the places in the code are.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback

import structlog

from avro.errors import AvroError
from connectors.errors import ConnectorError
from linkage.errors import LinkageError
from streams.errors import StreamError

OWN_ERRORS = (AvroError, ConnectorError, LinkageError, StreamError, OSError)


def describe(error: BaseException) -> str:
    """Return what may be logged of an error: its class, its message if it is ours, and where it came from."""
    message = f": {error}" if isinstance(error, OWN_ERRORS) else ""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames[-8:]))
    return f"{type(error).__name__}{message} [{places}]"


class _Formatter(logging.Formatter):
    """Libraries' log records: the text without its arguments, which may be values, and the error's class."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname.lower(), "logger": record.name, "event": str(record.msg)}
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = describe(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False)


def configure(level: str) -> None:
    """Send every log record of the process to standard error. ``level`` is debug, info, warning or error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
