"""Schema registries: from a schema to the id that stands in Confluent's wire format, and back.

Wire format: a zero byte, the id as four bytes big-endian, the Avro datum. Subjects follow Confluent's
TopicRecordNameStrategy, since ``renkou.records`` carries one schema a feed.
"""

from __future__ import annotations

import json
from typing import Final, Protocol

import httpx

from avro.compatibility import incompatibilities
from avro.errors import IncompatibleSchemaError, RegistryUnavailableError, SchemaError
from avro.schema import Schema, full_name

WIRE_HEADER: Final = 5
"""Bytes before the datum."""

# Log-in, right, time-out, too many: says nothing about a schema, and must not make its events dead letters.
_REFUSED_FOR_NOW: Final = frozenset((401, 403, 408, 429))


COMPATIBILITY: Final = "BACKWARD_TRANSITIVE"
"""Every version of a subject's schema reads what all earlier ones wrote: the log is kept for ever, and so are topics
that others read."""


CONFLICT: Final = 409
NOT_FOUND: Final = 404


class Registry(Protocol):
    """What the pipeline asks of a registry."""

    def register(self, subject: str, schema: Schema) -> int:
        """Return the id of ``schema`` under ``subject``, registering it when it is new.

        Raises IncompatibleSchemaError when it cannot read what an earlier version of the subject wrote.
        """
        ...

    def schema(self, schema_id: int) -> Schema:
        """Return the schema with this id. Raises SchemaError when there is none."""
        ...


def subject(topic: str, schema: Schema) -> str:
    """Return the subject of ``schema`` in ``topic``."""
    return f"{topic}-{full_name(schema)}"


def frame(schema_id: int, datum: bytes) -> bytes:
    """Return ``datum`` in Confluent's wire format."""
    return b"\0" + schema_id.to_bytes(4, "big") + datum


def schema_id_of(message: bytes) -> int | None:
    """Return the id of a framed message, None when ``message`` is not in the wire format."""
    if len(message) < WIRE_HEADER or message[0] != 0:
        return None
    return int.from_bytes(message[1:WIRE_HEADER], "big")


class LocalRegistry:
    """A registry in memory, for replay from files and for tests: ids count up from 1."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._schemas: list[Schema] = []
        self._subjects: dict[str, list[Schema]] = {}

    def register(self, subject: str, schema: Schema) -> int:
        versions = self._subjects.setdefault(subject, [])
        if schema not in versions:
            for older in versions:
                reasons = incompatibilities(schema, older)
                if reasons:
                    raise IncompatibleSchemaError(_refusal(subject, "; ".join(reasons)))
            versions.append(schema)
        text = json.dumps(schema, sort_keys=True)
        if text not in self._ids:
            self._schemas.append(schema)
            self._ids[text] = len(self._schemas)
        return self._ids[text]

    def schema(self, schema_id: int) -> Schema:
        if not 0 < schema_id <= len(self._schemas):
            raise SchemaError(f"schema {schema_id} is not registered; register the feed's schema first")
        return self._schemas[schema_id - 1]


class ConfluentRegistry:
    """A registry with Confluent's REST interface (Confluent's own, Apicurio's ``ccompat`` …). Calls block."""

    def __init__(self, url: str, timeout: float = 10.0, transport: httpx.BaseTransport | None = None) -> None:
        """``transport`` is how it is reached, by HTTP when None."""
        self._url = url.rstrip("/")
        self._client = httpx.Client(
            base_url=self._url + "/",
            timeout=timeout,
            transport=transport,
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        self._cache: dict[int, Schema] = {}

    def register(self, subject: str, schema: Schema) -> int:
        """Return the id of ``schema``, which must be compatible with all that ``subject`` had.

        The rule is set for the subject before and, where a registry knows no subject without a schema, again after
        the first one: a process that is killed between the two sets it at its next start.
        """
        is_ruled = self._rule(subject)
        try:
            answer = self._call(
                "POST", f"subjects/{subject}/versions", {"schema": json.dumps(schema, ensure_ascii=False)}
            )
        except _RefusedError as error:
            if error.status == CONFLICT:
                raise IncompatibleSchemaError(_refusal(subject, error.reason)) from error
            raise
        if not is_ruled and not self._rule(subject):
            raise SchemaError(
                f"schema registry {self._url} has no compatibility rule for {subject}; "
                f"set {COMPATIBILITY} there, or use a registry with Confluent's interface"
            )
        return int(answer["id"])

    def compatibility(self, subject: str) -> str:
        """Return the rule that the registry has for a subject."""
        return self._call("GET", f"config/{subject}")["compatibilityLevel"]

    def _rule(self, subject: str) -> bool:
        """Set the subject's compatibility; return whether the registry knows the subject."""
        try:
            self._call("PUT", f"config/{subject}", {"compatibility": COMPATIBILITY})
        except _RefusedError as error:
            if error.status == NOT_FOUND:
                return False
            # Two processes that start together set it together: Apicurio refuses the second of them.
            if error.status != CONFLICT or self.compatibility(subject) != COMPATIBILITY:
                raise
        return True

    def schema(self, schema_id: int) -> Schema:
        if schema_id not in self._cache:
            self._cache[schema_id] = json.loads(self._call("GET", f"schemas/ids/{schema_id}")["schema"])
        return self._cache[schema_id]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _call(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, str]:
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise RegistryUnavailableError(
                f"schema registry {self._url}: {type(error).__name__}; is it running, is RENKOU_REGISTRY right?"
            ) from error
        if response.status_code >= 500 or response.status_code in _REFUSED_FOR_NOW:
            raise RegistryUnavailableError(
                f"schema registry {self._url}: HTTP {response.status_code}; see its log"
            )
        if response.status_code >= 400:
            try:
                reason = str(response.json().get("message", ""))
            except ValueError:
                reason = response.text[:200]
            raise _RefusedError(method, path, response.status_code, reason)
        answer: dict[str, str] = response.json()
        return answer


class _RefusedError(SchemaError):
    """The registry answered and refused."""

    def __init__(self, method: str, path: str, status: int, reason: str) -> None:
        super().__init__(
            f"schema registry refused {method} {path}: {reason}; look at the schema and its subject"
        )
        self.status = status
        self.reason = reason


def _refusal(subject: str, reason: str) -> str:
    return (
        f"the schema of {subject} cannot read what an earlier version of it wrote: {reason}; take the edit back "
        "(a new field needs a default; a field that changes its type needs a new name)"
    )
