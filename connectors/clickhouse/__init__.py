"""The ClickHouse store: tables generated from the Avro schemas, an exact writer, and readers over HTTP."""

from connectors.clickhouse.batch import Batch
from connectors.clickhouse.schema import FeedTable
from connectors.clickhouse.store import Store, open_store
from connectors.clickhouse.writer import Writer, WriteResult

__all__ = ["Batch", "FeedTable", "Store", "WriteResult", "Writer", "open_store"]
