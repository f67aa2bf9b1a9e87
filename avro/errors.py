"""The errors of this package; whoever catches one decides by its class whether a retry can help."""

from __future__ import annotations


class AvroError(Exception):
    """Base of this package's errors. The message ends with what the operator can do."""


class SchemaError(AvroError):
    """A schema is missing, malformed or does not fit the others: terminal until the file is mended."""


class IncompatibleSchemaError(SchemaError):
    """A schema was edited so that what its earlier versions wrote can no longer be read."""


class RegistryUnavailableError(AvroError):
    """The schema registry does not answer: transient."""


class DecodeError(AvroError):
    """The bytes of one event cannot be read: that event becomes a dead letter.

    ``rule`` is the stable code under which the dead letter is filed. The message never holds a value of the event.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule
