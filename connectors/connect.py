"""Kafka Connect's REST interface: makes connectors what they should be, tells how they are, restarts what
failed."""

from __future__ import annotations

import enum
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from connectors import tls
from connectors.errors import TerminalError, TransientError
from connectors.patterns import literally

REQUEST_SECONDS: Final = 30.0

BUSY_SECONDS: Final = 60.0
"""Connect refuses changes while its workers rebalance."""

SOURCE_AWAY: Final = "the source's database does not answer; is it running and reachable from Connect?"
"""The reason that blames the source and not the connector."""

REASONS: Final = (
    (
        r"replication slot .* is active",
        "its replication slot is in use by another connector or hub; stop that one",
    ),
    (
        r"password authentication failed",
        "the source refuses the password; set it for the role and in Connect's secret",
    ),
    (
        r"publication .* does not exist|Publication autocreation is disabled",
        "the publication is missing; run the output of 'renkou connect sql' in the source",
    ),
    (r"permission denied", "the role lacks a right; run the output of 'renkou connect sql' in the source"),
    (r"wal_level", "the source needs wal_level = logical; set it and restart the database server"),
    (
        r"can no longer get changes from replication slot|WAL segment .* has already been removed",
        "its slot lost changes, being off for longer than max_slot_wal_keep_size allows; take a new snapshot",
    ),
    (r"all replication slots are in use", "the source has no free slot; raise max_replication_slots"),
    (
        r"UNKNOWN_TOPIC_OR_PARTITION|not present in metadata",
        "a topic is missing; 'renkou connect apply' creates them",
    ),
    (r"RecordTooLargeException", "a row is larger than the broker's message.max.bytes; raise it"),
    (
        r"Failed to find any class|ClassNotFoundException",
        "Connect lacks Debezium's connector for this kind of source; put it on its plugin.path and restart it",
    ),
    (
        r"statement couldn't be parsed",
        "the connector does not know a type of a table of this database; Connect's log has the statement",
    ),
    (
        r"ROW binlog_format|binlog_row_image|binlog_format",
        "the source needs log_bin, binlog_format = ROW and binlog_row_image = FULL; set them and restart it",
    ),
    (
        r"Could not find first log file|no longer available on the server|binlog.*purged",
        "its place in the log is gone, being off for longer than binlog_expire_logs_seconds; take a new snapshot",
    ),
    (
        r"history topic .*missing|schema history .*(missing|not found)",
        "its schema history is gone; 'renkou connect apply' creates the topic, then take a new snapshot",
    ),
    (r"Too many connections", "the source has no free connection; raise max_connections"),
    (
        r"Access denied|command denied",
        "the source refuses the account; run the output of 'renkou connect sql' and set its password",
    ),
    (r"RestClientException|schema registry", "the schema registry does not answer; is its address right?"),
    (
        r"Connection to .* refused|connection attempt failed|Connection refused|UnknownHostException",
        SOURCE_AWAY,
    ),
)
"""What is in a stack trace, and what it means. The rest of a trace is not shown: it may quote a row."""


@dataclass(frozen=True, slots=True)
class Connector:
    """One connector with its whole configuration."""

    name: str
    config: Mapping[str, str]


class Outcome(enum.Enum):
    """What ``apply`` did with a connector."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Applied:
    """One connector after ``apply``. ``settings`` names those that differed; never their values."""

    name: str
    outcome: Outcome
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnectorStatus:
    """A connector as Connect sees it.

    States are Connect's: RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, RESTARTING. ``tasks`` holds each
    task's state; ``reason`` why one failed and what can be done, "" when none did.
    """

    name: str
    state: str
    tasks: tuple[str, ...]
    reason: str = ""

    @property
    def running(self) -> bool:
        """Whether it and every task of it runs."""
        return self.state == "RUNNING" and bool(self.tasks) and all(task == "RUNNING" for task in self.tasks)

    @property
    def failed(self) -> bool:
        """Whether it or a task of it waits for somebody to restart it."""
        return "FAILED" in (self.state, *self.tasks)


class _Part(msgspec.Struct):
    state: str
    trace: str = ""


class _State(msgspec.Struct):
    connector: _Part
    tasks: list[_Part]


class _Expanded(msgspec.Struct):
    status: _State


class _Refusal(msgspec.Struct):
    message: str = ""


def apply(connect: str, connectors: Iterable[Connector]) -> tuple[Applied, ...]:
    """Make the connectors what they should be; a connector that already is stays untouched.

    ``connect`` is the address of the REST interface. Raises TransientError when Connect does not answer,
    TerminalError when it refuses a configuration. Blocks.
    """
    with _client(connect) as client:
        return tuple(_apply(client, connector) for connector in connectors)


def _apply(client: httpx.Client, connector: Connector) -> Applied:
    path = f"/connectors/{connector.name}/config"
    response = _request(client, "GET", path)
    wanted = {"name": connector.name, **connector.config}
    present: dict[str, str] = {}
    if response.status_code != httpx.codes.NOT_FOUND:
        present = msgspec.json.decode(_checked(response, connector.name), type=dict[str, str])
        if present == wanted:
            return Applied(connector.name, Outcome.UNCHANGED)
    _checked(_request(client, "PUT", path, wanted), connector.name)
    if not present:
        return Applied(connector.name, Outcome.CREATED)
    names = sorted(wanted.keys() | present.keys())
    differing = tuple(name for name in names if wanted.get(name) != present.get(name))
    return Applied(connector.name, Outcome.CHANGED, differing)


def status(connect: str, prefix: str = "renkou-") -> tuple[ConnectorStatus, ...]:
    """Return renkou's connectors by name, whatever else the Connect cluster runs. Raises TransientError."""
    with _client(connect) as client:
        answer = _checked(_request(client, "GET", "/connectors?expand=status"), "status")
    found = []
    for name, one in sorted(msgspec.json.decode(answer, type=dict[str, _Expanded]).items()):
        if name.startswith(prefix):
            parts = (one.status.connector, *one.status.tasks)
            trace = next((part.trace for part in parts if part.state == "FAILED"), "")
            tasks = tuple(task.state for task in one.status.tasks)
            found.append(ConnectorStatus(name, one.status.connector.state, tasks, _reason(trace)))
    return tuple(found)


