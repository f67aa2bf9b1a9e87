"""The errors of this package; whoever catches one decides by its class whether a retry can help."""

from __future__ import annotations


class StreamError(Exception):
    """Base of this package's errors. The message ends with what the operator can do."""


class SettingError(StreamError):
    """A setting is missing or malformed: terminal until it is mended."""


class BrokerUnavailableError(StreamError):
    """The broker does not answer: transient."""


class TopicMissingError(StreamError):
    """A topic that the process reads or writes does not exist: terminal until it is created."""
