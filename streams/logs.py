"""Logging: JSON lines on standard error, with nothing personal in them.

An exception's message can hold a value of the record that caused it. Messages of our own errors never do and are
logged; of all others only the class and the places in the code are.
"""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import traceback
from typing import TextIO, cast

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


class Lines(io.TextIOBase):
    """A descriptor that takes whole lines, and for which a full disk is no reason to end the process.

    Who writes a log is often who tells of the disk: a store whose retry is logged must come to its retry. Nothing is
    buffered, so that a line is written at once, once or not at all. Lines that could not be written are counted; the
    next that can be comes after one that says how many are missing. ``write`` takes any number of whole lines.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = io.FileIO(descriptor, "wb", closefd=False)
        self._lock = threading.Lock()
        self._lost = 0
        self._torn = False

    def write(self, text: str, /) -> int:
        with self._lock:
            if self._lost and self._put(_missing(self._lost)):
                self._lost = 0
            if not self._put(text):
                self._lost += text.count("\n")
        return len(text)

    def _put(self, text: str) -> bool:
        """Return whether all of it is written. What a line without room left behind is ended first."""
        rest = memoryview((b"\n" if self._torn else b"") + text.encode("utf-8", "backslashreplace"))
        while rest:
            try:
                written = self._file.write(rest)
            except OSError:
                return False
            if not written:
                return False  # a pipe that must not be waited for is full
            rest = rest[written:]
            self._torn = bool(rest)
        return True


def _missing(lost: int) -> str:
    return json.dumps({"level": "warning", "event": "log lines could not be written", "lost": lost}) + "\n"


def configure(level: str) -> None:
    """Send every log record of the process to standard error. ``level`` is debug, info, warning or error."""
    number = logging.getLevelNamesMapping()[level.upper()]
    lines = Lines(sys.stderr.fileno())
    handler = logging.StreamHandler(lines)
    handler.setFormatter(_Formatter())
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, lines)),
    )
