"""Debezium's envelope for changes that no Debezium captured: rows of files, and pushed ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from avro.envelope import TOPIC_PREFIX
from connectors.feeds.feed import Feed

_encode: Final = msgspec.json.Encoder().encode


def envelope_bytes(
    feed: Feed,
    connector: str,
    op: str,
    *,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    source_time: int,
    captured_time: int,
    position: Mapping[str, Any],
) -> bytes:
    """Return the value of an event; times are in microseconds since 1970.

    ``position`` goes into the source block: ``delivered`` or ``pushed``, as `avro.debezium_wire.Source` has them.
    """
    source = {
        "connector": connector,
        "name": TOPIC_PREFIX + feed.department,
        "schema": feed.schema,
        "table": feed.table,
        "ts_us": source_time,
        **position,
    }
    return _encode(
        {
            "op": op,
            "before": before,
            "after": after,
            "source": source,
            "ts_us": captured_time,
        }
    )