def captures(connect: str, name: str, schema: str, table: str) -> bool:
    """Return whether the connector of this name is there and captures the table. Raises TransientError."""
    with _client(connect) as client:
        response = _request(client, "GET", f"/connectors/{name}/config")
    if response.status_code == httpx.codes.NOT_FOUND:
        return False
    config = msgspec.json.decode(_checked(response, name), type=dict[str, str])
    # The patterns are `connectors.patterns.literally`'s: a comma within a name is escaped, one between two is not.
    return literally(schema, table) in re.split(r"(?<!\\),", config.get("table.include.list", ""))


def restart_failed(connect: str) -> tuple[str, ...]:
    """Restart the connectors and tasks that failed; return the connectors' names. Raises TransientError."""
    failed = tuple(one.name for one in status(connect) if one.failed)
    with _client(connect) as client:
        for name in failed:
            # A connector that is gone or busy by now is seen again at the next look.
            _request(client, "POST", f"/connectors/{name}/restart?includeTasks=true&onlyFailed=true")
    return failed


def wait_running(connect: str, names: Iterable[str], seconds: float = 60.0) -> None:
    """Block until the connectors and their tasks run. Raises TransientError, with the reason, when they do
    not."""
    wanted = sorted(set(names))
    deadline = time.monotonic() + seconds
    while True:
        states = {one.name: one for one in status(connect)}
        waiting = [states.get(name, ConnectorStatus(name, "unknown", ())) for name in wanted]
        first = next((one for one in waiting if not one.running), None)
        if first is None:
            return
        if time.monotonic() > deadline:
            reason = first.reason or f"its state is {first.state}"
            raise TransientError(
                f"connector {first.name} does not run: {reason}; see 'renkou connect status'"
            )
        time.sleep(0.2)


def _reason(trace: str) -> str:
    if not trace:
        return ""
    for pattern, meaning in REASONS:
        if re.search(pattern, trace, re.IGNORECASE):
            return meaning
    classes = re.findall(r"^(?:Caused by: )?([\w.$]+(?:Exception|Error))", trace, re.MULTILINE)
    chain = " from ".join(dict.fromkeys(name.rpartition(".")[2] for name in classes))
    return f"{chain or 'unknown'}; see Connect's log"


def _client(connect: str) -> httpx.Client:
    return httpx.Client(base_url=connect.rstrip("/"), timeout=REQUEST_SECONDS, verify=tls.trusted())


def _request(
    client: httpx.Client, method: str, path: str, body: Mapping[str, str] | None = None
) -> httpx.Response:
    deadline = time.monotonic() + BUSY_SECONDS
    content = msgspec.json.encode(body) if body is not None else None
    while True:
        try:
            response = client.request(
                method, path, content=content, headers={"Content-Type": "application/json"}
            )
        except httpx.TransportError as error:
            raise TransientError(
                f"Kafka Connect at {client.base_url}: {type(error).__name__}; "
                f"is it running, is its address right?"
            ) from error
        if not _rebalancing(response) or time.monotonic() > deadline:
            return response
        time.sleep(0.5)


def _rebalancing(response: httpx.Response) -> bool:
    """Whether Connect asks to come back when its workers have shared out the work anew.

    It mostly says so with 409; what reads a connector's configuration in that moment gets 500 and
    "Request cannot be completed because a rebalance is expected" (Kafka Connect 4, seen).
    """
    if response.status_code == httpx.codes.CONFLICT:
        return True
    return (
        response.status_code == httpx.codes.INTERNAL_SERVER_ERROR
        and b"rebalance is expected" in response.content
    )


def _checked(response: httpx.Response, name: str) -> bytes:
    """Return the body of an answer that is not an error."""
    if response.is_success:
        return response.content
    try:
        message = msgspec.json.decode(response.content, type=_Refusal).message
    except msgspec.DecodeError:
        message = ""
    reason = _reason(message) or "no reason given"
    missing_plugin = "Failed to find any class" in message  # Connect calls that an error of its own, 500
    if response.status_code == httpx.codes.CONFLICT or (response.is_server_error and not missing_plugin):
        raise TransientError(f"Kafka Connect, {name}: HTTP {response.status_code}, {reason}; try again")
    raise TerminalError(f"Kafka Connect refuses {name}: HTTP {response.status_code}, {reason}")
