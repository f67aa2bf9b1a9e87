"""Metrics of the stages, by Prometheus's conventions. Labels are bounded: feeds, stages, outcomes; never a person."""

from __future__ import annotations

from importlib import metadata
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, Info

from monitoring.latencies import Latencies

LATENCY_BUCKETS: Final = tuple(round(0.01 * 1.25**step, 4) for step in range(44))
"""Seconds, 10 ms to about 150 s in steps of 25 %: fine enough to read a p99 from, few enough to scrape."""

CHANGES: Final = Counter(
    "renkou_changes", "Changes that left a stage, by what became of them.", ["stage", "feed", "outcome"]
)
BATCH_SECONDS: Final = Histogram(
    "renkou_batch_seconds",
    "Time from taking a batch to its durable effect.",
    ["stage"],
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ROWS: Final = Counter("renkou_rows_written", "Rows written to ClickHouse.", ["table"])
QUERYABLE_SECONDS: Final = Latencies(
    "renkou_commit_to_queryable_seconds",
    "Time from the commit in the source to the row being queryable; streamed changes only.",
    "department",
    LATENCY_BUCKETS,
)
FRONTIER: Final = Gauge(
    "renkou_frontier_timestamp_seconds",
    "Source time up to which everything has passed the stage.",
    ["department", "stage"],
)
UNKNOWN_COLUMNS: Final = Gauge(
    "renkou_unknown_columns",
    "Columns that came from a source and that its feed neither names nor excludes.",
    ["feed"],
)
RETRIES: Final = Counter(
    "renkou_retries", "Attempts that failed for a transient reason and were repeated.", ["stage"]
)
REVIEWS: Final = Gauge("renkou_open_reviews", "Pairs that linking leaves to a human.")
PERSONS: Final = Gauge("renkou_linked_persons", "Active persons in the linker's state.")
MENTIONS: Final = Gauge("renkou_linked_mentions", "Live mentions in the linker's state.")
VERIFIED_ROWS: Final = Counter(
    "renkou_verified_rows", "Rows of sources that were compared with the store by value.", ["feed"]
)
VERIFY_DIFFERENCES: Final = Gauge(
    "renkou_verify_differences",
    "Rows that the last verification of the feed found missing, surplus, different, or could not decide.",
    ["feed", "kind"],
)
VERIFIED_TIME: Final = Gauge(
    "renkou_verified_timestamp_seconds", "Source time up to which the feed was last compared whole.", ["feed"]
)
STORE_PARTS: Final = Gauge("renkou_store_parts", "Parts of the store's table that has the most of them.")
STORE_BYTES: Final = Gauge("renkou_store_bytes", "What the store's tables take on disk, bytes.")
STORE_COMPLAINTS: Final = Gauge(
    "renkou_store_complaints",
    "What the store needs attention for, the log says what; 1 more when its upkeep fails.",
)
STATE: Final = Gauge(
    "renkou_source_state", "1 for the state that a source is in, 0 for the others.", ["department", "state"]
)
HEARTBEAT: Final = Gauge(
    "renkou_heartbeat_timestamp_seconds",
    "When the newest heartbeat of a source came into Kafka.",
    ["department"],
)
CAPTURED: Final = Gauge(
    "renkou_captured_timestamp_seconds",
    "Source time up to which a source is captured, read from its heartbeats and not through the sink.",
    ["department"],
)
HUB_DELAY: Final = Gauge(
    "renkou_hub_delay_seconds", "Time from captured to queryable as last looked at.", ["department"]
)
OBJECTIVE: Final = Gauge(
    "renkou_objective_seconds",
    "Strictest objective of a source's feeds: delay is source or hub, severity warning or error.",
    ["department", "delay", "severity"],
)
WAITING: Final = Gauge(
    "renkou_waiting_messages",
    "Messages in front of a stage; of one source for normalize, of the hub (department hub) for the others.",
    ["stage", "department"],
)
SLOT: Final = Gauge(
    "renkou_slot_retained_bytes", "WAL that a source keeps for its replication slot.", ["department"]
)
SLOT_LIMIT: Final = Gauge(
    "renkou_slot_limit_bytes", "The source's max_slot_wal_keep_size; absent when it has none.", ["department"]
)
SKEW: Final = Gauge(
    "renkou_clock_skew_seconds",
    "How far a source's clock is ahead of the hub's; negative when behind.",
    ["department"],
)
DELIVERY_LATE: Final = Gauge(
    "renkou_delivery_late", "1 while a file of a feed is overdue by its calendar, else 0.", ["feed"]
)
SILENT: Final = Gauge(
    "renkou_missed_changes", "Changes that would have been usual since a feed's last one.", ["feed"]
)
ALERTS: Final = Gauge("renkou_alerts", "Alerts that go on, muted ones included.", ["kind", "severity"])
NOTIFICATIONS: Final = Counter(
    "renkou_notifications", "Notifications by channel and what became of the attempt.", ["channel", "outcome"]
)
WATCHED: Final = Gauge("renkou_watch_timestamp_seconds", "When the watch last looked at every source.")
BUILD: Final = Info("renkou_build", "Version of the running software.")


def declare_build() -> None:
    """Publish the version of the installed distribution."""
    BUILD.info({"version": metadata.version("renkou")})


def quantile(buckets: dict[float, float], fraction: float) -> float | None:
    """Return the ``fraction`` quantile in seconds from cumulative bucket counts, None when nothing was counted.

    Linear interpolation inside the bucket, as Prometheus's ``histogram_quantile`` does it.
    """
    total = max(buckets.values(), default=0.0)
    if not total:
        return None
    rank = fraction * total
    lower, below = 0.0, 0.0
    for bound in sorted(buckets):
        count = buckets[bound]
        if count >= rank:
            if bound == float("inf"):
                return lower
            return lower + (bound - lower) * ((rank - below) / (count - below) if count > below else 1.0)
        lower, below = bound, count
    return lower
