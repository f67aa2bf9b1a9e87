"""The errors of this package; whoever catches one decides by its class whether a retry can help."""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of this package's errors. The message ends with what the operator can do."""


class TransientError(ConnectorError):
    """The other side does not answer now: the same call may succeed later."""


class TerminalError(ConnectorError):
    """A retry changes nothing: somebody must act first."""


class FeedError(TerminalError):
    """A feed file is malformed; the message begins with ``file:line``."""


class FeedMismatchError(TerminalError):
    """A change does not fit its feed: a column is missing or of another type, or the key is another.

    ``rule`` is the stable code under which its dead letter is filed. The message holds no value of the change.
    """

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class StackError(TerminalError):
    """A part of the one-machine stack cannot start."""


class StoreError(TerminalError):
    """ClickHouse refused a statement."""


class StoreUnavailableError(TransientError):
    """ClickHouse does not answer, or has no room: nothing was acknowledged, try again."""


class DeliveryError(TerminalError):
    """A delivered file is refused whole: incomplete, contradicting its control file, malformed or hostile. Nothing of
    it was taken. The message names the file and never a value of it."""


class LetterError(TerminalError):
    """Dead letters were asked for that do not exist, or in a way that is none."""


class GatewayError(TerminalError):
    """Something that should have crossed the gateway did not, or is not what it says: somebody must look at it."""
