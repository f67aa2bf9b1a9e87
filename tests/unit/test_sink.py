"""What the sink says is linked: a frontier that has come with the identities and with the persons."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from avro.envelope import EnvelopeDecoder
from avro.record import Mark, MarkKind
from avro.registry import LocalRegistry
from connectors.clickhouse.batch import Batch
from connectors.clickhouse.writer import Writer, WriteResult
from connectors.feeds import Catalog
from streams import topics
from streams.schemas import TopicSchemas
from streams.sink import SinkAgent, SourceBoard


class Table:
    """A writer that keeps nothing: here only marks are written."""

    def write(self, batch: Batch, there: Callable[[], None]) -> WriteResult:
        there()
        return WriteResult()


def test_a_frontier_is_linked_when_it_has_come_with_identities_and_persons() -> None:
    catalog = Catalog.load()
    schemas = TopicSchemas(LocalRegistry(), catalog)
    board = SourceBoard()
    sink = SinkAgent(cast(Writer, Table()), schemas, EnvelopeDecoder(None), {}, board)

    def come(topic: str, time: int) -> dict[str, int]:
        value = schemas.frame_mark(Mark(MarkKind.FRONTIER, "police", "", 0, time))
        message: Any = SimpleNamespace(
            topic=topic, partition=0, offset=0, key=b"", value=value, headers=(), timestamp=0
        )
        sink.write([[message]])
        return {
            stage: board.frontiers["police"].get(stage, 0) for stage in ("normalized", "linked", "queryable")
        }

    assert come(topics.RECORDS, 90) == {"normalized": 90, "linked": 0, "queryable": 0}
    assert come(topics.IDENTITIES, 80) == {"normalized": 90, "linked": 0, "queryable": 0}
    assert come(topics.PERSONS, 50) == {"normalized": 90, "linked": 50, "queryable": 50}
    assert come(topics.IDENTITIES, 90)["linked"] == 50
    assert come(topics.PERSONS, 70)["queryable"] == 70
    assert come(topics.PERSONS, 60)["queryable"] == 70  # delivered again
    assert come(topics.PERSONS, 90)["queryable"] == 90
