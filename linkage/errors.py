"""The errors of this package; whoever catches one decides by its class whether trying again can help."""

from __future__ import annotations


class LinkageError(Exception):
    """Base of this package's errors. The message ends with what the operator can do and holds no personal
    data."""


class AuthorityError(LinkageError):
    """The authority table names an element that does not exist: terminal until the feeds' files are
    mended."""


class OffsetError(LinkageError):
    """Entries of the log came backwards: a defect of the caller, nothing was applied."""


class StateLockedError(LinkageError):
    """Another process works on the state's folder: transient, as soon as that process ends."""


class StateDamagedError(LinkageError):
    """Stored state does not check: terminal until the folder is restored or built anew."""


class StateIncompatibleError(LinkageError):
    """Stored state was written by another format, epoch or element list: terminal until it is built anew."""


class StateWriteError(LinkageError):
    """The state's disk did not take a write; nothing of it was applied: transient, the same call may be
    repeated."""


class LinkerClosedError(LinkageError):
    """The linker is not open, or cannot go on after a failure: open it anew."""


class DecisionError(LinkageError):
    """A steward's decision is not one: it is about no two mentions, or contradicts what stands. Terminal until it is
    mended, or what it contradicts is revoked."""


class IdsError(LinkageError):
    """The ids that were issued cannot be taken over: terminal until the topics, or the epoch, are mended."""


class WeightsError(LinkageError):
    """A table of weights cannot be read: terminal until it is mended."""
