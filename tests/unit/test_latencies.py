"""The histogram that is filled by the batch says what the client library's own would."""

from __future__ import annotations

import random

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from monitoring.latencies import Latencies

BUCKETS = (0.1, 0.5, 1.0, 10.0)


def lines(registry: CollectorRegistry) -> list[str]:
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


def test_it_publishes_what_the_librarys_histogram_does() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batch = Latencies("seconds", "text", "department", BUCKETS, ours)
    single = Histogram("seconds", "text", ["department"], buckets=BUCKETS, registry=theirs)
    rng = random.Random(1)
    for department in ("police", "hrss"):
        values = [0.1, 0.5, 10.0, 10.1, -1.0, *(rng.expovariate(1) for _ in range(200))]
        batch.observe(department, values[:50])
        batch.observe(department, values[50:])
        for value in values:
            single.labels(department).observe(value)

    def rounded(text: list[str]) -> list[str]:
        return [
            f"{line.rpartition(' ')[0]} {float(line.rpartition(' ')[2]):.9g}" if line[0] != "#" else line
            for line in text
        ]

    assert rounded(lines(ours)) == rounded(lines(theirs))


def test_it_is_empty_before_the_first() -> None:
    registry = CollectorRegistry()
    Latencies("seconds", "text", "department", BUCKETS, registry)
    assert all(line.startswith("#") for line in lines(registry))
